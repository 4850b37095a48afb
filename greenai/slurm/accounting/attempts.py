"""Which attempts of a job those are whose number Slurm does not say: before 24.11 they have but an order. Pure.

sacct leaves out attempts that ended before its period. Without them a second attempt would pass for the first, and
take its place in the database. Runs that were tracked know their number; so does what was imported before.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from greenai.core.batch_job import BatchJob

_CLOCKS_DIFFER_MS = 5_000  # less than a requeued job waits for its next attempt
_WAITS_MS = 3_600_000  # longer after an attempt's end, another one is another job of that number


class KnownAttempt(NamedTuple):
    """An attempt with its number.

    Attributes:
        cluster: Name of the cluster; None if that is not known.
        job_id: Its job.
        restart_count: Its number.
        start_ms: When it, or a run in it, began; epoch milliseconds.
        end_ms: When it ended; None of a run.
    """

    cluster: str | None
    job_id: str
    restart_count: int
    start_ms: int
    end_ms: int | None = None


def numbered(
    jobs: Sequence[BatchJob],
    ordered: frozenset[tuple[str, str]],
    tracked: Iterable[KnownAttempt],
    stored: Iterable[KnownAttempt],
) -> list[BatchJob]:
    """Return attempts with their restart counts.

    Args:
        jobs: The attempts.
        ordered: Cluster and id of the jobs whose attempts have none but their order, from 0.
        tracked: Runs that know which attempt they are of.
        stored: Attempts that were imported before.
    """
    runs, before = _by_job_id(tracked), _by_job_id(stored)
    attempts: dict[tuple[str, str], list[BatchJob]] = defaultdict(list)
    for job in jobs:
        attempts[job.cluster, job.job_id].append(job)
    shifts: dict[tuple[str, str], int] = defaultdict(int)
    for key in ordered & attempts.keys():
        shifts[key] = _shift(attempts[key], runs.get(key[1], ()), before.get(key[1], ()))
    return [replace(job, restart_count=job.restart_count + shifts[job.cluster, job.job_id]) for job in jobs]


def _by_job_id(known: Iterable[KnownAttempt]) -> dict[str, list[KnownAttempt]]:
    found: dict[str, list[KnownAttempt]] = defaultdict(list)
    for one in known:
        found[one.job_id].append(one)
    return found


def _shift(attempts: Sequence[BatchJob], runs: Iterable[KnownAttempt], before: Iterable[KnownAttempt]) -> int:
    """Return how many attempts there were before these: by a run in one of them, else by what was imported."""
    by_runs = [
        run.restart_count - job.restart_count
        for run in runs
        for job in attempts
        if run.cluster in (None, job.cluster) and _holds(job, run.start_ms)
    ]
    if by_runs:
        return max(0, *by_runs)
    by_imports = [
        one.restart_count + (one.start_ms != job.start_ms) - job.restart_count
        for one in before
        for job in attempts
        if one.cluster == job.cluster and (one.start_ms == job.start_ms or _follows(job, one))
    ]
    return max(0, *by_imports) if by_imports else 0


def _holds(job: BatchJob, moment_ms: int) -> bool:
    begin_ms = moment_ms if job.start_ms is None else job.start_ms
    end_ms = moment_ms if job.end_ms is None else job.end_ms
    return begin_ms - _CLOCKS_DIFFER_MS <= moment_ms <= end_ms + _CLOCKS_DIFFER_MS


def _follows(job: BatchJob, one: KnownAttempt) -> bool:
    """Say whether a job was put back into the queue when another attempt of its number had ended."""
    if one.end_ms is None or job.submit_ms is None or job.start_ms is None:
        return False
    return one.start_ms < job.start_ms and 0 <= job.submit_ms - one.end_ms + _CLOCKS_DIFFER_MS <= _WAITS_MS
