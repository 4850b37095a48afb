"""Starting, watching and ending the sampler beside the tracked program."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from greenai.host.descriptors import Descriptor
from greenai.host.processes import start_ticks
from greenai.sampler.guard import start_quietly
from greenai.sampler_process import SIGN_EVERY_S, STOP_WORD, Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from greenai.core.vocabulary import Scope
    from greenai.settings import Settings

# The shell puts the sampler behind itself and ends: so it is no child of the tracked program, and one that waits
# for its children (os.wait) does not wait for it. A background command reads /dev/null unless told otherwise.
_DETACHED = ("sh", "-c", 'exec 3<&0; "$@" <&3 3<&- &', "sh")

MOST_RESTARTS = 5
_PAUSE_S = 0.2
_SIGNS_MISSED = 1.5


class Sampling(Protocol):
    """A sampler at work."""

    def stop(self) -> None:
        """End it, without waiting for it."""


class SamplerChild:
    """The sampler as a process of its own.

    It ends with this one, however this one ends. If it dies itself, it is started again.
    """

    def __init__(
        self, folder: Path, settings: Settings, scope: Scope, *, service: bool, died: Callable[[int], None]
    ) -> None:
        """Start it; nobody waits until it is ready.

        Args:
            folder: The run's folder in the spool.
            settings: The settings in force.
            scope: Whose energy the run is, resolved for this machine.
            service: Whether the run may go on for months.
            died: Told when it died before it was to stop, and how often that has happened.

        Raises:
            OSError: No process can be started here.
        """
        self._pid = os.getpid()
        self._order = Order(
            folder=str(folder),
            interval_s=settings.interval_s,
            knowledge=settings.knowledge,
            scope=scope,
            database=settings.db if settings.ingest == "background" else None,
            service=service,
            pid=self._pid,
            started_ticks=start_ticks(self._pid),
        )
        self._died = died
        self._stopped = False
        self._changing = threading.Lock()
        self._line = self._start()
        _AT_WORK.add(self)
        # Without a thread nobody starts it again.
        start_quietly(threading.Thread(target=self._watch, name="greenai-watch", daemon=True))

    def stop(self) -> None:
        """Say stop."""
        if self._pid != os.getpid():
            return  # a forked child: the sampler is its parent's
        with self._changing:
            self._stopped = True
            self._line.write(STOP_WORD)

    def let_go(self) -> None:
        """Forget it, in a forked child: the sampler must see its end of the pipe when the parent dies."""
        self._line.close()

    def _start(self) -> _Line:
        ours, theirs = socket.socketpair()
        try:
            self._child = _start_process(theirs.fileno())
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        line = _Line(ours)
        line.write(self._order.to_line())
        return line

    def _watch(self) -> None:
        patience_s = _SIGNS_MISSED * max(SIGN_EVERY_S, self._order.interval_s)
        for count in range(1, MOST_RESTARTS + 2):
            if self._child is not None:
                self._child.wait()
            self._line.wait_for_reader_to_go(patience_s)
            if self._done():
                return
            with suppress(Exception):  # our failure never harms the tracked program
                self._died(count)
            if count > MOST_RESTARTS:
                return
            time.sleep(_PAUSE_S * (2 ** (count - 1) - 1))  # at once the first time
            if self._done():
                return
            with self._changing:
                self._line.close()
                try:
                    self._line = self._start()
                except OSError:
                    return

    def _done(self) -> bool:
        """Say whether it was to end, or cannot be reached any more; let go of it then."""
        with self._changing:
            if self._stopped or not self._line.ours:
                self._line.close()
                return True
            return False


class _Line:
    """Our end of the sampler's stdin: a socket, since writing to a pipe that nobody reads raises a signal."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._descriptor = Descriptor(end.fileno())

    @property
    def ours(self) -> bool:
        """Whether it is still the socket it was, and not a file of the program's."""
        return self._descriptor.ours

    def write(self, line: bytes) -> None:
        """Write, if somebody reads. Waits for nobody."""
        if self.ours:
            with suppress(OSError):
                self._end.send(line, socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)

    def close(self) -> None:
        """Close it, if it is still ours."""
        self._descriptor.close()
        self._end.detach()

    def wait_for_reader_to_go(self, patience_s: float) -> None:
        """Return when the other end is closed, or has given no sign of life for this long: it hangs."""
        poll = select.poll()
        try:
            poll.register(self._end.fileno(), select.POLLIN)
            # Twice: after a stop of the whole machine time is up for this end before the other one can speak.
            while poll.poll(patience_s * 1000) or poll.poll(patience_s * 1000):
                if not self.ours or not self._end.recv(64, socket.MSG_DONTWAIT):
                    return
        except (OSError, ValueError):
            return


def _start_process(stdin: int) -> subprocess.Popen[bytes] | None:
    """Start the sampler behind a shell that ends at once; where there is no shell, as a child, and return it.

    The end of the shell is waited for, a millisecond: the program must not meet it when it waits for its own.

    Raises:
        OSError: No process can be started.
    """
    # A session of its own: what is meant for the program's group (Ctrl-C, a kill of all of it) passes it by.
    options: Any = {
        "stdin": stdin,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "start_new_session": True,
    }
    # -P: a file named like a standard module in the user's folder must not be imported.
    command = (_interpreter(), "-P", "-m", "greenai.sampler_process")
    listens = callable(signal.getsignal(signal.SIGCHLD))
    try:
        with _no_news_of_children() if listens else nullcontext():
            code = subprocess.call([*_DETACHED, *command], **options)
    except FileNotFoundError:
        return subprocess.Popen(command, **options)
    if code != 0:
        raise OSError(code, "the shell could start no process")
    return None


@contextmanager
def _no_news_of_children() -> Iterator[None]:
    """Keep the death of the shell from a program that listens for the deaths of its own children."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    try:
        yield
    finally:
        came = signal.sigtimedwait({signal.SIGCHLD}, 0) is not None
        with suppress(ChildProcessError):
            if came and os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                signal.raise_signal(signal.SIGCHLD)  # one of the program's own ended meanwhile
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _interpreter() -> str:
    """Return the Python interpreter; inside another program (a web server) that is not ``sys.executable``.

    Raises:
        FileNotFoundError: There is none.
    """
    for path in (sys.executable or "", f"{sys.prefix}/bin/python3"):
        if os.path.basename(path).startswith(("python", "pypy")) and os.access(path, os.X_OK):  # noqa: PTH119  # hot
            return path
    raise FileNotFoundError(errno.ENOENT, "no Python interpreter", sys.executable)


_AT_WORK: WeakSet[SamplerChild] = WeakSet()


def _after_fork_in_child() -> None:
    for sampler in list(_AT_WORK):
        sampler.let_go()
    _AT_WORK.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
