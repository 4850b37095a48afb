"""From the readings of a power gauge to joules: trapezoids, pauses, and the edges of the run. Pure arithmetic.

The rules, and why:

* Between two readings power is taken to change evenly: their mean times the time, a trapezoid.
* A power above what the device can draw is a fault of the sensor, and counts like a failed read.
* What happened in a long pause nobody knows, so it is not bridged: unknown. How long that is may differ between a
  pause in which readings failed (the sensor was blind) and one in which nobody asked (a busy machine is late).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from greenai.core.energy_curve import EnergyInterval
from greenai.core.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.series import Number, Series

# Why a reading, or the time before it, is not believed.
IMPLAUSIBLE_POWER = "implausible_power"
PAUSE_TOO_LONG = "pause_too_long"

# In a row of power values: a reading that failed or is not believed.
_LOST: Final = -1


def gauge_intervals(
    series: Series, max_gap_s: float, max_lost_s: float, span: tuple[int, int] | None
) -> tuple[list[EnergyInterval], Counter[str]]:
    """Return the energy between the good readings of a gauge, and how many were not believed, by reason.

    Args:
        series: The readings.
        max_gap_s: The longest pause that is bridged, seconds.
        max_lost_s: The same for a pause in which readings failed or were not believed.
        span: Start and end of the run, monotonic nanoseconds. The first and the last good reading hold up to there
            if that is not further than ``max_gap_s``.
    """
    rejected: Counter[str] = Counter()
    powers_uw = _with_edges(_believed(series, rejected), max_gap_s, span)
    return _trapezoids(powers_uw, max_gap_s * NS_PER_S, max_lost_s * NS_PER_S, rejected), rejected


def _believed(series: Series, rejected: Counter[str]) -> list[Number]:
    """Return the powers in order of time, with a mark where a reading failed or is not believed."""
    most_uw = series.channel.max_power_uw
    believed_uw = [power_uw if 0 <= power_uw <= most_uw else _LOST for power_uw in series.values]
    powers_uw = list(zip(series.times_ns, believed_uw, strict=True))
    rejected[IMPLAUSIBLE_POWER] += sum(power_uw == _LOST for _, power_uw in powers_uw)
    return sorted(powers_uw + [(t_ns, _LOST) for t_ns, _ in series.failures])


def _with_edges(powers_uw: list[Number], max_gap_s: float, span: tuple[int, int] | None) -> list[Number]:
    """Hold the first and the last good reading to the ends of the run, where they are near."""
    first = next((number for number in powers_uw if number[1] != _LOST), None)
    last = next((number for number in reversed(powers_uw) if number[1] != _LOST), None)
    if span is None or first is None or last is None:
        return powers_uw
    edges = []
    if 0 < first[0] - span[0] <= max_gap_s * NS_PER_S:
        edges.append((span[0], first[1]))
    if 0 < span[1] - last[0] <= max_gap_s * NS_PER_S:
        edges.append((span[1], last[1]))
    return sorted(powers_uw + edges)


def _trapezoids(
    powers_uw: Sequence[Number], max_gap_ns: float, max_lost_ns: float, rejected: Counter[str]
) -> list[EnergyInterval]:
    result: list[EnergyInterval] = []
    previous: Number | None = None
    lost = False  # whether a reading since the previous good one failed
    for t1_ns, power1_uw in powers_uw:
        if power1_uw == _LOST:
            lost = True
            continue
        if previous is not None and t1_ns > previous[0]:
            t0_ns, power0_uw = previous
            energy_uj: float | None = (power0_uw + power1_uw) / 2 * (t1_ns - t0_ns) / NS_PER_S
            if t1_ns - t0_ns > (max_lost_ns if lost else max_gap_ns):
                rejected[PAUSE_TOO_LONG] += 1
                energy_uj = None
            result.append(EnergyInterval(t0_ns, t1_ns, energy_uj))
        previous, lost = (t1_ns, power1_uw), False
    return result
