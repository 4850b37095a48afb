"""Times in which Slurm had stopped a job: how much of what its nodes took then was the job's is not known.

``scontrol suspend`` stops all processes of a job, collectors too. Other jobs may run on its nodes meanwhile. A
counter goes on: its difference over the pause is theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.energy_curve import EnergyInterval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.events import ProcessLog

Suspension = tuple[int, int]
"""Begin and end on the host's monotonic clock, nanoseconds."""


def suspensions(here: Sequence[ProcessLog]) -> list[Suspension]:
    """Return when the job was stopped on a host, in order of time, each stretch once."""
    merged: list[Suspension] = []
    for begin_ns, end_ns in sorted(stretch for process in here for stretch in process.suspensions):
        if merged and begin_ns <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end_ns, merged[-1][1]))
        else:
            merged.append((begin_ns, end_ns))
    return merged


def suspended_ns(here: Sequence[ProcessLog]) -> int:
    """Return for how long the job was stopped on a host, nanoseconds."""
    return sum(end_ns - begin_ns for begin_ns, end_ns in suspensions(here))


def without(intervals: Sequence[EnergyInterval], stopped: Sequence[Suspension]) -> list[EnergyInterval]:
    """Return energy intervals in which that of suspensions is unknown.

    What an interval holds is spread evenly over it, as everywhere.

    Args:
        intervals: Adjacent, in order of time.
        stopped: Apart from each other, in order of time.
    """
    found: list[EnergyInterval] = []
    for interval in intervals:
        at_ns = interval.t0_ns
        for begin_ns, end_ns in stopped:
            if end_ns <= at_ns or begin_ns >= interval.t1_ns:
                continue
            found += _part(interval, at_ns, max(begin_ns, at_ns))
            at_ns, since_ns = min(end_ns, interval.t1_ns), max(begin_ns, at_ns)
            found.append(EnergyInterval(since_ns, at_ns, None))
        found += [interval] if at_ns == interval.t0_ns else _part(interval, at_ns, interval.t1_ns)
    return found


def _part(interval: EnergyInterval, t0_ns: int, t1_ns: int) -> list[EnergyInterval]:
    if t1_ns <= t0_ns:
        return []
    share = (t1_ns - t0_ns) / (interval.t1_ns - interval.t0_ns)
    return [EnergyInterval(t0_ns, t1_ns, None if interval.energy_uj is None else interval.energy_uj * share)]
