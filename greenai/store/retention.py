"""Dropping old raw samples. What was computed from them stays, with the date on which they went."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, func, select, update

from greenai.core.vocabulary import RunState
from greenai.store import schema as s
from greenai.store.saving import now_ms

if TYPE_CHECKING:
    from greenai.store.store import Store

_RUNS_AT_ONCE = 200  # so that others who write wait for tenths of a second at most


class Dropped(NamedTuple):
    """How many samples went, and of how many runs."""

    runs: int
    samples: int


def drop_samples(store: Store, ended_before_ms: int) -> Dropped:
    """Drop the raw samples of runs that ended before a moment, some hundred runs in one transaction.

    Args:
        store: The database.
        ended_before_ms: The moment, epoch milliseconds.

    Raises:
        StoreError: The database refuses; what was dropped until then stays dropped, and can be gone on with.
    """
    runs = samples = 0
    of_run = s.sample_chunk.c.run_id == s.run.c.id
    old = (s.run.c.ended_ms < ended_before_ms) & (s.run.c.state != RunState.RUNNING.value)
    some = select(s.run.c.id).where(old, select(1).where(of_run).exists()).limit(_RUNS_AT_ONCE)
    while True:
        with store.writing() as connection:
            ids = connection.execute(some).scalars().all()
            if not ids:
                return Dropped(runs, samples)
            chosen = s.sample_chunk.c.run_id.in_(ids)
            samples += connection.execute(select(func.sum(s.sample_chunk.c.count)).where(chosen)).scalar_one()
            runs += len(ids)
            connection.execute(delete(s.sample_chunk).where(chosen))
            connection.execute(update(s.run).where(s.run.c.id.in_(ids)).values(samples_dropped_ms=now_ms()))
