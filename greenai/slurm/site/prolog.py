"""Starting a site's collector, as root, from the Prolog of a job."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from greenai.host.processes import start_ticks
from greenai.settings import load_settings
from greenai.settings.paths import data_folder
from greenai.slurm.order import FAILED, Order
from greenai.slurm.site.account import UserAccount
from greenai.slurm.site.epilog import end_collector
from greenai.slurm.site.job import SiteJob
from greenai.slurm.site.log import log
from greenai.slurm.site.notes import NOTES, JobNote, note_path, notes_of_component, read_note, write_note
from greenai.slurm.site.question import question

if TYPE_CHECKING:
    from collections.abc import Mapping

COLLECTOR = "greenai.slurm.site"
# The job begins when this node is read, but not later than this.
PATIENCE_S = 0.5
# The folder of a job that is older belongs to an earlier job of the same number.
_SAME_JOB_S = 3600.0
_MOST_OF_A_NUMBER = 9


def start(environ: Mapping[str, str], notes: Path = NOTES) -> None:
    """Start the collector of a job on this node, unless it runs; wait until it reads, for a moment.

    Args:
        environ: The Prolog's.
        notes: Folder of the notes.

    Raises:
        GreenAIError: The site's settings are wrong.
        OSError: It cannot be started, or not be noted.
        ValueError: Slurm's environment is not one of a Prolog.
    """
    job = SiteJob.of(environ)
    for path in notes_of_component(job.node, job.component_id, notes):
        note = read_note(path)
        if note is not None and note.is_alive and note.restart_count == job.restart_count:
            return  # a Prolog that was called twice
        if note is not None:
            end_collector(note, None)  # nobody called the Epilog of another attempt
        path.unlink(missing_ok=True)
    user = UserAccount(job)
    said = {name: value for name, value in environ.items() if name.startswith("GREENAI_")}  # by the Prolog itself
    spool = _spool(user.home, said)
    run_id = _run_id(spool, job)
    order = Order(
        run_id=run_id,
        spool=str(spool),
        name=f"job {job.job_id}",
        overrides={},
        slurm=job.facts,
        nodes=job.nodes,
        until_sigterm=True,
    )
    process = subprocess.Popen(
        # Isolated: none of the user's code (usercustomize, PYTHONPATH) may run where Slurm does not watch over it.
        # As root: it asks Slurm, and becomes the user by itself, see ``greenai.slurm.site.privileges``.
        [sys.executable, "-I", "-m", COLLECTOR, "collect", question(job), *map(str, user.numbers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**said, **job.environ, **user.environ},
        cwd="/",
        start_new_session=True,
        umask=0o077,
    )
    ticks = start_ticks(process.pid)
    if ticks is None:
        raise ProcessLookupError(f"the collector of job {job.job_id} died at once")
    note = JobNote(run_id, str(spool), job.restart_count, process.pid, ticks)
    write_note(note_path(job.node, job.job_id, job.component_id, notes), note)
    # It waits for the order: should we be ended before this, it ends as well.
    assert process.stdin is not None  # noqa: S101  # for the type checker
    with suppress(BrokenPipeError):
        process.stdin.write(order.to_line())
        process.stdin.close()
    _await_first_word(process, job)


def _spool(home: str, said: Mapping[str, str]) -> Path:
    """Return the spool that the site's file or the Prolog names, else the one among the user's own data.

    Root reads no file of the user's here.
    """
    settings = load_settings(environ={**said, "HOME": "/nonexistent"}, folder=Path("/nonexistent"))
    return settings.spool if "spool" in settings.origins else data_folder({"HOME": home}) / "spool"


def _run_id(spool: Path, job: SiteJob) -> str:
    """Return the run's id; another one if a folder of this name is an earlier job's, or somebody else's."""
    ids = [job.run_id, *(f"{job.run_id}-{number}" for number in range(2, _MOST_OF_A_NUMBER + 1))]
    for run_id in ids:
        try:
            found = (spool / run_id).lstat()
        except OSError:
            return run_id
        if found.st_uid != job.user_id:
            log(f"job {job.component_id}: {spool / run_id} is of user number {found.st_uid}")
        elif time.time() - found.st_mtime < _SAME_JOB_S:
            return run_id
    raise FileExistsError(f"job {job.component_id}: {spool / job.run_id} to {ids[-1]} are not of this job")


def _await_first_word(process: subprocess.Popen[bytes], job: SiteJob) -> None:
    assert process.stdout is not None  # noqa: S101  # for the type checker
    readable, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
    word, _, reason = (os.read(process.stdout.fileno(), 4096) if readable else b"").partition(b" ")
    if word == FAILED.encode():
        log(f"job {job.component_id} is not measured: {reason.decode(errors='replace')}")
