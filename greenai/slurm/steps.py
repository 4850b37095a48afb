"""Which steps of a job run on this node, without a question to Slurm.

Each has a control group below the job's, ``step_0``, ``step_batch``. Where Slurm makes none
(``proctrack/linuxproc``) each has a process ``slurmstepd: [5.0]``, unless other users' processes are hidden here.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from greenai.host.folder_events import FolderEvents
from greenai.host.slurm_cgroup import slurm_job_cgroup

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.host import Host

BATCH = "batch"
_GROUP = "step_"
_TITLE = re.compile(rb"slurmstepd: \[(\d+)[^.\]]*\.(\w+)\]")
_MANAGER = b"slurmstepd"
_SURE = 2  # a process is not yet what it will be while it starts: looked at this many times


class StepWatch:
    """The living steps of one job, but for one's own and the one that Slurm keeps for logins.

    Attributes:
        events: Says at once that there is something new to see; None where one has to look now and then.
    """

    def __init__(self, host: Host, job_id: str, own_step: str | None) -> None:
        """Prepare.

        Args:
            host: The machine.
            job_id: The job's number.
            own_step: The step that this process runs in; None for none.
        """
        self._host = host
        self._job = job_id.encode()
        self._left_out = {own_step, "extern"}
        self._looked: dict[str, int] = {}  # how often, by process number
        self._found: dict[str, str] = {}  # steps by process number
        self._folder: Path | None = None
        self.events: FolderEvents | None = None

    def look(self) -> frozenset[str]:
        """Return the steps that run now, ``batch`` for the script's; empty where neither way shows them."""
        if self._folder is None:
            group = slurm_job_cgroup(self._host)
            if group is not None:
                self._folder = group.cpu_folder
                with suppress(OSError):
                    self.events = FolderEvents(self._folder)
        return (self._processes() if self._folder is None else self._groups(self._folder)) - self._left_out

    def _groups(self, folder: Path) -> frozenset[str]:
        if self.events is not None:
            self.events.forget()
        try:
            names = os.listdir(folder)  # noqa: PTH208  # names, not paths
        except OSError:  # the job is over
            return frozenset()
        return frozenset(name.removeprefix(_GROUP) for name in names if name.startswith(_GROUP))

    def _processes(self) -> frozenset[str]:
        try:
            pids = {name for name in os.listdir(self._host.proc_root) if name[0].isdigit()}  # noqa: PTH208  # names
        except OSError:
            return frozenset()
        self._looked = {pid: count for pid, count in self._looked.items() if pid in pids}
        self._found = {pid: step for pid, step in self._found.items() if pid in pids}
        for pid in pids:
            if pid not in self._found and self._looked.get(pid, 0) < _SURE:
                self._examine(pid)
        return frozenset(self._found.values())

    def _examine(self, pid: str) -> None:
        try:
            with open(f"{self._host.proc_root}/{pid}/cmdline", "rb") as file:  # noqa: PTH123  # many, each second
                title = file.read(200)
        except OSError:
            return
        found = _TITLE.search(title)
        if found is None:
            self._looked[pid] = self._looked.get(pid, 0) + (_MANAGER not in title)
        elif found[1] == self._job:
            self._found[pid] = found[2].decode()
        else:
            self._looked[pid] = _SURE
