"""Starting, watching and ending the sampler beside the tracked program."""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

from greenai.core.units import NS_PER_MS
from greenai.host.processes import start_ticks
from greenai.sampler.guard import start_quietly
from greenai.sampler.leash import SIGN_EVERY_S, STOP_WORD
from greenai.sampler.order import SamplingOrder
from greenai.sampler_process import MODULE
from greenai.tracking.session.detached import LEAST_BELL, start_detached
from greenai.tracking.session.line import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from greenai.core.vocabulary import Scope
    from greenai.plugins import Plugin
    from greenai.settings import Settings

MOST_RESTARTS = 5
_PAUSE_S = 0.2
# The twentieth part of what a vendor's counter takes to renew its value.
_RING_EVERY_NS = NS_PER_MS
_SIGNS_MISSED = 1.5


class Sampling(Protocol):
    """A sampler at work."""

    def stop(self) -> None:
        """End it, without waiting for it."""


class SamplerChild:
    """The sampler as a process of its own.

    It ends with this one, however this one ends. If it dies itself, it is started again.

    Attributes:
        reads: Names of the collectors that it reads when it is rung for. Vendors' libraries are among them: at a
            window's ends the program need not wait for those, nor for a thread that calls them.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        scope: Scope,
        *,
        service: bool,
        plugins: Sequence[Plugin] | None,
        died: Callable[[int], None],
    ) -> None:
        """Start it; nobody waits until it is ready.

        Args:
            folder: The run's folder in the spool.
            settings: The settings in force.
            scope: Whose energy the run is, resolved for this machine.
            service: Whether the run may go on for months.
            plugins: Where it finds its collectors; None for everywhere.
            died: Told when it died before it was to stop, and how often that has happened.

        Raises:
            OSError: No process can be started here.
        """
        self._pid = os.getpid()
        self._order = SamplingOrder(
            folder=str(folder),
            interval_s=settings.interval_s,
            knowledge=settings.knowledge,
            scope=scope,
            database=settings.db if settings.ingest == "background" else None,
            service=service,
            pid=self._pid,
            started_ticks=start_ticks(self._pid),
            plugins=None if plugins is None else tuple((plugin.name, plugin.value) for plugin in plugins),
        )
        self._died = died
        self._stopped = False
        self._changing = threading.Lock()
        self.reads: frozenset[str] = frozenset()
        self._rung_ns = 0
        self._hears = True
        self._line = self._start()
        _AT_WORK.add(self)
        self._watcher = threading.Thread(target=self._watch, name="greenai-watch", daemon=True)
        start_quietly(self._watcher)  # without a thread nobody starts it again

    def ring(self) -> bool:
        """Have it read now; False if it does not hear: it hangs, or the program has closed the bell.

        Waits for nobody: the reading is a fraction of a millisecond younger than the call. Where one window ends
        and the next begins, one reading serves both.
        """
        now_ns = time.monotonic_ns()
        if now_ns - self._rung_ns > _RING_EVERY_NS:
            self._rung_ns = now_ns
            self._hears = self._line.ring()
        return self._hears

    def stop(self) -> None:
        """Say stop."""
        if self._pid != os.getpid():
            return  # a forked child: the sampler is its parent's
        with self._changing:
            self._stopped = True
            self._line.write(STOP_WORD)

    def settle(self, patience_s: float) -> None:
        """Wait until it writes no more, once it was told to stop; not longer than this, seconds.

        One that has not spoken by now will find the word to stop before it begins.
        """
        if self._pid == os.getpid() and self._watcher.is_alive() and self._line.has_spoken():
            self._watcher.join(patience_s)

    def let_go(self) -> None:
        """Forget it, in a forked child: the sampler must see its end of the pipe when the parent dies."""
        self.reads = frozenset()
        self._line.close()

    def _start(self) -> Line:
        line_end, theirs = socket.socketpair()
        bell_end, their_bell = socket.socketpair()
        with theirs, their_bell:
            # In a program without stdin it might be one of those that the way there needs itself.
            bell = fcntl.fcntl(their_bell, fcntl.F_DUPFD_CLOEXEC, LEAST_BELL)
            try:
                self._child = start_detached(MODULE, theirs.fileno(), bell)
            except BaseException:
                line_end.close()
                bell_end.close()
                raise
            finally:
                os.close(bell)
        line = Line(line_end, bell_end, self._learn)
        line.write(self._order._replace(bell=bell).to_line())
        return line

    def _learn(self, reads: frozenset[str]) -> None:
        self.reads = reads

    def _watch(self) -> None:
        patience_s = _SIGNS_MISSED * max(SIGN_EVERY_S, self._order.interval_s)
        for count in range(1, MOST_RESTARTS + 2):
            if self._child is not None:
                self._child.wait()
            self._line.wait_for_reader_to_go(patience_s)
            self.reads = frozenset()
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


_AT_WORK: WeakSet[SamplerChild] = WeakSet()


def _after_fork_in_child() -> None:
    for sampler in list(_AT_WORK):
        sampler.let_go()
    _AT_WORK.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
