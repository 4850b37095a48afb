"""From the traces of a run to its energy: what is counted, what it adds up to, and how sure that is."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import TYPE_CHECKING

from greenai.core import rest
from greenai.core.allocation import allocation_bounds
from greenai.core.channel import Quality
from greenai.core.cover import counted, part_of
from greenai.core.energy_curve import EnergyCurve
from greenai.core.run_energy import ChannelEnergy, Energy, unnoticed_s
from greenai.core.series import Series
from greenai.core.text import Text
from greenai.core.traces import ChannelTrace
from greenai.core.uncertainty import Bounds, channel_bounds, total_bounds
from greenai.core.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from greenai.core.channel import Channel
    from greenai.core.cover import Key
    from greenai.core.energy_curve import EnergyAmount
    from greenai.core.traces import Span
    from greenai.core.vocabulary import Scope

_NOT_READ = Text(
    de="Keine brauchbare Messung ({reason}); die Energie ist unbekannt, nicht 0.",
    en="No usable reading ({reason}); the energy is unknown, not 0.",
)
_NO_SHARE = "share_unknown"


@dataclass(frozen=True, slots=True)
class Spread:
    """By how much an energy may be off because it was shared out, joules."""

    low_j: float = 0.0
    high_j: float = 0.0

    def plus(self, other: Spread) -> Spread:
        """Return both together."""
        return Spread(self.low_j + other.low_j, self.high_j + other.high_j)

    def around(self, bounds: Bounds) -> Bounds:
        """Widen an interval by this, as an error independent of it."""
        low_j = sqrt((bounds.value_j - bounds.low_j) ** 2 + self.low_j**2)
        high_j = sqrt((bounds.high_j - bounds.value_j) ** 2 + self.high_j**2)
        return Bounds(bounds.value_j, max(bounds.value_j - low_j, 0.0), bounds.value_j + high_j)


def with_rest(
    traces: Mapping[Key, ChannelTrace], spans: Mapping[str, Span], *, is_counted: bool
) -> dict[Key, ChannelTrace]:
    """Add the estimate of the rest of the node for each host that measures only parts.

    Args:
        traces: What was measured and estimated.
        spans: The run's length on each host.
        is_counted: Whether the rest is to be part of the total.
    """
    result = dict(traces)
    chosen = _choose(traces, spans)
    for host, span in spans.items():
        here = [traces[key] for key in sorted(chosen) if key[0] == host]
        energies_j = {trace.channel: trace.own_energy(*span).energy_j or 0.0 for trace in here}
        channel = rest.rest_channel(host, energies_j, is_counted=is_counted)
        if channel is not None:
            parts = [(trace.channel.component, trace.machine) for trace in here]
            own_parts = [(trace.channel.component, trace.own) for trace in here]
            step_ns = rest.step_ns(span[1] - span[0], is_counted=is_counted)
            machine = own = EnergyCurve(rest.rest_intervals(parts, step_ns, span))
            if own_parts != parts:
                own = EnergyCurve(rest.rest_intervals(own_parts, step_ns, span))
            result[host, channel.id] = ChannelTrace(channel, Series(channel), machine, own)
    return result


@dataclass(frozen=True, slots=True)
class ChannelSum:
    """What a channel adds to a run.

    Attributes:
        channel: The channel.
        row: Its energy as the record shows it.
        sensor: The interval its sensor leaves, without what sharing out adds; None if its energy is unknown.
        spread: What sharing out adds.
        unseen_j: The most that it took while nothing was read, joules: at the highest power that was seen. Not an
            error that may be either way, and alike in channels that were blind together: it is added, not squared.
        peak_w: The highest power that was seen, watts; None if nobody asked.
    """

    channel: Channel
    row: ChannelEnergy
    sensor: Bounds | None = None
    spread: Spread = field(default_factory=Spread)
    unseen_j: float = 0.0
    peak_w: float | None = None

    def with_unseen(self, seconds: float) -> ChannelSum:
        """Return the same of a host that took part for longer than it was read.

        Nobody knows what it took in that time: from nothing to the most it took while it was read.

        Args:
            seconds: For how much longer.
        """
        row = replace(self.row, gap_s=self.row.gap_s + seconds)
        unseen_j = self.unseen_j + seconds * (self.peak_w or 0.0)
        return replace(self, row=_bounded(row, self.sensor, self.spread, unseen_j), unseen_j=unseen_j)


def energy_of(
    traces: Mapping[Key, ChannelTrace], spans: Mapping[str, Span], scope: Scope, *, count_rest: bool
) -> tuple[Energy, frozenset[Key]]:
    """Return the energy of a run, and which channels it is the sum of. See ``channel_sums``."""
    sums, chosen = channel_sums(traces, spans, count_rest=count_rest)
    return total_of(sums, scope), chosen


def channel_sums(
    traces: Mapping[Key, ChannelTrace], spans: Mapping[str, Span], *, count_rest: bool, peaks: bool = False
) -> tuple[list[ChannelSum], frozenset[Key]]:
    """Return what each channel adds to a run, and which are counted.

    Args:
        traces: All channels, see ``with_rest``.
        spans: The run's length on each host.
        count_rest: Whether the estimate of the rest of the node is part of the total.
        peaks: Whether to look for the highest power, which takes a while.
    """
    chosen = _choose({k: t for k, t in traces.items() if count_rest or not is_rest(t.channel)}, spans)
    counted_channels = [traces[key].channel for key in sorted(chosen)]
    sums = []
    for key, trace in traces.items():
        span = spans[key[0]]
        found = _sum_of(trace, span)
        is_counted = key in chosen and found.sensor is not None
        whole_id = None if is_counted else part_of(trace.channel, counted_channels)
        row = replace(found.row, counted=is_counted, part_of=whole_id)
        sums.append(replace(found, row=row, peak_w=trace.own.peak_w(*span) if peaks else None))
    return sums, chosen


def total_of(sums: Iterable[ChannelSum], scope: Scope) -> Energy:
    """Add up channels, of one host or of many.

    Args:
        sums: What each of them adds.
        scope: Whose energy it is.
    """
    rows: list[ChannelEnergy] = []
    parts: list[tuple[Channel, Bounds]] = []
    spreads: dict[str | None, Spread] = defaultdict(Spread)
    firm_j = machine_j = unseen_j = 0.0
    for each in sums:
        row = each.row
        rows.append(row)
        if row.counted and each.sensor is not None:
            parts.append((each.channel, each.sensor))
            # One rule errs alike everywhere: a program that draws more than its share of the CPU time does so on
            # both sockets.
            spreads[row.policy] = spreads[row.policy].plus(each.spread)
            firm_j += each.sensor.value_j if row.quality is not Quality.ESTIMATED else 0.0
            machine_j += row.machine_energy_j or 0.0
            unseen_j += each.unseen_j
    if not parts:
        return Energy(None, None, None, None, scope.value, None, tuple(rows))
    total = total_bounds(parts)
    for spread in spreads.values():
        total = spread.around(total)
    share = firm_j / total.value_j if total.value_j > 0 else None
    return Energy(total.value_j, total.low_j, total.high_j + unseen_j, share, scope.value, machine_j, tuple(rows))


def is_rest(channel: Channel) -> bool:
    """Say whether a channel is the estimate of the rest of the node."""
    return channel.collector == rest.COLLECTOR


def _choose(traces: Mapping[Key, ChannelTrace], spans: Mapping[str, Span]) -> frozenset[Key]:
    known: dict[Channel, float] = {}
    energies_j: dict[Channel, float] = {}
    for key, trace in traces.items():
        t0_ns, t1_ns = spans[key[0]]
        amount = trace.machine_energy(t0_ns, t1_ns)
        known_s = (t1_ns - t0_ns) / NS_PER_S - amount.gap_s
        known[trace.channel] = 0.0 if amount.energy_j is None else known_s / ((t1_ns - t0_ns) / NS_PER_S)
        energies_j[trace.channel] = amount.energy_j or 0.0
    return counted(known, energies_j)


def _sum_of(trace: ChannelTrace, span: Span) -> ChannelSum:
    channel = trace.channel
    duration_s = (span[1] - span[0]) / NS_PER_S
    machine, own = trace.machine_energy(*span), trace.own_energy(*span)
    sensor = channel_bounds(channel, own.energy_j, duration_s) if own.energy_j is not None else None
    is_blind = sensor is not None and own.gap_s > unnoticed_s(duration_s)
    unseen_j = own.gap_s * trace.own.peak_w(*span) if is_blind else 0.0
    spread = _spread(trace, machine, own)
    shared = trace.policy is not None and channel.quality is Quality.MEASURED
    row = ChannelEnergy(
        id=channel.id,
        host=channel.host,
        component=channel.component,
        device=channel.device,
        energy_j=own.energy_j,
        low_j=None,
        high_j=None,
        quality=Quality.ALLOCATED if shared else channel.quality,
        method=channel.method,
        uncertainty_rel=max(channel.uncertainty_at(duration_s)),
        gap_s=own.gap_s,
        counted=False,
        note=channel.note if sensor else _NOT_READ.format(reason=_why_not(trace, machine)),
        machine_energy_j=machine.energy_j,
        policy=trace.policy,
        lost_readings=trace.lost,
    )
    return ChannelSum(channel, _bounded(row, sensor, spread, unseen_j), sensor, spread, unseen_j)


def _bounded(row: ChannelEnergy, sensor: Bounds | None, spread: Spread, unseen_j: float) -> ChannelEnergy:
    """Return a row with its interval; where energy was shared out, that is also how uncertain it is."""
    if sensor is None:
        return row
    bounds = spread.around(sensor)
    bounds = replace(bounds, high_j=bounds.high_j + unseen_j)
    rel = row.uncertainty_rel if row.policy is None else _half_width(bounds)
    return replace(row, low_j=bounds.low_j, high_j=bounds.high_j, uncertainty_rel=rel)


def _spread(trace: ChannelTrace, machine: EnergyAmount, own: EnergyAmount) -> Spread:
    """Return what sharing out by use adds. How far a collector's own ``share`` may be off, its channel says."""
    theirs_j = (machine.energy_j or 0.0) * trace.channel.share
    if own.energy_j is None or trace.policy == trace.channel.policy or theirs_j <= 0:
        return Spread()
    low_rel, high_rel = allocation_bounds(min(own.energy_j / theirs_j, 1.0))
    return Spread(low_rel * own.energy_j, high_rel * own.energy_j)


def _half_width(bounds: Bounds) -> float:
    widest_j = max(bounds.high_j - bounds.value_j, bounds.value_j - bounds.low_j)
    return widest_j / bounds.value_j if bounds.value_j > 0 else 0.0


def _why_not(trace: ChannelTrace, machine: EnergyAmount) -> str:
    if machine.energy_j is not None:
        return _NO_SHARE
    return max(sorted(trace.lost), key=lambda reason: trace.lost[reason]) if trace.lost else "no_reading"
