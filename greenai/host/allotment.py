"""The part of a machine that a container or batch job was given, so that it is not billed for the whole.

What counts as an allotment of CPUs: the quota and the cpuset of the control group, and Slurm's word where Slurm
makes no cpuset. The affinity of a process alone does not: MPI and Slurm bind each rank to its share of the job's
CPUs, and the one rank that reads the sensors speaks for all of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from greenai.host.cgroup import Cgroup, is_container, own_cgroup
from greenai.host.cgroup_figures import cgroup_cpu_us, cgroup_memory_bytes, cpu_limit, cpuset, memory_limit_bytes
from greenai.host.cpu import logical_cpus
from greenai.host.machine import once_per_host, read_text
from greenai.host.slurm_cgroup import slurm_job_cgroup

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.host.machine import Host

_BYTES_PER_MIB = 1 << 20
_CPUS_PER_NODE = re.compile(r"(\d+)(?:\(x\d+\))?")


class CpuAllotment(NamedTuple):
    """Some of a machine's CPUs.

    Attributes:
        cpus: How many, as many as time on them is allowed; not always whole.
        of: How many the machine has.
        cgroup: The group whose CPU time was worked by those who have them; None if nobody counts it.
    """

    cpus: float
    of: int
    cgroup: Cgroup | None


class MemoryAllotment(NamedTuple):
    """Some of a machine's memory.

    Attributes:
        limit_bytes: How much at most; None if there is no limit but the machine's.
        cgroup: The group whose memory it is; None if nobody counts it.
    """

    limit_bytes: int | None
    cgroup: Cgroup | None


@once_per_host
def cpu_allotment(host: Host) -> CpuAllotment | None:
    """Return the CPUs we were given, None if that is the whole machine."""
    total = logical_cpus(host)
    group = _group(host)
    limits: list[float] = []
    if group is not None:
        limits += [limit for limit in (cpu_limit(group), len(cpuset(group) or ())) if limit]
    if _in_slurm_job(host) and (group is None or not _sets_cpus(group)):
        limits += _slurm_cpus(host)
    cpus = min(limits, default=float(total))
    if cpus >= total:
        return None
    return CpuAllotment(cpus, total, _if_readable(group, cgroup_cpu_us))


def memory_allotment(host: Host, total_bytes: int) -> MemoryAllotment | None:
    """Return the memory we were given, None if that is the whole machine.

    A container, or a job that has but some of the CPUs, has its own memory even without a limit.

    Args:
        host: The machine.
        total_bytes: Its memory.
    """
    group = _group(host)
    limits = [_slurm_memory_bytes(host), memory_limit_bytes(group) if group is not None else None]
    limit = min((limit for limit in limits if limit is not None and limit < total_bytes), default=None)
    own = group is not None and (limit is not None or is_container(group) or cpu_allotment(host) is not None)
    group = _if_readable(group, cgroup_memory_bytes) if own else None
    return MemoryAllotment(limit, group) if group is not None or limit is not None else None


@once_per_host
def _group(host: Host) -> Cgroup | None:
    """Return the job's group, else our own; not the service's that all of a node's jobs run in."""
    job = slurm_job_cgroup(host)
    if job is not None:
        return job
    group = own_cgroup(host)
    return None if group is not None and _in_slurm_job(host) and not is_container(group) else group


def _in_slurm_job(host: Host) -> bool:
    """Say whether Slurm started us on this node; ``salloc`` sets SLURM_JOB_ID on a login node, too."""
    return "SLURM_JOB_ID" in host.environ and "SLURMD_NODENAME" in host.environ


def _sets_cpus(job: Cgroup) -> bool:
    """Say whether Slurm gave the job a cpuset (ConstrainCores=yes). Else only its environment knows the CPUs.

    The environment is the worse source: where Slurm counts cores, it is half the logical CPUs of a whole node.
    """
    if job.version == 1:
        return job.cpuset_folder is not None
    return bool((read_text(job.cpu_folder / "cpuset.cpus") or "").strip())


def _slurm_cpus(host: Host) -> list[float]:
    """Return the CPUs on this node: the job's where all nodes have as many, else the step's (man sbatch)."""
    match = _CPUS_PER_NODE.fullmatch(host.environ.get("SLURM_JOB_CPUS_PER_NODE", ""))
    count = match.group(1) if match else host.environ.get("SLURM_CPUS_ON_NODE", "")
    return [float(count)] if count.isdecimal() and int(count) else []


def _slurm_memory_bytes(host: Host) -> int | None:
    """Return what the job asked for on this node; 0 means all, the figures are in MiB (man sbatch, --mem)."""
    if not _in_slurm_job(host):
        return None
    per_node = host.environ.get("SLURM_MEM_PER_NODE", "")
    if per_node.isdecimal():
        return int(per_node) * _BYTES_PER_MIB or None
    per_cpu, cpus = host.environ.get("SLURM_MEM_PER_CPU", ""), _slurm_cpus(host)
    if per_cpu.isdecimal() and cpus:
        return int(int(per_cpu) * cpus[0] * _BYTES_PER_MIB) or None
    return None


def _if_readable(group: Cgroup | None, read: Callable[[Cgroup], int]) -> Cgroup | None:
    try:
        if group is not None:
            read(group)
    except (OSError, ValueError):
        return None
    return group
