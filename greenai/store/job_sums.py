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
_WHOLE = ""  # in place of a step's id


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
    jobs: dict[tuple[str, ...], dict[str, list[RowMapping]]] = {}
    for run in runs:
        facts = run["slurm"]
        job = tuple(str(facts.get(key) or "") for key in ("cluster", "job_id", "restart_count"))
        step = str(facts.get("step_id") or _WHOLE)
        jobs.setdefault(job, {}).setdefault(step, []).append(run)
    sums: dict[JobLabels, JobSum] = {}
    for steps in jobs.values():
        counted = steps.get(_WHOLE) or [run for of_step in steps.values() for run in of_step]
        _add(sums.setdefault(_labels(counted[0], by_user=by_user), JobSum({}, {})), counted)
    return sums


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
