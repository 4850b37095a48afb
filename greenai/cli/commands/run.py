"""``greenai run -- COMMAND``."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from greenai.cli.app import plain
from greenai.cli.base import Command, FiniteFloat
from greenai.cli.format import summary
from greenai.cli.output import OutputError, flush_stdout
from greenai.cli.run_options import described, run_options
from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.tracking.command.aftermath import names_of
from greenai.tracking.command.signals import HeldSignals, take_effect
from greenai.tracking.command.wrapper import NOT_FOUND, Wrapped, run_command
from greenai.tracking.session.container import wait_for_database

if TYPE_CHECKING:
    from greenai.cli.app import App

_ABOUT = Text(
    de="Führt einen Befehl aus und misst dabei die Maschine. Ein- und Ausgabe, Signale und der Exit-Code "
    "bleiben die des Befehls.",
    en="Runs a command and tracks the machine meanwhile. Input, output, signals and the exit code stay the "
    "command's own.",
)
_NAME = Text(de="Name des Laufs; gleiche Namen sind Wiederholungen", en="name of the run; same names are repeats")
_UNITS = Text(de="Wie viele Einheiten der Befehl liefert", en="how many units the command delivers")
_RECORD = Text(
    de="Ergebnis als JSON in diese Datei schreiben (- = stdout)", en="write the record as JSON (- = stdout)"
)
_QUIET = Text(
    de="Nichts ausgeben; nur dass die Messung fehlt, wird immer gesagt",
    en="say nothing, except that there is no measurement",
)
_WAIT = Text(
    de="Nach dem Ende des Befehls weiter messen, bis auch alle Prozesse beendet sind, die er gestartet hat; "
    "Signale gehen dann an diese, der Exit-Code bleibt der des Befehls",
    en="after the end of the command go on tracking until all processes that it started have ended too; signals "
    "then go to these, the exit code stays the command's",
)

_COMMAND = Text(de="BEFEHL...", en="COMMAND...")

_NOT_FOUND = Text(de="greenai: {command}: Befehl nicht gefunden", en="greenai: {command}: command not found")
_NOT_EXECUTABLE = Text(de="greenai: {command}: nicht ausführbar", en="greenai: {command}: cannot be executed")
_RECORD_FOLDER = Text(
    de="--record: {path} ist nicht beschreibbar.",
    en="--record: {path} cannot be written.",
)
_RECORD_FAILED = Text(
    de="greenai: {path} ließ sich nicht schreiben ({reason}). Ergebnis abrufen: greenai runs show {run}",
    en="greenai: the record could not be written to {path} ({reason}). Get it with: greenai runs show {run}",
)
_NO_RECORD = Text(
    de="greenai: Die Messung ging verloren; der Befehl ist davon nicht betroffen.",
    en="greenai: the measurement was lost; the command is not affected.",
)
_TOO_SLOW = Text(
    de="greenai: Das Ergebnis liegt noch nicht vor (langsamer Datenträger?). Später abrufen: greenai runs",
    en="greenai: the record is not there yet (slow storage?). Get it later with: greenai runs",
)
_NO_WAIT = Text(de="--wait gibt es nur unter Linux.", en="--wait exists on Linux only.")
_LEFT = Text(
    de="greenai: {count} Prozesse des Befehls laufen ohne Messung weiter ({names}); "
    "--wait misst bis zu ihrem Ende.",
    en="greenai: {count} processes of the command go on untracked ({names}); --wait tracks them to their end.",
)
_ONE_LEFT = Text(
    de="greenai: Ein Prozess des Befehls läuft ohne Messung weiter ({names}); --wait misst bis zu seinem Ende.",
    en="greenai: one process of the command goes on untracked ({names}); --wait tracks it to its end.",
)


_GIVEN_UP = Text(
    de="greenai: Nicht länger gewartet; {count} Prozesse des Befehls laufen ohne Messung weiter ({names}).",
    en="greenai: stopped waiting; {count} processes of the command go on untracked ({names}).",
)
_ONE_GIVEN_UP = Text(
    de="greenai: Nicht länger gewartet; ein Prozess des Befehls läuft ohne Messung weiter ({names}).",
    en="greenai: stopped waiting; one process of the command goes on untracked ({names}).",
)


def build(app: App) -> click.Command:
    """Return the command."""

    def call(command: tuple[str, ...], record: str | None, quiet: bool, wait: bool, **given: Any) -> int:
        units = given.pop("units")
        name, said = described(given)
        if record not in (None, "-"):
            _check_writable(Path(str(record)))
        if wait and sys.platform == "darwin":
            raise ConfigError(_NO_WAIT)
        settings = app.settings(**said)
        with ExitStack() as stack:
            held = stack.enter_context(HeldSignals())
            wrapped = run_command(
                command,
                settings,
                name,
                units,
                wait=wait,
                warn=app.tell,
                tell=_say_nothing if quiet else app.tell,
                held=held,
            )
            if not wrapped.started:
                app.tell(
                    _NOT_FOUND if wrapped.exit_code == NOT_FOUND else _NOT_EXECUTABLE,
                    command=plain(quote(command[0])),
                )
                return wrapped.exit_code
            _report(app, wrapped, record, quiet=quiet, waited=wait)
            late = wait_for_database() if not wrapped.hanging else None
            if late is not None and not quiet:
                app.tell(late)
            # Held until this process ends: a signal that comes now must not change how the command ended.
            stack.pop_all()
            return _leave(wrapped)

    return Command(
        "run",
        callback=call,
        help=app.say(_ABOUT),
        context_settings={"allow_interspersed_args": False},
        params=[
            *run_options(app, _NAME),
            click.Option(["--units"], type=FiniteFloat(min=0), help=app.say(_UNITS)),
            click.Option(["--record"], metavar="FILE", help=app.say(_RECORD)),
            click.Option(["--wait"], is_flag=True, help=app.say(_WAIT)),
            click.Option(["--quiet"], is_flag=True, help=app.say(_QUIET)),
            click.Argument(
                ["command"], nargs=-1, required=True, type=click.UNPROCESSED, metavar=app.say(_COMMAND)
            ),
        ],
    )


def _check_writable(path: Path) -> None:
    folder = path.absolute().parent
    fits = os.access(path, os.W_OK) if path.exists() else os.access(folder, os.W_OK | os.X_OK)
    if path.is_dir() or not fits:
        raise ConfigError(_RECORD_FOLDER.format(path=path))


def _report(app: App, wrapped: Wrapped, record_file: str | None, *, quiet: bool, waited: bool) -> None:
    record = wrapped.record
    if record is None:
        if wrapped.tracked:
            app.tell(_TOO_SLOW if wrapped.hanging else _NO_RECORD)
        return
    if record_file is not None:
        _write_record(app, record.to_dict(), record_file)
    if quiet:
        return
    app.tell(Text.each(lambda language: summary(record, language)))
    if wrapped.left:
        one, more = (_ONE_GIVEN_UP, _GIVEN_UP) if waited else (_ONE_LEFT, _LEFT)
        app.tell(one if len(wrapped.left) == 1 else more, count=len(wrapped.left), names=names_of(wrapped.left))


def _leave(wrapped: Wrapped) -> int:
    if wrapped.ended_by == signal.SIGINT and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        # A shell that runs a script goes on after exit code 130, but not after a death by Ctrl-C.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        take_effect(signal.SIGINT)
    if wrapped.record is None:
        os._exit(wrapped.exit_code)  # what failed or hangs must not be tried once more on the way out
    return wrapped.exit_code


def _write_record(app: App, record: dict[str, Any], target: str) -> None:
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    try:
        if target != "-":
            Path(target).write_text(text, encoding="utf-8")
        else:
            sys.stdout.write(text)
            flush_stdout()
    except (OSError, OutputError) as error:
        reason = error.reason if isinstance(error, OutputError) else error.strerror
        app.tell(_RECORD_FAILED, path="stdout" if target == "-" else target, reason=reason, run=record["id"])


def _say_nothing(_text: Text) -> None:
    pass
