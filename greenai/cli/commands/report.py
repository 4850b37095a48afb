"""``greenai report``: write a report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenai.cli.base import Command
from greenai.core.errors import ConfigError, NotFoundError
from greenai.core.text import Language, Text
from greenai.core.views import RunQuery
from greenai.plugins import REPORTS, Plugin, discover

if TYPE_CHECKING:
    from datetime import datetime

    from greenai.cli.app import App

_ABOUT = Text(
    de="Schreibt einen Bericht über alle oder ausgewählte Läufe.",
    en="Writes a report about all runs or some of them.",
)
_PROJECT = Text(de="nur dieses Projekt", en="only this project")
_TASK = Text(de="nur diese Aufgabe", en="only this task")
_RUN = Text(de="nur dieser Lauf", en="only this run")
_FROM = Text(de="Läufe ab diesem Tag (JJJJ-MM-TT)", en="runs from this day on (YYYY-MM-DD)")
_TO = Text(de="Läufe bis zu diesem Tag einschließlich", en="runs up to and including this day")
_FORMAT = Text(
    de="Form; Vorgabe nach der Endung von -o, sonst html", en="form; default by the suffix of -o, else html"
)
_PROFILE = Text(de="Art des Berichts", en="kind of report")
_LANG = Text(de="Sprache des Berichts", en="language of the report")
_OUTPUT = Text(de="Zieldatei (- = stdout)", en="file to write (- = stdout)")

_ALL = Text(de="Alle Läufe", en="All runs")
_OF_PROJECT = Text(de="Projekt {project}", en="Project {project}")
_OF_TASK = Text(de="Aufgabe {task}", en="Task {task}")
_OF_RUN = Text(de="Lauf {name} ({run})", en="Run {name} ({run})")
_SINCE = Text(de="ab {day}", en="from {day}")
_UNTIL = Text(de="bis {day}", en="until {day}")

_NO_RUNS = Text(de="Dafür gibt es keine Läufe.", en="There are no runs for that.")
_LIST_RUNS = Text(de="Alle Läufe zeigt: greenai runs", en="All runs are shown by: greenai runs")
_NO_FORMAT = Text(
    de="Die Form „{form}“ gibt es nicht; vorhanden sind: {names}.",
    en='There is no form "{form}"; there are: {names}.',
)
_NOT_INSTALLED = Text(
    de="Für die Form „{form}“ fehlt ein Paket ({reason}).",
    en='A package for the form "{form}" is missing ({reason}).',
)
_INSTALL = Text(de="Installieren: pip install 'greenai[reports]'", en="Install it: pip install 'greenai[reports]'")
_NOT_WRITABLE = Text(de="{path} ist nicht beschreibbar ({reason}).", en="{path} cannot be written ({reason}).")
_NO_DAY = Text(de="Mit dem Tag {day} lässt sich nicht rechnen.", en="The day {day} is out of reach.")
_DAY_MS = 86_400_000
_WRITTEN = Text(de="Bericht geschrieben: {path}", en="Report written: {path}")


def build(app: App) -> click.Command:
    """Return the command."""
    day = click.DateTime(["%Y-%m-%d"])
    return Command(
        "report",
        callback=lambda **given: _report(app, **given),
        help=app.say(_ABOUT),
        params=[
            click.Option(["--project"], help=app.say(_PROJECT)),
            click.Option(["--task"], help=app.say(_TASK)),
            click.Option(["--run"], help=app.say(_RUN)),
            click.Option(["--from", "since"], type=day, help=app.say(_FROM)),
            click.Option(["--to", "until"], type=day, help=app.say(_TO)),
            click.Option(["--format", "form"], help=app.say(_FORMAT)),
            click.Option(["--profile"], type=click.Choice(["summary"]), default="summary", help=app.say(_PROFILE)),
            click.Option(["--lang"], type=click.Choice(["de", "en"]), help=app.say(_LANG)),
            click.Option(["-o", "--output"], metavar="FILE", help=app.say(_OUTPUT)),
        ],
    )


def _report(
    app: App, form: str | None, profile: str, lang: Language | None, output: str | None, **which: Any
) -> None:
    suffix = Path(output).suffix.lstrip(".") if output else ""
    form = form or suffix or "html"
    plugins = {plugin.name: plugin for plugin in discover(REPORTS)}
    if form not in plugins:
        raise ConfigError(_NO_FORMAT.format(form=form, names=", ".join(sorted(plugins))))
    content = make_report(app, plugins[form], lang or app.language, **which)
    if output == "-":
        sys.stdout.buffer.write(content)
        return
    path = Path(output or f"greenai-{profile}.{form}")
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(_NOT_WRITABLE.format(path=path, reason=error.strerror)) from error
    app.tell(_WRITTEN, path=path)


def make_report(
    app: App,
    plugin: Plugin,
    language: Language,
    *,
    project: str | None = None,
    task: str | None = None,
    run: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> bytes:
    """Return a report about the runs that fit.

    Raises:
        NotFoundError: None fits.
        ConfigError: A package is missing.
    """
    analysis = app.analysis()
    parts = []
    query = RunQuery(
        project=project,
        task=task,
        text=None,
        from_ms=_ms(since) if since else None,
        to_ms=_ms(until) + _DAY_MS if until else None,
    )
    if run is not None:
        record = analysis.run(run)
        query = RunQuery(text=record.id)
        parts.append(_OF_RUN.format(name=record.name, run=record.id))
    if project is not None:
        parts.append(_OF_PROJECT.format(project=project))
    if task is not None:
        parts.append(_OF_TASK.format(task=task))
    if since is not None:
        parts.append(_SINCE.format(day=_day(since)))
    if until is not None:
        parts.append(_UNTIL.format(day=_day(until)))
    scope = Text(de=", ".join(p.de for p in parts), en=", ".join(p.en for p in parts)) if parts else _ALL
    view = analysis.report(query, scope)
    if not view.records:
        raise NotFoundError(_NO_RUNS, _LIST_RUNS)
    try:
        content: bytes = plugin.load()(view, language)
    except ImportError as error:
        raise ConfigError(_NOT_INSTALLED.format(form=plugin.name, reason=error), _INSTALL) from error
    return content


def _ms(day: datetime) -> int:
    """Return the start of a local day in epoch milliseconds."""
    try:
        return int(day.astimezone().timestamp() * 1000)
    except (OverflowError, ValueError) as error:
        raise ConfigError(_NO_DAY.format(day=_day(day))) from error


def _day(day: datetime) -> Text:
    return Text(de=day.strftime("%d.%m.%Y"), en=day.strftime("%Y-%m-%d"))
