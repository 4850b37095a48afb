"""Sums over batch jobs, for administrators: energy, ends, and what nobody knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from greenai.store import schema as s

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        failed_j: Of it, that of jobs that failed or were killed, joules.
        measured_j: Of it, what is no estimate, joules.
        jobs: How many, by state of the run.
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


def job_sums(store: Store, *, by_user: bool) -> JobSums:
    """Return sums over all batch jobs.

    Of a job with a run of its own, runs of single steps are left out: it contains them.

    Args:
        store: The database.
        by_user: Whether jobs of different users are summed apart.

    Raises:
        StoreError: The database cannot be read.
    """
    columns = (
        s.run.c.slurm,
        s.run.c.state,
        s.run.c.total_j,
        s.run.c.measured_share,
        s.run.c.quality,
        s.run.c.user,
    )
    with store.reading() as connection:
        found = connection.execute(select(*columns).where(s.run.c.slurm_job_id.is_not(None))).mappings()
        sums = _sums(found, by_user=by_user)
        imported_ms = connection.execute(select(func.max(s.slurm_job.c.imported_ms))).scalar()
        last_end_ms = connection.execute(select(func.max(s.run.c.ended_ms))).scalar()
    return JobSums(sums, imported_ms, last_end_ms)


def _sums(runs: Iterable[RowMapping], *, by_user: bool) -> dict[JobLabels, JobSum]:
    jobs: dict[tuple[str, ...], list[RowMapping]] = {}
    for run in runs:
        job = tuple(str(run["slurm"].get(key) or "") for key in ("cluster", "job_id", "restart_count"))
        jobs.setdefault(job, []).append(run)
    sums: dict[JobLabels, JobSum] = {}
    for claimed in jobs.values():
        for of_job in _by_owner(claimed):
            counted = [run for run in of_job if not run["slurm"].get("step_id")] or of_job
            _add(sums.setdefault(_labels(counted[0], by_user=by_user), JobSum({}, {})), counted)
    return sums


def _by_owner(runs: list[RowMapping]) -> Iterable[list[RowMapping]]:
    """Return the runs of a job by user where it is known whose they are: anybody may claim another's number.

    Elsewhere a user's name is what the environment of each run said, and may differ within a job.
    """
    if not any(run["slurm"].get("owner") for run in runs):
        return [runs]
    found: dict[str, list[RowMapping]] = {}
    for run in runs:
        found.setdefault(str(run["slurm"].get("owner") or run["user"] or ""), []).append(run)
    return found.values()


def _labels(run: RowMapping, *, by_user: bool) -> JobLabels:
    facts = run["slurm"]
    accounting = facts.get("accounting") or {}
    cluster, partition, account = (
        str(facts.get(key) or accounting.get(key) or "") for key in ("cluster", "partition", "account")
    )
    return JobLabels(cluster, partition, account, str(run["user"] or "") if by_user else "")


def _add(job_sum: JobSum, runs: Iterable[RowMapping]) -> None:
    runs = list(runs)
    state = next((run["state"] for run in runs if run["state"] in _DID_NOT_DO), runs[0]["state"])
    job_sum.jobs[state] = job_sum.jobs.get(state, 0) + 1
    job_sum.unknown += any(run["total_j"] is None for run in runs)
    for run in runs:
        if run["total_j"] is None:
            continue
        quality, joules = run["quality"] or "unknown", run["total_j"]
        job_sum.energy_j[quality] = job_sum.energy_j.get(quality, 0.0) + joules
        job_sum.measured_j += joules * (run["measured_share"] or 0.0)
        job_sum.failed_j += joules if state in _DID_NOT_DO else 0.0
