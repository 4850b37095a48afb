"""Runs that go on: power now, the last minutes, and the energy up to the last reading.

Only the ends of the journals are read. What the database holds of a run is its sums up to the last time it was
taken in; the energy since then is added from the journals.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from math import floor
from typing import TYPE_CHECKING

from greenai.analysis.trace import series_of
from greenai.core.energy_curve import EnergyInterval
from greenai.core.outline import Outline
from greenai.core.totals import energy_of, with_rest
from greenai.core.traces import traces
from greenai.core.units import NS_PER_MS, NS_PER_S
from greenai.core.views import LiveRun
from greenai.core.vocabulary import Role
from greenai.journal.tail import read_tail

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from greenai.core.channel import Quality
    from greenai.core.cover import Key
    from greenai.core.events import ProcessLog, RunLog
    from greenai.core.traces import ChannelTrace, Span
    from greenai.core.views import RunRow, TraceSeries

POWER_S = 60
"""Power now is the mean over this many seconds."""
CURVE_S = 300
STEP_S = 5
# Beside the minute itself: readings before its start, from which the first difference begins.
_MARGIN_S = 3 * STEP_S
# What was not read for this long, and for this many intervals, is not "now".
_STALE_S = 10.0
_STALE_INTERVALS = 3
_MOST_CURVES = 200  # runs whose minutes are remembered
# A look at a thousand nodes takes seconds: such a one is good for so many times as long as it took.
_SLOW_S = 1.0
_GOOD_FOR = 4


class LiveRuns:
    """Follows the runs that go on, and remembers their last minutes. Safe to share between threads."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool
        self._curves: dict[str, _Curve] = {}
        self._slow: dict[str, tuple[float, LiveRun]] = {}  # until when each is good, monotonic seconds
        self._lock = threading.Lock()

    def look(self, rows: Iterable[RunRow]) -> tuple[LiveRun, ...]:
        """Return these runs as they stand now; one that has ended since it was taken in is left out.

        Args:
            rows: Runs that the database says are running.
        """
        with self._lock:
            found = []
            for row in rows:
                try:
                    found.append(self._remembered(row) or self._look_at_length(row))
                except Exception:  # noqa: BLE001  # a damaged file may hold anything; the other runs are shown
                    found.append(_out_of_reach(row))
            return tuple(run for run in found if run is not None)

    def _remembered(self, row: RunRow) -> LiveRun | None:
        until_s, found = self._slow.get(row.id, (0.0, None))
        return found if time.monotonic() < until_s else None

    def _look_at_length(self, row: RunRow) -> LiveRun | None:
        began_s = time.monotonic()
        found = self._look_at(row)
        took_s = time.monotonic() - began_s
        self._slow.pop(row.id, None)
        if found is not None and took_s > _SLOW_S:
            self._slow[row.id] = began_s + took_s * (1 + _GOOD_FOR), found
        return found

    def _look_at(self, row: RunRow) -> LiveRun | None:
        curve = self._curves.pop(row.id, None) or _Curve()
        self._curves[row.id] = curve  # at the end: the first is the one not asked for longest
        if len(self._curves) > _MOST_CURVES:
            del self._curves[next(iter(self._curves))]
        end_s = row.started_ms / 1e3 + row.duration_s
        log = read_tail(self._spool / row.id, curve.wanted_s(end_s))
        if not log.processes:
            return _out_of_reach(row)
        if _has_ended(log):
            return None
        moment = _Moment.of(log, row.started_ms)
        curve.extend(moment)
        interval_s = max(process.interval_s for process in log.processes)
        stale = log.silent_s > max(_STALE_S, _STALE_INTERVALS * interval_s)
        return LiveRun(
            row=_up_to_now(row, moment),
            hosts=tuple(sorted(moment.spans)),
            power_w=None if stale else moment.power_w(),
            quality=moment.quality,
            methods=moment.methods,
            silent_s=log.silent_s,
            t_ms=tuple(t_ms for t_ms, _ in curve.points),
            curve_w=tuple(power_w for _, power_w in curve.points),
        )


def live_trace(
    folder: Path, seconds: float, max_points: int | None, max_channels: int | None = None
) -> tuple[TraceSeries, ...]:
    """Return power over the last ``seconds`` of a run, channel by channel, from the ends of its journals.

    Args:
        folder: The run's folder in the spool.
        seconds: How far back.
        max_points: About how many points per channel; None for all.
        max_channels: Only the first so many; a thousand nodes have thousands.

    Raises:
        OSError: The folder cannot be read.
    """
    log = read_tail(folder, seconds, max_journals=max_channels)  # each has one at least
    if not log.processes:
        return ()
    moment = _Moment.of(log, started_ms=0, seconds=seconds)
    found = (
        series_of(
            trace.channel,
            _intervals(trace, moment.clocks[host]),
            counted=(host, channel_id) in moment.chosen,
            max_points=max_points,
        )
        for (host, channel_id), trace in moment.traces.items()
        if trace.readings  # the rest of the node is no sensor
    )
    return tuple(islice(found, max_channels))


@dataclass(frozen=True, slots=True)
class _Moment:
    """The end of a run, accounted for.

    Attributes:
        traces: All its channels.
        chosen: Those that are counted.
        quality: The weakest quality among them.
        methods: By which they are read.
        spans: The stretch looked at on each host, on its monotonic clock.
        clocks: A process of each host, to convert times.
        started_ms: Start of the run, epoch milliseconds.
    """

    traces: dict[Key, ChannelTrace]
    chosen: frozenset[Key]
    quality: Quality | None
    methods: tuple[str, ...]
    spans: dict[str, Span]
    clocks: dict[str, ProcessLog]
    started_ms: int

    @classmethod
    def of(cls, log: RunLog, started_ms: int, seconds: float = POWER_S) -> _Moment:
        """Account for the last ``seconds`` of a run; hosts that fell silent before the others are left out."""
        clocks: dict[str, ProcessLog] = {}
        for process in log.processes:
            if process.host not in clocks or process.last_ns > clocks[process.host].last_ns:
                clocks[process.host] = process
        last_ns = {host: clock.wall_at(clock.last_ns) for host, clock in clocks.items()}
        oldest_ns = max(last_ns.values()) - POWER_S * NS_PER_S
        clocks = {host: clock for host, clock in clocks.items() if last_ns[host] >= oldest_ns}
        spans = {
            host: (
                max(clock.last_ns - int(seconds * NS_PER_S), _mono_ns(clock, started_ms)),
                clock.last_ns,
            )
            for host, clock in clocks.items()
        }
        terms, here = Outline.of(log.processes).terms, log.by_host()
        found: dict[Key, ChannelTrace] = {}
        for host, span in sorted(spans.items()):
            found |= traces(here[host], span, terms.scope)
        if terms.count_rest:  # else nothing is asked of it, and it takes as long as all the others
            found = with_rest(found, spans, is_counted=True)
        energy, chosen = energy_of(found, spans, terms.scope, count_rest=terms.count_rest)
        methods = tuple(sorted({channel.method for channel in energy.channels if channel.counted}))
        return cls(found, chosen, energy.quality, methods, spans, clocks, started_ms)

    def power_w(self) -> float | None:
        """Return the mean power of the counted channels over the whole stretch."""
        return self._power_w({host: span[0] for host, span in self.spans.items()}, self._ends())

    def power_until_w(self, t_ms: float, seconds: float) -> float | None:
        """Return the mean power over the ``seconds`` before a moment; of slower sensors over one renewal."""
        ends = {host: _mono_ns(clock, t_ms) for host, clock in self.clocks.items()}
        begins = {
            host: max(end_ns - int(seconds * NS_PER_S), _mono_ns(self.clocks[host], self.started_ms))
            for host, end_ns in ends.items()
        }
        return self._power_w(begins, ends)

    def energy_since_j(self, t_ms: float) -> float | None:
        """Return the energy from a moment to the last reading; None if the journals' ends do not reach it."""
        total_j = 0.0
        for key in self.chosen:
            trace, begin_ns = self.traces[key], _mono_ns(self.clocks[key[0]], t_ms)
            if not trace.own.times_ns or begin_ns < trace.own.times_ns[0]:
                return None
            # Of less than a renewal nothing is known yet; it comes with the next one.
            total_j += trace.own_energy(begin_ns, max(self.spans[key[0]][1], begin_ns)).energy_j or 0.0
        return total_j

    def last_ms(self) -> float:
        """Return when all hosts had been read, epoch milliseconds."""
        return min(clock.wall_at(clock.last_ns) for clock in self.clocks.values()) / NS_PER_MS

    def _ends(self) -> dict[str, int]:
        return {host: span[1] for host, span in self.spans.items()}

    def _power_w(self, begins_ns: dict[str, int], ends_ns: dict[str, int]) -> float | None:
        total_w = 0.0
        for key in self.chosen:
            trace, end_ns = self.traces[key], ends_ns[key[0]]
            begin_ns = min(begins_ns[key[0]], end_ns - int((trace.channel.update_s or 0.0) * NS_PER_S))
            amount = trace.own_energy(begin_ns, end_ns)
            known_s = (end_ns - begin_ns) / NS_PER_S - amount.gap_s
            if amount.energy_j is None or known_s <= 0:
                return None
            total_w += amount.energy_j / known_s
        return total_w if self.chosen else None


class _Curve:
    """The last minutes of a run's power, point by point; each is computed once."""

    def __init__(self) -> None:
        self.points: deque[tuple[float, float | None]] = deque(maxlen=CURVE_S // STEP_S)

    def wanted_s(self, taken_in_s: float) -> float:
        """Return how much of the journals is needed: back to the last point, and to what the database holds.

        Args:
            taken_in_s: Up to when the database knows the run, seconds since the epoch.
        """
        drawn_s = self.points[-1][0] / 1e3 if self.points else 0.0
        missing_s = time.time() - min(drawn_s, taken_in_s) + _MARGIN_S
        return min(max(missing_s, POWER_S + _MARGIN_S), CURVE_S + _MARGIN_S)

    def extend(self, moment: _Moment) -> None:
        """Add the points up to the last reading, one each ``STEP_S`` of the wall clock."""
        step_ms = STEP_S * 1e3
        last = floor(moment.last_ms() / step_ms)
        first = max(last - CURVE_S // STEP_S, floor(moment.started_ms / step_ms)) + 1
        if self.points:
            first = max(first, round(self.points[-1][0] / step_ms) + 1)
        for number in range(first, last + 1):
            self.points.append((number * step_ms, moment.power_until_w(number * step_ms, STEP_S)))


def _has_ended(log: RunLog) -> bool:
    """Say whether the end of a run is there to see: its last word, or its death, and nobody who still samples."""
    last_word = any(process.stop is not None or process.orphaned_ns is not None for process in log.processes)
    samplers = [process for process in log.processes if process.role in (Role.SAMPLER, Role.NODE)]
    return last_word and all(sampler.closed or sampler.orphaned_ns is not None for sampler in samplers)


def _out_of_reach(row: RunRow) -> LiveRun:
    """Return what the database holds of a run whose journals lie elsewhere, or cannot be read."""
    return LiveRun(row, (), None, None, (), None)


def _up_to_now(row: RunRow, moment: _Moment) -> RunRow:
    """Bring duration and energy of a run from the last time it was taken in to its last reading."""
    taken_in_ms = row.started_ms + row.duration_s * 1e3
    more_j = moment.energy_since_j(taken_in_ms)
    if more_j is None or not row.total_j or row.low_j is None or row.high_j is None:
        return row
    factor = 1 + more_j / row.total_j
    return replace(
        row,
        duration_s=max((moment.last_ms() - row.started_ms) / 1e3, row.duration_s),
        total_j=row.total_j * factor,
        low_j=row.low_j * factor,
        high_j=row.high_j * factor,
    )


def _intervals(trace: ChannelTrace, clock: ProcessLog) -> list[EnergyInterval]:
    """Return what a channel's device took between its readings, on the wall clock (epoch ns)."""
    amounts = ((a, b, trace.machine.between(a, b).energy_j) for a, b in pairwise(trace.machine.times_ns))
    return [
        EnergyInterval(clock.wall_at(a), clock.wall_at(b), None if energy_j is None else energy_j * 1e6)
        for a, b, energy_j in amounts
    ]


def _mono_ns(clock: ProcessLog, t_ms: float) -> int:
    """Return the monotonic time of a host at a moment of the wall clock (epoch milliseconds)."""
    return clock.mono_ns + int(t_ms * NS_PER_MS) - clock.wall_ns
