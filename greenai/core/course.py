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


def spans(log: RunLog) -> dict[str, Span]:
    """Return start and end of the run on each host's own monotonic clock.

    It lasts from the first start to the last stop; as long as one that started has not stopped, to the last line.
    """
    found: dict[str, Span] = {}
    for host in {process.host for process in log.processes}:
        here = [process for process in log.processes if process.host == host]
        started = [process for process in here if process.start_ns is not None]
        stops = [process.stop.t_ns for process in started if process.stop is not None]
        starts = [process.start_ns for process in started if process.start_ns is not None]
        start_ns = min(starts) if starts else min(process.mono_ns for process in here)
        all_stopped = stops and len(stops) == len(started)
        end_ns = max(stops) if all_stopped else max(process.last_ns for process in here)
        found[host] = (start_ns, max(end_ns, start_ns))
    return found


def window_span(log: RunLog, window_id: str) -> dict[str, Span]:
    """Return start and end of a window, on its host.

    Raises:
        ValueError: There is no such window.
    """
    for process in log.processes:
        for window in process.windows:
            if window.window_id == window_id:
                end_ns = window.t1_ns if window.t1_ns is not None else spans(log)[process.host][1]
                return {process.host: (window.t0_ns, max(end_ns, window.t0_ns))}
    raise ValueError(f"no window {window_id!r} in this run")


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


def slept_ns(log: RunLog, host: str) -> int:
    """Return for how long a host was suspended during the run, nanoseconds (several may have seen it)."""
    return max((process.slept_ns for process in log.processes if process.host == host), default=0)


def known_end_ns(log: RunLog, process: ProcessLog, window: WindowMark, end_ns: int) -> int | None:
    """Return when a window ended; None if that cannot be known.

    One that is open ends with the run. Not so if its end may have been lost with a line, or if its process died
    while others saw the run to its end.

    Args:
        log: The journals.
        process: The one that began it.
        window: The window.
        end_ns: End of the run.
    """
    if window.t1_ns is not None:
        return window.t1_ns
    lost_lines = process.bad_lines or any(i.code == "journal_write_failed" for i in process.incidents)
    died = not process.closed and process.stop is None and any(other.stop for other in log.processes)
    return None if lost_lines or died else end_ns


def _at_work(sampler: ProcessLog, samplers: Sequence[ProcessLog]) -> bool:
    """Say whether a sampler may still be sampling: not after its end, nor after another saw the program die."""
    if sampler.closed or sampler.orphaned_ns is not None:
        return False
    deaths_ns = [other.orphaned_ns for other in samplers if other.host == sampler.host and other.orphaned_ns]
    return all(sampler.last_ns > death_ns for death_ns in deaths_ns)
