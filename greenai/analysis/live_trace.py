"""Power over the last minutes of a run that goes on, from the ends of its journals."""

from __future__ import annotations

from itertools import islice, pairwise
from typing import TYPE_CHECKING

from greenai.analysis.moment import Moment
from greenai.analysis.nodes_trace import nodes_trace
from greenai.analysis.trace import series_of
from greenai.core.energy_curve import EnergyInterval
from greenai.journal.tail import read_tail

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.core.events import ProcessLog
    from greenai.core.traces import ChannelTrace
    from greenai.core.views import NodesTrace, TraceSeries

_MOST_NODES = 40  # whose journals' ends are read to add them up


def live_trace(
    folder: Path, seconds: float, max_points: int | None, max_channels: int | None = None
) -> tuple[TraceSeries, ...]:
    """Return power over the last ``seconds`` of a run, channel by channel, from the ends of its journals.

    Args:
        folder: The run's folder in the spool.
        seconds: How far back.
        max_points: About how many points per channel; None for all.
        max_channels: Only the first so many; a thousand nodes have thousands.

    Raises:
        OSError: The folder cannot be read.
    """
    log = read_tail(folder, seconds, max_journals=max_channels)  # each has one at least
    if not log.processes:
        return ()
    moment = Moment.of(log, started_ms=0, seconds=seconds)
    found = (
        series_of(
            trace.channel,
            _intervals(trace, moment.clocks[host]),
            counted=(host, channel_id) in moment.chosen,
            max_points=max_points,
        )
        for (host, channel_id), trace in moment.traces.items()
        if trace.readings  # the rest of the node is no sensor
    )
    return tuple(islice(found, max_channels))


def live_nodes_trace(folder: Path, seconds: float, of: int) -> NodesTrace | None:
    """Return power over the last ``seconds`` of a run on many nodes, those of the first journals added up.

    Args:
        folder: The run's folder in the spool.
        seconds: How far back.
        of: How many nodes the run has.

    Raises:
        OSError: The folder cannot be read.
    """
    log = read_tail(folder, seconds, max_journals=_MOST_NODES)
    if not log.processes:
        return None
    moment = Moment.of(log, started_ms=0, seconds=seconds)
    whole = [key for key in sorted(moment.chosen) if key[0] not in moment.lacking] or sorted(moment.chosen)
    found = ((moment.traces[key].channel, _intervals(moment.traces[key], moment.clocks[key[0]])) for key in whole)
    end_ms = moment.last_ms()
    return nodes_trace(found, (end_ms - seconds * 1e3, end_ms), of)


def _intervals(trace: ChannelTrace, clock: ProcessLog) -> list[EnergyInterval]:
    """Return what a channel's device took between its readings, on the wall clock (epoch ns)."""
    amounts = ((a, b, trace.machine.between(a, b).energy_j) for a, b in pairwise(trace.machine.times_ns))
    return [
        EnergyInterval(clock.wall_at(a), clock.wall_at(b), None if energy_j is None else energy_j * 1e6)
        for a, b, energy_j in amounts
    ]
