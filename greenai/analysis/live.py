"""Runs that go on: power now, the last minutes, and the energy up to the last reading.

Only the ends of the journals are read. What the database holds of a run is its sums up to the last time it was
taken in; the energy since then is added from the journals.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace
from math import floor
from typing import TYPE_CHECKING

from greenai.analysis.moment import POWER_S, Moment
from greenai.core.views import LiveRun
from greenai.core.vocabulary import Role
from greenai.journal.tail import read_tail

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from greenai.core.events import RunLog
    from greenai.core.views import RunRow

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
        moment = Moment.of(log, row.started_ms)
        curve.extend(moment)
        stale = log.silent_s > stale_s(log)
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

    def extend(self, moment: Moment) -> None:
        """Add the points up to the last reading, one each ``STEP_S`` of the wall clock."""
        step_ms = STEP_S * 1e3
        last = floor(moment.last_ms() / step_ms)
        first = max(last - CURVE_S // STEP_S, floor(moment.started_ms / step_ms)) + 1
        if self.points:
            first = max(first, round(self.points[-1][0] / step_ms) + 1)
        for number in range(first, last + 1):
            self.points.append((number * step_ms, moment.power_until_w(number * step_ms, STEP_S)))


def stale_s(log: RunLog) -> float:
    """Return after how many seconds without a reading the last one is not "now" any more."""
    return max(_STALE_S, _STALE_INTERVALS * max(process.interval_s for process in log.processes))


def _has_ended(log: RunLog) -> bool:
    """Say whether the end of a run is there to see: its last word, or its death, and nobody who still samples."""
    last_word = any(process.stop is not None or process.orphaned_ns is not None for process in log.processes)
    samplers = [process for process in log.processes if process.role in (Role.SAMPLER, Role.NODE)]
    return last_word and all(sampler.closed or sampler.orphaned_ns is not None for sampler in samplers)


def _out_of_reach(row: RunRow) -> LiveRun:
    """Return what the database holds of a run whose journals lie elsewhere, or cannot be read."""
    return LiveRun(row, (), None, None, (), None)


def _up_to_now(row: RunRow, moment: Moment) -> RunRow:
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
