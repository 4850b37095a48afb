"""The run that an untracked job becomes. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from greenai.core.accounting import run_state
from greenai.core.collector import Incident
from greenai.core.hostlist import expand
from greenai.core.record import JournalFacts, RunRecord, Work
from greenai.core.text import Text
from greenai.core.vocabulary import RunState
from greenai.slurm.accounting.job_energy import job_energy

if TYPE_CHECKING:
    from greenai.core.batch_job import BatchJob
    from greenai.core.channel import Channel
    from greenai.slurm.accounting.site_facts import SiteFacts

IMPORTED = "imported_from_slurm"

_IMPORTED = Text(
    de="Diesen Job hat niemand gemessen; alle Angaben stammen aus Slurms Buchführung.",
    en="Nobody tracked this job; all figures are from Slurm's accounting.",
)


def imported_run(job: BatchJob, site: SiteFacts) -> tuple[RunRecord, list[Channel]]:
    """Make a run of an attempt that nobody tracked, without emissions; and its channels.

    Args:
        job: An attempt that is over and ran on some node.
        site: Where it ran.
    """
    energy, channels, incidents = job_energy(job, site)
    digest = hashlib.sha256(json.dumps([job.to_json(), _facts(site, job)], sort_keys=True).encode()).hexdigest()
    record = RunRecord(
        id=job.imported_run_id,
        name=job.name,
        project=None,
        task=None,
        approach=None,
        phase=None,
        state=run_state(job) or RunState.LOST,
        exit_code=job.shell_exit_code,
        error=None,
        started_ms=job.start_ms or job.submit_ms or 0,
        ended_ms=job.end_ms,
        duration_s=float(job.elapsed_s or 0),
        hosts=tuple(sorted(set(expand(job.nodes)))),
        user=job.user,
        git_commit=None,
        tags={},
        slurm=slurm_facts(job),
        environment={},
        energy=energy,
        windows=(),
        work=Work(0.0, None, None),
        metrics=(),
        incidents=(Incident(IMPORTED, _IMPORTED), *incidents),
        journal=JournalFacts(0, 0, digest),
        accounting=job,
    )
    return record, channels


def slurm_facts(job: BatchJob) -> dict[str, str]:
    """Return what a tracked run of the job would have from its environment."""
    facts = {
        "job_id": job.job_id,
        "restart_count": str(job.restart_count),
        "cluster": job.cluster,
        "job_name": job.name,
        "nodelist": job.nodes,
        "partition": job.partition,
        "account": job.account,
        "array_job_id": job.array_job_id,
        "array_task_id": job.array_task_id,
        "het_job_id": job.het_job_id,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _facts(site: SiteFacts, job: BatchJob) -> list[object]:
    """Return what the energy depends on beside the job: then a footprint of it is computed anew."""
    cpus = [site.node_cpus.get(node) for node in expand(job.nodes)]
    return [site.sensor.name if site.sensor else None, cpus, site.cpu_tdp_w]
