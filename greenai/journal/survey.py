"""What is known of a run's journals before their readings are: whose they are, how long, and their digest.

All of it comes from one look at every byte, file after file, so that the journals can then be read host by host.
What is written meanwhile is not part of it: they are read as far as they went.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.vocabulary import Role
from greenai.journal import format as f
from greenai.journal.files import open_regular
from greenai.journal.lines import read_checkpoints, read_opening, read_process
from greenai.journal.reader import read_each

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from greenai.core.events import ProcessLog, RunLog
    from greenai.journal.files import Fits
    from greenai.journal.reader import Part

_CHECKPOINT = b'"%s"' % f.CHECKPOINT.encode()


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal of one process.

    Attributes:
        parts: Its files in order, each with the length at which it was seen, bytes.
        fits: See ``survey_run``; asked again when they are opened again.
    """

    parts: tuple[tuple[Path, int], ...]
    fits: Fits | None = None

    @property
    def length(self) -> int:
        """How long it is, bytes."""
        return sum(length for _, length in self.parts)

    def read(self) -> ProcessLog | None:
        """Read it; None if it has no usable first line any more.

        Raises:
            OSError: A file cannot be read, or is none of the run any more.
        """
        lines: list[bytes] = []
        for path, length in self.parts:
            file = open_regular(path, self.fits)
            if file is None:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
            with file:
                lines += file.read(length).split(b"\n")
        return read_process(lines)


@dataclass(frozen=True, slots=True)
class Survey:
    """The journals of one run.

    Attributes:
        log: Of each process no more than who it is and when it saved its work. Of the collectors of a batch job
            only the first keeps its description: a thousand of them name a thousand nodes each.
        journals: The journal of each of these processes.
    """

    log: RunLog
    journals: tuple[Journal, ...]

    def by_host(self) -> dict[str, list[int]]:
        """Return the numbers of the journals of each host, hosts sorted."""
        found: dict[str, list[int]] = {}
        for number, process in enumerate(self.log.processes):
            found.setdefault(process.host, []).append(number)
        return dict(sorted(found.items()))


def survey_run(folder: Path, now_s: float | None = None, fits: Fits | None = None) -> Survey:
    """Look over all journals of a run.

    Args:
        folder: ``<spool>/<run id>``.
        now_s: Wall clock (seconds since the epoch) to tell how long the run has been silent.
        fits: Says of an open file whether it is one of this run; by default all are.

    Raises:
        OSError: The folder cannot be read.
    """
    found: list[Journal] = []
    first: ProcessLog | None = None  # of the collectors of a batch job

    def look(parts: Sequence[Part]) -> ProcessLog | None:
        nonlocal first
        process = read_opening(line for _, data in parts for line in _lines(data))
        if process is None:
            return None
        process.checkpoints = read_checkpoints(line for _, data in parts for line in _lines(data, _CHECKPOINT))
        found.append(Journal(tuple((path, len(data)) for path, data in parts), fits))
        if process.role is Role.NODE:
            if first is None or process.wall_ns < first.wall_ns:
                first, forgotten = process, first
            else:
                forgotten = process
            if forgotten is not None:
                forgotten.meta = {}
        return process

    return Survey(read_each(folder, look, now_s, fits), tuple(found))


def _lines(data: bytes, word: bytes = b"") -> Iterator[bytes]:
    """Return the lines that hold a word; nothing else of the data is copied."""
    begin = 0
    while (at := data.find(word, begin)) >= 0 and begin < len(data):
        start = data.rfind(b"\n", begin, at) + 1 or begin
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        yield data[start:end]
        begin = end + 1
