"""Control groups: whose a process is, in every kind of tree, and what the files say."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.host import this_host
from greenai.host.cgroup import Cgroup, is_container, own_cgroup
from greenai.host.cgroup_figures import (
    cgroup_cpu_us,
    cgroup_memory_bytes,
    cpu_limit,
    cpu_list,
    cpuset,
    memory_limit_bytes,
)
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
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine")


def own(machine: FakeMachine) -> Cgroup:
    group = own_cgroup(machine.host)
    assert group is not None
    return group


def folder(machine: FakeMachine, path: str) -> Path:
    return machine.root / "sys/fs/cgroup" / path


def test_a_login_session_of_version_2(machine: FakeMachine) -> None:
    in_group_v2(machine, "/user.slice/s.scope", "user.slice/s.scope", usage_v2(1_234_567, 900, 200))
    group = own(machine)
    place = folder(machine, "user.slice/s.scope")
    assert (group.version, group.path) == (2, "/user.slice/s.scope")
    assert (group.cpu_folder, group.memory_folder) == (place, place)
    assert (cgroup_cpu_us(group), cgroup_memory_bytes(group)) == (1_234_567, 700)
    assert (cpu_limit(group), memory_limit_bytes(group), cpuset(group)) == (None, None, None)
    assert not is_container(group)


def test_separate_controllers_of_version_1_beside_an_empty_version_2(tmp_path: Path) -> None:
    machine = MACHINES["vm_epyc_hybrid"](tmp_path / "machine")
    group = own(machine)
    assert (group.version, group.path) == (1, "/")
    assert group.cpu_folder == folder(machine, "cpuacct")
    assert group.quota_folder == folder(machine, "cpu")
    assert group.memory_folder == folder(machine, "memory/process_api/b1e5560c7ba03976aaf25f93bf50d461")
    assert (cgroup_cpu_us(group), cgroup_memory_bytes(group)) == (7_953_907_071, 2_000_000_000)
    assert (cpu_limit(group), memory_limit_bytes(group), cpuset(group)) == (None, None, frozenset({0, 1}))
    assert not is_container(group)


def test_a_container_of_version_1_is_its_own_mount_point(tmp_path: Path) -> None:
    machine = MACHINES["docker_v1"](tmp_path / "machine")
    group = own(machine)
    assert (group.version, group.path) == (1, "/docker/4f3c2b1a")
    assert group.cpu_folder == folder(machine, "cpu,cpuacct")
    assert group.memory_folder == folder(machine, "memory")
    assert (cgroup_cpu_us(group), cgroup_memory_bytes(group)) == (5_000_000, 2_000_000_000)
    assert (cpu_limit(group), memory_limit_bytes(group)) == (None, 16_000_000_000)
    assert cpuset(group) == frozenset({8, 9, 10, 11})
    assert is_container(group)


def test_a_container_of_version_2_sees_itself_as_the_root(tmp_path: Path) -> None:
    machine = MACHINES["docker_v2"](tmp_path / "machine")
    group = own(machine)
    assert (group.version, group.path, group.cpu_folder) == (2, "/", folder(machine, ""))
    assert (cpu_limit(group), memory_limit_bytes(group)) == (2.0, 8_000_000_000)
    assert is_container(group)


def test_a_namespace_with_a_mount_that_reaches_out(machine: FakeMachine) -> None:
    in_group_v2(machine, "/../pod9/box", "pod9/box", usage_v2(5, 9), mount_root="/..")
    assert own(machine).cpu_folder == folder(machine, "pod9/box")


@pytest.mark.parametrize(
    ("path", "mount_root"),
    [
        ("/../../kubepods/other", "/"),  # entered from outside: the group lies above all that is mounted
        ("/", "/.."),  # the namespace's own name, seen from above, is not known
        ("/a/../../b", "/"),
        ("/user.slice", "/docker/1"),
        ("/gone (deleted)", "/"),
    ],
)
def test_a_group_without_a_folder_here_is_no_group(machine: FakeMachine, path: str, mount_root: str) -> None:
    in_group_v2(machine, path, "", usage_v2(5, 9), mount_root=mount_root)
    assert own_cgroup(machine.host) is None


def test_another_process(machine: FakeMachine) -> None:
    in_group_v2(machine, "/a", "a", usage_v2(1, 2))
    group_v2(machine, "b", usage_v2(3, 4))
    machine.write("proc/77/cgroup", "0::/b\n")
    machine.write("proc/77/mountinfo", (machine.root / "proc/self/mountinfo").read_text())
    group = own_cgroup(machine.host, "77")
    assert group is not None
    assert cgroup_cpu_us(group) == 3
    assert own_cgroup(machine.host, "78") is None


def test_no_procfs_no_mounts_and_nonsense(machine: FakeMachine) -> None:
    assert own_cgroup(machine.host) is None
    machine.write("proc/self/cgroup", "0::/\n")
    assert own_cgroup(machine.host) is None
    machine.write("proc/self/mountinfo", "x\n\n1 2 3\n31 23 0:28 / /sys/fs/cgroup ro - cgroup2\n - cgroup2 a b\n")
    assert own_cgroup(machine.host) is None
    machine.write("proc/self/cgroup", "\n:\n::\n5\n0:\n")
    assert own_cgroup(machine.host) is None


def test_a_later_mount_hides_an_earlier_one(machine: FakeMachine) -> None:
    in_group_v2(machine, "/a", "a", usage_v2(1, 2))
    machine.write(f"{machine.root}/elsewhere/a/cpu.stat", "usage_usec 9\n")
    mounts = (machine.root / "proc/self/mountinfo").read_text()
    place = str(machine.root / "elsewhere").replace("e", "\\145", 1)
    machine.write("proc/self/mountinfo", f"{mounts}40 23 0:28 / {place} ro - cgroup2 cgroup2 rw\n")
    assert cgroup_cpu_us(own(machine)) == 9


def test_version_2_beside_a_lone_controller_of_version_1(machine: FakeMachine) -> None:
    in_group_v2(machine, "/a", "a", usage_v2(1, 2))
    machine.write("proc/self/cgroup", "2:net_cls:/x\n0::/a\n")
    assert own(machine).version == 2


def test_the_tightest_limit_of_all_above_counts(machine: FakeMachine) -> None:
    in_group_v2(machine, "/a/b/c", "a/b/c", {"cpu.max": "max 100000\n", "memory.max": "5000\n"})
    group_v2(machine, "a/b", {"cpu.max": "150000 50000\n", "memory.max": "max\n"})
    group_v2(machine, "a", {"cpu.max": "800000 100000\n", "memory.max": "4000\n"})
    assert (cpu_limit(own(machine)), memory_limit_bytes(own(machine))) == (3.0, 4000)


def test_the_tightest_limit_of_version_1(machine: FakeMachine) -> None:
    in_groups_v1(machine, dict.fromkeys(V1_CONTROLLERS, "/a/b"))
    group_v1(machine, "cpuacct", "a/b", {})
    group_v1(machine, "cpu", "a/b", {"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"})
    group_v1(machine, "cpu", "a", {"cpu.cfs_quota_us": "250000\n", "cpu.cfs_period_us": "100000\n"})
    group_v1(machine, "cpuset", "a/b", {})
    group_v1(machine, "cpuset", "a", {"cpuset.effective_cpus": "1,3\n"})
    group_v1(machine, "memory", "a/b", memory_v1(10))
    group_v1(machine, "memory", "a", memory_v1(10, 0, "7000\n"))
    group = own(machine)
    assert (cpu_limit(group), memory_limit_bytes(group), cpuset(group)) == (2.5, 7000, frozenset({1, 3}))


@pytest.mark.parametrize("text", ["", "x", "1 2 3", "max", "-1 -1", "0", "100000 0\n"])
def test_a_limit_that_says_nothing_is_none(machine: FakeMachine, text: str) -> None:
    in_group_v2(machine, "/a", "a", {"cpu.max": text, "memory.max": "x", "cpuset.cpus.effective": "0-"})
    assert (cpu_limit(own(machine)), memory_limit_bytes(own(machine)), cpuset(own(machine))) == (None, None, None)


@pytest.mark.parametrize("files", [{}, {"cpu.stat": "", "memory.current": "", "memory.stat": ""}])
def test_no_figure_is_an_error_never_0(machine: FakeMachine, files: dict[str, str]) -> None:
    in_group_v2(machine, "/a", "a", files)
    for read in (cgroup_cpu_us, cgroup_memory_bytes):
        with pytest.raises((OSError, ValueError)):
            read(own(machine))


def test_a_group_that_is_gone_is_an_error(machine: FakeMachine) -> None:
    in_group_v2(machine, "/a", "a", usage_v2(1, 2))
    group = own(machine)
    shutil.rmtree(folder(machine, "a"))
    for read in (cgroup_cpu_us, cgroup_memory_bytes):
        with pytest.raises(OSError):
            read(group)


def test_memory_is_never_negative(machine: FakeMachine) -> None:
    in_group_v2(machine, "/a", "a", {"memory.current": "5\n", "memory.stat": "inactive_file 9\nactive_file 0\n"})
    assert cgroup_memory_bytes(own(machine)) == 0


def test_without_the_memory_controller_cpu_time_is_known(machine: FakeMachine) -> None:
    in_groups_v1(machine, dict.fromkeys(V1_CONTROLLERS, "/a"))
    group_v1(machine, "cpuacct", "a", {"cpuacct.usage": "3999\n"})
    group = own(machine)
    assert cgroup_cpu_us(group) == 3
    with pytest.raises(OSError):
        cgroup_memory_bytes(group)


@given(numbers=st.sets(st.integers(0, 300)))
def test_lists_of_cpus(numbers: set[int]) -> None:
    assert cpu_list(",".join(map(str, sorted(numbers)))) == numbers
    assert cpu_list("0-3,8,10-11\n") == {0, 1, 2, 3, 8, 10, 11}


def test_this_machine() -> None:
    group = own_cgroup(this_host())
    if group is None:
        pytest.skip("no control groups here")
    assert group.cpu_folder.is_dir()
    assert (cpu_limit(group) or 1) > 0
