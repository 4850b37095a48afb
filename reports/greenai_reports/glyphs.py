"""Which characters a font can draw. A PDF/A must not contain a character without a glyph."""

from __future__ import annotations

import struct
from functools import cache
from pathlib import Path

FONTS = Path(__file__).parent / "fonts"
REPLACEMENT = "\ufffd"
_WINDOWS_FULL = (3, 10)  # platform and encoding of the subtables to read
_WINDOWS_BMP = (3, 1)


@cache
def drawable() -> frozenset[str]:
    """Return the characters that every vendored font can draw."""
    sets = [characters(path.read_bytes()) for path in sorted(FONTS.glob("*.ttf"))]
    return frozenset.intersection(*sets)


def characters(font: bytes) -> frozenset[str]:
    """Read the character map of a TrueType font.

    Only segment maps (format 4) are read, which every TrueType font for the basic plane has.

    Args:
        font: The content of the font file.
    """
    start = _table(font, b"cmap")
    (count,) = struct.unpack_from(">H", font, start + 2)
    found: set[str] = set()
    for index in range(count):
        platform, encoding, offset = struct.unpack_from(">HHI", font, start + 4 + 8 * index)
        (form,) = struct.unpack_from(">H", font, start + offset)
        if (platform, encoding) in (_WINDOWS_BMP, _WINDOWS_FULL) and form == 4:  # noqa: PLR2004
            found |= _segments(font, start + offset)
    return frozenset(found)


def _table(font: bytes, tag: bytes) -> int:
    (count,) = struct.unpack_from(">H", font, 4)
    offsets = {
        font[at : at + 4]: struct.unpack_from(">I", font, at + 8)[0] for at in range(12, 12 + 16 * count, 16)
    }
    return int(offsets[tag])


def _segments(font: bytes, at: int) -> set[str]:
    (twice,) = struct.unpack_from(">H", font, at + 6)
    count = twice // 2
    ends = struct.unpack_from(f">{count}H", font, at + 14)
    starts = struct.unpack_from(f">{count}H", font, at + 16 + twice)
    deltas = struct.unpack_from(f">{count}H", font, at + 16 + 2 * twice)
    ranges_at = at + 16 + 3 * twice
    ranges = struct.unpack_from(f">{count}H", font, ranges_at)
    found = set()
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        for code in range(start, min(end, 0xFFFE) + 1):
            if ranges[index] == 0:
                glyph = (code + deltas[index]) & 0xFFFF
            else:
                where = ranges_at + 2 * index + ranges[index] + 2 * (code - start)
                (glyph,) = struct.unpack_from(">H", font, where)
            if glyph:
                found.add(chr(code))
    return found
