"""The books of a service in one process: what its requests add up to, and the lines that say so.

A request costs some microseconds: a lock, two additions and an entry in each histogram. It is never written down
alone. Lines are written

* by a thread, each sampling interval in which anything changed, and once a minute with the histograms;
* by the request itself, with readings, where the service turns from idle to busy or back, so that pauses are exact
  to the reading; so seldom that it takes no more than a share of ``_BORDER_SHARE`` of the time.
"""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Protocol

from greenai.core.collector import Incident
from greenai.core.served import ActivityMark, ExclusiveTimes
from greenai.core.share_clock import ShareClock
from greenai.core.text import Text
from greenai.core.units import NS_PER_MS, NS_PER_S
from greenai.core.vocabulary import Role
from greenai.journal import format as f
from greenai.journal.writer import JournalWriter
from greenai.sampler.guard import start_quietly

if TYPE_CHECKING:
    from greenai.tracking.session import Session

_numbers = itertools.count()
_MINUTE_NS = 60 * NS_PER_S

# Reading at a border: not again so soon, on average two each interval, at most eight at once, and never by sensors
# that would hold up the request noticeably.
_BORDER_PAUSE_NS = 50 * NS_PER_MS
_BORDERS_PER_INTERVAL = 2
_BORDERS_AT_ONCE = 8
_BORDER_SHARE = 1 / 200
_SLOW_READING_NS = 2 * NS_PER_MS

_NOT_WRITTEN = Text(
    de="Anfragen ließen sich eine Zeit lang nicht aufschreiben ({reason}); Summen werden nachgeholt.",
    en="Requests could not be written down for a while ({reason}); sums are made up for.",
)


class Books(Protocol):
    """Where requests begin and end."""

    def begin(self, requests: int) -> float:
        """Begin one request, or some that are executed together; return what ``end`` needs to know."""

    def end(self, begun: float, requests: int, units: float, tokens: float | None, *, failed: bool) -> None:
        """End them."""

    def write(self, *, histograms: bool = False) -> None:
        """Write down what changed since the last line."""

    def close(self) -> None:
        """Write the last line."""


class ClosedBooks:
    """Of a meter that is closed, or could not be opened: requests run as if there were none."""

    def begin(self, requests: int) -> float:  # noqa: ARG002
        """Do nothing."""
        return 0.0

    def end(self, begun: float, requests: int, units: float, tokens: float | None, *, failed: bool) -> None:
        """Do nothing."""

    def write(self, *, histograms: bool = False) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Ledger:
    """The books of a running service."""

    def __init__(self, session: Session, unit: str) -> None:
        """Open them.

        Args:
            session: The run.
            unit: The functional unit.

        Raises:
            OSError: The run's folder cannot be written.
        """
        self._session = session
        self._now_ns = session.host.clock.mono_ns
        self._wall_ns = session.host.clock.wall_ns
        interval_s = session.settings.interval_s
        number = next(_numbers)  # a second meter of this process has a journal of its own
        self._journal: JournalWriter | None = JournalWriter(
            session.folder,
            session.host,
            Role.MEMBER,
            session.sensors.channels,
            interval_s,
            {"unit": unit},
            part=f"meter{number or ''}",
            rotates=True,
        )
        opened_ns = self._now_ns()
        self._clock = ShareClock(opened_ns)
        self._times = ExclusiveTimes(opened_ns, opened_ns)
        self._count = self._failed = 0
        self._units: float = 0
        self._tokens: float | None = None
        self._since_ns: int | None = None
        self._until_ns = opened_ns
        self._written = -1  # requests, at the last line
        self._minute = self._wall_ns() // _MINUTE_NS
        self._interval_ns = interval_s * NS_PER_S
        self._reading_ns = 0.0  # what reading all sensors takes, at best
        self._paid_ns: float = opened_ns  # until when the borders marked so far are paid for
        self._next_border_ns: float = opened_ns + _BORDER_PAUSE_NS
        self._troubled = False
        # Reentrant: a signal handler, or a generator that is collected, may end a request of this very thread.
        self._lock = threading.RLock()  # of the sums; held for a microsecond
        self._write_lock = threading.RLock()  # of the journal: lines in the order of their sums
        self._write_readings()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, args=(interval_s,), name="greenai-meter", daemon=True)
        # Without a thread lines are written at borders and at the end only.
        start_quietly(self._thread)

    def begin(self, requests: int) -> float:
        """Begin one request, or some that are executed together; return what ``end`` needs to know."""
        with self._lock:
            t_ns = self._now_ns()
            if self._clock.active or t_ns < self._next_border_ns:
                return self._begin_at(t_ns, requests)
        self._border(t_ns)  # without the lock: nobody else waits for the sensors
        with self._lock:
            return self._begin_at(self._now_ns(), requests)

    def end(self, begun: float, requests: int, units: float, tokens: float | None, *, failed: bool) -> None:
        """End them.

        Args:
            begun: What ``begin`` returned.
            requests: How many.
            units: Functional units delivered.
            tokens: Tokens delivered; None if nobody said.
            failed: True if they ended with an exception.
        """
        with self._lock:
            t_ns = self._now_ns()
            clock, times = self._clock, self._times
            exclusive_s = clock.end(t_ns, begun, requests) / NS_PER_S
            self._count += requests
            if requests:  # a batch may have been empty
                times.per_request.add(exclusive_s, requests)
            if failed:
                self._failed += requests
            if units:
                self._units += units
                times.per_unit.add(exclusive_s * requests / units, requests)
            if tokens is not None:
                self._tokens = (self._tokens or 0) + tokens
                if tokens:
                    times.per_token.add(exclusive_s * requests / tokens, requests)
            idle = not clock.active
            if idle:
                self._until_ns = t_ns
        if idle and t_ns >= self._next_border_ns:
            self._border(t_ns)

    def write(self, *, histograms: bool = False) -> None:
        """Write down what changed since the last line. What cannot be written is made up for later."""
        with self._write_lock:
            if self._journal is None:
                return
            with self._lock:
                if not (self._changed or histograms):
                    return
                mark, times = self._mark(), self._times
                if histograms:
                    self._times = ExclusiveTimes(mark.t_ns, mark.t_ns)
            try:
                self._journal.event(f.REQUESTS, **mark.to_json())
                if histograms and times.per_request.count:
                    self._journal.event(f.SHARES, **replace(times, t1_ns=mark.t_ns).to_json())
            except OSError as error:
                self._not_written(error, mark)
                if histograms:
                    with self._lock:
                        self._times = times.plus(self._times)

    def _write_readings(self) -> None:
        """Write a line with readings; the lock of the journal is held."""
        if self._journal is None:
            return
        began_ns = self._now_ns()
        _, found = self._session.sensors.read()
        usage = self._session.sensors.usage()
        taken_ns = self._now_ns() - began_ns
        self._reading_ns = min(self._reading_ns or taken_ns, taken_ns)
        with self._lock:
            mark = self._mark()
        try:
            self._journal.readings(f.REQUESTS, mark.t_ns, found, usage, **mark.to_json())
        except OSError as error:
            self._not_written(error, mark)

    def close(self) -> None:
        """Write the last line."""
        self._stop.set()
        with suppress(RuntimeError):  # it was never started, or it is the one that closes
            self._thread.join(timeout=1.0)
        self.write(histograms=True)
        with self._write_lock:
            journal, self._journal = self._journal, None
        if journal is not None:
            try:
                journal.close()
            except OSError as error:
                self._trouble(error)

    def forget(self) -> None:
        """Leave the books to the parent: this is a forked child, and a lock may have been held at that moment."""
        self._lock, self._write_lock = threading.RLock(), threading.RLock()
        self._journal = None

    def _begin_at(self, t_ns: int, requests: int) -> float:
        if self._since_ns is None:
            self._since_ns = t_ns
        return self._clock.begin(t_ns, requests)

    @property
    def _changed(self) -> bool:
        return self._since_ns is not None or self._count != self._written

    def _mark(self) -> ActivityMark:
        """Return the sums as they are, and begin a new stretch."""
        t_ns = self._now_ns()
        clock = self._clock
        clock.advance(t_ns)
        mark = ActivityMark(
            t_ns=t_ns,
            busy_ns=clock.busy_ns,
            active_ns=clock.active_ns,
            count=self._count,
            failed=self._failed,
            units=self._units,
            tokens=self._tokens,
            since_ns=self._since_ns,
            until_ns=None if clock.active else self._until_ns,
        )
        self._since_ns = t_ns if clock.active else None
        self._written = self._count
        return mark

    def _border(self, t_ns: int) -> None:
        """Mark that the service turned from idle to busy or back."""
        if not self._write_lock.acquire(blocking=False):
            return  # a line is being written just now
        try:
            price_ns = max(self._interval_ns / _BORDERS_PER_INTERVAL, self._reading_ns / _BORDER_SHARE)
            self._paid_ns = max(self._paid_ns, t_ns) + price_ns
            self._write_readings()
            if self._reading_ns > _SLOW_READING_NS:
                self._next_border_ns = inf
            else:
                earliest_ns = self._paid_ns - (_BORDERS_AT_ONCE - 1) * price_ns
                self._next_border_ns = max(earliest_ns, self._now_ns() + _BORDER_PAUSE_NS)
        finally:
            self._write_lock.release()

    def _beat(self, interval_s: float) -> None:
        while not self._stop.wait(interval_s):
            minute = self._wall_ns() // _MINUTE_NS
            self.write(histograms=minute != self._minute)
            if minute != self._minute:
                self._sync()
            self._minute = minute

    def _sync(self) -> None:
        journal = self._journal
        if journal is not None:
            with suppress(OSError):
                journal.sync()  # without the lock: a disk takes its time, and requests must not wait for it

    def _not_written(self, error: OSError, mark: ActivityMark) -> None:
        with self._lock:
            self._since_ns = mark.since_ns if mark.since_ns is not None else self._since_ns
            self._written = -1
        self._trouble(error)

    def _trouble(self, error: OSError) -> None:
        if not self._troubled:
            self._troubled = True
            self._session.incident(Incident("requests_not_written", _NOT_WRITTEN.format(reason=error.strerror)))
