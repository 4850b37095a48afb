"""The readings of one channel as bare numbers: ten hours at 1 Hz of twelve channels are half a million of them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
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
        numbers: The readings that gave a number.
        failures: Those that gave none.
    """

    __slots__ = ("channel", "failures", "numbers")

    def __init__(
        self, channel: Channel, numbers: list[Number] | None = None, failures: list[Failure] | None = None
    ) -> None:
        self.channel = channel
        self.numbers = [] if numbers is None else numbers
        self.failures = [] if failures is None else failures

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
                    series.numbers.append((reading.t_mono_ns, reading.energy_uj))
            elif channel.kind is Kind.POWER:
                series.numbers.append((reading.t_mono_ns, reading.power_uw))
        return cls.merged(channel, [series])

    @classmethod
    def merged(cls, channel: Channel, parts: Iterable[Iterable[Reading]]) -> Series:
        """Return what several processes read of a channel; what they read at the same time in order of value."""
        series = [cls.of(channel, part) for part in parts]
        numbers = sorted([number for each in series for number in each.numbers])
        return cls(channel, numbers, sorted([failure for each in series for failure in each.failures]))

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
        return len(self.numbers) + len(self.failures)

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
