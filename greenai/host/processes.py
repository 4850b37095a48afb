"""A process and all that it started: their CPU time and memory (proc_pid_stat(5), proc_pid_statm(5))."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenai.host.machine import Host

_US_PER_S = 1_000_000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def process_tree(host: Host, root_pid: int) -> list[int]:
    """Return a process and its living descendants; empty once the process is gone.

    One whose parent died before it belongs to init and is not found (a daemon that detached itself).
    """
    found: list[int] = []
    waiting = [root_pid]
    while waiting:
        pid = waiting.pop()
        folder = f"{host.proc_root}/{pid}/task"
        try:
            threads = os.listdir(folder)  # noqa: PTH208  # names, not paths
        except OSError:
            continue  # it ended meanwhile
        found.append(pid)
        for thread in threads:
            waiting += [int(child) for child in _read(f"{folder}/{thread}/children").split()]
    return found


def cpu_time_us(host: Host, pids: list[int]) -> int:
    """Return the CPU time of processes and of their children that ended and were waited for, microseconds."""
    ticks = sum(_ticks(_read(f"{host.proc_root}/{pid}/stat")) for pid in pids)
    return ticks * _US_PER_S // _TICKS_PER_S


def resident_bytes(host: Host, pids: list[int]) -> int:
    """Return the resident memory of processes. Pages that several of them share count for each."""
    total = 0
    for pid in pids:
        fields = _read(f"{host.proc_root}/{pid}/statm").split()
        if len(fields) > 1 and fields[1].isdigit():
            total += int(fields[1]) * _PAGE_BYTES
    return total


def _ticks(stat: bytes) -> int:
    # "pid (comm) state ...": the name may hold blanks and brackets, so count from the last bracket.
    fields = stat.rpartition(b")")[2].split()
    try:
        return sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
    except ValueError:
        return 0


def _read(path: str) -> bytes:
    """Return a procfs file, empty if it is gone. Four are read per process and round: it must be quick."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(file, 65536)
    except OSError:
        return b""
    finally:
        os.close(file)
