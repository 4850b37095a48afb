"""Power over time of a run on many nodes: what they add up to, and how far they lie apart."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from greenai.core.channel import Component
from greenai.core.energy_curve import EnergyCurve
from greenai.core.units import NS_PER_MS, NS_PER_S, UJ_PER_J
from greenai.core.views import NodesTrace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from greenai.core.channel import Channel
    from greenai.core.energy_curve import EnergyInterval

STEPS = 240
# Of a step of which less than this was read nothing is said.
_LEAST_KNOWN = 0.5

_Powers = list[float | None]


def nodes_trace(
    channels: Iterable[tuple[Channel, Sequence[EnergyInterval]]], span_ms: tuple[float, float], of: int
) -> NodesTrace | None:
    """Add up the power of nodes, step by step.

    A node counts in a step only if all its channels were read in at least half of it: the rest of a sum would look
    like less power. One of whose sensors nothing is known at all is left out, unless all are such.

    Args:
        channels: The counted ones of the nodes, one after the other, with what they took (epoch ns).
        span_ms: Begin and end, epoch milliseconds.
        of: How many nodes the run has; fewer may be given.

    Returns:
        None if nothing was read.
    """
    edges_ns = _edges_ns(span_ms)
    by_node: dict[str, dict[Component, _Powers]] = defaultdict(dict)
    blind: set[str] = set()
    for channel, intervals in channels:
        if intervals:
            parts = by_node[channel.host]
            more_w = _powers_w(EnergyCurve(intervals), edges_ns)
            before_w = parts.get(channel.component)
            parts[channel.component] = more_w if before_w is None else _sum_w([before_w, more_w])
        elif channel.component is not Component.REST:  # which no sensor reads
            blind.add(channel.host)
    if not by_node:
        return None
    by_node = {node: parts for node, parts in by_node.items() if node not in blind} or by_node
    nodes_w = {node: _sum_w(list(parts.values())) for node, parts in by_node.items()}
    steps = range(len(edges_ns) - 1)
    there_w = [[p for powers in nodes_w.values() if (p := powers[step]) is not None] for step in steps]
    components = sorted({component for parts in by_node.values() for component in parts})
    return NodesTrace(
        nodes=len(by_node),
        of=max(of, len(by_node)),
        t_ms=tuple(edge_ns / NS_PER_MS for edge_ns in edges_ns[1:]),
        there=tuple(len(powers) for powers in there_w),
        sum_w=tuple(sum(powers) if powers else None for powers in there_w),
        least_w=tuple(min(powers, default=None) for powers in there_w),
        greatest_w=tuple(max(powers, default=None) for powers in there_w),
        parts_w={
            component: tuple(_over_nodes_w(by_node, nodes_w, component, step) for step in steps)
            for component in components
        },
    )


def _edges_ns(span_ms: tuple[float, float]) -> list[int]:
    begin_ns, length_ns = int(span_ms[0] * NS_PER_MS), int((span_ms[1] - span_ms[0]) * NS_PER_MS)
    return [begin_ns + length_ns * step // STEPS for step in range(STEPS + 1)]


def _powers_w(curve: EnergyCurve, edges_ns: Sequence[int]) -> _Powers:
    energies_uj, known_ns = curve.known_at(edges_ns)
    return [
        None
        if known1 - known0 < max(_LEAST_KNOWN * (t1_ns - t0_ns), 1)
        else (uj1 - uj0) / UJ_PER_J / ((known1 - known0) / NS_PER_S)
        for (t0_ns, t1_ns), (uj0, uj1), (known0, known1) in zip(
            pairwise(edges_ns), pairwise(energies_uj), pairwise(known_ns), strict=True
        )
    ]


def _sum_w(parts_w: Sequence[_Powers]) -> _Powers:
    """Add up step by step; where one is unknown, so is the sum."""
    return [
        None if None in step else sum(power_w for power_w in step if power_w is not None)
        for step in zip(*parts_w, strict=True)
    ]


def _over_nodes_w(
    by_node: dict[str, dict[Component, _Powers]], nodes_w: dict[str, _Powers], component: Component, step: int
) -> float | None:
    """Return the power of a component in all nodes that count in a step; None if none of them has it."""
    powers_w = [
        parts[component][step] or 0.0
        for node, parts in by_node.items()
        if component in parts and nodes_w[node][step] is not None
    ]
    return sum(powers_w) if powers_w else None
