"""What a Prolog's or Epilog's environment says of the job (man slurm.conf, PROLOG AND EPILOG SCRIPTS). Pure.

It differs from that of the job's own programs: no name, no array, ``SLURM_NODELIST`` (22.05) where they have
``SLURM_JOB_NODELIST``, and a restart count that is 0 from the start.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.hostlist import expand

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]")
# What the collector's environment takes over as it is.
_SAME = (
    "SLURM_CONF",
    "SLURM_CLUSTER_NAME",
    "SLURMD_NODENAME",
    "SLURM_JOB_PARTITION",
    "SLURM_JOB_ACCOUNT",
    "SLURM_JOB_CPUS_PER_NODE",
    "SLURM_JOB_GPUS",
)
_LONGEST_CLUSTER = 32


class SiteJob(NamedTuple):
    """One attempt of a job, or of a component of a heterogeneous job, on this node.

    Attributes:
        job_id: The number that its tasks know: of a heterogeneous job, the first component's.
        component_id: The number that this Prolog was started for.
        restart_count: How often it was put back into the queue.
        node: Slurm's name of this node.
        user_id: Number of its user.
        group_id: Number of its group.
        environ: Variables for its collector, named as in the job itself.
        nodes: All its nodes; of a heterogeneous job, those of this component.
    """

    job_id: int
    component_id: int
    restart_count: int
    node: str
    user_id: int
    group_id: int
    environ: dict[str, str]
    nodes: tuple[str, ...]

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> SiteJob:
        """Read the environment of a Prolog.

        Raises:
            ValueError: Something that every Slurm from 22.05 on says is missing, or cannot be understood.
        """
        nodelist = environ.get("SLURM_JOB_NODELIST") or environ.get("SLURM_NODELIST", "")
        node = _text(environ, "SLURMD_NODENAME")
        component_id = _number(environ, "SLURM_JOB_ID")
        restart = environ.get("SLURM_JOB_RESTART_COUNT") or environ.get("SLURM_RESTART_COUNT") or "0"
        kept = {name: environ[name] for name in _SAME if name in environ}
        kept |= {"SLURM_JOB_ID": str(component_id), "SLURM_JOB_NODELIST": nodelist}
        if restart != "0":
            kept["SLURM_RESTART_COUNT"] = restart
        return cls(
            job_id=_number(environ, "SLURM_HET_JOB_ID") if environ.get("SLURM_HET_JOB_ID") else component_id,
            component_id=component_id,
            restart_count=int(restart),
            node=node,
            user_id=_number(environ, "SLURM_JOB_UID"),
            group_id=_number(environ, "SLURM_JOB_GID") if environ.get("SLURM_JOB_GID") else -1,
            environ=kept,
            nodes=expand(nodelist) or (node,),
        )

    @property
    def run_id(self) -> str:
        """The run's id, the same on all nodes without anybody to ask.

        Another than that of a run imported from the accounting, see ``BatchJob.imported_run_id``.
        """
        cluster = _NOT_IN_A_NAME.sub("_", self.environ.get("SLURM_CLUSTER_NAME", ""))[:_LONGEST_CLUSTER]
        return f"job-{cluster or 'cluster'}-{self.job_id}-{self.restart_count}"

    @property
    def facts(self) -> dict[str, str]:
        """What a Prolog knows of ``greenai.host.facts.slurm_facts``."""
        named = {
            "cluster": "SLURM_CLUSTER_NAME",
            "partition": "SLURM_JOB_PARTITION",
            "account": "SLURM_JOB_ACCOUNT",
            "nodelist": "SLURM_JOB_NODELIST",
        }
        found = {key: self.environ[name] for key, name in named.items() if self.environ.get(name)}
        if self.job_id != self.component_id:
            found["het_job_id"] = str(self.job_id)
        return {
            **found,
            "job_id": str(self.job_id),
            "restart_count": str(self.restart_count),
            "measured_by": "site",
        }


def exit_code(environ: Mapping[str, str]) -> int | None:
    """Return how the batch script ended: exit code, or minus the signal that ended it; None if nobody knows.

    An Epilog hears it from 22.05 on, as the status of wait(2). Of a job that was cancelled or met its time limit
    it hears 0, as ``sacct`` has it.
    """
    text = environ.get("SLURM_JOB_EXIT_CODE", "")
    if not text.isdecimal() or int(text) > 0xFFFF:  # noqa: PLR2004  # two bytes, as wait(2) has it
        return None
    try:
        return os.waitstatus_to_exitcode(int(text))
    except ValueError:
        return None


def _text(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value or "/" in value:
        raise ValueError(f"{name}={value}")
    return value


def _number(environ: Mapping[str, str], name: str) -> int:
    value = environ.get(name, "")
    if not (value.isascii() and value.isdecimal()):
        raise ValueError(f"{name}={value}")
    return int(value)
