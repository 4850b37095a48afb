"""Reading journals: every good line counts, every bad one is skipped and counted."""

from __future__ import annotations

import hashlib
import json
import time
from math import isfinite
from typing import TYPE_CHECKING, Any

from greenai.core.channel import Channel, Kind
from greenai.core.collector import Incident
from greenai.core.events import Metric, ProcessLog, RunLog, Stop, WindowMark
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.core.text import Text
from greenai.core.usage import Usage
from greenai.core.vocabulary import Role, RunState
from greenai.journal import format as f

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from greenai.core.reading import Reading

# Infinity as a time overflows, ten thousand brackets recurse too deeply: damage has no manners.
_MALFORMED = (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)


def read_run(folder: Path, now_s: float | None = None) -> RunLog:
    """Read all journals of a run.

    Args:
        folder: ``<spool>/<run id>``.
        now_s: Wall clock (seconds since the epoch) to tell how long the run has been silent.

    Raises:
        OSError: The folder cannot be read.
    """
    digest = hashlib.sha256()
    processes: list[ProcessLog] = []
    unreadable = 0
    last_write_s = 0.0
    for path in sorted(folder.glob(f"*{f.SUFFIX}")):
        data = path.read_bytes()
        digest.update(path.name.encode() + b"\0" + data)
        last_write_s = max(last_write_s, path.stat().st_mtime)
        process = read_process(data.split(b"\n"))
        if process is None:
            unreadable += 1
        else:
            processes.append(process)
    silent_s = max((time.time() if now_s is None else now_s) - last_write_s, 0.0)
    return RunLog(folder.name, tuple(processes), digest.hexdigest(), silent_s, unreadable)


def read_process(lines: Iterable[bytes]) -> ProcessLog | None:
    """Read one journal file; None if it has no usable ``open`` line."""
    log: ProcessLog | None = None
    open_windows: dict[str, int] = {}
    bad = 0
    for raw in lines:
        if not raw.strip(b" \r\0"):
            bad += bool(raw)  # NUL bytes: a crash of the machine left a hole
            continue
        try:
            line = json.loads(raw)
            if line["k"] == f.OPEN:
                log = log or _opened(line)
            elif log is None:
                bad += 1
                continue
            else:
                _apply(log, line, open_windows)
            log.lines += 1
            log.last_ns = max(log.last_ns, int(line["t"]))
        except _MALFORMED:
            bad += 1
    if log is not None:
        log.bad_lines = bad
    return log


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


def _apply(log: ProcessLog, line: dict[str, Any], open_windows: dict[str, int]) -> None:
    kind, t_ns = line["k"], int(line["t"])
    if "v" in line:
        _readings(log, line, t_ns)
    if kind == f.START:
        log.start_ns = t_ns
    elif kind == f.STOP:
        log.stop = Stop(t_ns, RunState(line["state"]), line["exit_code"], line["error"])
    elif kind == f.BEGIN:
        begun = WindowMark(str(line["id"]), str(line["name"]), line["parent"], t_ns, None)
        open_windows[begun.window_id] = len(log.windows)
        log.windows.append(begun)
    elif kind == f.END:
        index = open_windows.pop(str(line["id"]))
        begun = log.windows[index]
        log.windows[index] = WindowMark(begun.window_id, begun.name, begun.parent_id, begun.t0_ns, t_ns)
    elif kind == f.METRIC:
        log.metrics.append(Metric(str(line["name"]), _finite(line["value"]), bool(line["higher_is_better"])))
    elif kind == f.UNITS:
        log.units.append((line.get("window"), _finite(line["n"])))
    elif kind == f.NOTE:
        remedy = line["remedy"]
        log.incidents.append(
            Incident(
                str(line["code"]),
                Text.from_json(line["message"]),
                Text.from_json(remedy) if remedy else None,
            )
        )
    elif kind == f.ORPHAN:
        log.orphaned_ns = t_ns


def _finite(value: Any) -> float:
    """Return a number; JSON as Python reads it knows NaN and Infinity, which are none.

    Raises:
        ValueError: It is not finite.
    """
    number = float(value)
    if not isfinite(number):
        raise ValueError(f"not finite: {value}")
    return number


def _readings(log: ProcessLog, line: dict[str, Any], t_ns: int) -> None:
    gaps = line.get("g", {})
    indexes = line["c"] if "c" in line else range(len(log.channels))
    if not len(line["v"]) == len(line["d"]) == len(indexes):
        raise ValueError("each value needs its channel and its time")
    if any(index < 0 for index in indexes):
        raise ValueError("channels count from 0")
    found: list[Reading] = []
    for position, index in enumerate(indexes):
        channel, value = log.channels[index], line["v"][position]
        at_ns = t_ns + int(line["d"][position])
        if value is None:
            found.append(Gap(channel.id, at_ns, str(gaps.get(str(position), "unknown"))))
        elif channel.kind is Kind.COUNTER:
            found.append(CounterReading(channel.id, at_ns, int(value)))
        else:
            found.append(PowerReading(channel.id, at_ns, int(value)))
    usages = [_usage(log, line, t_ns)] if "u" in line else []
    # Only now: a line with one damaged figure gives none of the others either.
    for reading in found:
        log.readings.setdefault(reading.channel_id, []).append(reading)
    log.usages += usages


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
