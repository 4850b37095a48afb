"""How often a run that goes on is taken in: not before ten times as long as the last time took.

A marker in the run's folder says when it is due (its file time) and which journals had ended (its content): when a
process ends, or all fall silent, the run is due at once.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from greenai.core.course import SILENCE_S
from greenai.core.units import NS_PER_S
from greenai.journal import format as f
from greenai.journal.files import open_regular
from greenai.journal.spool import newest_journal_ns

if TYPE_CHECKING:
    from pathlib import Path

_MARKER = "running"
_PATIENCE = 10
_LONGEST_NS = 600 * NS_PER_S
_LAST_LINES = (b'{"k":"%s"' % f.STOP.encode(), b'{"k":"%s"' % f.CLOSE.encode())
_TAIL_BYTES = 4096


def is_due(folder: Path) -> bool:
    """Say whether a run is to be taken in.

    Raises:
        OSError: The folder cannot be read.
    """
    marker = folder / _MARKER
    file = open_regular(marker)
    if file is None:
        return True
    with file:
        ended, due_ns = file.read(), os.fstat(file.fileno()).st_mtime_ns
    wait_ns = due_ns - time.time_ns()
    silent_ns = time.time_ns() - newest_journal_ns(folder)
    # A wait longer than the longest: somebody set the clock back.
    waits = 0 < wait_ns <= _LONGEST_NS and silent_ns <= SILENCE_S * NS_PER_S
    return not waits or ended != _ended(folder)


def goes_on(folder: Path, took_s: float) -> None:
    """Remember that a run was taken in while it went on, and how long that took (seconds)."""
    marker = folder / _MARKER
    due_ns = time.time_ns() + min(int(_PATIENCE * took_s * NS_PER_S), _LONGEST_NS)
    with suppress(OSError):  # somebody else's spool, a full disk: then it is taken in each time
        marker.write_bytes(_ended(folder))
        os.utime(marker, ns=(due_ns, due_ns))


def is_over(folder: Path) -> None:
    """Forget when the run is due."""
    (folder / _MARKER).unlink(missing_ok=True)


def _ended(folder: Path) -> bytes:
    """Return the names of the journals whose process has ended, one a line."""
    return b"\n".join(os.fsencode(path.name) for path in sorted(folder.glob(f"*{f.SUFFIX}")) if _has_ended(path))


def _has_ended(path: Path) -> bool:
    file = open_regular(path)
    if file is None:
        return False
    with file:
        file.seek(max(os.fstat(file.fileno()).st_size - _TAIL_BYTES, 0))
        tail = file.read(_TAIL_BYTES)
    return any(line in tail for line in _LAST_LINES)
