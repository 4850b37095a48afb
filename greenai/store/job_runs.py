"""Which runs belong to a batch job, however it is named: by its number, or as an element of an array."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from greenai.store import query as q
from greenai.store import schema as s

if TYPE_CHECKING:
    from greenai.core.record import RunRecord
    from greenai.store.store import Store


def runs_of_job(store: Store, reference: str) -> list[RunRecord]:
    """Return the runs of a job, oldest first: all attempts, and all elements if it is an array.

    Args:
        store: The database.
        reference: Its number, ``123``, or an element of an array, ``123_4``. An array has the number of the
            element that started last.

    Raises:
        StoreError: The database cannot be read.
    """
    number, _, element = reference.partition("_")
    of_array = s.run.c.slurm["array_job_id"].as_string() == number
    if element:
        fits = of_array & (s.run.c.slurm["array_task_id"].as_string() == element)
    else:
        fits = or_(s.run.c.slurm_job_id == number, of_array)
    chosen = select(s.run).where(fits).order_by(s.run.c.started_ms, s.run.c.id)
    with store.reading() as connection:
        return q.records(connection, connection.execute(chosen).mappings().all())
