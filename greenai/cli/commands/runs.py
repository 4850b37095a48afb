"""``greenai runs``: list, show, export, delete, tag."""

from __future__ import annotations

import contextlib
import csv
import io
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from greenai.cli.app import print_json
from greenai.cli.base import Command, Group, WholeNumber
from greenai.cli.commands.months import months
from greenai.cli.commands.run_page import show_run
from greenai.cli.commands.run_table import print_runs
from greenai.core.errors import ConfigError
from greenai.core.record import timestamp
from greenai.core.text import Text
from greenai.core.views import RunQuery
from greenai.settings.model import BY_NAME
from greenai.settings.values import tag_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.analysis import Analysis
    from greenai.cli.app import App
    from greenai.core.views import LiveRun, RunRow

_ABOUT = Text(de="Läufe zeigen, ausgeben, löschen, auszeichnen.", en="Show, export, delete and tag runs.")
_LIST = Text(de="Die letzten Läufe zeigen.", en="Show the latest runs.")
_SHOW = Text(de="Einen Lauf zeigen (Kennung, Name oder latest).", en="Show one run (id, name or latest).")
_EXPORT = Text(de="Alle Läufe ausgeben.", en="Export all runs.")
_DELETE = Text(de="Einen Lauf mit seinen Journalen löschen.", en="Delete a run and its journals.")
_TAG = Text(de="Einem Lauf Merkmale geben.", en="Give tags to a run.")
_JSON = Text(de="Als JSON ausgeben", en="print JSON")
_LIMIT = Text(de="Höchstens so viele Läufe", en="at most this many runs")
_FORMAT = Text(de="Form der Ausgabe", en="form of the output")
_OUTPUT = Text(de="In diese Datei statt nach stdout", en="into this file instead of stdout")
_YES = Text(de="Nicht nachfragen", en="do not ask")
_WATCH = Text(de="Alle {seconds} s neu zeigen, bis Strg-C kommt", en="show anew every {seconds} s until Ctrl-C")
_WATCH_ALONE = Text(
    de="--watch zeigt eine Tabelle für Menschen; --json gibt die Daten einmal aus. Bitte eines von beiden.",
    en="--watch shows a table to people; --json prints the data once. Please choose one.",
)
WATCH_S = 3.0
_MOST_RUNS = 1_000_000
_TOP_OF_SCREEN = "\x1b[H\x1b[J"

_NONE_YET = Text(
    de="Noch keine Läufe. Der erste: greenai run -- python train.py",
    en="No runs yet. The first: greenai run -- python train.py",
)
_SURE = Text(
    de="Den Lauf {run} ({name}) samt Messdaten endgültig löschen?",
    en="Delete run {run} ({name}) and its readings for good?",
)
_DELETED = Text(de="Gelöscht: {run}", en="Deleted: {run}")
_TAGGED = Text(de="Merkmale von {run}: {tags}", en="Tags of {run}: {tags}")
_NOT_WRITABLE = Text(de="{path} ist nicht beschreibbar ({reason}).", en="{path} cannot be written ({reason}).")
_FORMATS = ("csv", "json", "parquet")
_NO_FORMAT = Text(
    de="Die Form „{form}“ gibt es nicht; vorhanden sind: {names}.",
    en='There is no form "{form}"; there are: {names}.',
)
_NEEDS_FILE = Text(de="Parquet braucht eine Datei: -o laeufe.parquet", en="Parquet needs a file: -o runs.parquet")


def build(app: App) -> click.Command:
    """Return the command group; without a subcommand it lists."""
    group = Group("runs", help=app.say(_ABOUT), invoke_without_command=True, params=_list_options(app))

    def list_if_alone(**given: Any) -> None:
        context = click.get_current_context()
        if context.invoked_subcommand is None:
            _list(app, **given)

    group.callback = list_if_alone
    reference = click.Argument(["run"], metavar="RUN")
    as_json = click.Option(["--json", "as_json"], is_flag=True, help=app.say(_JSON))
    formats = click.Option(["--format", "form"], type=click.Choice(_FORMATS), default=None, help=app.say(_FORMAT))
    output = click.Option(["-o", "--output"], metavar="FILE", help=app.say(_OUTPUT))
    yes = click.Option(["--yes"], is_flag=True, help=app.say(_YES))
    tags = click.Argument(["tags"], nargs=-1, required=True, metavar="KEY=VALUE...")

    def add(name: str, about: Text, function: Callable[..., Any], params: list[click.Parameter]) -> None:
        group.add_command(
            Command(name, help=app.say(about), params=params, callback=lambda **given: function(app, **given))
        )

    add("list", _LIST, _list_with_filters_before, _list_options(app))
    add("show", _SHOW, _show, [as_json, reference])
    add("export", _EXPORT, _export_or_say_why_not, [*_filters(app), formats, output])
    add("delete", _DELETE, _delete, [yes, reference])
    add("tag", _TAG, _tag, [reference, tags])
    group.add_command(months(app))
    return group


def _filters(app: App) -> list[click.Parameter]:
    return [
        click.Option([f"--{name}"], help=app.say(BY_NAME[name].help))
        for name in ("project", "task", "approach", "phase")
    ]


def _list_options(app: App) -> list[click.Parameter]:
    return [
        *_filters(app),
        click.Option(
            ["--limit"], type=WholeNumber(1, _MOST_RUNS), default=20, show_default=True, help=app.say(_LIMIT)
        ),
        click.Option(["--json", "as_json"], is_flag=True, help=app.say(_JSON)),
        click.Option(["--watch"], is_flag=True, help=app.say(_WATCH, seconds=f"{WATCH_S:.0f}")),
    ]


def _list_with_filters_before(app: App, **given: Any) -> None:
    """List with the options of both places: before and after the word ``list``."""
    context = click.get_current_context()
    before = context.parent.params if context.parent else {}
    chosen = {
        name: value
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
        else before.get(name, value)
        for name, value in given.items()
    }
    _list(app, **chosen)


def _list(app: App, as_json: bool, watch: bool, **given: Any) -> None:
    if watch and as_json:
        raise ConfigError(_WATCH_ALONE)
    analysis = app.analysis()
    if watch:
        _keep_showing(lambda: _print_list(app, analysis, **given), analysis.refresh)
    elif as_json:
        found = _running_first(analysis, **given)
        print_json([{**_row_json(row), "power_w": live.power_w if live else None} for row, live in found])
    else:
        _print_list(app, analysis, **given)


def _keep_showing(show: Callable[[], None], refresh: Callable[[], object]) -> None:
    """Show something anew every few seconds until Ctrl-C."""
    try:
        while True:
            page = io.StringIO()
            with contextlib.redirect_stdout(page):
                show()
            # In one piece, or the screen would flicker.
            print(_TOP_OF_SCREEN + page.getvalue() if sys.stdout.isatty() else page.getvalue(), end="", flush=True)
            time.sleep(WATCH_S)
            refresh()
    except KeyboardInterrupt:
        print(file=sys.stderr)


def _running_first(analysis: Analysis, limit: int, **filters: Any) -> list[tuple[RunRow, LiveRun | None]]:
    """Return the runs that go on, each with what its journals say now, and then the latest of the others."""
    running = {live.row.id: live for live in analysis.live(RunQuery(limit=limit, **filters)).runs}
    latest = analysis.run_page(RunQuery(limit=limit, **filters)).rows
    found: list[tuple[RunRow, LiveRun | None]] = [(live.row, live) for live in running.values()]
    return [*found, *((row, None) for row in latest if row.id not in running)][:limit]


def _print_list(app: App, analysis: Analysis, **given: Any) -> None:
    found = _running_first(analysis, **given)
    if not found:
        app.tell(_NONE_YET)
        return
    print_runs(app, found)


def _show(app: App, run: str, as_json: bool) -> None:
    analysis = app.analysis()
    record = analysis.run(run)
    if as_json:
        print_json(record.to_dict(app.language))
    else:
        over_time, damaged = analysis.over_time(record)
        for damage in damaged:
            app.tell(damage.said)
        show_run(app, record, over_time)


def _export_or_say_why_not(app: App, output: str | None, **given: Any) -> None:
    try:
        _export(app, output=output, **given)
    except OSError as error:
        raise ConfigError(_NOT_WRITABLE.format(path=output, reason=error.strerror or error)) from error


def _export(app: App, form: str | None, output: str | None, **filters: Any) -> None:
    form = form or (Path(output).suffix.lstrip(".") if output else "json")
    if form not in _FORMATS:
        raise ConfigError(_NO_FORMAT.format(form=form, names=", ".join(_FORMATS)))
    analysis = app.analysis()
    query = RunQuery(descending=False, **filters)
    if form == "parquet":
        if output is None:
            raise ConfigError(_NEEDS_FILE)
        from greenai.analysis.frames import runs_frame

        runs_frame(analysis, query).to_parquet(output)
        return
    with open(output, "w", encoding="utf-8", newline="") if output else _stdout() as stream:  # noqa: PTH123
        if form == "csv":
            rows = [_row_json(row) for row in analysis.run_page(query).rows]
            writer = csv.DictWriter(stream, fieldnames=list(_row_json_fields()))
            writer.writeheader()
            writer.writerows({key: _harmless(value) for key, value in row.items()} for row in rows)
        else:
            import json

            records = [record.to_dict(app.language) for record in analysis.runs(query)]
            json.dump(records, stream, indent=2, ensure_ascii=False)
            stream.write("\n")


def _delete(app: App, run: str, yes: bool) -> None:
    analysis = app.analysis()
    run_id, name = analysis.store.identify(run)
    if not yes:
        click.confirm(app.say(_SURE, run=run_id, name=name), abort=True, err=True)
    analysis.store.delete(run_id)
    shutil.rmtree(analysis.settings.spool / run_id, ignore_errors=True)
    app.tell(_DELETED, run=run_id)


def _tag(app: App, run: str, tags: tuple[str, ...]) -> None:
    pairs = tag_pairs(tags)
    analysis = app.analysis()
    record = analysis.run(run)
    analysis.store.tag(record.id, pairs)
    shown = ", ".join(f"{key}={value}" for key, value in analysis.run(record.id).tags.items())
    app.tell(_TAGGED, run=record.id, tags=shown)


def _row_json(row: RunRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in row.__slots__}
    values["state"] = row.state.value
    values["quality"] = row.quality.value if row.quality else None
    values["started_at"] = timestamp(values.pop("started_ms"))
    return values


def _row_json_fields() -> list[str]:
    from greenai.core.views import RunRow as Row

    return [name for name in Row.__slots__ if name != "started_ms"] + ["started_at"]


def _harmless(value: Any) -> Any:
    """Keep a spreadsheet from taking a run's name for a formula."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


def _stdout() -> Any:
    return contextlib.nullcontext(sys.stdout)
