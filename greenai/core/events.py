"""What the journals of a run say, process by process, before any arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.channel import Channel
    from greenai.core.collector import Incident
    from greenai.core.condensed import CondensedHour
    from greenai.core.reading import Reading
    from greenai.core.served import ActivityMark, ExclusiveTimes
    from greenai.core.usage import Usage
    from greenai.core.vocabulary import Role, RunState


@dataclass(frozen=True, slots=True)
class WindowMark:
    """A named stretch of time inside a run. ``t1_ns`` is None while it is open."""

    window_id: str
    name: str
    parent_id: str | None
    t0_ns: int
    t1_ns: int | None


@dataclass(frozen=True, slots=True)
class Metric:
    """A quality figure that the user's program logged."""

    name: str
    value: float
    higher_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Stop:
    """The owner's last word on the run."""

    t_ns: int
    state: RunState
    exit_code: int | None
    error: str | None


@dataclass(slots=True)
class ProcessLog:
    """The content of one journal file.

    Attributes:
        role: Owner, sampler, member, ...
        host: Host name.
        pid: Process id.
        wall_ns: Wall clock at opening, nanoseconds since the epoch.
        mono_ns: Monotonic clock at the same moment.
        interval_s: Sampling interval.
        meta: What the user said about the run (not of a sampler).
        channels: What this process reads.
        readings: By channel id.
        usages: How much of the machine the tracked work used, in order of time.
        start_ns: The owner's start mark.
        stop: The owner's stop mark.
        orphaned_ns: When a sampler saw its owner die.
        closed: Whether it said that it is done.
        slept_ns: For how long it saw the machine suspended.
        suspensions: When Slurm had stopped the job: begin and end on the host's monotonic clock.
        windows: Marked windows.
        metrics: Logged metrics, in order.
        units: Functional units delivered, each with the window it was said in (None outside of all).
        checkpoints: When work was saved: name and monotonic time.
        incidents: What went wrong.
        activity: What a meter in this process served, as sums.
        exclusive_times: Histograms of its requests.
        hours: The past of a service on this host, of which no readings are left.
        last_ns: Time of the last good line.
        lines: Good lines.
        bad_lines: Torn or unreadable lines, skipped and counted.
        torn: Whether the last line is one of them: it was being written when the process or its machine died.
    """

    role: Role
    host: str
    pid: int
    wall_ns: int
    mono_ns: int
    interval_s: float
    meta: dict[str, Any] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    readings: dict[str, Sequence[Reading]] = field(default_factory=dict)
    usages: list[Usage] = field(default_factory=list)
    start_ns: int | None = None
    stop: Stop | None = None
    orphaned_ns: int | None = None
    closed: bool = False
    slept_ns: int = 0
    suspensions: list[tuple[int, int]] = field(default_factory=list)
    windows: list[WindowMark] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    units: list[tuple[str | None, float]] = field(default_factory=list)
    checkpoints: list[tuple[str | None, int]] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    activity: list[ActivityMark] = field(default_factory=list)
    exclusive_times: list[ExclusiveTimes] = field(default_factory=list)
    hours: list[CondensedHour] = field(default_factory=list)
    last_ns: int = 0
    lines: int = 0
    bad_lines: int = 0
    torn: bool = False

    def units_in(self, window_id: str | None) -> float:
        """Return the units said inside a window, or inside a window of it; None is the whole process."""
        if window_id is None:
            return sum(count for _, count in self.units)
        parents = {window.window_id: window.parent_id for window in self.windows}
        inside = {window_id, *(child for child in parents if _has_ancestor(child, window_id, parents))}
        return sum(count for said_in, count in self.units if said_in in inside)

    def wall_at(self, t_ns: int) -> int:
        """Return the wall clock (ns since the epoch) at a monotonic time of this host."""
        return self.wall_ns + (t_ns - self.mono_ns)

    def mono_at(self, wall_ns: int) -> int:
        """Return the monotonic time of this host at a wall clock (ns since the epoch)."""
        return self.mono_ns + (wall_ns - self.wall_ns)

    def without_readings(self) -> ProcessLog:
        """Return what is left to say of a process once its host is accounted: hardly anything of its size."""
        return replace(self, meta={}, readings={}, usages=[], activity=[], exclusive_times=[], hours=[])


def _has_ancestor(window_id: str, ancestor: str, parents: dict[str, str | None]) -> bool:
    seen: set[str] = set()
    current: str | None = window_id
    while current is not None and current not in seen:
        seen.add(current)
        current = parents.get(current)
        if current == ancestor:
            return True
    return False


@dataclass(frozen=True, slots=True)
class RunLog:
    """All journals of one run.

    Attributes:
        run_id: The run.
        processes: One entry per journal file, sorted by file name.
        sha256: Digest over the files in that order.
        silent_s: Seconds since anything was last written.
        abandoned: Whether somebody sampled it under a lock, and nobody does any more.
        unreadable_files: Journal files without a usable first line.
    """

    run_id: str
    processes: tuple[ProcessLog, ...]
    sha256: str
    silent_s: float
    unreadable_files: int = 0
    abandoned: bool = False

    def by_host(self) -> dict[str, list[ProcessLog]]:
        """Return the processes of each host, hosts and processes in the order of their files."""
        found: dict[str, list[ProcessLog]] = {}
        for process in self.processes:
            found.setdefault(process.host, []).append(process)
        return found
