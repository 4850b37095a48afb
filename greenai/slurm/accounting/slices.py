"""A long period cut into slices, one question to sacct each. Pure, but for this machine's time zone.

sacct shows a job in each slice in which it was in any state: where it was eligible before the slice's end, and did
not end before its begin (so read from Slurm 22.05, both bounds tried to the second). A job belongs to the slice in
which it ended, and to the last one while it goes on: so each is counted once, and none is left out.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenai.core.batch_job import BatchJob
    from greenai.slurm.accounting.jobs import Accounts
    from greenai.slurm.accounting.table import Quarantined

WIDTHS_H = (24, 12, 6, 3, 1)
"""How long a slice may be, hours; the first slice has the first."""

MOST_ROWS = 100_000
"""After a slice with more rows the next is narrower: 25,000 jobs of four rows are 200 MB."""

_REQUEUED_WITHIN_MS = 3_600_000  # Slurm: AuthInfo=cred_expire, two minutes if not set
_SETTLED = timedelta(hours=1)  # nothing that ended this long ago is unknown to slurmdbd, unless it was away


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a period.

    Attributes:
        since: Begin, in the cluster's time; None for whatever sacct takes.
        until: End; of the last slice that of the whole period, None for now.
        begin_ms: What ended before belongs to an earlier slice; epoch milliseconds, -inf in the first.
        end_ms: What ended then or later belongs to a later slice; inf in the last.
    """

    since: datetime | None
    until: datetime | None
    begin_ms: float = -math.inf
    end_ms: float = math.inf

    @property
    def is_last(self) -> bool:
        """Whether nothing comes after it."""
        return self.end_ms == math.inf

    def has(self, job: BatchJob) -> bool:
        """Say whether an attempt is counted here."""
        if job.end_ms is None:
            return self.is_last
        return self.begin_ms <= job.end_ms < self.end_ms

    def unsettled(self, accounts: Accounts) -> set[tuple[str, str]]:
        """Return cluster and id of the jobs of which a later slice may have another attempt.

        sacct shows one that waits; it waits at once, or as soon as Slurm lets the job begin again.

        Args:
            accounts: See ``of``.
        """
        late = [job for job in accounts.jobs if (job.end_ms or math.inf) >= self.end_ms - _REQUEUED_WITHIN_MS]
        return {(job.cluster, job.job_id) for job in (*late, *accounts.others)}

    def of(self, accounts: Accounts) -> Accounts:
        """Return of what sacct showed that which is counted here; the rest stands in ``others``."""
        jobs = [job for job in accounts.jobs if self.has(job)]
        shown = {(job.cluster, job.job_id) for job in jobs}
        return replace(
            accounts,
            jobs=jobs,
            unfinished=[job for job in accounts.unfinished if self.has(job)],
            never_started=[job for job in accounts.never_started if self.has(job)],
            ordered=accounts.ordered & shown,
            others=[job for job in (*accounts.jobs, *accounts.unfinished) if not self.has(job)],
        )


def first_slice(since: datetime, until: datetime | None, now: datetime, width_h: int) -> Slice:
    """Return the first slice of a period.

    Args:
        since: Begin, local time.
        until: End; None for now.
        now: Local time.
        width_h: How long it may be, hours.
    """
    return _slice(since, -math.inf, until, now, width_h)


def next_slice(last: Slice, until: datetime | None, now: datetime, width_h: int) -> Slice:
    """Return the slice after one that is not the last; see ``first_slice``."""
    if last.until is None:
        raise ValueError("there is none after the last")
    return _slice(last.until, last.end_ms, until, now, width_h)


def next_width_h(width_h: int, row_count: int) -> int:
    """Return how long the next slice may be, hours, after one with so many rows."""
    place = WIDTHS_H.index(width_h)
    if row_count > MOST_ROWS:
        return WIDTHS_H[min(place + 1, len(WIDTHS_H) - 1)]
    if row_count < MOST_ROWS / 4:
        return WIDTHS_H[max(place - 1, 0)]
    return width_h


def _slice(begin: datetime, begin_ms: float, until: datetime | None, now: datetime, width_h: int) -> Slice:
    # All that goes on now ends after the last cut, whenever each slice is asked for: it is in the last slice then.
    latest = (now if until is None else min(now, until)) - _SETTLED
    cut = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    while cut <= begin or not _is_one_moment(cut):
        cut += timedelta(hours=width_h)
    if cut > latest:
        return Slice(begin, until, begin_ms)
    return Slice(begin, cut, begin_ms, cut.timestamp() * 1000)


def _is_one_moment(local: datetime) -> bool:
    """Say whether a local time comes once: no hour that is skipped or comes twice when the clock is changed."""
    return local.timestamp() == local.replace(fold=1).timestamp()


class Repeats:
    """Tells what was put aside for the first time from what the slice before had shown already."""

    def __init__(self) -> None:
        self._before: Counter[tuple[str, str]] = Counter()

    def left_out(self, found: list[Quarantined]) -> list[Quarantined]:
        """Return what the slice before did not show; a row is shown in slices that follow each other only."""
        before, self._before = self._before, Counter()
        new = []
        for one in found:
            key = (one.job or one.what, str(one.reason))
            self._before[key] += 1
            if self._before[key] > before[key]:
                new.append(one)
        return new
