"""From readings to joules: counter differences, wraps, resets, trapezoids and gaps. Pure arithmetic.

The rules, and why:

* A counter is a difference of two readings, so a failed read between two good ones costs nothing.
* A value that would need more power than the device can draw is a fault of the sensor (a sentinel such as
  0xFFFFFFFF, a glitch), not energy. It is skipped, unless the counter stays there: then it was a reset.
* A falling counter is a wrap only if the range is known and the wrapped difference is plausible. A tiny
  step back is two processes reading at the same moment. Anything else is a reset: that interval is unknown.
* Where more than one wrap could have happened between two readings, the interval is unknown.
* A counter that never moves, though it had time for many renewals, does not count: unknown, not 0 J.
* Unknown time is counted as a gap. It is never filled with a guess.
* Every reading that is not believed is counted, with its reason.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate, groupby, pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from greenai.core.channel import Kind, Quality
from greenai.core.series import Series
from greenai.core.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from greenai.core.channel import Channel
    from greenai.core.reading import Reading
    from greenai.core.series import Number

# Why a reading, or the time before it, is not believed.
IMPLAUSIBLE_STEP = "implausible_step"
IMPLAUSIBLE_POWER = "implausible_power"
COUNTER_RESET = "counter_reset"
WRAP_AMBIGUOUS = "wrap_ambiguous"
PAUSE_TOO_LONG = "pause_too_long"
STANDS_STILL = "counter_stands_still"

# Nothing that is switched on takes no energy for this long, and for this many renewals of its counter.
STANDSTILL_S = 0.5
STANDSTILL_RENEWALS = 5
LEAST_POWER_UW = 100_000
_PEAK_NS = 100 * NS_PER_MS

# Two readers of one counter may disagree about the order of their reads by this much (scheduling).
READ_JITTER_NS = 50 * NS_PER_MS


# In a row of power values: a reading that failed or is not believed.
_LOST: Final = -1


class EnergyInterval(NamedTuple):
    """The energy between two readings; None where it cannot be known.

    Attributes:
        t0_ns: Monotonic time of the earlier reading.
        t1_ns: Monotonic time of the later reading.
        energy_uj: Microjoules, or None.
    """

    t0_ns: int
    t1_ns: int
    energy_uj: float | None


@dataclass(frozen=True, slots=True)
class EnergyAmount:
    """Energy within a window: what is known (None if nothing is), and how long nothing was known."""

    energy_j: float | None
    gap_s: float


@dataclass(frozen=True, slots=True)
class Integration:
    """The energy of one channel, interval by interval, and what was not believed.

    Attributes:
        intervals: Adjacent, in order of time. Fewer than two good readings give none.
        rejected: How many readings were rejected, by reason.
    """

    intervals: tuple[EnergyInterval, ...]
    rejected: Mapping[str, int] = field(default_factory=dict)


class EnergyCurve:
    """Cumulated energy of one channel over time; answers how much fell into any window."""

    def __init__(self, intervals: Sequence[EnergyInterval], peak_w: float = 0.0) -> None:
        """Sum up intervals.

        Args:
            intervals: Adjacent, in order of time.
            peak_w: The highest power that was seen where the intervals are too coarse to show it.
        """
        self._peak_w = peak_w
        first_ns = [intervals[0].t0_ns] if intervals else []
        known_uj = [interval.energy_uj or 0.0 for interval in intervals]
        known_ns = [0 if energy_uj is None else t1_ns - t0_ns for t0_ns, t1_ns, energy_uj in intervals]
        self._t_ns = first_ns + [interval.t1_ns for interval in intervals]
        self._known_uj = list(accumulate(known_uj, initial=0.0))  # cumulated energy at each time
        self._known_ns = list(accumulate(known_ns, initial=0))  # cumulated time with known energy

    @property
    def times_ns(self) -> Sequence[int]:
        """Return the monotonic times at which one interval ends and the next begins."""
        return self._t_ns

    def peak_w(self, t0_ns: int, t1_ns: int) -> float:
        """Return the highest power over any known stretch of 0.1 s or more in [t0, t1]; 0 if there is none."""
        times = [t_ns for t_ns in spaced(self._t_ns, _PEAK_NS) if t0_ns <= t_ns <= t1_ns]
        amounts = ((self.between(a, b), (b - a) / NS_PER_S) for a, b in pairwise(times))
        highest_w = max(
            (amount.energy_j / s for amount, s in amounts if amount.energy_j and not amount.gap_s),
            default=0.0,
        )
        return max(highest_w, self._peak_w)

    def since(self, start_ns: int) -> list[EnergyInterval]:
        """Return the intervals from a time on."""
        times_ns = [start_ns, *self._t_ns[bisect_right(self._t_ns, start_ns) :]]
        if len(times_ns) < 2:  # noqa: PLR2004
            return []
        marks = zip(times_ns, *self.known_at(times_ns), strict=True)
        return [
            EnergyInterval(t0_ns, t1_ns, uj1 - uj0 if ns1 > ns0 else None)
            for (t0_ns, uj0, ns0), (t1_ns, uj1, ns1) in pairwise(marks)
        ]

    def between(self, t0_ns: int, t1_ns: int) -> EnergyAmount:
        """Return the energy in [t0, t1], interpolated linearly inside an interval.

        Args:
            t0_ns: Start of the window, monotonic nanoseconds.
            t1_ns: End of the window, not before the start.
        """
        length_ns = max(t1_ns - t0_ns, 0)
        if not self._t_ns or length_ns == 0:
            return EnergyAmount(None, length_ns / NS_PER_S)
        (known0_uj, known1_uj), (known0_ns, known1_ns) = self.known_at((t0_ns, t1_ns))
        known_ns = known1_ns - known0_ns
        if known_ns <= 0:
            return EnergyAmount(None, length_ns / NS_PER_S)
        energy_uj = known1_uj - known0_uj
        gap_ns = length_ns - known_ns
        # A mark and its readings are some microseconds apart; that is no gap.
        forgiven_ns = min(READ_JITTER_NS, length_ns // 100)
        return EnergyAmount(energy_uj / 1e6, gap_ns / NS_PER_S if gap_ns > forgiven_ns else 0.0)

    def known_at(self, times_ns: Sequence[int]) -> tuple[list[float], list[float]]:
        """Return the energy (µJ) and the time (ns) that are known up to each of these times.

        Only for a curve with at least one interval.
        """
        all_ns, all_uj, all_known_ns = self._t_ns, self._known_uj, self._known_ns
        energies_uj: list[float] = []
        lengths_ns: list[float] = []
        for t_ns in times_ns:
            after = bisect_right(all_ns, t_ns)
            if 0 < after < len(all_ns):
                before = after - 1
                share = (t_ns - all_ns[before]) / (all_ns[after] - all_ns[before])
                energy_uj, length_ns = all_uj[before], all_known_ns[before]
                energies_uj.append(energy_uj + share * (all_uj[after] - energy_uj))
                lengths_ns.append(length_ns + share * (all_known_ns[after] - length_ns))
            else:
                edge = -1 if after else 0
                energies_uj.append(all_uj[edge])
                lengths_ns.append(all_known_ns[edge])
        return energies_uj, lengths_ns


def spaced(times_ns: Sequence[int], step_ns: int) -> list[int]:
    """Return the first and the last of these times, and of those between them as many as lie a step apart.

    Args:
        times_ns: Rising.
        step_ns: How far apart, at least; the last two may be closer.
    """
    found = list(times_ns[:1])
    next_ns = found[0] + step_ns if found else 0
    for t_ns in times_ns[1:-1]:
        if t_ns >= next_ns:
            found.append(t_ns)
            next_ns = t_ns + step_ns
    return found + list(times_ns[1:][-1:])


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
        span: Start and end of the run. A gauge that was read a little after the start or before the end, not
            further than ``max_gap_s``, is taken to have said the same there.
        max_lost_s: The same for a pause in which readings of a gauge failed or were not believed; default is
            ``max_gap_s``.
    """
    series = Series.of(channel, readings)
    rejected: Counter[str] = Counter()
    if channel.kind is Kind.COUNTER:
        if _stands_still(series):
            return Integration((), {STANDS_STILL: len(series.numbers)})
        found = _without_standstill(channel, _counter_intervals(channel, series.numbers, rejected), rejected)
    else:
        pauses_s = (max_gap_s, max_gap_s if max_lost_s is None else max_lost_s)
        powers_uw = _with_edges(_believed(series, rejected), max_gap_s, span)
        found = _power_intervals(powers_uw, pauses_s, rejected)
    return Integration(tuple(found), {reason: count for reason, count in rejected.items() if count})


def _stands_still(series: Series) -> bool:
    """Say whether a counter never moved though it had the time: then it does not count, whatever it says."""
    counts, estimated = series.numbers, series.channel.quality is Quality.ESTIMATED
    if estimated or not counts or any(energy_uj != counts[0][1] for _, energy_uj in counts):
        return False
    times_ns = [t_ns for t_ns, _ in series.samples()]
    return times_ns[-1] - times_ns[0] >= _patience_ns(series.channel)


def _patience_ns(channel: Channel) -> float:
    """Return how long a counter may stand still: some renewals, and a step of its own at the least power."""
    step_s = channel.resolution_uj / LEAST_POWER_UW
    return (STANDSTILL_S + STANDSTILL_RENEWALS * (channel.update_s or 0.0) + step_s) * NS_PER_S


def _without_standstill(
    channel: Channel, found: list[EnergyInterval], rejected: Counter[str]
) -> list[EnergyInterval]:
    """Make unknown what a counter says while it stands still for longer than anything does that is switched on."""
    if channel.quality is Quality.ESTIMATED or not any(interval.energy_uj == 0 for interval in found):
        return found
    result: list[EnergyInterval] = []
    for still, group in groupby(found, key=lambda interval: interval.energy_uj == 0):
        stretch = list(group)
        if still and stretch[-1].t1_ns - stretch[0].t0_ns >= _patience_ns(channel):
            rejected[STANDS_STILL] += len(stretch)
            stretch = [EnergyInterval(interval.t0_ns, interval.t1_ns, None) for interval in stretch]
        result += stretch
    return result


def _believed(series: Series, rejected: Counter[str]) -> list[Number]:
    """Return the powers of a gauge in order of time, with a mark where a reading failed or is not believed."""
    most_uw = series.channel.max_power_uw
    powers_uw = [(t_ns, uw if 0 <= uw <= most_uw else _LOST) for t_ns, uw in series.numbers]
    rejected[IMPLAUSIBLE_POWER] += sum(power_uw == _LOST for _, power_uw in powers_uw)
    return sorted(powers_uw + [(t_ns, _LOST) for t_ns, _ in series.failures])


def _with_edges(powers_uw: list[Number], max_gap_s: float, span: tuple[int, int] | None) -> list[Number]:
    """Hold a gauge's first and last word to the ends of the run, where they are near."""
    first = next(((t_ns, power_uw) for t_ns, power_uw in powers_uw if power_uw != _LOST), None)
    last = next(((t_ns, power_uw) for t_ns, power_uw in reversed(powers_uw) if power_uw != _LOST), None)
    if span is None or first is None or last is None:
        return powers_uw
    edges = []
    if 0 < first[0] - span[0] <= max_gap_s * NS_PER_S:
        edges.append((span[0], first[1]))
    if 0 < span[1] - last[0] <= max_gap_s * NS_PER_S:
        edges.append((span[1], last[1]))
    return sorted(powers_uw + edges)


def _counter_intervals(channel: Channel, counts: Sequence[Number], rejected: Counter[str]) -> list[EnergyInterval]:
    result: list[EnergyInterval] = []
    before: Number | None = None  # start of the last interval
    previous: Number | None = None  # its end: the last accepted reading
    suspect: Number | None = None  # a reading that does not follow from the accepted one
    moves = True  # whether it counted since it was found on a new level; a stuck sentinel never does
    for count in counts:
        if previous is None:
            previous = count
            continue
        t_ns = count[0]
        if t_ns <= previous[0]:
            continue
        delta_uj = counter_delta_uj(channel, previous, count)
        from_suspect_uj = None if suspect is None else counter_delta_uj(channel, suspect, count)
        if delta_uj is not None:
            rejected[IMPLAUSIBLE_STEP] += suspect is not None
            # If it follows from the suspect as well, that may have been a glitch or a reset: nobody can tell.
            moves = moves or delta_uj > 0
            known_uj = delta_uj if from_suspect_uj is None and moves else None
            result.append(EnergyInterval(previous[0], t_ns, known_uj))
            before, previous, suspect = previous, count, None
        elif _is_jitter(channel, previous, count):
            continue
        elif suspect is None or from_suspect_uj is None:
            if suspect is not None:
                ambiguous = _is_ambiguous(channel, previous, suspect)
                rejected[WRAP_AMBIGUOUS if ambiguous else IMPLAUSIBLE_STEP] += 1
            suspect = count
        else:
            if before is not None and counter_delta_uj(channel, before, suspect) is not None:
                # The accepted value was the glitch: a 0 that looked like a wrap.
                rejected[IMPLAUSIBLE_STEP] += 1
                previous = before
                result.pop()
            else:
                rejected[_why_unknown(channel, previous, suspect)] += 1
            # The counter stays on the new level: it was reset between `previous` and `suspect`. One that does not
            # move there may be a stuck sentinel: no energy is claimed before it counts.
            result.append(EnergyInterval(previous[0], suspect[0], None))
            moves = from_suspect_uj > 0
            result.append(EnergyInterval(suspect[0], t_ns, from_suspect_uj or None))
            before, previous, suspect = suspect, count, None
    if previous is not None and suspect is not None:
        rejected[_why_unknown(channel, previous, suspect)] += 1
        result.append(EnergyInterval(previous[0], suspect[0], None))
    return result


def _why_unknown(channel: Channel, before: Number, after: Number) -> str:
    if _is_ambiguous(channel, before, after):
        return WRAP_AMBIGUOUS
    return COUNTER_RESET if after[1] < before[1] else IMPLAUSIBLE_STEP


def _is_ambiguous(channel: Channel, before: Number, after: Number) -> bool:
    return channel.wrap_uj is not None and _plausible_uj(channel, after[0] - before[0]) >= channel.wrap_uj


def _plausible_uj(channel: Channel, length_ns: int) -> int:
    return channel.max_power_uw * (length_ns + READ_JITTER_NS) // NS_PER_S


def counter_delta_uj(channel: Channel, before: Number, after: Number) -> int | None:
    """Return the energy between two readings of a counter, or None if it cannot be known.

    One wrap at most is resolved: with more possible, the difference is ambiguous and therefore unknown.
    """
    (t0_ns, count0_uj), (t1_ns, count1_uj) = before, after
    plausible_uj = _plausible_uj(channel, t1_ns - t0_ns)
    delta_uj = count1_uj - count0_uj
    if channel.wrap_uj is not None:
        if plausible_uj >= channel.wrap_uj:
            return None
        if delta_uj < 0:
            delta_uj += channel.wrap_uj
    return delta_uj if 0 <= delta_uj <= plausible_uj else None


def _is_jitter(channel: Channel, before: Number, after: Number) -> bool:
    step_back_uj = before[1] - after[1]
    close = after[0] - before[0] <= READ_JITTER_NS
    return close and 0 < step_back_uj <= channel.max_power_uw * READ_JITTER_NS // NS_PER_S


def _power_intervals(
    powers_uw: Sequence[Number], pauses_s: tuple[float, float], rejected: Counter[str]
) -> list[EnergyInterval]:
    """Integrate trapezoids, not over pauses longer than the two given (usual; with lost readings in between)."""
    result: list[EnergyInterval] = []
    pauses_ns = [pause_s * NS_PER_S for pause_s in pauses_s]
    previous: Number | None = None
    lost = False  # whether a reading since the previous good one failed
    for t1_ns, power1_uw in powers_uw:
        if power1_uw == _LOST:
            lost = True
            continue
        if previous is not None and t1_ns > previous[0]:
            t0_ns, power0_uw = previous
            trapezoid_uj: float | None = (power0_uw + power1_uw) / 2 * (t1_ns - t0_ns) / NS_PER_S
            if t1_ns - t0_ns > pauses_ns[lost]:
                rejected[PAUSE_TOO_LONG] += 1
                trapezoid_uj = None
            result.append(EnergyInterval(t0_ns, t1_ns, trapezoid_uj))
        previous, lost = (t1_ns, power1_uw), False
    return result
