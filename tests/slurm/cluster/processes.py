"""The cluster's daemons, known by number and start time: a number given anew is never taken for one of ours."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_T = TypeVar("_T")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ClusterError(Exception):
    """The cluster is not as it should be; the message says what, and ends with what the daemons wrote."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process of this machine."""

    pid: int
    start_ticks: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process that has this number now."""
        stat = _stat(pid)
        return cls(pid, stat[1]) if stat else None

    @property
    def alive(self) -> bool:
        """Zombies are dead: in a container nobody may reap them for long."""
        stat = _stat(self.pid)
        return stat is not None and stat[1] == self.start_ticks and stat[0] not in "ZX"

    def children(self) -> list[Process]:
        """The living processes that it has started."""
        try:
            pids = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii").split()
        except OSError:
            return []
        return [child for child in map(Process.of, map(int, pids)) if child and child.alive]

    def send(self, number: signal.Signals) -> None:
        """Send a signal; a process that is gone is none to complain about."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _stat(pid: int) -> tuple[str, int] | None:
    """State and start time."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return fields[0], int(fields[19])
    except (OSError, IndexError, ValueError):
        return None


def until(what: str, test: Callable[[], _T], timeout_s: float = 60, every_s: float = 0.02) -> _T:
    """Wait for a true answer, and return it.

    Raises:
        ClusterError: It did not come in time.
    """
    deadline = time.monotonic() + timeout_s
    while not (answer := test()):
        if time.monotonic() > deadline:
            raise ClusterError(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(every_s)
    return answer


class Daemons:
    """The daemons of one cluster, recorded in its folder, so that another process can end them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "processes.json"
        self._own: dict[str, subprocess.Popen[bytes]] = {}

    def names(self) -> list[str]:
        """All that were ever started."""
        return list(self._recorded())

    def get(self, name: str) -> Process | None:
        """A daemon that lives."""
        process = self._recorded().get(name)
        return process if process and process.alive else None

    def ensure(self, name: str, argv: Sequence[str], environ: Mapping[str, str] | None = None) -> bool:
        """Start a daemon unless it lives; say whether it was started.

        Its environment says nothing of ours: a daemon must not believe that it is part of a job or of a test.
        """
        if self.get(name):
            return False
        self._reap(name)
        environ = {"PATH": _PATH, "SLURM_CONF": str(self._folder / "slurm.conf"), **(environ or {})}
        with (self._folder / "log" / f"{name}.out").open("ab") as log:
            popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ, cwd="/", start_new_session=True,
            )  # fmt: skip
        self._own[name] = popen
        process = Process.of(popen.pid)
        assert process, "a child that is not reaped has an entry in /proc"
        recorded = {**self._recorded(), name: process}
        temporary = self._file.with_suffix(".new")
        temporary.write_text(json.dumps({key: [p.pid, p.start_ticks] for key, p in recorded.items()}))
        temporary.replace(self._file)
        return True

    def wait(self, what: str, test: Callable[[], object], names: Iterable[str], timeout_s: float = 60) -> None:
        """Wait for something that these daemons bring about.

        Raises:
            ClusterError: One of them ended, or it took too long.
        """
        names = list(names)

        def happened() -> bool:
            if test():
                return True
            for name in names:
                if not self.get(name):
                    raise ClusterError(f"{name} ended")
            return False

        try:
            until(what, happened, timeout_s)
        except ClusterError as error:
            logs = "".join(self._tail(name) for name in names)
            raise ClusterError(f"{error} (waiting for {what})\n{logs}") from None

    def kill(self, names: Iterable[str]) -> None:
        """Kill daemons and wait for their deaths."""
        recorded = self._recorded()
        doomed = {name: recorded[name] for name in names if name in recorded}
        for process in doomed.values():
            process.send(signal.SIGKILL)
        self.await_end(doomed)

    def await_end(self, names: Iterable[str]) -> None:
        """Wait for daemons that end by themselves."""
        for name in names:
            self._await_end(name)

    def _await_end(self, name: str) -> None:
        until(f"the end of {name}", lambda: not self.get(name), 10)
        self._reap(name)

    def _reap(self, name: str) -> None:
        if popen := self._own.pop(name, None):
            popen.wait(10)

    def _recorded(self) -> dict[str, Process]:
        try:
            entries = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        return {name: Process(*entry) for name, entry in entries.items()}

    def _tail(self, name: str) -> str:
        text = ""
        for file in sorted((self._folder / "log").glob(f"{name}.*")):
            lines = file.read_text(errors="replace").splitlines()[-8:]
            text += "".join(f"  {file.name}: {line}\n" for line in lines)
        return text
