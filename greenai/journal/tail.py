"""The last minutes of a run's journals, without reading the hours before them."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from greenai.core.events import RunLog
from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import Role
from greenai.journal import format as f
from greenai.journal.files import open_regular
from greenai.journal.lines import read_process

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.core.events import ProcessLog

MOST_BYTES = 4 * 1024 * 1024
"""No more than this is read of a file, however dense its lines: then the stretch is shorter."""

_FIRST_BYTES = 32 * 1024
_HEAD_BYTES = 256 * 1024  # of the first line; it names the channels and what the user said
_TIME = re.compile(rb'"t": ?(\d{1,19}),')


def read_tail(folder: Path, seconds: float, now_s: float | None = None, max_journals: int | None = None) -> RunLog:
    """Read the end of each journal of a run.

    Files that nobody has written to in the last ``seconds`` are left out, all but the owner's first line: it says
    what the run is. Windows and sums of such a log are those of its stretch only, and it has no digest.

    Args:
        folder: ``<spool>/<run id>``.
        seconds: How far back to read, from the last line of each file.
        now_s: Wall clock (seconds since the epoch) to tell how long the run has been silent.
        max_journals: Only the first so many of them.

    Raises:
        OSError: The folder cannot be read.
    """
    written_s = {path: path.stat().st_mtime for path in folder.glob(f"*{f.SUFFIX}") if path.is_file()}
    newest_s = max(written_s.values(), default=0.0)
    processes: list[ProcessLog] = []
    owner: ProcessLog | None = None
    # The owner's file has the shortest name: it is found before those of its parts.
    for path in sorted(written_s, key=lambda path: (len(path.name), path.name))[:max_journals]:
        fresh = written_s[path] >= newest_s - seconds
        if not fresh and owner is not None:
            continue
        process = read_process(_last_lines(path, seconds if fresh else 0.0))
        if process is not None and process.role is Role.OWNER:
            owner = owner or process
        if process is not None and (fresh or process is owner):
            processes.append(process)
    silent_s = max((time.time() if now_s is None else now_s) - newest_s, 0.0)
    return RunLog(folder.name, tuple(processes), sha256="", silent_s=silent_s)


def _last_lines(path: Path, seconds: float) -> list[bytes]:
    """Return the first line of a file and those of its last ``seconds``."""
    opened = open_regular(path)
    if opened is None:
        return []
    with opened as file:
        head = file.readline(_HEAD_BYTES)
        begin = file.tell()
        end = file.seek(0, os.SEEK_END)
        size = _FIRST_BYTES
        while True:
            start = max(end - size, begin)
            file.seek(start)
            lines = file.read(end - start).split(b"\n")
            if start > begin:
                del lines[0]  # cut at its beginning
            first = _first_since(lines, seconds)
            if first > 0 or start == begin or size >= MOST_BYTES:
                return [head, *lines[first:]]
            size *= 4


def _first_since(lines: list[bytes], seconds: float) -> int:
    """Return the index of the first line of the last ``seconds``; 0 if none is older."""
    oldest_ns = None
    for index in range(len(lines) - 1, -1, -1):
        found = _TIME.search(lines[index])
        if found is None:
            continue  # torn, or empty
        t_ns = int(found[1])
        if oldest_ns is None:
            oldest_ns = t_ns - int(seconds * NS_PER_S)
        if t_ns < oldest_ns:
            return index
    return 0
