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
    from collections.abc import Mapping, Sequence

COLLECTOR = "greenai.slurm.site"
# The job begins when this node is read, but not later than this.
PATIENCE_S = 0.5
_ENDING_S = 0.1
# The folder of a job that is older belongs to an earlier job of the same number.
_SAME_JOB_S = 3600.0
_MOST_OF_A_NUMBER = 9
# What tells the nodes of a cluster from others: munge's key, or Slurm's own (man slurm.conf, AuthType).
_CLUSTER_KEYS = (Path("/etc/munge/munge.key"), Path("/etc/slurm/slurm.key"))
_SUFFIX_DIGITS = 16


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
    if not _await_first_word(process, job):
        note_path(job.node, job.job_id, job.component_id, notes).unlink(missing_ok=True)


def _spool(home: str, said: Mapping[str, str]) -> Path:
    """Return the spool that the site's file or the Prolog names, else the one among the user's own data.

    Root reads no file of the user's here.
    """
    settings = load_settings(environ={**said, "HOME": "/nonexistent"}, folder=Path("/nonexistent"))
    return settings.spool if "spool" in settings.origins else data_folder({"HOME": home}) / "spool"


def _run_id(spool: Path, job: SiteJob) -> str:
    """Return the run's id; another one if a folder of this name is an earlier job's, or somebody else's.

    All nodes of a job come to the same. Who makes folders of names that are yet to come cannot guess the next.
    """
    run_id = job.run_id
    for number in range(2, _MOST_OF_A_NUMBER + 2):
        try:
            found = (spool / run_id).lstat()
        except OSError:
            return run_id
        if found.st_uid != job.user_id:
            log(f"job {job.component_id}: {spool / run_id} is of user number {found.st_uid}")
            run_id = f"{job.run_id}-{_unguessable(job.run_id, number)}"
        elif time.time() - found.st_mtime < _SAME_JOB_S:
            return run_id
        else:
            run_id = f"{job.run_id}-{number}"
    raise FileExistsError(f"job {job.component_id}: {_MOST_OF_A_NUMBER} folders of its name are not of this job")


def _unguessable(run_id: str, number: int, keys: Sequence[Path] = _CLUSTER_KEYS) -> str:
    """Return a text that only root can know, and on all nodes of a cluster alike; without a key, any one.

    It is a hash with the cluster's key, from which nobody can tell the key (HMAC, RFC 2104).
    """
    import hmac  # seldom needed, and the job waits
    import secrets

    for path in keys:
        with suppress(OSError):
            key = path.read_bytes()
            return hmac.new(key, f"greenai {run_id} {number}".encode(), "sha256").hexdigest()[:_SUFFIX_DIGITS]
    return secrets.token_hex(_SUFFIX_DIGITS // 2)


def _await_first_word(process: subprocess.Popen[bytes], job: SiteJob) -> bool:
    """Wait for a moment until the collector reads; False if it has failed, and that is logged."""
    assert process.stdout is not None  # noqa: S101  # for the type checker
    readable, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
    word, _, reason = (os.read(process.stdout.fileno(), 4096) if readable else b"").partition(b" ")
    if word == FAILED.encode():
        log(f"job {job.component_id} is not measured: {reason.decode(errors='replace')}")
        return False
    # One that ends by itself without a word has logged why.
    return not readable or bool(word) or _end_of(process) != 0


def _end_of(process: subprocess.Popen[bytes]) -> int | None:
    with suppress(subprocess.TimeoutExpired):
        return process.wait(_ENDING_S)
    return None
