"""A process and all that it started: their CPU time and memory (proc_pid_stat(5), proc_pid_statm(5))."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from greenai.host.machine import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.host.machine import Host

_US_PER_S = 1_000_000


def process_tree(host: Host, root_pid: int) -> list[int]:
    """Return a process and its living descendants; empty once the process is gone.

    One whose parent died before it belongs to init and is not found (a daemon that detached itself).
    """
    found: list[int] = []
    waiting = [root_pid]
    while waiting:
        pid = waiting.pop()
        folder = host.proc_root / str(pid) / "task"
        try:
            threads = os.listdir(folder)  # noqa: PTH208  # names, not paths
        except OSError:
            continue  # it ended meanwhile
        found.append(pid)
        for thread in threads:
            waiting += [int(child) for child in (read_text(folder / thread / "children") or "").split()]
    return found


def cpu_time_us(host: Host, pids: list[int]) -> int:
    """Return the CPU time of processes and of their children that ended and were waited for, microseconds."""
    ticks = sum(_ticks(host.proc_root / str(pid) / "stat") for pid in pids)
    return ticks * _US_PER_S // os.sysconf("SC_CLK_TCK")


def resident_bytes(host: Host, pids: list[int]) -> int:
    """Return the resident memory of processes. Pages that several of them share count for each."""
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid in pids:
        fields = (read_text(host.proc_root / str(pid) / "statm") or "").split()
        if len(fields) > 1 and fields[1].isdecimal():
            total += int(fields[1]) * page_bytes
    return total


def _ticks(stat: Path) -> int:
    # "pid (comm) state ...": the name may hold blanks and brackets, so count from the last bracket.
    fields = (read_text(stat) or "").rpartition(")")[2].split()
    try:
        return sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
    except ValueError:
        return 0
