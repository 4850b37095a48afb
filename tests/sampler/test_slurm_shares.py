"""Jobs on a shared node: each one's part of what all of them use, so that their parts add up to the node."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from greenai.core.allocation import JOB_CPU_TIME_SHARE, JOB_MEMORY_SHARE, share_steps
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.vocabulary import Scope
from greenai.sampler import UsageReader, resolve_scope
from greenai.testing import FakeMachine
from greenai.testing.machines import estimates
from greenai.testing.machines.cgroups import group_v1, group_v2, in_group_v2, memory_v1, usage_v2

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.core.usage import Usage

J = 1_000_000
GB = 1_000_000_000
SCOPE = "system.slice/slurmstepd.scope"
CPU = Channel(
    id="rapl:0", collector="rapl", component=Component.CPU, kind=Kind.COUNTER, quality=Quality.MEASURED,
    device="package-0", host="n1", method="rapl_powercap", uncertainty_rel=0.05, max_power_uw=1000 * J,
)  # fmt: skip
DRAM = replace(CPU, id="rapl:0/dram", component=Component.DRAM)


@pytest.fixture
def node(tmp_path: Path) -> FakeMachine:
    """A node whose jobs, as seen from the service that runs Prologs, are told by their numbers."""
    machine = FakeMachine(tmp_path / "node")
    in_group_v2(machine, "/system.slice/slurmd.service", "system.slice/slurmd.service", {})
    machine.busy(1_000_000)
    work(machine, 1)
    return machine


def work(machine: FakeMachine, second: int, **jobs: tuple[float, int]) -> None:
    """Say what CPU time (s) and memory (GB) jobs have used until this second; an ended job used 500 s."""
    done_s = 500 + sum(cpu_s for cpu_s, _ in jobs.values())
    group_v2(machine, SCOPE, usage_v2(round(done_s * J), 9 * GB))
    for job, (cpu_s, held_gb) in jobs.items():
        group_v2(machine, f"{SCOPE}/{job}", usage_v2(round(cpu_s * J), held_gb * GB))
    machine.busy(1_000_000 + second * 400)  # the system works, too


def told(machine: FakeMachine, job: int) -> FakeMachine:
    environ = {"SLURM_JOB_ID": str(job), "SLURMD_NODENAME": "n1", "SLURM_JOB_CPUS_PER_NODE": "2"}
    return replace(machine, environ=environ)


def shares(channel: Channel, usages: list[Usage]) -> tuple[str | None, list[float | None]]:
    rule, steps = share_steps(channel, usages)
    return rule, [step.share for step in steps]


def test_the_shares_of_two_jobs_add_up_to_the_node(node: FakeMachine) -> None:
    work(node, 0, job_5=(10, 3), job_6=(20, 1))
    readers = [UsageReader(told(node, job).host, Scope.CGROUP, 1) for job in (5, 6)]
    looks: list[list[Usage]] = [[], []]
    for second in range(3):
        work(node, second, job_5=(10 + 1.5 * second, 3), job_6=(20 + 0.5 * second, 1))
        for reader, seen in zip(readers, looks, strict=True):
            seen.append(reader.read())
        node.clock.advance(1)
    assert shares(CPU, looks[0]) == (JOB_CPU_TIME_SHARE, [0.75, 0.75])
    assert shares(CPU, looks[1]) == (JOB_CPU_TIME_SHARE, [0.25, 0.25])
    assert shares(DRAM, looks[0]) == (JOB_MEMORY_SHARE, [0.75, 0.75])
    assert shares(DRAM, looks[1]) == (JOB_MEMORY_SHARE, [0.25, 0.25])


def test_a_job_that_begins_later_has_used_nothing_until_then(node: FakeMachine) -> None:
    work(node, 0, job_6=(20, 1))
    host = told(node, 5).host
    assert resolve_scope(host, Scope.CGROUP) == (Scope.CGROUP, None)
    reader = UsageReader(host, Scope.CGROUP, 1)
    looks = [reader.read()]
    for second in (1, 2, 3):
        node.clock.advance(1)
        work(node, second, job_6=(20 + second, 1), **({"job_5": (second - 1, 1)} if second > 1 else {}))
        looks.append(reader.read())
    assert shares(CPU, looks) == (JOB_CPU_TIME_SHARE, [0, 0.5, 0.5])
    shutil.rmtree(node.root / "sys/fs/cgroup" / SCOPE / "job_5")
    ended = reader.read()
    assert (ended.own_cpu_us, ended.own_memory_bytes) == (None, None)  # not 0: it is over, and was more


def test_on_a_whole_node_or_outside_of_a_job_nobody_waits_for_a_group(node: FakeMachine) -> None:
    inside = told(node, 7)
    inside.environ = {**inside.environ, "SLURM_PROCID": "0"}
    for machine in (inside, replace(node, environ={})):
        assert resolve_scope(machine.host, Scope.AUTO)[0] is not Scope.CGROUP


@pytest.mark.parametrize("name", ["slurm_v1", "slurm_v2"])
def test_inside_a_job(tmp_path: Path, name: str) -> None:
    machine = estimates.MACHINES[name](tmp_path / "node")
    machine.busy(77)
    fallback = UsageReader(machine.host, Scope.CGROUP, 1).read()  # the group above has no figures
    assert (fallback.machine_cpu_us, fallback.of_jobs) == (770_000, False)
    if name == "slurm_v1":
        group_v1(machine, "cpuacct", "slurm_n1", {"cpuacct.usage": "300000000000\n"})
        group_v1(machine, "memory", "slurm_n1/uid_1001/job_43", memory_v1(4 * GB))
    else:
        group_v2(machine, "system.slice/n1_slurmstepd.scope", usage_v2(300 * J, 99 * GB))
        group_v2(machine, "system.slice/n1_slurmstepd.scope/job_43", usage_v2(1, 4 * GB))
    usage = UsageReader(machine.host, Scope.CGROUP, 1).read()
    assert (usage.own_cpu_us, usage.machine_cpu_us, usage.of_jobs) == (90 * J, 300 * J, True)
    assert (usage.own_memory_bytes, usage.machine_memory_bytes) == (16 * GB, 20 * GB)


def test_a_process_tree_in_a_job_is_a_part_of_the_machine(tmp_path: Path) -> None:
    machine = estimates.slurm_v2(tmp_path / "node")
    group_v2(machine, "system.slice/n1_slurmstepd.scope", usage_v2(300 * J, 99 * GB))
    assert not UsageReader(machine.host, Scope.PROCESS, 1).read().of_jobs
