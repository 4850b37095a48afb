"""Reading the journals of a run, file by file."""

from __future__ import annotations

import hashlib
import os
import time
from math import inf
from typing import TYPE_CHECKING

from greenai.core.events import RunLog
from greenai.journal import format as f
from greenai.journal.files import open_regular
from greenai.journal.lines import read_process
from greenai.journal.spool import is_abandoned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from greenai.core.events import ProcessLog
    from greenai.journal.files import Fits

Part = tuple["Path", bytes]
"""A file of a journal, and what it holds."""


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

    def read(parts: Sequence[Part]) -> ProcessLog | None:
        return read_process([line for _, data in parts for line in data.split(b"\n")], apart_ns)

    return read_each(folder, read, now_s)


def read_each(
    folder: Path,
    read: Callable[[Sequence[Part]], ProcessLog | None],
    now_s: float | None = None,
    fits: Fits | None = None,
) -> RunLog:
    """Read all journals of a run, one after the other.

    Args:
        folder: ``<spool>/<run id>``.
        read: Reads one, from its parts; None if it has no usable ``open`` line.
        now_s: See ``read_run``.
        fits: Says of an open file whether it is one of this run; by default all are.

    Raises:
        OSError: The folder cannot be read.
    """
    digest = hashlib.sha256()
    processes: list[ProcessLog] = []
    unreadable = 0
    last_write_s = 0.0
    for paths in journals(folder):
        parts: list[Part] = []
        for path in paths:
            file = open_regular(path, fits)
            if file is None:
                continue
            with file:
                data = file.read()
                last_write_s = max(last_write_s, os.fstat(file.fileno()).st_mtime)
            digest.update(path.name.encode() + b"\0")
            digest.update(data)
            parts.append((path, data))
        if not parts:
            continue
        process = read(parts)
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
    """Return the journal files of a run."""
    return [path for path in folder.glob(f"*{f.SUFFIX}") if path.is_file()]


def journals(folder: Path) -> list[list[Path]]:
    """Return the journals of a run, sorted by name, each with its parts in order (``JournalWriter.rotate``).

    Args:
        folder: ``<spool>/<run id>``.

    Raises:
        OSError: The folder cannot be read.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(_files(folder), key=lambda path: path.stem):
        found.setdefault(path.stem.partition(f.PART_MARK)[0], []).append(path)
    return list(found.values())
