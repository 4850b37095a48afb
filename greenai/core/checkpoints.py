"""What a run had taken up to each checkpoint, and what was lost since the last one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.units import NS_PER_MS, NS_PER_S
from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from greenai.core.cover import Key
    from greenai.core.events import ProcessLog, RunLog
    from greenai.core.traces import ChannelTrace, Span

# The work since the last checkpoint of such a run has to be done again.
_UNFINISHED = frozenset({RunState.FAILED, RunState.KILLED, RunState.LOST})


@dataclass(frozen=True, slots=True)
class CheckpointEnergy:
    """A moment at which the work of a run was saved.

    Attributes:
        name: What the user called it, if anything.
        started_ms: When it was, milliseconds since the epoch.
        duration_s: How long the run had gone on until then, seconds.
        energy_j: What the counted channels of all hosts had taken until then, joules; None if unknown.
    """

    name: str | None
    started_ms: int
    duration_s: float
    energy_j: float | None


def checkpoints(
    log: RunLog, found: Mapping[Key, ChannelTrace], chosen: frozenset[Key], spans: Mapping[str, Span]
) -> tuple[CheckpointEnergy, ...]:
    """Return the checkpoints of a run in order of time.

    Args:
        log: The journals.
        found: The channels.
        chosen: Which of them are counted.
        spans: Start and end of the run on each host; checkpoints outside are left out.
    """
    rows = []
    for process in log.processes:
        start_ns, end_ns = spans.get(process.host, (0, -1))
        for name, t_ns in process.checkpoints:
            if start_ns <= t_ns <= end_ns:
                energy_j = _energy_j(log, process, t_ns, {key: found[key] for key in chosen}, spans)
                duration_s = (t_ns - start_ns) / NS_PER_S
                rows.append(CheckpointEnergy(name, process.wall_at(t_ns) // NS_PER_MS, duration_s, energy_j))
    return tuple(sorted(rows, key=lambda row: row.started_ms))


def lost_work_j(state: RunState, total_j: float | None, rows: tuple[CheckpointEnergy, ...]) -> float | None:
    """Return the energy since the last checkpoint of a run that failed, was killed or lost.

    None of any other run, without checkpoints (nobody knows what was saved), or where an energy is unknown.
    """
    if state not in _UNFINISHED or not rows or total_j is None or rows[-1].energy_j is None:
        return None
    return max(total_j - rows[-1].energy_j, 0.0)


def _energy_j(
    log: RunLog, process: ProcessLog, t_ns: int, traces: Mapping[Key, ChannelTrace], spans: Mapping[str, Span]
) -> float | None:
    zeros_ns = {other.host: other.mono_ns - other.wall_ns for other in reversed(log.processes)}
    zeros_ns[process.host] = process.mono_ns - process.wall_ns
    amounts_j = []
    for (host, _), trace in traces.items():
        start_ns, end_ns = spans[host]
        there_ns = min(max(t_ns - zeros_ns[process.host] + zeros_ns[host], start_ns), end_ns)
        amounts_j.append(trace.own_energy(start_ns, there_ns).energy_j)
    known_j = [amount_j for amount_j in amounts_j if amount_j is not None]
    return sum(known_j) if known_j and len(known_j) == len(amounts_j) else None
