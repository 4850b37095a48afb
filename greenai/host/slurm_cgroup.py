"""The control groups of Slurm's jobs: of one job, and of all jobs of a node.

==========  ======================================================  ==============================================
version     one job                                                 all jobs of the node
==========  ======================================================  ==============================================
1           ``/slurm_n1/uid_1000/job_5``, or ``/slurm/...``         ``/slurm_n1``, or ``/slurm``
2           ``/system.slice/n1_slurmstepd.scope/job_5``             ``/system.slice/n1_slurmstepd.scope``
==========  ======================================================  ==============================================

Version 1 as seen in jobs of Slurm 22.05 (a node's name stands there only where Slurm was built for several nodes
on one machine), version 2 as drawn in slurm.schedmd.com/cgroup_v2.html. CPU time counts in all groups above, and
stays there when a group is gone (the kernel's Documentation/admin-guide/cgroup-v1/cpuacct.rst and cgroup-v2.rst).
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from greenai.host.cgroup import CONTROLLERS, UNIFIED, Cgroup, cgroup_of_paths, find_cgroup, folder_of, mounts_of
from greenai.host.cgroup_figures import cgroup_memory_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from greenai.host.cgroup import Mount
    from greenai.host.machine import Host

# Slurm: /slurm_n1/uid_1000/job_5/step_0/task_0 (v1), /system.slice/n1_slurmstepd.scope/job_5/... (v2, >= 22.05).
# The first part holds all jobs of the node, and what ended jobs have used.
_SLURM_JOB = re.compile(r"^((.*/[^/]*slurm[^/]*)(?:/uid_\d+)?/job_\d+)(?:/.*)?$")
_ALL_JOBS = ("slurm*", "*slurmstepd.scope", "*/*slurmstepd.scope")  # where these groups are, below a mount point


def slurm_job_cgroup(host: Host) -> Cgroup | None:
    """Return the group of the whole Slurm job (not of the step or task) that this process is in or works for.

    A process that Slurm did not start inside the job (one that a Prolog started) finds it by ``SLURM_JOB_ID``, as
    soon as it is there. (Inside, that need not be the group's number: in a heterogeneous job it is the leader's.)

    None without a job, and where Slurm makes no groups for CPU time or memory (``proctrack/linuxproc``), or
    where a container's namespace hides it.
    """
    number = host.environ.get("SLURM_JOB_ID")
    if number is None:
        return None
    inside = find_cgroup(host, "self", lambda path: _path(path, 1))
    if inside is not None or not number.isdecimal():
        return inside
    mounts = mounts_of(host)
    paths: dict[str, str] = {}
    for name, above in _paths_of_all_jobs(host, mounts).items():
        top = folder_of(mounts, name, above)
        if top is not None:
            for folder in [folder for found, folder in _jobs_below(top) if found == number]:
                paths[name] = f"{above}/{folder.relative_to(top)}"
    return cgroup_of_paths(mounts, paths)


def slurm_jobs_cgroup(host: Host) -> Cgroup | None:
    """Return the group that holds all Slurm jobs of this node, and keeps the CPU time of those that ended.

    None without ``SLURM_JOB_ID``, and where Slurm makes no such groups or a container's namespace hides them.
    """
    if "SLURM_JOB_ID" not in host.environ:
        return None
    inside = find_cgroup(host, "self", lambda path: _path(path, 2))
    if inside is not None or find_cgroup(host, "self", lambda path: _path(path, 1)) is not None:
        return inside
    mounts = mounts_of(host)
    return cgroup_of_paths(mounts, _paths_of_all_jobs(host, mounts))


def slurm_jobs_memory_bytes(jobs: Cgroup) -> int:
    """Return the memory that all jobs below this group hold, without the page cache of files.

    The group's own figure would have what ended jobs have left behind, which is nobody's.

    Args:
        jobs: The group of all jobs.

    Raises:
        OSError: It cannot be read of any job.
    """
    found: list[int] = []
    for _, folder in _jobs_below(jobs.memory_folder):
        with suppress(OSError, ValueError):  # a job that has just ended, or has no memory controller
            found.append(cgroup_memory_bytes(jobs._replace(memory_folder=folder)))
    if not found:
        raise FileNotFoundError(f"no memory of any job below {jobs.memory_folder}")
    return sum(found)


def _path(path: str, part: int) -> str | None:
    match = _SLURM_JOB.match(path)
    return match.group(part) if match else None


def _paths_of_all_jobs(host: Host, mounts: Sequence[Mount]) -> dict[str, str]:
    """Return the paths of the group above all jobs of this node, by controller, as ``/proc`` would name them."""
    paths: dict[str, str] = {}
    for mount in mounts:
        found = {
            folder.name: folder for kind in _ALL_JOBS for folder in mount.folder.glob(kind) if folder.is_dir()
        }
        top = _of_this_node(found, host.environ.get("SLURMD_NODENAME"))
        if top is not None:
            path = f"{mount.root.rstrip('/')}/{top.relative_to(mount.folder)}"
            for name in mount.names & {*CONTROLLERS, UNIFIED}:
                paths.setdefault(name, path)
    return paths


def _of_this_node(found: Mapping[str, Path], node: str | None) -> Path | None:
    """Choose this node's; where several nodes are made out of one machine, as in tests, each has its own."""
    if node is None and len(found) == 1:
        return next(iter(found.values()))
    names = (f"slurm_{node}", f"{node}_slurmstepd.scope", "slurm", "slurmstepd.scope")
    return next((found[name] for name in names if name in found), None)


def _jobs_below(top: Path) -> Iterator[tuple[str, Path]]:
    """Yield (number, folder) of each job; marks of a tracked program wait for this, so it is no glob."""
    with suppress(OSError):  # it may go at any time
        for name in os.listdir(top):  # noqa: PTH208
            if name.startswith("job_"):
                yield name.removeprefix("job_"), top / name
            elif name.startswith("uid_"):
                yield from _jobs_below(top / name)
