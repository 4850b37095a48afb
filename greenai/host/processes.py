"""A process and all that it started: their CPU time and memory (proc_pid_stat(5), proc_pid_status(5))."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenai.host.machine import Host

_US_PER_S = 1_000_000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_HELD = re.compile(rb"^Rss(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)


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


def cpu_time_us(host: Host, pids: list[int]) -> int | None:
    """Return the CPU time of processes and of their children that ended and were waited for, microseconds.

    None if one of them has ended meanwhile: its time may be its parent's by now, which was read before.

    Args:
        host: The machine.
        pids: The processes, parents before their children.
    """
    total = 0
    for pid in pids:
        ticks = _ticks(_read(f"{host.proc_root}/{pid}/stat"))
        if ticks is None:
            return None
        total += ticks
    return total * _US_PER_S // _TICKS_PER_S


def memory_bytes(host: Host, pids: list[int]) -> int:
    """Return the memory that processes hold, without file pages: the kernel takes those back when it needs room.

    MemTotal - MemAvailable, beside which this figure is put, leaves them out as well. Pages that several
    processes share count for each.
    """
    total_kib = 0
    for pid in pids:
        total_kib += sum(int(kib) for kib in _HELD.findall(_read(f"{host.proc_root}/{pid}/status")))
    return total_kib * 1024


def start_ticks(pid: int) -> int | None:
    """Return when a process of this machine started (ticks since boot): with its number it names it for ever."""
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return int(fields[19]) if len(fields) > 19 else None  # noqa: PLR2004  # field 22 of proc_pid_stat(5)


def program_image(pid: int) -> bytes | None:
    """Return what changes when a process of this machine executes another program; None once it is dead.

    That is its auxiliary vector, which holds addresses chosen at random. Empty where it may not be read.
    """
    state = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    if not state or state[0] in (b"Z", b"X"):
        return None
    return _read(f"/proc/{pid}/auxv")


def _ticks(stat: bytes) -> int | None:
    # "pid (comm) state ...": the name may hold blanks and brackets, so count from the last bracket.
    fields = stat.rpartition(b")")[2].split()
    try:
        utime, stime, cutime, cstime = (int(field) for field in fields[11:15])
    except ValueError:
        return None
    return utime + stime + cutime + cstime


def _read(path: str) -> bytes:
    """Return a procfs file, empty if it is gone. Four are read per process and round: it must be quick."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        content = os.read(file, 65536)
        while more := os.read(file, 65536):  # one page at a time: a list of 700 children takes two
            content += more
    except OSError:
        return b""
    finally:
        os.close(file)
    return content
