"""Whose a run is, where the journals of others are taken in: the file system knows, a journal only claims it.

In a spool of everybody's, any user may make a folder of any run's name, with journals that say anything. What he
cannot do is make files that are another's. Where nobody but the user himself or root wrote, nothing is checked.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

from greenai.core.collector import Incident
from greenai.core.errors import JournalError
from greenai.core.file_owner import FileOwner
from greenai.core.text import Text
from greenai.journal import format as f
from greenai.store.run_user import stored_user

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from greenai.core.record import RunRecord
    from greenai.store import Store

# Among what is known of a batch job, only Slurm may say this.
_ACCOUNTING = "accounting"

NOT_COUNTED, OF_OTHERS = "run_of_another_user", "journals_of_others"
"""Codes of incidents: a run that is none of its job, and journals that are none of their run."""
_OF_OTHERS = Text(
    de="{count} Journale im Ordner dieses Laufs gehören nicht {user}; sie wurden nicht gelesen: {names}.",
    en="{count} journals in this run's folder are not {user}'s; they were not read: {names}.",
)
_ANOTHERS_RUN = Text(
    de="{folder} gehört {user}; der Lauf dieser Kennung in der Datenbank gehört {other}. Nicht übernommen.",
    en="{folder} is {user}'s; the run of this id in the database is {other}'s. It was not taken in.",
)
_REMOVE = Text(de="Ansehen, dann entfernen: rm -r {folder}", en="Look at it, then remove it: rm -r {folder}")
_NOBODY = Text(de="niemandem", en="nobody")
_MOST_NAMES = 5
# Of files whose owner this machine does not know (user namespaces, squashed shares): /proc/sys/kernel/overflowuid.
_NO_IDENTITY = 65534


class Owner(FileOwner):
    """A user whose journals another one takes in."""

    def wrote(self, path: Path) -> bool:
        """Say whether a file is his, or root's own, and no link; one that is gone is not.

        What is read is to be asked once more when it is open, see ``has_written``.
        """
        try:
            return self.has_written(path.lstat())
        except OSError:
            return False

    def has_written(self, found: os.stat_result) -> bool:
        """Say the same of an open file; a pipe, from which one could read for ever, is none."""
        of_root = found.st_uid == 0 and found.st_nlink == 1
        return stat.S_ISREG(found.st_mode) and (of_root or found.st_uid == self.number)


def owner_of(folder: Path) -> Owner | None:
    """Return whose a run's folder is; None if there is nothing to check: it is root's, or our own.

    Raises:
        OSError: The folder is gone.
    """
    number = folder.lstat().st_uid
    if number in (0, os.geteuid()) or (number == _NO_IDENTITY and os.geteuid() != 0):
        return None
    return Owner(number, _login_name(number))


def may_mark(folder: Path, owner: Owner | None) -> bool:
    """Say whether we may write beside a run's journals: not where its user, or anybody, may put links.

    Args:
        folder: The run's folder.
        owner: Whose it is, None for ourselves.

    Raises:
        OSError: The spool is gone.
    """
    if owner is None:
        return True
    spool = folder.parent.stat()
    others = stat.S_IWGRP | stat.S_IWOTH if spool.st_uid == os.geteuid() else ~0
    return not spool.st_mode & others


def refuse_anothers_run(store: Store, folder: Path, owner: Owner) -> None:
    """Make sure that no user replaces a run of another.

    Raises:
        JournalError: A run of this id is stored, and another user's.
        StoreError: The database cannot be read.
    """
    stored = stored_user(store, folder.name)
    if stored is not None and stored.name not in owner.labels:
        message = _ANOTHERS_RUN.format(folder=folder, user=owner.label, other=stored.name or _NOBODY)
        raise JournalError(message, _REMOVE.format(folder=folder))


def owned(record: RunRecord, folder: Path, owner: Owner) -> RunRecord:
    """Return a record with the user that it has, whoever it claims, and with what was left out.

    Raises:
        OSError: The folder cannot be read.
    """
    left_out = [path for path in sorted(folder.glob(f"*{f.SUFFIX}")) if not owner.wrote(path)]
    facts = {key: value for key, value in (record.slurm or {}).items() if key != _ACCOUNTING}
    message = _OF_OTHERS.format(count=len(left_out), user=owner.label, names=name_files(left_out))
    return replace(
        record,
        user=owner.label,
        slurm={**facts, **owner.facts()} if record.slurm is not None else None,
        incidents=(*record.incidents, *([Incident(OF_OTHERS, message)] if left_out else [])),
    )


def name_files(paths: Sequence[Path]) -> str:
    """Return the names of the first files, each with its owner's number."""
    names = [f"{path.name} ({_number_of(path)})" for path in paths[:_MOST_NAMES]]
    return ", ".join(names) + (", ..." if len(paths) > _MOST_NAMES else "")


def _number_of(path: Path) -> int | str:
    try:
        return path.lstat().st_uid
    except OSError:
        return "?"


def _login_name(number: int) -> str | None:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return None
