"""Copying everything from one database into another, and reading it back: nothing changed on the way."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from greenai.core.errors import ConfigError, StoreError
from greenai.core.text import Text
from greenai.settings.checks import sqlite_file
from greenai.store import schema as s
from greenai.store.checksums import Checksum, Checksums
from greenai.store.engine import reason_of, shown
from greenai.store.store import UnfitRecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, RowMapping, Select, Table

    from greenai.store.store import Store

    Rows = Callable[[Table], Select[Any]]

_RUNS_AT_ONCE = 200
_ROWS_AT_ONCE = 500  # of samples, 2 MB

_ITSELF = Text(
    de="{url} ist die Datenbank, die kopiert werden soll.",
    en="{url} is the very database that is to be copied.",
)
_OTHER_TARGET = Text(de="Ein anderes nennen: greenai db copy URL", en="Name another: greenai db copy URL")
_RUN_REFUSED = Text(
    de="Lauf {run} passt nicht in {url}: {reason}",
    en="Run {run} does not fit into {url}: {reason}",
)
_LEAVE_OUT = Text(
    de="Ohne ihn kopieren: greenai runs delete {run}, dann greenai db copy wiederholen",
    en="Copy without it: greenai runs delete {run}, then repeat greenai db copy",
)
_DIFFERS = Text(
    de="Nach dem Kopieren sind die Zeilen der Tabelle {table} andere als zuvor{where}: {rows} statt {expected} "
    "Zeilen, Prüfsumme {found} statt {wanted}.",
    en="After copying, table {table} has other rows than before{where}: {rows} instead of {expected} rows, "
    "checksum {found} instead of {wanted}.",
)
_OF_RUN = Text(de=" (Lauf {run})", en=" (run {run})")
_UNREADABLE = Text(
    de="Die Tabelle {table} von {url} ist nicht lesbar: {reason}",
    en="Table {table} of {url} cannot be read: {reason}",
)
_CHECK = Text(de="Schäden zeigt: greenai db check", en="Damage is shown by: greenai db check")
_REPEAT = Text(
    de="Schreibt niemand sonst nach {url}, so wiederholen: greenai db copy",
    en="Make sure that nobody else writes to {url}, and repeat: greenai db copy",
)


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """What was found in both databases."""

    name: str
    rows: int
    checksum: str


@dataclass(frozen=True, slots=True)
class CopyReport:
    """A copy that was read back and found to be the same."""

    runs: int
    tables: tuple[CopiedTable, ...]


def copy_all(source: Store, target: Store) -> CopyReport:
    """Copy all there is, as it stands at one moment; what the target has besides stays.

    Runs that the target has already are replaced, so that a broken copy can be repeated. Neither database need be
    left alone meanwhile; memory is needed for some hundred rows.

    Raises:
        ConfigError: Both are the same database.
        StoreError: One of the databases refuses, or what arrived is not what was sent; names table and run.
    """
    if _is_same(source, target):
        raise ConfigError(_ITSELF.format(url=target.shown_url), _OTHER_TARGET)
    whole: dict[str, Checksum] = {table.name: Checksum() for table in s.metadata.sorted_tables}
    with source.reading() as reading:
        for table in s.OF_NO_RUN:  # first: runs refer to them
            whole[table.name].add_all(_copied_table(reading, target, table))
        for ids in _run_ids(reading):
            for table_name, checksum in _copied_runs(reading, target, ids):
                whole[table_name].add_all(checksum)
    tables = tuple(CopiedTable(name, checksum.rows, str(checksum)) for name, checksum in whole.items())
    return CopyReport(whole[s.run.name].rows, tables)


def _is_same(source: Store, target: Store) -> bool:
    names = source.engine.dialect.name, target.engine.dialect.name
    if names == ("sqlite", "sqlite"):
        files = [sqlite_file(str(store.engine.url)) for store in (source, target)]
        if files[0] is None or files[1] is None:
            return source.engine is target.engine
        return files[0].samefile(files[1])
    if names != ("postgresql", "postgresql"):
        return False
    # Host names and poolers have many names for one server; an advisory lock holds in one database only.
    key = secrets.randbits(62)
    with source.reading() as one, target.reading() as other:
        one.execute(select(func.pg_advisory_xact_lock(key)))
        return not other.execute(select(func.pg_try_advisory_xact_lock(key))).scalar()


def _run_ids(reading: Connection) -> Iterator[list[str]]:
    last = ""
    while True:
        some = select(s.run.c.id).where(s.run.c.id > last).order_by(s.run.c.id).limit(_RUNS_AT_ONCE)
        ids = list(reading.execute(some).scalars())
        if not ids:
            return
        yield ids
        last = ids[-1]


def _copied_runs(reading: Connection, target: Store, ids: Sequence[str]) -> list[tuple[str, Checksum]]:
    """Copy some runs in one transaction and read them back."""
    sent = Checksums()
    try:
        with target.writing() as writing:
            writing.execute(delete(s.run).where(s.run.c.id.in_(ids)))
            for table in (s.run, *s.WITH_RUN_ID):
                for rows in _portions(reading, table, _of_runs(table, ids)):
                    _count(sent, table, rows)
                    writing.execute(insert(table), [dict(row) for row in rows])
    except UnfitRecordError as error:
        if len(ids) > 1:  # whose fault it is shows when they go one by one
            return [part for run_id in ids for part in _copied_runs(reading, target, [run_id])]
        message = _RUN_REFUSED.format(run=ids[0], url=target.shown_url, reason=error.message)
        raise StoreError(message, _LEAVE_OUT.format(run=ids[0])) from error
    arrived = Checksums()
    with target.reading() as back:
        for table in (s.run, *s.WITH_RUN_ID):
            for rows in _portions(back, table, _of_runs(table, ids)):
                _count(arrived, table, rows)
    _compare(sent, arrived, target)
    return [(table, checksum) for (table, _), checksum in sent.items()]


def _copied_table(reading: Connection, target: Store, table: Table) -> Checksum:
    """Copy a table that knows no runs, and read those rows back."""
    keys = [column.name for column in table.primary_key]
    is_it = and_(*(table.c[name] == bindparam(f"of_{name}") for name in keys))
    sent, arrived = Checksums(), Checksums()
    for rows in _portions(reading, table, select(table)):
        _count(sent, table, rows)
        found = [{f"of_{name}": row[name] for name in keys} for row in rows]
        with target.writing() as writing:
            writing.execute(delete(table).where(is_it), found)
            writing.execute(insert(table), [dict(row) for row in rows])
        with target.reading() as back:
            for key in found:
                _count(arrived, table, back.execute(select(table).where(is_it), key).mappings().all())
    _compare(sent, arrived, target)
    return sent.of_table(table.name)


def _of_runs(table: Table, ids: Sequence[str]) -> Select[Any]:
    return select(table).where((table.c.id if table is s.run else table.c.run_id).in_(ids))


def _portions(connection: Connection, table: Table, statement: Select[Any]) -> Iterator[Sequence[RowMapping]]:
    try:
        found = connection.execute(statement, execution_options={"yield_per": _ROWS_AT_ONCE})
        yield from found.mappings().partitions()
    except (SQLAlchemyError, ValueError) as error:  # ValueError: damaged JSON
        reason = reason_of(error)
        raise StoreError(
            _UNREADABLE.format(table=table.name, url=shown(connection.engine), reason=reason), _CHECK
        ) from error


def _count(checksums: Checksums, table: Table, rows: Sequence[RowMapping]) -> None:
    name = "id" if table is s.run else "run_id" if "run_id" in table.c else None
    for row in rows:
        checksums[table.name, row[name] if name else ""].add(row)


def _compare(sent: Checksums, arrived: Checksums, target: Store) -> None:
    for table, run_id in sorted(sent.keys() | arrived.keys()):
        wanted, found = sent[table, run_id], arrived[table, run_id]
        if wanted != found:
            where = _OF_RUN.format(run=run_id) if run_id else Text(de="", en="")
            message = _DIFFERS.format(
                table=table, where=where, rows=found.rows, expected=wanted.rows, found=found, wanted=wanted
            )
            raise StoreError(message, _REPEAT.format(url=target.shown_url))
