"""What a control group uses and may use: CPU time, CPUs, memory. Versions 1 and 2.

Files (the kernel's Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/{cpuacct,cpusets,memory}.rst and
scheduler/sched-bwc.rst):

=============  ======================================  ================================================
what           version 2                               version 1
=============  ======================================  ================================================
CPU time       cpu.stat: usage_usec                    cpuacct.usage (ns)
CPU quota      cpu.max: ``max 100000``                 cpu.cfs_quota_us (-1: none), cpu.cfs_period_us
CPUs           cpuset.cpus.effective                   cpuset.effective_cpus
memory         memory.current, memory.stat             memory.usage_in_bytes, memory.stat (``total_...``)
memory limit   memory.max: ``max``                     memory.limit_in_bytes (none: 2^63 less one page)
=============  ======================================  ================================================
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from greenai.host.machine import read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from greenai.host.cgroup import Cgroup

_NO_LIMIT_BYTES = 1 << 60  # version 1 has no word for "none", only a number nobody's memory reaches


def cgroup_cpu_us(cgroup: Cgroup) -> int:
    """Return the CPU time the group and all below it have used since they were made, in microseconds.

    Raises:
        OSError: The file is not there or the group is gone.
        ValueError: It holds no figure.
    """
    if cgroup.version == 1:
        return int(_read(cgroup.cpu_folder / "cpuacct.usage")) // 1000
    return _field(_read(cgroup.cpu_folder / "cpu.stat"), "usage_usec")


def cgroup_memory_bytes(cgroup: Cgroup) -> int:
    """Return the memory the group holds, in bytes, without the page cache of files.

    The kernel charges file pages to whoever read them first and takes them back when anybody needs the room. They
    are therefore left out (active and inactive), as they are in the machine's MemTotal - MemAvailable, beside
    which this figure is put. Anonymous memory, tmpfs and shared memory, and the kernel's own count.

    Raises:
        OSError: A file is not there (the root of version 2 has none) or the group is gone.
        ValueError: It holds no figure.
    """
    stat = _read(cgroup.memory_folder / "memory.stat")
    if cgroup.version == 1:
        used = int(_read(cgroup.memory_folder / "memory.usage_in_bytes"))
        cache = _field(stat, "total_active_file") + _field(stat, "total_inactive_file")
    else:
        used = int(_read(cgroup.memory_folder / "memory.current"))
        cache = _field(stat, "active_file") + _field(stat, "inactive_file")
    return max(used - cache, 0)  # the two files are not read at the same moment


def cpu_limit(cgroup: Cgroup) -> float | None:
    """Return how many CPUs' worth of time the quota allows, the tightest of the group and all above it.

    None without a quota. Groups above a container's namespace cannot be seen.
    """
    read = _quota_v1 if cgroup.version == 1 else _quota_v2
    return _tightest(cgroup.quota_folder or cgroup.cpu_folder, read)


def cpuset(cgroup: Cgroup) -> frozenset[int] | None:
    """Return the numbers of the CPUs the group may run on; None if no cpuset controller says so.

    What the nearest group above allows counts where the group itself has no such file.
    """
    name = "cpuset.effective_cpus" if cgroup.version == 1 else "cpuset.cpus.effective"
    for folder in _upwards(cgroup.cpuset_folder or cgroup.cpu_folder):
        text = read_text(folder / name)
        if text is not None:
            try:
                return cpu_list(text) or None
            except ValueError:
                return None
    return None


def memory_limit_bytes(cgroup: Cgroup) -> int | None:
    """Return the tightest memory limit of the group and all above it, in bytes; None without one."""
    name = "memory.limit_in_bytes" if cgroup.version == 1 else "memory.max"
    limit = _tightest(cgroup.memory_folder, lambda folder: int(_read(folder / name)))
    return int(limit) if limit is not None and limit < _NO_LIMIT_BYTES else None


def cpu_list(text: str) -> frozenset[int]:
    """Return the numbers in a kernel list such as ``0-3,8,10-11``.

    Raises:
        ValueError: It is no such list.
    """
    numbers: set[int] = set()
    for part in text.split(",") if text.strip() else ():
        first, dash, last = part.partition("-")
        numbers.update(range(int(first), int(last if dash else first) + 1))
    return frozenset(numbers)


def _upwards(folder: Path) -> Iterator[Path]:
    """Yield a group's folder and those above it, up to where no group is."""
    yield folder
    for parent in folder.parents:
        if not (parent / "cgroup.procs").exists():
            return
        yield parent


def _tightest(folder: Path, read: Callable[[Path], float | None]) -> float | None:
    limits: list[float] = []
    for place in _upwards(folder):
        try:
            limit = read(place)
        except (OSError, ValueError):  # "max", or a root, which has no such file
            continue
        if limit is not None and limit > 0:
            limits.append(limit)
    return min(limits, default=None)


def _quota_v1(folder: Path) -> float | None:
    return _cpus(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _quota_v2(folder: Path) -> float | None:
    quota_us, period_us = _read(folder / "cpu.max").split()
    return _cpus(quota_us, period_us)


def _cpus(quota_us: str, period_us: str) -> float | None:
    quota, period = int(quota_us), int(period_us)
    return quota / period if quota > 0 and period > 0 else None


def _read(file: Path) -> str:
    return file.read_text(encoding="ascii", errors="replace")


def _field(text: str, name: str) -> int:
    match = re.search(rf"^{name} (\d+)$", text, re.MULTILINE)
    if match is None:
        raise ValueError(f"no {name}")
    return int(match.group(1))
