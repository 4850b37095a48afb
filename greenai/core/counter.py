"""From the readings of an energy counter to joules: differences, wraps, resets, faults. Pure arithmetic.

The rules, and why:

* A counter is a difference of two readings, so a failed read between two good ones costs nothing.
* A value that would need more power than the device can draw is a fault of the sensor (a sentinel such as
  0xFFFFFFFF, a glitch), not energy. It is skipped, unless the counter stays there: then it was a reset.
* A falling counter is a wrap only if the range is known and the wrapped difference is plausible. A tiny
  step back is two processes reading at the same moment. Anything else is a reset: that interval is unknown.
* Where more than one wrap could have happened between two readings, the interval is unknown.
* A counter that never moves, though it had time for many renewals, does not count: unknown, not 0 J.
"""

from __future__ import annotations

from collections import Counter
from itertools import compress, groupby
from operator import le, not_, sub
from typing import TYPE_CHECKING

from greenai.core.channel import Quality
from greenai.core.energy_curve import EnergyInterval, EvenIntervals
from greenai.core.reading import READ_JITTER_NS
from greenai.core.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.channel import Channel
    from greenai.core.series import Number, Series

# Why a reading, or the time before it, is not believed.
IMPLAUSIBLE_STEP = "implausible_step"
COUNTER_RESET = "counter_reset"
WRAP_AMBIGUOUS = "wrap_ambiguous"
STANDS_STILL = "counter_stands_still"

# Nothing that is switched on takes no energy for this long, and for this many renewals of its counter. That it
# takes 0.1 W at least is this project's choice.
_STANDSTILL_S = 0.5
_STANDSTILL_RENEWALS = 5
_LEAST_POWER_UW = 100_000


def counter_intervals(channel: Channel, series: Series) -> tuple[Sequence[EnergyInterval], Counter[str]]:
    """Return the energy between the readings of a counter, and how many were not believed, by reason.

    Args:
        channel: What the readings mean.
        series: The readings.
    """
    if _stands_still(series):
        return (), Counter({STANDS_STILL: len(series.values)})
    rejected: Counter[str] = Counter()
    found: Sequence[EnergyInterval] | None = _plain_differences(channel, series)
    if found is None:
        found = _differences(channel, series.numbers, rejected)
    return _without_standstill(channel, found, rejected), rejected


def counter_delta_uj(channel: Channel, before: Number, after: Number) -> int | None:
    """Return the energy between two readings of a counter, or None if it cannot be known.

    One wrap at most is resolved: with more possible, the difference is ambiguous and therefore unknown.

    Args:
        channel: The counter.
        before: Earlier reading: monotonic nanoseconds, and the count in microjoules.
        after: Later reading.
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


def _stands_still(series: Series) -> bool:
    """Say whether a counter never moved though it had the time: then it does not count, whatever it says."""
    counts_uj, estimated = series.values, series.channel.quality is Quality.ESTIMATED
    if estimated or not counts_uj or any(count_uj != counts_uj[0] for count_uj in counts_uj):
        return False
    times_ns = [t_ns for t_ns, _ in series.samples()]
    return times_ns[-1] - times_ns[0] >= _patience_ns(series.channel)


def _without_standstill(
    channel: Channel, found: Sequence[EnergyInterval], rejected: Counter[str]
) -> Sequence[EnergyInterval]:
    """Make unknown what a counter says while it stands still for longer than anything does that is switched on."""
    if isinstance(found, EvenIntervals):
        still_ns = sum(compress(found.lengths_ns(), map(not_, found.energies_uj)))
    else:
        still_ns = sum(t1_ns - t0_ns for t0_ns, t1_ns, energy_uj in found if energy_uj == 0)
    if channel.quality is Quality.ESTIMATED or still_ns < _patience_ns(channel):
        return found
    result: list[EnergyInterval] = []
    for still, group in groupby(found, key=lambda interval: interval.energy_uj == 0):
        stretch = list(group)
        if still and stretch[-1].t1_ns - stretch[0].t0_ns >= _patience_ns(channel):
            rejected[STANDS_STILL] += len(stretch)
            stretch = [EnergyInterval(interval.t0_ns, interval.t1_ns, None) for interval in stretch]
        result += stretch
    return result


def _patience_ns(channel: Channel) -> float:
    """Return how long a counter may stand still: some renewals, and a step of its own at the least power."""
    step_s = channel.resolution_uj / _LEAST_POWER_UW
    return (_STANDSTILL_S + _STANDSTILL_RENEWALS * (channel.update_s or 0.0) + step_s) * NS_PER_S


def _plain_differences(channel: Channel, series: Series) -> EvenIntervals | None:
    """Return what ``_differences`` does, much faster, where all readings follow from one another, as most do.

    None if one does not.
    """
    times_ns, counts_uj = series.times_ns, series.values
    lengths_ns = list(map(sub, times_ns[1:], times_ns))
    deltas_uj = list(map(sub, counts_uj[1:], counts_uj))
    if not lengths_ns or min(lengths_ns) <= 0:
        return None
    if channel.wrap_uj is not None:
        if _plausible_uj(channel, max(lengths_ns)) >= channel.wrap_uj:
            return None
        if min(deltas_uj) < 0:
            deltas_uj = [delta_uj if delta_uj >= 0 else delta_uj + channel.wrap_uj for delta_uj in deltas_uj]
    if min(deltas_uj) < 0:
        return None
    if max(deltas_uj) > _plausible_uj(channel, min(lengths_ns)):  # else none is implausible
        plausible_uj = (_plausible_uj(channel, length_ns) for length_ns in lengths_ns)
        if not all(map(le, deltas_uj, plausible_uj)):
            return None
    return EvenIntervals(times_ns, deltas_uj)


def _differences(channel: Channel, counts: Sequence[Number], rejected: Counter[str]) -> list[EnergyInterval]:
    """Return the energy from each accepted reading to the next, unknown across a reset.

    A reading that does not follow from the accepted one is a suspect; the next reading decides. If that one
    follows from the accepted reading, the suspect was a glitch. If it follows from the suspect, the counter was
    reset. If from neither, it is the suspect now.
    """
    result: list[EnergyInterval] = []
    before: Number | None = None  # start of the last interval
    accepted: Number | None = None  # its end: the last accepted reading
    suspect: Number | None = None  # a reading that does not follow from the accepted one
    moves = True  # whether it counted since it was found on a new level; a stuck sentinel never does
    for count in counts:
        if accepted is None:
            accepted = count
            continue
        t_ns = count[0]
        if t_ns <= accepted[0]:
            continue
        delta_uj = counter_delta_uj(channel, accepted, count)
        from_suspect_uj = None if suspect is None else counter_delta_uj(channel, suspect, count)
        if delta_uj is not None:
            rejected[IMPLAUSIBLE_STEP] += suspect is not None
            # If it follows from the suspect as well, that may have been a glitch or a reset: nobody can tell.
            moves = moves or delta_uj > 0
            known_uj = delta_uj if from_suspect_uj is None and moves else None
            result.append(EnergyInterval(accepted[0], t_ns, known_uj))
            before, accepted, suspect = accepted, count, None
        elif _is_jitter(channel, accepted, count):
            continue
        elif suspect is None or from_suspect_uj is None:
            if suspect is not None:
                ambiguous = _is_ambiguous(channel, accepted, suspect)
                rejected[WRAP_AMBIGUOUS if ambiguous else IMPLAUSIBLE_STEP] += 1
            suspect = count
        else:
            if before is not None and counter_delta_uj(channel, before, suspect) is not None:
                # The accepted value was the glitch: a 0 that looked like a wrap.
                rejected[IMPLAUSIBLE_STEP] += 1
                accepted = before
                result.pop()
            else:
                rejected[_why_unknown(channel, accepted, suspect)] += 1
            # The counter stays on the new level: it was reset between the two. One that does not move there may be
            # a stuck sentinel: no energy is claimed before it counts.
            result.append(EnergyInterval(accepted[0], suspect[0], None))
            moves = from_suspect_uj > 0
            result.append(EnergyInterval(suspect[0], t_ns, from_suspect_uj or None))
            before, accepted, suspect = suspect, count, None
    if accepted is not None and suspect is not None:
        rejected[_why_unknown(channel, accepted, suspect)] += 1
        result.append(EnergyInterval(accepted[0], suspect[0], None))
    return result


def _why_unknown(channel: Channel, before: Number, after: Number) -> str:
    if _is_ambiguous(channel, before, after):
        return WRAP_AMBIGUOUS
    return COUNTER_RESET if after[1] < before[1] else IMPLAUSIBLE_STEP


def _is_ambiguous(channel: Channel, before: Number, after: Number) -> bool:
    """Say whether the counter could have wrapped more than once between two readings."""
    return channel.wrap_uj is not None and _plausible_uj(channel, after[0] - before[0]) >= channel.wrap_uj


def _is_jitter(channel: Channel, before: Number, after: Number) -> bool:
    """Say whether a counter seems to fall only because two processes read it at nearly the same moment."""
    step_back_uj = before[1] - after[1]
    return after[0] - before[0] <= READ_JITTER_NS and 0 < step_back_uj <= _plausible_uj(channel, 0)


def _plausible_uj(channel: Channel, length_ns: int) -> int:
    """Return the most energy that the device can draw between two readings this far apart."""
    return channel.max_power_uw * (length_ns + READ_JITTER_NS) // NS_PER_S
