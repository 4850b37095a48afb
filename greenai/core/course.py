"""The course of a run: when it began and ended on each host, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.vocabulary import Role, RunState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.events import ProcessLog, RunLog, Stop, WindowMark
    from greenai.core.traces import Span

# A run that has written nothing for this long is no longer running.
SILENCE_S = 30.0
ABANDONED_S = 3.0  # the same if nobody holds it any more; while one takes over from another that may be so
SILENT_INTERVALS = 5

# Of several ranks, the end of the run is the worst of theirs.
_WORST_FIRST = (RunState.KILLED, RunState.FAILED, RunState.LOST, RunState.COMPLETED)


def span_of(here: Sequence[ProcessLog]) -> Span:
    """Return start and end of a run on a host's own monotonic clock.

    It lasts from the first start to the last stop; as long as one that started has not stopped, to the last line.

    Args:
        here: The host's processes.
    """
    started = [process for process in here if process.start_ns is not None]
    stops = [process.stop.t_ns for process in started if process.stop is not None]
    starts = [process.start_ns for process in started if process.start_ns is not None]
    start_ns = min(starts) if starts else min(process.mono_ns for process in here)
    all_stopped = stops and len(stops) == len(started)
    end_ns = max(stops) if all_stopped else max(process.last_ns for process in here)
    return start_ns, max(end_ns, start_ns)


def spans(log: RunLog) -> dict[str, Span]:
    """Return start and end of the run on each host's own monotonic clock."""
    return {host: span_of(here) for host, here in log.by_host().items()}


def window_spans(log: RunLog, window_id: str) -> dict[str, Span]:
    """Return start and end of a window, on its host; a job step is on all hosts that it ran on.

    Raises:
        ValueError: There is no such window.
    """
    marks = [(p, window) for p in log.processes for window in p.windows if window.window_id == window_id]
    if not marks:
        raise ValueError(f"no window {window_id!r} in this run")
    if marks[0][0].role is Role.NODE:
        marks = [(process, window) for process, window in marks if process.role is Role.NODE]
    else:
        del marks[1:]
    ends = spans(log)
    found: dict[str, Span] = {}
    for process, window in marks:
        end_ns = window.t1_ns if window.t1_ns is not None else ends[process.host][1]
        start_ns, until_ns = found.get(process.host, (window.t0_ns, window.t0_ns))
        found[process.host] = (min(start_ns, window.t0_ns), max(until_ns, end_ns))
    return found


def ending(log: RunLog) -> Stop | None:
    """Return how the run ended; None if it has not, or if nobody said a last word."""
    started = [process for process in log.processes if process.start_ns is not None]
    stops = [process.stop for process in started if process.stop is not None]
    if not stops or len(stops) < len(started):
        return None
    return min(stops, key=lambda stop: (_WORST_FIRST.index(stop.state), stop.t_ns))


def state_of(log: RunLog) -> RunState:
    """Return how a run stands."""
    end = ending(log)
    if end is not None:
        return end.state
    samplers = [process for process in log.processes if process.role is Role.SAMPLER]
    death_seen = any(sampler.orphaned_ns is not None for sampler in samplers)
    if death_seen and not any(_at_work(sampler, samplers) for sampler in samplers):
        return RunState.KILLED
    interval_s = max(process.interval_s for process in log.processes)
    silence_s = ABANDONED_S if log.abandoned else SILENCE_S
    if log.silent_s <= max(silence_s, SILENT_INTERVALS * interval_s):
        return RunState.RUNNING
    # One of several died, and the others saw the run to its end.
    return RunState.KILLED if any(process.stop for process in log.processes) else RunState.LOST


def stopped_ns(log: RunLog, host: str) -> int | None:
    """Return when the last one on a host stopped, None if not all have."""
    stops = [process.stop for process in log.processes if process.host == host and process.start_ns is not None]
    return max(stop.t_ns for stop in stops if stop) if stops and all(stops) else None


def slept_ns(here: Sequence[ProcessLog]) -> int:
    """Return for how long a host was suspended during the run, nanoseconds (several of its processes saw it)."""
    return max((process.slept_ns for process in here), default=0)


def lost_its_end(process: ProcessLog, window: WindowMark) -> bool:
    """Say whether the end of an open window may have been lost with a line.

    Not with the line that the collector of a node wrote when it died: its part of the window ends there.
    """
    died_writing = process.role is Role.NODE and process.torn
    lost_lines = process.bad_lines > died_writing or any(
        i.code == "journal_write_failed" for i in process.incidents
    )
    return window.t1_ns is None and bool(lost_lines)


def died_in(process: ProcessLog, window: WindowMark) -> bool:
    """Say whether a window is open because its process ended without a word.

    If others saw the run to its end, nobody knows when it ended. A node that died took its part of the job along.
    """
    silent = not process.closed and process.stop is None
    return window.t1_ns is None and silent and process.role is not Role.NODE


def _at_work(sampler: ProcessLog, samplers: Sequence[ProcessLog]) -> bool:
    """Say whether a sampler may still be sampling: not after its end, nor after another saw the program die."""
    if sampler.closed or sampler.orphaned_ns is not None:
        return False
    deaths_ns = [other.orphaned_ns for other in samplers if other.host == sampler.host and other.orphaned_ns]
    return all(sampler.last_ns > death_ns for death_ns in deaths_ns)
