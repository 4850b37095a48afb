"""A sensor whose truth is known: the whole machine takes 100 W, always. Found by its entry point, as any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available
from greenai.core.reading import CounterReading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.reading import Reading
    from greenai.host import Host

POWER_W = 100
CHANNEL_ID = "constant_power:node"
_NS_PER_UJ = 1_000_000_000 // (POWER_W * 1_000_000)


class ConstantPower:
    """Its counter is exactly the power times the monotonic clock."""

    name = "constant_power"
    slow = False
    verified_on = None

    def __init__(self, host: Host) -> None:
        self._host = host

    def probe(self) -> Available:
        """Offer one counter of the whole machine: it displaces whatever this computer really has."""
        channel = Channel(
            id=CHANNEL_ID,
            collector=self.name,
            component=Component.NODE,
            kind=Kind.COUNTER,
            quality=Quality.MEASURED,
            device="constant power",
            host=self._host.name,
            method="constant_power",
            uncertainty_rel=0.0,
            max_power_uw=10 * POWER_W * 1_000_000,
        )
        return Available((channel,))

    def open(self, channels: Sequence[Channel]) -> None:
        """Need nothing."""

    def read(self) -> list[Reading]:
        """Return the counter."""
        t_ns = self._host.clock.mono_ns()
        return [CounterReading(CHANNEL_ID, t_ns, t_ns // _NS_PER_UJ)]

    def close(self) -> None:
        """Have nothing to give back."""
