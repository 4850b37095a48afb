"""The machine's busy time by two doors: the root control group's cpu.stat where there is one, else /proc/stat."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from greenai.core.collector import Available
from greenai.core.reading import CounterReading, Gap
from greenai.host import this_host
from greenai.host.cpu import busy_seconds
from greenai.testing import FakeMachine
from greenai_collectors.cpu_estimate import CpuEstimateCollector

_ROOT = "usage_usec 9000000\nuser_usec 4000000\nsystem_usec 2500000\nnice_usec 1\n"


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    """Give a machine that was busy for 3 s by /proc/stat."""
    machine = FakeMachine(tmp_path)
    machine.write("proc/stat", "cpu 100 50 100 999 999 20 30 999 0 0\n")
    return machine


def opened(machine: FakeMachine) -> tuple[CpuEstimateCollector, Available]:
    collector = CpuEstimateCollector(machine.host)
    probe = collector.probe()
    assert isinstance(probe, Available)
    collector.open(probe.channels)
    return collector, probe


def busy_j(machine: FakeMachine) -> int:
    """Return what a busy time costs, without the idle power: at the fake's time of 1,000 s, in microjoules."""
    collector, _ = opened(machine)
    (reading,) = collector.read()
    collector.close()
    assert isinstance(reading, CounterReading)
    machine.write("proc/stat", "cpu 0 0 0 0 0 0 0 0 0 0\n")
    for stat in (machine.root / "sys").rglob("cpu.stat"):
        stat.write_text("usage_usec 0\nuser_usec 0\nsystem_usec 0\n")
    collector, _ = opened(machine)
    (idle,) = collector.read()
    collector.close()
    assert isinstance(idle, CounterReading)
    return reading.energy_uj - idle.energy_uj


@pytest.mark.parametrize("folder", ["sys/fs/cgroup", "sys/fs/cgroup/unified"])
def test_the_root_groups_busy_time_is_user_and_system_without_steal(machine: FakeMachine, folder: str) -> None:
    by_stat_uj = busy_j(machine)
    machine.write(f"{folder}/cpu.stat", _ROOT)
    machine.write(f"{folder}/cgroup.procs", "1\n")
    _, probe = opened(machine)
    assert list(probe.sources.values()) == [str(machine.root / folder / "cpu.stat")]
    assert busy_j(machine) == pytest.approx(by_stat_uj * 6.5 / 3, abs=2)


@pytest.mark.parametrize(
    "files",
    [
        {"cpu.stat": _ROOT, "cgroup.procs": "1\n", "cgroup.type": "domain\n"},  # a container's own group
        {"cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n", "cgroup.procs": "1\n"},  # version 1
        {"cpu.stat": "", "cgroup.procs": "1\n"},
        {"cpu.stat": _ROOT},  # no control group at all
    ],
)
def test_what_is_no_root_is_not_asked(machine: FakeMachine, files: dict[str, str]) -> None:
    for name, content in files.items():
        machine.write(f"sys/fs/cgroup/{name}", content)
    _, probe = opened(machine)
    assert list(probe.sources.values()) == [str(machine.root / "proc" / "stat")]


@pytest.mark.parametrize("content", ["", "usage_usec 1\n", "usage_usec 1\nuser_usec x\nsystem_usec 1\n"])
def test_garbage_is_a_gap(machine: FakeMachine, content: str) -> None:
    machine.write("sys/fs/cgroup/cpu.stat", _ROOT)
    machine.write("sys/fs/cgroup/cgroup.procs", "1\n")
    collector, _ = opened(machine)
    machine.write("sys/fs/cgroup/cpu.stat", content)
    (reading,) = collector.read()
    collector.close()
    assert isinstance(reading, Gap)
    assert reading.reason == "procfs_ValueError"


def test_both_doors_of_this_machine_say_the_same() -> None:
    """The kernel cuts each of the five figures of /proc/stat down to a tick."""
    collector = CpuEstimateCollector(this_host())
    probe = collector.probe()
    assert isinstance(probe, Available)
    (source,) = probe.sources.values()
    if not source.endswith("cgroup/cpu.stat") and not source.endswith("unified/cpu.stat"):
        pytest.skip("no root control group of version 2 can be seen here")
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    before_s = busy_seconds(Path("/proc/stat").read_text().partition("\n")[0], ticks_per_s)
    fields = Path(source).read_text().split()
    after_s = busy_seconds(Path("/proc/stat").read_text().partition("\n")[0], ticks_per_s)
    assert before_s <= (int(fields[3]) + int(fields[5])) / 1e6 <= after_s + 5.5 / ticks_per_s
