"""Processes that a command leaves running when it ends, found by their environment or as our children."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from greenai.host.processes import start_ticks

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
# Our own, which take a run into the database or read sensors: they end by themselves.
_OURS = (b"\0greenai.sampler_process\0", b"\0greenai.ingest\0")
_LOAD = Path("/proc/loadavg")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine.

    Attributes:
        pid: Its number.
        started_ticks: When it started; with the number it names it for ever.
        name: What it is called.
    """

    pid: int
    started_ticks: int
    name: str

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return start_ticks(self.pid) == self.started_ticks and not _is_dead(self.pid)

    def send(self, number: int) -> None:
        """Send it a signal."""
        with suppress(OSError):
            if self.lives:
                os.kill(self.pid, number)


def carriers(run_id: str, since_pid: int | None = None) -> list[Process]:
    """Return the processes that were started with this run in their environment.

    One that wrote over its environment, or whose environment may not be read, is not found.

    Args:
        run_id: The run.
        since_pid: Look only at processes that were started after this one, a moment ago; default is at all.
    """
    mark = f"GREENAI_RUN_ID={run_id}".encode()
    pids = _all_pids() if since_pid is None else _born_after(since_pid)
    return _processes([pid for pid in pids if mark in _read(pid, "environ").split(b"\0")])


def descendants() -> list[Process]:
    """Return the children of this process and theirs, but not those that work for us."""
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        pid = waiting.pop()
        for folder in Path(f"/proc/{pid}/task").glob("*"):
            children = [int(child) for child in _read(pid, f"task/{folder.name}/children").split()]
            children = [child for child in children if not _is_ours(child)]
            found += children
            waiting += children
    return _processes(found)


def adopt_orphans() -> bool:
    """Become the parent of descendants whose own parent ends; False where that cannot be (not on Linux)."""
    import ctypes

    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except AttributeError:
        return False


def reap(processes: list[Process]) -> None:
    """Collect the exit status of those that have ended and were adopted."""
    for process in processes:
        with suppress(OSError):
            os.waitpid(process.pid, os.WNOHANG)


def _processes(pids: list[int]) -> list[Process]:
    found = []
    for pid in sorted(set(pids)):
        started_ticks = start_ticks(pid)
        if pid == os.getpid() or started_ticks is None or _is_dead(pid) or _is_ours(pid):
            continue
        name = _read(pid, "comm").decode(errors="replace").rstrip("\n")
        found.append(Process(pid, started_ticks, "".join(sign if sign.isprintable() else "?" for sign in name)))
    return found


def _born_after(pid: int) -> list[int]:
    """Return what was started after a process; its numbers go round, so that is more than the higher ones."""
    try:
        last = int(_LOAD.read_text(encoding="ascii").split()[-1])
    except (OSError, ValueError):
        return _all_pids()
    if last >= pid:
        return [other for other in _all_pids() if pid < other <= last]
    return [other for other in _all_pids() if other > pid or other <= last]


def _all_pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208  # names, not paths
    except OSError:
        return []


def _is_dead(pid: int) -> bool:
    return _read(pid, "stat").rpartition(b")")[2].split()[:1] in ([], [b"Z"], [b"X"])


def _is_ours(pid: int) -> bool:
    command = _read(pid, "cmdline")
    return any(part in command for part in _OURS)


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
