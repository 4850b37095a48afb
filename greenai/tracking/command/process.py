"""The command of ``greenai run``: started as if greenai were not there, and given every signal meant for it.

It stays in our process group, our session and on our terminal, with our descriptors; so Ctrl-C, job control, pipes
and the size of the window work by themselves.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from greenai.tracking.command.neighbour import Neighbour
from greenai.tracking.command.signals import STOPS, take_effect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.tracking.command.signals import Arrived, HeldSignals

# Python ignores these two; the command must not.
_RESET = tuple(number for name in ("SIGPIPE", "SIGXFSZ") if (number := getattr(signal, name, None)) is not None)
_LAST_STANDARD_FILE = 2
_IDLE_S = 0.2


class Command:
    """A command as our child."""

    def __init__(
        self,
        program: str,
        command: Sequence[str],
        environ: Mapping[str, str],
        signals: HeldSignals,
        *,
        leads: bool = False,
    ) -> None:
        """Start it.

        Args:
            program: The file to execute.
            command: Its name and arguments, as they were typed.
            environ: Its environment.
            signals: What is sent to us, held back. The command starts with the signals that were held before.
            leads: Whether it leads a process group of its own, as a batch script does; then there is no terminal.

        Raises:
            OSError: It cannot be executed.
        """
        signals.watch_children()
        self._signals = signals
        self._neighbour = Neighbour()
        self._stopped = False
        self._stop: int | None = None  # what a terminal, a shell or Slurm wants us to stop with
        self.code: int | None = None
        # What came until now found no command that the terminal or the batch system could have sent it to as well.
        early = signals.pending()
        try:
            spawn = partial(
                os.posix_spawn, program, list(command), environ, setsigmask=signals.before, setsigdef=_RESET
            )
            self.pid = spawn(setpgroup=0) if leads else spawn()
        except OSError:
            self._neighbour.close()
            raise
        for arrived in early:
            self._note_stop(arrived.number)
            self.send(arrived.number)

    def wait(self) -> int:
        """Wait for its end, pass on signals meanwhile, and stop when it stops.

        Returns:
            Its exit code, or minus the signal that ended it.
        """
        try:
            return self._attend()
        except Exception:  # noqa: BLE001  # our failure never changes how the command ends
            if self.code is None:
                self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            return self.code

    def _attend(self) -> int:
        while True:
            self._look()
            if self.code is not None:
                self._neighbour.close()
                return self.code
            # A command may refuse to stop; then our shell must not believe that it did.
            if self._stopped and self._stop is not None:
                take_effect(self._stop)
                self._stop = None
                continue
            arrived = self._signals.wait(_IDLE_S if self._neighbour.used else None)
            if arrived is None:
                self._neighbour.renew()
                continue
            if arrived.number == signal.SIGCHLD:
                continue
            self._note_stop(arrived.number)
            if self._is_to_be_passed_on(arrived):
                self.send(arrived.number)

    def send(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if number != signal.SIGCHLD and self.code is None:
            with suppress(OSError):  # one that changed its user may not be signalled
                os.kill(self.pid, number)

    def _note_stop(self, number: int) -> None:
        if number in STOPS:
            self._stop = number
        elif number == signal.SIGCONT:
            self._stop = None

    def _is_to_be_passed_on(self, arrived: Arrived) -> bool:
        if arrived.by_kernel:
            # A terminal signals the whole group; but when it hangs up, the leader of the session alone.
            self._neighbour.note(arrived.number)
            return arrived.number in (signal.SIGHUP, signal.SIGCONT) and os.getsid(0) == os.getpid()
        # What the command sent to us it has done itself.
        return arrived.sender_pid != self.pid and not self._neighbour.got_too(arrived.number)

    def _look(self) -> None:
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            if pid == 0:
                return
            self._stopped = os.WIFSTOPPED(status)
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                self.code = os.waitstatus_to_exitcode(status)


def inherited_files() -> frozenset[int]:
    """Return the open descriptors; standard ones that are closed are kept so by a placeholder.

    Called before we open anything: a journal must never be what the command's libraries call standard error.
    """
    for number in range(_LAST_STANDARD_FILE + 1):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number; not inherited
    return frozenset(_open_files())


def keep_to_ourselves(inherited: frozenset[int]) -> None:
    """Make sure that the command gets no descriptor that a library of ours has opened since.

    Args:
        inherited: What we were given, see ``inherited_files``.
    """
    for number in _open_files():
        if number not in inherited:
            with suppress(OSError):
                os.set_inheritable(number, False)


def inherited_environ() -> dict[str, str]:
    """Return our environment as it was given to us: under LANG=C Python sets LC_CTYPE for itself (PEP 538)."""
    environ = dict(os.environ)
    try:
        given = Path("/proc/self/environ").read_bytes()
    except OSError:
        return environ
    if not any(entry.startswith(b"LC_CTYPE=") for entry in given.split(b"\0")):
        environ.pop("LC_CTYPE", None)
    return environ


def _open_files() -> list[int]:
    for folder in ("/proc/self/fd", "/dev/fd"):
        with suppress(OSError):
            return [int(name) for name in os.listdir(folder)]  # noqa: PTH208  # names, not paths
    return []
