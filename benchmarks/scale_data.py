"""What the database is filled with to see how it does at scale."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import text

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.record import JournalFacts, RunRecord, Work
from greenai.core.run_energy import ChannelEnergy, Energy
from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    import random

    from greenai.store import Store

CHANNEL = Channel(
    id="rapl:package-0", collector="rapl", component=Component.CPU, kind=Kind.COUNTER, quality=Quality.MEASURED,
    device="package-0", host="n1", method="rapl_powercap", uncertainty_rel=0.05, max_power_uw=2_000_000_000,
)  # fmt: skip
_ROW = ChannelEnergy(
    id=CHANNEL.id, host="n1", component=Component.CPU, device="package-0", energy_j=3.0, low_j=2.0, high_j=4.0,
    quality=Quality.MEASURED, method=CHANNEL.method, uncertainty_rel=0.05, gap_s=0.0, counted=True, note=None,
)  # fmt: skip
_ENVIRONMENT = {"cpu": "AMD EPYC 7763 64-Core Processor", "cpus": 128, "kernel": "6.1.0", "packages": "x" * 200}


def small_run(run_id: str) -> RunRecord:
    """Return a run with one channel."""
    return RunRecord(
        id=run_id, name="net", project="churn", task="t", approach="ai", phase="training",
        state=RunState.COMPLETED, exit_code=0, error=None, started_ms=1_795_262_400_000,
        ended_ms=1_795_262_460_000, duration_s=60.0, hosts=("n1",), user="mia", git_commit=None, tags={},
        slurm=None, environment=dict(_ENVIRONMENT), energy=Energy(3.0, 2.0, 4.0, 1.0, "machine", 3.0, (_ROW,)),
        windows=(), work=Work(0.0, None, None), metrics=(), incidents=(), journal=JournalFacts(7, 0, "ab" * 32),
    )  # fmt: skip


def trace(noise: random.Random, count: int) -> tuple[list[int], list[int]]:
    """Return times (epoch ns) and counts (µJ) of a noisy counter at 1 Hz."""
    t_ns, energy_uj = 1_795_262_400_000_000_000, 0
    times_ns, counts_uj = [], []
    for _ in range(count):
        t_ns += 1_000_000_000 + noise.randrange(-3_000_000, 3_000_000)
        energy_uj += int(noise.gauss(150e6, 4e6)) // 1000 * 1000
        times_ns.append(t_ns)
        counts_uj.append(energy_uj)
    return times_ns, counts_uj


def fill_runs(store: Store, count: int) -> None:
    """Write runs by SQL alone, each value hashed of the run's number; every tenth is of unknown energy.

    Args:
        store: An open database.
        count: How many.
    """
    is_server = store.engine.dialect.name == "postgresql"
    numbers = (
        f"SELECT n FROM generate_series(1, {count}) AS n"
        if is_server
        else f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count}) SELECT n FROM c"
    )
    run_id = "lpad(CAST(n AS TEXT), 20, '0')" if is_server else "printf('%020d', n)"
    json_type = "JSONB" if is_server else "TEXT"
    values = {
        "id": run_id,
        "name": "'run ' || (h % 5000)",
        "project": "CASE WHEN h % 7 = 0 THEN NULL ELSE 'project ' || (h % 50) END",
        "task": "CASE WHEN h % 5 = 0 THEN NULL ELSE 'task ' || (h % 300) END",
        "approach": "CASE h % 3 WHEN 0 THEN 'ai' WHEN 1 THEN 'classical' END",
        "phase": "CASE h % 4 WHEN 0 THEN 'training' WHEN 1 THEN 'inference' END",
        "state": "CASE WHEN h % 9 = 0 THEN 'failed' ELSE 'completed' END",
        "exit_code": "0",
        "started_ms": "1735689600000 + h % 63072000000",
        "ended_ms": "1735689600000 + h % 63072000000 + 60000",
        "year_month": "202501 + (h % 24) / 12 * 100 + (h % 24) % 12",
        "duration_s": "(h % 100000) / 10.0",
        '"user"': "'user ' || (h % 200)",
        "units": "0.0",
        "total_j": "CASE WHEN h % 10 = 0 THEN NULL ELSE (h % 10000019) / 7.0 END",
        "low_j": "1.0",
        "high_j": "2.0",
        "measured_share": "1.0",
        "quality": "'measured'",
        "scope": "'machine'",
        "machine_total_j": "3.0",
        "location_g": "CASE WHEN h % 10 = 0 THEN NULL ELSE (h % 10000019) / 900.0 END",
        "journal_lines": "100",
        "journal_bad_lines": "0",
        "journal_sha256": "'abababababababababababababababababababababababababababababababab'",
        "hosts": f"CAST('[\"n1\"]' AS {json_type})",
        "tags": f"CAST('{{}}' AS {json_type})",
        "environment": f"CAST('{json.dumps(_ENVIRONMENT)}' AS {json_type})",
        "site": f"CAST('{{}}' AS {json_type})",
    }
    hashed = f"SELECT n, CAST(n AS BIGINT) * 2654435761 % 4294967291 AS h FROM ({numbers}) AS numbers"
    names, formulas = ", ".join(values), ", ".join(values.values())
    statement = f"INSERT INTO run ({names}) SELECT {formulas} FROM ({hashed}) AS hashed"
    with store.writing() as connection:
        connection.execute(text(statement.replace(":", "\\:")))
