"""Collectors that call a vendor's library, behind a guard: one that hangs is a gap and a note on the record."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from greenai.core.collector import Incident, Unavailable
from greenai.core.text import Text
from greenai.sampler.guard import READ_PATIENCE_S, Guard, HangsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.channel import Channel
    from greenai.core.collector import Collector, Probe
    from greenai.core.reading import Reading

START_PATIENCE_S = 2.0

_HANGS = Text(
    de="Der Sensor „{name}“ antwortet nicht; sein Treiber hängt. Gemessen wird er, solange er antwortet.",
    en='The sensor "{name}" does not answer; its driver hangs. It is measured while it answers.',
)
_LOOK = Text(
    de="Der Kernel nennt den Grund: sudo dmesg -T | grep -iE 'xid|nvrm|amdgpu'",
    en="The kernel says why: sudo dmesg -T | grep -iE 'xid|nvrm|amdgpu'",
)


def hangs(name: str) -> Incident:
    """Return what the record says of a collector that hangs."""
    return Incident("sensor_hangs", _HANGS.format(name=name), _LOOK)


class GuardedCollector:
    """A collector that loads a vendor's library, behind a guard.

    Attributes:
        name: Its name.
        slow: It is read at marks, too.
        verified_on: As the collector says.
        late: True if it did not answer in time when it was to start.
    """

    slow = False

    def __init__(self, collector: Collector) -> None:
        self.name = collector.name
        self.verified_on = collector.verified_on
        self._collector = collector
        self._guard = Guard()
        self._start_by_s = 0.0
        self._opened = False
        self.late = False

    def probe(self) -> Probe:
        """Probe; a library that hangs is not available."""
        self._start_by_s = time.monotonic() + START_PATIENCE_S
        try:
            return self._guard.call(self._collector.probe, START_PATIENCE_S)
        except HangsError:
            self.late = True
            return Unavailable(hangs(self.name))

    def open(self, channels: Sequence[Channel]) -> None:
        """Open within what is left of the time to start.

        Raises:
            HangsError: The library does not answer.
        """
        left_s = max(self._start_by_s - time.monotonic(), READ_PATIENCE_S)
        try:
            self._guard.call(lambda: self._collector.open(channels), left_s)
            self._opened = True
        except HangsError:
            self.late = True
            raise

    def read(self) -> list[Reading]:
        """Read.

        Raises:
            HangsError: The library does not answer.
        """
        return self._guard.call(self._collector.read, READ_PATIENCE_S)

    def close(self) -> None:
        """Close, without waiting for one that hangs, nor for one that was never of use."""
        if self._opened:
            self._guard.close(self._collector.close)
        else:
            self._guard.dismiss(self._collector.close)


def guarded(collector: Collector) -> Collector:
    """Put a collector behind a guard if it says that it needs one (``native``)."""
    return GuardedCollector(collector) if getattr(collector, "native", False) and not collector.slow else collector
