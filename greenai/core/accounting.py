"""What Slurm's accounting adds to the record of a run: how it ended, where its own journals do not say.

And what it reveals: that a job went on when its collector had died.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from greenai.core import quantity
from greenai.core.collector import Incident
from greenai.core.text import Text
from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    from collections.abc import Iterable

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


_LEAST_UNSEEN_S = 2.0  # Slurm's times are whole seconds, and a job begins before our collectors do
_LEAST_UNSEEN_REL = 0.02

_UNSEEN = Text(
    de="Die Messung brach vor dem Ende des Jobs ab: für {gap} von {whole} gibt es keine Messung; die Energie "
    "dieser Zeit fehlt in der Summe.",
    en="Measuring broke off before the job ended: for {gap} of {whole} there is no reading; the energy of that "
    "time is missing from the total.",
)


def run_state(job: BatchJob) -> RunState | None:
    """Return how a job ended in the words of a run; None if it goes on, or nobody knows."""
    return _STATES.get(job.state)


def with_accounting(record: RunRecord, job: BatchJob) -> RunRecord:
    """Put a job's accounting on the record of its run.

    A run that is open in its own journals (running, lost, or killed by nobody knows what) and over for Slurm takes
    state and exit code from Slurm: from the step that it was, where it was one of the user's, else from the job.
    So does one told by a site's own collectors, who stand outside of the job. What other journals saw themselves
    stays. Of an open run whose readings end well before the job, or its step, the energy is incomplete.

    Args:
        record: The run.
        job: The attempt of the job that it belongs to.
    """
    record = replace(record, accounting=job)
    is_open = record.state in (RunState.RUNNING, RunState.LOST)
    is_open |= record.state is RunState.KILLED and record.exit_code is None
    by_site = (record.slurm or {}).get("measured_by") == "site"  # an Epilog hears 0 of a cancelled job
    if not (is_open or by_site) or not job.is_final:
        return record
    of = _accounted_part(record, job)
    if of is None or of.state not in _STATES:
        return record
    if is_open:
        record = _with_unseen_end(record, of.end_ms if of.end_ms is not None else job.end_ms)
    end_ms = record.ended_ms if record.ended_ms is not None else job.end_ms
    return replace(record, state=_STATES[of.state], exit_code=of.shell_exit_code, ended_ms=end_ms)


def tracked_s(records: Iterable[RunRecord]) -> float:
    """Return for how long at least one of these runs went on, seconds."""
    spans = sorted((record.started_ms / 1000, record.started_ms / 1000 + record.duration_s) for record in records)
    total_s, until_s = 0.0, 0.0
    for begin_s, end_s in spans:
        total_s += max(end_s - max(begin_s, until_s), 0.0)
        until_s = max(until_s, end_s)
    return total_s


def is_partly_tracked(job: BatchJob, records: Iterable[RunRecord]) -> bool:
    """Say whether these runs of a job cover but a part of it, say a single step: it took more than they say."""
    elapsed_s = float(job.elapsed_s or 0)
    return elapsed_s - tracked_s(records) > _least_unseen_s(elapsed_s)


def _accounted_part(record: RunRecord, job: BatchJob) -> BatchJob | BatchStep | None:
    """Return the step that a run was, if it was one of the user's, else the job; None if nobody knows the step."""
    step_id = (record.slurm or {}).get("step_id")
    if step_id is None or not step_id.isdecimal():
        return job
    step = next((step for step in job.steps if step.id == step_id), None)
    return job if step is not None and not step.is_users else step


def _with_unseen_end(record: RunRecord, end_ms: int | None) -> RunRecord:
    """Say that the readings of an open run end before what it measured does; once, however often that is found."""
    if end_ms is None:
        return record
    last_ms = record.ended_ms if record.ended_ms is not None else record.started_ms + record.duration_s * 1000
    whole_s, gap_s = (end_ms - record.started_ms) / 1000, (end_ms - last_ms) / 1000
    if gap_s <= _least_unseen_s(whole_s):
        return record
    gap, whole = (_duration(seconds) for seconds in (gap_s, whole_s))
    incident = Incident("energy_incomplete", _UNSEEN.format(gap=gap, whole=whole))
    return record if incident in record.incidents else replace(record, incidents=(*record.incidents, incident))


def _least_unseen_s(whole_s: float) -> float:
    return max(_LEAST_UNSEEN_S, _LEAST_UNSEEN_REL * whole_s)


def _duration(seconds: float) -> Text:
    return Text.each(lambda language: quantity.duration(seconds, language))
