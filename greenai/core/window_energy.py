"""The energy of windows: of each on its host, and of job steps over all hosts that they ran on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from greenai.core import course
from greenai.core.record import WindowEnergy
from greenai.core.units import NS_PER_MS, NS_PER_S
from greenai.core.vocabulary import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from greenai.core.events import ProcessLog
    from greenai.core.traces import ChannelTrace, Span


@dataclass(frozen=True, slots=True)
class HostWindow:
    """A window on one host.

    Attributes:
        energy: As the record shows it, if it is on this host only.
        is_step: Whether it is a step of a batch job: one window on all its hosts.
        died: Whether it is open because its process ended without a word.
    """

    energy: WindowEnergy
    is_step: bool
    died: bool


def windows_of(here: Iterable[ProcessLog], counted: Sequence[ChannelTrace], span: Span) -> tuple[HostWindow, ...]:
    """Return the windows of a host.

    Args:
        here: Its processes.
        counted: Its counted channels.
        span: Start and end of the run on its monotonic clock; a window that is open ends with the run.
    """
    found: list[HostWindow] = []
    for process in here:
        names = {window.window_id: window.name for window in process.windows}
        for window in process.windows:
            end_ns = window.t1_ns if window.t1_ns is not None else span[1]
            energies = [trace.own_energy(window.t0_ns, end_ns).energy_j for trace in counted]
            known = [energy_j for energy_j in energies if energy_j is not None]
            is_known = known and len(known) == len(energies) and not course.lost_its_end(process, window)
            energy = WindowEnergy(
                id=window.window_id,
                name=window.name,
                parent=names.get(window.parent_id) if window.parent_id else None,
                started_ms=process.wall_at(window.t0_ns) // NS_PER_MS,
                duration_s=max(end_ns - window.t0_ns, 0) / NS_PER_S,
                energy_j=sum(known) if is_known else None,
            )
            found.append(HostWindow(energy, process.role is Role.NODE, course.died_in(process, window)))
    return tuple(found)


def windows_together(found: Iterable[HostWindow], *, others_stopped: bool) -> tuple[WindowEnergy, ...]:
    """Return the windows of a run in order of time; a step of a batch job is one row, whatever its hosts.

    Args:
        found: Those of all hosts.
        others_stopped: Whether anybody saw the run to its end.
    """
    rows: list[WindowEnergy] = []
    steps: dict[str, list[WindowEnergy]] = defaultdict(list)
    for window in found:
        if window.is_step:
            steps[window.energy.id].append(window.energy)
        elif window.died and others_stopped:
            rows.append(replace(window.energy, energy_j=None))
        else:
            rows.append(window.energy)
    rows += map(_together, steps.values())
    return tuple(sorted(rows, key=lambda window: window.started_ms))


def _together(parts: Sequence[WindowEnergy]) -> WindowEnergy:
    known_j = [part.energy_j for part in parts if part.energy_j is not None]
    return replace(
        min(parts, key=lambda part: part.started_ms),
        duration_s=max(part.duration_s for part in parts),
        energy_j=sum(known_j) if len(known_j) == len(parts) else None,
    )
