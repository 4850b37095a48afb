"""What a container or job was given of its machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from greenai.host.allotment import cpu_allotment, memory_allotment
from greenai.testing.machines.cgroups import V1_CONTROLLERS, group_v1, group_v2, in_group_v2, usage_v2
from greenai.testing.machines.estimates import MACHINES

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.testing import FakeMachine

GB = 1_000_000_000
MIB = 1 << 20


@pytest.fixture
def slurm(tmp_path: Path) -> FakeMachine:
    return MACHINES["slurm_without_groups"](tmp_path / "machine")


def cpus(machine: FakeMachine) -> tuple[float, int, bool] | None:
    """Return (CPUs, of how many, whether their time is counted)."""
    found = cpu_allotment(machine.host)
    return (found.cpus, found.of, found.cgroup is not None) if found else None


def limit(machine: FakeMachine, total_gb: int = 1000) -> tuple[int | None, bool] | None:
    """Return (bytes, whether their use is counted)."""
    found = memory_allotment(machine.host, total_gb * GB)
    return (found.limit_bytes, found.cgroup is not None) if found else None


@pytest.mark.parametrize(
    ("name", "given_cpus", "given_memory"),
    [
        ("vm_epyc_hybrid", None, None),
        ("vm_xeon", None, None),
        ("vm_unknown", None, None),
        ("server_epyc_7742", None, None),
        ("server_altra", None, None),
        ("laptop", None, None),
        ("docker_v2", (2.0, 256, True), (8 * GB, True)),
        ("docker_v2_unlimited", None, (None, True)),
        ("docker_v1", (4, 224, True), (16 * GB, True)),
        ("kubernetes_v2", (0.5, 8, True), (1 * GB, True)),
        ("slurm_v1", (32, 256, True), (64 * GB, True)),
        ("slurm_v2", (32, 256, True), (64 * GB, True)),
        ("slurm_without_groups", (64, 256, False), (64 * 1024 * MIB, False)),
    ],
)
def test_every_machine(
    tmp_path: Path,
    name: str,
    given_cpus: tuple[float, int, bool] | None,
    given_memory: tuple[int | None, bool] | None,
) -> None:
    machine = MACHINES[name](tmp_path / "machine")
    assert cpus(machine) == given_cpus
    assert limit(machine) == given_memory


def test_the_binding_of_one_rank_is_no_allotment(tmp_path: Path) -> None:
    machine = MACHINES["server_epyc_7742"](tmp_path / "machine")
    machine.write("proc/self/status", "Cpus_allowed_list:\t0-7\n")
    assert cpus(machine) is None


def test_the_rank_that_reads_speaks_for_its_whole_job(tmp_path: Path) -> None:
    # The task's own cpuset has one CPU, and its own group a hundredth of the job's CPU time.
    machine = MACHINES["slurm_v1"](tmp_path / "machine")
    found = cpu_allotment(machine.host)
    assert found is not None
    assert found.cpus == 32
    assert found.cgroup is not None
    assert found.cgroup.path == "/slurm_n1/uid_1000/job_42"


def test_a_whole_node_counted_in_cores_is_a_whole_node(tmp_path: Path) -> None:
    machine = MACHINES["slurm_v2"](tmp_path / "machine")
    machine.environ = {**machine.environ, "SLURM_JOB_CPUS_PER_NODE": "128"}
    job = "system.slice/n1_slurmstepd.scope/job_42"
    group_v2(machine, job, {"cpuset.cpus": "0-255\n", "cpuset.cpus.effective": "0-255\n", "memory.max": "max\n"})
    assert cpus(machine) is None
    assert limit(machine) is None  # the job has the node, and all that runs there is for it


def test_a_job_without_a_cpuset_has_as_many_cpus_as_slurm_says(tmp_path: Path) -> None:
    machine = MACHINES["slurm_v2"](tmp_path / "machine")
    job = "system.slice/n1_slurmstepd.scope/job_42"
    group_v2(machine, job, {"cpuset.cpus": "\n", "cpuset.cpus.effective": "0-255\n"})
    assert cpus(machine) == (32, 256, True)


def test_a_job_of_version_1_without_a_cpuset(tmp_path: Path) -> None:
    machine = MACHINES["slurm_v1"](tmp_path / "machine")
    lines = [f"{n}:{name}:/slurm_n1/uid_1000/job_42/step_0" for n, name in enumerate(V1_CONTROLLERS, 2)]
    handles = "\n".join(lines).replace(":cpuset:/slurm_n1/uid_1000/job_42/step_0", ":cpuset:/")
    machine.write("proc/self/cgroup", handles + "\n")
    group_v1(machine, "cpuset", "", {"cpuset.effective_cpus": "0-255\n"})
    assert cpus(machine) == (32, 256, True)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"SLURM_JOB_CPUS_PER_NODE": "32(x4)"}, 32),
        ({"SLURM_JOB_CPUS_PER_NODE": "32"}, 32),
        ({"SLURM_JOB_CPUS_PER_NODE": "32(x2),16", "SLURM_CPUS_ON_NODE": "16"}, 16),
        ({"SLURM_CPUS_ON_NODE": "8"}, 8),
        ({"SLURM_CPUS_ON_NODE": "256"}, None),
        ({"SLURM_CPUS_ON_NODE": "512"}, None),
        ({"SLURM_CPUS_ON_NODE": "0"}, None),
        ({"SLURM_CPUS_ON_NODE": "many", "SLURM_JOB_CPUS_PER_NODE": ""}, None),
        ({}, None),
    ],
)
def test_what_slurm_says_of_cpus(slurm: FakeMachine, environ: dict[str, str], expected: int | None) -> None:
    slurm.environ = {"SLURM_JOB_ID": "42", "SLURMD_NODENAME": "n1", **environ}
    assert cpus(slurm) == (None if expected is None else (expected, 256, False))


@pytest.mark.parametrize(
    ("environ", "expected_mib"),
    [
        ({"SLURM_MEM_PER_NODE": "2000"}, 2000),
        ({"SLURM_MEM_PER_NODE": "0", "SLURM_MEM_PER_CPU": "10"}, None),
        ({"SLURM_MEM_PER_CPU": "512", "SLURM_CPUS_ON_NODE": "4"}, 2048),
        ({"SLURM_MEM_PER_CPU": "512"}, None),
        ({"SLURM_MEM_PER_CPU": "0", "SLURM_CPUS_ON_NODE": "4"}, None),
        ({"SLURM_MEM_PER_NODE": "2G"}, None),
        ({"SLURM_MEM_PER_NODE": "999999999"}, None),
    ],
)
def test_what_slurm_says_of_memory(slurm: FakeMachine, environ: dict[str, str], expected_mib: int | None) -> None:
    slurm.environ = {"SLURM_JOB_ID": "42", "SLURMD_NODENAME": "n1", **environ}
    assert limit(slurm) == (None if expected_mib is None else (expected_mib * MIB, False))


def test_salloc_on_a_login_node_allots_nothing_there(slurm: FakeMachine) -> None:
    slurm.environ = {name: value for name, value in slurm.environ.items() if name != "SLURMD_NODENAME"}
    assert (cpus(slurm), limit(slurm)) == (None, None)


def test_the_service_of_all_jobs_is_nobodys_group(slurm: FakeMachine) -> None:
    group_v2(slurm, "system.slice/slurmd.service", {**usage_v2(1, 1), "cpu.max": "100000 100000\n"})
    assert cpus(slurm) == (64, 256, False)


def test_a_container_inside_a_job_knows_its_own_group(slurm: FakeMachine) -> None:
    in_group_v2(slurm, "/", "", {**usage_v2(1, 1), "memory.max": "max\n"})
    assert cpus(slurm) == (64, 256, True)
    assert limit(slurm) == (64 * 1024 * MIB, True)


def test_a_quota_without_cpu_time_is_still_a_quota(tmp_path: Path) -> None:
    machine = MACHINES["docker_v2"](tmp_path / "machine")
    (machine.root / "sys/fs/cgroup/cpu.stat").unlink()
    (machine.root / "sys/fs/cgroup/memory.stat").unlink()
    assert cpus(machine) == (2, 256, False)
    assert limit(machine) == (8 * GB, False)
