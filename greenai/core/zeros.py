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
from operator import itemgetter
from typing import TYPE_CHECKING

from greenai.core.energy import integrate
from greenai.core.reading import READ_JITTER_NS
from greenai.core.series import Series
from greenai.core.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.channel import Channel
    from greenai.core.energy import Integration
    from greenai.core.reading import Reading
    from greenai.core.series import Number

# Why a reading is left out: it lies too far from those of other processes, or contradicts them.
ZERO_UNKNOWN = "zero_unknown"


def one_zero(channel: Channel, by_process: Sequence[Sequence[Reading]]) -> tuple[Series, Counter[str]]:
    """Return the readings of all processes as if one had taken them, and how many were left out, by reason.

    Args:
        channel: A counter.
        by_process: What each process read, in order of time.
    """
    series = [Series.of(channel, readings) for readings in by_process]
    integrations = [integrate(channel, each) for each in series]
    rejected: Counter[str] = Counter()
    if not series:
        return Series(channel), rejected
    best = max(range(len(series)), key=lambda number: _known_ns(integrations[number]))
    reference = _cumulated(integrations[best])
    if not reference:
        return series[best], rejected
    kept = [reference]
    for counts in sorted((each.numbers for n, each in enumerate(series) if n != best), key=len, reverse=True):
        unwrapped = _unwrapped(channel, reference, counts)
        if unwrapped and not any(_contradicts(channel, unwrapped, other) for other in kept):
            kept.append(unwrapped)
            rejected[ZERO_UNKNOWN] += len(counts) - len(unwrapped)
        else:
            rejected[ZERO_UNKNOWN] += len(counts)
    merged = sorted(
        (t_ns, energy_uj + zero_uj)
        for counts, zero_uj in zip(kept, _zeros_uj(channel, kept), strict=True)
        for t_ns, energy_uj in counts
    )
    grown_uj = accumulate((energy_uj for _, energy_uj in merged), max)  # two readers at nearly the same moment
    numbers = [(t_ns, energy_uj) for (t_ns, _), energy_uj in zip(merged, grown_uj, strict=True)]
    return Series(channel, numbers, series[best].failures), +rejected


def _known_ns(integration: Integration) -> int:
    return sum(i.t1_ns - i.t0_ns for i in integration.intervals if i.energy_uj is not None)


def _cumulated(integration: Integration) -> list[Number]:
    """Return the energy since the first reading; nothing if there is a hole: its parts have no common zero."""
    counts: list[Number] = []
    energy_uj = 0
    for interval in integration.intervals:
        if interval.energy_uj is None:
            return []
        if not counts:
            counts.append((interval.t0_ns, 0))
        energy_uj += round(interval.energy_uj)
        counts.append((interval.t1_ns, energy_uj))
    return counts


def _unwrapped(channel: Channel, reference: Sequence[Number], counts: Sequence[Number]) -> list[Number]:
    """Return the readings of a process without wraps, except those too far from the reference to tell."""
    unwrapped: list[Number] = []
    first_middle_uj = 0
    for t_ns, count_uj in counts:
        low_uj, high_uj = _bounds_uj(channel, reference, t_ns)
        energy_uj, middle_uj = count_uj, (low_uj + high_uj) // 2
        if channel.wrap_uj is not None:
            if high_uj - low_uj >= channel.wrap_uj:
                continue
            if unwrapped:
                expected_uj = unwrapped[0][1] + middle_uj - first_middle_uj
                energy_uj += round((expected_uj - energy_uj) / channel.wrap_uj) * channel.wrap_uj
        if not unwrapped:
            first_middle_uj = middle_uj
        unwrapped.append((t_ns, energy_uj))
    return unwrapped


def _contradicts(channel: Channel, one: Sequence[Number], other: Sequence[Number]) -> bool:
    """Say whether two processes disagree by more than the order of their reads explains."""
    least_uj, most_uj = _zero_range_uj(channel, one, other)
    return least_uj - most_uj > channel.max_power_uw * READ_JITTER_NS // NS_PER_S


def _zero_range_uj(channel: Channel, one: Sequence[Number], other: Sequence[Number]) -> tuple[int, int]:
    """Return least and most by which the zero of one process may lie above the other's."""
    if len(one) > len(other):
        least_uj, most_uj = _zero_range_uj(channel, other, one)
        return -most_uj, -least_uj
    bounds = [(energy_uj, *_bounds_uj(channel, other, t_ns)) for t_ns, energy_uj in one]
    return max(low - energy for energy, low, _ in bounds), min(high - energy for energy, _, high in bounds)


def _zeros_uj(channel: Channel, kept: Sequence[Sequence[Number]]) -> list[int]:
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


def _bounds_uj(channel: Channel, counts: Sequence[Number], t_ns: int) -> tuple[int, int]:
    """Return between which values a series was at a time: it grows, but not faster than power allows."""
    index = bisect_right(counts, t_ns, key=itemgetter(0))
    around = counts[max(index - 1, 0) : index + 1]
    least_uj = [energy_uj for near_ns, energy_uj in around if near_ns <= t_ns]
    most_uj = [energy_uj for near_ns, energy_uj in around if near_ns >= t_ns]
    for near_ns, energy_uj in around:
        reach_uj = channel.max_power_uw * abs(t_ns - near_ns) // NS_PER_S
        if near_ns >= t_ns:
            least_uj.append(energy_uj - reach_uj)
        if near_ns <= t_ns:
            most_uj.append(energy_uj + reach_uj)
    return max(least_uj), min(most_uj)
