"""The sampling loop: a steady beat of readings into the journal until somebody says stop."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from greenai.core.collector import Incident
from greenai.core.text import Text
from greenai.core.units import NS_PER_MS, NS_PER_S
from greenai.journal.format import SLEPT, TICK
from greenai.sampler.guard import start_quietly

if TYPE_CHECKING:
    from greenai.host import Host
    from greenai.journal.writer import JournalWriter
    from greenai.sampler.sensors import Sensors

SYNC_EVERY_S = 5.0
# The two clocks are read one after the other; less than this is their distance.
LEAST_SLEEP_NS = 100 * NS_PER_MS

_BEATS_LOST = Text(
    de="Messungen, die sich nicht schreiben ließen (Datenträger voll?): {count}.",
    en="Readings that could not be written (disk full?): {count}.",
)


class Pause(Protocol):
    """Waits up to ``seconds``; True means stop sampling."""

    def __call__(self, seconds: float) -> bool:
        """Wait."""


def sample(host: Host, sensors: Sensors, journal: JournalWriter, interval_s: float, pause: Pause) -> None:
    """Read every channel at least each ``interval_s``, those that need it more often, until ``pause`` says stop.

    Beats are held on a grid, so a late one does not shift those after it; missed beats are left out. A write
    that fails (disk full) loses that beat only.
    """
    start_ns = synced_ns = host.clock.mono_ns()
    interval_ns = int(interval_s * NS_PER_S)
    beats_ns = [int(beat_s * NS_PER_S) for beat_s in sensors.beats_s(interval_s)]
    due_ns = [start_ns] * len(beats_ns)  # of each collector
    round_ns = start_ns  # of the interval itself: it beats even where there is nothing to read
    lost = 0
    asleep_ns = host.clock.asleep_ns()
    while True:
        # A beat that is due within a millisecond is read now: one line instead of two.
        soon_ns = host.clock.mono_ns() + NS_PER_MS
        ready = [number for number, at_ns in enumerate(due_ns) if at_ns < soon_ns]
        t_ns, readings = sensors.read(ready)
        usage = sensors.usage() if round_ns < soon_ns else None
        slept_ns = host.clock.asleep_ns() - asleep_ns
        try:
            if slept_ns >= LEAST_SLEEP_NS:
                journal.event(SLEPT, ns=slept_ns)
                asleep_ns += slept_ns
            journal.readings(TICK, t_ns, readings, usage)
            for incident in sensors.news():
                journal.incident(incident)
            if lost:
                journal.incident(Incident("beats_lost", _BEATS_LOST.format(count=lost)))
                lost = 0
            if t_ns - synced_ns >= SYNC_EVERY_S * NS_PER_S:
                journal.sync()
                synced_ns = t_ns
        except OSError:
            lost += 1
        now_ns = host.clock.mono_ns()
        read_ns = max(now_ns, soon_ns - 1)  # what was read a little early is not due once more
        for number in ready:
            due_ns[number] = _next_beat_ns(start_ns, beats_ns[number], read_ns)
        if round_ns < soon_ns:
            round_ns = _next_beat_ns(start_ns, interval_ns, read_ns)
        if pause((min([round_ns, *due_ns]) - now_ns) / NS_PER_S):
            return


def _next_beat_ns(start_ns: int, beat_ns: int, now_ns: int) -> int:
    return start_ns + ((now_ns - start_ns) // beat_ns + 1) * beat_ns


class SamplerThread:
    """The loop in a thread of this process, for the wrapper and for places that allow no child process."""

    def __init__(self, host: Host, sensors: Sensors, journal: JournalWriter, interval_s: float) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=sample,
            args=(host, sensors, journal, interval_s, self._stop.wait),
            name="greenai-sampler",
            daemon=True,
        )
        start_quietly(self._thread)

    def stop(self) -> None:
        """End the loop; waits for a read in progress, at most a second."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)
