"""From sacct's rows to attempts of jobs. Pure; what cannot be believed is put aside with the reason."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from greenai.core.text import Text
from greenai.slurm.accounting import values as v
from greenai.slurm.accounting.attempts import numbered
from greenai.slurm.accounting.job_rows import (
    ROUNDING_MS,
    RowReader,
    UnfitRowError,
    put_aside,
    read_job,
    read_step,
    shown,
)
from greenai.slurm.accounting.table import RESTARTS, Quarantined, rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from greenai.core.batch_job import BatchJob, BatchStep

_ID = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}|[a-z_]{1,20}))?")
_LONGEST_CLUSTER = 40  # slurmdbd allows no more
_CLOCKS_DIFFER_MS = 86_400_000  # a day: times without a zone may be another zone's

_NO_ID = Text(de="JobIDRaw „{value}“ ist keine Jobnummer", en='JobIDRaw "{value}" is no job id')
_NO_CLUSTER = Text(de="ohne brauchbaren Namen des Clusters", en="without a usable name of the cluster")
_DUPLICATE = Text(de="doppelt", en="duplicate")
_ORPHAN = Text(de="Schritt eines Jobs, dessen Zeile fehlt", en="step of a job whose row is missing")


@dataclass(slots=True)
class Accounts:
    """What the accounting says.

    Attributes:
        jobs: Attempts that are over and ran on some node, in the order of the rows.
        unfinished: Attempts that go on (pending, running, suspended).
        never_started: Attempts that ended before they began.
        quarantined: Rows and values that were put aside.
        row_count: How many rows were read.
        ordered: Cluster and id of the jobs whose attempts are numbered by nothing but their order.
        others: Attempts that are counted in another slice of the period.
    """

    jobs: list[BatchJob] = field(default_factory=list)
    unfinished: list[BatchJob] = field(default_factory=list)
    never_started: list[BatchJob] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    row_count: int = 0
    ordered: set[tuple[str, str]] = field(default_factory=set)
    others: list[BatchJob] = field(default_factory=list)


@dataclass(slots=True)
class _Attempt:
    job: BatchJob
    has_number: bool
    steps: dict[str, BatchStep] = field(default_factory=dict)

    @property
    def start_ms(self) -> int | None:
        """What it is known by; of one that never began, its submission."""
        return self.job.start_ms if self.job.start_ms is not None else self.job.submit_ms

    def had(self, start_ms: int) -> bool:
        """Say whether a step that began then was one of its steps, if no later attempt had begun."""
        began_ms = self.job.start_ms
        return began_ms is not None and began_ms <= start_ms + ROUNDING_MS and self.job.ran_at(start_ms)


@dataclass(frozen=True, slots=True)
class _StepRow:
    """A step until its attempt is known: the row itself would take several times the memory.

    Attributes:
        line: Number of its row.
        shown: The row as people are shown it.
        step: The step.
        after: The attempt whose row came before; None if that was put aside.
    """

    line: int
    shown: str
    step: BatchStep
    after: _Attempt | None

    def put_aside(self, reason: Text) -> Quarantined:
        """Say that it is of no use."""
        return Quarantined(self.line, self.shown, reason)


def read_accounts(lines: Iterable[str], now_ms: int | None = None) -> Accounts:
    """Read what ``sacct -D -P`` printed, the names of the columns included.

    Args:
        lines: The lines.
        now_ms: The time, epoch milliseconds: what ended later than it can be is put aside. None if it is unknown.

    Raises:
        NotATableError: The first line names no columns, or lacks some.
    """
    found = Accounts()
    attempts = _Attempts()
    for row in rows(lines):
        found.row_count += 1
        if isinstance(row, Quarantined):
            found.quarantined.append(row)
            continue
        reader = RowReader(row, math.inf if now_ms is None else now_ms + _CLOCKS_DIFFER_MS)
        try:
            attempts.take(reader)
        except UnfitRowError as error:
            found.quarantined.append(put_aside(row, error.reason))
        else:
            found.quarantined += reader.left_out
    found.quarantined += attempts.steps_put_aside()
    found.quarantined.sort(key=lambda one: one.line)
    for key, same in attempts.by_job.items():
        if not all(attempt.has_number for attempt in same):
            found.ordered.add(key)
        for attempt in sorted(same, key=lambda attempt: attempt.start_ms or 0):
            job = replace(attempt.job, steps=tuple(attempt.steps.values()))
            if not job.is_final:
                found.unfinished.append(job)
            elif job.start_ms is None or not job.nodes:
                found.never_started.append(job)
            else:
                found.jobs.append(job)
    found.jobs = numbered(found.jobs, found.ordered)
    return found


class _Attempts:
    """The attempts of all jobs, whatever the order of the rows."""

    def __init__(self) -> None:
        self.by_job: dict[tuple[str, str], list[_Attempt]] = {}
        self._steps: dict[tuple[str, str], list[_StepRow]] = {}
        self._last: dict[tuple[str, str], _Attempt | None] = {}  # of each job; None if its row was put aside

    def take(self, reader: RowReader) -> None:
        """Take a row in.

        Raises:
            UnfitRowError: It is to be put aside.
        """
        cluster = reader.text("Cluster")
        match = _ID.fullmatch(reader.text("JobIDRaw"))
        if match is None:
            raise UnfitRowError(_NO_ID.format(value=reader.text("JobIDRaw")[:40]))
        if not 0 < len(cluster) <= _LONGEST_CLUSTER:
            raise UnfitRowError(_NO_CLUSTER)
        key = (cluster, match[1])
        if match[2] is not None:
            step = read_step(reader, match[2])
            row = _StepRow(reader.row.line, shown(reader.row), step, self._last.get(key))
            self._steps.setdefault(key, []).append(row)
            return
        self._last[key] = None
        restarts = reader.optional(RESTARTS, v.count)
        attempt = _Attempt(replace(read_job(reader, *key), restart_count=restarts or 0), restarts is not None)
        known = self.by_job.setdefault(key, [])
        self._last[key] = next((other for other in known if other.start_ms == attempt.start_ms), None)
        if self._last[key] is not None:
            raise UnfitRowError(_DUPLICATE)
        self._last[key] = attempt
        known.append(attempt)

    def steps_put_aside(self) -> list[Quarantined]:
        """Give the steps to the attempts in whose time they lie; return those that are of none, or there twice."""
        found = []
        for key, steps in self._steps.items():
            latest_first = sorted(self.by_job.get(key, ()), key=lambda one: one.start_ms or 0, reverse=True)
            for one in steps:
                began_ms = one.step.start_ms
                its = (each for each in latest_first if began_ms is not None and each.had(began_ms))
                attempt = one.after if began_ms is None else next(its, None)
                if attempt is None:
                    found.append(one.put_aside(_ORPHAN))
                elif one.step.id in attempt.steps:
                    found.append(one.put_aside(_DUPLICATE))
                else:
                    attempt.steps[one.step.id] = one.step
        return found
