"""Whose a stored run is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from greenai.store import schema as s

if TYPE_CHECKING:
    from greenai.store.store import Store


class StoredUser(NamedTuple):
    """The user of a stored run; None if it names none."""

    name: str | None


def stored_user(store: Store, run_id: str) -> StoredUser | None:
    """Return whose the run of exactly this id is; None if there is no such run.

    Raises:
        StoreError: The database cannot be read.
    """
    with store.reading() as connection:
        found = connection.execute(select(s.run.c.user).where(s.run.c.id == run_id)).first()
    return StoredUser(found[0]) if found is not None else None
