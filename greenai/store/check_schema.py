"""What a database's schema lacks, compared with what this version expects. What is there besides does no harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy.schema import CreateIndex

from greenai.core.text import Text
from greenai.store.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_NO_TABLE = Text(de="die Tabelle fehlt", en="the table is missing")
_NO_COLUMN = Text(de="die Spalte {column} fehlt", en="column {column} is missing")
_NO_INDEX = Text(de="der Index {index} fehlt", en="index {index} is missing")
_NO_KEY = Text(de="der Fremdschlüssel {key} fehlt", en="foreign key {key} is missing")
_OTHER_COLUMN = Text(
    de="die Spalte {column} ist anders, als sie sein soll ({what})",
    en="column {column} is not what it should be ({what})",
)
_MAKE_INDEX = Text(de="Anlegen mit: {statement}", en="Make it: {statement}")
_MOVE = Text(
    de="Umziehen: greenai db copy URL; oder eine Sicherung zurückspielen (docs/database.md)",
    en="Move to a new database: greenai db copy URL; or put a backup back (docs/database.md)",
)


class Lack(NamedTuple):
    """What is missing or not as it should be; ``is_structure``: rows cannot be read because of it."""

    table: str
    what: Text
    remedy: Text
    is_structure: bool = True


def schema_damage(connection: Connection) -> Iterator[Lack]:
    """Return each difference that matters."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(connection, opts={"compare_type": True, "target_metadata": metadata})
    for difference in compare_metadata(context, metadata):
        # Changes of one column come as a list of their own.
        for each in difference if isinstance(difference, list) else [difference]:
            found = _said(connection, each)
            if found is not None:
                yield found


def _said(connection: Connection, difference: tuple[Any, ...]) -> Lack | None:
    match difference:
        case ("add_table", table):
            return Lack(table.name, _NO_TABLE, _MOVE)
        case ("add_column", _, table, column):
            return Lack(table, _NO_COLUMN.format(column=column.name), _MOVE)
        case ("add_index", index):
            statement = str(CreateIndex(index).compile(dialect=connection.dialect))
            remedy = _MAKE_INDEX.format(statement=statement)
            return Lack(index.table.name, _NO_INDEX.format(index=index.name), remedy, is_structure=False)
        case ("add_fk", key):
            return Lack(key.parent.name, _NO_KEY.format(key=key.name), _MOVE, is_structure=False)
        case (str(what), _, table, column, *_) if what.startswith("modify_"):
            words = _OTHER_COLUMN.format(column=column, what=what.removeprefix("modify_"))
            return Lack(table, words, _MOVE, is_structure=False)
        case _:
            return None
