"""Which attempts of a job those are whose number Slurm does not say: before 24.11 they have but an order. Pure.

sacct leaves out attempts that ended before its period, so the order of those it shows does not say how many there
were before. Runs that were tracked know their number; so does what was imported earlier. A number is no identity:
an attempt is known by its start (``BatchJob.key``), and may get another number when more is known.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from greenai.core.batch_job import BatchJob

_ROUNDING_MS = 5_000  # a job is put back into the queue when its attempt ends, to the second or so
_WAITS_MS = 3_600_000  # longer after an attempt's end, another one is another job of that number


JobKey = tuple[str, str, int | None]
"""What an attempt is known by, see ``BatchJob.key``."""


class TrackedAttempt(NamedTuple):
    """A run that knows which attempt it is of.

    Attributes:
        cluster: Name of the cluster; None if that is not known.
        job_id: Its job; of a heterogeneous one, the leader.
        restart_count: The attempt's number.
        start_ms: When the run began, epoch milliseconds.
    """

    cluster: str | None
    job_id: str
    restart_count: int
    start_ms: int


def numbered(
    jobs: Sequence[BatchJob],
    ordered: Iterable[tuple[str, str]],
    tracked: Iterable[TrackedAttempt] = (),
    stored: Iterable[BatchJob] = (),
    by_order: Container[JobKey] = (),
) -> list[BatchJob]:
    """Return attempts with their restart counts; after them the stored ones that get another by them.

    Args:
        jobs: The attempts.
        ordered: Cluster and id of the jobs whose attempts have no number but by their order.
        tracked: Runs that know which attempt they are of.
        stored: Attempts that were imported before.
        by_order: Which of these have their number but from their order, as far as it was known then.
    """
    read, before = _by_job(jobs), _by_job(stored)
    runs: dict[str, list[TrackedAttempt]] = defaultdict(list)
    for run in tracked:
        runs[run.job_id].append(run)
    counts: dict[JobKey, int] = {}
    for pair in read.keys() & set(ordered):
        earlier = {job.key: job for job in before.get(pair, ())}
        every = {**earlier, **{job.key: job for job in read[pair]}}
        for attempts in _apart(sorted(every.values(), key=lambda job: job.start_ms or 0)):
            sure = {key: job for key, job in earlier.items() if key not in by_order}
            known = [_known(job, runs.get(job.het_job_id or job.job_id, ()), sure) for job in attempts]
            counts.update(zip((job.key for job in attempts), _counts(known), strict=True))
    shown = {job.key for job in jobs}
    others = [job for pair in read for job in before.get(pair, ()) if job.key not in shown]
    changed = [job for job in others if counts.get(job.key, job.restart_count) != job.restart_count]
    return [replace(job, restart_count=counts.get(job.key, job.restart_count)) for job in (*jobs, *changed)]


def _by_job(jobs: Iterable[BatchJob]) -> dict[tuple[str, str], list[BatchJob]]:
    found: dict[tuple[str, str], list[BatchJob]] = defaultdict(list)
    for job in jobs:
        found[job.cluster, job.job_id].append(job)
    return dict(found)


def _apart(jobs: Sequence[BatchJob]) -> Iterator[list[BatchJob]]:
    """Tell the attempts of one job from those of another that got its number later."""
    if not jobs:
        return
    attempts = [jobs[0]]
    for one, next_one in pairwise(jobs):
        if not _follows(next_one, one):
            yield attempts
            attempts = []
        attempts.append(next_one)
    yield attempts


def _follows(job: BatchJob, one: BatchJob) -> bool:
    """Say whether a job was put back into the queue when another attempt of its number had ended."""
    if None not in (job.user, one.user) and job.user != one.user:
        return False
    if job.submit_ms is not None and job.submit_ms == one.submit_ms:
        return True
    queued_ms = job.submit_ms if job.submit_ms is not None else job.start_ms
    if one.end_ms is None or queued_ms is None:
        return False
    return 0 <= queued_ms - one.end_ms + _ROUNDING_MS <= _WAITS_MS


def _known(job: BatchJob, runs: Iterable[TrackedAttempt], earlier: dict[JobKey, BatchJob]) -> int | None:
    """Return the number of an attempt by a run in it, else by what was imported."""
    by_runs = [r.restart_count for r in runs if r.cluster in (None, job.cluster) and job.ran_at(r.start_ms)]
    if by_runs:
        return max(by_runs)
    return earlier[job.key].restart_count if job.key in earlier else None


def _counts(known: Sequence[int | None]) -> Iterator[int]:
    """Number the attempts of one job: those that are known as they are, unless they were counted too low."""
    first = next((count - place for place, count in enumerate(known) if count is not None), 0)
    least = max(first, 0)
    for count in known:
        number = least if count is None else max(count, least)
        yield number
        least = number + 1
