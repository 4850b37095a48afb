"""SQL for the read side: filters, order and batches. Column names never come from outside."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from greenai.core.views import SORTABLE
from greenai.store import schema as s
from greenai.store.rows import to_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, RowMapping, Select

    from greenai.core.record import RunRecord
    from greenai.core.views import RunQuery

BATCH = 500


def filtered(query: RunQuery) -> Select[Any]:
    """Return the runs a query asks for, without order and limits."""
    statement = select(s.run)
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


def page(query: RunQuery) -> Select[Any]:
    """Return the stretch of runs a query asks for, in its order; unknown values last, ties by id."""
    column = s.run.c[query.sort if query.sort in SORTABLE else "started_ms"]
    order = column.desc() if query.descending else column.asc()
    statement = filtered(query).order_by(column.is_(None), order, s.run.c.id.desc())
    if query.limit is not None:
        statement = statement.limit(query.limit)
    return statement.offset(query.offset) if query.offset else statement


def count(query: RunQuery) -> Select[Any]:
    """Return the number of runs a query asks for."""
    return select(func.count()).select_from(filtered(query).subquery())


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
        footprints = _by_run(
            connection, select(s.footprint).where(s.footprint.c.run_id.in_(ids)).order_by(s.footprint.c.version)
        )
        tags = _by_run(connection, select(s.run_tag).where(s.run_tag.c.run_id.in_(ids)))
        result += [
            to_record(
                row,
                {name: of_runs[row["id"]] for name, of_runs in parts.items()},
                footprints[row["id"]][-1] if footprints[row["id"]] else None,
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
