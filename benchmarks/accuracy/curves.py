"""Power over time as polylines, whose energy is known exactly.

Written independently of ``lab/sim.h``, which does the same for the sensors; ``check.py`` compares the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class Curve:
    """A power curve.

    Attributes:
        points: Seconds and watts; two points at one time are a step.
        period_s: It repeats after this many seconds; 0: the last power holds.
        phase_s: Where in the curve the machine's clock starts.
        before_w: None for a curve that runs with the machine's clock. Else it starts with the tracked work, and
            this is the power until then.
    """

    points: tuple[tuple[float, float], ...]
    period_s: float = 0.0
    phase_s: float = 0.0
    before_w: float | None = None

    @property
    def highest_w(self) -> float:
        """The highest power."""
        return max(power_w for _, power_w in self.points)

    def cumulated_j(self, t_ns: int, epoch_ns: int, work_ns: int) -> float:
        """Return the energy from the machine's start to ``t_ns``, joules.

        Args:
            t_ns: Monotonic time.
            epoch_ns: When the machine's clock started.
            work_ns: When the tracked work began.
        """
        if self.before_w is None:
            since_s = (t_ns - epoch_ns) / NS_PER_S
            return self._polyline_j(since_s + self.phase_s) - self._polyline_j(self.phase_s)
        if t_ns <= work_ns:
            return self.before_w * (t_ns - epoch_ns) / NS_PER_S
        return self.before_w * (work_ns - epoch_ns) / NS_PER_S + self._polyline_j((t_ns - work_ns) / NS_PER_S)

    def _polyline_j(self, t_s: float) -> float:
        if self.period_s:
            periods, rest_s = divmod(t_s, self.period_s)
            return periods * self._once_j(self.period_s) + self._once_j(rest_s)
        return self._once_j(t_s)

    def _once_j(self, t_s: float) -> float:
        segments_j = (
            (p0 + p0 + (p1 - p0) * (min(t_s, t1) - t0) / (t1 - t0)) / 2 * (min(t_s, t1) - t0)
            for (t0, p0), (t1, p1) in pairwise(self.points)
            if t0 < t1 and t0 < t_s
        )
        (first_s, first_w), (last_s, last_w) = self.points[0], self.points[-1]
        return math.fsum(segments_j) + first_w * min(t_s - first_s, 0.0) + last_w * max(t_s - last_s, 0.0)


def constant(power_w: float) -> Curve:
    """Return a constant power."""
    return Curve(((0.0, power_w), (1.0, power_w)))


def step(low_w: float, high_w: float, at_s: float) -> Curve:
    """Return a power that jumps once, ``at_s`` after the work began."""
    return Curve(((0.0, low_w), (at_s, low_w), (at_s, high_w), (at_s + 1, high_w)), before_w=low_w)


def ramp(low_w: float, high_w: float, seconds: float) -> Curve:
    """Return a power that grows evenly while the work goes on."""
    return Curve(((0.0, low_w), (seconds, high_w)), before_w=low_w)


def job(idle_w: float, busy_w: float, seconds: float) -> Curve:
    """Return a machine that is busy exactly while the work goes on, and idle before and after it."""
    return Curve(((0.0, busy_w), (seconds, busy_w), (seconds, idle_w), (seconds + 1, idle_w)), before_w=idle_w)


def square(low_w: float, high_w: float, on_s: float, period_s: float, random: Random) -> Curve:
    """Return bursts of equal length at a random phase, whatever the work does."""
    points = ((0.0, high_w), (on_s, high_w), (on_s, low_w), (period_s, low_w))
    return Curve(points, period_s=period_s, phase_s=random.uniform(0, period_s))


def bursts(low_w: float, high_w: float, random: Random) -> Curve:
    """Return a minute of random bursts of 0.2 s and longer (mean 0.4 s), then the same again."""
    points: list[tuple[float, float]] = []
    t_s = 0.0
    while t_s < 60:
        power_w = random.uniform((low_w + high_w) / 2, high_w)
        off_s, on_s = 0.1 + random.expovariate(1 / 0.3), 0.2 + random.expovariate(1 / 0.2)
        points += [(t_s, low_w), (t_s + off_s, low_w), (t_s + off_s, power_w), (t_s + off_s + on_s, power_w)]
        t_s += off_s + on_s
    return Curve(tuple(points), period_s=t_s, phase_s=random.uniform(0, t_s))
