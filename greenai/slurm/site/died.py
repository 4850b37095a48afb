"""What is left of a collector that ended before its job did: a line in the system's log, and a word in its run.

Nobody starts another: its user, or the kernel for want of memory, would end that one as well.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from greenai.core.collector import Incident
from greenai.core.text import Text
from greenai.core.vocabulary import Role
from greenai.host import this_host
from greenai.journal import format as f
from greenai.journal.spool import is_own
from greenai.journal.writer import JournalWriter
from greenai.slurm.site.account import UserAccount
from greenai.slurm.site.job import SiteJob
from greenai.slurm.site.log import log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from greenai.slurm.site.notes import JobNote

COLLECTOR_DIED = "collector_died"
_INTERVAL_S = 1.0
_PATIENCE_S = 2.0  # the Epilog is ended after four

_DIED = Text(
    de="Auf dem Knoten {node} endete der Messprozess vor dem Job: beendet von dessen Benutzer, oder vom Kernel, "
    "als der Speicher knapp war. Von seiner letzten Messung bis zum Ende des Jobs fehlt dort die Energie.",
    en="On node {node} the collector ended before the job did: ended by the job's user, or by the kernel when "
    "memory was short. From its last reading to the job's end that node's energy is missing.",
)


def report(environ: Mapping[str, str], note: JobNote) -> None:
    """Say that a collector is gone: as root into the log, as the job's user into the run.

    Args:
        environ: The Epilog's.
        note: The collector.

    Raises:
        OSError: No process can be started.
        SubprocessError: It takes too long.
        ValueError: Slurm's environment is not one of an Epilog.
    """
    job = SiteJob.of(environ)
    log(f"job {job.component_id}: its collector on {job.node} ended before the job did; run {note.run_id}")
    user = UserAccount(job)
    folder = str(Path(note.spool, note.run_id))
    subprocess.run(
        [sys.executable, "-I", "-m", "greenai.slurm.site", "died", folder, job.node, *map(str, user.numbers)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=user.environ,
        cwd="/",
        umask=0o077,
        timeout=_PATIENCE_S,
        check=False,
    )


def leave_word(folder: Path, node: str) -> None:
    """Write into a run, as its user, that a node's collector is gone; nothing if that had never begun.

    The time of this line tells how long nothing was read there.

    Args:
        folder: The run's folder.
        node: Slurm's name of this node.

    Raises:
        OSError: It cannot be written.
    """
    host = this_host()
    if not is_own(folder) or not any(folder.glob(f"{host.name.replace('/', '_')}-*{f.SUFFIX}")):
        return
    journal = JournalWriter(folder, host, Role.MEMBER, (), _INTERVAL_S)
    journal.event(f.START)  # one that has begun and not stopped: the run ends with its last line
    journal.incident(Incident(COLLECTOR_DIED, _DIED.format(node=node)))
    journal.close()
