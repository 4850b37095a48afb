"""What collectors say is checked before it is written: some are somebody else's code."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from greenai.core.channel import Channel
from greenai.core.reading import CounterReading, Gap, PowerReading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.reading import Reading
    from greenai.host import Host


def check_channels(host: Host, collector: str, channels: Sequence[Channel]) -> None:
    """Refuse what the journal's reader would refuse: with it goes the first line, and all that follows it.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: A channel is not sound.
    """
    for channel in channels:
        ours = (channel.collector, channel.host) == (collector, host.name)
        if not ours or Channel.from_json(json.loads(json.dumps(channel.to_json()))) != channel:
            raise ValueError(f"not a sound channel: {channel!r}")


def checked(readings: Sequence[Reading], channel_ids: Sequence[str]) -> list[Reading]:
    """Return the readings of a collector as the journal can write them: one per channel in order, whole numbers.

    Raises:
        TypeError, ValueError: These are no readings.
    """
    sound: list[Reading] = []
    for reading, channel_id in zip(readings, channel_ids, strict=True):
        if type(reading) is CounterReading and type(reading.energy_uj) is int:
            sound.append(reading)  # nearly always
        elif type(reading) is CounterReading:
            sound.append(replace(reading, energy_uj=int(reading.energy_uj)))
        elif type(reading) is PowerReading:
            whole = type(reading.power_uw) is int
            sound.append(reading if whole else replace(reading, power_uw=int(reading.power_uw)))
        elif type(reading) is Gap:
            sound.append(reading)
        else:
            raise TypeError(f"not a reading: {reading!r}")
        if reading.channel_id != channel_id:
            raise ValueError(f"not a reading of {channel_id}: {reading!r}")
    return sound
