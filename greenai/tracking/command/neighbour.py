"""Was a signal meant for the wrapper alone, or sent to all processes of a group or a batch job?

Slurm at the time limit, ``kill -- -GROUP`` and ``kill 0`` signal the command directly; passed on by the wrapper it
would arrive twice. The kernel does not say to whom else a signal went. So a process that does nothing, with all
signals held, stands beside the command: what waits there too was meant for all.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

# How long a sender that signals one process after another may take to get to the neighbour.
_SENDING_S = 0.005
_WAITING = re.compile(r"^(?:SigPnd|ShdPnd):\s+([0-9a-f]+)$", re.MULTILINE)


class Neighbour:
    """The process beside the command: ``cat`` on a pipe that never says anything, and ends with this process."""

    def __init__(self) -> None:
        self._pid = self._line = 0
        self._used: set[int] = set()
        self._start()

    @property
    def used(self) -> bool:
        """Whether signals wait there that have been dealt with; ``renew`` it when there is time."""
        return bool(self._used)

    def note(self, number: int) -> None:
        """Take note that a signal is known to have been sent to all."""
        if self._pid:
            self._used.add(number)

    def renew(self) -> None:
        """Start another one: what waits at a process cannot be taken away again."""
        self.close()
        self._start()

    def got_too(self, number: int) -> bool:
        """Say whether a signal that this process got was sent to others as well; False if that is unknown."""
        if not self._pid or number in self._used:
            return False
        time.sleep(_SENDING_S)
        try:
            status = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return False
        if not any(int(waiting, 16) >> (number - 1) & 1 for waiting in _WAITING.findall(status)):
            return False
        self.renew()
        return True

    def close(self) -> None:
        """End it."""
        if self._pid:
            with suppress(OSError):
                os.close(self._line)
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
            self._pid = 0
        self._used.clear()

    def _start(self) -> None:
        program = shutil.which("cat")
        if program is None or not Path("/proc/self/status").exists():
            return
        try:
            theirs, ours = os.pipe()
        except OSError:  # no more descriptors: then nobody tells us who else got a signal
            return
        actions = [
            (os.POSIX_SPAWN_DUP2, theirs, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        try:
            self._pid = os.posix_spawn(
                program, ["cat"], {}, file_actions=actions, setsigmask=signal.valid_signals()
            )
            self._line = ours
        except OSError:
            os.close(ours)
        finally:
            os.close(theirs)
