"""Sums over batch jobs, for administrators: energy, ends, and what nobody knows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from greenai.core.batch_job import claimed_number
from greenai.store import schema as s

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import RowMapping

    from greenai.store.store import Store


class JobLabels(NamedTuple):
    """Whose jobs a sum is of; empty where it is not known, or not asked for."""

    cluster: str
    partition: str
    account: str
    user: str


@dataclass(slots=True)
class JobSum:
    """Jobs of the same labels.

    Attributes:
        energy_j: IT energy by quality (``measured``, ``allocated``, ``estimated``), joules.
        failed_j: Of it, that of attempts that failed or were killed, joules.
        measured_j: Of it, what is no estimate, joules.
        jobs: How many, by how they ended: the state of the last attempt.
        unknown: How many of them nobody knows the energy of.
    """

    energy_j: dict[str, float]
    jobs: dict[str, int]
    failed_j: float = 0.0
    measured_j: float = 0.0
    unknown: int = 0


class JobSums(NamedTuple):
    """All jobs of a database.

    Attributes:
        by_labels: The sums.
        imported_ms: When Slurm's accounting was last imported, epoch milliseconds; None if never.
        last_end_ms: When the last run ended that is in the database.
    """

    by_labels: dict[JobLabels, JobSum]
    imported_ms: int | None
    last_end_ms: int | None


_DID_NOT_DO = frozenset({"failed", "killed"})
# Where nobody knows when the jobs began: longer after a run's end, a run of the same number is another job's.
_LONGEST_PAUSE_MS = 7 * 86_400_000
_AT_ONCE = 1_000  # rows read from the database
# Of a run's column ``slurm``: what its environment said, and its accounting.
_FACTS = ("cluster", "partition", "account", "restart_count", "step_id", "owner")
_ACCOUNTED = ("cluster", "partition", "account", "start_ms", "end_ms")


def job_sums(store: Store, *, by_user: bool) -> JobSums:
    """Return sums over all batch jobs.

    A job that was put back into the queue is one job with the energy of all its attempts; it ended as the last one
    did. A number that comes again is another job: see ``_jobs``. Of an attempt with a run of its own, runs of
    single steps are left out: it contains them.

    Args:
        store: The database.
        by_user: Whether jobs of different users are summed apart.

    Raises:
        StoreError: The database cannot be read.
    """
    facts = [s.run.c.slurm[key].as_string().label(key) for key in _FACTS]
    accounted = [s.run.c.slurm["accounting", key].as_string().label(f"accounted_{key}") for key in _ACCOUNTED]
    columns = (
        s.run.c.slurm_job_id,
        s.run.c.started_ms,
        s.run.c.ended_ms,
        s.run.c.duration_s,
        s.run.c.state,
        s.run.c.total_j,
        s.run.c.measured_share,
        s.run.c.quality,
        s.run.c.user,
    )
    chosen = select(*columns, *facts, *accounted).where(s.run.c.slurm_job_id.is_not(None))
    in_order = chosen.order_by(s.run.c.slurm_job_id, s.run.c.started_ms, s.run.c.id)
    with store.reading() as connection:
        found = connection.execution_options(yield_per=_AT_ONCE).execute(in_order).mappings()
        sums = _sums(found, by_user=by_user)
        imported_ms = connection.execute(select(func.max(s.slurm_job.c.imported_ms))).scalar()
        last_end_ms = connection.execute(select(func.max(s.run.c.ended_ms))).scalar()
    return JobSums(sums, imported_ms, last_end_ms)


def _sums(runs: Iterable[RowMapping], *, by_user: bool) -> dict[JobLabels, JobSum]:
    sums: dict[JobLabels, JobSum] = {}
    for _, of_number in groupby(runs, key=itemgetter("slurm_job_id")):
        by_cluster: dict[str, list[RowMapping]] = {}
        for run in of_number:
            by_cluster.setdefault(str(run["cluster"] or run["accounted_cluster"] or ""), []).append(run)
        for claimed in by_cluster.values():
            for of_user in _by_owner(claimed):
                for attempts in _jobs(of_user):
                    _add(sums, attempts, by_user=by_user)
    return sums


def _by_owner(runs: list[RowMapping]) -> Iterable[list[RowMapping]]:
    """Return the runs of a number by user where it is known whose they are: anybody may claim another's number.

    Elsewhere a user's name is what the environment of each run said, and may differ within a job.
    """
    if not any(run["owner"] for run in runs):
        return [runs]
    found: dict[str, list[RowMapping]] = {}
    for run in runs:
        found.setdefault(str(run["owner"] or run["user"] or ""), []).append(run)
    return found.values()


@dataclass(slots=True)
class _Attempt:
    """Runs of one attempt of a job.

    Attributes:
        restart_count: Its number.
        start: When it began, as Slurm's accounting has it; None if that was not imported.
        end_ms: When the last of its runs that are known so far ended, or the attempt itself.
        runs: The runs, in the order of their begins.
    """

    restart_count: int
    start: str | None
    end_ms: int
    runs: list[RowMapping]

    @classmethod
    def of(cls, run: RowMapping) -> _Attempt:
        """Begin with a run."""
        end_ms = run["ended_ms"]
        if end_ms is None:
            end_ms = run["started_ms"] + int(run["duration_s"] * 1000)
        end_ms = max(end_ms, claimed_number(run["accounted_end_ms"]))
        return cls(claimed_number(run["restart_count"]), run["accounted_start_ms"], end_ms, [run])

    def takes(self, other: _Attempt) -> bool:
        """Say whether a run that began later is of the same attempt, and take it in if so."""
        if other.restart_count != self.restart_count:
            return False
        if self.start is not None and other.start is not None:
            is_same = self.start == other.start
        else:
            is_same = other.runs[0]["started_ms"] <= self.end_ms + _LONGEST_PAUSE_MS
        if is_same:
            self.start = self.start or other.start
            self.end_ms = max(self.end_ms, other.end_ms)
            self.runs += other.runs
        return is_same


def _jobs(runs: Iterable[RowMapping]) -> Iterator[list[_Attempt]]:
    """Tell the jobs of one number apart, each with its attempts: Slurm begins again at the first number some day.

    Attempts are counted up, so a run of the same or a lower count is another job's, unless it is of the same
    attempt. That is told by the attempt's start, as the accounting has it; without it, by the time between them.

    Args:
        runs: Of one cluster and number, oldest first.
    """
    job: list[_Attempt] = []
    for run in runs:
        attempt = _Attempt.of(run)
        if any(known.takes(attempt) for known in reversed(job)):
            continue
        if job and attempt.restart_count <= job[-1].restart_count:
            yield job
            job = []
        job.append(attempt)
    if job:
        yield job


def _labels(run: RowMapping, *, by_user: bool) -> JobLabels:
    cluster, partition, account = (
        str(run[key] or run[f"accounted_{key}"] or "") for key in ("cluster", "partition", "account")
    )
    return JobLabels(cluster, partition, account, str(run["user"] or "") if by_user else "")


def _add(sums: dict[JobLabels, JobSum], attempts: Iterable[_Attempt], *, by_user: bool) -> None:
    """Add a job to the sum of its labels, which are those of its first attempt."""
    counted = [_counted(attempt.runs) for attempt in attempts]
    job_sum = sums.setdefault(_labels(counted[0][0], by_user=by_user), JobSum({}, {}))
    ended = _state(counted[-1])
    job_sum.jobs[ended] = job_sum.jobs.get(ended, 0) + 1
    job_sum.unknown += any(run["total_j"] is None for runs in counted for run in runs)
    for runs in counted:
        in_vain = _state(runs) in _DID_NOT_DO
        for run in runs:
            if run["total_j"] is None:
                continue
            quality, joules = run["quality"] or "unknown", run["total_j"]
            job_sum.energy_j[quality] = job_sum.energy_j.get(quality, 0.0) + joules
            job_sum.measured_j += joules * (run["measured_share"] or 0.0)
            job_sum.failed_j += joules if in_vain else 0.0


def _counted(runs: list[RowMapping]) -> list[RowMapping]:
    return [run for run in runs if not run["step_id"]] or runs


def _state(runs: list[RowMapping]) -> str:
    """Return how an attempt ended: well only if all of it did."""
    return next((run["state"] for run in runs if run["state"] in _DID_NOT_DO), str(runs[0]["state"]))
