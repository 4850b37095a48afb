"""Where a run lives: the run around this process, that of its group, or one of its own."""

from __future__ import annotations

import errno
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from greenai.core.collector import Incident
from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.core.vocabulary import Role
from greenai.host.files import OF_THE_MACHINE, make_folder, open_own
from greenai.journal.format import SUFFIX
from greenai.journal.spool import create_run_folder, hold_run, is_held, is_own, new_run_id, second_spool
from greenai.tracking.session.announcement import GROUPS, RUN_ID, children_file, is_own_run
from greenai.tracking.session.group import WORKERS, Group, launcher_group, sibling_group, worker_group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from greenai.settings import Settings

_ELSEWHERE = Text(
    de="Der Journalordner {path} ist nicht beschreibbar ({reason}); das Journal liegt in {other}.",
    en="The journal folder {path} cannot be written ({reason}); the journal is in {other}.",
)
_NOWHERE = Text(
    de="Ein Journal lässt sich nirgends anlegen ({reason}); der Lauf wird nicht gemessen.",
    en="A journal can be created nowhere ({reason}); the run is not measured.",
)

_NOTE_LASTS_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run lives, and what this process is in it.

    Attributes:
        folder: Its folder in the spool.
        role: OWNER of a run of its own, RANK of a group, or MEMBER.
        lock: File descriptor that makes this process the one that samples here; -1 if another one does.
        group: The group it is the run of.
        troubles: What must be said about it.
        writable: False if no journal can be written anywhere.
    """

    folder: Path
    role: Role
    lock: int = -1
    group: Group | None = None
    troubles: tuple[Incident, ...] = ()
    writable: bool = True


def find_place(settings: Settings, host_name: str, run_name: str, *, siblings: bool) -> Place:
    """Return the place of a run that begins now.

    Args:
        settings: The settings in force.
        host_name: This host.
        run_name: The run's name.
        siblings: Whether processes of the same parent share one run of this name.

    Raises:
        ConfigError: The settings name a spool that cannot be written.
    """
    around = running_run(settings)
    if around is not None:
        return Place(around, Role.MEMBER, _try_to_hold(around, host_name))
    group = launcher_group(os.environ) or worker_group() or (sibling_group() if siblings else None)
    if group is None:
        return _new(settings, host_name)
    if group.launcher == WORKERS:
        parents = _living(settings.spool, _read(children_file(settings.spool, group.key)))
        if parents is not None:
            return Place(parents, Role.MEMBER, _try_to_hold(parents, host_name))
    with _noted(settings.spool / GROUPS / group.file_name(run_name)) as note:
        theirs = _living(settings.spool, _read_open(note))
        if theirs is not None:
            return Place(theirs, Role.RANK, _try_to_hold(theirs, host_name), group)
        place = _new(settings, host_name)
        if note >= 0:
            with suppress(OSError):
                os.ftruncate(note, 0)
                os.pwrite(note, place.folder.name.encode(), 0)
                _sweep(settings.spool)
    return replace(place, group=group)


def running_run(settings: Settings) -> Path | None:
    """Return the folder of the living run that this process was started in (``GREENAI_RUN_ID``), if any.

    A batch job inherits the environment it was submitted from. It is no part of what was tracked there.
    """
    run_id = os.environ.get(RUN_ID, "")
    if is_own_run(run_id):
        return None  # another run of this very program, not one around it; or one that is ending
    folder = _living(settings.spool, run_id)
    return folder if folder is None or _is_of_this_job(folder) else None


def _is_of_this_job(folder: Path) -> bool:
    """Say whether a run was begun in the batch job that we are in, or like us outside of any; or nobody knows."""
    import json

    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with suppress(OSError, ValueError, KeyError, AttributeError), path.open("rb") as file:
            meta = json.loads(file.readline())["meta"]
            if meta:
                return (meta.get("slurm") or {}).get("job_id") == os.environ.get("SLURM_JOB_ID")
    return True


def _new(settings: Settings, host_name: str) -> Place:
    try:
        folder, troubles = create_run_folder(settings.spool, new_run_id()), ()
    except ConfigError as error:
        cause = error.__cause__
        if not isinstance(cause, OSError) or cause.errno not in OF_THE_MACHINE:
            raise
        return _elsewhere(settings, host_name, cause)
    return Place(folder, Role.OWNER, _try_to_hold(folder, host_name), troubles=troubles)


def _elsewhere(settings: Settings, host_name: str, reason: OSError) -> Place:
    """Return a place for a run whose spool is full or gone: a job must not wait for that."""
    try:
        spool = second_spool(settings.spool)
        make_folder(spool)
        if not is_own(spool):
            raise PermissionError(errno.EPERM, "not ours", str(spool))
        folder = create_run_folder(spool, new_run_id())
    except (OSError, ConfigError):
        trouble = Incident("journal_nowhere", _NOWHERE.format(reason=reason.strerror))
        return Place(settings.spool / new_run_id(), Role.OWNER, troubles=(trouble,), writable=False)
    message = _ELSEWHERE.format(path=settings.spool, reason=reason.strerror, other=folder)
    return Place(
        folder, Role.OWNER, _try_to_hold(folder, host_name), troubles=(Incident("journal_elsewhere", message),)
    )


def _try_to_hold(folder: Path, host_name: str) -> int:
    try:
        return hold_run(folder, host_name)
    except OSError:
        return -1


def _living(spool: Path, run_id: str) -> Path | None:
    if run_id in ("", "..") or Path(run_id).name != run_id:
        return None
    folder = spool / run_id
    return folder if folder.is_dir() and is_held(folder) else None


@contextmanager
def _noted(path: Path) -> Iterator[int]:
    """Open the note of a group for this process alone; -1 where that cannot be: then each is on its own."""
    import fcntl

    try:
        make_folder(path.parent)
        file = open_own(path, os.O_RDWR)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        file = -1
    try:
        yield file
    finally:
        if file >= 0:
            os.close(file)


def _sweep(spool: Path) -> None:
    """Remove old notes of groups whose run is over."""
    for path in (spool / GROUPS).iterdir():
        if time.time() - path.stat().st_mtime > _NOTE_LASTS_S and _living(spool, _read(path)) is None:
            path.unlink()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _read_open(file: int) -> str:
    try:
        return os.pread(file, 200, 0).decode(errors="replace") if file >= 0 else ""
    except OSError:
        return ""
