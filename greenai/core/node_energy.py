"""The energy of a run node by node: what its channels add up to on each host. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.channel import Component, Quality
from greenai.core.run_energy import unnoticed_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from greenai.core.record import RunRecord
    from greenai.core.run_energy import ChannelEnergy

_FROM_BEST = (Quality.MEASURED, Quality.ALLOCATED, Quality.ESTIMATED)
_WHOLES = frozenset({Component.NODE, Component.MODULE})
_EVERYTHING = frozenset(Component)


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
        at_least_of: The components that took more than is known; every one if nothing is known.
    """

    host: str
    energy_j: float | None
    low_j: float | None
    high_j: float | None
    quality: Quality | None
    gap_s: float
    by_component_j: Mapping[Component, float]
    at_least_of: frozenset[Component]

    @property
    def is_at_least(self) -> bool:
        """Whether the energy is a lower bound: something was not read for a while, or not at all."""
        return bool(self.at_least_of)


def node_energies(record: RunRecord) -> tuple[NodeEnergy, ...]:
    """Return the nodes of a run by name, with those that nothing is known of; empty for a run on one machine."""
    by_host = _by_host(record.energy.channels)
    if len(by_host) < 2:  # noqa: PLR2004
        return ()
    return tuple(_node(host, here, record.duration_s) for host, here in sorted(by_host.items()))


def lacking_nodes(channels: Iterable[ChannelEnergy]) -> frozenset[str]:
    """Return the nodes with a channel that is missing from their sum, those that nothing is known of among them.

    Args:
        channels: All of the run, counted or not.
    """
    return frozenset(host for host, here in _by_host(channels).items() if _lacking(here))


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
        at_least_of=frozenset[Component]().union(*(node.at_least_of for node in nodes)),
    )


def _node(host: str, here: list[ChannelEnergy], duration_s: float) -> NodeEnergy:
    counted = [channel for channel in here if channel.counted and channel.energy_j is not None]
    if not counted:
        return NodeEnergy(host, None, None, None, None, duration_s, {}, _EVERYTHING)
    lacking = _lacking(here)
    at_least_of = {c.component for c in (*lacking, *counted) if c in lacking or c.gap_s > unnoticed_s(duration_s)}
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
        gap_s=duration_s if lacking else max(channel.gap_s for channel in counted),
        by_component_j=by_component_j,
        at_least_of=_EVERYTHING if at_least_of & _WHOLES else frozenset(at_least_of),
    )


def _by_host(channels: Iterable[ChannelEnergy]) -> dict[str, list[ChannelEnergy]]:
    found: dict[str, list[ChannelEnergy]] = defaultdict(list)
    for channel in channels:
        found[channel.host].append(channel)
    return found


def _lacking(here: Sequence[ChannelEnergy]) -> list[ChannelEnergy]:
    """Return the channels of a node of unknown energy that nothing else was counted for.

    What is counted may contain them, or come by another door: the parts in place of the whole, an estimate in
    place of a sensor. Sensors of the same family are other devices.
    """
    counted = [channel for channel in here if channel.counted]
    return [
        channel
        for channel in here
        if channel.energy_j is None
        and channel.part_of is None
        and channel.component is not Component.REST
        and not any(_stands_in(other, channel) for other in counted)
    ]


def _stands_in(other: ChannelEnergy, channel: ChannelEnergy) -> bool:
    same = other.component is channel.component or channel.component in _WHOLES
    return same and _family(other) != _family(channel)


def _family(channel: ChannelEnergy) -> str:
    return channel.id.partition(":")[0]
