"""What each kind of line adds to what is known of a process; one method for each."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from operator import add
from typing import TYPE_CHECKING, Any, ClassVar

from greenai.core.channel import Channel
from greenai.core.collector import Incident
from greenai.core.condensed import CondensedHour
from greenai.core.events import Metric, ProcessLog, Stop, WindowMark
from greenai.core.series import Series
from greenai.core.served import ActivityMark, ExclusiveTimes
from greenai.core.text import Text
from greenai.core.usage import Usage
from greenai.core.vocabulary import Role, RunState
from greenai.journal import format as f

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.journal.ticks import Ticks

_MANY_WINDOWS = 1000

# Infinity as a time overflows, ten thousand brackets recurse too deeply: damage has no manners.
MALFORMED = (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)
"""What taking in a damaged line raises."""


def opened(line: dict[str, Any]) -> ProcessLog:
    """Return who writes a journal, from its first line; a damaged one raises one of ``MALFORMED``."""
    host = str(line["host"])
    return ProcessLog(
        role=Role(line["role"]),
        host=host,
        pid=int(line["pid"]),
        wall_ns=time_ns(line["wall_ns"]),
        mono_ns=time_ns(line["t"]),
        interval_s=float(line["interval_s"]),
        meta=dict(line["meta"]),
        # Damage may have hit either name of the host; figures are kept by one.
        channels=tuple(replace(Channel.from_json(channel), host=host) for channel in line["channels"]),
    )


def time_ns(value: Any) -> int:
    """Return a time of a line, nanoseconds.

    Raises:
        ValueError: It is none that a clock can show.
    """
    t_ns = int(value)
    if not 0 <= t_ns <= f.LAST_NS:
        raise ValueError(f"no time: {value}")
    return t_ns


def checkpoint_of(line: dict[str, Any], t_ns: int) -> tuple[str | None, int]:
    """Return the name and the time of a checkpoint."""
    name = line.get("name")
    return None if name is None else str(name), t_ns


class LogReader:
    """A journal that is being read, line by line."""

    def __init__(self, log: ProcessLog, apart_ns: int) -> None:
        self.log = log
        self._apart_ns = apart_ns
        self._taken_ns = 0  # when the last readings were taken in
        self._late: tuple[dict[str, Any], int] | None = None  # left out, should there be others soon
        by_id = {channel.id: Series(channel) for channel in log.channels}
        self._series = [by_id[channel.id] for channel in log.channels]
        self._begins: list[tuple[str, str, str | None, int]] = []  # of windows, as ``WindowMark`` has them
        self._ends_ns: dict[int, int] = {}  # by their number
        self._open_windows: dict[str, int] = {}

    def take(self, line: dict[str, Any]) -> None:
        """Take in a line; what is damaged raises one of ``MALFORMED``."""
        kind, t_ns = line["k"], time_ns(line["t"])
        if "v" in line:
            self._readings(kind, line, t_ns)
        if kind in self._KINDS:
            self._KINDS[kind](self, line, t_ns)
        self.log.lines += 1
        self.log.last_ns = max(self.log.last_ns, t_ns)

    def take_ticks(self, ticks: Ticks) -> None:
        """Take in many ticks at once."""
        for each, offsets_ns, values in zip(self._series, ticks.offsets_ns, ticks.values, strict=True):
            each.times_ns += map(add, ticks.times_ns, offsets_ns)
            each.values += values
        self._taken_ns, self._late = ticks.times_ns[-1], None
        self.log.lines += len(ticks.times_ns)
        self.log.last_ns = max(self.log.last_ns, *ticks.times_ns)

    def _readings(self, kind: str, line: dict[str, Any], t_ns: int) -> None:
        """Take in what sensors said, unless it is too close to what they said before."""
        close = t_ns - self._taken_ns < self._apart_ns
        if close and kind in (f.BEGIN, f.END) and len(self._begins) > _MANY_WINDOWS:
            self._late = line, t_ns
            return
        self._take(line, t_ns)
        self._taken_ns, self._late = t_ns, None

    def finish(self) -> None:
        """Say what is only known at the end; if the last readings are damaged, raise one of ``MALFORMED``."""
        try:
            if self._late is not None:
                self._take(*self._late)
        finally:
            self.log.windows = [WindowMark(*mark, self._ends_ns.get(n)) for n, mark in enumerate(self._begins)]
            self.log.readings = {each.channel.id: each for each in self._series if each}

    def _take(self, line: dict[str, Any], t_ns: int) -> None:
        """Take in the readings of a line; one with a damaged figure gives none of the others either."""
        times_ns = [t_ns + int(offset_ns) for offset_ns in line["d"]]
        if times_ns and not 0 <= min(times_ns) <= max(times_ns) <= f.LAST_NS:
            raise ValueError("no times of readings")
        values = [None if value is None else int(value) for value in line["v"]]
        series = self._series
        if "c" in line:
            if any(index < 0 for index in line["c"]):
                raise ValueError("channels count from 0")
            series = [series[index] for index in line["c"]]
        if not len(values) == len(times_ns) == len(series):
            raise ValueError("each value needs its channel and its time")
        reasons = _reasons(line) if None in values else {}
        usages = [_usage(self.log, line, t_ns)] if "u" in line else []
        for position, (each, at_ns, value) in enumerate(zip(series, times_ns, values, strict=True)):
            if value is not None:
                each.add(at_ns, value)
            else:
                each.failures.append((at_ns, reasons.get(str(position), "unknown")))
        self.log.usages += usages

    def _reopened(self, _line: dict[str, Any], _t_ns: int) -> None:
        self.log.closed = False

    def _started(self, _line: dict[str, Any], t_ns: int) -> None:
        # A worker may take part again: it began with the first start, and has not stopped before the last stop.
        self.log.start_ns = t_ns if self.log.start_ns is None else self.log.start_ns
        self.log.stop = None

    def _stopped(self, line: dict[str, Any], t_ns: int) -> None:
        self.log.stop = Stop(t_ns, RunState(line["state"]), line["exit_code"], line["error"])

    def _begun(self, line: dict[str, Any], t_ns: int) -> None:
        self._begins.append((str(line["id"]), str(line["name"]), line["parent"], t_ns))
        self._open_windows[self._begins[-1][0]] = len(self._begins) - 1

    def _ended(self, line: dict[str, Any], t_ns: int) -> None:
        self._ends_ns[self._open_windows.pop(str(line["id"]))] = t_ns

    def _checkpoint(self, line: dict[str, Any], t_ns: int) -> None:
        self.log.checkpoints.append(checkpoint_of(line, t_ns))

    def _metric(self, line: dict[str, Any], _t_ns: int) -> None:
        metric = Metric(str(line["name"]), _finite(line["value"]), bool(line["higher_is_better"]))
        self.log.metrics.append(metric)

    def _units(self, line: dict[str, Any], _t_ns: int) -> None:
        self.log.units.append((line.get("window"), _finite(line["n"])))

    def _note(self, line: dict[str, Any], _t_ns: int) -> None:
        remedy = Text.from_json(line["remedy"]) if line["remedy"] else None
        self.log.incidents.append(Incident(str(line["code"]), Text.from_json(line["message"]), remedy))

    def _requests(self, line: dict[str, Any], _t_ns: int) -> None:
        self.log.activity.append(ActivityMark.from_json(line))

    def _shares(self, line: dict[str, Any], _t_ns: int) -> None:
        self.log.exclusive_times.append(ExclusiveTimes.from_json(line))

    def _hour(self, line: dict[str, Any], _t_ns: int) -> None:
        self.log.hours.append(CondensedHour.from_json(line))

    def _orphaned(self, _line: dict[str, Any], t_ns: int) -> None:
        self.log.orphaned_ns = t_ns

    def _suspended(self, line: dict[str, Any], t_ns: int) -> None:
        self.log.suspensions.append((t_ns - _count(line["ns"]), t_ns))

    def _slept(self, line: dict[str, Any], _t_ns: int) -> None:
        self.log.slept_ns += _count(line["ns"])

    def _closed(self, _line: dict[str, Any], _t_ns: int) -> None:
        self.log.closed = True

    _KINDS: ClassVar[dict[str, Callable[[LogReader, dict[str, Any], int], None]]] = {
        f.OPEN: _reopened,
        f.START: _started,
        f.STOP: _stopped,
        f.BEGIN: _begun,
        f.END: _ended,
        f.CHECKPOINT: _checkpoint,
        f.METRIC: _metric,
        f.UNITS: _units,
        f.NOTE: _note,
        f.REQUESTS: _requests,
        f.SHARES: _shares,
        f.HOUR: _hour,
        f.ORPHAN: _orphaned,
        f.SLEPT: _slept,
        f.SUSPENDED: _suspended,
        f.CLOSE: _closed,
    }


def _reasons(line: dict[str, Any]) -> dict[str, str]:
    """Return why there is no value, by its position in the line."""
    return {str(position): str(reason) for position, reason in line.get("g", {}).items()}


def _finite(value: Any) -> float:
    """Return a number; JSON as Python reads it knows NaN and Infinity, which are none.

    Raises:
        ValueError: It is not finite.
    """
    number = float(value)
    if not isfinite(number):
        raise ValueError(f"not finite: {value}")
    return number


def _usage(log: ProcessLog, line: dict[str, Any], t_ns: int) -> Usage:
    offset_ns, *figures = line["u"]
    own_cpu_us, machine_cpu_us, own_bytes, machine_bytes = (None if f is None else _count(f) for f in figures)
    shares = None
    if "s" in line:
        shares = {log.channels[_count(index)].id: _share(share) for index, share in line["s"].items()}
    of_jobs = "j" in line
    at_ns = time_ns(t_ns + int(offset_ns))
    return Usage(at_ns, own_cpu_us, machine_cpu_us, own_bytes, machine_bytes, shares, of_jobs)


def _count(value: Any) -> int:
    number = int(value)
    if number < 0:
        raise ValueError(f"no count: {value}")
    return number


def _share(value: Any) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"no share: {value}")
    return float(value)
