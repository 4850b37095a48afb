"""One series from several processes that each count from a zero of their own (``Channel.per_process``).

A count grows, and not faster than power allows. So a reading of one process lies between the readings before and
after it of any other, which leaves a range for the difference of their zeros; each further reading narrows it.
These ranges are brought into agreement (a simple temporal network: once closed by shortest paths, the zeros can be
chosen one after the other), and each zero is taken in the middle of what is left for it. Differences within a
process stay exact, whatever its zero: a window is as exact as its marks.

Such a counter is known modulo ``wrap_uj``. A process that reads rarely cannot tell how often it wrapped; the one
that knows most of the time, the sampler as a rule, can.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from itertools import accumulate, product
from typing import TYPE_CHECKING

from greenai.core.energy import READ_JITTER_NS, integrate
from greenai.core.reading import CounterReading, Gap, Reading
from greenai.core.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.channel import Channel
    from greenai.core.energy import Integration

    Series = list[CounterReading]

# Why a reading is left out: it lies too far from those of other processes, or contradicts them.
ZERO_UNKNOWN = "zero_unknown"


def one_zero(
    channel: Channel, by_process: Sequence[Sequence[Reading]]
) -> tuple[tuple[Reading, ...], Counter[str]]:
    """Return the readings of all processes as if one had taken them, and how many were left out, by reason.

    Args:
        channel: A counter.
        by_process: What each process read, in order of time.
    """
    best = max(by_process, key=lambda readings: _known_ns(integrate(channel, readings)), default=())
    reference = _cumulated(channel, integrate(channel, best))
    rejected: Counter[str] = Counter()
    if not reference:
        return tuple(best), rejected
    kept = [reference]
    for readings in sorted(by_process, key=len, reverse=True):
        if readings is not best:
            counts = [reading for reading in readings if isinstance(reading, CounterReading)]
            series = _unwrapped(channel, reference, counts)
            if series and not any(_contradicts(channel, series, other) for other in kept):
                kept.append(series)
                counts = counts[len(series) :]
            rejected[ZERO_UNKNOWN] += len(counts)
    merged = sorted(
        (reading.t_mono_ns, reading.energy_uj + zero_uj)
        for series, zero_uj in zip(kept, _zeros_uj(channel, kept), strict=True)
        for reading in series
    )
    grown_uj = accumulate((energy_uj for _, energy_uj in merged), max)  # two readers at nearly the same moment
    found: list[Reading] = [reading for reading in best if isinstance(reading, Gap)]
    found += [CounterReading(channel.id, t_ns, uj) for (t_ns, _), uj in zip(merged, grown_uj, strict=True)]
    return tuple(sorted(found, key=lambda reading: reading.t_mono_ns)), +rejected


def _known_ns(integration: Integration) -> int:
    return sum(i.t1_ns - i.t0_ns for i in integration.intervals if i.energy_uj is not None)


def _cumulated(channel: Channel, integration: Integration) -> Series:
    """Return the energy since the first reading; nothing if there is a hole: its parts have no common zero."""
    series: Series = []
    energy_uj = 0
    for interval in integration.intervals:
        if interval.energy_uj is None:
            return []
        if not series:
            series.append(CounterReading(channel.id, interval.t0_ns, 0))
        energy_uj += round(interval.energy_uj)
        series.append(CounterReading(channel.id, interval.t1_ns, energy_uj))
    return series


def _unwrapped(channel: Channel, reference: Series, counts: Sequence[CounterReading]) -> Series:
    """Return the readings of a process without wraps, except those too far from the reference to tell."""
    series: Series = []
    first_middle_uj = 0
    for reading in counts:
        low_uj, high_uj = _bounds_uj(channel, reference, reading.t_mono_ns)
        energy_uj, middle_uj = reading.energy_uj, (low_uj + high_uj) // 2
        if channel.wrap_uj is not None:
            if high_uj - low_uj >= channel.wrap_uj:
                continue
            if series:
                expected_uj = series[0].energy_uj + middle_uj - first_middle_uj
                energy_uj += round((expected_uj - energy_uj) / channel.wrap_uj) * channel.wrap_uj
        if not series:
            first_middle_uj = middle_uj
        series.append(CounterReading(channel.id, reading.t_mono_ns, energy_uj))
    return series


def _contradicts(channel: Channel, one: Series, other: Series) -> bool:
    """Say whether two processes disagree by more than the order of their reads explains."""
    least_uj, most_uj = _zero_range_uj(channel, one, other)
    return least_uj - most_uj > channel.max_power_uw * READ_JITTER_NS // NS_PER_S


def _zero_range_uj(channel: Channel, one: Series, other: Series) -> tuple[int, int]:
    """Return least and most by which the zero of one process may lie above the other's."""
    if len(one) > len(other):
        least_uj, most_uj = _zero_range_uj(channel, other, one)
        return -most_uj, -least_uj
    bounds = [(reading.energy_uj, *_bounds_uj(channel, other, reading.t_mono_ns)) for reading in one]
    return max(low - energy for energy, low, _ in bounds), min(high - energy for energy, _, high in bounds)


def _zeros_uj(channel: Channel, kept: Sequence[Series]) -> list[int]:
    """Return a zero for each series, so that all of them together grow."""
    count = range(len(kept))
    most_uj = [[0 for _ in count] for _ in count]  # by which zero i may lie above zero j
    for i, j in product(count, count):
        if i < j:
            least, most = _zero_range_uj(channel, kept[i], kept[j])
            middle = (least + most) // 2
            most_uj[i][j], most_uj[j][i] = max(most, middle), -min(least, middle)
    for k, i, j in product(count, count, count):
        most_uj[i][j] = min(most_uj[i][j], most_uj[i][k] + most_uj[k][j])
    zeros_uj: list[int] = []
    for i in count:
        low = max((zero - most_uj[j][i] for j, zero in enumerate(zeros_uj)), default=0)
        high = min((zero + most_uj[i][j] for j, zero in enumerate(zeros_uj)), default=0)
        zeros_uj.append((low + high) // 2)
    return zeros_uj


def _bounds_uj(channel: Channel, series: Series, t_ns: int) -> tuple[int, int]:
    """Return between which values a series was at a time: it grows, but not faster than power allows."""
    index = bisect_right(series, t_ns, key=lambda reading: reading.t_mono_ns)
    around = series[max(index - 1, 0) : index + 1]
    least_uj = [near.energy_uj for near in around if near.t_mono_ns <= t_ns]
    most_uj = [near.energy_uj for near in around if near.t_mono_ns >= t_ns]
    for near in around:
        reach_uj = channel.max_power_uw * abs(t_ns - near.t_mono_ns) // NS_PER_S
        if near.t_mono_ns >= t_ns:
            least_uj.append(near.energy_uj - reach_uj)
        if near.t_mono_ns <= t_ns:
            most_uj.append(near.energy_uj + reach_uj)
    return max(least_uj), min(most_uj)
