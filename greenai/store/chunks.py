"""Raw samples as compressed chunks: 3 to 6 bytes each instead of 37 to 84 (docs/decisions/0005-samples.md).

A chunk is one byte codec number, then zlib, whose checksum notices damage. Times (µs) and values (µJ or µW) are
kept as differences, little-endian, their bytes grouped by significance: those that hardly change stand together.

Codec 2, which is written: a header with the widths of both kinds of differences (``h``, ``i``, ``q``: 2, 4, 8
bytes, the least that holds all of them), whether there are gaps, first time, first value, and the unit of the
values' differences (their greatest common divisor: meters count in steps). Then the bitmap of gaps if there are
any, and both kinds of differences.
Codec 1, which is read: a bitmap of gaps, then times and values as differences from 0 of 8 bytes each.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from itertools import accumulate
from math import gcd
from operator import sub
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CHUNK_SAMPLES = 600
_CODEC_1, _CODEC_2 = 1, 2
_HEADER = struct.Struct("<cc?qqI")
_WIDTHS = {b"h": 2, b"i": 4, b"q": 8}
_LARGEST_UNIT = 2**32 - 1
_LIMIT = 2**62  # so that a difference of two values fits into int64

Sample = tuple[int, int | None]  # (epoch ns, µJ or µW; None is a gap)
_NS_PER_US = 1000
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of samples as the database keeps it; times are epoch milliseconds."""

    first_ms: int
    last_ms: int
    count: int
    data: bytes


def chunks(times_ns: Sequence[int], values: Sequence[int | None], zero_ns: int = 0) -> list[Chunk]:
    """Return the samples of a channel as chunks.

    Args:
        times_ns: When they were taken, in order.
        values: µJ or µW, one for each time; None is a gap.
        zero_ns: What is to be added to the times, nanoseconds.
    """
    found = []
    for start in range(0, len(times_ns), CHUNK_SAMPLES):
        stretch = slice(start, start + CHUNK_SAMPLES)
        part_ns = times_ns[stretch]
        first_ms, last_ms = ((zero_ns + t_ns) // _NS_PER_MS for t_ns in (part_ns[0], part_ns[-1]))
        found.append(Chunk(first_ms, last_ms, len(part_ns), encode(part_ns, values[stretch], zero_ns)))
    return found


def encode(times_ns: Sequence[int], values: Sequence[int | None], zero_ns: int = 0) -> bytes:
    """Compress a stretch of samples. Times are kept to the microsecond.

    A value of 2^62 or more (a sensor's sentinel) becomes a gap.

    Args:
        times_ns: When they were taken, in order.
        values: µJ or µW, one for each time; None is a gap.
        zero_ns: What is to be added to the times, nanoseconds.

    Raises:
        ValueError: A time is beyond int64.
    """
    gaps, filled = _without_gaps(values)
    times = [(zero_ns + t_ns) // _NS_PER_US for t_ns in times_ns]
    steps = list(map(sub, filled[1:], filled))
    unit = gcd(*steps)
    if 1 < unit <= _LARGEST_UNIT:
        steps = [step // unit for step in steps]
    else:
        unit = 1
    try:
        time_width, time_block = _pack(list(map(sub, times[1:], times)))
        width, block = _pack(steps)
        first = (times[0], filled[0]) if times else (0, 0)
        header = _HEADER.pack(time_width, width, any(gaps), *first, unit)
    except struct.error as error:
        raise ValueError(f"a time is none: {error}") from error
    bitmap = gaps if any(gaps) else b""
    return bytes([_CODEC_2]) + zlib.compress(header + bitmap + time_block + block, 6)


def decode(data: bytes, count: int) -> list[Sample]:
    """Undo ``encode``.

    Raises:
        ValueError: The chunk is damaged or of an unknown codec.
    """
    codec = data[0] if data else None
    if codec not in (_CODEC_1, _CODEC_2):
        raise ValueError(f"unknown chunk codec {data[:1]!r}")
    try:
        blocks = zlib.decompress(data[1:])
        gaps, times, values = (_blocks_1 if codec == _CODEC_1 else _blocks_2)(blocks, count)
    except (zlib.error, struct.error) as error:
        raise ValueError(f"damaged chunk: {error}") from error
    samples: list[Sample] = list(zip(map(_NS_PER_US.__mul__, times), values, strict=True))
    if any(gaps):
        for index in range(count):
            if gaps[index // 8] >> (index % 8) & 1:
                samples[index] = (samples[index][0], None)
    return samples


def _blocks_1(blocks: bytes, count: int) -> tuple[bytes, Iterable[int], Iterable[int]]:
    """Return bitmap of gaps, times (µs) and values."""
    bitmap, size = (count + 7) // 8, 8 * count
    _expect(blocks, bitmap + 2 * size, count)
    times = _unpack(b"q", blocks[bitmap : bitmap + size])
    return blocks[:bitmap], accumulate(times), accumulate(_unpack(b"q", blocks[bitmap + size :]))


def _blocks_2(blocks: bytes, count: int) -> tuple[bytes, Iterable[int], Iterable[int]]:
    """Return bitmap of gaps, times (µs) and values."""
    time_width, width, has_gaps, first_us, first, unit = _HEADER.unpack_from(blocks)
    if time_width not in _WIDTHS or width not in _WIDTHS:
        raise ValueError(f"damaged chunk: widths {time_width!r} and {width!r}")
    begin = _HEADER.size + ((count + 7) // 8 if has_gaps else 0)
    middle = begin + max(count - 1, 0) * _WIDTHS[time_width]
    _expect(blocks, middle + max(count - 1, 0) * _WIDTHS[width], count)
    steps: Iterable[int] = _unpack(width, blocks[middle:])
    if unit != 1:
        steps = map(unit.__mul__, steps)
    if not count:
        return b"", (), ()
    times = accumulate(_unpack(time_width, blocks[begin:middle]), initial=first_us)
    return blocks[_HEADER.size : begin], times, accumulate(steps, initial=first)


def _expect(blocks: bytes, size: int, count: int) -> None:
    if len(blocks) != size:
        raise ValueError(f"damaged chunk: {len(blocks)} bytes for {count} samples")


def _without_gaps(values: Sequence[int | None]) -> tuple[bytes, list[int]]:
    """Return a bitmap of gaps, and the values with the one before in place of each gap."""
    gaps = bytearray((len(values) + 7) // 8)
    known = [value for value in values if value is not None]
    if len(known) == len(values) and -_LIMIT < min(known, default=0) <= max(known, default=0) < _LIMIT:
        return bytes(gaps), known
    filled: list[int] = []
    last = next((value for value in known if -_LIMIT < value < _LIMIT), 0)
    for index, value in enumerate(values):
        if value is None or not -_LIMIT < value < _LIMIT:
            gaps[index // 8] |= 1 << (index % 8)
        else:
            last = value
        filled.append(last)
    return bytes(gaps), filled


def _pack(numbers: Sequence[int]) -> tuple[bytes, bytes]:
    """Return the least width that holds all numbers, and their bytes, grouped."""
    for code, width in _WIDTHS.items():
        try:
            plain = struct.pack(f"<{len(numbers)}{code.decode()}", *numbers)
        except struct.error:
            if width == max(_WIDTHS.values()):
                raise
        else:
            return code, b"".join([plain[significance::width] for significance in range(width)])
    raise AssertionError  # the widest has returned or raised


def _unpack(code: bytes, grouped: bytes) -> tuple[int, ...]:
    width = _WIDTHS[code]
    count = len(grouped) // width
    plain = bytearray(len(grouped))
    for significance in range(width):
        plain[significance::width] = grouped[significance * count : (significance + 1) * count]
    return struct.unpack(f"<{count}{code.decode()}", plain)
