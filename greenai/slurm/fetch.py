"""A job's journals out of another spool into ours: whose they are is kept, and no link of anybody's is followed.

Root copies into folders of users, who may change them at any time. So it opens the folder once, makes new files in
what it has opened, and gives them to their owner.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.collector import Incident
from greenai.core.text import Text
from greenai.host.files import make_folder
from greenai.ingest.owner import NOT_COUNTED, name_files, owner_of
from greenai.journal.files import open_regular

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import BinaryIO

    from greenai.ingest.owner import Owner
    from greenai.slurm.claims import JobUser

NOT_COPIED = "journals_not_copied"
_MOST_BYTES = 1 << 30  # as the service's copy, docs/hpc.md
_AT_ONCE = 1 << 18
_OUR_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

_LEFT_OUT = Text(
    de="{count} Journale in {folder} gehören nicht {user}; sie wurden nicht kopiert: {names}.",
    en="{count} journals in {folder} are not {user}'s; they were not copied: {names}.",
)
_TAKEN = Text(
    de="{folder} wurde nicht kopiert: {target} gehört jemand anderem.",
    en="{folder} was not copied: {target} is somebody else's.",
)


_NOT_READ = Text(
    de="{count} Journale in {folder} ließen sich nicht kopieren: {names}.",
    en="{count} journals in {folder} could not be copied: {names}.",
)
_RUN_NOT_READ = Text(
    de="{folder} wurde nicht kopiert: {reason}.",
    en="{folder} was not copied: {reason}.",
)
_MOST_NAMES = 5


class _Failed(NamedTuple):
    """A journal that could not be copied."""

    name: str
    reason: str


def fetch(runs: Sequence[Path], spool: Path, suffix: str, user: JobUser) -> list[Incident]:
    """Copy the journals of a job's runs that we do not have, or have less of; return what was left out.

    What is wrong with one run, or one journal, keeps no other from being copied: they are users', to whom anything
    may happen.

    Args:
        runs: Their folders.
        spool: Ours.
        suffix: How a journal's name ends.
        user: Whose the job is.

    Raises:
        OSError: Our spool cannot be written.
    """
    said: list[Incident] = []
    if runs:
        make_folder(spool)
    for run in runs:
        try:
            owner = owner_of(run)
            why = user.refusal(str(run), owner, user.names()) if owner is not None else None
            journals = sorted(run.glob(f"*{suffix}"))
            said += [why] if why is not None else _copy(run, spool / run.name, journals, owner)
        except OSError as error:
            if _is_ours(error, spool):
                raise
            reason = error.strerror or str(error)
            said.append(Incident(NOT_COPIED, _RUN_NOT_READ.format(folder=run, reason=reason)))
    return said


def _is_ours(error: OSError, spool: Path) -> bool:
    """Say whether it is our spool that cannot be written; then no other run would fare better."""
    return error.errno in _OUR_DISK or not os.access(spool, os.W_OK | os.X_OK)


def _copy(run: Path, target: Path, journals: list[Path], owner: Owner | None) -> list[Incident]:
    try:
        is_new = make_folder(target)
        folder = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileExistsError, NotADirectoryError):  # a link, or a file
        return [Incident(NOT_COUNTED, _TAKEN.format(folder=run, target=target))]
    strange: list[Path] = []
    failed: list[_Failed] = []
    try:
        whose = owner.number if owner is not None and os.geteuid() == 0 else os.geteuid()
        # Another may lie in place of what we have made.
        if is_new and os.fstat(folder).st_uid == os.geteuid():
            os.fchown(folder, whose, -1)
        if os.fstat(folder).st_uid != whose:
            return [Incident(NOT_COUNTED, _TAKEN.format(folder=run, target=target))]
        for path in journals:
            try:
                if not _copy_journal(path, folder, owner):
                    strange.append(path)
            except OSError as error:
                if error.errno in _OUR_DISK:
                    raise
                failed.append(_Failed(path.name, error.strerror or str(error)))
    finally:
        os.close(folder)
    said: list[Incident] = []
    if owner is not None and strange:
        names = name_files(strange)
        message = _LEFT_OUT.format(count=len(strange), folder=run, user=owner.label, names=names)
        said.append(Incident(NOT_COUNTED, message))
    if failed:
        names = ", ".join(f"{name} ({reason})" for name, reason in failed[:_MOST_NAMES])
        names += ", ..." if len(failed) > _MOST_NAMES else ""
        said.append(Incident(NOT_COPIED, _NOT_READ.format(count=len(failed), folder=run, names=names)))
    return said


def _copy_journal(path: Path, folder: int, owner: Owner | None) -> bool:
    """Copy a journal into an opened folder, if ours is shorter; False if it is not the owner's, or no file.

    Raises:
        OSError: It cannot be read, is too long, or not be written.
    """
    file = open_regular(path, owner.has_written if owner is not None else None)
    if file is None:
        return False
    with file:
        found = os.fstat(file.fileno())
        if found.st_size > _MOST_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        with suppress(FileNotFoundError):
            ours = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(ours.st_mode) and ours.st_size >= found.st_size:
                return True
        unfinished = f".{path.name}.part"
        with suppress(FileNotFoundError):
            os.unlink(unfinished, dir_fd=folder)
        # A new file, whatever a link of this name points to.
        made = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            with open(made, "wb") as copy:  # noqa: PTH123  # it is open
                _copy_bytes(file, copy, found.st_size)
                if owner is not None and os.geteuid() == 0:
                    os.fchown(made, found.st_uid, found.st_gid)
            os.replace(unfinished, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            with suppress(OSError):
                os.unlink(unfinished, dir_fd=folder)
            raise
    return True


def _copy_bytes(source: BinaryIO, copy: BinaryIO, length: int) -> None:
    """Copy what there is of a file at first, however it grows meanwhile; its holes stay holes.

    Raises:
        OSError: It cannot be read, or the copy not be written.
    """
    nothing = bytes(_AT_ONCE)
    left = length
    while left and (data := source.read(min(left, _AT_ONCE))):
        left -= len(data)
        if data == nothing[: len(data)]:
            copy.seek(len(data), os.SEEK_CUR)
        else:
            copy.write(data)
    copy.truncate(length - left)
