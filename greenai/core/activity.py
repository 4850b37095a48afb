"""The joules of a service: how much was busy, how much idle, and what a request took.

A meter in each process of the service writes down, as sums since it was opened, for how long any request was
active (busy time), the integral of the number of active requests, and counts. From these and the energy curves:

* Between two points of the sums the power is taken as constant and the busy time as evenly spread. A process was
  busy for the share b of that stretch; of all n processes of the host at least one was busy for
  1 - (1 - b1)...(1 - bn), as if they worked independently of each other. With one process that is exact. This
  share of the energy is busy, the rest is idle: together they are the energy, always.
* Busy energy is shared among the processes by their request-seconds, within a process among its requests by their
  exclusive time (``share_clock``). So every busy joule belongs to exactly one request.
* Single requests are known as histograms of exclusive seconds, one a minute. A minute's histogram times the mean
  power of this process's busy time in that minute is a histogram of joules.

``activity`` is a pure function of energy, sums and histograms over one stretch of time, and what it returns may be
added up. A run is always evaluated hour by hour, so an hour that was evaluated on its own gives the same as within
the run. A minute belongs to the stretch that its middle lies in; counts belong to the stretch in which they were
written down.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from greenai.core.served import SKETCHES, ActivityMark
from greenai.core.sketch import Sketch
from greenai.core.units import NS_PER_S, UJ_PER_J

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from greenai.core.energy_curve import EnergyCurve
    from greenai.core.served import ExclusiveTimes
    from greenai.core.traces import Span


@dataclass(frozen=True, slots=True)
class Meter:
    """What the meter of one process wrote down: marks and histograms, in order of time."""

    marks: Sequence[ActivityMark]
    times: Sequence[ExclusiveTimes]


@dataclass(frozen=True, slots=True)
class Activity:
    """A stretch of a service on one host, or the sum of several. The sketches are of joules.

    Attributes:
        observed_s: Length, seconds; of several hosts together.
        busy_s: Seconds of it with at least one active request.
        energy_j: Joules; None if unknown.
        busy_j: Joules of the busy seconds; None if unknown.
        count: Requests that ended, failed ones included.
        failed: Those that ended with an exception.
        units: Functional units delivered.
        tokens: Tokens delivered; None if none were reported.
        per_request: Joules of each request.
        per_unit: Joules of each request for one of its units.
        per_token: Joules of each request for one of its tokens.
    """

    observed_s: float = 0.0
    busy_s: float = 0.0
    energy_j: float | None = None
    busy_j: float | None = None
    count: int = 0
    failed: int = 0
    units: float = 0.0
    tokens: float | None = None
    per_request: Sketch = field(default_factory=Sketch)
    per_unit: Sketch = field(default_factory=Sketch)
    per_token: Sketch = field(default_factory=Sketch)

    @property
    def idle_j(self) -> float | None:
        """Joules without any active request."""
        return None if self.energy_j is None or self.busy_j is None else max(self.energy_j - self.busy_j, 0.0)

    @property
    def idle_s(self) -> float:
        """Seconds without any active request."""
        return max(self.observed_s - self.busy_s, 0.0)

    def plus(self, other: Activity) -> Activity:
        """Return both together."""
        return Activity(
            observed_s=self.observed_s + other.observed_s,
            busy_s=self.busy_s + other.busy_s,
            energy_j=_sum(self.energy_j, other.energy_j),
            busy_j=_sum(self.busy_j, other.busy_j),
            count=self.count + other.count,
            failed=self.failed + other.failed,
            units=self.units + other.units,
            tokens=_sum(self.tokens, other.tokens),
            per_request=self.per_request.merged(other.per_request),
            per_unit=self.per_unit.merged(other.per_unit),
            per_token=self.per_token.merged(other.per_token),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {**values, **{name: values[name].to_json() for name in SKETCHES}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Activity:
        """Read what ``to_json`` wrote.

        Raises:
            KeyError, TypeError, ValueError: It is none.
        """
        values: dict[str, Any] = {name: data[name] for name in cls.__slots__}
        return cls(**values | {name: Sketch.from_json(data[name]) for name in SKETCHES})


def activity(curves: Sequence[EnergyCurve], meters: Sequence[Meter], span: Span) -> Activity:
    """Return what a service did on one host in a stretch of time, and what that took.

    Args:
        curves: The run's energy there, one curve for each counted channel.
        meters: Those of the host's processes.
        span: The stretch, monotonic nanoseconds.
    """
    t0_ns, t1_ns = span
    series = [_Series(meter, span) for meter in meters]
    times_ns = sorted({t_ns for one in series for t_ns in one.times_ns} | {t0_ns, t1_ns})
    energies_j = _cumulated(curves, times_ns)
    total_j = energies_j[-1] if energies_j else None
    busy_j = [[0.0] for _ in series]  # of each process, stretch by stretch
    busy_ns = 0.0
    sums = [one.at(times_ns) for one in series]
    for index, (a_ns, b_ns) in enumerate(pairwise(times_ns)):
        shares = [min((busy[index + 1] - busy[index]) / (b_ns - a_ns), 1.0) for busy, _ in sums]
        weights = [active[index + 1] - active[index] for _, active in sums]
        idle = 1.0
        for share in shares:
            idle *= 1.0 - share
        busy_ns += (1.0 - idle) * (b_ns - a_ns)
        whole_j = (1.0 - idle) * (energies_j[index + 1] - energies_j[index]) if energies_j else 0.0
        weight = sum(weights)
        for of_process, own in zip(busy_j, weights, strict=True):
            of_process.append(whole_j * own / weight if weight else 0.0)
    result = Activity(
        observed_s=(t1_ns - t0_ns) / NS_PER_S,
        busy_s=busy_ns / NS_PER_S,
        energy_j=total_j,
        busy_j=None if total_j is None else min(sum(map(sum, busy_j)), total_j),
    )
    for one, of_process, (busy, _) in zip(series, busy_j, sums, strict=True):
        joules = list(accumulate(of_process))
        result = result.plus(one.served(times_ns, joules, busy))
    return result


class _Series:
    """The sums of one process in a stretch, at any time."""

    def __init__(self, meter: Meter, span: Span) -> None:
        self._span = span
        marks = meter.marks
        first = bisect_right(marks, span[0], key=lambda mark: mark.t_ns)
        end = bisect_right(marks, span[1], key=lambda mark: mark.t_ns)
        self._before, self._last = _mark(marks, first - 1), _mark(marks, end - 1)
        self._points: list[tuple[int, int, int]] = []  # time, busy time, request time
        for earlier, later in pairwise([self._before, *marks[first : end + 1]]):
            self._add(earlier, later)
        self._times = [times for times in meter.times if span[0] <= (times.t0_ns + times.t1_ns) // 2 < span[1]]
        borders = {t_ns for times in self._times for t_ns in (times.t0_ns, times.t1_ns)}
        self.times_ns = [t for t in {point[0] for point in self._points} | borders if span[0] < t < span[1]]

    def _add(self, earlier: ActivityMark, later: ActivityMark) -> None:
        """Add the points from one mark to the next: idle, at work, idle."""
        start_ns, end_ns = later.since_ns, later.until_ns if later.until_ns is not None else later.t_ns
        if start_ns is None or end_ns - start_ns < later.busy_ns - earlier.busy_ns:
            start_ns = earlier.t_ns  # nothing happened, or a line in between is lost
        for t_ns, mark in (
            (earlier.t_ns, earlier), (start_ns, earlier), (max(end_ns, start_ns), later), (later.t_ns, later)
        ):  # fmt: skip
            if not self._points or self._points[-1][0] < t_ns <= later.t_ns:
                self._points.append((t_ns, mark.busy_ns, mark.active_ns))

    def at(self, times_ns: Sequence[int]) -> tuple[list[float], list[float]]:
        """Return busy time and request time at rising times, nanoseconds."""
        busy: list[float] = []
        active: list[float] = []
        index = 0
        for t_ns in times_ns:
            while index < len(self._points) and self._points[index][0] <= t_ns:
                index += 1
            before = self._points[max(index - 1, 0)] if self._points else (0, 0, 0)
            after = self._points[index] if 0 < index < len(self._points) else before
            share = (t_ns - before[0]) / (after[0] - before[0]) if after is not before else 0.0
            busy.append(before[1] + share * (after[1] - before[1]))
            active.append(before[2] + share * (after[2] - before[2]))
        return busy, active

    def served(self, times_ns: Sequence[int], joules: Sequence[float], busy_ns: Sequence[float]) -> Activity:
        """Return counts and histograms. ``joules`` and ``busy_ns`` are cumulated, at the times given."""
        tokens = self._last.tokens
        if tokens is not None:
            tokens -= self._before.tokens or 0.0
        result = Activity(
            count=self._last.count - self._before.count,
            failed=self._last.failed - self._before.failed,
            units=self._last.units - self._before.units,
            tokens=tokens,
        )
        for times in self._times:
            begin = bisect_left(times_ns, max(times.t0_ns, self._span[0]))
            end = bisect_left(times_ns, min(times.t1_ns, self._span[1]))
            busy_s = (busy_ns[end] - busy_ns[begin]) / NS_PER_S
            energy_j = joules[end] - joules[begin]
            if busy_s > 0 and energy_j > 0:  # else nobody knows what they took
                power_w = energy_j / busy_s
                result = result.plus(
                    Activity(
                        per_request=times.per_request.times(power_w),
                        per_unit=times.per_unit.times(power_w),
                        per_token=times.per_token.times(power_w),
                    )
                )
        return result


_NOTHING = ActivityMark(0, 0, 0, 0, 0, 0.0, None, None, None)


def _mark(marks: Sequence[ActivityMark], index: int) -> ActivityMark:
    """Return a mark; before the first one nothing was served."""
    if not 0 <= index < len(marks):
        return _NOTHING
    return marks[index]


def rising(marks: Iterable[ActivityMark]) -> list[ActivityMark]:
    """Return the marks in order of time, without those whose sums are less than before: such are damaged."""
    kept: list[ActivityMark] = []
    for mark in sorted(marks, key=lambda mark: mark.t_ns):
        before = kept[-1] if kept else _NOTHING
        sums = [(m.busy_ns, m.active_ns, m.count, m.failed, m.units, m.tokens or 0.0) for m in (before, mark)]
        if all(b >= a for a, b in zip(*sums, strict=True)) and (not kept or mark.t_ns > before.t_ns):
            kept.append(mark)
    return kept


def _cumulated(curves: Sequence[EnergyCurve], times_ns: Sequence[int]) -> list[float]:
    """Return the energy from the first of these times to each of them, joules; empty if nothing is known."""
    known = [curve for curve in curves if curve.between(times_ns[0], times_ns[-1]).energy_j is not None]
    if not known:
        return []
    sums_uj = [sum(energies_uj) for energies_uj in zip(*(c.known_at(times_ns)[0] for c in known), strict=True)]
    return [(energy_uj - sums_uj[0]) / UJ_PER_J for energy_uj in sums_uj]


def _sum(first: float | None, second: float | None) -> float | None:
    return second if first is None else first if second is None else first + second
