"""Control groups of fake machines: the files of version 1 and 2, and what a process says of its own.

Layouts: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/, man 7 cgroups and cgroup_namespaces,
man 5 proc (mountinfo); version 1 as captured on a virtual machine (Linux 6.18) and in a job of Slurm 22.05 there,
2026-11-21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from greenai.testing.machine import FakeMachine

V1_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory")
NO_LIMIT_V1 = "9223372036854771712\n"


def in_group_v2(
    machine: FakeMachine, path: str, folder: str, files: Mapping[str, str], *, mount_root: str = "/"
) -> None:
    """Put the process in a group of version 2.

    Args:
        machine: The machine.
        path: The group as the process sees it.
        folder: Its folder under the mount point; all above it become groups, the mount point itself a true root
            only if the folder is below it.
        files: Its files by name.
        mount_root: The root of the mount.
    """
    machine.write("proc/self/cgroup", f"0::{path}\n")
    machine.write(
        "proc/self/mountinfo",
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
        f"31 23 0:28 {mount_root} /sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw,nsdelegate\n",
    )
    group_v2(machine, folder, {"cgroup.type": "domain\n", **files})


def group_v2(machine: FakeMachine, folder: str, files: Mapping[str, str]) -> None:
    """Make a group of version 2 and those above it; the figures of ``usage_v2`` are typical ``files``."""
    parts = [part for part in folder.split("/") if part]
    for depth in range(len(parts) + 1):
        machine.write("/".join(["sys/fs/cgroup", *parts[:depth], "cgroup.procs"]), "")
    for name, content in files.items():
        machine.write("/".join(["sys/fs/cgroup", *parts, name]), content)


def usage_v2(cpu_us: int, memory_bytes: int, file_bytes: int = 0) -> dict[str, str]:
    """Return the files that say what a group of version 2 uses; the page cache is part of its memory."""
    return {
        "cpu.stat": f"usage_usec {cpu_us}\nuser_usec {cpu_us}\nsystem_usec 0\nnr_periods 0\n",
        "memory.current": f"{memory_bytes}\n",
        "memory.stat": f"anon {memory_bytes - file_bytes}\nfile {file_bytes}\n"
        f"inactive_anon 0\nactive_anon {memory_bytes - file_bytes}\ninactive_file {file_bytes}\nactive_file 0\n",
    }


def in_groups_v1(
    machine: FakeMachine, paths: Mapping[str, str], *, mount_root: str = "/", comounted: bool = False
) -> None:
    """Put the process in groups of version 1, by controller; ``comounted`` is the usual ``cpu,cpuacct``."""
    names = ["cpu,cpuacct", "cpuset", "memory"] if comounted else list(V1_CONTROLLERS)
    handles = [f"{9 - n}:{name}:{paths[name.split(',')[-1]]}" for n, name in enumerate(names)]
    machine.write("proc/self/cgroup", "\n".join(["12:pids:/", *handles, "1:name=systemd:/", "0::/"]) + "\n")
    mounts = [
        f"{31 + n} 23 0:{28 + n} {mount_root} /sys/fs/cgroup/{name} rw shared:{n} - cgroup cgroup rw,{name}"
        for n, name in enumerate(names)
    ]
    tmpfs = "30 23 0:27 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755"
    machine.write("proc/self/mountinfo", "\n".join([tmpfs, *mounts]) + "\n")
    for name in names:
        machine.write(f"sys/fs/cgroup/{name}/cgroup.procs", "")


def group_v1(machine: FakeMachine, hierarchy: str, folder: str, files: Mapping[str, str]) -> None:
    """Make a group of version 1 and those above it, in the hierarchy mounted under this name."""
    parts = [part for part in folder.split("/") if part]
    for depth in range(len(parts) + 1):
        machine.write("/".join(["sys/fs/cgroup", hierarchy, *parts[:depth], "cgroup.procs"]), "")
    for name, content in files.items():
        machine.write("/".join(["sys/fs/cgroup", hierarchy, *parts, name]), content)


def memory_v1(memory_bytes: int, file_bytes: int = 0, limit: str = NO_LIMIT_V1) -> dict[str, str]:
    """Return the files that say what memory a group of version 1 uses and may use."""
    return {
        "memory.usage_in_bytes": f"{memory_bytes}\n",
        "memory.limit_in_bytes": limit,
        "memory.stat": f"cache {file_bytes}\nrss {memory_bytes - file_bytes}\ninactive_file 0\nactive_file 0\n"
        f"total_inactive_file {file_bytes}\ntotal_active_file 0\n",
    }
