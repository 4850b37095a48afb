"""What Slurm's accounting adds to the record of a run: how it ended, where its own journals do not say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    from greenai.core.batch_job import BatchJob, BatchStep
    from greenai.core.record import RunRecord

# How a job's end reads as that of a run, man sacct ("JOB STATE CODES"). Of the others nobody knows.
_STATES = {
    "COMPLETED": RunState.COMPLETED,
    "FAILED": RunState.FAILED,
    "OUT_OF_MEMORY": RunState.FAILED,
    "BOOT_FAIL": RunState.FAILED,
    "LAUNCH_FAILED": RunState.FAILED,
    "RECONFIG_FAIL": RunState.FAILED,
    "TIMEOUT": RunState.KILLED,
    "DEADLINE": RunState.KILLED,
    "CANCELLED": RunState.KILLED,
    "NODE_FAIL": RunState.KILLED,
    "PREEMPTED": RunState.KILLED,
    "REQUEUED": RunState.KILLED,
}


def run_state(job: BatchJob) -> RunState | None:
    """Return how a job ended in the words of a run; None if it goes on, or nobody knows."""
    return _STATES.get(job.state)


def with_accounting(record: RunRecord, job: BatchJob) -> RunRecord:
    """Put a job's accounting on the record of its run.

    A run that is open in its own journals (running, lost, or killed by nobody knows what) and over for Slurm takes
    state and exit code from Slurm: from the step that it was, where it was one of the user's, else from the job.
    So does one told by a site's own collectors, who stand outside of the job. What other journals saw themselves
    stays.

    Args:
        record: The run.
        job: The attempt of the job that it belongs to.
    """
    record = replace(record, accounting=job)
    is_open = record.state in (RunState.RUNNING, RunState.LOST)
    is_open |= record.state is RunState.KILLED and record.exit_code is None
    is_open |= (record.slurm or {}).get("measured_by") == "site"  # an Epilog hears 0 of a cancelled job
    if not is_open or not job.is_final:
        return record
    end_ms = record.ended_ms if record.ended_ms is not None else job.end_ms
    step_id = (record.slurm or {}).get("step_id")
    of: BatchJob | BatchStep | None = job
    if step_id is not None and step_id.isdecimal():
        step = next((step for step in job.steps if step.id == step_id), None)
        of = job if step is not None and not step.is_users else step
    if of is None or of.state not in _STATES:
        return record
    return replace(record, state=_STATES[of.state], exit_code=of.shell_exit_code, ended_ms=end_ms)
