"""The end of a run that goes on, accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.node_energy import lacking_nodes
from greenai.core.outline import Outline
from greenai.core.totals import energy_of, with_rest
from greenai.core.traces import traces
from greenai.core.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from greenai.core.channel import Quality
    from greenai.core.cover import Key
    from greenai.core.events import ProcessLog, RunLog
    from greenai.core.traces import ChannelTrace, Span

POWER_S = 60
"""Power now is the mean over this many seconds."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The end of a run, accounted for.

    Attributes:
        traces: All its channels.
        chosen: Those that are counted.
        quality: The weakest quality among them.
        methods: By which they are read.
        lacking: The hosts with a channel that is missing from their sum.
        spans: The stretch looked at on each host, on its monotonic clock.
        clocks: A process of each host, to convert times.
        started_ms: Start of the run, epoch milliseconds.
    """

    traces: dict[Key, ChannelTrace]
    chosen: frozenset[Key]
    quality: Quality | None
    methods: tuple[str, ...]
    lacking: frozenset[str]
    spans: dict[str, Span]
    clocks: dict[str, ProcessLog]
    started_ms: int

    @classmethod
    def of(cls, log: RunLog, started_ms: int, seconds: float = POWER_S) -> Moment:
        """Account for the last ``seconds`` of a run; hosts that fell silent before the others are left out."""
        clocks: dict[str, ProcessLog] = {}
        for process in log.processes:
            if process.host not in clocks or process.last_ns > clocks[process.host].last_ns:
                clocks[process.host] = process
        last_ns = {host: clock.wall_at(clock.last_ns) for host, clock in clocks.items()}
        oldest_ns = max(last_ns.values()) - POWER_S * NS_PER_S
        clocks = {host: clock for host, clock in clocks.items() if last_ns[host] >= oldest_ns}
        spans = {
            host: (
                max(clock.last_ns - int(seconds * NS_PER_S), mono_ns(clock, started_ms)),
                clock.last_ns,
            )
            for host, clock in clocks.items()
        }
        terms, here = Outline.of(log.processes).terms, log.by_host()
        found: dict[Key, ChannelTrace] = {}
        for host, span in sorted(spans.items()):
            found |= traces(here[host], span, terms.scope)
        if terms.count_rest:  # else nothing is asked of it, and it takes as long as all the others
            found = with_rest(found, spans, is_counted=True)
        energy, chosen = energy_of(found, spans, terms.scope, count_rest=terms.count_rest)
        methods = tuple(sorted({channel.method for channel in energy.channels if channel.counted}))
        lacking = lacking_nodes(energy.channels)
        return cls(found, chosen, energy.quality, methods, lacking, spans, clocks, started_ms)

    def power_w(self) -> float | None:
        """Return the mean power of the counted channels over the whole stretch."""
        return self._power_w({host: span[0] for host, span in self.spans.items()}, self._ends())

    def power_until_w(self, t_ms: float, seconds: float) -> float | None:
        """Return the mean power over the ``seconds`` before a moment; of slower sensors over one renewal."""
        ends = {host: mono_ns(clock, t_ms) for host, clock in self.clocks.items()}
        begins = {
            host: max(end_ns - int(seconds * NS_PER_S), mono_ns(self.clocks[host], self.started_ms))
            for host, end_ns in ends.items()
        }
        return self._power_w(begins, ends)

    def energy_since_j(self, t_ms: float) -> float | None:
        """Return the energy from a moment to the last reading; None if the journals' ends do not reach it."""
        total_j = 0.0
        for key in self.chosen:
            trace, begin_ns = self.traces[key], mono_ns(self.clocks[key[0]], t_ms)
            if not trace.own.times_ns or begin_ns < trace.own.times_ns[0]:
                return None
            # Of less than a renewal nothing is known yet; it comes with the next one.
            total_j += trace.own_energy(begin_ns, max(self.spans[key[0]][1], begin_ns)).energy_j or 0.0
        return total_j

    def last_ms(self) -> float:
        """Return when all hosts had been read, epoch milliseconds."""
        return min(clock.wall_at(clock.last_ns) for clock in self.clocks.values()) / NS_PER_MS

    def _ends(self) -> dict[str, int]:
        return {host: span[1] for host, span in self.spans.items()}

    def _power_w(self, begins_ns: dict[str, int], ends_ns: dict[str, int]) -> float | None:
        total_w = 0.0
        for key in self.chosen:
            trace, end_ns = self.traces[key], ends_ns[key[0]]
            begin_ns = min(begins_ns[key[0]], end_ns - int((trace.channel.update_s or 0.0) * NS_PER_S))
            amount = trace.own_energy(begin_ns, end_ns)
            known_s = (end_ns - begin_ns) / NS_PER_S - amount.gap_s
            if amount.energy_j is None or known_s <= 0:
                return None
            total_w += amount.energy_j / known_s
        return total_w if self.chosen else None


def mono_ns(clock: ProcessLog, t_ms: float) -> int:
    """Return the monotonic time of a host at a moment of the wall clock (epoch milliseconds)."""
    return clock.mono_ns + int(t_ms * NS_PER_MS) - clock.wall_ns
