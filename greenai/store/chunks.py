"""Raw samples as compressed chunks: 3 to 6 bytes each instead of 37 to 84 (docs/decisions/0005-samples.md).

Layout of a chunk, codec 1: one byte codec number, then zlib over three blocks: a bitmap of gaps, the times (µs)
and the values (µJ or µW) as differences; the numbers little-endian int64, their bytes
grouped by significance so that the many zero bytes stand together.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from itertools import accumulate
from operator import sub
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK_SAMPLES = 600
_CODEC = 1
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
    try:
        blocks = gaps + _pack(_differences(times)) + _pack(_differences(filled))
    except struct.error as error:
        raise ValueError(f"a time is none: {error}") from error
    return bytes([_CODEC]) + zlib.compress(blocks, 6)


def decode(data: bytes, count: int) -> list[Sample]:
    """Undo ``encode``.

    Raises:
        ValueError: The chunk is damaged or of an unknown codec.
    """
    if not data or data[0] != _CODEC:
        raise ValueError(f"unknown chunk codec {data[:1]!r}")
    try:
        blocks = zlib.decompress(data[1:])
        bitmap = (count + 7) // 8
        size = 8 * count
        if len(blocks) != bitmap + 2 * size:
            raise ValueError(f"damaged chunk: {len(blocks)} bytes for {count} samples")
        gaps, times, values = blocks[:bitmap], blocks[bitmap : bitmap + size], blocks[bitmap + size :]
        t_us = list(accumulate(_unpack(times, count)))
        filled = list(accumulate(_unpack(values, count)))
    except (zlib.error, struct.error) as error:
        raise ValueError(f"damaged chunk: {error}") from error
    return [
        (t_us[index] * _NS_PER_US, None if gaps[index // 8] >> (index % 8) & 1 else filled[index])
        for index in range(count)
    ]


def _without_gaps(values: Sequence[int | None]) -> tuple[bytes, list[int]]:
    """Return a bitmap of gaps, and the values with the one before in place of each gap."""
    gaps = bytearray((len(values) + 7) // 8)
    known = [value for value in values if value is not None]
    if len(known) == len(values) and -_LIMIT < min(known, default=0) <= max(known, default=0) < _LIMIT:
        return bytes(gaps), known
    filled: list[int] = []
    last = 0
    for index, value in enumerate(values):
        if value is None or not -_LIMIT < value < _LIMIT:
            gaps[index // 8] |= 1 << (index % 8)
        else:
            last = value
        filled.append(last)
    return bytes(gaps), filled


def _differences(numbers: Sequence[int]) -> list[int]:
    return [*numbers[:1], *map(sub, numbers[1:], numbers)]


def _pack(numbers: Sequence[int]) -> bytes:
    plain = struct.pack(f"<{len(numbers)}q", *numbers)
    return b"".join(plain[significance::8] for significance in range(8))


def _unpack(shuffled: bytes, count: int) -> tuple[int, ...]:
    plain = bytearray(8 * count)
    for significance in range(8):
        plain[significance::8] = shuffled[significance * count : (significance + 1) * count]
    return struct.unpack(f"<{count}q", plain)
