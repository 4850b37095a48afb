"""Jobs that failed, and jobs that were given more than they used. Pure.

The limits are this project's choice; what they are held against is what Slurm's own ``seff`` prints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.quantity import duration, number, percent
from greenai.core.text import Text
from greenai.core.units import BYTES_PER_GB

if TYPE_CHECKING:
    from greenai.core.batch_job import BatchJob

SHORTEST_S = 10
"""Of shorter jobs nothing is said: starting up is most of what they do."""

LEAST_CPU_EFFICIENCY = 0.5
LEAST_MEMORY_USE = 0.25
_LEAST_MEMORY_BYTES = 4 * BYTES_PER_GB
LEAST_TIME_USE = 0.1
_LEAST_LIMIT_S = 3600

_CPU = Text(de="{share} der {cpus} CPUs genutzt", en="{share} of {cpus} CPUs used")
_MEMORY = Text(
    de="höchstens {used} von {given} GB Speicher genutzt", en="{used} of {given} GB memory used at most"
)
_GPU = Text(de="{gpus} GPUs nie genutzt", en="{gpus} GPUs never used")
_TIME = Text(de="{elapsed} von {limit} Zeitlimit gebraucht", en="{elapsed} of a time limit of {limit} needed")


@dataclass(frozen=True, slots=True)
class Finding:
    """A job that is worth a look.

    Attributes:
        job: The job.
        energy_j: What it took, joules, tracked or imported; None if unknown.
        reasons: In words: its state, or what it did not use.
        at_least: Why it took more than ``energy_j``; None if that is all of it.
    """

    job: BatchJob
    energy_j: float | None
    reasons: tuple[Text, ...]
    at_least: Text | None = None

    @property
    def remarks(self) -> tuple[Text, ...]:
        """The reasons, and what is to be said of the energy."""
        return self.reasons if self.at_least is None else (*self.reasons, self.at_least)


def failed(job: BatchJob) -> bool:
    """Say whether an attempt did not end well, whoever is to blame."""
    return job.is_final and job.state != "COMPLETED"


def over_allocated(job: BatchJob) -> tuple[Text, ...]:
    """Return what a job was given and did not use; nothing where Slurm did not gather it.

    Args:
        job: An attempt that is over.
    """
    elapsed_s = job.elapsed_s or 0
    if elapsed_s < SHORTEST_S:
        return ()
    found = []
    share = cpu_efficiency(job)
    if share is not None and share < LEAST_CPU_EFFICIENCY:
        found.append(
            _CPU.format(share=Text.each(lambda language: percent(share, language)), cpus=job.allocated.cpus)
        )
    used, given = _memory_used_bytes(job), job.allocated.memory_bytes
    if used and given and given >= _LEAST_MEMORY_BYTES and used < LEAST_MEMORY_USE * given:
        found.append(_MEMORY.format(used=_gigabytes(used), given=_gigabytes(given)))
    seen = [step.gpu_utilisation_max for step in job.steps if step.gpu_utilisation_max is not None]
    if job.allocated.gpu_count and seen and max(seen) == 0:
        found.append(_GPU.format(gpus=job.allocated.gpu_count))
    limit_s = job.time_limit_s
    if job.state == "COMPLETED" and limit_s and limit_s >= _LEAST_LIMIT_S and elapsed_s < LEAST_TIME_USE * limit_s:
        found.append(_TIME.format(elapsed=_duration(elapsed_s), limit=_duration(limit_s)))
    return tuple(found)


def cpu_efficiency(job: BatchJob) -> float | None:
    """Return the CPU time used over that allotted, as ``seff`` does; None where nobody gathered it."""
    allotted_s = (job.allocated.cpus or 0) * (job.elapsed_s or 0)
    gathered = job.cpu_s or job.memory_used_bytes is not None
    return (job.cpu_s or 0.0) / allotted_s if allotted_s and gathered else None


def _memory_used_bytes(job: BatchJob) -> int | None:
    """Return the most that was in use, at most: as if all tasks of a step had been as large as its largest."""
    known = [step.max_rss_bytes * (step.tasks or 1) for step in job.steps if step.max_rss_bytes is not None]
    return max(known, default=None)


def _gigabytes(size_bytes: int) -> Text:
    return Text.each(lambda language: number(size_bytes / BYTES_PER_GB, language))


def _duration(seconds: float) -> Text:
    return Text.each(lambda language: duration(seconds, language))
