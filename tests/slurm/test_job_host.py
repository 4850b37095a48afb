"""What sensors take for the job's, in a process that was not started inside it; and real jobs on one real node."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from greenai.core.collector import Available
from greenai.host.allotment import cpu_allotment, memory_allotment
from greenai.slurm.job_facts import NO_GPUS, Gpus, JobFacts, NodeAllocation
from greenai.slurm.job_host import changed, job_environ
from greenai.testing import FakeGpu, FakeMachine, FakeNvml
from greenai_collectors.nvml import NvmlCollector

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.host import Host

    from .cluster import Cluster

MIB = 1 << 20
SHARED = JobFacts(
    job_id=7, exclusive=False, nodes=(NodeAllocation("n1", 2, 2000 * MIB, Gpus(2, (1, 3))),),
)  # fmt: skip


def host_of_job(host: Host, job: JobFacts, node: str) -> Host:
    """This machine as a collector takes it."""
    return replace(host, environ=changed(host.environ, job_environ(job, node)), memo={})


def with_gpus(gpus: Gpus | None, *, exclusive: bool | None = False) -> JobFacts:
    return JobFacts(7, (NodeAllocation("n1", gpus=gpus),), exclusive=exclusive)


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    """A node with four GPUs that anybody may open, and a Prolog's environment."""
    gpus = [FakeGpu(f"GPU-{number}{number}", energy_mj=number + 1) for number in range(4)]
    environ = {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0,1", "SLURM_JOB_GPUS": "0,1", "PATH": "/bin"}
    return FakeMachine(tmp_path / "machine", nvml=FakeNvml(gpus), environ=environ)


def counted(host: Host) -> list[str]:
    found = NvmlCollector(host).probe()
    return [channel.device.partition(" ")[0] for channel in found.channels] if isinstance(found, Available) else []


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (SHARED, ["1", "3"]),
        (with_gpus(Gpus(1, (2,))), ["2"]),
        (with_gpus(Gpus(4, (0, 1, 2, 3)), exclusive=True), ["0", "1", "2", "3"]),
        (with_gpus(NO_GPUS), []),
        (with_gpus(NO_GPUS, exclusive=True), ["0", "1"]),  # as the environment says
        (with_gpus(Gpus(1, None)), ["0", "1"]),
        (with_gpus(None), ["0", "1"]),
    ],
)
def test_only_the_jobs_gpus_count(machine: FakeMachine, job: JobFacts, expected: list[str]) -> None:
    assert counted(host_of_job(machine.host, job, "n1")) == expected


def test_without_any_word_of_gpus_all_that_can_be_seen_are_an_exclusive_jobs(machine: FakeMachine) -> None:
    machine.environ = {}
    assert counted(host_of_job(machine.host, with_gpus(NO_GPUS, exclusive=True), "n1")) == ["0", "1", "2", "3"]
    assert counted(host_of_job(machine.host, with_gpus(NO_GPUS), "n1")) == []


def test_the_jobs_cpus_and_memory_are_its_allotment(machine: FakeMachine) -> None:
    assert cpu_allotment(machine.host) is None  # asked before: it is not remembered for the job's host
    host = host_of_job(machine.host, SHARED, "n1")
    assert host.environ["PATH"] == "/bin"
    cpus, memory = cpu_allotment(host), memory_allotment(host, 16_000 * MIB)
    assert (cpus.cpus if cpus else None, memory.limit_bytes if memory else None) == (2, 2000 * MIB)


def test_a_node_of_another_job(machine: FakeMachine) -> None:
    with pytest.raises(ValueError, match="n2 is no node of job 7"):
        host_of_job(machine.host, SHARED, "n2")


# --- two real jobs on one real node: 2 CPUs each, one of them busy 30 % of the time

WORK = """
import sys, time
end = time.monotonic() + 6
while time.monotonic() < end:
    busy_until = time.monotonic() + 0.05 * float(sys.argv[1])
    while time.monotonic() < busy_until: pass
    time.sleep(0.05 * (1 - float(sys.argv[1])))
"""
LOOK = """
import json, os, time
from greenai.core.vocabulary import Scope
from greenai.host import this_host
from greenai.sampler import UsageReader
reader = UsageReader(this_host(), Scope.CGROUP, os.getpid())
time.sleep(max(0, {begin} - time.time()))
looks = [reader.read()]
time.sleep(2.5)
looks.append(reader.read())
fields = ("t_mono_ns", "own_cpu_us", "machine_cpu_us", "own_memory_bytes", "machine_memory_bytes", "of_jobs")
print(json.dumps([[getattr(look, field) for field in fields] for look in looks]))
"""


@pytest.mark.slow
def test_the_shares_of_two_jobs_on_a_node_add_up_to_it(cluster: Cluster, shared: Path) -> None:
    (shared / "work.py").write_text(WORK)
    (shared / "look.py").write_text(LOOK.replace("{begin}", str(time.time() + 2.5)))
    node = cluster.nodes[0]
    jobs = [
        cluster.sbatch(
            f"srun --overlap {sys.executable} {shared}/work.py {duty} &\n"
            f"srun --overlap --mem=0 -n1 {sys.executable} {shared}/look.py\n",
            "-n2", f"-w{node}",
        )
        for duty in ("1.0", "0.3")
    ]  # fmt: skip
    shares, memory = [], []
    for job in jobs:
        cluster.wait(job)
        first, last = json.loads(cluster.output(job).strip().splitlines()[-1])
        assert last[5] is True
        shares.append((last[1] - first[1]) / (last[2] - first[2]))
        memory.append(last[3] / last[4])
    assert 0.1 < min(shares) < max(shares) < 0.9
    assert sum(shares) == pytest.approx(1, abs=0.01)
    assert sum(memory) == pytest.approx(1, abs=0.01)
