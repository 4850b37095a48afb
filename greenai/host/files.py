"""Where we are, and what kind of file system a path lies on."""

from __future__ import annotations

import errno
from pathlib import Path

_NETWORK = ("nfs", "nfs4", "lustre", "gpfs", "beegfs", "cifs", "smb3", "ceph", "fuse.sshfs", "afs", "9p", "panfs")

# What is wrong with a disk, not with the settings: no reason to keep a job from running.
OF_THE_DISK = frozenset(
    {
        errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENOTCONN,
        errno.ETIMEDOUT,
    }
)  # fmt: skip


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
