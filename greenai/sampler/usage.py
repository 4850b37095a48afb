"""Reading how much of the machine the tracked work uses, so that its energy can be shared out."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from greenai.core.collector import Incident
from greenai.core.text import Text
from greenai.core.usage import Usage
from greenai.core.vocabulary import Scope
from greenai.host.allotment import cpu_allotment
from greenai.host.cgroup import cgroup_pids, is_container, own_cgroup
from greenai.host.cgroup_figures import cgroup_cpu_us, cgroup_memory_bytes
from greenai.host.cpu import busy_seconds
from greenai.host.machine import read_text
from greenai.host.processes import cpu_time_us, memory_bytes, process_tree
from greenai.host.slurm_cgroup import slurm_job_cgroup, slurm_jobs_cgroup, slurm_jobs_memory_bytes
from greenai.sampler.gpu_usage import GpuUsageReader
from greenai.sampler.guard import READ_PATIENCE_S, Guard, HangsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from greenai.core.channel import Channel
    from greenai.host import Host
    from greenai.host.cgroup import Cgroup

_US_PER_S = 1_000_000
_ATTEMPTS = 3  # to read a process tree while processes in it end
_MEMORY = re.compile(r"^(MemTotal|MemAvailable):\s+(\d+) kB", re.MULTILINE)

_NO_CGROUP = Incident(
    "no_cgroup",
    Text(
        de="Hier ist keine Cgroup des Programms lesbar; gezählt wird die Energie seines Prozessbaums.",
        en="No cgroup of the program can be read here; the energy of its process tree is counted.",
    ),
)


def resolve_scope(host: Host, scope: Scope) -> tuple[Scope, Incident | None]:
    """Return whose energy a run is here, and what must be said about it.

    ``auto`` is the cgroup where a Slurm job has only some of the node's CPUs, else the machine. Without a cgroup
    that can be read, the process tree stands in for it; the group of a job that is about to begin is waited for.

    Args:
        host: The machine.
        scope: What was asked for.
    """
    if scope is Scope.AUTO:
        scope = Scope.CGROUP if _shares_its_node(host) else Scope.MACHINE
    if scope is Scope.CGROUP and _cgroup(host) is None and not _comes_later(host):
        return Scope.PROCESS, _NO_CGROUP
    return scope, None


class UsageReader:
    """What the tracked work and the whole machine use, read together.

    In a Slurm job the whole is what all jobs of the node use, so that their shares add up to the node.
    """

    def __init__(self, host: Host, scope: Scope, root_pid: int) -> None:
        """Prepare.

        Args:
            host: The machine.
            scope: PROCESS or CGROUP.
            root_pid: The tracked program, for PROCESS.
        """
        self._host = host
        self._root_pid = root_pid
        self._cgroup = _cgroup(host) if scope is Scope.CGROUP else None
        self._comes_later = scope is Scope.CGROUP and self._cgroup is None and _comes_later(host)
        is_job = self._comes_later or (self._cgroup is not None and self._cgroup == slurm_job_cgroup(host))
        self._jobs = _jobs(host) if is_job else None
        self._gpus: GpuUsageReader | None = None
        self._guard = Guard()
        self._ticks_per_s = os.sysconf("SC_CLK_TCK")

    def watch_gpus(self, channels: Sequence[Channel]) -> None:
        """Look from now on at who computes on these GPUs (the sampler does; marks need not)."""
        self._gpus = GpuUsageReader(self._host, channels, self._pids)

    def read(self) -> Usage:
        """Read once; what cannot be read is None."""
        t_ns = self._host.clock.mono_ns()
        gpu_shares = self._gpu_shares()
        if self._comes_later:
            self._cgroup = _cgroup(self._host)
            self._comes_later = self._cgroup is None
        own = self._own_tree if self._cgroup is None else self._own_cgroup
        # What has no group yet has used nothing: its counters will begin at 0.
        own_cpu_us, own_memory_bytes = (0, 0) if self._comes_later else own()
        if self._jobs is not None:
            all_cpu_us = _or_none(cgroup_cpu_us, self._jobs)
            all_memory_bytes = _or_none(slurm_jobs_memory_bytes, self._jobs)
        else:
            all_cpu_us, all_memory_bytes = self._machine_cpu_us(), self._machine_memory_bytes()
        of_jobs = self._jobs is not None
        return Usage(t_ns, own_cpu_us, all_cpu_us, own_memory_bytes, all_memory_bytes, gpu_shares, of_jobs)

    def close(self) -> None:
        """Let go of the GPUs."""
        if self._gpus is not None:
            self._gpus = None
            self._guard.close(lambda: None)

    def _gpu_shares(self) -> Mapping[str, float] | None:
        try:
            return self._guard.call(self._gpus.read, READ_PATIENCE_S) if self._gpus is not None else None
        except HangsError:
            return None

    def _pids(self) -> frozenset[int]:
        if self._comes_later:
            return frozenset()
        if self._cgroup is not None:
            return frozenset(cgroup_pids(self._cgroup))
        return frozenset(process_tree(self._host, self._root_pid))

    def _own_cgroup(self) -> tuple[int | None, int | None]:
        assert self._cgroup is not None  # noqa: S101  # for the type checker
        return _or_none(cgroup_cpu_us, self._cgroup), _or_none(cgroup_memory_bytes, self._cgroup)

    def _own_tree(self) -> tuple[int | None, int | None]:
        own_cpu_us, pids = None, process_tree(self._host, self._root_pid)
        for _ in range(_ATTEMPTS):
            own_cpu_us = cpu_time_us(self._host, pids) if pids else None
            if own_cpu_us is not None:
                break
            pids = process_tree(self._host, self._root_pid)
        return own_cpu_us, memory_bytes(self._host, pids) if pids else None

    def _machine_cpu_us(self) -> int | None:
        line = (read_text(self._host.proc_root / "stat") or "").partition("\n")[0]
        try:
            return int(busy_seconds(line, self._ticks_per_s) * _US_PER_S)
        except ValueError:
            return None

    def _machine_memory_bytes(self) -> int | None:
        kib = dict(_MEMORY.findall(read_text(self._host.proc_root / "meminfo") or ""))
        return (int(kib["MemTotal"]) - int(kib["MemAvailable"])) * 1024 if len(kib) == 2 else None  # noqa: PLR2004


def _or_none(read: Callable[[Cgroup], int], cgroup: Cgroup) -> int | None:
    try:
        return read(cgroup)
    except (OSError, ValueError):
        return None


def _cgroup(host: Host) -> Cgroup | None:
    cgroup = slurm_job_cgroup(host)
    if cgroup is None:
        cgroup = own_cgroup(host)
        if cgroup is not None and "SLURM_JOB_ID" in host.environ and not is_container(cgroup):
            return None  # Slurm makes no groups here: it is the service's, in which all of the node's jobs run
    return cgroup if cgroup is not None and _or_none(cgroup_cpu_us, cgroup) is not None else None


def _comes_later(host: Host) -> bool:
    """Say whether we work for a job of this node from outside, and its group may not be there yet (a Prolog's).

    Inside of a job Slurm sets SLURM_PROCID.
    """
    return "SLURM_PROCID" not in host.environ and slurm_job_cgroup(host) is None and _jobs(host) is not None


def _jobs(host: Host) -> Cgroup | None:
    cgroup = slurm_jobs_cgroup(host)
    return cgroup if cgroup is not None and _or_none(cgroup_cpu_us, cgroup) is not None else None


def _shares_its_node(host: Host) -> bool:
    return "SLURM_JOB_ID" in host.environ and cpu_allotment(host) is not None
