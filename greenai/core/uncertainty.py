"""How uncertain a sum is.

Independent relative errors add in quadrature. Errors that share one assumption move together and add linearly
(GUM, JCGM 100:2008, 5.1 and 5.2): two channels of the same estimate, and the same method on several hosts. Nodes
are bought by the hundred: what a sensor's type gets wrong, it gets wrong alike on all of them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import hypot, sqrt
from typing import TYPE_CHECKING

from greenai.core.channel import Kind, Quality
from greenai.core.units import UJ_PER_J

if TYPE_CHECKING:
    from collections.abc import Iterable

    from greenai.core.channel import Channel


@dataclass(frozen=True, slots=True)
class Bounds:
    """A value with its ~95 % interval, in joules."""

    value_j: float
    low_j: float
    high_j: float


def channel_bounds(channel: Channel, energy_j: float, duration_s: float) -> Bounds:
    """Return the interval of one channel's energy."""
    low_rel, high_rel = channel.uncertainty_at(duration_s)
    if channel.kind is Kind.COUNTER and channel.update_s is not None and duration_s > 0:
        # Either end may lie anywhere between two renewals: at most one renewal too much or too little.
        renewal_rel = channel.update_s / duration_s
        low_rel, high_rel = hypot(low_rel, renewal_rel), hypot(high_rel, renewal_rel)
    step_j = channel.resolution_uj / UJ_PER_J
    low_j = max(energy_j * max(1 - low_rel, 0.0) - step_j, 0.0)
    return Bounds(energy_j, low_j, energy_j * (1 + high_rel) + step_j)


def total_bounds(parts: Iterable[tuple[Channel, Bounds]]) -> Bounds:
    """Return the sum of the parts with its interval."""
    value_j = 0.0
    shared: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])  # estimates, by method
    squares: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])  # others, by method and host
    for channel, bounds in parts:
        value_j += bounds.value_j
        low_j, high_j = bounds.value_j - bounds.low_j, bounds.high_j - bounds.value_j
        if channel.quality is Quality.ESTIMATED:
            shared[channel.method][0] += low_j
            shared[channel.method][1] += high_j
        else:
            of_host = squares[channel.method, channel.host]
            of_host[0] += low_j**2
            of_host[1] += high_j**2
    measured: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for (method, _), (low_square, high_square) in squares.items():
        measured[method][0] += sqrt(low_square)
        measured[method][1] += sqrt(high_square)
    errors_j = [*shared.values(), *measured.values()]
    low_j, high_j = (sqrt(sum(error[end] ** 2 for error in errors_j)) for end in (0, 1))
    return Bounds(value_j, max(value_j - low_j, 0.0), value_j + high_j)
