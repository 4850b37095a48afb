"""The spool: where runs live on disk, who owns a run, and which runs still have to be taken into the database."""

from __future__ import annotations

import os
import time
from pathlib import Path

from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.host.files import make_folder, open_own
from greenai.journal import format as f

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


def second_spool(spool: Path) -> Path:
    """Return where journals go if a spool is full or gone: a folder of this user among the temporary files.

    Each spool has its own: what belongs to one project must not turn up in the database of another.
    """
    import hashlib  # local, as is the next: they take a while to load, and are seldom needed
    import tempfile

    which = hashlib.sha256(os.fsencode(spool)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"greenai-{os.getuid()}-{which}"


def is_own(spool: Path) -> bool:
    """Say whether a folder is this user's own; among the temporary files anybody may make one."""
    try:
        return spool.lstat().st_uid == os.getuid() and not spool.is_symlink()
    except OSError:
        return False


def create_run_folder(spool: Path, run_id: str) -> Path:
    """Make the folder of a new run.

    Raises:
        ConfigError: The spool cannot be written.
    """
    folder = spool / run_id
    try:
        make_folder(folder, exist_ok=False)
        _try_writing(folder)
    except OSError as error:
        raise ConfigError(_NOT_WRITABLE.format(path=spool, reason=error.strerror), _CHOOSE_OTHER) from error
    return folder


def _try_writing(folder: Path) -> None:
    """Write something: on a full disk a folder may still be made.

    Raises:
        OSError: It cannot be written.
    """
    probe = folder / "probe"
    try:
        probe.write_bytes(b"x")
    except OSError:
        probe.unlink(missing_ok=True)
        folder.rmdir()
        raise
    probe.unlink()


def open_lock(folder: Path, host_name: str) -> int:
    """Open the lock file of a run on one host, without taking the lock. Executed programs do not inherit it.

    Raises:
        OSError: The folder is gone or cannot be written.
    """
    path = folder / f"{host_name.replace('/', '_')}{f.LOCK_SUFFIX}"
    return open_own(path, os.O_RDWR)


def hold_run(folder: Path, host_name: str) -> int:
    """Become the process that samples a run on this host, until it ends, however it ends.

    Returns:
        The file descriptor that holds the lock; keep it open, and close it in forked children.

    Raises:
        OSError: The lock is taken, or the file system has no locks.
    """
    import fcntl

    file = open_lock(folder, host_name)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def wait_for_run(file: int) -> None:
    """Wait until the lock of an open lock file is ours.

    Raises:
        OSError: The file system has no locks.
    """
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX)


def release_run(file: int) -> None:
    """Give up a run. Unlocked explicitly: a forked child may hold the same lock by its copy of the descriptor."""
    import fcntl

    fcntl.flock(file, fcntl.LOCK_UN)
    os.close(file)


def is_held(folder: Path) -> bool:
    """Say whether a living process samples this run, on whatever host."""
    try:
        return any(_is_locked(path) for path in folder.glob(f"*{f.LOCK_SUFFIX}"))
    except OSError:
        return False


def is_abandoned(folder: Path) -> bool:
    """Say whether somebody sampled this run under a lock, and nobody does any more."""
    return any(folder.glob(f"*{f.LOCK_SUFFIX}")) and not is_held(folder)


def _is_locked(path: Path) -> bool:
    import fcntl

    try:
        file = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two that ask do not see each other
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(file)
    return False


def sync_run(folder: Path, host_name: str) -> None:
    """Make sure that what processes of this host wrote of a run survives a crash of the machine.

    Raises:
        OSError: It could not be written through.
    """
    for path in (folder, *folder.glob(f"{host_name.replace('/', '_')}-*{f.SUFFIX}")):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def unprocessed_runs(spool: Path) -> list[Path]:
    """Return the folders of runs whose journals changed since they were last taken in, oldest first."""
    try:
        folders = sorted(entry.path for entry in os.scandir(spool) if entry.is_dir() and entry.name[0] != ".")
    except OSError:
        return []
    return [spool / folder for folder in folders if not is_ingested(spool / folder)]


def mark_ingested(folder: Path, newest_ns: int) -> None:
    """Remember that everything up to the file time ``newest_ns`` is in the database."""
    marker = folder / f.INGESTED
    os.close(open_own(marker, os.O_WRONLY))
    os.utime(marker, ns=(newest_ns, newest_ns))


def newest_journal_ns(folder: Path) -> int:
    """Return the file time of the newest journal of a run, 0 if it has none."""
    return max((path.stat().st_mtime_ns for path in folder.glob(f"*{f.SUFFIX}")), default=0)


def is_ingested(folder: Path) -> bool:
    """Say whether everything that was written of a run is in the database, if anything was."""
    try:
        newest_ns = newest_journal_ns(folder)
        marker = folder / f.INGESTED
        return newest_ns == 0 or (marker.exists() and marker.stat().st_mtime_ns >= newest_ns)
    except OSError:
        return True
