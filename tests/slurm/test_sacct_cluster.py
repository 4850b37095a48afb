"""``greenai slurm import`` on a real cluster: what sacct says, and a tracked run beside it."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from greenai.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

    from .cluster import Cluster

pytestmark = pytest.mark.slow

GREENAI = f"{sys.executable} -c 'from greenai.cli.main import main; main()'"


def imported(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert run(["slurm", "import", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_jobs_are_imported_with_the_energy_of_their_nodes(
    cluster: Cluster, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two nodes for six seconds, a collector beside the user's step, a failure, and a name that is a nuisance."""
    since = time.strftime("%Y-%m-%dT%H:%M:%S")
    two = cluster.sbatch("srun -N2 -n2 sleep 6", "-N2", "--exclusive", "-Jtwo")
    beside = cluster.sbatch(
        "srun --overlap --mem=0 -n2 --ntasks-per-node=1 -Jgreenai-collect --input=none sleep 7 &\n"
        "srun --overlap -n2 -Jtrain sleep 6\nwait",
        "-N2", "--exclusive", "-Ja|b\nc",
    )  # fmt: skip
    failed = cluster.sbatch("sleep 2; exit 3", "-n1")
    states = [cluster.wait(job) for job in (two, beside, failed)]
    assert states == ["COMPLETED", "COMPLETED", "FAILED"]
    data = imported(capsys, "--since", since, "--jobs", f"{two},{beside},{failed}")
    assert data["quarantined"] == []
    records = {record["slurm"]["job_id"]: record for record in data["runs"]}
    for job in (two, beside):
        truth_w = sum(cluster.watts[node] for node in records[job]["hosts"])
        assert records[job]["energy"]["total_j"] == pytest.approx(truth_w * 6, abs=truth_w), "whole seconds"
        assert records[job]["energy"]["quality"] == "measured"
    assert records[beside]["slurm"]["accounting"]["energy_j"] > 1.8 * records[beside]["energy"]["total_j"]
    assert records[failed]["energy"]["quality"] == "allocated", "one of four CPUs"
    assert [(one["job_id"], one["exit_code"]) for one in data["failed"]] == [(failed, 3)]
    assert imported(capsys, "--jobs", f"{two},{beside},{failed}")["added"] == 0


def test_both_attempts_of_a_requeued_job(
    cluster: Cluster, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = cluster.sbatch("[ $SLURM_RESTART_COUNT ] || srun sleep 60", "--requeue", "-n1")
    deadline_s = time.monotonic() + 20
    while cluster.state(job) != "RUNNING" and time.monotonic() < deadline_s:
        time.sleep(0.1)
    time.sleep(3)
    cluster.run("scontrol", "requeue", job)
    assert cluster.wait(job, 90) == "COMPLETED"
    data = imported(capsys, "--jobs", job)
    assert [record["slurm"]["restart_count"] for record in data["runs"]] == ["0", "1"]
    assert [record["state"] for record in data["runs"]] == ["killed", "completed"]
    assert [record["slurm"]["accounting"]["state"] for record in data["runs"]] == ["REQUEUED", "COMPLETED"]


def test_a_tracked_run_beside_its_accounting(
    cluster: Cluster, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = cluster.sbatch(f"{GREENAI} run -- srun sleep 12", "-N1", "--exclusive")
    assert cluster.wait(job) == "COMPLETED"
    data = imported(capsys, "--jobs", job)
    assert data["runs"] == []
    (compared,) = data["reconciled"]
    assert (compared["state"], compared["slurm_state"]) == ("completed", "COMPLETED")
    assert compared["difference_j"] == pytest.approx(compared["slurm_energy_j"] - compared["nodes_energy_j"])
    assert abs(compared["difference_rel"]) < 0.2, "Slurm's job is longer: it begins before greenai does"
