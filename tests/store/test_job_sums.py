"""Sums over batch jobs: the same in each kind of database."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from greenai.core.batch_job import BatchJob
from greenai.core.vocabulary import RunState
from greenai.store.job_sums import JobLabels, job_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.record import RunRecord
    from greenai.store import Store

HOUR_MS = 3_600_000


def test_attempts_are_one_job_and_reused_numbers_are_several(
    store: Store, save: Callable[..., RunRecord], bare: RunRecord
) -> None:
    attempts = [  # run, hours, restart count, cluster, how it ended
        ("a0", 0, 0, "c", RunState.KILLED),
        ("a1", 1, 1, "c", RunState.COMPLETED),
        ("b0", 2, 0, "c", RunState.FAILED),  # the number again
        ("b0-too", 2, 0, None, RunState.COMPLETED),  # of the same attempt, does not say its cluster
    ]
    for run_id, hours, restart, cluster, state in attempts:
        began_ms = bare.started_ms + hours * HOUR_MS
        energy = replace(bare.energy, total_j=10.0, measured_share=1.0)
        facts = {"job_id": "7", "restart_count": str(restart), "account": "phys"}
        facts |= {"cluster": cluster} if cluster else {}
        job = BatchJob("c", "7", restart, "x", "COMPLETED", partition="gpu", start_ms=began_ms)
        run = replace(bare, id=run_id, started_ms=began_ms, duration_s=60.0, energy=energy, slurm=facts)
        save(store, replace(run, state=state, accounting=job))
    sums = job_sums(store, by_user=False).by_labels
    assert list(sums) == [JobLabels("c", "gpu", "phys", "")]
    (found,) = sums.values()
    assert found.jobs == {"completed": 1, "failed": 1}
    assert (sum(found.energy_j.values()), found.failed_j, found.measured_j) == (40.0, 30.0, 40.0)
