"""Signals sent to the command wrapper: held back instead of handled, so that it can say who sent them and why.

A held signal waits in the kernel until somebody asks for it. None of them interrupts a system call of ours or ends
us, and those that come before there is a command, or after its end, are not lost.
"""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType

# Faults of our own, not messages to the command; SIGKILL and SIGSTOP cannot be held.
_NOT_HELD = frozenset(
    {
        signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS,
        signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGKILL, signal.SIGSTOP,
    }
)  # fmt: skip
HELD = frozenset(signal.valid_signals()) - _NOT_HELD
STOPS = frozenset({signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
_OF_A_TERMINAL = STOPS | {signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH}
_SI_KERNEL = 0x80  # sigaction(2): sent by the kernel, here on behalf of a terminal
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Arrived:
    """A signal that was sent to this process.

    Attributes:
        number: Which.
        sender_pid: Who sent it; 0 if that is unknown.
        by_kernel: The kernel did, on behalf of a terminal: then the whole foreground group got it.
    """

    number: int
    sender_pid: int = 0
    by_kernel: bool = False


class HeldSignals:
    """Holds back all signals that can be meant for the command, while it is entered. Only in the main thread."""

    def __enter__(self) -> Self:
        """Hold them."""
        self.before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
        return self

    def watch_children(self) -> None:
        """Let the end of a child be among what ``wait`` returns."""
        # A handler, since some kernels drop a held signal whose default is to be ignored. It also undoes an
        # inherited SIG_IGN, under which no exit code could be had.
        self._on_child = signal.signal(signal.SIGCHLD, _nothing)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what still waits, and be as before."""
        self.pending()
        signal.pthread_sigmask(signal.SIG_SETMASK, self.before)
        if hasattr(self, "_on_child"):
            signal.signal(signal.SIGCHLD, self._on_child)

    def pending(self) -> list[Arrived]:
        """Return what has arrived."""
        found: list[Arrived] = []
        while arrived := self.wait(0):
            found.append(arrived)
        return found

    def wait(self, seconds: float | None = None) -> Arrived | None:
        """Return the next signal, SIGCHLD included.

        Args:
            seconds: How long to wait for one; None for as long as it takes.

        Returns:
            None if none came in time.
        """
        awaited = HELD | {signal.SIGCHLD}
        if sys.platform == "darwin":  # knows no sender
            return _wait_without_sender(awaited, seconds)
        info = signal.sigwaitinfo(awaited) if seconds is None else signal.sigtimedwait(awaited, seconds)
        return None if info is None else Arrived(info.si_signo, max(info.si_pid, 0), info.si_code == _SI_KERNEL)


def take_effect(number: int) -> None:
    """Let a held signal do what it would have done: stop us until somebody continues us, or end us."""
    signal.raise_signal(number)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})


def _wait_without_sender(awaited: frozenset[int], seconds: float | None) -> Arrived | None:
    deadline = None if seconds is None else time.monotonic() + seconds
    while deadline is not None and not signal.sigpending() & awaited:
        if time.monotonic() >= deadline:
            return None
        time.sleep(_POLL_S)
    number = signal.sigwait(awaited)
    return Arrived(number, by_kernel=number in _OF_A_TERMINAL)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    pass
