"""The contract of a collector, as one function that shipped and third-party collectors must pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.channel import Channel, Kind
from greenai.core.collector import Available
from greenai.core.reading import CounterReading, Gap, PowerReading

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.collector import Collector
    from greenai.host import Host


def check_collector(build: Callable[[Host], Collector], host: Host) -> tuple[Channel, ...]:
    """Hold a collector against its contract on a machine where it finds something.

    Args:
        build: Makes the collector, as its entry point does.
        host: The machine.

    Returns:
        The channels it offers, for further checks.

    Raises:
        AssertionError: A promise is broken; the message says which.
    """
    first, second = build(host), build(host)
    probe = first.probe()
    if not isinstance(probe, Available):
        raise AssertionError(f"{first.name} finds nothing here: {probe.reason.message}")  # noqa: TRY004  # a test
    _check(bool(probe.channels), "an available collector has channels")
    ids = [channel.id for channel in probe.channels]
    _check(len(set(ids)) == len(ids), "channel ids are unique")
    again = second.probe()
    _check(
        isinstance(again, Available) and again.channels == probe.channels, "two processes see the same channels"
    )
    for channel in probe.channels:
        _check(channel.collector == first.name, "a channel names its collector")
        _check(channel.host == host.name, "a channel names its host")
        _check(channel.max_power_uw > 0, "a channel knows what power is a fault")
        _check(channel.uncertainty_rel > 0, "a channel says how uncertain it is")
        _check(Channel.from_json(channel.to_json()) == channel, "a channel survives the journal")
    first.open(probe.channels)
    readings = first.read()
    _check([reading.channel_id for reading in readings] == ids, "one reading per channel, in the same order")
    for channel, reading in zip(probe.channels, readings, strict=True):
        fitting = CounterReading if channel.kind is Kind.COUNTER else PowerReading
        _check(isinstance(reading, (fitting, Gap)), "counters count and gauges gauge")
    first.close()
    first.close()
    second.close()
    return probe.channels


def _check(promise: bool, words: str) -> None:
    if not promise:
        raise AssertionError(words)
