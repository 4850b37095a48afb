"""Takes accounting into the database: jobs, runs of those that nobody tracked, and what was tracked beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from greenai.carbon.footprint import with_footprint
from greenai.core.batch_job import claimed_number
from greenai.slurm.accounting.attempts import JobKey, TrackedAttempt, numbered
from greenai.slurm.accounting.findings import Finding, failed, over_allocated
from greenai.slurm.accounting.reconcile import INCOMPLETE, Comparison, compare, part_of_job
from greenai.slurm.accounting.run import imported_run
from greenai.store import jobs as stored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from greenai.core.batch_job import BatchJob
    from greenai.core.record import RunRecord
    from greenai.core.text import Text
    from greenai.settings import Settings
    from greenai.slurm.accounting.jobs import Accounts
    from greenai.slurm.accounting.site_facts import SiteFacts
    from greenai.store import Store

_AT_ONCE = 200  # runs in one transaction


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


def import_accounts(
    store: Store,
    settings: Settings,
    accounts: Accounts,
    site: SiteFacts,
    tell: Callable[[int, int], None] | None = None,
    by_order: set[JobKey] | None = None,
) -> ImportReport:
    """Take accounting in. May be repeated at will: nothing is counted twice, and no tracked run is replaced.

    Args:
        store: The database.
        settings: The settings in force.
        accounts: What was read.
        site: Where the jobs ran.
        tell: Is told now and then how many jobs of how many are taken in.
        by_order: Attempts in earlier slices of the same period that have their number from their order only; those
            of this one are added. None where there are no slices.

    Raises:
        StoreError: The database refuses.
    """
    by_order = set() if by_order is None else by_order
    leaders = {job.het_job_id for job in accounts.jobs if job.het_job_id is not None}
    runs = stored.tracked_runs(store, {job.job_id for job in accounts.jobs} | leaders)
    before = stored.stored_jobs(store, {job_id for _, job_id in accounts.ordered})
    attempts = [attempt for run in runs if (attempt := _attempt_of(run)) is not None]
    jobs = numbered(accounts.jobs, accounts.ordered, attempts, before, by_order)
    counted = {job.key for job in accounts.jobs if (job.cluster, job.job_id) in accounts.ordered}
    by_order |= counted - {job.key for job in before}
    stored.save_jobs(store, jobs)
    tracked = _by_job_id(runs)
    untracked = [job for job in jobs if not _runs_of(tracked, job)]
    known = stored.digests(store, [job.imported_run_id for job in jobs])
    imported, added = _import(store, settings, untracked, site, known, tell)
    shown = [*jobs, *(job for job in accounts.others if job.is_final)]
    compared: list[Comparison] = []
    figures = {
        job.key: _Figure(record.energy_j, INCOMPLETE if record.incomplete else None)
        for job, record in zip(untracked, imported, strict=True)
    }
    for job in jobs:
        own = [record for record in _runs_of(tracked, job) if stored.belongs(record, job)]  # or its leader's
        for record in own:
            accounted = stored.put_accounting(store, record, job)
            if job.imported_run_id in known or job.het_job_id is not None:
                stored.remove_imported(store, accounted)
            compared.append(compare(accounted, [job, *_other_parts(store, job, shown)], site))
        if own:
            figures[job.key] = _figure(own, job)
    of_period = jobs[: len(accounts.jobs)]  # the others were but numbered anew
    return ImportReport(
        accounts=accounts,
        imported=tuple(imported),
        added=added,
        compared=tuple(compared),
        failed=tuple(_finding(job, figures, ()) for job in of_period if failed(job)),
        over_allocated=tuple(
            _finding(job, figures, reasons) for job in of_period if (reasons := over_allocated(job))
        ),
    )


def _import(
    store: Store,
    settings: Settings,
    jobs: Sequence[BatchJob],
    site: SiteFacts,
    known: Mapping[str, str],
    tell: Callable[[int, int], None] | None,
) -> tuple[list[RunRecord], int]:
    records: list[RunRecord] = []
    added = 0
    for start in range(0, len(jobs), _AT_ONCE):
        changed = []
        for job in jobs[start : start + _AT_ONCE]:
            record, channels = imported_run(job, site)
            record = with_footprint(record, settings)
            records.append(record)
            if known.get(record.id) != record.journal.sha256:
                changed.append((record, [(channel, ()) for channel in channels]))
        if changed:
            store.save_all(changed)
            added += len(changed)
        if tell is not None:
            tell(len(records), len(jobs))
    return records, added


def _attempt_of(run: RunRecord) -> TrackedAttempt | None:
    facts = run.slurm or {}
    if "job_id" not in facts:
        return None
    count = claimed_number(facts.get("restart_count"))
    return TrackedAttempt(facts.get("cluster"), facts["job_id"], count, run.started_ms)


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


def _other_parts(store: Store, job: BatchJob, shown: Sequence[BatchJob]) -> list[BatchJob]:
    """Return the other parts of a heterogeneous job, those that end in another slice of the period included."""
    if job.het_job_id is None:
        return []
    parts = {part.key: part for part in (*stored.stored_parts(store, job), *shown) if job.is_beside(part)}
    return sorted((part for part in parts.values() if part.job_id != job.job_id), key=lambda one: int(one.job_id))


class _Figure(NamedTuple):
    """What a job took, joules, and what is to be said if that is not all of it."""

    energy_j: float | None
    remark: Text | None = None


def _figure(runs: Sequence[RunRecord], job: BatchJob) -> _Figure:
    """Return what a job took by its runs; those of single steps are in that of the whole job, if it has one."""
    whole = [run for run in runs if "step_id" not in (run.slurm or {})] or runs
    known = [run.energy_j for run in whole if run.energy_j is not None]
    energy_j = sum(known) if len(known) == len(whole) else None
    return _Figure(
        energy_j, part_of_job(job, whole) or (INCOMPLETE if any(run.incomplete for run in whole) else None)
    )


def _finding(
    job: BatchJob, figures: Mapping[tuple[str, str, int | None], _Figure], reasons: tuple[Text, ...]
) -> Finding:
    energy_j, remark = figures.get(job.key, _Figure(None))
    return Finding(job, energy_j, reasons, remark)
