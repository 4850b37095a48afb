"""The control groups of Slurm's jobs: whose a process is in, a job's by its number, and all jobs of a node."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from greenai.host.cgroup import own_cgroup
from greenai.host.cgroup_figures import cgroup_cpu_us, cgroup_memory_bytes, cpuset, memory_limit_bytes
from greenai.host.slurm_cgroup import slurm_job_cgroup, slurm_jobs_cgroup, slurm_jobs_memory_bytes
from greenai.testing import FakeMachine
from greenai.testing.machines.cgroups import (
    V1_CONTROLLERS,
    group_v1,
    group_v2,
    in_group_v2,
    in_groups_v1,
    memory_v1,
    usage_v2,
)
from greenai.testing.machines.estimates import MACHINES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GB = 1_000_000_000


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine")


@pytest.mark.parametrize("name", ["slurm_v1", "slurm_v2"])
def test_slurm_the_job_not_the_step_or_task(tmp_path: Path, name: str) -> None:
    machine = MACHINES[name](tmp_path / "machine")
    job = slurm_job_cgroup(machine.host)
    assert job is not None
    assert job.path.endswith("/job_42")
    assert (cgroup_cpu_us(job), cgroup_memory_bytes(job)) == (90_000_000, 16_000_000_000)
    assert len(cpuset(job) or ()) == 32
    assert memory_limit_bytes(job) == 64_000_000_000
    own = own_cgroup(machine.host)
    assert own is not None
    assert cgroup_cpu_us(own) < 90_000_000
    machine.environ = {}
    assert slurm_job_cgroup(machine.host) is None


@pytest.mark.parametrize(
    ("path", "job"),
    [
        ("/system.slice/slurmstepd.scope/job_7/step_batch/user/task_0", "/system.slice/slurmstepd.scope/job_7"),
        ("/slurm/uid_0/job_7/step_extern", "/slurm/uid_0/job_7"),
        ("/slurm/uid_0/job_7", "/slurm/uid_0/job_7"),
        ("/slurm.slice/n1_slurmstepd.scope/job_77/step_0/slurm", "/slurm.slice/n1_slurmstepd.scope/job_77"),
        ("/system.slice/slurmd.service", None),
        ("/user.slice/job_7/x", None),
        ("/slurm/uid_0", None),
        ("/slurm/uid_0/job_x/y", None),
        ("/", None),
    ],
)
def test_slurm_paths(machine: FakeMachine, path: str, job: str | None) -> None:
    machine.environ = {"SLURM_JOB_ID": "7"}
    in_group_v2(machine, path, path, {})
    group = slurm_job_cgroup(machine.host)
    assert (group.path if group else None) == job


def test_slurm_with_only_some_controllers(machine: FakeMachine) -> None:
    machine.environ = {"SLURM_JOB_ID": "7"}
    job = "/slurm/uid_0/job_7"
    in_groups_v1(machine, {"cpu": "/", "cpuacct": "/", "cpuset": f"{job}/step_0", "memory": f"{job}/step_0"})
    group_v1(machine, "memory", f"{job}/step_0", {})
    group_v1(machine, "memory", job, memory_v1(8))
    group = slurm_job_cgroup(machine.host)
    assert group is not None
    assert cgroup_memory_bytes(group) == 8
    with pytest.raises(OSError):
        cgroup_cpu_us(group)  # not the CPU time of the whole node, in whose root the processes are


# --- by number, from outside (a Prolog's process is in the node's service, or nowhere)


def outside_v1(machine: FakeMachine, top: str = "slurm") -> str:
    """Jobs 5 and 6 on a node of version 1; return the path above them."""
    machine.environ = {"SLURM_JOB_ID": "5", "SLURMD_NODENAME": "n1"}
    in_groups_v1(machine, dict.fromkeys(V1_CONTROLLERS, "/system.slice/slurmd.service"))
    for hierarchy in V1_CONTROLLERS:
        group_v1(machine, hierarchy, "system.slice/slurmd.service", {})
    group_v1(machine, "cpuacct", top, {"cpuacct.usage": "90000000\n"})  # 40 of them by jobs that ended
    for job, cpu_ns, held in (("uid_1000/job_5", 20_000_000, 3 * GB), ("uid_1001/job_6", 30_000_000, 1 * GB)):
        group_v1(machine, "cpuacct", f"{top}/{job}", {"cpuacct.usage": f"{cpu_ns}\n"})
        group_v1(machine, "memory", f"{top}/{job}", memory_v1(held))
        group_v1(machine, "cpuset", f"{top}/{job}", {"cpuset.effective_cpus": "0-1\n"})
    return top


def outside_v2(machine: FakeMachine, top: str = "system.slice/slurmstepd.scope") -> str:
    machine.environ = {"SLURM_JOB_ID": "5", "SLURMD_NODENAME": "n1"}
    in_group_v2(machine, "/system.slice/slurmd.service", "system.slice/slurmd.service", {})
    group_v2(machine, top, usage_v2(90_000, 9 * GB))
    group_v2(machine, f"{top}/system", usage_v2(1, 1 * GB))
    for job, cpu_us, held in (("job_5", 20_000, 3 * GB), ("job_6", 30_000, 1 * GB)):
        group_v2(machine, f"{top}/{job}", usage_v2(cpu_us, held))
    return top


@pytest.mark.parametrize("build", [outside_v1, outside_v2])
def test_a_job_and_all_jobs_from_outside(machine: FakeMachine, build: Callable[[FakeMachine], str]) -> None:
    top = build(machine)
    job, jobs = slurm_job_cgroup(machine.host), slurm_jobs_cgroup(machine.host)
    assert job is not None
    assert jobs is not None
    assert (job.path.rpartition("/")[2], jobs.path) == ("job_5", f"/{top}")
    assert (cgroup_cpu_us(job), cgroup_cpu_us(jobs)) == (20_000, 90_000)
    assert (cgroup_memory_bytes(job), slurm_jobs_memory_bytes(jobs)) == (3 * GB, 4 * GB)


def test_all_controllers_of_version_1_are_found_from_outside(machine: FakeMachine) -> None:
    outside_v1(machine)
    job = slurm_job_cgroup(machine.host)
    assert job is not None
    assert cpuset(job) == frozenset({0, 1})


@pytest.mark.parametrize(
    ("build", "top", "others"),
    [
        (outside_v1, "slurm_n1", ["cpuacct/slurm_n2", "cpuacct/slurm_n3"]),
        (outside_v1, "slurm", ["cpuacct/slurm_n2"]),
        (outside_v2, "system.slice/n1_slurmstepd.scope", ["system.slice/n2_slurmstepd.scope"]),
        (outside_v2, "n1_slurmstepd.scope", ["n0_slurmstepd.scope"]),
        (outside_v2, "slurm.slice/slurmstepd.scope", []),
    ],
)
def test_nodes_made_out_of_one_machine_have_groups_of_their_own(
    machine: FakeMachine, build: Callable[[FakeMachine, str], str], top: str, others: list[str]
) -> None:
    build(machine, top)
    for other in others:
        group_v2(machine, f"{other}/job_5", usage_v2(7, 7))
    job, jobs = slurm_job_cgroup(machine.host), slurm_jobs_cgroup(machine.host)
    assert (cgroup_cpu_us(job) if job else None) == 20_000
    assert (jobs.path if jobs else None) == f"/{top}"


def test_without_the_nodes_name_only_one_node_can_be_meant(machine: FakeMachine) -> None:
    outside_v2(machine, "system.slice/n1_slurmstepd.scope")
    machine.environ = {"SLURM_JOB_ID": "5"}
    assert slurm_job_cgroup(machine.host) is not None
    group_v2(machine, "system.slice/n2_slurmstepd.scope/job_5", usage_v2(7, 7))
    assert (slurm_job_cgroup(machine.host), slurm_jobs_cgroup(machine.host)) == (None, None)


def test_a_job_that_comes_into_being_and_ends(machine: FakeMachine) -> None:
    top = outside_v2(machine)
    machine.environ = {"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1"}
    assert slurm_job_cgroup(machine.host) is None
    assert slurm_jobs_cgroup(machine.host) is not None
    group_v2(machine, f"{top}/job_7", usage_v2(1, 1))
    assert slurm_job_cgroup(machine.host) is not None
    shutil.rmtree(machine.root / "sys/fs/cgroup" / top / "job_7")
    assert slurm_job_cgroup(machine.host) is None


@pytest.mark.parametrize("number", ["", "x", "../job_5", "05", "*"])
def test_no_number_of_a_job(machine: FakeMachine, number: str) -> None:
    outside_v2(machine)
    machine.environ = {"SLURM_JOB_ID": number, "SLURMD_NODENAME": "n1"}
    assert slurm_job_cgroup(machine.host) is None


@pytest.mark.parametrize("name", ["slurm_v1", "slurm_v2"])
def test_all_jobs_from_inside_one(tmp_path: Path, name: str) -> None:
    machine = MACHINES[name](tmp_path / "machine")
    jobs = slurm_jobs_cgroup(machine.host)
    assert jobs is not None
    assert jobs.path in {"/slurm_n1", "/system.slice/n1_slurmstepd.scope"}
    assert slurm_jobs_memory_bytes(jobs) == 16 * GB
    machine.environ = {}
    assert slurm_jobs_cgroup(machine.host) is None


def test_a_container_in_a_job_sees_no_other_jobs(machine: FakeMachine) -> None:
    job = "/system.slice/slurmstepd.scope/job_5"
    machine.environ = {"SLURM_JOB_ID": "5"}
    in_group_v2(machine, f"{job}/step_0", "step_0", usage_v2(1, 1), mount_root=job)
    assert slurm_job_cgroup(machine.host) is not None
    assert slurm_jobs_cgroup(machine.host) is None


def test_memory_of_no_job_is_unknown(machine: FakeMachine) -> None:
    top = outside_v2(machine)
    jobs = slurm_jobs_cgroup(machine.host)
    assert jobs is not None
    (machine.root / "sys/fs/cgroup" / top / "job_6/memory.current").unlink()
    assert slurm_jobs_memory_bytes(jobs) == 3 * GB
    (machine.root / "sys/fs/cgroup" / top / "job_5/memory.current").unlink()
    with pytest.raises(FileNotFoundError):
        slurm_jobs_memory_bytes(jobs)
