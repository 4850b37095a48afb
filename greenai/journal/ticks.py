"""Ticks as ``JournalWriter`` writes them, many at once: nearly all lines of a journal are such.

Without its digits, each tick of a process is the same. So a look at what is left tells where the numbers are, and
all of them are read as one list. A line that differs in anything else is none of these, and is read on its own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from greenai.journal import format as f

if TYPE_CHECKING:
    from collections.abc import Sequence

_NUMERIC: Final = b"-0123456789"
_NO_LIST: Final = bytes(set(range(256)) - set(_NUMERIC + b","))
# What stands around the numbers of a tick: time, offsets of the readings, their values, number of the line.
_WORDS: Final = (b'\n{"k":"%s","t":' % f.TICK.encode(), b',"d":[', b'],"v":[', b'],"seq":', b"}\n")


class Ticks(NamedTuple):
    """The numbers of some ticks.

    Attributes:
        times_ns: Of each tick, monotonic.
        offsets_ns: By channel, from the time of each tick to the reading.
        values: By channel, what it said: µJ or µW.
    """

    times_ns: Sequence[int]
    offsets_ns: Sequence[Sequence[int]]
    values: Sequence[Sequence[int]]


class TickReader:
    """Reads the ticks of a process.

    Args:
        channels: How many it has; each has a number in a tick of this kind.
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels
        commas = b"," * (channels - 1)
        begin, before_offsets, before_values, after, end = _WORDS
        # The line break of a tick is the one before it.
        self._shape = (begin + before_offsets + commas + before_values + commas + after + end)[:-1]

    def read(self, lines: Sequence[bytes]) -> Ticks | None:
        """Read some lines; None if one of them is no such tick."""
        text = b"\n%s\n" % b"\n".join(lines)
        if text.translate(None, _NUMERIC) != self._shape * len(lines) + b"\n":
            return None
        if any(text.count(word) != len(lines) for word in _WORDS):
            return None  # digits inside a word, or beside the line
        try:
            numbers = json.loads(b"[" + text.translate(None, _NO_LIST)[1:] + b"]")
        except ValueError:  # a number is missing, or is none
            return None
        length = 2 * self._channels + 2
        if len(numbers) != length * len(lines):
            return None
        times_ns, *columns = (numbers[column::length] for column in range(length - 1))
        offsets_ns = columns[: self._channels]
        if min(times_ns) + min(0, *map(min, offsets_ns)) < 0:
            return None  # perhaps a time that is none
        if max(times_ns) + max(0, *map(max, offsets_ns)) > f.LAST_NS:
            return None
        return Ticks(times_ns, offsets_ns, columns[self._channels :])
