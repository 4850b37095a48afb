"""Jobs on a real cluster, submitted by ``greenai slurm submit``: every node's joules, whatever becomes of the job.

The nodes take constant watts, so the truth is known: watts times the time between a node's first and last reading.
Jobs are exclusive where the sum is to be the node's.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.units import NS_PER_S

from .cluster.processes import until

if TYPE_CHECKING:
    import subprocess

    from .cluster import Cluster

pytestmark = pytest.mark.slow

GREENAI = str(Path(sys.executable).with_name("greenai"))


def greenai(cluster: Cluster, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return cluster.run(GREENAI, *words, check=check)


def submit(cluster: Cluster, script: str, *options: str, arguments: tuple[str, ...] = ()) -> str:
    """Submit a script in the working folder; return the job's number."""
    path = Path.cwd() / "job.sh"
    path.write_text(f"#!/bin/bash\n#SBATCH --output=job-%j.out --open-mode=append\n{script}\n")
    place = f"--chdir={Path.cwd()}"
    done = greenai(cluster, "slurm", "submit", "--", "--parsable", place, *options, str(path), *arguments)
    assert "greenai slurm merge" in done.stderr
    return done.stdout.strip()


def output(job: str) -> str:
    path = Path.cwd() / f"job-{job}.out"
    return path.read_text() if path.exists() else ""


def merged(cluster: Cluster, job: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(greenai(cluster, "slurm", "merge", job, "--json").stdout)
    return found


def only_run(cluster: Cluster, job: str) -> dict[str, Any]:
    runs = merged(cluster, job)["runs"]
    assert len(runs) == 1
    run: dict[str, Any] = runs[0]
    return run


def reconciled(cluster: Cluster, job: str) -> dict[str, Any]:
    """What the accounting says beside the only run of a job."""
    found = json.loads(greenai(cluster, "slurm", "import", "--jobs", job, "--json").stdout)
    (compared,) = found["reconciled"]
    return dict(compared)


def node_energy_j(run: dict[str, Any], node: str) -> float:
    """What the node's own meter says, whoever it is billed to."""
    (channel,) = (
        c for c in run["energy"]["channels"] if c["host"] == node and c["component"] == "node" and c["counted"]
    )
    energy_j: float = channel["machine_energy_j"]
    return energy_j


def spans_s(run: dict[str, Any]) -> dict[str, float]:
    """How long each node was read, by its own journal."""
    folder = Path(os.environ["GREENAI_SPOOL"], run["id"])
    times: dict[str, list[float]] = {}
    for path in folder.glob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        marks = [line["t"] / 1e9 for line in lines if line["k"] in ("start", "tick", "stop")]
        times.setdefault(lines[0]["host"], []).extend(marks)
    return {host: max(marks) - min(marks) for host, marks in times.items()}


def assert_right(cluster: Cluster, run: dict[str, Any], *nodes: str) -> None:
    """Every node's joules are within 0.5 % of the truth; a counter of the tests is renewed each 20 ms."""
    assert run["hosts"] == sorted(nodes)
    for node, span_s in spans_s(run).items():
        watts = cluster.watts[node]
        assert node_energy_j(run, node) == pytest.approx(watts * span_s, rel=0.005, abs=0.04 * watts)


def codes(run: dict[str, Any]) -> list[str]:
    return [incident["code"] for incident in run["incidents"]]


def test_two_nodes_with_two_tasks_each_are_counted_once_per_node(cluster: Cluster, shared: Path) -> None:
    job = submit(
        cluster, 'echo "$1 $2"\nsrun bash -c "hostname; sleep 8"',
        "--exclusive", "-N2", "--ntasks-per-node=2", arguments=("a", "b c"),
    )  # fmt: skip
    assert cluster.wait(job) == "COMPLETED"
    run = only_run(cluster, job)
    nodes = sorted(set(output(job).splitlines()[1:]))
    assert output(job).splitlines()[0] == "a b c"
    assert len(nodes) == 2
    assert_right(cluster, run, *nodes)
    assert (run["state"], run["exit_code"], run["name"]) == ("completed", 0, "job.sh")
    assert run["duration_s"] == pytest.approx(8.2, abs=1)
    assert run["duration_s"] > int(cluster.accounting(job, "ElapsedRaw")[0]["ElapsedRaw"]) - 1.8  # whole seconds
    (step,) = run["windows"]
    assert (step["name"], step["duration_s"]) == ("step 1", pytest.approx(8.1, abs=0.8))
    total_j = sum(cluster.watts[node] for node in nodes) * step["duration_s"]
    assert step["energy_j"] == pytest.approx(total_j, rel=0.01)
    assert not {"node_missing", "node_late", "node_silent"} & set(codes(run))
    assert merged(cluster, job)["runs"] == [run]  # as often as one likes
    compared = reconciled(cluster, job)
    (beside,) = compared["steps"]
    assert beside["ours_j"] == step["energy_j"]
    assert beside["slurm_j"] == pytest.approx(beside["ours_j"], rel=0.05)  # Slurm asks at instants of its own
    assert (
        compared["slurm_job_energy_j"] > 1.8 * compared["slurm_energy_j"]
    )  # Slurm counts our collectors' step, too


@pytest.mark.parametrize("at_once", [False, True], ids=["srun sees it", "with its srun"])
def test_collectors_of_all_nodes_end_with_a_batch_step_that_is_killed(
    cluster: Cluster, shared: Path, at_once: bool
) -> None:
    with cluster.configured("KillWait=60"):
        job = submit(cluster, "sleep 300", "-N3")
        ticking = Path(os.environ["GREENAI_SPOOL"])
        until("three journals", lambda: sum('"tick"' in p.read_text() for p in ticking.glob("*/*.jsonl")) == 3, 30)
        if at_once:  # then srun cannot tell the collectors that nobody speaks to them any more
            cluster.run("pkill", "-STOP", "-f", "^[^ ]*srun .*greenai.slurm.collector")
        killed_ns = time.monotonic_ns()  # of all nodes: they are this machine's
        cluster.run("scancel", "--batch", "--signal=KILL", job)
        # A process that srun leaves behind may have Slurm kill the collectors before they have ended by themselves.
        assert cluster.wait(job, timeout_s=30) == "FAILED"
    for path in ticking.glob("*/*.jsonl"):
        last_ns = max(int(json.loads(line).get("t", 0)) for line in path.read_text().splitlines())
        assert last_ns > killed_ns - NS_PER_S
    run = only_run(cluster, job)
    assert (run["state"], len(run["hosts"])) == ("failed", 3)
    assert not {"node_missing", "node_silent"} & set(codes(run))


def test_a_script_that_goes_on_after_sigterm_is_measured_on_all_nodes_to_its_end(
    cluster: Cluster, shared: Path
) -> None:
    script = "trap : TERM\ntouch begun\nfor i in $(seq 50); do sleep 0.2; done"
    job = submit(cluster, script, "--exclusive", "-N2")
    until("its start", Path("begun").exists, timeout_s=30)
    cluster.run("scancel", "--signal=TERM", job)  # reaches the collectors
    cluster.run("scancel", "--batch", "--signal=TERM", job)
    assert cluster.wait(job) == "COMPLETED"
    run = only_run(cluster, job)
    assert (run["state"], len(run["hosts"])) == ("completed", 2)
    assert min(spans_s(run).values()) > 9
    assert_right(cluster, run, *run["hosts"])


def test_greenai_run_in_each_task_of_ones_own_srun_counts_each_node_once(cluster: Cluster, shared: Path) -> None:
    program = f"{GREENAI} run --quiet --scope machine -- sleep 6"
    job = cluster.sbatch(f"cd {shared}\nsrun {program}", "--exclusive", "-N2", "--ntasks-per-node=2")
    assert cluster.wait(job) == "COMPLETED"
    assert not cluster.output(job).strip()
    greenai(cluster, "ingest")
    (run,) = (r for r in json.loads(greenai(cluster, "runs", "export").stdout) if r["slurm"]["job_id"] == job)
    assert len(run["hosts"]) == 2
    watts = sum(cluster.watts[node] for node in run["hosts"])
    assert run["energy"]["total_j"] == pytest.approx(watts * run["duration_s"], rel=0.08)  # ranks begin apart
    assert run["energy"]["total_j"] < 1.2 * watts * run["duration_s"]


def test_programs_inside_a_submitted_job_are_parts_of_its_run(cluster: Cluster, shared: Path) -> None:
    program = f"{GREENAI} run --quiet --name inner -- sleep 2"
    job = submit(cluster, f"srun {program}", "--exclusive", "-N2", "--ntasks-per-node=2")
    assert cluster.wait(job) == "COMPLETED"
    run = only_run(cluster, job)
    assert [window["name"] for window in run["windows"]].count("inner") == 4
    assert_right(cluster, run, *run["hosts"])
    assert len(list(Path(os.environ["GREENAI_SPOOL"]).glob("0*"))) == 1


def test_an_array_has_a_run_for_each_element_and_a_total(cluster: Cluster, shared: Path) -> None:
    job = submit(cluster, "sleep 3; exit $((SLURM_ARRAY_TASK_ID == 4))", "--exclusive", "--array=1-5")
    assert cluster.wait(job) == "COMPLETED,FAILED"
    found = merged(cluster, job)
    assert [run["slurm"]["array_task_id"] for run in found["runs"]] == ["1", "2", "3", "4", "5"]
    assert [run["exit_code"] for run in found["runs"]] == [0, 0, 0, 1, 0]
    assert {run["slurm"]["array_job_id"] for run in found["runs"]} == {job}
    for run in found["runs"]:
        assert_right(cluster, run, *run["hosts"])
    assert found["total"]["energy_j"] == pytest.approx(sum(run["energy"]["total_j"] for run in found["runs"]))
    (fourth,) = merged(cluster, f"{job}_4")["runs"]
    assert fourth == found["runs"][3]


def test_a_requeued_job_has_a_run_for_each_attempt(cluster: Cluster, shared: Path) -> None:
    job = submit(cluster, 'echo "${SLURM_RESTART_COUNT:-0}"\nsrun sleep 4', "--exclusive", "-N2", "--requeue")
    until("the first attempt", lambda: "0" in output(job), timeout_s=30)
    time.sleep(2)
    cluster.run("scontrol", "requeue", job)
    until("the second attempt", lambda: "\n1\n" in f"\n{output(job)}", timeout_s=60)
    assert cluster.wait(job) == "COMPLETED"
    first, second = merged(cluster, job)["runs"]
    assert [run["slurm"]["restart_count"] for run in (first, second)] == ["0", "1"]
    # Slurm ends the script and what it waits for at the same moment: bash dies of it, or says that srun has.
    assert (first["state"] in ("killed", "failed"), first["exit_code"]) == (True, 143)
    assert second["state"] == "completed"
    for run in (first, second):
        assert_right(cluster, run, *run["hosts"])
    shown = greenai(cluster, "slurm", "merge", job).stdout.splitlines()
    assert [line.split()[1] for line in shown[1:3]] == ["1", "2"]


def test_a_job_killed_at_its_time_limit_keeps_its_energy_to_the_end(cluster: Cluster, shared: Path) -> None:
    script = "trap 'touch told' TERM\nwhile :; do srun sleep 0.5; [ -e told ] && touch late; done"
    job = submit(cluster, script, "--exclusive", "-N1", "--time=10", "--no-requeue")
    until("its start", lambda: cluster.state(job) == "RUNNING", timeout_s=30)
    time.sleep(3)
    cluster.run("scontrol", "update", f"JobId={job}", "EndTime=now+1seconds")
    assert cluster.wait(job, timeout_s=90) == "TIMEOUT"
    assert (shared / "told").exists()
    assert (shared / "late").exists()  # the job went on after Slurm's SIGTERM, and so did the measuring
    run = only_run(cluster, job)
    assert run["state"] in ("killed", "lost")
    assert_right(cluster, run, *run["hosts"])
    slurm_s = int(cluster.accounting(job, "ElapsedRaw")[0]["ElapsedRaw"])
    assert run["duration_s"] > slurm_s - 2  # whole seconds of Slurm's, and the start of the collector


def test_a_node_whose_daemon_dies_is_measured_to_the_end(cluster: Cluster, shared: Path) -> None:
    job = submit(cluster, "srun sleep 8", "--exclusive", "-N2")
    until("its start", lambda: len(list(shared.rglob("*.jsonl"))) == 2, timeout_s=30)
    time.sleep(1)
    cluster.kill_slurmd(cluster.run("squeue", "-h", "-j", job, "-o", "%B").stdout.strip())
    time.sleep(8)
    cluster.revive()
    assert cluster.wait(job, timeout_s=60) == "COMPLETED"
    run = only_run(cluster, job)
    assert_right(cluster, run, *run["hosts"])
    assert (run["state"], run["exit_code"]) == ("completed", 0)
    assert run["duration_s"] == pytest.approx(8.2, abs=1)


def test_a_node_without_power_is_named(cluster: Cluster, shared: Path) -> None:
    job = submit(cluster, "sleep 100", "--exclusive", "-N2", "--no-requeue")
    until("its start", lambda: len(list(shared.rglob("*.jsonl"))) == 2, timeout_s=30)
    time.sleep(3)
    first = cluster.run("squeue", "-h", "-j", job, "-o", "%B").stdout.strip()
    (other,) = {path.name.partition("-")[0] for path in shared.rglob("*.jsonl")} - {first}
    cluster.kill_node(other)
    assert cluster.wait(job, timeout_s=90) in ("NODE_FAIL", "FAILED")
    run = only_run(cluster, job)
    assert "node_silent" in codes(run)
    assert other in next(i["message"] for i in run["incidents"] if i["code"] == "node_silent")
    assert_right(cluster, run, first, other)
    assert run["state"] != "completed"


def test_a_step_that_outlives_the_script_is_measured_to_its_end(cluster: Cluster, shared: Path) -> None:
    stubborn = "trap '' TERM; touch begun; for i in {1..80}; do date +%s.%N >>alive; sleep 0.05; done"
    script = f'srun bash -c "{stubborn}" &\nwhile [ ! -e begun ]; do sleep 0.1; done\nsleep 1\ndate +%s.%N >over'
    job = submit(cluster, script, "--exclusive", "-N1")
    assert cluster.wait(job) == "COMPLETED"
    run = only_run(cluster, job)
    assert run["exit_code"] == 0
    # How long Slurm lets it live depends on whether its srun is told to end, too.
    last_s = float(Path("alive").read_text().split()[-1])
    assert last_s > float(Path("over").read_text())
    assert datetime.fromisoformat(run["ended_at"]).timestamp() > last_s - 0.3
    assert_right(cluster, run, *run["hosts"])


def test_a_cancelled_job_keeps_its_energy(cluster: Cluster, shared: Path) -> None:
    job = submit(cluster, "srun sleep 60", "--exclusive", "-N2")
    until("its start", lambda: len(list(shared.rglob("*.jsonl"))) == 2, timeout_s=30)
    time.sleep(3)
    cluster.run("scancel", job)
    assert cluster.wait(job, timeout_s=30) == "CANCELLED"
    run = only_run(cluster, job)
    assert run["state"] == "killed"
    assert run["duration_s"] > 2.5
    assert_right(cluster, run, *run["hosts"])


def test_the_parts_of_a_heterogeneous_job_are_one_run(cluster: Cluster, shared: Path) -> None:
    job = submit(
        cluster, "#SBATCH -N1 -n1 --exclusive\n#SBATCH hetjob\n#SBATCH -N2 -n2 --exclusive\n"
        "srun --het-group=0,1 sleep 3",
    )  # fmt: skip
    assert cluster.wait(job) == "COMPLETED"
    run = only_run(cluster, job)
    assert_right(cluster, run, *cluster.nodes)
    assert len(run["windows"]) == 1
    assert run["windows"][0]["duration_s"] == pytest.approx(3.1, abs=0.8)


def test_two_jobs_that_share_a_node_add_up_to_it(cluster: Cluster, shared: Path) -> None:
    node = cluster.nodes[0]
    busy = "timeout 12 bash -c 'while :; do :; done'; true"
    half = "timeout 12 bash -c 'while :; do for i in {1..20000}; do :; done; sleep 0.05; done'; true"
    jobs = [submit(cluster, script, "-N1", "-n1", "-c2", f"--nodelist={node}") for script in (busy, half)]
    for job in jobs:
        assert cluster.wait(job) == "COMPLETED"
    runs = [only_run(cluster, job) for job in jobs]
    assert {run["energy"]["scope"] for run in runs} == {"cgroup"}
    for run in runs:
        assert_right(cluster, run, node)
    begins, ends = ([datetime.fromisoformat(run[key]) for run in runs] for key in ("started_at", "ended_at"))
    both_s = (max(ends) - min(begins)).total_seconds()  # one or the other was there
    own_j = sum(run["energy"]["total_j"] for run in runs)
    assert own_j == pytest.approx(cluster.watts[node] * both_s, rel=0.05)
    assert runs[0]["energy"]["total_j"] > 1.2 * runs[1]["energy"]["total_j"]
    for job in jobs:  # Slurm charges each of them all of it: like is held against like
        compared = reconciled(cluster, job)
        assert compared["difference_rel"] == pytest.approx(0, abs=0.2)
        assert compared["steps"] == []


def test_a_node_without_greenai_is_named_and_the_job_runs(cluster: Cluster, shared: Path) -> None:
    first, lost = sorted(cluster.nodes)[:2]
    programs = str(Path(sys.executable).parent)
    # For as long as its daemon lives, the node has an empty folder in place of the interpreter's.
    cluster.run("srun", "-w", lost, "bash", "-c", f"mkdir -p /tmp/none && mount --bind /tmp/none {programs}")
    try:
        job = submit(cluster, "srun hostname; sleep 2", "--exclusive", f"--nodelist={first},{lost}")
        assert cluster.wait(job) == "COMPLETED"
    finally:
        cluster.run("srun", "-w", lost, "umount", programs)
    assert sorted(line for line in output(job).splitlines() if " " not in line) == [first, lost]
    (said,) = (line for line in output(job).splitlines() if line.startswith("greenai"))
    assert lost in said
    run = only_run(cluster, job)
    assert run["hosts"] == [first]
    assert_right(cluster, run, first)
    assert "node_missing" in codes(run)
    assert [c["energy_j"] for c in run["energy"]["channels"] if c["host"] == lost] == [None]
    assert "1 of 2" in greenai(cluster, "slurm", "merge", job).stdout


def test_journals_of_a_node_with_a_folder_of_its_own_are_brought_in_later(cluster: Cluster, shared: Path) -> None:
    job = submit(cluster, "sleep 2", "--exclusive", "-N2")
    assert cluster.wait(job) == "COMPLETED"
    whole = only_run(cluster, job)
    folder = Path(os.environ["GREENAI_SPOOL"], whole["id"])
    elsewhere = shared / "of-a-node" / whole["id"]
    elsewhere.mkdir(parents=True)
    for path in folder.glob(f"{whole['hosts'][1]}-*.jsonl"):
        path.rename(elsewhere / path.name)
    assert only_run(cluster, job)["energy"]["total_j"] < whole["energy"]["total_j"]
    greenai(cluster, "slurm", "merge", job, "--from", str(elsewhere.parent))
    again = only_run(cluster, job)
    assert again["energy"] == whole["energy"]
    assert again["journal"] == whole["journal"]


@pytest.mark.parametrize("words", [["--partition=none", "job.sh"], ["nothing.sh"], ["--bad"]])
def test_what_sbatch_refuses_is_refused_in_its_own_words(cluster: Cluster, shared: Path, words: list[str]) -> None:
    Path("job.sh").write_text("#!/bin/bash\ntrue\n")
    plain = cluster.run("sbatch", *words, check=False)
    ours = greenai(cluster, "slurm", "submit", "--", *words, check=False)
    assert plain.returncode != 0
    assert (ours.returncode, ours.stdout, ours.stderr) == (plain.returncode, plain.stdout, plain.stderr)


def test_a_file_that_is_no_script_is_refused_by_sbatch(cluster: Cluster, shared: Path) -> None:
    Path("job.sh").write_text("true\n")
    plain = cluster.run("sbatch", "job.sh", check=False)
    ours = greenai(cluster, "slurm", "submit", "--", "job.sh", check=False)
    assert (ours.returncode, ours.stdout) == (plain.returncode, plain.stdout)
    assert plain.stderr in ours.stderr


def test_a_job_of_which_nothing_is_known(cluster: Cluster, shared: Path) -> None:
    done = greenai(cluster, "slurm", "merge", "99999", check=False)
    assert done.returncode == 1
    assert "no journal of job 99999" in done.stderr


def test_the_time_of_a_suspension_is_a_gap(cluster: Cluster, shared: Path) -> None:
    job = submit(cluster, "srun sleep 9", "--exclusive", "-N1")
    until("its start", lambda: len(list(shared.rglob("*.jsonl"))) == 1, timeout_s=30)
    time.sleep(2)
    cluster.run("scontrol", "suspend", job)
    time.sleep(8)
    cluster.run("scontrol", "resume", job)
    assert cluster.wait(job, timeout_s=60) == "COMPLETED"
    run = only_run(cluster, job)
    (node,) = run["hosts"]
    (channel,) = (c for c in run["energy"]["channels"] if c["counted"])
    assert channel["gap_s"] == pytest.approx(8, abs=1.5)
    seen_s = run["duration_s"] - channel["gap_s"]
    assert channel["energy_j"] == pytest.approx(cluster.watts[node] * seen_s, rel=0.02)
    assert "job_suspended" in codes(run)
