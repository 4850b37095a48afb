"""SQL for the read side: filters, order and batches. Column names never come from outside."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from greenai.core.views import SORTABLE
from greenai.store import footprints
from greenai.store import schema as s
from greenai.store.rows import to_record, to_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, RowMapping, Select

    from greenai.core.record import RunRecord
    from greenai.core.views import RunQuery, RunRow

BATCH = 500


# What a table of runs shows; the other columns hold whole documents.
ROW_COLUMNS = tuple(
    s.run.c[name]
    for name in (
        "id", "name", "project", "task", "approach", "phase", "state", "started_ms", "duration_s", "total_j",
        "low_j", "high_j", "measured_share", "quality", "location_g", "units", "unit", "user",
    )
)  # fmt: skip
ALL_COLUMNS = tuple(s.run.c)


def filtered(columns: Sequence[ColumnElement[Any]], query: RunQuery) -> Select[Any]:
    """Return columns of the runs a query asks for, without order and limits."""
    statement = select(*columns)
    for name in ("project", "task", "approach", "phase", "state"):
        value = getattr(query, name)
        if value is not None:
            statement = statement.where(s.run.c[name] == value)
    if query.text:
        pattern = query.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        either = s.run.c.name.ilike(f"%{pattern}%", escape="\\") | s.run.c.id.ilike(f"%{pattern}%", escape="\\")
        statement = statement.where(either)
    if query.from_ms is not None:
        statement = statement.where(s.run.c.started_ms >= query.from_ms)
    if query.to_ms is not None:
        statement = statement.where(s.run.c.started_ms < query.to_ms)
    return statement


def page(
    connection: Connection, query: RunQuery, columns: Sequence[ColumnElement[Any]] = ROW_COLUMNS
) -> list[RowMapping]:
    """Return the stretch of runs a query asks for, in its order; unknown values last, ties by id.

    The known and the unknown are asked for one after the other: of both, an index on (column, id) gives the first
    hundred of a million at once, in either direction and in either database.
    """
    column = s.run.c[query.sort if query.sort in SORTABLE else "started_ms"]
    order = [each.desc() if query.descending else each.asc() for each in (column, s.run.c.id)]
    in_order = filtered([s.run.c.id], query).order_by(*order)

    def stretch(ids: Select[Any], limit: int | None, offset: int) -> list[RowMapping]:
        # The ids first, which the index alone knows: rows that are passed over need not be looked at.
        chosen = ids.limit(limit).offset(offset).subquery()
        rows = select(*columns).join(chosen, s.run.c.id == chosen.c.id).order_by(*order)
        return list(connection.execute(rows).mappings())

    known = in_order.where(column.is_not(None)) if column.nullable else in_order
    found = stretch(known, query.limit, query.offset)
    left = None if query.limit is None else query.limit - len(found)
    if not column.nullable or left == 0:
        return found
    offset = 0
    if query.offset and not found:
        before = filtered([func.count()], query).where(column.is_not(None))
        offset = max(query.offset - connection.execute(before).scalar_one(), 0)
    return found + stretch(in_order.where(column.is_(None)), left, offset)


def run_rows(connection: Connection, rows: Sequence[RowMapping]) -> list[RunRow]:
    """Rows of ``ROW_COLUMNS`` to lines of a table, with a fixed number of queries per batch."""
    result: list[RunRow] = []
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        in_force = footprints.newest(connection, [row["id"] for row in batch])
        result += [to_row(row, in_force[row["id"]][0] if row["id"] in in_force else None) for row in batch]
    return result


def count(query: RunQuery) -> Select[Any]:
    """Return the number of runs a query asks for."""
    return filtered([func.count()], query).select_from(s.run)


def records(connection: Connection, rows: Sequence[RowMapping]) -> list[RunRecord]:
    """Complete rows of ``run`` to records, with a fixed number of queries per batch."""
    result: list[RunRecord] = []
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        ids = [row["id"] for row in batch]
        parts = {
            table.name: _by_run(connection, select(table).where(table.c.run_id.in_(ids)).order_by(table.c.ordinal))
            for table in (s.channel, s.window, s.metric, s.incident, s.request_total, s.service_hour)
        }
        in_force = footprints.newest(connection, ids)
        tags = _by_run(connection, select(s.run_tag).where(s.run_tag.c.run_id.in_(ids)))
        result += [
            to_record(
                row,
                {name: of_runs[row["id"]] for name, of_runs in parts.items()},
                in_force.get(row["id"]),
                {tag["key"]: tag["value"] for tag in tags[row["id"]]},
            )
            for row in batch
        ]
    return result


def _by_run(connection: Connection, statement: Select[Any]) -> dict[str, list[RowMapping]]:
    found: dict[str, list[RowMapping]] = defaultdict(list)
    for row in connection.execute(statement).mappings():
        found[row["run_id"]].append(row)
    return found
