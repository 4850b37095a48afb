"""Condensing the journals of a service: what is over is written down by the minute, its readings are removed.

An hour is committed by one line in a file of its own, made safe by fsync. What is removed afterwards is garbage:
the reader does not need it any more, whether it is still there or not. So a kill at any moment costs nothing, and
doing it again does no harm.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from greenai.core.condensed import MARGIN_NS
from greenai.core.vocabulary import Role
from greenai.journal import format as f
from greenai.journal.reader import journals
from greenai.journal.spool import newest_journal_ns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from greenai.core.condensed import CondensedHour
    from greenai.core.events import ProcessLog, RunLog

_MODE = 0o600
_READINGS = frozenset({f.TICK, f.REQUESTS, f.SHARES})


def condense(folder: Path, log: RunLog, over: Mapping[str, Sequence[CondensedHour]]) -> bool:
    """Write down the hours that are over, and remove their readings from journals that are not written any more.

    Another process that does the same is left alone. A folder that cannot be written stays as it is.

    Args:
        folder: The run's folder.
        log: What its journals say.
        over: By host, see ``greenai.core.account``.

    Returns:
        Whether anything changed.
    """
    changed = False
    newest_ns = newest_journal_ns(folder)
    for host, hours in over.items():
        if not hours:
            continue
        here = [process for process in log.processes if process.host == host]
        path = folder / f"{host.replace('/', '_')}-{f.HOURS}{f.SUFFIX}"
        with suppress(OSError), path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(file.fileno(), _MODE)
            changed |= _commit(path, file.fileno(), here, hours)
            os.utime(path, ns=(newest_ns, newest_ns))  # nothing was measured now
            changed |= _remove_readings(folder, host, hours[-1].t1_ns - MARGIN_NS)
    return changed


def _commit(path: Path, file: int, here: Sequence[ProcessLog], hours: Sequence[CondensedHour]) -> bool:
    """Write down those hours that are not yet; say whether there were any.

    Raises:
        OSError: They cannot be written.
    """
    known = {line.get("t0_ns") for line in map(_parsed, path.read_bytes().split(b"\n")) if line}
    lines = [{"k": f.HOUR, **hour.to_json()} for hour in hours if hour.t0_ns not in known]
    if not known:
        lines = [_first_line(here[0]), {"k": f.CLOSE, "t": here[0].mono_ns}, *lines]
    # A torn line of somebody who was killed ends here.
    torn = path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    data = b"\n" * torn + b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
    if lines and os.write(file, data) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(file)
    return bool(lines)


def _first_line(process: ProcessLog) -> dict[str, Any]:
    return {
        "k": f.OPEN,
        "t": process.mono_ns,
        "wall_ns": process.wall_ns,
        "pid": 0,
        "version": f.VERSION,
        "role": Role.MEMBER.value,
        "host": process.host,
        "interval_s": process.interval_s,
        "channels": [],
        "meta": {},
    }


def _remove_readings(folder: Path, host: str, until_ns: int) -> bool:
    """Remove what was read before a time from the parts of journals that others have followed.

    The last sums of a meter stay: what came after is counted from there.

    Raises:
        OSError: A file cannot be replaced.
    """
    changed = False
    for parts in journals(folder):
        stripped = [_Stripped(path, until_ns) for path in parts[:-1]]
        if not stripped or stripped[0].host != host:
            continue
        last_sums = next((part for part in reversed(stripped) if part.sums), None)
        for number, part in enumerate(stripped):
            changed |= part.save(keep_sums=part is last_sums, keep_ends=number == 0)
    return changed


class _Stripped:
    """A part of a journal without what was read before a time."""

    def __init__(self, path: Path, until_ns: int) -> None:
        self._path = path
        self._before = path.read_bytes().split(b"\n")
        self._kept: list[bytes] = []
        self._only_ends = True
        self.sums: bytes | None = None
        self.host: Any = None
        for raw in self._before:
            line = _parsed(raw)
            kind = line.get("k")
            self.host = self.host or line.get("host")
            if kind in _READINGS and line.get("t", until_ns) < until_ns:
                self.sums = raw if kind == f.REQUESTS else self.sums
            else:
                self._kept.append(raw)
                self._only_ends = self._only_ends and (not raw or kind in (f.OPEN, f.CLOSE))

    def save(self, *, keep_sums: bool, keep_ends: bool) -> bool:
        """Replace the file if anything is to be removed; say whether that was so.

        Args:
            keep_sums: Whether the last sums stay.
            keep_ends: Whether the file stays if nothing but its first and last line is left.
        """
        sums = [self.sums] if keep_sums and self.sums else []
        if self._only_ends and not sums and not keep_ends:
            self._path.unlink()
            return True
        lines = [*self._kept[:1], *sums, *self._kept[1:]]
        if lines == self._before:
            return False
        new = self._path.with_suffix(".new")
        with new.open("wb") as file:
            os.fchmod(file.fileno(), _MODE)
            file.write(b"\n".join(lines))
            file.flush()
            os.fsync(file.fileno())
        file_time_ns = self._path.stat().st_mtime_ns
        os.utime(new, ns=(file_time_ns, file_time_ns))  # nothing was measured now
        new.replace(self._path)
        return True


def _parsed(raw: bytes) -> dict[str, Any]:
    """Return a line of a journal; nothing if it is damaged."""
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return line if isinstance(line, dict) else {}
