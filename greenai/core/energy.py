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
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from greenai.core.channel import Kind, Quality
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.core.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from greenai.core.channel import Channel
    from greenai.core.reading import Reading

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


@dataclass(frozen=True, slots=True)
class EnergyInterval:
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

    def __init__(self, intervals: Sequence[EnergyInterval]) -> None:
        self._t_ns: list[int] = []
        self._known_uj: list[float] = []  # cumulated energy at each time
        self._known_ns: list[int] = []  # cumulated time with known energy
        energy_uj, known_ns = 0.0, 0
        for interval in intervals:
            if not self._t_ns:
                self._push(interval.t0_ns, energy_uj, known_ns)
            if interval.energy_uj is not None:
                energy_uj += interval.energy_uj
                known_ns += interval.t1_ns - interval.t0_ns
            self._push(interval.t1_ns, energy_uj, known_ns)

    def _push(self, t_ns: int, energy_uj: float, known_ns: int) -> None:
        self._t_ns.append(t_ns)
        self._known_uj.append(energy_uj)
        self._known_ns.append(known_ns)

    @property
    def times_ns(self) -> Sequence[int]:
        """Return the monotonic times at which one interval ends and the next begins."""
        return self._t_ns

    def peak_w(self, t0_ns: int, t1_ns: int) -> float:
        """Return the highest power over any known stretch of 0.1 s or more in [t0, t1]; 0 if there is none."""
        times = [t_ns for t_ns in spaced(self._t_ns, _PEAK_NS) if t0_ns <= t_ns <= t1_ns]
        amounts = ((self.between(a, b), (b - a) / NS_PER_S) for a, b in pairwise(times))
        return max(
            (amount.energy_j / s for amount, s in amounts if amount.energy_j and not amount.gap_s), default=0.0
        )

    def between(self, t0_ns: int, t1_ns: int) -> EnergyAmount:
        """Return the energy in [t0, t1], interpolated linearly inside an interval.

        Args:
            t0_ns: Start of the window, monotonic nanoseconds.
            t1_ns: End of the window, not before the start.
        """
        length_ns = max(t1_ns - t0_ns, 0)
        if not self._t_ns or length_ns == 0:
            return EnergyAmount(None, length_ns / NS_PER_S)
        energy_uj = self._at(self._known_uj, t1_ns) - self._at(self._known_uj, t0_ns)
        known_ns = self._at(self._known_ns, t1_ns) - self._at(self._known_ns, t0_ns)
        if known_ns <= 0:
            return EnergyAmount(None, length_ns / NS_PER_S)
        gap_ns = length_ns - known_ns
        # A mark and its readings are some microseconds apart; that is no gap.
        forgiven_ns = min(READ_JITTER_NS, length_ns // 100)
        return EnergyAmount(energy_uj / 1e6, gap_ns / NS_PER_S if gap_ns > forgiven_ns else 0.0)

    def _at(self, values: Sequence[float], t_ns: int) -> float:
        index = bisect_right(self._t_ns, t_ns)
        if index == 0:
            return values[0]
        if index == len(self._t_ns):
            return values[-1]
        t0, t1 = self._t_ns[index - 1], self._t_ns[index]
        share = (t_ns - t0) / (t1 - t0)
        return values[index - 1] + share * (values[index] - values[index - 1])


def spaced(times_ns: Sequence[int], step_ns: int) -> list[int]:
    """Return the first and the last of these times, and of those between them as many as lie a step apart.

    Args:
        times_ns: Rising.
        step_ns: How far apart, at least; the last two may be closer.
    """
    found = list(times_ns[:1])
    for t_ns in times_ns[1:-1]:
        if t_ns - found[-1] >= step_ns:
            found.append(t_ns)
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
    ordered = sorted(readings, key=_order)
    rejected: Counter[str] = Counter()
    if channel.kind is Kind.COUNTER:
        counts = [reading for reading in ordered if isinstance(reading, CounterReading)]
        if _stands_still(channel, ordered, counts):
            return Integration((), {STANDS_STILL: len(counts)})
        found = _without_standstill(channel, _counter_intervals(channel, counts, rejected), rejected)
    else:
        gauged = [reading for reading in ordered if not isinstance(reading, CounterReading)]
        pauses_s = (max_gap_s, max_gap_s if max_lost_s is None else max_lost_s)
        found = _power_intervals(channel, _with_edges(channel, gauged, max_gap_s, span), pauses_s, rejected)
    return Integration(tuple(found), {reason: count for reason, count in rejected.items() if count})


def _stands_still(channel: Channel, readings: Sequence[Reading], counts: Sequence[CounterReading]) -> bool:
    """Say whether a counter never moved though it had the time: then it does not count, whatever it says."""
    if channel.quality is Quality.ESTIMATED or not counts or len({reading.energy_uj for reading in counts}) > 1:
        return False
    return readings[-1].t_mono_ns - readings[0].t_mono_ns >= _patience_ns(channel)


def _patience_ns(channel: Channel) -> float:
    """Return how long a counter may stand still: some renewals, and a step of its own at the least power."""
    step_s = channel.resolution_uj / LEAST_POWER_UW
    return (STANDSTILL_S + STANDSTILL_RENEWALS * (channel.update_s or 0.0) + step_s) * NS_PER_S


def _without_standstill(
    channel: Channel, found: list[EnergyInterval], rejected: Counter[str]
) -> list[EnergyInterval]:
    """Make unknown what a counter says while it stands still for longer than anything does that is switched on."""
    if channel.quality is Quality.ESTIMATED:
        return found
    result: list[EnergyInterval] = []
    for still, group in groupby(found, key=lambda interval: interval.energy_uj == 0):
        stretch = list(group)
        if still and stretch[-1].t1_ns - stretch[0].t0_ns >= _patience_ns(channel):
            rejected[STANDS_STILL] += len(stretch)
            stretch = [EnergyInterval(interval.t0_ns, interval.t1_ns, None) for interval in stretch]
        result += stretch
    return result


def _with_edges(
    channel: Channel, readings: list[PowerReading | Gap], max_gap_s: float, span: tuple[int, int] | None
) -> list[PowerReading | Gap]:
    """Hold a gauge's first and last word to the ends of the run, where they are near."""
    good = [r for r in readings if isinstance(r, PowerReading) and 0 <= r.power_uw <= channel.max_power_uw]
    if span is None or not good:
        return readings
    edges = []
    if 0 < good[0].t_mono_ns - span[0] <= max_gap_s * NS_PER_S:
        edges.append(PowerReading(channel.id, span[0], good[0].power_uw))
    if 0 < span[1] - good[-1].t_mono_ns <= max_gap_s * NS_PER_S:
        edges.append(PowerReading(channel.id, span[1], good[-1].power_uw))
    return sorted([*readings, *edges], key=_order)


def _order(reading: Reading) -> tuple[int, int]:
    """Order by time; two readers at the same nanosecond are ordered by value."""
    value = reading.energy_uj if isinstance(reading, CounterReading) else getattr(reading, "power_uw", 0)
    return reading.t_mono_ns, value


def _counter_intervals(
    channel: Channel, readings: Sequence[CounterReading], rejected: Counter[str]
) -> list[EnergyInterval]:
    result: list[EnergyInterval] = []
    before: CounterReading | None = None  # start of the last interval
    previous: CounterReading | None = None  # its end: the last accepted reading
    suspect: CounterReading | None = None  # a reading that does not follow from the accepted one
    counts = True  # whether it counted since it was found on a new level; a stuck sentinel never does
    for reading in readings:
        if previous is None:
            previous = reading
            continue
        if reading.t_mono_ns <= previous.t_mono_ns:
            continue
        delta_uj = counter_delta_uj(channel, previous, reading)
        from_suspect_uj = counter_delta_uj(channel, suspect, reading) if suspect is not None else None
        if delta_uj is not None:
            rejected[IMPLAUSIBLE_STEP] += suspect is not None
            # If it follows from the suspect as well, that may have been a glitch or a reset: nobody can tell.
            counts = counts or delta_uj > 0
            known_uj = delta_uj if from_suspect_uj is None and counts else None
            result.append(EnergyInterval(previous.t_mono_ns, reading.t_mono_ns, known_uj))
            before, previous, suspect = previous, reading, None
        elif _is_jitter(channel, previous, reading):
            continue
        elif suspect is None or from_suspect_uj is None:
            if suspect is not None:
                ambiguous = _is_ambiguous(channel, previous, suspect)
                rejected[WRAP_AMBIGUOUS if ambiguous else IMPLAUSIBLE_STEP] += 1
            suspect = reading
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
            result.append(EnergyInterval(previous.t_mono_ns, suspect.t_mono_ns, None))
            counts = from_suspect_uj > 0
            result.append(EnergyInterval(suspect.t_mono_ns, reading.t_mono_ns, from_suspect_uj or None))
            before, previous, suspect = suspect, reading, None
    if previous is not None and suspect is not None:
        rejected[_why_unknown(channel, previous, suspect)] += 1
        result.append(EnergyInterval(previous.t_mono_ns, suspect.t_mono_ns, None))
    return result


def _why_unknown(channel: Channel, before: CounterReading, after: CounterReading) -> str:
    if _is_ambiguous(channel, before, after):
        return WRAP_AMBIGUOUS
    return COUNTER_RESET if after.energy_uj < before.energy_uj else IMPLAUSIBLE_STEP


def _is_ambiguous(channel: Channel, before: CounterReading, after: CounterReading) -> bool:
    return channel.wrap_uj is not None and _plausible_uj(channel, before, after) >= channel.wrap_uj


def _plausible_uj(channel: Channel, before: CounterReading, after: CounterReading) -> int:
    return channel.max_power_uw * (after.t_mono_ns - before.t_mono_ns + READ_JITTER_NS) // NS_PER_S


def counter_delta_uj(channel: Channel, before: CounterReading, after: CounterReading) -> int | None:
    """Return the energy between two readings of a counter, or None if it cannot be known.

    One wrap at most is resolved: with more possible, the difference is ambiguous and therefore unknown.
    """
    plausible_uj = _plausible_uj(channel, before, after)
    delta_uj = after.energy_uj - before.energy_uj
    if channel.wrap_uj is not None:
        if plausible_uj >= channel.wrap_uj:
            return None
        if delta_uj < 0:
            delta_uj += channel.wrap_uj
    return delta_uj if 0 <= delta_uj <= plausible_uj else None


def _is_jitter(channel: Channel, before: CounterReading, after: CounterReading) -> bool:
    step_back_uj = before.energy_uj - after.energy_uj
    close = after.t_mono_ns - before.t_mono_ns <= READ_JITTER_NS
    return close and 0 < step_back_uj <= channel.max_power_uw * READ_JITTER_NS // NS_PER_S


def _power_intervals(
    channel: Channel,
    readings: Sequence[PowerReading | Gap],
    pauses_s: tuple[float, float],
    rejected: Counter[str],
) -> list[EnergyInterval]:
    """Integrate trapezoids, not over pauses longer than the two given (usual; with lost readings in between)."""
    result: list[EnergyInterval] = []
    previous: PowerReading | None = None
    lost = False  # whether a reading since the previous good one failed
    for reading in readings:
        if isinstance(reading, Gap):
            lost = True
            continue
        if not 0 <= reading.power_uw <= channel.max_power_uw:
            rejected[IMPLAUSIBLE_POWER] += 1
            lost = True
            continue
        if previous is not None and reading.t_mono_ns > previous.t_mono_ns:
            length_ns = reading.t_mono_ns - previous.t_mono_ns
            trapezoid_uj = (previous.power_uw + reading.power_uw) / 2 * length_ns / NS_PER_S
            known = length_ns <= pauses_s[lost] * NS_PER_S
            rejected[PAUSE_TOO_LONG] += not known
            result.append(EnergyInterval(previous.t_mono_ns, reading.t_mono_ns, trapezoid_uj if known else None))
        previous, lost = reading, False
    return result
