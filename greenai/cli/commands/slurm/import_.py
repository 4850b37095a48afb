"""``greenai slurm import``: past jobs from Slurm's accounting, and tracked runs held against it."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenai.cli.app import print_json
from greenai.cli.base import Command
from greenai.cli.commands.slurm.import_tables import show_report
from greenai.core import quantity
from greenai.core.errors import ConfigError
from greenai.core.record import timestamp
from greenai.core.text import Text
from greenai.core.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.cli.app import App
    from greenai.core.text import Language
    from greenai.slurm.accounting.findings import Finding
    from greenai.slurm.accounting.importing import ImportReport
    from greenai.slurm.accounting.reconcile import Comparison

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
    from greenai.host import this_host
    from greenai.slurm.accounting.ask import Period, ask_accounts, ask_site, read_recorded, recording_command
    from greenai.slurm.accounting.importing import import_accounts
    from greenai.slurm.accounting.jobs import read_accounts
    from greenai.slurm.accounting.site_facts import SiteFacts
    from greenai.slurm.accounting.table import NotATableError

    if file is None and since is None and jobs is None:
        raise ConfigError(_WHICH, _WHICH_REMEDY.format(day=datetime.now().astimezone().date().isoformat()))
    if file is not None and any(given is not None for given in (since, until, user, jobs)):
        raise ConfigError(_FILE_ALONE)
    settings = app.settings()
    period = Period(since.isoformat() if since else None, until.isoformat() if until else None, user, jobs)
    host = this_host(settings.knowledge)
    try:
        lines = ask_accounts(host, period) if file is None else read_recorded(Path(file))
        accounts = read_accounts(lines, host.clock.wall_ns() // NS_PER_MS)
    except NotATableError as error:
        command, source = recording_command(Period(since="2026-01-01")), file or "sacct"
        raise ConfigError(
            _NO_TABLE.format(source=source, line=error), _RECORD_ANEW.format(command=command, source="jobs.txt")
        ) from error
    # A recorded file says nothing of the site it is from, which need not be this one.
    site = ask_site(host, settings.cpu_tdp_w) if file is None else SiteFacts(cpu_tdp_w=settings.cpu_tdp_w)
    report = import_accounts(app.analysis().store, settings, accounts, site, _progress(app))
    if as_json:
        print_json(_data(report, app.language))
    else:
        show_report(app, report)


def _progress(app: App) -> Callable[[int, int], None]:
    """Return what says how far an import of many jobs has come, every few seconds."""
    told_s = time.monotonic()

    def tell(done: int, jobs: int) -> None:
        nonlocal told_s
        if jobs >= _MANY_JOBS and time.monotonic() - told_s >= _TOLD_EVERY_S:
            told_s = time.monotonic()
            app.tell(_DONE, done=quantity.integer(done, app.language), jobs=quantity.integer(jobs, app.language))

    return tell


def _data(report: ImportReport, language: Language) -> dict[str, Any]:
    accounts = report.accounts
    return {
        "rows": accounts.row_count,
        "jobs": len(accounts.jobs),
        "unfinished": len(accounts.unfinished),
        "never_started": len(accounts.never_started),
        "added": report.added,
        "runs": [record.to_dict(language) for record in report.imported],
        "reconciled": [_comparison(comparison, language) for comparison in report.compared],
        "failed": [_finding(finding, language) for finding in report.failed],
        "over_allocated": [_finding(finding, language) for finding in report.over_allocated],
        "quarantined": [
            {"line": one.line, "row": one.what, "reason": one.reason.to(language)} for one in accounts.quarantined
        ],
    }


def _comparison(comparison: Comparison, language: Language) -> dict[str, Any]:
    return {**comparison.to_dict(), "remarks": [remark.to(language) for remark in comparison.remarks]}


def _finding(finding: Finding, language: Language) -> dict[str, Any]:
    job = finding.job
    return {
        "cluster": job.cluster,
        "job_id": job.job_id,
        "restart_count": job.restart_count,
        "name": job.name,
        "user": job.user,
        "state": job.state,
        "exit_code": job.shell_exit_code,
        "started_at": timestamp(job.start_ms),
        "elapsed_s": job.elapsed_s,
        "energy_j": finding.energy_j,
        "at_least": finding.at_least is not None,
        "reasons": [reason.to(language) for reason in finding.remarks],
    }
