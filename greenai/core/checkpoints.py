"""What a run had taken up to each checkpoint, and what was lost since the last one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.units import NS_PER_MS, NS_PER_S
from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from greenai.core.events import ProcessLog
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


class Moment(NamedTuple):
    """When a checkpoint was: on the monotonic clock of its host, and by the wall clock for the others."""

    host: str
    t_ns: int
    wall_ns: int


EnergyAt = dict[Moment, float | None]
"""What a host had taken up to some moments, joules; None where that is unknown. Empty if it counts no channel."""


def moments(process: ProcessLog) -> list[Moment]:
    """Return when a process saved its work."""
    return [Moment(process.host, t_ns, process.wall_at(t_ns)) for _, t_ns in process.checkpoints]


def energies_at(
    wanted: Iterable[Moment], first: ProcessLog, counted: Sequence[ChannelTrace], span: Span
) -> EnergyAt:
    """Return what a host had taken up to some moments.

    Args:
        wanted: The moments, of this host and of others.
        first: Any process of the host; it knows both clocks.
        counted: The host's counted channels.
        span: Start and end of the run on this host.
    """
    found: EnergyAt = {}
    for moment in wanted if counted else ():
        t_ns = moment.t_ns if moment.host == first.host else first.mono_at(moment.wall_ns)
        until_ns = min(max(t_ns, span[0]), span[1])
        amounts_j = [trace.own_energy(span[0], until_ns).energy_j for trace in counted]
        found[moment] = _sum(amounts_j)
    return found


def checkpoints(
    processes: Iterable[ProcessLog], spans: Mapping[str, Span], hosts: Sequence[EnergyAt]
) -> tuple[CheckpointEnergy, ...]:
    """Return the checkpoints of a run in order of time.

    Args:
        processes: Those of the run.
        spans: Start and end of the run on each host; checkpoints outside are left out.
        hosts: What each host had taken up to the moments of the checkpoints.
    """
    counting = [energies_j for energies_j in hosts if energies_j]
    rows = []
    for process in processes:
        start_ns, end_ns = spans.get(process.host, (0, -1))
        for (name, t_ns), moment in zip(process.checkpoints, moments(process), strict=True):
            if start_ns <= t_ns <= end_ns:
                energy_j = _sum([energies_j.get(moment) for energies_j in counting])
                duration_s = (t_ns - start_ns) / NS_PER_S
                rows.append(CheckpointEnergy(name, moment.wall_ns // NS_PER_MS, duration_s, energy_j))
    return tuple(sorted(rows, key=lambda row: row.started_ms))


def lost_work_j(state: RunState, total_j: float | None, rows: tuple[CheckpointEnergy, ...]) -> float | None:
    """Return the energy since the last checkpoint of a run that failed, was killed or lost.

    None of any other run, without checkpoints (nobody knows what was saved), or where an energy is unknown.
    """
    if state not in _UNFINISHED or not rows or total_j is None or rows[-1].energy_j is None:
        return None
    return max(total_j - rows[-1].energy_j, 0.0)


def _sum(amounts_j: Sequence[float | None]) -> float | None:
    """Add up amounts; None if there is none, or if one is unknown."""
    known_j = [amount_j for amount_j in amounts_j if amount_j is not None]
    return sum(known_j) if known_j and len(known_j) == len(amounts_j) else None
