"""All journals of a batch job into the database: every node, every attempt, every element of an array.

May be repeated at any time; what came late is then in it.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from greenai.core.errors import GreenAIError, JournalError, NotFoundError
from greenai.core.text import Text
from greenai.core.units import NS_PER_MS
from greenai.host import this_host
from greenai.host.files import make_folder
from greenai.ingest import ingest_spool
from greenai.ingest.ingest import ingest_folder
from greenai.journal.format import SUFFIX
from greenai.journal.spool import second_spool
from greenai.slurm.accounting.ask import Period, ask_accounts, ask_site
from greenai.slurm.accounting.importing import import_accounts
from greenai.slurm.accounting.jobs import read_accounts
from greenai.slurm.accounting.table import NotATableError
from greenai.slurm.ask import ask_job
from greenai.store.job_runs import runs_of_job

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from greenai.core.record import RunRecord
    from greenai.settings import Settings
    from greenai.store import Store

_UNKNOWN = Text(
    de="Von Job {job} gibt es in {spool} kein Journal.",
    en="There is no journal of job {job} in {spool}.",
)
_TRACKED_BY = Text(
    de="Gemessen wird ein Job mit: greenai slurm submit -- job.sh. Liegen seine Journale anderswo: "
    "greenai slurm merge {job} --from ORDNER",
    en="A job is measured by: greenai slurm submit -- job.sh. If its journals lie elsewhere: "
    "greenai slurm merge {job} --from FOLDER",
)
_SOMEBODY_ELSES = Text(
    de="Job {job} gehört {user}; seine Journale liegen in dessen Journalordner. Ist der lesbar: "
    "greenai slurm merge {job} --from ORDNER",
    en="Job {job} is {user}'s; its journals lie in that user's journal folder. If it can be read: "
    "greenai slurm merge {job} --from FOLDER",
)


def merge_job(store: Store, settings: Settings, reference: str, folders: Sequence[Path] = ()) -> list[RunRecord]:
    """Take all that was written of a job into the database; return its runs by element of the array, oldest first.

    Args:
        store: The database.
        settings: The settings in force.
        reference: The job's number, or ``123_4`` for an element of an array.
        folders: Further spools, of nodes that do not share ours; their journals are copied into it.

    Raises:
        NotFoundError: Nothing was written of this job.
        OSError: A folder cannot be read, or the spool not be written.
        StoreError: The database refuses.
    """
    for folder in folders:
        _fetch(folder, settings.spool, reference)
    ingest_spool(store, settings)
    # Whatever was taken in already, and into which database.
    for spool in (settings.spool, second_spool(settings.spool)):
        for run in _runs_in(spool, reference):
            with suppress(JournalError):  # another user's, under the name of this run
                ingest_folder(store, settings, run)
    _put_accounting(store, settings, reference)
    records = runs_of_job(store, reference)
    if not records:
        message = _UNKNOWN.format(job=reference, spool=settings.spool)
        raise NotFoundError(message, _whose(reference))
    return sorted(records, key=lambda record: (_element(record), record.started_ms))


def _put_accounting(store: Store, settings: Settings, reference: str) -> None:
    """Take in what Slurm's accounting says of a job: how it ended, if nobody lived to say so."""
    host = this_host(settings.knowledge)
    with suppress(GreenAIError, NotATableError):
        accounts = read_accounts(ask_accounts(host, Period(jobs=reference)), host.clock.wall_ns() // NS_PER_MS)
        import_accounts(store, settings, accounts, ask_site(host, settings.cpu_tdp_w))


def _element(record: RunRecord) -> int:
    number = (record.slurm or {}).get("array_task_id", "")
    return int(number) if number.isdecimal() else 0


def _whose(reference: str) -> Text:
    """Say what may be the matter with a job of which nothing is known; Slurm may know its user."""
    with suppress(GreenAIError, ValueError):
        user = ask_job(this_host(), int(reference.partition("_")[0]))[0].user_name
        if user is not None and user != os.environ.get("USER", user):
            return _SOMEBODY_ELSES.format(job=reference, user=user)
    return _TRACKED_BY.format(job=reference)


def _fetch(folder: Path, spool: Path, reference: str) -> None:
    """Copy a job's journals that we do not have, or have less of.

    Raises:
        OSError: A folder cannot be read or written.
    """
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    for run in _runs_in(folder, reference):
        make_folder(spool / run.name)
        for path in _journals(run):
            target = spool / run.name / path.name
            if not target.exists() or target.stat().st_size < path.stat().st_size:
                unfinished = target.with_name(f".{target.name}.part")
                shutil.copyfile(path, unfinished)
                unfinished.replace(target)


def _runs_in(spool: Path, reference: str) -> list[Path]:
    """Return the folders of a job's runs; what may not be read is none of them."""
    try:
        folders = sorted(entry for entry in spool.iterdir() if entry.is_dir())
    except OSError:
        return []
    return [folder for folder in folders if any(_is_of(path, reference) for path in _journals(folder))]


def _journals(run: Path) -> list[Path]:
    return [path for path in run.glob(f"*{SUFFIX}") if path.is_file()]


def _is_of(journal: Path, reference: str) -> bool:
    number, _, element = reference.partition("_")
    try:
        with journal.open("rb") as file:
            facts = json.loads(file.readline())["meta"].get("slurm") or {}
    except (OSError, ValueError, KeyError, AttributeError):
        return False
    in_array = facts.get("array_job_id") == number and element in ("", facts.get("array_task_id"))
    return in_array or (not element and facts.get("job_id") == number)
