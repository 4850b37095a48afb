"""The one question to Slurm per node and job, asked by root: of a program of the user's he could forge the answer.

Worse, through a debugger he could make of it a process that stands outside of his job's limits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from greenai.core.errors import GreenAIError
from greenai.host import this_host
from greenai.slurm.ask import ask_job

if TYPE_CHECKING:
    from collections.abc import Mapping

    from greenai.slurm.job_facts import JobFacts
    from greenai.slurm.site.job import SiteJob

# One question to Slurm's controller per node; a job of more has its nodes for itself, as a rule, and asks none.
MOST_QUESTIONS = 64
_NONE = "-"
_PATIENCE_S = 0.3  # the Prolog waits
_SAYS_WHERE_SLURM_IS = ("PATH", "SLURM_CONF")


def question(job: SiteJob) -> str:
    """Return, as an argument, which job to ask about."""
    return str(job.job_id) if len(job.nodes) <= MOST_QUESTIONS else _NONE


def answer(asked: str, environ: Mapping[str, str]) -> tuple[JobFacts, ...]:
    """Return what Slurm says of a job; nothing if it says nothing at once: that costs the name, no measurement.

    Args:
        asked: See ``question``.
        environ: This process's own; of it, Slurm's program gets nothing that is of the user.
    """
    if asked == _NONE:
        return ()
    kept = {name: environ[name] for name in _SAYS_WHERE_SLURM_IS if name in environ}
    try:
        return ask_job(replace(this_host(), environ=kept), int(asked), _PATIENCE_S)
    except (GreenAIError, OSError, ValueError):
        return ()
