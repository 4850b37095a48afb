"""The energy of a run node by node: what its channels add up to on each host. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.channel import Quality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.core.channel import Component
    from greenai.core.record import RunRecord
    from greenai.core.run_energy import ChannelEnergy

_FROM_BEST = (Quality.MEASURED, Quality.ALLOCATED, Quality.ESTIMATED)


@dataclass(frozen=True, slots=True)
class NodeEnergy:
    """What the counted channels of one node add up to, IT energy in joules.

    Attributes:
        host: The node's name.
        energy_j: The run's part; None if nothing is known.
        low_j: Lower end of its ~95 % interval.
        high_j: Upper end.
        quality: The weakest among them; None if nothing is known.
        gap_s: The longest time that one of them was not read, seconds; the whole run if nothing is known.
        by_component_j: Its parts, by component.
    """

    host: str
    energy_j: float | None
    low_j: float | None
    high_j: float | None
    quality: Quality | None
    gap_s: float
    by_component_j: Mapping[Component, float]


def node_energies(record: RunRecord) -> tuple[NodeEnergy, ...]:
    """Return the nodes of a run by name, with those that nothing is known of; empty for a run on one machine."""
    by_host: dict[str, list[ChannelEnergy]] = defaultdict(list)
    for channel in record.energy.channels:
        by_host[channel.host].append(channel)
    if len(by_host) < 2:  # noqa: PLR2004
        return ()
    return tuple(_node(host, here, record.duration_s) for host, here in sorted(by_host.items()))


def together(name: str, nodes: Sequence[NodeEnergy]) -> NodeEnergy:
    """Return what several nodes add up to; those that nothing is known of are missing from the sum.

    Args:
        name: Stands for them.
        nodes: At least one.
    """
    known = [node for node in nodes if node.energy_j is not None]
    by_component_j: dict[Component, float] = defaultdict(float)
    for node in known:
        for component, energy_j in node.by_component_j.items():
            by_component_j[component] += energy_j
    return NodeEnergy(
        host=name,
        energy_j=sum(node.energy_j or 0.0 for node in known) if known else None,
        low_j=sum(node.low_j or 0.0 for node in known) if known else None,
        high_j=sum(node.high_j or 0.0 for node in known) if known else None,
        quality=max((node.quality for node in known if node.quality), key=_FROM_BEST.index, default=None),
        gap_s=max(node.gap_s for node in nodes),
        by_component_j=by_component_j,
    )


def _node(host: str, here: list[ChannelEnergy], duration_s: float) -> NodeEnergy:
    counted = [channel for channel in here if channel.counted and channel.energy_j is not None]
    if not counted:
        return NodeEnergy(host, None, None, None, None, duration_s, {})
    by_component_j: dict[Component, float] = defaultdict(float)
    for channel in counted:
        by_component_j[channel.component] += channel.energy_j or 0.0
    return NodeEnergy(
        host=host,
        energy_j=sum(by_component_j.values()),
        # The parts of a node may err alike: their bounds are added.
        low_j=sum(channel.low_j or 0.0 for channel in counted),
        high_j=sum(channel.high_j or 0.0 for channel in counted),
        quality=max((channel.quality for channel in counted), key=_FROM_BEST.index),
        gap_s=max(channel.gap_s for channel in counted),
        by_component_j=by_component_j,
    )
