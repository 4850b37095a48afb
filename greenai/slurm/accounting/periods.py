"""Takes a period of accounting into the database, slice by slice: what is saved stays, whatever comes next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from greenai.core.units import NS_PER_MS, NS_PER_S
from greenai.slurm.accounting import slices
from greenai.slurm.accounting.ask import Period, ask_accounts, ask_site
from greenai.slurm.accounting.importing import import_accounts
from greenai.slurm.accounting.jobs import read_accounts
from greenai.slurm.accounting.slices import Repeats, Slice, first_slice, next_slice, next_width_h

if TYPE_CHECKING:
    from greenai.host import Host
    from greenai.settings import Settings
    from greenai.slurm.accounting.attempts import JobKey
    from greenai.slurm.accounting.importing import ImportReport
    from greenai.slurm.accounting.site_facts import SiteFacts
    from greenai.store import Store


class Listener(Protocol):
    """Is told how an import goes on. It keeps no report whole, or all of the period is in memory."""

    def count(self, done: int, jobs: int) -> None:
        """So many of the slice's jobs are taken in."""

    def took(self, report: ImportReport, until: datetime | None) -> None:
        """A slice is saved: all that ended before ``until``, local time; None for all of the period."""


@dataclass(slots=True)
class Totals:
    """The sums over all slices.

    Attributes:
        rows: Rows that sacct printed; those of a job that two slices show count in both.
        jobs: Jobs that ended.
        unfinished: Jobs that go on.
        never_started: Jobs that ended before they began.
        imported: Runs of jobs that nobody tracked.
        added: How many of them are new, or have changed.
        compared: Tracked runs that were held against their accounting.
        quarantined: Rows and values that were put aside.
    """

    rows: int = 0
    jobs: int = 0
    unfinished: int = 0
    never_started: int = 0
    imported: int = 0
    added: int = 0
    compared: int = 0
    quarantined: int = 0

    def add(self, report: ImportReport) -> None:
        """Add a slice."""
        accounts = report.accounts
        self.rows += accounts.row_count
        self.jobs += len(accounts.jobs)
        self.unfinished += len(accounts.unfinished)
        self.never_started += len(accounts.never_started)
        self.imported += len(report.imported)
        self.added += report.added
        self.compared += len(report.compared)
        self.quarantined += len(accounts.quarantined)


def import_period(store: Store, settings: Settings, host: Host, period: Period, listener: Listener) -> None:
    """Ask sacct for a period, slice after slice, and take each in before the next is asked for.

    Single jobs (``period.jobs``) are one question, whenever they ran.

    Args:
        store: The database.
        settings: The settings in force.
        host: The machine.
        period: Which jobs.
        listener: Is told of each slice.

    Raises:
        ConfigError: There is no sacct here, or something in ``period`` is no job id, or no user.
        GreenAIError: The accounting is turned off, or sacct fails.
        NotATableError: sacct prints something else.
        StoreError: The database refuses.
    """
    now = datetime.fromtimestamp(host.clock.wall_ns() // NS_PER_S)  # noqa: DTZ006  # sacct takes local times
    width_h = slices.WIDTHS_H[0]
    if period.since is None or period.jobs is not None:
        part = Slice(period.since, period.until)
    else:
        part = first_slice(period.since, period.until, now, width_h)
    work = _Import(store, settings, host, period, listener)
    while True:
        width_h = next_width_h(width_h, work.take(part))
        if part.is_last:
            return
        part = next_slice(part, period.until, now, width_h)


class _Import:
    """What one slice hands on to the next."""

    def __init__(self, store: Store, settings: Settings, host: Host, period: Period, listener: Listener) -> None:
        self._store, self._settings, self._host, self._period = store, settings, host, period
        self._listener = listener
        self._site: SiteFacts | None = None
        self._repeats = Repeats()
        self._by_order: set[JobKey] = set()

    def take(self, part: Slice) -> int:
        """Take a slice in; return how many rows it had. All that it held is free afterwards."""
        lines = ask_accounts(self._host, replace(self._period, since=part.since, until=part.until))
        accounts = part.of(read_accounts(lines, self._host.clock.wall_ns() // NS_PER_MS))
        del lines
        accounts.quarantined = self._repeats.left_out(accounts.quarantined)
        if self._site is None:
            self._site = ask_site(self._host, self._settings.cpu_tdp_w)
        report = import_accounts(
            self._store, self._settings, accounts, self._site, self._listener.count, self._by_order
        )
        unsettled = part.unsettled(accounts)
        self._by_order = {key for key in self._by_order if key[:2] in unsettled}
        self._listener.took(report, None if part.is_last else part.until)
        return accounts.row_count
