"""All journals of a batch job into the database: every node, every attempt, every element of an array.

May be repeated at any time; what came late is then in it.
"""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.collector import Incident
from greenai.core.errors import GreenAIError, NotFoundError
from greenai.core.text import Text
from greenai.core.units import NS_PER_MS
from greenai.host import this_host
from greenai.host.facts import user_name
from greenai.ingest import ingest_spool
from greenai.ingest.ingest import try_folder
from greenai.ingest.owner import owner_of
from greenai.journal.files import open_regular
from greenai.journal.format import SUFFIX
from greenai.journal.kinds import MALFORMED
from greenai.journal.spool import second_spool
from greenai.slurm.accounting.ask import Period, ask_accounts, ask_site
from greenai.slurm.accounting.importing import import_accounts
from greenai.slurm.accounting.jobs import read_accounts
from greenai.slurm.accounting.table import NotATableError
from greenai.slurm.ask import ask_job
from greenai.slurm.claims import JobUser
from greenai.slurm.fetch import fetch
from greenai.store.job_runs import runs_of_job
from greenai.store.jobs import stored_jobs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from greenai.core.record import RunRecord
    from greenai.host import Host
    from greenai.journal.files import Fits
    from greenai.settings import Settings
    from greenai.slurm.accounting.jobs import Accounts
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

_LONGEST_LINE = 1 << 24


class MergedJob(NamedTuple):
    """What there is of a job.

    Attributes:
        records: Its runs by element of the array, oldest first.
        refused: What names the job but was left out, and why.
    """

    records: list[RunRecord]
    refused: tuple[Incident, ...]


def merge_job(store: Store, settings: Settings, reference: str, folders: Sequence[Path] = ()) -> MergedJob:
    """Take all that was written of a job into the database.

    Args:
        store: The database.
        settings: The settings in force.
        reference: The job's number, or ``123_4`` for an element of an array.
        folders: Further spools, of nodes that do not share ours; their journals are copied into it.

    Raises:
        NotFoundError: Nothing was written of this job by its user.
        OSError: A folder cannot be read, or the spool not be written.
        StoreError: The database refuses.
    """
    host = this_host(settings.knowledge)
    accounts = _accounts(host, reference)
    stored = stored_jobs(store, [reference.partition("_")[0]])
    known = [*accounts.jobs, *accounts.unfinished, *stored] if accounts is not None else stored
    user = JobUser(reference, known, lambda: _asked_user(host, reference))
    said: list[Incident] = []
    for folder in folders:
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        said += fetch(_runs_in(folder, reference), settings.spool, SUFFIX, user)
    ingest_spool(store, settings)
    # Whatever was taken in already, and into which database.
    for spool in (settings.spool, second_spool(settings.spool)):
        for run in _runs_in(spool, reference):
            found = try_folder(store, settings, run)
            said += [found] if isinstance(found, Incident) else []
    if accounts is not None:
        with suppress(GreenAIError):
            import_accounts(store, settings, accounts, ask_site(host, settings.cpu_tdp_w))
    records, refused = user.sift(runs_of_job(store, reference), None if os.geteuid() == 0 else user_name(host))
    said += refused
    if not records:
        message = _UNKNOWN.format(job=reference, spool=settings.spool)
        if said:
            message = Text.each(
                lambda language: " ".join(text.to(language) for text in (message, *(i.message for i in said)))
            )
        raise NotFoundError(message, _whose(host, reference))
    return MergedJob(sorted(records, key=lambda record: (_element(record), record.started_ms)), tuple(said))


def _accounts(host: Host, reference: str) -> Accounts | None:
    """Return what Slurm's accounting says of a job: how it ended, if nobody lived to say so, and whose it is."""
    with suppress(GreenAIError, NotATableError):
        return read_accounts(ask_accounts(host, Period(jobs=reference)), host.clock.wall_ns() // NS_PER_MS)
    return None


def _element(record: RunRecord) -> int:
    number = str((record.slurm or {}).get("array_task_id", ""))
    return int(number) if number.isdecimal() else 0


def _whose(host: Host, reference: str) -> Text:
    """Say what may be the matter with a job of which nothing is known; Slurm may know its user."""
    user = _asked_user(host, reference)
    if user is not None and user != os.environ.get("USER", user):
        return _SOMEBODY_ELSES.format(job=reference, user=user)
    return _TRACKED_BY.format(job=reference)


def _asked_user(host: Host, reference: str) -> str | None:
    with suppress(GreenAIError, ValueError):
        return ask_job(host, int(reference.partition("_")[0]))[0].user_name
    return None


def _runs_in(spool: Path, reference: str) -> list[Path]:
    """Return the folders of a job's runs; what may not be read is none of them."""
    try:
        return [folder for folder in sorted(spool.iterdir()) if _is_run_of(folder, reference)]
    except OSError:
        return []


def _is_run_of(folder: Path, reference: str) -> bool:
    try:
        owner = owner_of(folder)
        fits = owner.has_written if owner is not None else None
        return any(_is_of(path, reference, fits) for path in folder.glob(f"*{SUFFIX}"))
    except OSError:
        return False


def _is_of(journal: Path, reference: str, fits: Fits | None) -> bool:
    """Say whether a journal names a job; anybody's journal may hold anything.

    Args:
        journal: The file.
        reference: The job, see ``merge_job``.
        fits: Says of an open file whether it is one of its run.
    """
    number, _, element = reference.partition("_")
    try:
        file = open_regular(journal, fits)
        if file is None:
            return False
        with file:
            facts = json.loads(file.readline(_LONGEST_LINE))["meta"]["slurm"]
        in_array = facts.get("array_job_id") == number and element in ("", facts.get("array_task_id"))
        return in_array or (not element and facts.get("job_id") == number)
    except (OSError, *MALFORMED):
        return False
