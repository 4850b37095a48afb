"""The readings of one channel as bare numbers: ten hours at 1 Hz of twelve channels are half a million of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import itemgetter, lt
from typing import TYPE_CHECKING, overload

from greenai.core.channel import Channel, Kind
from greenai.core.reading import CounterReading, Gap, PowerReading, Reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Number = tuple[int, int]
"""(monotonic ns, µJ or µW)."""

Failure = tuple[int, str]
"""(monotonic ns, why a read gave nothing)."""

_time_ns = itemgetter(0)


class Series(Sequence[Reading]):
    """The readings of one channel, in order of time.

    Attributes:
        channel: The channel.
        times_ns: When there was a reading that gave a number, monotonic.
        values: The numbers, µJ or µW; as many as there are times.
        failures: The readings that gave none.
    """

    __slots__ = ("channel", "failures", "times_ns", "values")

    def __init__(self, channel: Channel, numbers: Sequence[Number] = (), failures: Sequence[Failure] = ()) -> None:
        self.channel = channel
        self.times_ns = [t_ns for t_ns, _ in numbers]
        self.values = [value for _, value in numbers]
        self.failures = list(failures)

    @classmethod
    def of(cls, channel: Channel, readings: Iterable[Reading]) -> Series:
        """Return readings of a channel as a series; those of another kind than the channel's are none of it."""
        if isinstance(readings, Series) and readings.channel.kind is channel.kind:
            return readings
        series = cls(channel)
        for reading in readings:
            if isinstance(reading, Gap):
                series.failures.append((reading.t_mono_ns, reading.reason))
            elif isinstance(reading, CounterReading):
                if channel.kind is Kind.COUNTER:
                    series.add(reading.t_mono_ns, reading.energy_uj)
            elif channel.kind is Kind.POWER:
                series.add(reading.t_mono_ns, reading.power_uw)
        return cls.merged(channel, [series])

    @classmethod
    def merged(cls, channel: Channel, parts: Iterable[Iterable[Reading]]) -> Series:
        """Return what several processes read of a channel; what they read at the same time in order of value."""
        series = [cls.of(channel, part) for part in parts]
        failures = sorted([failure for each in series for failure in each.failures])
        filled = [each for each in series if each.times_ns]
        if len(filled) == 1 and filled[0].is_rising():
            merged = cls(channel, failures=failures)
            merged.times_ns, merged.values = filled[0].times_ns[:], filled[0].values[:]
            return merged
        return cls(channel, sorted([number for each in filled for number in each.numbers]), failures)

    @property
    def numbers(self) -> list[Number]:
        """The readings that gave a number, each with its time."""
        return list(zip(self.times_ns, self.values, strict=True))

    def add(self, t_ns: int, value: int) -> None:
        """Add a reading that gave a number."""
        self.times_ns.append(t_ns)
        self.values.append(value)

    def is_rising(self) -> bool:
        """Say whether each number is later than the one before."""
        return all(map(lt, self.times_ns, self.times_ns[1:]))

    def within(self, t0_ns: int, t1_ns: int) -> Series:
        """Return what was read from one time on and before another."""
        found = Series(self.channel)
        first, end = bisect_left(self.times_ns, t0_ns), bisect_left(self.times_ns, t1_ns)
        found.times_ns, found.values = self.times_ns[first:end], self.values[first:end]
        first, end = (bisect_left(self.failures, t_ns, key=_time_ns) for t_ns in (t0_ns, t1_ns))
        found.failures = self.failures[first:end]
        return found

    def samples(self) -> list[Number | Failure]:
        """Return numbers and failures together, in order of time."""
        return sorted([*self.numbers, *self.failures], key=_time_ns) if self.failures else [*self.numbers]

    @overload
    def __getitem__(self, index: int) -> Reading: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Reading]: ...
    def __getitem__(self, index: int | slice) -> Reading | Sequence[Reading]:
        if isinstance(index, slice):
            return [self._reading(sample) for sample in self.samples()[index]]
        return self._reading(self.samples()[index])

    def __iter__(self) -> Iterator[Reading]:
        return map(self._reading, self.samples())

    def __len__(self) -> int:
        return len(self.times_ns) + len(self.failures)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it may grow

    def _reading(self, sample: Number | Failure) -> Reading:
        t_ns, value = sample
        if isinstance(value, str):
            return Gap(self.channel.id, t_ns, value)
        if self.channel.kind is Kind.COUNTER:
            return CounterReading(self.channel.id, t_ns, value)
        return PowerReading(self.channel.id, t_ns, value)
