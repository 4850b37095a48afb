"""The contract of a collector, as one function that shipped and third-party collectors must pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.channel import Channel, Kind, Quality
from greenai.core.collector import Available
from greenai.core.reading import CounterReading, Gap, PowerReading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from greenai.core.collector import Collector
    from greenai.core.reading import Reading
    from greenai.host import Host
    from greenai.testing.machine import FakeMachine


def check_collector(build: Callable[[Host], Collector], machine: FakeMachine) -> tuple[Channel, ...]:
    """Hold a collector against its contract on a machine where it finds something.

    Args:
        build: Makes the collector, as its entry point does.
        machine: The machine.

    Returns:
        The channels it offers, for further checks.

    Raises:
        AssertionError: A promise is broken; the message says which.
    """
    host = machine.host
    first, second = build(host), build(host)
    probe = first.probe()
    if not isinstance(probe, Available):
        raise AssertionError(f"{first.name} finds nothing here: {probe.reason.message}")  # noqa: TRY004  # a test
    _check(bool(probe.channels), "an available collector has channels")
    _check(first.slow in (True, False), "a collector says whether it is slow")
    _check(first.verified_on is None or bool(first.verified_on), "a collector says where it was verified")
    ids = [channel.id for channel in probe.channels]
    _check(len(set(ids)) == len(ids), "channel ids are unique")
    again = second.probe()
    _check(
        isinstance(again, Available) and again.channels == probe.channels, "two processes see the same channels"
    )
    _check(set(probe.sources) <= set(ids), "sources are given for channels")
    for channel in probe.channels:
        _check_channel(channel, first.name, host.name)
    first.open(probe.channels)
    _check_readings(probe.channels, first.read())
    machine.clock.advance(0.06)  # a gauge may say the same for a moment
    with machine.silenced():
        failed = first.read()
        _check([reading.channel_id for reading in failed] == ids, "one reading per channel while sensors fail")
        _check(all(isinstance(reading, Gap) for reading in failed), "a sensor that fails is a gap, never a figure")
    _check_readings(probe.channels, first.read())
    first.close()
    first.close()
    second.open(probe.channels[-1:])
    _check_readings(probe.channels[-1:], second.read())
    second.close()
    return probe.channels


def _check_channel(channel: Channel, collector: str, host: str) -> None:
    _check(channel.collector == collector, "a channel names its collector")
    _check(channel.host == host, "a channel names its host")
    _check(channel.max_power_uw > 0, "a channel knows what power is a fault")
    _check(channel.uncertainty_rel > 0, "a channel says how uncertain it is")
    _check(0 < channel.share <= 1, "a share is a part")
    _check(channel.policy is not None or channel.quality is not Quality.ALLOCATED, "an allocation names its rule")
    _check(channel.policy is not None or channel.share == 1, "a share has a rule")
    _check(Channel.from_json(channel.to_json()) == channel, "a channel survives the journal")


def _check_readings(channels: Sequence[Channel], readings: list[Reading]) -> None:
    ids = [channel.id for channel in channels]
    _check([reading.channel_id for reading in readings] == ids, "one reading per channel, in the same order")
    for channel, reading in zip(channels, readings, strict=True):
        fitting = CounterReading if channel.kind is Kind.COUNTER else PowerReading
        _check(isinstance(reading, fitting), f"counters count and gauges gauge: {reading}")


def _check(promise: bool, words: str) -> None:
    if not promise:
        raise AssertionError(words)
