"""The journal of one process, line by line: every good line counts, every bad one is skipped and counted."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain
from math import isfinite
from operator import add
from typing import TYPE_CHECKING, Any, Final

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
    from collections.abc import Callable, Iterable, Iterator, Sequence

# JSON is read this many lines at once: fewer are slower, more set off the collection of garbage.
_LINES_AT_ONCE = 64
_MANY_WINDOWS = 1000
_KEYS_OF_A_TICK = 5  # k, t, d, v, seq

# Infinity as a time overflows, ten thousand brackets recurse too deeply: damage has no manners.
_MALFORMED = (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)


def read_process(lines: Iterable[bytes], apart_ns: int = 0) -> ProcessLog | None:
    """Read one journal file; None if it has no usable ``open`` line. See ``read_run``."""
    journal: _Journal | None = None
    found = [raw for raw in lines if raw]
    whole = [raw for raw in found if raw.startswith(b"{") or raw.strip(b" \r\0")]
    bad = len(found) - len(whole)  # NUL bytes: a crash of the machine left a hole
    for some in _parsed(whole):
        if journal is not None and journal.plain_ticks(some):
            continue
        for line in some:
            try:
                if journal is not None:
                    journal.take(line)
                elif line["k"] == f.OPEN:
                    journal = _Journal(_opened(line), apart_ns)
                    journal.take(line)
                else:
                    bad += 1
            except _MALFORMED:
                bad += 1
    if journal is None:
        return None
    try:
        journal.take_late()
    except _MALFORMED:
        bad += 1
    journal.log.bad_lines, journal.log.torn = bad, bool(whole) and _json(whole[-1]) is None
    journal.log.windows = [WindowMark(*mark, journal.ends_ns.get(n)) for n, mark in enumerate(journal.begins)]
    journal.log.readings = {each.channel.id: each for each in journal.series if each}
    return journal.log


def _parsed(lines: Sequence[bytes]) -> Iterator[list[Any]]:
    """Return what each line holds, some at once; None for one that is no JSON."""
    for start in range(0, len(lines), _LINES_AT_ONCE):
        some = lines[start : start + _LINES_AT_ONCE]
        found = _json(b"[" + b",".join(some) + b"]")
        # One that is damaged, here or in a way that makes two of it, and each is looked at on its own.
        yield found if found is not None and len(found) == len(some) else list(map(_json, some))


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode())
    except _MALFORMED:
        return None


def read_opening(lines: Iterable[bytes]) -> ProcessLog | None:
    """Read no more of a journal than who writes it; None if it has no usable ``open`` line."""
    for line in map(_json, lines):
        try:
            if line["k"] == f.OPEN:
                return _opened(line)
        except _MALFORMED:
            continue
    return None


def read_checkpoints(lines: Iterable[bytes]) -> list[tuple[str | None, int]]:
    """Return the checkpoints among some lines of a journal: name and monotonic time."""
    found: list[tuple[str | None, int]] = []
    for line in map(_json, lines):
        try:
            if line["k"] == f.CHECKPOINT:
                found.append(_checkpoint(line, int(line["t"])))
        except _MALFORMED:
            continue
    return found


def _checkpoint(line: dict[str, Any], t_ns: int) -> tuple[str | None, int]:
    name = line.get("name")
    return None if name is None else str(name), t_ns


def _opened(line: dict[str, Any]) -> ProcessLog:
    host = str(line["host"])
    return ProcessLog(
        role=Role(line["role"]),
        host=host,
        pid=int(line["pid"]),
        wall_ns=int(line["wall_ns"]),
        mono_ns=int(line["t"]),
        interval_s=float(line["interval_s"]),
        meta=dict(line["meta"]),
        # Damage may have hit either name of the host; figures are kept by one.
        channels=tuple(replace(Channel.from_json(channel), host=host) for channel in line["channels"]),
    )


class _Journal:
    """A journal that is being read; one method for each kind of line."""

    def __init__(self, log: ProcessLog, apart_ns: int) -> None:
        self.log = log
        self._apart_ns = apart_ns
        self._taken_ns = 0  # when the last readings were taken in
        self._late: tuple[dict[str, Any], int] | None = None  # left out, should there be others soon
        by_id = {channel.id: Series(channel) for channel in log.channels}
        self.series = [by_id[channel.id] for channel in log.channels]
        self.begins: list[tuple[str, str, str | None, int]] = []  # of windows, as ``WindowMark`` has them
        self.ends_ns: dict[int, int] = {}  # by their number
        self._open_windows: dict[str, int] = {}

    def take(self, line: dict[str, Any]) -> None:
        """Take in a line; what is damaged raises one of ``_MALFORMED``."""
        kind, t_ns = line["k"], int(line["t"])
        if "v" in line:
            self._readings(kind, line, t_ns)
        if kind in _KINDS:
            _KINDS[kind](self, line, t_ns)
        self.log.lines += 1
        self.log.last_ns = max(self.log.last_ns, t_ns)

    def plain_ticks(self, lines: Sequence[Any]) -> bool:
        """Take in some lines at once, if each is a tick with a number for every channel, as nearly all lines are.

        Returns:
            Whether that was so; if not, they are to be taken in one by one.
        """
        try:
            if {line["k"] for line in lines} != {f.TICK} or set(map(len, lines)) != {_KEYS_OF_A_TICK}:
                return False
            times_ns = [line["t"] for line in lines if "seq" in line]
            offsets_ns = list(zip(*[line["d"] for line in lines], strict=True))
            values = list(zip(*[line["v"] for line in lines], strict=True))
        except _MALFORMED:
            return False
        if not len(offsets_ns) == len(values) == len(self.series):
            return False
        if {int} != set(map(type, chain(times_ns, *offsets_ns, *values))) or len(times_ns) < len(lines):
            return False
        for each, each_offsets_ns, numbers in zip(self.series, offsets_ns, values, strict=True):
            each.numbers += zip(map(add, times_ns, each_offsets_ns), numbers, strict=True)
        self._taken_ns, self._late = times_ns[-1], None
        self.log.lines += len(lines)
        self.log.last_ns = max(self.log.last_ns, *times_ns)
        return True

    def _readings(self, kind: str, line: dict[str, Any], t_ns: int) -> None:
        """Take in what sensors said, unless it is too close to what they said before."""
        close = t_ns - self._taken_ns < self._apart_ns
        if close and kind in (f.BEGIN, f.END) and len(self.begins) > _MANY_WINDOWS:
            self._late = line, t_ns
            return
        self._take(line, t_ns)
        self._taken_ns, self._late = t_ns, None

    def take_late(self) -> None:
        """Take in the last readings of all, if they were left out."""
        if self._late is not None:
            self._take(*self._late)

    def _take(self, line: dict[str, Any], t_ns: int) -> None:
        """Take in the readings of a line; one with a damaged figure gives none of the others either."""
        times_ns = [t_ns + int(offset_ns) for offset_ns in line["d"]]
        values = [None if value is None else int(value) for value in line["v"]]
        series = self.series
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
                each.numbers.append((at_ns, value))
            else:
                each.failures.append((at_ns, reasons.get(str(position), "unknown")))
        self.log.usages += usages

    def reopened(self, _line: dict[str, Any], _t_ns: int) -> None:
        self.log.closed = False

    def started(self, _line: dict[str, Any], t_ns: int) -> None:
        # A worker may take part again: it began with the first start, and has not stopped before the last stop.
        self.log.start_ns = t_ns if self.log.start_ns is None else self.log.start_ns
        self.log.stop = None

    def stopped(self, line: dict[str, Any], t_ns: int) -> None:
        self.log.stop = Stop(t_ns, RunState(line["state"]), line["exit_code"], line["error"])

    def begun(self, line: dict[str, Any], t_ns: int) -> None:
        self.begins.append((str(line["id"]), str(line["name"]), line["parent"], t_ns))
        self._open_windows[self.begins[-1][0]] = len(self.begins) - 1

    def ended(self, line: dict[str, Any], t_ns: int) -> None:
        self.ends_ns[self._open_windows.pop(str(line["id"]))] = t_ns

    def checkpoint(self, line: dict[str, Any], t_ns: int) -> None:
        self.log.checkpoints.append(_checkpoint(line, t_ns))

    def metric(self, line: dict[str, Any], _t_ns: int) -> None:
        metric = Metric(str(line["name"]), _finite(line["value"]), bool(line["higher_is_better"]))
        self.log.metrics.append(metric)

    def units(self, line: dict[str, Any], _t_ns: int) -> None:
        self.log.units.append((line.get("window"), _finite(line["n"])))

    def note(self, line: dict[str, Any], _t_ns: int) -> None:
        remedy = Text.from_json(line["remedy"]) if line["remedy"] else None
        self.log.incidents.append(Incident(str(line["code"]), Text.from_json(line["message"]), remedy))

    def requests(self, line: dict[str, Any], _t_ns: int) -> None:
        self.log.activity.append(ActivityMark.from_json(line))

    def shares(self, line: dict[str, Any], _t_ns: int) -> None:
        self.log.exclusive_times.append(ExclusiveTimes.from_json(line))

    def hour(self, line: dict[str, Any], _t_ns: int) -> None:
        self.log.hours.append(CondensedHour.from_json(line))

    def orphaned(self, _line: dict[str, Any], t_ns: int) -> None:
        self.log.orphaned_ns = t_ns

    def suspended(self, line: dict[str, Any], t_ns: int) -> None:
        self.log.suspensions.append((t_ns - _count(line["ns"]), t_ns))

    def slept(self, line: dict[str, Any], _t_ns: int) -> None:
        self.log.slept_ns += _count(line["ns"])

    def closed(self, _line: dict[str, Any], _t_ns: int) -> None:
        self.log.closed = True


_KINDS: Final[dict[str, Callable[[_Journal, dict[str, Any], int], None]]] = {
    f.OPEN: _Journal.reopened,
    f.START: _Journal.started,
    f.STOP: _Journal.stopped,
    f.BEGIN: _Journal.begun,
    f.END: _Journal.ended,
    f.CHECKPOINT: _Journal.checkpoint,
    f.METRIC: _Journal.metric,
    f.UNITS: _Journal.units,
    f.NOTE: _Journal.note,
    f.REQUESTS: _Journal.requests,
    f.SHARES: _Journal.shares,
    f.HOUR: _Journal.hour,
    f.ORPHAN: _Journal.orphaned,
    f.SLEPT: _Journal.slept,
    f.SUSPENDED: _Journal.suspended,
    f.CLOSE: _Journal.closed,
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
    return Usage(t_ns + int(offset_ns), own_cpu_us, machine_cpu_us, own_bytes, machine_bytes, shares, of_jobs)


def _count(value: Any) -> int:
    number = int(value)
    if number < 0:
        raise ValueError(f"no count: {value}")
    return number


def _share(value: Any) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"no share: {value}")
    return float(value)
