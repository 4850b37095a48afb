"""``greenai run -- COMMAND``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenai.cli.base import Command, FiniteFloat
from greenai.cli.format import summary
from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.core.vocabulary import Approach, Phase, Scope
from greenai.settings.model import BY_NAME
from greenai.settings.values import run_name, tag_pairs
from greenai.tracking.wrapper import NOT_FOUND, run_command

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
_QUIET = Text(de="Am Ende keine Zeile ausgeben", en="say nothing at the end")
_TAG = Text(de="Merkmal schluessel=wert; mehrfach möglich", en="tag key=value; may be repeated")

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


def build(app: App) -> click.Command:
    """Return the command."""

    def setting(name: str, kind: Any = None, metavar: str | None = None) -> click.Option:
        return click.Option([f"--{name}"], type=kind, metavar=metavar, help=app.say(BY_NAME[name].help))

    def call(command: tuple[str, ...], record: str | None, quiet: bool, **given: Any) -> int:
        name, units = given.pop("name"), given.pop("units")
        name = run_name(name) if name is not None else None
        given["interval_s"] = given.pop("interval")
        given["tags"] = tag_pairs(given.pop("tag")) or None
        if record not in (None, "-"):
            _check_writable(Path(str(record)))
        wrapped = run_command(command, app.settings(**given), name, units)
        if not wrapped.started:
            app.tell(_NOT_FOUND if wrapped.exit_code == NOT_FOUND else _NOT_EXECUTABLE, command=command[0])
            return wrapped.exit_code
        if wrapped.record is None:
            app.tell(_NO_RECORD)
            return wrapped.exit_code
        if record is not None:
            _write_record(app, wrapped.record.to_dict(), record)
        if not quiet:
            print(summary(wrapped.record, app.language), file=sys.stderr)
        return wrapped.exit_code

    return Command(
        "run",
        callback=call,
        help=app.say(_ABOUT),
        context_settings={"allow_interspersed_args": False},
        params=[
            click.Option(["--name"], help=app.say(_NAME)),
            setting("project"),
            setting("task"),
            setting("approach", click.Choice([approach.value for approach in Approach])),
            setting("phase", click.Choice([phase.value for phase in Phase])),
            setting("unit"),
            click.Option(["--units"], type=FiniteFloat(min=0), help=app.say(_UNITS)),
            click.Option(["--tag"], multiple=True, metavar="KEY=VALUE", help=app.say(_TAG)),
            setting("scope", click.Choice([scope.value for scope in Scope])),
            setting("zone"),
            click.Option(["--interval"], type=float, metavar="S", help=app.say(BY_NAME["interval_s"].help)),
            click.Option(["--record"], metavar="FILE", help=app.say(_RECORD)),
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


def _write_record(app: App, record: dict[str, Any], target: str) -> None:
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    try:
        if target == "-":
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            Path(target).write_text(text, encoding="utf-8")
    except OSError as error:
        app.tell(_RECORD_FAILED, path=target, reason=error.strerror, run=record["id"])
