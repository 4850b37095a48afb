"""Takes accounting into the database: jobs, runs of those that nobody tracked, and what was tracked beside it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import starmap
from typing import TYPE_CHECKING

from greenai.carbon.footprint import with_footprint
from greenai.slurm.accounting.attempts import KnownAttempt, numbered
from greenai.slurm.accounting.findings import Finding, failed, over_allocated
from greenai.slurm.accounting.reconcile import Comparison, compare
from greenai.slurm.accounting.run import imported_run
from greenai.store import jobs as stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.batch_job import BatchJob
    from greenai.core.record import RunRecord
    from greenai.settings import Settings
    from greenai.slurm.accounting.jobs import Accounts
    from greenai.slurm.accounting.run import SiteFacts
    from greenai.store import Store


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import found.

    Attributes:
        accounts: What was read, with what was put aside.
        imported: Runs made of jobs that nobody tracked, with their emissions; those known already included.
        added: How many of them are new, or have changed.
        compared: Tracked runs beside their accounting.
        failed: Jobs that did not end well.
        over_allocated: Jobs that were given more than they used.
    """

    accounts: Accounts
    imported: tuple[RunRecord, ...]
    added: int
    compared: tuple[Comparison, ...]
    failed: tuple[Finding, ...]
    over_allocated: tuple[Finding, ...]


def import_accounts(store: Store, settings: Settings, accounts: Accounts, site: SiteFacts) -> ImportReport:
    """Take accounting in. May be repeated at will: nothing is counted twice, and no tracked run is replaced.

    Raises:
        StoreError: The database refuses.
    """
    leaders = {job.het_job_id for job in accounts.jobs if job.het_job_id is not None}
    runs = stored.tracked_runs(store, {job.job_id for job in accounts.jobs} | leaders)
    jobs = numbered(
        accounts.jobs,
        frozenset(accounts.ordered),
        [attempt for run in runs if (attempt := _attempt_of(run)) is not None],
        starmap(KnownAttempt, stored.attempts(store, {job_id for _, job_id in accounts.ordered})),
    )
    stored.save_jobs(store, jobs)
    tracked = _by_job_id(runs)
    untracked = [job for job in jobs if not _runs_of(tracked, job)]
    imported, added = _import(store, settings, untracked, site)
    compared: list[Comparison] = []
    energies_j = {job.key: record.energy_j for job, record in zip(untracked, imported, strict=True)}
    for job in jobs:
        own = [record for record in _runs_of(tracked, job) if stored.belongs(record, job)]  # or its leader's
        for record in own:
            accounted = stored.put_accounting(store, record, job)
            stored.remove_imported(store, accounted)
            compared.append(compare(accounted, [job, *_other_parts(job, jobs)], site))
        if own:
            energies_j[job.key] = _energy_j(own)
    return ImportReport(
        accounts=accounts,
        imported=tuple(imported),
        added=added,
        compared=tuple(compared),
        failed=tuple(Finding(job, energies_j.get(job.key), ()) for job in jobs if failed(job)),
        over_allocated=tuple(
            Finding(job, energies_j.get(job.key), reasons) for job in jobs if (reasons := over_allocated(job))
        ),
    )


def _import(
    store: Store, settings: Settings, jobs: Sequence[BatchJob], site: SiteFacts
) -> tuple[list[RunRecord], int]:
    known = stored.digests(store, [job.imported_run_id for job in jobs])
    records: list[RunRecord] = []
    added = 0
    for job in jobs:
        record, channels = imported_run(job, site)
        record = with_footprint(record, settings)
        records.append(record)
        if known.get(record.id) != record.journal.sha256:
            store.save(record, [(channel, ()) for channel in channels])
            added += 1
    return records, added


def _attempt_of(run: RunRecord) -> KnownAttempt | None:
    facts = run.slurm or {}
    count = facts.get("restart_count", "0")
    if "job_id" not in facts or not count.isdecimal():
        return None
    return KnownAttempt(facts.get("cluster"), facts["job_id"], int(count), run.started_ms)


def _by_job_id(records: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    found: dict[str, list[RunRecord]] = {}
    for record in records:
        found.setdefault((record.slurm or {}).get("job_id", ""), []).append(record)
    return found


def _runs_of(tracked: dict[str, list[RunRecord]], job: BatchJob) -> list[RunRecord]:
    """Return the tracked runs that a job's energy is in: its own, or that of the whole heterogeneous job."""
    own = [record for record in tracked.get(job.job_id, []) if stored.belongs(record, job)]
    if own or job.het_job_id in (None, job.job_id):
        return own
    return [record for record in tracked.get(job.het_job_id or "", []) if stored.is_of_attempt(record, job)]


def _other_parts(job: BatchJob, jobs: Sequence[BatchJob]) -> list[BatchJob]:
    if job.het_job_id is None:
        return []
    same = (job.cluster, job.het_job_id, job.restart_count)
    return [
        other
        for other in jobs
        if (other.cluster, other.het_job_id, other.restart_count) == same and other.job_id != job.job_id
    ]


def _energy_j(runs: Sequence[RunRecord]) -> float | None:
    """Return what a job took by its runs; those of single steps are in that of the whole job, if it has one."""
    whole = [run for run in runs if "step_id" not in (run.slurm or {})]
    known = [run.energy_j for run in whole or runs if run.energy_j is not None]
    return sum(known) if len(known) == len(whole or runs) else None
