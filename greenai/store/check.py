"""Looking for damage in a database: each finding names table and run, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from greenai.core.errors import StoreError
from greenai.core.text import Text
from greenai.store import query as q
from greenai.store import schema as s
from greenai.store.check_schema import schema_damage
from greenai.store.chunks import decode
from greenai.store.engine import ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, RowMapping

    from greenai.core.record import RunRecord
    from greenai.store.store import Store

_RUNS_AT_ONCE = 200
_CHUNKS_AT_ONCE = 200
_MOST_PAGES = 20  # of a broken file; more are no news
_NS_PER_MS = 1_000_000
_EQUAL_REL = 1e-9  # sums of floats in another order

_FILE = Text(de="Die Datei ist beschädigt: {reason}", en="The file is damaged: {reason}")
_RESTORE = Text(
    de="Eine Sicherung zurückspielen (docs/database.md), dann: greenai ingest",
    en="Put a backup back (docs/database.md), then: greenai ingest",
)
_UNREADABLE = Text(de="nicht lesbar: {reason}", en="cannot be read: {reason}")
_NO_PARENT = Text(
    de="{count} Zeilen gehören zu einem Lauf, den es nicht gibt",
    en="{count} rows belong to a run that does not exist",
)
_DELETE_ROWS = Text(
    de="Die verwaisten Zeilen löschen: DELETE FROM {table} WHERE run_id = '{run}'",
    en="Delete the orphaned rows: DELETE FROM {table} WHERE run_id = '{run}'",
)
_TOTAL = Text(
    de="die Summe ist {total} J, die gezählten Kanäle ergeben {channels} J",
    en="the total is {total} J, the counted channels add up to {channels} J",
)
_CHUNK = Text(
    de="Proben {ordinal} von Kanal {channel}: {reason}", en="samples {ordinal} of channel {channel}: {reason}"
)
_TIMES = Text(
    de="Anfang und Ende sind nicht die der Proben",
    en="begin and end are not those of the samples",
)
_HOLE = Text(de="das Stück davor fehlt", en="the stretch before is missing")
_NO_CHANNEL = Text(de="den Kanal gibt es nicht", en="there is no such channel")


@dataclass(frozen=True, slots=True)
class Damage:
    """One finding.

    Attributes:
        table: Where it is; None if it is the whole file.
        run_id: Of which run; None if it is of none, or of all.
        what: What is wrong.
        remedy: What mends it.
    """

    table: str | None
    run_id: str | None
    what: Text
    remedy: Text


def damage(store: Store, take_in_again: Callable[[str], Text]) -> Iterator[Damage]:
    """Look through everything there is and return what is wrong, as it is found.

    A database that is written to meanwhile is looked at as it stood at one moment.

    Args:
        store: The database.
        take_in_again: Says of a run how it is taken in again from its journals.

    Raises:
        SchemaTooOldError: It needs ``greenai db upgrade``.
        StoreError: It cannot be reached.
    """
    if store.engine.dialect.name == "sqlite":
        broken = _file_damage(store)
        yield from broken
        if broken:
            return  # what else is found in a broken file is a consequence of it
    ready(store.engine)
    with store.reading() as connection:
        lacks = list(schema_damage(connection))
        yield from (Damage(lack.table, None, lack.what, lack.remedy) for lack in lacks)
        if any(lack.is_structure for lack in lacks):
            return  # no row can be read
        for find in (_orphans, _bad_runs, _bad_chunks):
            yield from find(connection, take_in_again)


def _file_damage(store: Store) -> list[Damage]:
    """Let SQLite look through its file: pages, indexes, NOT NULL."""
    try:
        with store.reading() as connection:
            found = connection.execute(text(f"PRAGMA integrity_check({_MOST_PAGES})")).scalars().all()
    except StoreError as error:
        found = [error.message]
    return [Damage(None, None, _FILE.format(reason=reason), _RESTORE) for reason in found if reason != "ok"]


def _orphans(connection: Connection, _take_in_again: Callable[[str], Text]) -> Iterator[Damage]:
    for table in s.WITH_RUN_ID:
        is_known = select(s.run.c.id).where(s.run.c.id == table.c.run_id).exists()
        of_none = select(table.c.run_id, func.count()).where(~is_known).group_by(table.c.run_id)
        for run_id, count in connection.execute(of_none):
            remedy = _DELETE_ROWS.format(table=table.name, run=run_id)
            yield Damage(table.name, run_id, _NO_PARENT.format(count=count), remedy)


def _bad_runs(connection: Connection, take_in_again: Callable[[str], Text]) -> Iterator[Damage]:
    """Read every record: values that are none, and totals that are not the sum of their channels."""
    for ids in _portions(connection):
        try:
            records = _records(connection, ids)
        except _NOT_READABLE:  # whose fault it is shows one by one
            records = []
            for run_id in ids:
                try:
                    records += _records(connection, [run_id])
                except _NOT_READABLE as error:
                    remedy = take_in_again(run_id)
                    yield Damage(s.run.name, run_id, _UNREADABLE.format(reason=repr(error)), remedy)
        for record in records:
            what = _total_damage(record)
            if what is not None:
                yield Damage(s.run.name, record.id, what, take_in_again(record.id))


# What a value that is none leads to when a record is made of it. ValueError: JSON, and words of a vocabulary.
_NOT_READABLE = (ValueError, TypeError, KeyError, AttributeError)


def _portions(connection: Connection) -> Iterator[Sequence[str]]:
    last = ""
    while True:
        some = select(s.run.c.id).where(s.run.c.id > last).order_by(s.run.c.id).limit(_RUNS_AT_ONCE)
        ids = connection.execute(some).scalars().all()
        if not ids:
            return
        yield ids
        last = ids[-1]


def _records(connection: Connection, ids: Sequence[str]) -> list[RunRecord]:
    rows = connection.execute(select(s.run).where(s.run.c.id.in_(ids))).mappings().all()
    return q.records(connection, rows)


def _total_damage(record: RunRecord) -> Text | None:
    counted = [row.energy_j for row in record.energy.channels if row.counted and row.energy_j is not None]
    total_j, sum_j = record.energy.total_j, sum(counted) if counted else None
    if total_j is None or sum_j is None:
        fits = total_j is sum_j
    else:
        fits = isclose(total_j, sum_j, rel_tol=_EQUAL_REL, abs_tol=_EQUAL_REL)
    return None if fits else _TOTAL.format(total=total_j, channels=sum_j)


def _bad_chunks(connection: Connection, take_in_again: Callable[[str], Text]) -> Iterator[Damage]:
    """Unpack all samples; of each run the first damage is said."""
    chunk = s.sample_chunk
    with_channel = chunk.outerjoin(
        s.channel, (s.channel.c.run_id == chunk.c.run_id) & (s.channel.c.ordinal == chunk.c.channel)
    )
    columns = (*chunk.c, s.channel.c.ordinal.label("known_channel"))
    in_order = select(*columns).select_from(with_channel).order_by(*chunk.primary_key)
    said = before = None
    for row in connection.execute(in_order, execution_options={"yield_per": _CHUNKS_AT_ONCE}).mappings():
        run_id, here = row["run_id"], (row["run_id"], row["channel"])
        expected = before[1] + 1 if before is not None and before[0] == here else 0
        before = (here, row["ordinal"])
        if run_id == said:
            continue
        reason = _chunk_damage(row, expected)
        if reason is not None:
            said = run_id
            what = _CHUNK.format(ordinal=row["ordinal"], channel=row["channel"], reason=reason)
            yield Damage(chunk.name, run_id, what, take_in_again(run_id))


def _chunk_damage(row: RowMapping, expected_ordinal: int) -> Text | None:
    if row["known_channel"] is None:
        return _NO_CHANNEL
    if row["ordinal"] != expected_ordinal:
        return _HOLE
    try:
        samples = decode(row["data"], row["count"])
    except ValueError as error:
        return _UNREADABLE.format(reason=error)
    ends_ms = [samples[index][0] // _NS_PER_MS for index in (0, -1)] if samples else []
    return None if ends_ms == [row["first_ms"], row["last_ms"]] else _TIMES
