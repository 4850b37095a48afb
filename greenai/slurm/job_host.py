"""A node as a job sees it: the variables by which sensors know the job, its CPUs, memory and GPUs there. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from greenai.slurm.job_facts import Gpus, JobFacts

_MIB = 1 << 20
# Whose GPUs these name, and by which numbers, differs between a Prolog, a batch script and a step.
_GPU_VARIABLES = ("CUDA_VISIBLE_DEVICES", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS")


def changed(environ: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return an environment with changes; a variable that becomes None is gone."""
    found = {**environ, **changes}
    return {name: value for name, value in found.items() if value is not None}


def job_environ(job: JobFacts, node: str) -> dict[str, str | None]:
    """Return how the environment must change, so that scope, control group, allotment and GPUs are the job's.

    Also where the driver shows all GPUs of the node (no ``ConstrainDevices``).

    Args:
        job: The job, or the component of a heterogeneous one that runs on this node.
        node: Slurm's name of the node.

    Raises:
        ValueError: The node is none of the job's.
    """
    allocation = job.node(node)
    if allocation is None:
        raise ValueError(f"{node} is no node of job {job.job_id}")
    environ: dict[str, str | None] = {"SLURM_JOB_ID": str(job.job_id), "SLURMD_NODENAME": node}
    if allocation.cpus is not None:
        environ["SLURM_JOB_CPUS_PER_NODE"] = str(allocation.cpus)
    if allocation.memory_bytes is not None:
        environ["SLURM_MEM_PER_NODE"] = str(allocation.memory_bytes // _MIB)
    gpus = _gpu_environ(allocation.gpus, exclusive=job.exclusive)
    if gpus:
        environ |= dict.fromkeys(_GPU_VARIABLES) | gpus
    return environ


def _gpu_environ(gpus: Gpus | None, *, exclusive: bool | None) -> dict[str, str | None]:
    """Return the variables that name a job's GPUs; none where Slurm does not say which they are.

    A job without GPUs has none on a node that others use, too; on a node of its own it has those that Slurm may
    not know of.
    """
    if gpus is not None and gpus.indices:
        return {"SLURM_JOB_GPUS": ",".join(map(str, gpus.indices))}
    if gpus is not None and gpus.count == 0 and exclusive is False:
        return {"CUDA_VISIBLE_DEVICES": ""}
    return {}
