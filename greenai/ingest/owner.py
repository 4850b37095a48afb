"""Whose a run is, where root takes in the journals of others: the file system knows, a journal only claims it.

In a spool of everybody's, any user may make a folder of any run's name, with journals that say anything. What he
cannot do is make files that are another's. Where nobody but the user himself or root wrote, nothing is checked.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.collector import Incident
from greenai.core.errors import JournalError
from greenai.core.text import Text
from greenai.journal import format as f
from greenai.store.run_user import stored_user

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.core.record import RunRecord
    from greenai.store import Store

# Among what is known of a batch job: whose its run is by the file system; and what only Slurm may say.
OWNER, _ACCOUNTING = "owner", "accounting"

_OF_OTHERS = Text(
    de="{count} Journale im Ordner dieses Laufs gehören nicht {user}; sie wurden nicht gelesen.",
    en="{count} journals in this run's folder are not {user}'s; they were not read.",
)
_ANOTHERS_RUN = Text(
    de="{folder} gehört {user}; der Lauf dieser Kennung in der Datenbank gehört {other}. Nicht übernommen.",
    en="{folder} is {user}'s; the run of this id in the database is {other}'s. It was not taken in.",
)
_REMOVE = Text(de="Ansehen, dann entfernen: rm -r {folder}", en="Look at it, then remove it: rm -r {folder}")
_NOBODY = Text(de="niemandem", en="nobody")


class Owner(NamedTuple):
    """A user whose journals root takes in.

    Attributes:
        number: His number.
        name: His login name; where nobody knows it, the number.
    """

    number: int
    name: str

    def wrote(self, path: Path) -> bool:
        """Say whether a file is his, or root's own (and no link to another that is)."""
        found = path.lstat()
        of_root = found.st_uid == 0 and found.st_nlink == 1 and stat.S_ISREG(found.st_mode)
        return of_root or (found.st_uid == self.number and path.stat().st_uid == self.number)


def owner_of(folder: Path) -> Owner | None:
    """Return whose a run's folder is; None if there is nothing to check: it is root's, or we are not root.

    Raises:
        OSError: The folder is gone.
    """
    if os.geteuid() != 0:
        return None
    number = folder.lstat().st_uid
    return Owner(number, _login_name(number)) if number != 0 else None


def refuse_anothers_run(store: Store, folder: Path, owner: Owner) -> None:
    """Make sure that no user replaces a run of another.

    Raises:
        JournalError: A run of this id is stored, and another user's.
        StoreError: The database cannot be read.
    """
    stored = stored_user(store, folder.name)
    # By number, if his name was not known at that time.
    if stored is not None and stored.name not in (owner.name, str(owner.number)):
        message = _ANOTHERS_RUN.format(folder=folder, user=owner.name, other=stored.name or _NOBODY)
        raise JournalError(message, _REMOVE.format(folder=folder))


def owned(record: RunRecord, folder: Path, owner: Owner) -> RunRecord:
    """Return a record with the user that it has, whoever it claims, and with what was left out.

    Raises:
        OSError: The folder cannot be read.
    """
    left_out = sum(not owner.wrote(path) for path in folder.glob(f"*{f.SUFFIX}"))
    facts = {key: value for key, value in (record.slurm or {}).items() if key != _ACCOUNTING}
    said = Incident("journals_of_others", _OF_OTHERS.format(count=left_out, user=owner.name))
    return replace(
        record,
        user=owner.name,
        slurm={**facts, OWNER: owner.name} if record.slurm is not None else None,
        incidents=(*record.incidents, *([said] if left_out else [])),
    )


def _login_name(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
