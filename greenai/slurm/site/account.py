"""The user of a job, as a site's collector needs him: his numbers, and what its environment says of him."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenai.slurm.site.job import SiteJob

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class UserAccount:
    """A job's user on this node.

    Attributes:
        home: His home folder; ``/`` if this node does not know him.
        numbers: Number of the user, of the job's group, and of all his groups.
        environ: What says so to a process of his.
    """

    def __init__(self, job: SiteJob) -> None:
        """Look him up."""
        groups: list[int] = []
        try:
            entry = pwd.getpwuid(job.user_id)
        except KeyError:  # no such user on this node
            name, self.home, group = str(job.user_id), "/", job.user_id
        else:
            name, self.home, group = entry.pw_name, entry.pw_dir, entry.pw_gid
            groups = os.getgrouplist(name, group)
        self.numbers = (job.user_id, job.group_id if job.group_id >= 0 else group, *groups)
        self.environ = {"HOME": self.home, "USER": name, "LOGNAME": name, "PATH": _PATH, "LC_ALL": "C.UTF-8"}
