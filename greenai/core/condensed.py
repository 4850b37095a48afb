"""The past of a service: hours that are known by the minute, so that months need no raw readings.

A service is always evaluated hour by hour, each with the readings of some minutes around it, and an hour that is
over counts by its minutes from then on. So it makes no difference whether its readings are still there: the
figures of a run do not depend on when, or whether, it was condensed (docs/decisions/0013-condensed-hours.md).
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from greenai.core.activity import Activity
from greenai.core.channel import Kind
from greenai.core.energy_curve import EnergyInterval
from greenai.core.series import Series
from greenai.core.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from greenai.core.channel import Channel
    from greenai.core.energy_curve import EnergyCurve
    from greenai.core.events import ProcessLog
    from greenai.core.reading import Reading
    from greenai.core.series import Number
    from greenai.core.traces import ChannelTrace, Span

# What lies this far from an hour has no influence on it: pauses of gauges, steps of shares, faults of counters.
MARGIN_NS = 300 * NS_PER_S
_MINUTE_NS = 60 * NS_PER_S
_SAMPLE_END_NS = 1_000  # samples are kept to the microsecond

UNKNOWN = "unknown_in_condensed"

Minute = tuple[int, int]
"""(known energy µJ, known time ns)."""


@dataclass(frozen=True, slots=True)
class ChannelHour:
    """One channel in one hour.

    Attributes:
        machine: Energy of the device, minute by minute.
        own: The run's part of it.
        policy: The rule by which it was shared out; None if it was not.
        peak_w: The highest power of the run's part.
        lost: How many readings failed or were not believed, by reason.
    """

    machine: tuple[Minute, ...]
    own: tuple[Minute, ...]
    policy: str | None
    peak_w: float
    lost: Mapping[str, int]

    @classmethod
    def of(cls, trace: ChannelTrace, span: Span) -> ChannelHour:
        """Cut a trace into minutes."""
        machine = _minutes(trace.machine, span)
        own = machine if trace.own is trace.machine else _minutes(trace.own, span)
        return cls(machine, own, trace.policy, trace.own.peak_w(*span), trace.lost)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "machine": self.machine,
            "own": None if self.own == self.machine else self.own,
            "policy": self.policy,
            "peak_w": self.peak_w,
            "lost": dict(self.lost),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ChannelHour:
        """Read what ``to_json`` wrote.

        Raises:
            KeyError, TypeError, ValueError: It is none.
        """
        machine = tuple((int(uj), int(ns)) for uj, ns in data["machine"])
        own = machine if data["own"] is None else tuple((int(uj), int(ns)) for uj, ns in data["own"])
        lost = {str(reason): int(count) for reason, count in data["lost"].items()}
        policy = None if data["policy"] is None else str(data["policy"])
        return cls(machine, own, policy, float(data["peak_w"]), lost)


@dataclass(frozen=True, slots=True)
class CondensedHour:
    """What one hour of a service was on one host.

    Attributes:
        number: Of the hour, since the epoch.
        t0_ns: When it begins on the host's monotonic clock.
        t1_ns: When it ends.
        channels: By channel id.
        done: What was served, and what that took.
    """

    number: int
    t0_ns: int
    t1_ns: int
    channels: Mapping[str, ChannelHour]
    done: Activity

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        channels = {name: channel.to_json() for name, channel in self.channels.items()}
        return {
            "t": self.t1_ns, "t0_ns": self.t0_ns, "number": self.number, "channels": channels,
            "done": self.done.to_json(),
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CondensedHour:
        """Read what ``to_json`` wrote.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: It is none.
        """
        channels = {str(name): ChannelHour.from_json(channel) for name, channel in data["channels"].items()}
        t0_ns, t1_ns = int(data["t0_ns"]), int(data["t"])
        minutes = -((t0_ns - t1_ns) // _MINUTE_NS)
        if t0_ns < 0 or any(
            len(part) != minutes for hour in channels.values() for part in (hour.machine, hour.own)
        ):
            raise ValueError("these are not its minutes")
        return cls(int(data["number"]), t0_ns, t1_ns, channels, Activity.from_json(data["done"]))

    def of_channel(self, name: str, *, own: bool) -> list[EnergyInterval]:
        """Return the minutes of a channel as intervals; where only a part is known, it is taken to come first.

        Args:
            name: The channel's id.
            own: Whether the run's part is asked for, or the energy of the device.
        """
        if name not in self.channels:
            return [EnergyInterval(self.t0_ns, self.t1_ns, None)]
        minutes = self.channels[name].own if own else self.channels[name].machine
        found: list[EnergyInterval] = []
        borders = pairwise(_borders((self.t0_ns, self.t1_ns)))
        for (t0_ns, t1_ns), (energy_uj, known_ns) in zip(borders, minutes, strict=True):
            known_until_ns = min(t0_ns + known_ns, t1_ns)
            if known_until_ns > t0_ns:
                found.append(EnergyInterval(t0_ns, known_until_ns, energy_uj))
            if known_until_ns < t1_ns:
                found.append(EnergyInterval(known_until_ns, t1_ns, None))
        return found


def around(processes: Iterable[ProcessLog], span: Span) -> tuple[ProcessLog, ...]:
    """Return what was read in a stretch of time. Readings and use must be in order, see ``in_order``."""
    return tuple(_within(process, span) for process in processes)


def in_order(process: ProcessLog) -> ProcessLog:
    """Return a process with its readings and its use in order of time."""
    readings: dict[str, Sequence[Reading]] = {
        channel.id: Series.merged(channel, [process.readings.get(channel.id, ())]) for channel in process.channels
    }
    return replace(process, readings=readings, usages=sorted(process.usages, key=attrgetter("t_mono_ns")))


def as_readings(channel: Channel, intervals: Sequence[EnergyInterval]) -> Series:
    """Return readings that give these intervals when they are integrated.

    Args:
        channel: A counter is begun anew after a time that is unknown; a gauge says the mean power at both ends.
        intervals: Adjacent, in order of time.
    """
    if channel.kind is Kind.COUNTER:
        return Series(channel, _counts(channel, intervals))
    series = Series(channel)
    for t0_ns, t1_ns, energy_uj in intervals:
        if energy_uj is None:
            series.failures.append((t0_ns, UNKNOWN))
        else:
            power_uw = round(energy_uj * NS_PER_S / (t1_ns - t0_ns))
            series.add(t0_ns, power_uw)
            series.add(max(t1_ns - _SAMPLE_END_NS, t0_ns), power_uw)
    return series


def _counts(channel: Channel, intervals: Sequence[EnergyInterval]) -> list[Number]:
    counts: list[Number] = []
    for known, group in groupby(intervals, key=lambda interval: interval.energy_uj is not None):
        if not known:
            continue
        stretch = list(group)
        count_uj = 0
        if counts:
            # So low that neither a wrap nor the most energy leads back: only a counter begun anew can say that.
            most_uj = channel.max_power_uw * (stretch[0].t1_ns - stretch[0].t0_ns) // NS_PER_S
            lowest_uj = min(count for _, count in counts[-2:])
            count_uj = lowest_uj - (channel.wrap_uj or 0) - most_uj - channel.max_power_uw
        counts.append((stretch[0].t0_ns, count_uj))
        for interval in stretch:
            counts += _steps(channel, counts[-1][1], interval)
    return counts


def _steps(channel: Channel, count_uj: int, interval: EnergyInterval) -> list[Number]:
    """Return the counts up to the end of an interval, close enough for no wrap to be possible in between."""
    length_ns = interval.t1_ns - interval.t0_ns
    number = 1
    if channel.wrap_uj is not None:
        number += 2 * length_ns * channel.max_power_uw // (channel.wrap_uj * NS_PER_S)
    energy_uj = round(interval.energy_uj or 0.0)
    ends = range(1, number + 1)
    return [(interval.t0_ns + length_ns * n // number, count_uj + energy_uj * n // number) for n in ends]


def _within(process: ProcessLog, span: Span) -> ProcessLog:
    readings: dict[str, Sequence[Reading]] = {}
    for channel in process.channels:
        series = Series.of(channel, process.readings[channel.id])
        readings[channel.id] = series.within(*span)
    first = bisect_left(process.usages, span[0], key=attrgetter("t_mono_ns"))
    end = bisect_left(process.usages, span[1], key=attrgetter("t_mono_ns"))
    return replace(process, readings=readings, usages=process.usages[first:end])


def _borders(span: Span) -> list[int]:
    return [*range(span[0], span[1], _MINUTE_NS), span[1]]


def _minutes(curve: EnergyCurve, span: Span) -> tuple[Minute, ...]:
    borders = _borders(span)
    if not curve.times_ns:
        return ((0, 0),) * (len(borders) - 1)
    marks = zip(*curve.known_at(borders), strict=True)
    return tuple((round(uj1 - uj0), round(ns1 - ns0)) for (uj0, ns0), (uj1, ns1) in pairwise(marks))
