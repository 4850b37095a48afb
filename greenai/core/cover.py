"""Which channels may be added up without counting a joule twice."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from greenai.core.channel import Channel, Component, Quality

if TYPE_CHECKING:
    from collections.abc import Iterable

_WHOLE_NODE = frozenset(Component)
_WHOLE_MODULE = frozenset({Component.MODULE, Component.CPU, Component.DRAM, Component.GPU})

_QUALITY = {Quality.MEASURED: 0, Quality.ALLOCATED: 1, Quality.ESTIMATED: 2}


def claims(channel: Channel) -> frozenset[Component]:
    """Return every component whose energy is inside this channel."""
    if channel.component is Component.NODE:
        return _WHOLE_NODE
    if channel.component is Component.MODULE:
        return _WHOLE_MODULE | channel.includes
    return frozenset({channel.component}) | channel.includes


def counted(channels: Iterable[Channel]) -> frozenset[tuple[str, str]]:
    """Choose the channels to sum up, host by host.

    A measurement goes before an allocation, an allocation before an estimate, and the whole before its
    parts. All devices of one collector and component stand or fall together (eight GPUs are summed, never
    averaged). A group that contains something already covered is left out.

    Args:
        channels: Those with a known energy. One without must not displace another.

    Returns:
        Pairs (host, channel id).
    """
    groups: dict[tuple[str, Quality, Component, str], list[Channel]] = defaultdict(list)
    for channel in channels:
        groups[channel.host, channel.quality, channel.component, channel.collector].append(channel)
    order = sorted(
        groups,
        key=lambda key: (
            key[0],
            _QUALITY[key[1]],
            -len(frozenset().union(*(claims(channel) for channel in groups[key]))),
            min(channel.uncertainty_rel for channel in groups[key]),
            key[3],
            key[2],
        ),
    )
    covered: dict[str, frozenset[Component]] = defaultdict(frozenset)
    chosen: set[tuple[str, str]] = set()
    for key in order:
        host = key[0]
        claim = frozenset().union(*(claims(channel) for channel in groups[key]))
        if claim & covered[host]:
            continue
        covered[host] |= claim
        chosen.update((host, channel.id) for channel in groups[key])
    return frozenset(chosen)


def without_redundant_estimates(channels: Iterable[Channel]) -> list[Channel]:
    """Drop each estimate of a component that a sensor of the same host already measures."""
    channels = list(channels)
    measured: dict[str, frozenset[Component]] = defaultdict(frozenset)
    for channel in channels:
        if channel.quality is not Quality.ESTIMATED:
            measured[channel.host] |= claims(channel)
    return [
        channel
        for channel in channels
        if channel.quality is not Quality.ESTIMATED or channel.component not in measured[channel.host]
    ]
