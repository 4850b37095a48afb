"""Taking runs from their journals into the database."""

from __future__ import annotations

import gc
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.carbon.footprint import with_footprint
from greenai.core.account import account
from greenai.core.collector import Incident
from greenai.core.errors import JournalError, StoreError
from greenai.core.text import Text
from greenai.core.vocabulary import RunState
from greenai.ingest.condense import condense
from greenai.ingest.merge import merge
from greenai.ingest.owner import NOT_COUNTED, may_mark, owned, owner_of, refuse_anothers_run
from greenai.ingest.pace import goes_on, is_due, is_over
from greenai.ingest.spill import Spill
from greenai.journal.reader import read_run
from greenai.journal.spool import is_own, mark_ingested, newest_journal_ns, second_spool, unprocessed_runs
from greenai.store.jobs import accounted, remove_imported
from greenai.store.store import UnfitRecordError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from greenai.core.record import RunRecord
    from greenai.settings import Settings
    from greenai.store import Store

_UNREADABLE_RUN = Text(
    de="Das Journal {folder} ist unlesbar und wurde übergangen: {reason}.",
    en="The journal {folder} cannot be read and was passed over: {reason}.",
)


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What was taken in, and what could not be."""

    taken: tuple[str, ...]
    problems: tuple[Incident, ...]


def ingest_spool(store: Store, settings: Settings, spool: Path | None = None) -> IngestReport:
    """Take in every run of the spool whose journals changed. One broken run does not stop the others.

    With it, the runs of the one that stands in for it when it is full. The default is the spool of the settings.

    One that goes on is taken in again when it is due, see ``greenai.ingest.pace``.

    Raises:
        StoreError: The database refuses; the journals stay as they are.
    """
    taken: list[str] = []
    problems: list[Incident] = []
    folders = unprocessed_runs(spool or settings.spool)
    stand_in = second_spool(spool or settings.spool)
    if is_own(stand_in):
        folders += unprocessed_runs(stand_in)
    for folder in folders:
        found = try_folder(store, settings, folder) if _is_due(folder) else None
        if isinstance(found, Incident):
            problems.append(found)
        elif found is not None:
            taken.append(found.id)
    return IngestReport(tuple(taken), tuple(problems))


def _is_due(folder: Path) -> bool:
    try:
        return is_due(folder)
    except OSError:
        return True  # trying it says what is wrong


def try_folder(store: Store, settings: Settings, folder: Path) -> RunRecord | Incident | None:
    """Take in one run as ``ingest_folder`` does; where that run alone is to blame that it fails, return why.

    Raises:
        StoreError: The database refuses: no run would fare better.
    """
    try:
        return ingest_folder(store, settings, folder)
    except StoreError as error:
        if not isinstance(error, UnfitRecordError):
            raise
        return _unreadable(folder, error.message)
    except JournalError as error:
        return Incident(NOT_COUNTED, error.message, error.remedy)
    except Exception as error:  # noqa: BLE001  # a damaged file may hold anything
        return _unreadable(folder, repr(error))


def _unreadable(folder: Path, reason: Text | str) -> Incident:
    return Incident("journal_unreadable", _UNREADABLE_RUN.format(folder=folder, reason=reason))


def ingest_folder(store: Store, settings: Settings, folder: Path) -> RunRecord | None:
    """Take in one run; None if its journals hold nothing yet.

    A run that still goes on is written as it stands and looked at again next time. Runs of others are taken in
    as theirs, and their journals left as they are; where they could put links, nothing is written beside them, and
    they are taken in each time.

    Raises:
        JournalError: It is one user's, and the run of this id in the database another's.
        OSError: The folder cannot be read.
        StoreError: The database refuses.
    """
    began_s = time.perf_counter()
    newest_ns = newest_journal_ns(folder)
    owner = owner_of(folder)
    if owner is not None:
        refuse_anothers_run(store, folder, owner)
    with without_collector(), closing(Spill()) as spill:
        found = merge(folder, spill, owner.has_written if owner is not None else None)
        if found is not None and owner is None and condense(folder, found.log, found.over):
            found = merge(folder, spill)  # what is said of the journals is to be true of those that are left
        if found is None:
            return None
        record = found.record if owner is None else owned(found.record, folder, owner)
        record = with_footprint(accounted(store, record), settings)
        store.save(record, [(channel, spill.of((channel.host, channel.id))) for channel in found.channels])
        remove_imported(store, record)
    if not may_mark(folder, owner):
        return record
    if record.state is RunState.RUNNING:
        goes_on(folder, time.perf_counter() - began_s)
    else:
        is_over(folder)
        mark_ingested(folder, newest_ns)
    return record


def condense_folder(folder: Path) -> None:
    """Condense the past of a service, without a database.

    Raises:
        OSError: The folder cannot be read.
    """
    with without_collector():
        log = read_run(folder)
        if log.processes:
            condense(folder, log, account(log).over)


@contextmanager
def without_collector() -> Iterator[None]:
    """Do without the search for circular garbage: among a million samples it takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
