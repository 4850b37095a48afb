"""Reading journals: every good line counts, every bad one is skipped and counted."""

from __future__ import annotations

import hashlib
import json
import time
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, Final

from greenai.core.channel import Channel
from greenai.core.collector import Incident
from greenai.core.condensed import CondensedHour
from greenai.core.events import Metric, ProcessLog, RunLog, Stop, WindowMark
from greenai.core.series import Series
from greenai.core.served import ActivityMark, ExclusiveTimes
from greenai.core.text import Text
from greenai.core.usage import Usage
from greenai.core.vocabulary import Role, RunState
from greenai.journal import format as f
from greenai.journal.spool import is_abandoned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

# JSON is read this many lines at once: fewer are slower, more set off the collection of garbage.
_LINES_AT_ONCE = 64
_MANY_WINDOWS = 1000

# Infinity as a time overflows, ten thousand brackets recurse too deeply: damage has no manners.
_MALFORMED = (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)


def read_run(folder: Path, now_s: float | None = None, apart_ns: int = 0) -> RunLog:
    """Read all journals of a run.

    Args:
        folder: ``<spool>/<run id>``.
        now_s: Wall clock (seconds since the epoch) to tell how long the run has been silent.
        apart_ns: Of a journal of many windows, leave out what was read at their ends less than this after the last
            readings, nanoseconds. By default nothing is.

    Raises:
        OSError: The folder cannot be read.
    """
    digest = hashlib.sha256()
    processes: list[ProcessLog] = []
    unreadable = 0
    last_write_s = 0.0
    for parts in journals(folder):
        lines: list[bytes] = []
        for path in parts:
            data = path.read_bytes()
            digest.update(path.name.encode() + b"\0" + data)
            last_write_s = max(last_write_s, path.stat().st_mtime)
            lines += data.split(b"\n")
        process = read_process(lines, apart_ns)
        if process is None:
            unreadable += len(parts)
        else:
            processes.append(process)
    silent_s = (time.time() if now_s is None else now_s) - last_write_s
    abandoned = is_abandoned(folder)
    if silent_s < 0:  # the clock was set back
        silent_s = inf if abandoned else 0.0
    return RunLog(folder.name, tuple(processes), digest.hexdigest(), silent_s, unreadable, abandoned)


def _files(folder: Path) -> list[Path]:
    """Return the journal files of a run; a pipe of that name would keep the reader waiting for ever."""
    return [path for path in folder.glob(f"*{f.SUFFIX}") if path.is_file()]


def journals(folder: Path) -> list[list[Path]]:
    """Return the journals of a run, sorted by name, each with its parts in order (``JournalWriter.rotate``).

    Raises:
        OSError: The folder cannot be read.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(_files(folder), key=lambda path: path.stem):
        found.setdefault(path.stem.partition(f.PART_MARK)[0], []).append(path)
    return list(found.values())


def read_process(lines: Iterable[bytes], apart_ns: int = 0) -> ProcessLog | None:
    """Read one journal file; None if it has no usable ``open`` line. See ``read_run``."""
    journal: _Journal | None = None
    found = [raw for raw in lines if raw]
    whole = [raw for raw in found if raw.startswith(b"{") or raw.strip(b" \r\0")]
    bad = len(found) - len(whole)  # NUL bytes: a crash of the machine left a hole
    good = last_ns = 0
    for line in _parsed(whole):
        try:
            kind, t_ns = line["k"], int(line["t"])
            if journal is None:
                if kind != f.OPEN:
                    bad += 1
                    continue
                journal = _Journal(_opened(line), apart_ns)
            if "v" in line:
                journal.readings(kind, line, t_ns)
            if kind in _KINDS:
                _KINDS[kind](journal, line, t_ns)
            good += 1
            last_ns = max(last_ns, t_ns)
        except _MALFORMED:
            bad += 1
    if journal is None:
        return None
    try:
        journal.take_late()
    except _MALFORMED:
        bad += 1
    journal.log.lines, journal.log.bad_lines, journal.log.last_ns = good, bad, last_ns
    journal.log.windows = [WindowMark(*mark, journal.ends_ns.get(n)) for n, mark in enumerate(journal.begins)]
    journal.log.readings = {each.channel.id: each for each in journal.series if each}
    return journal.log


def _parsed(lines: Sequence[bytes]) -> Iterator[Any]:
    """Return what each line holds; None for one that is no JSON."""
    for start in range(0, len(lines), _LINES_AT_ONCE):
        some = lines[start : start + _LINES_AT_ONCE]
        found = _json(b"[" + b",".join(some) + b"]")
        # One that is damaged, here or in a way that makes two of it, and each is looked at on its own.
        yield from found if found is not None and len(found) == len(some) else map(_json, some)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode())
    except _MALFORMED:
        return None


def _opened(line: dict[str, Any]) -> ProcessLog:
    return ProcessLog(
        role=Role(line["role"]),
        host=str(line["host"]),
        pid=int(line["pid"]),
        wall_ns=int(line["wall_ns"]),
        mono_ns=int(line["t"]),
        interval_s=float(line["interval_s"]),
        meta=dict(line["meta"]),
        channels=tuple(Channel.from_json(channel) for channel in line["channels"]),
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

    def readings(self, kind: str, line: dict[str, Any], t_ns: int) -> None:
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
        name = line.get("name")
        self.log.checkpoints.append((None if name is None else str(name), t_ns))

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
    return Usage(t_ns + int(offset_ns), own_cpu_us, machine_cpu_us, own_bytes, machine_bytes, shares)


def _count(value: Any) -> int:
    number = int(value)
    if number < 0:
        raise ValueError(f"no count: {value}")
    return number


def _share(value: Any) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"no share: {value}")
    return float(value)
