"""The account of a service, hour by hour: those that are over by the minute, what is left at full resolution."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from greenai.core.activity import activity
from greenai.core.condensed import MARGIN_NS, ChannelHour, CondensedHour, around, as_readings, in_order
from greenai.core.energy_curve import EnergyCurve
from greenai.core.service import hours_of, meter_of
from greenai.core.totals import energy_of, with_rest
from greenai.core.traces import ChannelTrace, traces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.activity import Meter
    from greenai.core.cover import Key
    from greenai.core.events import ProcessLog
    from greenai.core.traces import Span
    from greenai.core.vocabulary import Scope


def hourly_traces(
    here: Sequence[ProcessLog], span: Span, scope: Scope, *, count_rest: bool
) -> tuple[dict[Key, ChannelTrace], list[CondensedHour]]:
    """Return every channel of a service on one host with its curves, and the hours that are over.

    Args:
        here: What the journals of its processes say.
        span: Start and end of the run on its monotonic clock.
        scope: Whose energy the run is.
        count_rest: Whether the estimate of the rest of the node is part of the total.
    """
    host = _Host(here, scope, count_rest=count_rest)
    hours = host.hours(span)
    if not hours:
        return traces(here, span, scope), hours
    start_ns = hours[-1].t1_ns
    left = host.traces((start_ns, span[1]), is_last=True)
    return {key: _joined(trace, hours, start_ns) for key, trace in left.items()}, hours


class _Host:
    """What the journals say of one host."""

    def __init__(self, here: Sequence[ProcessLog], scope: Scope, *, count_rest: bool) -> None:
        self._host, self._scope, self._count_rest = here[0].host, scope, count_rest
        self._processes: list[ProcessLog] = [in_order(process) for process in here]
        self._meters: Sequence[Meter] = [meter_of(process) for process in here if process.activity]
        self._stored = {hour.t0_ns: hour for process in here for hour in process.hours}

    def hours(self, span: Span) -> list[CondensedHour]:
        """Return the hours that are over: nothing that is read from now on has any influence on them."""
        found = [hour for _, hour in sorted(self._stored.items())]
        start_ns = found[-1].t1_ns if found else span[0]
        for number, part in hours_of(self._processes[0], (start_ns, span[1])):
            if part[1] + MARGIN_NS <= span[1]:
                found.append(self._hour(number, part))
        return found

    def traces(self, part: Span, *, is_last: bool = False) -> dict[Key, ChannelTrace]:
        """Return the channels in a part of the run, from what was read in and around it.

        Args:
            part: The stretch of time.
            is_last: Whether the run ends there: what was lost afterwards is its as well.
        """
        t0_ns, t1_ns = part
        found = self._of(part, (t0_ns - MARGIN_NS, t1_ns + MARGIN_NS))
        before = self._of(part, (t0_ns - MARGIN_NS, t0_ns))
        after = {} if is_last else self._of(part, (t1_ns, t1_ns + MARGIN_NS))
        for key, trace in found.items():
            lost = Counter(trace.lost)
            for beside in (before, after):
                lost -= Counter(beside[key].lost if key in beside else {})
            found[key] = replace(trace, lost=dict(lost))
        return found

    def _of(self, part: Span, read: Span) -> dict[Key, ChannelTrace]:
        """Return the channels in a part of the run from what was read in a stretch of time."""
        return traces(around(self._processes, read), part, self._scope)

    def _hour(self, number: int, part: Span) -> CondensedHour:
        spans, measured = {self._host: part}, self.traces(part)
        found = with_rest(measured, spans, is_counted=self._count_rest)
        _, chosen = energy_of(found, spans, self._scope, count_rest=self._count_rest)
        done = activity([found[key].own for key in sorted(chosen)], self._meters, part)
        channels = {key[1]: ChannelHour.of(trace, part) for key, trace in measured.items()}
        return CondensedHour(number, *part, channels, done)


def _joined(trace: ChannelTrace, hours: Sequence[CondensedHour], start_ns: int) -> ChannelTrace:
    """Put the hours of a channel before its trace of what is left."""
    name = trace.channel.id
    known = [hour.channels[name] for hour in hours if name in hour.channels]
    machine, own = trace.machine.since(start_ns), trace.own.since(start_ns)
    machine = [interval for hour in hours for interval in hour.of_channel(name, own=False)] + machine
    own = [interval for hour in hours for interval in hour.of_channel(name, own=True)] + own
    lost = sum((Counter(hour.lost) for hour in known), Counter(trace.lost))
    policies = [policy for policy in [*(hour.policy for hour in known), trace.policy] if policy is not None]
    peak_w = max((hour.peak_w for hour in known), default=0.0)
    machine_curve = EnergyCurve(machine, peak_w)
    return ChannelTrace(
        channel=trace.channel,
        readings=as_readings(trace.channel, machine),
        machine=machine_curve,
        own=machine_curve if own == machine else EnergyCurve(own, peak_w),
        policy=policies[-1] if policies else None,
        lost=dict(lost),
    )
