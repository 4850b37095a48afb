"""``greenai demo``: everything once, on real data."""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import TYPE_CHECKING

import click

from greenai.cli.base import Command, WholeNumber
from greenai.cli.commands.compare import show_task
from greenai.cli.commands.dashboard import LOOPBACK, serve
from greenai.cli.commands.report import make_report
from greenai.core import quantity
from greenai.core.errors import ConfigError, GreenAIError
from greenai.core.text import Text
from greenai.core.views import RunQuery
from greenai.plugins import REPORTS, discover
from greenai.settings.paths import data_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from greenai.cli.app import App

_ABOUT = Text(
    de="Trainiert echte Modelle an echten Daten, misst sie, vergleicht KI und klassische Lösung, schreibt einen "
    "Bericht und öffnet die Übersicht. Dauert etwa anderthalb Minuten und braucht kein Netz.",
    en="Trains real models on real data, tracks them, compares AI with classical solutions, writes a report and "
    "opens the dashboard. Takes about a minute and a half and needs no network.",
)
_CHECK = Text(
    de="Ohne Übersicht enden, mit 1, falls etwas fehlt",
    en="end without the dashboard, with 1 if anything is missing",
)
_NO_BROWSER = Text(de="Keinen Browser öffnen", en="do not open a browser")
_PORT = Text(de="Port der Übersicht; Vorgabe: ein freier", en="port of the dashboard; default: a free one")

_MISSING = Text(
    de="Für die Vorführung fehlt ein Paket ({reason}).", en="A package for the demo is missing ({reason})."
)
_INSTALL = Text(de="Installieren: pip install 'greenai[all]'", en="Install it: pip install 'greenai[all]'")
_WHERE = Text(de="Datenbank der Vorführung: {db}", en="Database of the demo: {db}")
_ZONE = Text(
    de="Kein Stromnetz eingestellt; die Vorführung rechnet mit Deutschland (DE).",
    en="No grid zone is set; the demo takes Germany (DE).",
)
_DONE = Text(de="{count} Läufe in {time}.", en="{count} runs in {time}.")
_TASK = Text(de="Aufgabe {task}", en="Task {task}")
_REPORT = Text(de="Bericht: {path}", en="Report: {path}")
_LOST_RUNS = Text(
    de="Nur {found} von {wanted} Läufen sind in der Datenbank.",
    en="Only {found} of {wanted} runs are in the database.",
)
_NO_VERDICT = Text(de="Aufgabe {task} hat keinen Vergleich.", en="Task {task} has no comparison.")


def build(app: App) -> click.Command:
    """Return the command."""
    return Command(
        "demo",
        callback=lambda **given: _demo(app, **given),
        help=app.say(_ABOUT),
        params=[
            click.Option(["--check"], is_flag=True, help=app.say(_CHECK)),
            click.Option(["--port"], type=WholeNumber(0, 65535), default=0, help=app.say(_PORT)),
            click.Option(["--no-browser"], is_flag=True, help=app.say(_NO_BROWSER)),
        ],
    )


def _demo(app: App, check: bool, port: int, no_browser: bool) -> None:
    try:
        from greenai.demo.play import RUNS, play
    except ImportError as error:
        raise ConfigError(_MISSING.format(reason=error), _INSTALL) from error
    folder = _prepare(app)
    began_ms = time.time_ns() // 1_000_000
    _with_progress(play, RUNS)
    took_s = time.time() - began_ms / 1000
    app.tell(_DONE, count=RUNS, time=quantity.duration(took_s, app.language))
    _results(app, began_ms, RUNS)
    _reports(app, folder)
    if not check:
        serve(app, app.analysis(), host=LOOPBACK[0], port=port, browser=not no_browser)


def _prepare(app: App) -> Path:
    """Give the demo a place of its own, unless GREENAI_DB names one, and see that it is writable."""
    folder = data_folder(os.environ) / "demo"
    if "GREENAI_DB" not in os.environ:
        shutil.rmtree(folder, ignore_errors=True)
        os.environ["GREENAI_DB"] = f"sqlite:///{folder / 'greenai.db'}"
    os.environ.setdefault("GREENAI_SPOOL", str(folder / "spool"))
    # Taking a run in costs CPU time, which the next run would be billed for.
    os.environ["GREENAI_INGEST"] = "later"
    settings = app.settings()
    if settings.zone is None:
        os.environ["GREENAI_ZONE"] = "DE"
        app.tell(_ZONE)
    analysis = app.analysis()
    folder.mkdir(parents=True, exist_ok=True)
    app.tell(_WHERE, db=analysis.store.shown_url)
    return folder


def _with_progress(play: Callable[[Callable[[str], None]], None], runs: int) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(file=sys.stderr)) as progress:
        bar = progress.add_task("", total=runs)
        made = -1

        def step(name: str) -> None:
            nonlocal made
            made += 1
            progress.update(bar, completed=made, description=name)

        play(step)
        progress.update(bar, completed=runs, description="")


def _results(app: App, began_ms: int, wanted: int) -> None:
    analysis = app.analysis()
    found = analysis.run_page(RunQuery(from_ms=began_ms)).total
    if found < wanted:
        raise GreenAIError(_LOST_RUNS.format(found=found, wanted=wanted))
    for name in analysis.task_names():
        view = analysis.task(name)
        print(f"\n{app.say(_TASK, task=name)}")
        show_task(app, view)
        if not view.comparisons:
            raise GreenAIError(_NO_VERDICT.format(task=name))
    print()


def _reports(app: App, folder: Path) -> None:
    for plugin in discover(REPORTS):
        if plugin.name in ("html", "pdf"):
            path = folder / f"report.{plugin.name}"
            path.write_bytes(make_report(app, plugin, app.language, project="demo"))
            app.tell(_REPORT, path=path)
