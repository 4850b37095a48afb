"""Vendor libraries in threads of their own: a call that never comes back holds up nobody but its thread.

The library of a sick GPU's driver may hang in any call, for good and deaf to signals (``nvidia-smi`` then hangs as
well). Nothing inside a process can end such a call. So it is made by a thread that nobody needs, and whoever asked
waits until a deadline:

* 2 s to find and open the sensors. A driver that nobody holds open (persistence mode) initialises its GPUs first.
* 0.25 s for a reading; sound libraries take microseconds to a few milliseconds. While a call hangs nobody waits
  again; once it is back its answer is thrown away (it is old by then) and the sensor is read as before.

The question goes through a pipe because the kernel then wakes the thread on the asker's own CPU; a lock wakes it
on an idle one, which must wake up first (5 to 25 us against 20 to 140 us on two virtual CPUs). The answer is a
lock's release, which can be awaited with a deadline. A crash inside a library takes the process with it: no thread
helps against that.
"""

from __future__ import annotations

import errno
import os
import signal
from _thread import allocate_lock, start_new_thread
from contextlib import contextmanager, suppress
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from greenai.host.descriptors import Descriptor

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

READ_PATIENCE_S = 0.25

# gevent and eventlet put their own in place of threads: one of theirs that hangs would hang them all.
_REAL_THREADS = isinstance(start_new_thread, BuiltinFunctionType)
_CALL, _END = b"c", b"e"
_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}
# 32 and 33 are the C library's own. signal.valid_signals() takes longer than to start a thread.
_NEWS = set(range(1, signal.NSIG)) - {32, 33} - _FAULTS

T = TypeVar("T")


class HangsError(Exception):
    """A call has not come back in time."""


@contextmanager
def no_signals() -> Iterator[None]:
    """Let threads started in this block take no signals: they belong to the tracked program's own threads.

    A program that blocks a signal and waits for it would otherwise die of it in our thread.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _NEWS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_quietly(thread: threading.Thread) -> bool:
    """Start a thread that takes no signals; False where there are no more threads."""
    try:
        with no_signals():
            thread.start()
    except RuntimeError:
        return False
    return True


class Guard:
    """Makes calls in a thread of its own, one at a time. The thread is started by the first call."""

    def __init__(self) -> None:
        self._turn = allocate_lock()
        self._worker: _Worker | None = None
        self._pid = os.getpid()
        self._late = False
        _guards.add(self)

    def call(self, function: Callable[[], T], patience_s: float) -> T:
        """Return what the function returns, or raise what it raises.

        Args:
            function: What to call.
            patience_s: How long to wait for it, seconds.

        Raises:
            HangsError: It, or a call before it, has not come back.
        """
        if not _REAL_THREADS:
            return function()
        if self._pid != os.getpid():
            # Threads do not survive a fork, and a lock may have been held by one of them.
            self._turn, self._worker, self._pid, self._late = allocate_lock(), None, os.getpid(), False
        if not self._turn.acquire(timeout=patience_s):
            raise HangsError
        try:
            worker = self._worker
            if worker is None:
                worker = self._worker = _Worker()
            if not worker.wait(0.0 if self._late else patience_s):
                self._late = True
                raise HangsError
            try:
                worker.ask(function)
            except OSError:  # the program has closed all files, ours as well
                worker = self._worker = _Worker()
                worker.ask(function)
            self._late = not worker.wait(patience_s)
            if self._late:
                raise HangsError
            answer: T = worker.take()
            return answer
        finally:
            self._turn.release()

    def close(self, last: Callable[[], object]) -> None:
        """Make a last call and end the thread. If it hangs it does so by itself, should it ever come back."""
        try:
            self.call(last, READ_PATIENCE_S)
        except HangsError:
            self.dismiss(last)
        finally:
            self.dismiss(_nothing)

    def rest(self) -> None:
        """End the thread if it does nothing; the next call starts another."""
        if self._pid == os.getpid() and self._turn.acquire(blocking=False):
            worker = self._worker
            if worker is not None and worker.wait(0.0):
                self._worker = None
                worker.end(_nothing)
                worker.wait(READ_PATIENCE_S)
            self._turn.release()

    def __del__(self) -> None:
        with suppress(Exception):  # the interpreter may be half gone
            if self._pid == os.getpid():
                self.dismiss(_nothing)

    def dismiss(self, last: Callable[[], object]) -> None:
        """Have the thread make a last call and end; without waiting for either."""
        if self._turn.acquire(blocking=False):
            worker, self._worker = self._worker, None
            if worker is not None:
                worker.end(last)
            self._turn.release()


class _Worker:
    """The thread of a guard, and what passes between the two.

    Questions and answers are counted, so that an asker who was interrupted (Ctrl-C) leaves nothing in disorder.
    """

    def __init__(self) -> None:
        self._inbox, self._bell = map(Descriptor, os.pipe())
        self._ready = allocate_lock()  # released when there is an answer
        self._ready.acquire()
        self._asked = 0
        self._answered = 0
        self._function: Callable[[], Any] = _nothing
        self._last: Callable[[], object] = _nothing
        self._value: Any = None
        self._error: BaseException | None = None
        try:
            with no_signals():
                # Not threading.Thread: the program need not see it, nor trace it.
                start_new_thread(self._work, ())
        except RuntimeError:  # no more threads
            self._hang_up()
            raise

    def ask(self, function: Callable[[], Any]) -> None:
        """Have a function called. Only once all that was asked before is answered.

        Raises:
            OSError: The program has closed the pipe.
        """
        self._function, self._value, self._error = function, None, None
        self._asked += 1
        self._ring(_CALL)

    def wait(self, patience_s: float) -> bool:
        """Wait until all that was asked is answered; False if it is not in time, seconds."""
        while self._answered != self._asked:
            if not self._ready.acquire(timeout=patience_s):
                return self._answered == self._asked
        return True

    def take(self) -> Any:
        """Return the answer, or raise it."""
        if self._error is not None:
            raise self._error
        return self._value

    def end(self, last: Callable[[], object]) -> None:
        """End the thread, after a last call."""
        self._last = last
        self._asked += 1
        with suppress(OSError):
            self._ring(_END)

    def _ring(self, word: bytes) -> None:
        if not self._bell.ours:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        os.write(self._bell.number, word)

    def _work(self) -> None:
        with suppress(OSError):
            while (word := self._listen()) == _CALL:
                try:
                    self._value = self._function()
                except BaseException as error:  # noqa: BLE001  # it is raised in the asker
                    self._error = error
                self._answer()
            if word == _END:
                with suppress(BaseException):
                    self._last()
                self._hang_up()
                self._answer()

    def _listen(self) -> bytes:
        """Return the next word; none if the program has closed the pipe."""
        return os.read(self._inbox.number, 1) if self._inbox.ours else b""

    def _hang_up(self) -> None:
        self._inbox.close()
        self._bell.close()

    def _answer(self) -> None:
        self._answered += 1
        if self._ready.locked():
            self._ready.release()


def _nothing() -> None:
    """Do nothing."""


_guards: WeakSet[Guard] = WeakSet()


def _before_fork() -> None:
    """Leave no thread of ours in the way of a fork: Python 3.12 and newer warn of programs that have any."""
    for guard in tuple(_guards):
        guard.rest()


os.register_at_fork(before=_before_fork)
