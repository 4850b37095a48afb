"""From the journals of a run to one energy curve per channel: of the machine, and of the run."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from greenai.core.allocation import ALLOTMENT, PARTS, allocated, parts_steps, share_steps
from greenai.core.channel import Component, Kind
from greenai.core.cover import counted
from greenai.core.energy import integrate
from greenai.core.energy_curve import EnergyAmount, EnergyCurve, EnergyInterval
from greenai.core.series import Series
from greenai.core.suspension import suspensions, without
from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import Scope
from greenai.core.zeros import one_zero

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from greenai.core.allocation import ShareStep
    from greenai.core.channel import Channel
    from greenai.core.cover import Key
    from greenai.core.events import ProcessLog
    from greenai.core.reading import Reading
    from greenai.core.suspension import Suspension
    from greenai.core.usage import Usage

# A gauge that was not read for this many of its beats, and for this long, was blind meanwhile. One that renews its
# value less often than it is asked for (a management controller) is read at the pace of its renewals.
_BLIND_BEATS = 3
_BLIND_S = 2.0
_WHOLES = frozenset({Component.NODE, Component.MODULE, Component.REST})


Span = tuple[int, int]
"""Start and end on the host's monotonic clock, nanoseconds."""


@dataclass(frozen=True, slots=True)
class ChannelTrace:
    """One channel of a run, merged over the processes of its host.

    Attributes:
        channel: The channel.
        readings: All of them, in order of time; where each process has its own zero, brought to one.
        machine: Energy of the device, whoever used it.
        own: The run's part of it.
        policy: The rule by which it was shared out; None if it was not.
        lost: How many readings failed or were not believed, by reason.
    """

    channel: Channel
    readings: Series
    machine: EnergyCurve
    own: EnergyCurve
    policy: str | None = None
    lost: Mapping[str, int] = field(default_factory=dict)

    def machine_energy(self, t0_ns: int, t1_ns: int) -> EnergyAmount:
        """Return the energy of the device in [t0, t1]."""
        return self._if_renewed(self.machine.between(t0_ns, t1_ns), t1_ns - t0_ns)

    def own_energy(self, t0_ns: int, t1_ns: int) -> EnergyAmount:
        """Return the run's part of it."""
        return self._if_renewed(self.own.between(t0_ns, t1_ns), t1_ns - t0_ns)

    def _if_renewed(self, amount: EnergyAmount, length_ns: int) -> EnergyAmount:
        """Within less than a renewal a counter says 0, or a whole renewal too much: nothing is known."""
        if self.channel.kind is Kind.COUNTER and length_ns < (self.channel.update_s or 0.0) * NS_PER_S:
            return EnergyAmount(None, length_ns / NS_PER_S)
        return amount


@dataclass(frozen=True, slots=True)
class _Integrated:
    channel: Channel
    readings: Series
    intervals: Sequence[EnergyInterval]
    lost: Mapping[str, int]


def traces(here: Sequence[ProcessLog], span: Span, scope: Scope) -> dict[Key, ChannelTrace]:
    """Return every channel of a run on one host with its curves.

    Args:
        here: What the journals of the host's processes say.
        span: Start and end of the run on its monotonic clock.
        scope: Whose energy the run is; except for MACHINE it is shared out by use.
    """
    found = _integrated(here, span)
    result = _of_host(found, None if scope is Scope.MACHINE else _usages(here), suspensions(here))
    return {key: result[key] for key in found}


def _of_host(
    found: Mapping[Key, _Integrated], usages: Sequence[Usage] | None, stopped: Sequence[Suspension]
) -> dict[Key, ChannelTrace]:
    result: dict[Key, ChannelTrace] = {}
    of_wholes: tuple[str, list[ShareStep]] | None = None
    for key, item in sorted(found.items(), key=lambda pair: pair[1].channel.component in _WHOLES):
        channel, machine = item.channel, EnergyCurve(item.intervals)
        theirs = _scaled(item.intervals, channel.share)  # of those who may use it
        theirs = without(theirs, stopped) if stopped else theirs
        policy, own = channel.policy, machine if theirs is item.intervals else EnergyCurve(theirs)
        rule: str | None = None
        if usages is not None and channel.policy != ALLOTMENT:
            if channel.component in _WHOLES:
                of_wholes = of_wholes or parts_steps(usages, _parts(result.values(), usages))
                rule, steps = of_wholes
            else:
                rule, steps = share_steps(channel, usages)
            if rule is not None:
                policy, own = rule, EnergyCurve(allocated(theirs, steps))
        result[key] = ChannelTrace(channel, item.readings, machine, own, policy, item.lost)
    return result


def _parts(
    traces: Iterable[ChannelTrace], usages: Sequence[Usage]
) -> dict[Channel, tuple[EnergyCurve, EnergyCurve]]:
    """Return the parts of a host that may be added up (no GPU twice), each with its two curves.

    An allotment is no part of the host: only of what we have of it.
    """
    parts = {t.channel: t for t in traces if t.channel.component in PARTS and t.channel.policy != ALLOTMENT}
    if not usages:
        return {}
    t0_ns, t1_ns = usages[0].t_mono_ns, usages[-1].t_mono_ns
    amounts = {channel: trace.machine.between(t0_ns, t1_ns) for channel, trace in parts.items()}
    energies_j = {channel: amount.energy_j for channel, amount in amounts.items() if amount.energy_j is not None}
    known = {c: 1 - amounts[c].gap_s * NS_PER_S / (t1_ns - t0_ns) for c in energies_j}
    chosen = counted(dict.fromkeys(parts, 0.0) | known, energies_j)
    return {c: (trace.machine, trace.own) for c, trace in parts.items() if (c.host, c.id) in chosen}


def _scaled(intervals: Sequence[EnergyInterval], share: float) -> Sequence[EnergyInterval]:
    if share == 1:
        return intervals
    return [
        EnergyInterval(i.t0_ns, i.t1_ns, None if i.energy_uj is None else i.energy_uj * share) for i in intervals
    ]


def _integrated(here: Sequence[ProcessLog], span: Span) -> dict[Key, _Integrated]:
    channels: dict[Key, Channel] = {}
    readings: dict[Key, list[Sequence[Reading]]] = defaultdict(list)
    interval_s = max((process.interval_s for process in here), default=0.0)
    for process in here:
        for channel in process.channels:
            key = (channel.host, channel.id)
            # The same counter by another door, as one process may use and another not: then zeros differ.
            if channel.per_process or key not in channels:
                channels[key] = channel
            readings[key].append(process.readings.get(channel.id, ()))
    return {key: _integrate(channel, readings[key], interval_s, span) for key, channel in channels.items()}


def _integrate(
    channel: Channel, by_process: Sequence[Sequence[Reading]], interval_s: float, span: Span
) -> _Integrated:
    beats_s = _BLIND_BEATS * max(channel.poll_s(interval_s), channel.update_s or 0.0)
    blind_s = max(_BLIND_S, beats_s)  # a busy machine is late; a sensor that failed was blind sooner
    every = Series.merged(channel, by_process)
    # A slow sensor's last word is handed out until there is another: a failure with the same time is the same one.
    failed = Counter(reason for _, reason in set(every.failures))
    if channel.per_process:
        every, left_out = one_zero(channel, by_process)
        failed += left_out
    integration = integrate(channel, every, blind_s, span, beats_s)
    return _Integrated(channel, every, integration.intervals, failed + Counter(integration.rejected))


def _usages(here: Sequence[ProcessLog]) -> list[Usage]:
    return sorted((u for process in here for u in process.usages), key=lambda usage: usage.t_mono_ns)
