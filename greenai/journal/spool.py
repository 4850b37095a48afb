"""The spool: where runs live on disk, who owns a run, and which runs still have to be taken into the database."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.journal import format as f

if TYPE_CHECKING:
    from pathlib import Path

_NOT_WRITABLE = Text(
    de="Der Journalordner {path} ist nicht beschreibbar ({reason}).",
    en="The journal folder {path} cannot be written ({reason}).",
)
_CHOOSE_OTHER = Text(
    de="Einen anderen wählen: export GREENAI_SPOOL=/pfad/zum/ordner",
    en="Choose another: export GREENAI_SPOOL=/path/to/folder",
)


def new_run_id() -> str:
    """Return an id that sorts by time and is unique without anybody to ask: 12 hex digits of ms, 8 random."""
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(4).hex()}"


def create_run_folder(spool: Path, run_id: str) -> Path:
    """Make the folder of a new run.

    Raises:
        ConfigError: The spool cannot be written.
    """
    folder = spool / run_id
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise ConfigError(_NOT_WRITABLE.format(path=spool, reason=error.strerror), _CHOOSE_OTHER) from error
    return folder


def hold_run(folder: Path) -> int:
    """Become the owner of a run: lock its lock file until this process ends, however it ends.

    Returns:
        The file descriptor that holds the lock; keep it open. It is not inherited by executed programs.

    Raises:
        OSError: The lock is taken, or the file system has no locks.
    """
    import fcntl

    file = os.open(folder / f.OWNER_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def release_run(file: int) -> None:
    """Give up a run. Unlocked explicitly: a forked child holds the same lock by its copy of the descriptor."""
    import fcntl

    fcntl.flock(file, fcntl.LOCK_UN)
    os.close(file)


def is_held(folder: Path) -> bool:
    """Say whether a living process owns this run."""
    try:
        os.close(hold_run(folder))
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def unprocessed_runs(spool: Path) -> list[Path]:
    """Return the folders of runs whose journals changed since they were last taken in, oldest first."""
    try:
        folders = sorted(entry.path for entry in os.scandir(spool) if entry.is_dir())
    except OSError:
        return []
    return [spool / folder for folder in folders if _changed(spool / folder)]


def mark_ingested(folder: Path, newest_ns: int) -> None:
    """Remember that everything up to the file time ``newest_ns`` is in the database."""
    marker = folder / f.INGESTED
    marker.touch(mode=0o600)
    os.utime(marker, ns=(newest_ns, newest_ns))


def newest_journal_ns(folder: Path) -> int:
    """Return the file time of the newest journal of a run, 0 if it has none."""
    return max((path.stat().st_mtime_ns for path in folder.glob(f"*{f.SUFFIX}")), default=0)


def _changed(folder: Path) -> bool:
    try:
        newest_ns = newest_journal_ns(folder)
        marker = folder / f.INGESTED
        return newest_ns > 0 and (not marker.exists() or marker.stat().st_mtime_ns < newest_ns)
    except OSError:
        return False
