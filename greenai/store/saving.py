"""Writes runs: many at once where there are many, each with as few statements as one alone."""

from __future__ import annotations

import time
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from greenai.store import rows
from greenai.store import schema as s

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Table

    from greenai.core.channel import Channel
    from greenai.core.events import Metric
    from greenai.core.record import RunRecord
    from greenai.store.chunks import Chunk

    Channels = Sequence[tuple[Channel, Iterable[Chunk]]]

_CHUNKS_AT_ONCE = 500  # 2 MB
_KEY = "of_id"


def write_runs(connection: Connection, runs: Sequence[tuple[RunRecord, Channels]]) -> None:
    """Write runs, replacing what was known of them; see ``Store.save``."""
    known = _put_runs(connection, [rows.run_values(record) for record, _ in runs])
    if known:
        for table in s.OF_RUN:
            connection.execute(delete(table).where(table.c.run_id.in_(known)))
    parts: dict[Table, list[dict[str, Any]]] = {}
    for record, channels in runs:
        for table, values in _parts(record, channels):
            ordered = ({"run_id": record.id, "ordinal": n, **row} for n, row in enumerate(values))
            parts.setdefault(table, []).extend(ordered)
    for table, found in parts.items():
        put(connection, table, found)
    for record, channels in runs:
        chunks = _chunk_rows(record.id, (chunks for _, chunks in channels))
        while some := list(islice(chunks, _CHUNKS_AT_ONCE)):
            put(connection, s.sample_chunk, some)


def _put_runs(connection: Connection, values: Sequence[dict[str, Any]]) -> set[str]:
    """Write rows of table ``run``, whether they are there already or not; return the ids of those that were."""
    ids = [row["id"] for row in values]
    known = set(connection.execute(select(s.run.c.id).where(s.run.c.id.in_(ids))).scalars())
    _replace(connection, [row for row in values if row["id"] in known])
    new = [row for row in values if row["id"] not in known]
    if not new:
        return known
    try:
        with connection.begin_nested():
            connection.execute(insert(s.run), new)
    except IntegrityError:
        # Another process has taken one of the runs in meanwhile; if not, a record itself is at fault.
        if len(new) > 1:
            return known.union(*(_put_runs(connection, [row]) for row in new))
        if not _replace(connection, new):
            raise
        return known | {new[0]["id"]}
    return known


def put(connection: Connection, table: Table, values: list[dict[str, Any]]) -> None:
    """Write rows, if there are any."""
    if values:
        connection.execute(insert(table), values)


def now_ms() -> int:
    """Return the time, epoch milliseconds."""
    return time.time_ns() // 1_000_000


def _replace(connection: Connection, values: Sequence[dict[str, Any]]) -> int:
    """Write rows that are there; return how many are, where there is but one."""
    if not values:
        return 0
    names = [name for name in values[0] if name != "id"]
    statement = (
        update(s.run).where(s.run.c.id == bindparam(_KEY)).values({name: bindparam(name) for name in names})
    )
    given = [{_KEY: row["id"], **{name: row[name] for name in names}} for row in values]
    return connection.execute(statement, given[0] if len(given) == 1 else given).rowcount


def _parts(record: RunRecord, channels: Channels) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
    pairs = zip(record.energy.channels, channels, strict=True)
    yield s.channel, [rows.channel_values(row, channel) for row, (channel, _) in pairs]
    yield s.window, [rows.window_values(window) for window in record.windows]
    yield s.metric, [_values(metric) for metric in record.metrics]
    yield s.incident, [rows.incident_values(incident) for incident in record.incidents]
    yield s.request_total, [asdict(record.requests)] if record.requests else []
    yield s.service_hour, [asdict(hour) for hour in record.hours]


def _chunk_rows(run_id: str, channels: Iterable[Iterable[Chunk]]) -> Iterator[dict[str, Any]]:
    for index, chunks in enumerate(channels):
        for ordinal, chunk in enumerate(chunks):
            yield {"run_id": run_id, "channel": index, "ordinal": ordinal, **_values(chunk)}


def _values(row: Metric | Chunk) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}
