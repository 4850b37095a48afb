"""Copying everything from one database into another, run by run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from greenai.store import schema as s

if TYPE_CHECKING:
    from greenai.store.store import Store


def copy_all(source: Store, target: Store) -> int:
    """Copy all runs with samples, tags and footprints, chosen baselines and batch jobs; return the number of runs.

    Runs that the target has already are replaced, so that a broken copy can be repeated.

    Raises:
        StoreError: One of the databases refuses.
    """
    with source.reading() as reading:
        ids = [row[0] for row in reading.execute(select(s.run.c.id))]
        for run_id in ids:
            with target.writing() as writing:
                writing.execute(delete(s.run).where(s.run.c.id == run_id))
                for table, column in (
                    (s.run, s.run.c.id),
                    *((t, t.c.run_id) for t in (*s.OF_RUN, s.footprint, s.run_tag)),
                ):
                    found = reading.execute(select(table).where(column == run_id)).mappings().all()
                    if found:
                        writing.execute(insert(table), [dict(row) for row in found])
        baselines = reading.execute(select(s.baseline)).mappings().all()
        jobs = reading.execute(select(s.slurm_job)).mappings().all()
    with target.writing() as writing:
        for row in jobs:
            same = [s.slurm_job.c[name] == row[name] for name in ("cluster", "job_id", "started_ms")]
            writing.execute(delete(s.slurm_job).where(*same))
            writing.execute(insert(s.slurm_job).values(dict(row)))
        for row in baselines:
            writing.execute(delete(s.baseline).where(s.baseline.c.task == row["task"]))
            writing.execute(insert(s.baseline).values(dict(row)))
    return len(ids)
