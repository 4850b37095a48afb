"""Batch jobs in the database, and the runs that belong to them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import JSON, Column, MetaData, Table, insert, inspect, select

from greenai.core.batch_job import BatchJob, BatchStep, JobResources
from greenai.core.vocabulary import RunState
from greenai.store import jobs, open_store
from greenai.store import schema as s
from greenai.store.copy import copy_all
from greenai.store.engine import connect, upgrade

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Engine

    from greenai.core.record import RunRecord
    from greenai.store import Store

JOB = BatchJob(
    "c1", "7", 1, "größer 😀", "TIMEOUT", user="mia", start_ms=5, end_ms=2_000_000_000_000, elapsed_s=4, nodes="n[1-2]",
    allocated=JobResources(8, 2**40, 2, {"a100": 4, "": 1}), energy_j=1.5,
    steps=(BatchStep("0", "a", "COMPLETED", 0, energy_j=0.1 + 0.2),),
)  # fmt: skip
FACTS = {"job_id": "7", "cluster": "c1", "restart_count": "1"}


def test_what_is_read_is_what_was_saved(store: Store, save: Callable[..., RunRecord], full: RunRecord) -> None:
    jobs.save_jobs(store, [replace(JOB, state="RUNNING"), replace(JOB, job_id="8")])
    jobs.save_jobs(store, [JOB])
    record = replace(full, slurm=FACTS)
    assert jobs.job_of(store, record) == JOB
    save(store, jobs.accounted(store, record))
    assert store.record(record.id) == replace(record, accounting=JOB)


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        (FACTS, True),
        ({"job_id": "7", "restart_count": "1"}, True),
        ({**FACTS, "cluster": "c2"}, False),
        ({**FACTS, "restart_count": "0"}, False),
        ({"job_id": "7", "cluster": "c1"}, False),
        ({"job_id": "x" * 99}, False),
        ({}, False),
        (None, False),
    ],
)
def test_which_attempt_a_run_is_of(
    store: Store, full: RunRecord, facts: dict[str, str] | None, found: bool
) -> None:
    jobs.save_jobs(store, [JOB])
    assert (jobs.job_of(store, replace(full, slurm=facts)) is not None) is found


def test_an_attempt_that_was_counted_too_low_is_known_by_its_time(store: Store, full: RunRecord) -> None:
    began_ms = full.started_ms
    second = replace(JOB, restart_count=0, start_ms=began_ms - 1000)
    first = replace(JOB, restart_count=0, start_ms=began_ms - 9000, end_ms=began_ms - 7000)
    jobs.save_jobs(store, [first, second])
    assert jobs.job_of(store, replace(full, slurm=FACTS)) == replace(second, restart_count=1)


def test_a_number_that_is_used_again_does_not_replace_the_old_job(store: Store, full: RunRecord) -> None:
    old, new = replace(JOB, end_ms=9), replace(JOB, start_ms=full.started_ms)
    jobs.save_jobs(store, [old])
    jobs.save_jobs(store, [new])
    assert sorted(job.end_ms or 0 for job in jobs.stored_jobs(store, ["7"])) == [9, JOB.end_ms]
    assert jobs.job_of(store, replace(full, slurm=FACTS)) == new
    assert old.imported_run_id != new.imported_run_id


def test_of_two_clusters_nobody_can_tell(store: Store, full: RunRecord) -> None:
    jobs.save_jobs(store, [JOB, replace(JOB, cluster="c2")])
    assert jobs.job_of(store, replace(full, slurm={"job_id": "7", "restart_count": "1"})) is None


def test_accounting_is_put_on_a_stored_run(store: Store, save: Callable[..., RunRecord], full: RunRecord) -> None:
    lost = replace(full, state=RunState.LOST, exit_code=None, ended_ms=None, slurm=FACTS)
    save(store, lost, [(1000, 2)])
    (tracked,) = jobs.tracked_runs(store, ["7", "9"])
    jobs.put_accounting(store, tracked, JOB)
    found = store.record(lost.id)
    assert (found.state, found.ended_ms, found.accounting) == (RunState.KILLED, JOB.end_ms, JOB)
    assert found.energy == lost.energy
    assert len(next(store.samples(lost.id))[2]) == 1


def test_what_the_accounting_reveals_is_kept_once(
    store: Store, save: Callable[..., RunRecord], full: RunRecord
) -> None:
    """The collector died, the job went on: the run is incomplete, however often that is found."""
    lost = replace(full, state=RunState.LOST, exit_code=None, ended_ms=full.started_ms + 4000, slurm=FACTS)
    job = replace(JOB, state="COMPLETED", exit_code=0, start_ms=full.started_ms, end_ms=full.started_ms + 16_000)
    save(store, lost)
    jobs.save_jobs(store, [job])
    first = jobs.put_accounting(store, lost, job)
    assert len(first.incidents) == len(lost.incidents) + 1
    assert store.record(lost.id) == first
    assert jobs.put_accounting(store, store.record(lost.id), job) == first
    assert store.record(lost.id) == first
    save(store, jobs.accounted(store, lost))
    assert store.record(lost.id).incidents == first.incidents, "taken in again"


def test_an_imported_run_gives_way(store: Store, save: Callable[..., RunRecord], full: RunRecord) -> None:
    imported = replace(full, id=JOB.imported_run_id, slurm=FACTS, accounting=JOB)
    save(store, imported)
    jobs.remove_imported(store, imported)
    assert jobs.digests(store, [imported.id]), "not by itself"
    assert jobs.tracked_runs(store, ["7"]) == []
    jobs.remove_imported(store, replace(full, slurm=FACTS, accounting=JOB))
    assert not jobs.digests(store, [imported.id])


def test_jobs_are_copied(store: Store, tmp_path: Path, full: RunRecord) -> None:
    jobs.save_jobs(store, [JOB])
    with closing(open_store(f"sqlite:///{tmp_path / 'target.db'}")) as target:
        copy_all(store, target)
        copy_all(store, target)
        assert jobs.job_of(target, replace(full, slurm=FACTS)) == JOB


def _migrate(engine: Engine, revision: str) -> None:
    with as_file(files("greenai.store") / "migrations") as folder, engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


_JSON = ("hosts", "tags", "slurm", "environment", "site")


def _run_of_0003(number: int, slurm: Any) -> dict[str, Any]:
    return {
        "id": f"run-{number}", "name": "Lauf", "state": "completed", "started_ms": number, "year_month": 202611,
        "duration_s": 1.0, "units": 0.0, "scope": "machine", "journal_lines": 1, "journal_bad_lines": 0,
        "journal_sha256": "abc", "hosts": [], "tags": {}, "slurm": slurm, "environment": {}, "site": {},
    }  # fmt: skip


def test_the_jobs_of_earlier_runs_are_found(shared_url: str) -> None:
    """A filled database of version 0003 is upgraded: each run knows its job, and says the same as before."""
    engine = connect(shared_url)
    _migrate(engine, "0003")
    rows = [
        _run_of_0003(n, slurm) for n, slurm in enumerate([FACTS, None, {}, {"job_id": "x" * 99}, {"job_id": 7}])
    ]
    run = Table("run", MetaData(), *(Column(name, JSON if name in _JSON else None) for name in rows[0]))
    with engine.begin() as connection:
        connection.execute(insert(run), rows)
    upgrade(engine)
    with engine.connect() as connection:
        found = connection.execute(
            select(s.run.c.id, s.run.c.slurm_job_id, s.run.c.slurm).order_by(s.run.c.id)
        ).all()
    assert [row[1] for row in found] == ["7", None, None, None, None]
    assert [row[2] for row in found] == [row["slurm"] for row in rows]
    assert "ix_run_slurm_job_id" in {index["name"] for index in inspect(engine).get_indexes("run")}
    engine.dispose()
    with closing(open_store(shared_url)) as store:
        assert [record.id for record in jobs.tracked_runs(store, ["7"])] == ["run-0"]
