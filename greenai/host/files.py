"""Where we are, and what kind of file system a path lies on."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

_NETWORK = ("nfs", "nfs4", "lustre", "gpfs", "beegfs", "cifs", "smb3", "ceph", "fuse.sshfs", "afs", "9p", "panfs")

# What is wrong with the machine, not with the settings: no reason to keep a job from running.
OF_THE_MACHINE = frozenset(
    {
        errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENOTCONN,
        errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.EFBIG, errno.ENOMEM,
    }
)  # fmt: skip
_OURS_TO_USE = 0o700


class NotAFileError(OSError):
    """What a path names is a folder, a pipe or a device."""


def make_folder(path: Path, *, exist_ok: bool = True) -> bool:
    """Make a folder for this user alone, and its parents; whatever the umask says, they can be used.

    Returns:
        Whether we have made it; one that was there is left as it is.

    Raises:
        OSError: It cannot be made, or is no folder.
    """
    if not path.parent.exists():
        make_folder(path.parent)
    try:
        path.mkdir(mode=_OURS_TO_USE)
    except FileExistsError:
        if not exist_ok or not path.is_dir():
            raise
        return False
    if path.lstat().st_mode & _OURS_TO_USE != _OURS_TO_USE:
        _make_usable(path)
    return True


def _make_usable(path: Path) -> None:
    """Take back from a new folder of ours what an odd umask did; what has come in its place is left alone.

    Raises:
        OSError: It is gone, or no folder any more.
    """
    if not hasattr(os, "O_PATH"):  # not Linux
        path.chmod(_OURS_TO_USE, follow_symlinks=False)
        return
    folder = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(folder).st_uid == os.geteuid():
            os.chmod(f"/proc/self/fd/{folder}", _OURS_TO_USE)  # noqa: PTH101  # it is open
    finally:
        os.close(folder)


def open_regular(path: Path, *, follow: bool = True) -> BinaryIO:
    """Open a file to read it: one that others may have put there, and so no pipe, on which we would wait for ever.

    Args:
        path: The file.
        follow: Whether it may be a link.

    Raises:
        NotAFileError: It is no file.
        OSError: It cannot be opened.
    """
    no_links = 0 if follow else os.O_NOFOLLOW
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | no_links)
    if stat.S_ISREG(os.fstat(number).st_mode):
        return open(number, "rb")  # noqa: PTH123  # it is open
    os.close(number)
    raise NotAFileError(errno.EINVAL, os.strerror(errno.EINVAL), str(path))


def open_own(path: Path, flags: int) -> int:
    """Open a file, made for this user alone if there is none; executed programs do not inherit it.

    Raises:
        OSError: It cannot be opened.
    """
    file = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if os.fstat(file).st_mode & 0o600 != 0o600:  # noqa: PLR2004  # an odd umask
        with suppress(OSError):
            os.fchmod(file, 0o600)
    return file


def working_folder() -> Path:
    """Return the working directory; the root if somebody has removed it under us."""
    try:
        return Path.cwd()
    except OSError:
        return Path("/")


def is_network_path(path: Path, mounts: str | None = None) -> bool:
    """Say whether a path lies on a network file system, where SQLite's write-ahead log must not be used.

    Args:
        path: An absolute path; it need not exist.
        mounts: Content of /proc/self/mounts; default is the machine's own. Without one: no.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:  # noqa: PLR2004
            continue
        mount_point = fields[1].replace("\\040", " ")
        inside = path == Path(mount_point) or Path(mount_point) in path.parents
        if inside and len(mount_point) >= len(best):
            best, kind = mount_point, fields[2]
    return kind in _NETWORK
