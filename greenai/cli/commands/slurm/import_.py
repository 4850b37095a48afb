"""``greenai slurm import``: past jobs from Slurm's accounting, and tracked runs held against it."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from greenai.cli.base import Command
from greenai.core import quantity
from greenai.core.errors import ConfigError, GreenAIError
from greenai.core.text import Text
from greenai.core.units import NS_PER_MS

if TYPE_CHECKING:
    from greenai.cli.app import App
    from greenai.slurm.accounting.ask import Period
    from greenai.slurm.accounting.importing import ImportReport

_ABOUT = Text(
    de="Holt vergangene Jobs aus sacct: Energie nach den Zählern des Standorts, sonst eine gekennzeichnete "
    "Schätzung. Gemessene Läufe werden damit abgeglichen. Beliebig oft wiederholbar; nichts wird doppelt gezählt.",
    en="Takes past jobs from sacct: energy by the site's own meters, else a labelled estimate. Tracked runs are "
    "held against it. May be repeated at will; nothing is counted twice.",
)
_SINCE = Text(
    de="Ab diesem Tag oder Zeitpunkt (2026-11-21, 2026-11-21T08:00)",
    en="from this day or moment on (2026-11-21, 2026-11-21T08:00)",
)
_UNTIL = Text(de="Bis zu diesem Zeitpunkt; Vorgabe: jetzt", en="up to this moment; default: now")
_USER = Text(
    de="Jobs dieses Benutzers, all für alle; Vorgabe: die eigenen (als root alle)",
    en="jobs of this user, all for everybody; default: your own (as root: all)",
)
_JOBS = Text(de="Nur diese Jobs (4711,4712_3)", en="these jobs only (4711,4712_3)")
_FILE = Text(de="Eine aufgezeichnete Ausgabe von sacct lesen", en="read a recorded output of sacct")
_JSON = Text(de="Als JSON ausgeben", en="print JSON")

_WHICH = Text(
    de="Welche Jobs? --since, --jobs oder --file angeben.",
    en="Which jobs? Give --since, --jobs or --file.",
)
_WHICH_REMEDY = Text(
    de="Die von heute: greenai slurm import --since {day}", en="Those of today: greenai slurm import --since {day}"
)
_FILE_ALONE = Text(
    de="--file liest alles, was aufgezeichnet ist; --since, --until, --user und --jobs gelten nur für sacct.",
    en="--file reads all that was recorded; --since, --until, --user and --jobs are for sacct itself.",
)
_NO_TABLE = Text(
    de="{source} ist keine Ausgabe von sacct, die sich lesen lässt; die erste Zeile ist: {line}",
    en="{source} is no output of sacct that can be read; its first line is: {line}",
)
_RECORD_ANEW = Text(de="Neu aufzeichnen mit: {command} > {source}", en="Record it anew with: {command} > {source}")
_DONE = Text(de="{done} von {jobs} Jobs übernommen ...", en="{done} of {jobs} jobs taken in ...")
_REACHED = Text(de="Bis {moment} übernommen ...", en="Taken in up to {moment} ...")
_GO_ON = Text(
    de="Was bis {moment} zu Ende ging, ist gespeichert. Weiter geht es mit: {command}",
    en="What ended before {moment} is saved. To go on from there: {command}",
)
_MANY_JOBS = 3000
_TOLD_EVERY_S = 5.0
_MOMENTS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")


def build(app: App) -> click.Command:
    """Return the command."""
    moment = click.DateTime(_MOMENTS)
    return Command(
        "import",
        callback=lambda **given: _import(app, **given),
        help=app.say(_ABOUT),
        params=[
            click.Option(["--since"], type=moment, metavar="DATE", help=app.say(_SINCE)),
            click.Option(["--until"], type=moment, metavar="DATE", help=app.say(_UNTIL)),
            click.Option(["--user"], metavar="NAME", help=app.say(_USER)),
            click.Option(["--jobs"], metavar="IDS", help=app.say(_JOBS)),
            click.Option(["--file"], metavar="FILE", help=app.say(_FILE)),
            click.Option(["--json", "as_json"], is_flag=True, help=app.say(_JSON)),
        ],
    )


def _import(
    app: App,
    since: datetime | None,
    until: datetime | None,
    user: str | None,
    jobs: str | None,
    file: str | None,
    as_json: bool,
) -> None:
    from greenai.cli.commands.slurm.import_json import JsonReport
    from greenai.cli.commands.slurm.import_tables import TableReport
    from greenai.slurm.accounting.ask import Period

    if file is None and since is None and jobs is None:
        raise ConfigError(_WHICH, _WHICH_REMEDY.format(day=datetime.now().astimezone().date().isoformat()))
    if file is not None and any(given is not None for given in (since, until, user, jobs)):
        raise ConfigError(_FILE_ALONE)
    listener = _Listener(app, JsonReport(app) if as_json else TableReport(app))
    try:
        _take_in(app, Path(file) if file is not None else Period(since, until, user, jobs), listener)
    except (GreenAIError, KeyboardInterrupt):
        if listener.reached is not None:
            listener.report.end()
            app.tell(_GO_ON, moment=listener.reached, command=_command(listener.reached, until, user, as_json))
        raise
    listener.report.end()


def _take_in(app: App, source: Path | Period, listener: _Listener) -> None:
    """Take a recorded file, or a period that sacct is asked for, into the database."""
    from greenai.host import this_host
    from greenai.slurm.accounting.ask import Period, read_recorded, recording_command
    from greenai.slurm.accounting.importing import import_accounts
    from greenai.slurm.accounting.jobs import read_accounts
    from greenai.slurm.accounting.periods import import_period
    from greenai.slurm.accounting.site_facts import SiteFacts
    from greenai.slurm.accounting.table import NotATableError

    settings = app.settings()
    host = this_host(settings.knowledge)
    try:
        if isinstance(source, Period):
            import_period(app.analysis().store, settings, host, source, listener)
        else:
            accounts = read_accounts(read_recorded(source), host.clock.wall_ns() // NS_PER_MS)
            # A recorded file says nothing of the site it is from, which need not be this one.
            site = SiteFacts(cpu_tdp_w=settings.cpu_tdp_w)
            store = app.analysis().store
            listener.took(import_accounts(store, settings, accounts, site, listener.count), None)
    except NotATableError as error:
        name = "sacct" if isinstance(source, Period) else source
        command = recording_command(Period(since=datetime(2026, 1, 1)))  # noqa: DTZ001  # the cluster's time
        raise ConfigError(
            _NO_TABLE.format(source=name, line=error), _RECORD_ANEW.format(command=command, source="jobs.txt")
        ) from error


def _command(since: datetime, until: datetime | None, user: str | None, as_json: bool) -> str:
    words = ["greenai slurm import", f"--since {since.isoformat()}"]
    words += [f"--until {until.isoformat()}"] if until is not None else []
    words += [f"--user {user}"] if user is not None else []
    return " ".join([*words, "--json"] if as_json else words)


class _Report(Protocol):
    """Collects what slices found, and writes it in the end."""

    def add(self, report: ImportReport) -> None: ...

    def end(self) -> None: ...


class _Listener:
    """Hands each slice on, and says every few seconds how far a long import has come.

    Attributes:
        report: Is given each slice.
        reached: All that ended before this local time is saved; None before the first slice of several.
    """

    def __init__(self, app: App, report: _Report) -> None:
        self.report = report
        self.reached: datetime | None = None
        self._app = app
        self._told_s = time.monotonic()

    def count(self, done: int, jobs: int) -> None:
        """So many of the slice's jobs are taken in."""
        if jobs >= _MANY_JOBS:
            self._tell(
                _DONE,
                done=quantity.integer(done, self._app.language),
                jobs=quantity.integer(jobs, self._app.language),
            )

    def took(self, report: ImportReport, until: datetime | None) -> None:
        """A slice is saved."""
        self.report.add(report)
        self.reached = until
        if until is not None:
            self._tell(_REACHED, moment=until)

    def _tell(self, text: Text, **values: object) -> None:
        if time.monotonic() - self._told_s >= _TOLD_EVERY_S:
            self._told_s = time.monotonic()
            self._app.tell(text, **values)
