"""Power over time from raw samples, thinned out so that a browser can draw it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.energy import integrate
from greenai.core.energy_curve import EnergyInterval
from greenai.core.series import Series
from greenai.core.units import NS_PER_MS, NS_PER_S
from greenai.core.views import TraceSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.channel import Channel

# Marks lie a fraction of a millisecond beside a tick; a power over so short a time is mostly noise.
_SHORTEST_NS = 20 * NS_PER_MS


def series(
    channel: Channel, samples: Sequence[tuple[int, int | None]], *, counted: bool, max_points: int | None
) -> TraceSeries:
    """Return the power of one channel over time.

    Args:
        channel: What the samples mean.
        samples: (epoch ns, µJ or µW; None is a gap), in order of time.
        counted: Whether the channel is part of the run's total.
        max_points: Keep about this many points, among them the least and the greatest of each stretch, so
            that short peaks stay visible; None keeps all.
    """
    return series_of(channel, intervals(channel, samples), counted=counted, max_points=max_points)


def intervals(channel: Channel, samples: Sequence[tuple[int, int | None]]) -> Sequence[EnergyInterval]:
    """Return what a channel's device took between its samples (epoch ns), see ``series``."""
    numbers = [(t_ns, value) for t_ns, value in samples if value is not None]
    failures = [(t_ns, "gap") for t_ns, value in samples if value is None]
    return integrate(channel, Series(channel, numbers, failures)).intervals


def series_of(
    channel: Channel, found: Sequence[EnergyInterval], *, counted: bool, max_points: int | None
) -> TraceSeries:
    """Return the power of one channel over time from its intervals (epoch ns), see ``series``."""
    merged = _merge(found)
    kept = _thin(merged, max_points) if max_points is not None else merged
    return TraceSeries(
        channel_id=channel.id,
        host=channel.host,
        component=channel.component,
        device=channel.device,
        quality=channel.quality,
        counted=counted,
        t_ms=tuple(interval.t1_ns / NS_PER_MS for interval in kept),
        power_w=tuple(_power_w(interval) for interval in kept),
        energy_j=tuple(None if i.energy_uj is None else i.energy_uj / 1e6 for i in kept),
    )


def _merge(found: Sequence[EnergyInterval]) -> list[EnergyInterval]:
    """Join very short intervals to their successor."""
    merged: list[EnergyInterval] = []
    waiting: EnergyInterval | None = None
    for interval in found:
        whole = _joined(waiting, interval) if waiting is not None else interval
        waiting = whole if whole.t1_ns - whole.t0_ns < _SHORTEST_NS else None
        if waiting is None:
            merged.append(whole)
    if waiting is not None:
        merged.append(_joined(merged.pop(), waiting) if merged else waiting)
    return merged


def _joined(first: EnergyInterval, second: EnergyInterval) -> EnergyInterval:
    known = first.energy_uj is not None and second.energy_uj is not None
    energy_uj = (first.energy_uj or 0.0) + (second.energy_uj or 0.0) if known else None
    return EnergyInterval(first.t0_ns, second.t1_ns, energy_uj)


def _power_w(interval: EnergyInterval) -> float | None:
    if interval.energy_uj is None:
        return None
    return interval.energy_uj / 1e6 / ((interval.t1_ns - interval.t0_ns) / NS_PER_S)


def _thin(found: list[EnergyInterval], max_points: int) -> list[EnergyInterval]:
    if len(found) <= max_points:
        return found
    stretch = -(-2 * len(found) // max_points)
    kept: list[EnergyInterval] = []
    for start in range(0, len(found), stretch):
        part = found[start : start + stretch]
        known = [interval for interval in part if interval.energy_uj is not None]
        extremes = [interval for interval in part if interval.energy_uj is None][:1]
        if known:
            by_power = sorted(known, key=lambda interval: _power_w(interval) or 0.0)
            extremes += [by_power[0], by_power[-1]] if len(by_power) > 1 else by_power
        kept += sorted(extremes, key=lambda interval: interval.t0_ns)
    return kept
