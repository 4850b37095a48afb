"""The hardware that a run held: how many machines, which accelerators, and how much of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from greenai.core.channel import Component
from greenai.core.vocabulary import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable


class Hardware(NamedTuple):
    """What a run held.

    Attributes:
        machines: How many.
        gpus: Each accelerator, by the name its driver gives it.
        share: Part of it all that was the run's, 0 to 1; None if unknown.
    """

    machines: int
    gpus: tuple[str, ...]
    share: float | None


class Device(NamedTuple):
    """A channel, as far as it tells of hardware: see ``ChannelEnergy``."""

    host: str
    component: Component
    device: str
    counted: bool
    part_of: str | None


def hardware_of(
    devices: Iterable[Device], hosts: int, scope: str, total_j: float | None, machine_total_j: float | None
) -> Hardware:
    """Return what a run held.

    A run that is billed a whole machine holds all of it. Of a shared one it holds the part that it took of the
    machine's energy: that is known everywhere, what was reserved for it is not.

    Args:
        devices: Its channels; an accelerator that is none of the run's is in no sum and contained in none.
        hosts: How many hosts it ran on.
        scope: Whose energy it is.
        total_j: Its energy, joules.
        machine_total_j: The energy of its machines, joules.
    """
    gpus = {
        (device.host, device.device)
        for device in devices
        if device.component is Component.GPU and (device.counted or device.part_of is not None)
    }
    share: float | None = 1.0
    if scope != Scope.MACHINE:
        known = total_j is not None and machine_total_j is not None and machine_total_j > 0
        share = min(total_j / machine_total_j, 1.0) if known else None  # type: ignore[operator]  # both are known
    return Hardware(max(hosts, 1), tuple(sorted(name for _, name in gpus)), share)
