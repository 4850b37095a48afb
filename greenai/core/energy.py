"""From readings to joules, for a channel of either kind. How each kind is read: ``core.counter``, ``core.gauge``.

Unknown time is counted as a gap and never filled with a guess. Every reading that is not believed is counted, with
its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.channel import Kind
from greenai.core.counter import counter_intervals
from greenai.core.gauge import gauge_intervals
from greenai.core.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from greenai.core.channel import Channel
    from greenai.core.energy_curve import EnergyInterval
    from greenai.core.reading import Reading


@dataclass(frozen=True, slots=True)
class Integration:
    """The energy of one channel, interval by interval, and what was not believed.

    Attributes:
        intervals: Adjacent, in order of time. Fewer than two good readings give none.
        rejected: How many readings were rejected, by reason.
    """

    intervals: Sequence[EnergyInterval]
    rejected: Mapping[str, int]


def integrate(
    channel: Channel,
    readings: Iterable[Reading],
    max_gap_s: float = 60.0,
    span: tuple[int, int] | None = None,
    max_lost_s: float | None = None,
) -> Integration:
    """Turn the readings of one channel into energy, interval by interval.

    Args:
        channel: What the readings mean.
        readings: In any order; those of other channels must not be among them.
        max_gap_s: Power is not integrated over a pause longer than this many seconds. Counters are.
        span: Start and end of the run, monotonic nanoseconds. A gauge that was read a little after the start or
            before the end, not further than ``max_gap_s``, is taken to have said the same there.
        max_lost_s: The same as ``max_gap_s`` for a pause in which readings of a gauge failed or were not believed;
            default is ``max_gap_s``.
    """
    series = Series.of(channel, readings)
    intervals: Sequence[EnergyInterval]
    if channel.kind is Kind.COUNTER:
        intervals, rejected = counter_intervals(channel, series)
    else:
        lost_s = max_gap_s if max_lost_s is None else max_lost_s
        intervals, rejected = gauge_intervals(series, max_gap_s, lost_s, span)
    return Integration(intervals, {reason: count for reason, count in rejected.items() if count})
