"""The journal of one process, line by line: every good line counts, every bad one is skipped and counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from greenai.journal import format as f
from greenai.journal.kinds import MALFORMED, LogReader, checkpoint_of, opened, time_ns
from greenai.journal.ticks import TickReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from greenai.core.events import ProcessLog

# Fewer are slower; of more, all are read one by one when one is no tick.
_LINES_AT_ONCE = 256
_DECODER = json.JSONDecoder()


def read_process(lines: Iterable[bytes], apart_ns: int = 0) -> ProcessLog | None:
    """Read one journal file; None if it has no usable ``open`` line. See ``read_run``."""
    found = [raw for raw in lines if raw]
    whole = [raw for raw in found if raw.startswith(b"{") or raw.strip(b" \r\0")]
    first, log = _first(whole)
    if log is None:
        return None
    bad = len(found) - len(whole) + first  # NUL bytes: a crash of the machine left a hole
    reader, ticks = LogReader(log, apart_ns), TickReader(len(log.channels))
    bad += _take(reader, whole[first : first + 1])
    for start in range(first + 1, len(whole), _LINES_AT_ONCE):
        some = whole[start : start + _LINES_AT_ONCE]
        read = ticks.read(some)
        if read is not None:
            reader.take_ticks(read)
        else:
            bad += _take(reader, some)
    try:
        reader.finish()
    except MALFORMED:
        bad += 1
    log.bad_lines, log.torn = bad, _json(whole[-1]) is None
    return log


def _take(reader: LogReader, lines: Iterable[bytes]) -> int:
    """Take in lines one by one; return how many are bad."""
    bad = 0
    for line in map(_json, lines):
        try:
            reader.take(line)
        except MALFORMED:
            bad += 1
    return bad


def _json(raw: bytes) -> Any:
    """Return what a line says, None if it is damaged."""
    try:
        text = raw.decode()
        if text.startswith("{"):
            line, end = _DECODER.raw_decode(text)  # quicker than ``json.loads``, which also looks for blanks
            if end == len(text):
                return line
        return json.loads(text)
    except MALFORMED:
        return None


def _first(lines: Iterable[bytes]) -> tuple[int, ProcessLog | None]:
    """Return the number of the first usable ``open`` line, and who writes the journal; None if there is none."""
    for number, line in enumerate(map(_json, lines)):
        try:
            if line["k"] == f.OPEN:
                return number, opened(line)
        except MALFORMED:
            continue
    return 0, None


def read_opening(lines: Iterable[bytes]) -> ProcessLog | None:
    """Read no more of a journal than who writes it; None if it has no usable ``open`` line."""
    return _first(lines)[1]


def read_checkpoints(lines: Iterable[bytes]) -> list[tuple[str | None, int]]:
    """Return the checkpoints among some lines of a journal: name and monotonic time."""
    found: list[tuple[str | None, int]] = []
    for line in map(_json, lines):
        try:
            if line["k"] == f.CHECKPOINT:
                found.append(checkpoint_of(line, time_ns(line["t"])))
        except MALFORMED:
            continue
    return found
