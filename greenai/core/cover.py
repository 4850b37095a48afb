"""Which channels may be added up without counting a joule twice."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from greenai.core.channel import Channel, Component, Quality

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WHOLE_NODE = frozenset(Component)
_WHOLE_MODULE = frozenset({Component.MODULE, Component.CPU, Component.DRAM, Component.GPU})

_QUALITY = {Quality.MEASURED: 0, Quality.ALLOCATED: 1, Quality.ESTIMATED: 2}

# A source that was blind for more of the run than this gives way to one that was not.
WELL_COVERED = 0.9

Key = tuple[str, str]
"""(host, channel id)."""


Claim = frozenset[tuple[Component, str]]
"""Components, each with the maker of the devices (of GPUs only; empty is every maker)."""

_Group = tuple[str, str, bool, Component, Claim]
"""(host, family, estimated, component, claim): channels that stand or fall together."""


def claims(channel: Channel) -> Claim:
    """Return everything whose energy is inside this channel."""
    if channel.component is Component.NODE:
        components = _WHOLE_NODE
    elif channel.component is Component.MODULE:
        components = _WHOLE_MODULE | channel.includes
    else:
        components = frozenset({channel.component}) | channel.includes
    return frozenset((c, channel.gpu_vendor if c is Component.GPU else "") for c in components)


def counted(known_shares: Mapping[Channel, float]) -> frozenset[Key]:
    """Choose the channels to sum up, host by host.

    In this order: what saw (nearly) the whole run before what was partly blind; a measurement before an
    allocation, an allocation before an estimate; the whole before its parts; the more certain. All devices of one
    family that claim the same stand or fall together (eight GPUs are summed, never averaged). A group that
    contains something already covered is left out.

    Args:
        known_shares: All channels, each with the share (0..1) of the run its energy is known for. One at 0
            displaces nothing, and makes its group partly blind: three of four modules are no whole node.
    """
    groups: dict[_Group, list[Channel]] = defaultdict(list)
    for channel in known_shares:
        estimated = channel.quality is Quality.ESTIMATED
        # By the family in its id: one socket may be read by one door, the other by another (rapl, rapl_perf).
        family = channel.id.partition(":")[0]
        key = (channel.host, family, estimated, channel.component, claims(channel))
        groups[key].append(channel)

    def rank(key: _Group) -> tuple[object, ...]:
        members = groups[key]
        return (
            key[0],
            min(known_shares[channel] for channel in members) < WELL_COVERED,
            max(_QUALITY[channel.quality] for channel in members),
            -len(key[4]),
            min(channel.uncertainty_rel for channel in members),
            key[1],
            key[3],
            sorted(key[4]),
        )

    covered: dict[str, Claim] = defaultdict(frozenset)
    chosen: set[Key] = set()
    for key in sorted(groups, key=rank):
        host, claim = key[0], key[4]
        known = [channel for channel in groups[key] if known_shares[channel] > 0]
        if not known or _overlap(claim, covered[host]):
            continue
        covered[host] |= claim
        chosen.update((channel.host, channel.id) for channel in known)
    return frozenset(chosen)


def _overlap(one: Claim, two: Claim) -> bool:
    return any(_same(a, b) for a in one for b in two)


def _same(one: tuple[Component, str], two: tuple[Component, str]) -> bool:
    return one[0] is two[0] and (one[1] == two[1] or not one[1] or not two[1])


def part_of(channel: Channel, chosen: Iterable[Channel]) -> str | None:
    """Return the id of a counted channel of the same host that contains this one, None if there is none.

    Args:
        channel: One that is not counted itself.
        chosen: The counted channels.
    """
    claim = claims(channel)
    for whole in chosen:
        around = claims(whole)
        wider = whole.host == channel.host and len(around) > len(claim)
        if wider and all(any(_same(part, other) for other in around) for part in claim):
            return whole.id
    return None


def without_redundant_estimates(channels: Iterable[Channel]) -> list[Channel]:
    """Drop each estimate of a component that a sensor of the same host measures on its own.

    Where only the whole is measured (the node), the estimates of its parts stay: as its breakdown, and because a
    battery is silent while it is charged.
    """
    channels = list(channels)
    measured: dict[str, set[Component]] = defaultdict(set)
    for channel in channels:
        if channel.quality is not Quality.ESTIMATED and channel.component is not Component.NODE:
            measured[channel.host] |= {component for component, _ in claims(channel)}
    return [
        channel
        for channel in channels
        if channel.quality is not Quality.ESTIMATED or channel.component not in measured[channel.host]
    ]
