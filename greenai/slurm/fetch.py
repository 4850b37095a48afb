"""A job's journals out of another spool into ours: whose they are is kept, and no link of anybody's is followed.

Root copies into folders of users, who may change them at any time. So it opens the folder once, makes new files in
what it has opened, and gives them to their owner.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from greenai.core.collector import Incident
from greenai.core.text import Text
from greenai.host.files import make_folder
from greenai.ingest.owner import NOT_COUNTED, name_files, owner_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from greenai.ingest.owner import Owner
    from greenai.slurm.claims import JobUser

_LEFT_OUT = Text(
    de="{count} Journale in {folder} gehören nicht {user}; sie wurden nicht kopiert: {names}.",
    en="{count} journals in {folder} are not {user}'s; they were not copied: {names}.",
)
_TAKEN = Text(
    de="{folder} wurde nicht kopiert: {target} gehört jemand anderem.",
    en="{folder} was not copied: {target} is somebody else's.",
)


def fetch(runs: Iterable[Path], spool: Path, suffix: str, user: JobUser) -> list[Incident]:
    """Copy the journals of a job's runs that we do not have, or have less of; return what was left out.

    Args:
        runs: Their folders.
        spool: Ours.
        suffix: How a journal's name ends.
        user: Whose the job is.

    Raises:
        OSError: A journal cannot be read, or ours not be written.
    """
    said: list[Incident] = []
    for run in runs:
        owner = owner_of(run)
        why = user.refusal(str(run), owner.name, user.names()) if owner is not None else None
        if why is None:
            why = _copy(run, spool / run.name, sorted(run.glob(f"*{suffix}")), owner)
        said += [why] if why is not None else []
    return said


def _copy(run: Path, target: Path, journals: list[Path], owner: Owner | None) -> Incident | None:
    taken = Incident(NOT_COUNTED, _TAKEN.format(folder=run, target=target))
    is_new = not target.exists()
    try:
        make_folder(target)
        folder = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileExistsError, NotADirectoryError):  # a link, or a file
        return taken
    try:
        whose = owner.number if owner is not None and os.geteuid() == 0 else os.geteuid()
        if is_new:
            os.fchown(folder, whose, -1)
        if os.fstat(folder).st_uid != whose:
            return taken
        strange = [path for path in journals if not _copy_journal(path, folder, owner)]
    finally:
        os.close(folder)
    if owner is None or not strange:
        return None
    names = name_files(strange)
    return Incident(NOT_COUNTED, _LEFT_OUT.format(count=len(strange), folder=run, user=owner.name, names=names))


def _copy_journal(path: Path, folder: int, owner: Owner | None) -> bool:
    """Copy a journal into an opened folder, if ours is shorter; False if it is not the owner's, or no file."""
    follow = os.O_NOFOLLOW if owner is not None else 0
    try:
        source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | follow)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise
    with open(source, "rb") as file:  # noqa: PTH123  # it is open
        found = os.fstat(source)
        if not stat.S_ISREG(found.st_mode) or (owner is not None and not owner.has_written(found)):
            return False
        with suppress(FileNotFoundError):
            if os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_size >= found.st_size:
                return True
        unfinished = f".{path.name}.part"
        with suppress(FileNotFoundError):
            os.unlink(unfinished, dir_fd=folder)
        # A new file, whatever a link of this name points to.
        made = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
        with open(made, "wb") as copy:  # noqa: PTH123  # it is open
            shutil.copyfileobj(file, copy)
            if owner is not None and os.geteuid() == 0:
                os.fchown(made, found.st_uid, found.st_gid)
        os.replace(unfinished, path.name, src_dir_fd=folder, dst_dir_fd=folder)
    return True
