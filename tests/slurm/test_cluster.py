"""The cluster itself: nodes that look like machines, counters that tell the truth, and real failures."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .cluster.processes import Process, until

if TYPE_CHECKING:
    from .cluster import Cluster

pytestmark = pytest.mark.slow

_READ = """
read joules _ at_us _ </sys/cray/pm_counters/energy
read microjoules </sys/class/powercap/intel-rapl:0/energy_uj
echo $SLURMD_NODENAME $joules $microjoules $at_us
"""


def test_each_node_looks_like_a_machine(cluster: Cluster) -> None:
    identity = "echo $(hostname) $(cat /etc/machine-id) $(cat /proc/sys/kernel/random/boot_id)"
    lines = cluster.run("srun", "-N3", "sh", "-c", identity).stdout.split("\n")[:3]
    names, machines, boots = zip(*(line.split() for line in lines), strict=True)
    assert sorted(names) == sorted(cluster.nodes)
    assert len(set(machines)) == len(set(boots)) == 3


def test_nodes_share_only_the_shared_folder(cluster: Cluster, shared: Path) -> None:
    seen = f"touch {shared}/$SLURMD_NODENAME /tmp/only-here; ls -d /tmp/greenai-slurm.lock"
    assert cluster.run("srun", "-N3", "sh", "-c", seen, check=False).stdout == ""
    assert {path.name for path in shared.iterdir()} >= set(cluster.nodes)
    assert not Path("/tmp/only-here").exists()


def test_the_python_of_the_checkout_runs_on_all_nodes(cluster: Cluster) -> None:
    code = "import greenai, socket; print(socket.gethostname())"
    assert sorted(cluster.run("srun", "-N3", sys.executable, "-c", code).stdout.split()) == sorted(cluster.nodes)


def test_counters_grow_by_their_watts(cluster: Cluster) -> None:
    job = cluster.sbatch(f"srun bash -c '{_READ} sleep 8; {_READ}'", "-N3")
    assert cluster.wait(job) == "COMPLETED"
    readings: dict[str, list[tuple[int, ...]]] = {}
    for line in cluster.output(job).splitlines():
        node, *numbers = line.split()
        readings.setdefault(node, []).append(tuple(map(int, numbers)))
    assert set(readings) == set(cluster.nodes)
    for node, (first, last) in readings.items():
        joules, microjoules, microseconds = (after - before for before, after in zip(first, last, strict=True))
        expected_j = cluster.watts[node] * microseconds / 1e6
        assert joules == pytest.approx(expected_j, abs=1.01)  # whole joules
        assert microjoules / 1e6 == pytest.approx(expected_j, rel=0.005)
        assert microseconds / 1e6 == pytest.approx(8, rel=0.05)


def test_accounting_knows_the_energy(cluster: Cluster) -> None:
    job = cluster.sbatch("srun sleep 6", "-N3")
    assert cluster.wait(job) == "COMPLETED"
    steps = {row["JobID"]: row for row in cluster.accounting(job, "JobID", "State", "NNodes", "ConsumedEnergyRaw")}
    assert steps[f"{job}.0"]["NNodes"] == "3"
    # Slurm reads when the step begins and ends, a little before and after the sleep.
    assert int(steps[f"{job}.0"]["ConsumedEnergyRaw"]) == pytest.approx(6 * sum(cluster.watts.values()), rel=0.05)


def test_a_job_has_a_cgroup_of_its_own(cluster: Cluster) -> None:
    show = "cat /sys/fs/cgroup/cpuacct/slurm_$SLURMD_NODENAME/uid_0/job_$SLURM_JOB_ID/cpuacct.usage"
    job = cluster.sbatch(f"srun sh -c 'timeout 1 sh -c \"while :; do :; done\"; {show}'", "-N1")
    assert cluster.wait(job) == "COMPLETED"
    assert 0.3e9 < int(cluster.output(job)) < 3e9


def test_a_requeued_job_keeps_its_number(cluster: Cluster) -> None:
    job = cluster.sbatch("echo start ${SLURM_RESTART_COUNT:-0}; [ $SLURM_RESTART_COUNT ] || sleep 60", "-N1")
    until("the first start", lambda: "start 0" in cluster.output(job))
    cluster.run("scontrol", "requeue", job)
    assert cluster.wait(job) == "COMPLETED"
    assert "start 1" in cluster.output(job)


def test_a_node_without_power_fails_its_job(cluster: Cluster) -> None:
    first, second, _ = cluster.nodes
    # Without the second line the script might end by itself, as its srun fails: FAILED.
    job = cluster.sbatch("srun sleep 300\nsleep 300", f"--nodelist={first},{second}", "--no-requeue")
    until("the step", lambda: f"{job}.0" in cluster.run("squeue", "-h", "-s", "-o", "%i").stdout)
    cluster.kill_node(second)
    assert cluster.wait(job) == "NODE_FAIL"
    cluster.revive()
    assert cluster.run("srun", "-N3", "hostname").stdout.split()


def test_a_job_survives_the_daemon_of_its_node(cluster: Cluster) -> None:
    node = cluster.nodes[0]
    job = cluster.sbatch("echo begin; sleep 3; echo end", f"--nodelist={node}")
    until("the job", lambda: "begin" in cluster.output(job))
    cluster.kill_slurmd(node)
    until("the end of the script", lambda: "end" in cluster.output(job))
    cluster.revive()
    assert cluster.wait(job) == "COMPLETED"


def test_lines_can_be_added_to_the_configuration(cluster: Cluster, shared: Path) -> None:
    prolog = shared / "prolog"
    prolog.write_text('#!/bin/sh\necho "print from the prolog"\n')
    prolog.chmod(0o755)
    with cluster.configured(f"TaskProlog={prolog}"):
        assert cluster.run("srun", "-N1", "true").stdout == "from the prolog\n"
    assert cluster.run("srun", "-N1", "true").stdout == ""


def test_the_next_start_clears_what_a_killed_session_left() -> None:
    code = (
        "from tests.slurm.cluster import Cluster\n"
        "print(Cluster.start([100.0], cpus=1).conf, flush=True)\n"
        "import time; time.sleep(600)"
    )
    root = Path(__file__).parents[2]
    session = subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True)
    assert session.stdout
    with session.stdout:
        conf = Path(session.stdout.readline().strip())
    session.send_signal(signal.SIGKILL)
    session.wait()
    listed = re.findall(r"\[(\d+), (\d+)\]", (conf.parent / "processes.json").read_text())
    left = [Process(int(pid), int(ticks)) for pid, ticks in listed]
    assert len(left) == 7
    assert all(process.alive for process in left)

    next_session = "from tests.slurm.cluster import Cluster\nCluster.start([100.0], cpus=1).stop()"
    subprocess.run([sys.executable, "-c", next_session], cwd=root, check=True)
    time.sleep(0.1)
    assert not any(process.alive for process in left)
    assert not conf.parent.exists()
