"""Where we are, and what kind of file system a path lies on."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

_NETWORK = ("nfs", "nfs4", "lustre", "gpfs", "beegfs", "cifs", "smb3", "ceph", "fuse.sshfs", "afs", "9p", "panfs")

# What is wrong with the machine, not with the settings: no reason to keep a job from running.
OF_THE_MACHINE = frozenset(
    {
        errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENOTCONN,
        errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.EFBIG, errno.ENOMEM,
    }
)  # fmt: skip
_OURS_TO_USE = 0o700


def make_folder(path: Path, *, exist_ok: bool = True) -> None:
    """Make a folder for this user alone, and its parents; whatever the umask says, they can be used.

    Raises:
        OSError: It cannot be made, or is no folder.
    """
    if not path.parent.exists():
        make_folder(path.parent)
    before = path.exists()
    path.mkdir(mode=_OURS_TO_USE, exist_ok=exist_ok)
    if not before and path.stat().st_mode & _OURS_TO_USE != _OURS_TO_USE:
        path.chmod(_OURS_TO_USE)


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
