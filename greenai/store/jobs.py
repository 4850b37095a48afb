"""Batch jobs in the database: what Slurm's accounting says, and which runs belong to them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, tuple_, update

from greenai.core.accounting import with_accounting
from greenai.core.batch_job import BatchJob, claimed_number
from greenai.core.file_owner import FileOwner
from greenai.store import query as q
from greenai.store import rows
from greenai.store import schema as s

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from greenai.core.record import RunRecord
    from greenai.store.store import Store

_MOST_PARTS = 128  # slurm.h: MAX_HET_JOB_COMPS
_BATCH = 200
_CLOCKS_DIFFER_MS = 600_000  # munge, and so Slurm, lets clocks differ by 300 s


def save_jobs(store: Store, jobs: Iterable[BatchJob]) -> None:
    """Write jobs that began, replacing what was known of them.

    Raises:
        StoreError: The database refuses.
    """
    imported_ms = time.time_ns() // 1_000_000
    key = tuple_(s.slurm_job.c.cluster, s.slurm_job.c.job_id, s.slurm_job.c.started_ms)
    for batch in _batches(jobs):
        with store.writing() as connection:
            connection.execute(delete(s.slurm_job).where(key.in_([job.key for job in batch])))
            connection.execute(insert(s.slurm_job), [_values(job, imported_ms) for job in batch])


def job_of(store: Store, record: RunRecord) -> BatchJob | None:
    """Return the stored attempt of the job that a run belongs to; None if there is none, or no telling which.

    Raises:
        StoreError: The database cannot be read.
    """
    job_id = rows.slurm_job_id(record.slurm)
    if job_id is None:
        return None
    with store.reading() as connection:
        found = connection.execute(select(s.slurm_job.c.job).where(s.slurm_job.c.job_id == job_id)).scalars()
        jobs = [BatchJob.from_json(job) for job in found]
    fitting = [job for job in jobs if belongs(record, job)] or _counted_too_low(record, jobs)
    return fitting[0] if len(fitting) == 1 else None


def _counted_too_low(record: RunRecord, jobs: Iterable[BatchJob]) -> list[BatchJob]:
    """Return the attempts in whose time a run began that knows of attempts before them, its count put on them."""
    count = claimed_number((record.slurm or {}).get("restart_count"))
    lower = [job for job in jobs if job.restart_count < count]
    counted = [replace(job, restart_count=count) for job in lower if job.ran_at(record.started_ms)]
    return [job for job in counted if belongs(record, job)]


def stored_jobs(store: Store, job_ids: Iterable[str]) -> list[BatchJob]:
    """Return the stored attempts of all jobs with these numbers.

    Raises:
        StoreError: The database cannot be read.
    """
    found: list[BatchJob] = []
    for batch in _batches(sorted(set(job_ids))):
        with store.reading() as connection:
            of_jobs = select(s.slurm_job.c.job).where(s.slurm_job.c.job_id.in_(batch))
            found += map(BatchJob.from_json, connection.execute(of_jobs).scalars())
    return found


def belongs(record: RunRecord, job: BatchJob) -> bool:
    """Say whether a run is of this attempt of this job; a run that names no cluster is of any.

    The run of a heterogeneous job names its leader, whose attempt it is. Clusters count their jobs from 1 again
    some day, so the run must have begun while the job ran.
    """
    return (record.slurm or {}).get("job_id") == job.job_id and is_of_attempt(record, job)


def is_of_attempt(record: RunRecord, job: BatchJob) -> bool:
    """Say whether a run is of the same cluster, attempt, time and user as a job, whatever their numbers."""
    facts = record.slurm or {}
    owner = FileOwner.of(facts)
    if owner is not None and job.user and owner.is_user(job.user) is False:
        return False  # anybody may claim the number of another's job
    same_cluster = facts.get("cluster", job.cluster) == job.cluster
    same_attempt = facts.get("restart_count", "0") == str(job.restart_count)
    begin_ms = (job.start_ms if job.start_ms is not None else record.started_ms) - _CLOCKS_DIFFER_MS
    end_ms = (job.end_ms if job.end_ms is not None else record.started_ms) + _CLOCKS_DIFFER_MS
    return same_cluster and same_attempt and begin_ms <= record.started_ms <= end_ms


def tracked_runs(store: Store, job_ids: Iterable[str]) -> list[RunRecord]:
    """Return the runs that were tracked in any of these jobs; imported ones are left out.

    Raises:
        StoreError: The database cannot be read.
    """
    found: list[RunRecord] = []
    for batch in _batches(sorted(set(job_ids))):
        with store.reading() as connection:
            of_jobs = select(s.run).where(s.run.c.slurm_job_id.in_(batch)).order_by(s.run.c.started_ms, s.run.c.id)
            records = q.records(connection, connection.execute(of_jobs).mappings().all())
        found += [record for record in records if not is_imported(record)]
    return found


def digests(store: Store, run_ids: Iterable[str]) -> dict[str, str]:
    """Return, for each of these runs that is stored, the digest of what it was computed from.

    Raises:
        StoreError: The database cannot be read.
    """
    found: dict[str, str] = {}
    for batch in _batches(run_ids):
        with store.reading() as connection:
            rows_found = connection.execute(
                select(s.run.c.id, s.run.c.journal_sha256).where(s.run.c.id.in_(batch))
            )
            found.update((row[0], row[1]) for row in rows_found)
    return found


def put_accounting(store: Store, record: RunRecord, job: BatchJob) -> RunRecord:
    """Put the accounting on a stored run, and return it; its readings are not touched.

    Raises:
        StoreError: The database refuses.
    """
    accounted = with_accounting(record, job)
    if accounted == record:
        return record
    values = {
        "state": accounted.state.value,
        "exit_code": accounted.exit_code,
        "ended_ms": accounted.ended_ms,
        "slurm": rows.slurm_value(accounted),
    }
    known = len(record.incidents)
    added = [
        {"run_id": record.id, "ordinal": ordinal, **rows.incident_values(incident)}
        for ordinal, incident in enumerate(accounted.incidents[known:], known)
    ]
    with store.writing() as connection:
        connection.execute(update(s.run).where(s.run.c.id == record.id).values(values))
        if added:
            of_run = (s.incident.c.run_id == record.id) & (s.incident.c.ordinal >= known)
            connection.execute(delete(s.incident).where(of_run))
            connection.execute(insert(s.incident), added)
    return accounted


def accounted(store: Store, record: RunRecord) -> RunRecord:
    """Return a run that is about to be saved with what the stored accounting says of its job.

    Raises:
        StoreError: The database cannot be read.
    """
    job = job_of(store, record)
    return record if job is None else with_accounting(record, job)


def remove_imported(store: Store, record: RunRecord) -> None:
    """Remove the runs that were imported for the job of a tracked run: no job is counted twice.

    Raises:
        StoreError: The database refuses.
    """
    if record.accounting is None or is_imported(record):
        return
    with store.writing() as connection:
        ids = [record.accounting.imported_run_id, *_components(connection, record.accounting)]
        connection.execute(delete(s.run).where(s.run.c.id.in_(ids)))


def stored_parts(store: Store, job: BatchJob) -> list[BatchJob]:
    """Return the stored parts of the attempt of a heterogeneous job, itself included; of another job none.

    Raises:
        StoreError: The database cannot be read.
    """
    with store.reading() as connection:
        return _parts(connection, job)


def _components(connection: Connection, job: BatchJob) -> list[str]:
    """Return the runs imported for the other parts of a heterogeneous job: the tracked run spans them all."""
    return [part.imported_run_id for part in _parts(connection, job)]


def _parts(connection: Connection, job: BatchJob) -> list[BatchJob]:
    if job.het_job_id is None:
        return []
    # The parts of such a job have numbers one after the other.
    numbers = [str(int(job.het_job_id) + offset) for offset in range(_MOST_PARTS)]
    of_cluster = (s.slurm_job.c.cluster == job.cluster) & s.slurm_job.c.job_id.in_(numbers)
    parts = map(BatchJob.from_json, connection.execute(select(s.slurm_job.c.job).where(of_cluster)).scalars())
    return [part for part in parts if job.is_beside(part)]


def is_imported(record: RunRecord) -> bool:
    """Say whether a run was made of the accounting, and not tracked."""
    return record.accounting is not None and record.id == record.accounting.imported_run_id


def _values(job: BatchJob, imported_ms: int) -> dict[str, Any]:
    return {
        "cluster": job.cluster,
        "job_id": job.job_id,
        "restart_count": job.restart_count,
        "state": job.state,
        "user": job.user,
        "started_ms": job.start_ms,
        "imported_ms": imported_ms,
        "job": job.to_json(),
    }


def _batches(items: Iterable[Any]) -> Iterator[Sequence[Any]]:
    every = list(items)
    for start in range(0, len(every), _BATCH):
        yield every[start : start + _BATCH]
