"""The estimates: their formulas to the microjoule, and their label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.energy import integrate
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.host import SiteKnowledge
from greenai.host.cpu import logical_cpus
from greenai.testing import FakeMachine, check_collector
from greenai.testing.machines.cgroups import group_v1, group_v2, usage_v2
from greenai.testing.machines.estimates import MACHINES
from greenai_collectors import cpu_estimate
from greenai_collectors.cpu_estimate import CpuEstimateCollector
from greenai_collectors.memory_estimate import MemoryEstimateCollector

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from greenai.core.reading import Reading


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine", knowledge=SiteKnowledge(cpu_tdp_w=100.0))


def offered(collector: CpuEstimateCollector | MemoryEstimateCollector) -> Channel:
    found = collector.probe()
    assert isinstance(found, Available)
    (channel,) = found.channels
    collector.open([channel])
    return channel


def energy_uj(collector: CpuEstimateCollector) -> int:
    (reading,) = collector.read()
    assert isinstance(reading, CounterReading)
    return reading.energy_uj


def test_the_contracts(machine: FakeMachine) -> None:
    (cpu,) = check_collector(CpuEstimateCollector, machine)
    (memory,) = check_collector(MemoryEstimateCollector, machine)
    assert (cpu.component, cpu.kind, cpu.quality) == (Component.CPU, Kind.COUNTER, Quality.ESTIMATED)
    assert (memory.component, memory.kind, memory.quality) == (Component.DRAM, Kind.POWER, Quality.ESTIMATED)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    steps=st.lists(st.tuples(st.integers(1, 10_000), st.floats(0, 1)), min_size=1, max_size=8),
    tdp_w=st.integers(1, 1000),
)
def test_any_load_gives_idle_power_plus_the_busy_share(
    machine: FakeMachine, steps: list[tuple[int, float]], tdp_w: int
) -> None:
    machine.knowledge = SiteKnowledge(cpu_tdp_w=float(tdp_w))
    machine.busy(0)
    collector = CpuEstimateCollector(machine.host)
    offered(collector)
    before_uj = energy_uj(collector)
    ticks, expected_j = 0, 0.0
    for centiseconds, share in steps:
        busy = round(4 * centiseconds * share)  # four CPUs
        ticks += busy
        expected_j += tdp_w * (0.2 * centiseconds / 100 + 0.8 * busy / 100 / 4)
        machine.clock.advance(centiseconds / 100)
        machine.busy(ticks)
    after_uj = energy_uj(collector)
    collector.close()
    assert (after_uj - before_uj) / 1e6 == pytest.approx(expected_j, abs=1e-4)


@pytest.mark.parametrize(("share", "power_w"), [(0.0, 20.0), (0.5, 60.0), (1.0, 100.0)])
def test_idle_half_and_full_load(machine: FakeMachine, share: float, power_w: float) -> None:
    collector = CpuEstimateCollector(machine.host)
    offered(collector)
    before_uj = energy_uj(collector)
    machine.clock.advance(10)
    machine.busy(int(4000 * share), idle=int(4000 * (1 - share)))
    assert energy_uj(collector) - before_uj == power_w * 10 * 1_000_000
    collector.close()


def test_what_the_user_knows_goes_first(machine: FakeMachine) -> None:
    channel = offered(CpuEstimateCollector(machine.host))
    assert (channel.method, channel.uncertainty_rel) == ("cpu_estimate_user_tdp", 0.4)
    assert channel.note is not None
    assert "100 W" in channel.note.en
    assert "cpu_tdp_w" in channel.note.de


def test_a_physical_machine_takes_the_table_times_its_sockets(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.knowledge = SiteKnowledge(cpu_tdp_w=None)
    machine.cpu("Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", cpus=80, sockets=2)
    monkeypatch.setattr(cpu_estimate, "cpu_tdp_w", lambda model: 125.0 if "6230" in model else None)
    collector = CpuEstimateCollector(machine.host)
    channel = offered(collector)
    assert channel.method == "cpu_estimate_tdp"
    before_uj = energy_uj(collector)
    machine.clock.advance(1)
    machine.busy(8000)
    assert energy_uj(collector) - before_uj == 250_000_000
    collector.close()


def test_a_virtual_machine_is_not_billed_its_whole_host(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.knowledge = SiteKnowledge(cpu_tdp_w=None)
    machine.cpu("Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", cpus=2, virtual=True)
    monkeypatch.setattr(cpu_estimate, "cpu_tdp_w", lambda _model: 125.0)
    collector = CpuEstimateCollector(machine.host)
    channel = offered(collector)
    assert channel.method == "cpu_estimate_per_logical_cpu"
    assert (channel.uncertainty_low_rel, channel.uncertainty_rel) == (0.5, 1.0)
    before_uj = energy_uj(collector)
    machine.clock.advance(1)
    machine.busy(200)
    assert energy_uj(collector) - before_uj == 6_000_000
    collector.close()


@pytest.mark.parametrize("virtual", [True, False])
@pytest.mark.parametrize("tdp_w", [None, 100.0])
@pytest.mark.parametrize("model", ["Unknown CPU 9000", "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz"])
def test_an_estimate_never_calls_itself_a_measurement(
    machine: FakeMachine, virtual: bool, tdp_w: float | None, model: str
) -> None:
    machine.knowledge = SiteKnowledge(cpu_tdp_w=tdp_w)
    machine.cpu(model, virtual=virtual)
    for collector in (CpuEstimateCollector(machine.host), MemoryEstimateCollector(machine.host)):
        channel = offered(collector)
        assert channel.quality is Quality.ESTIMATED
        assert channel.uncertainty_rel >= 0.4
        assert channel.note is not None
        assert channel.note.en.startswith("Estimated")
        assert channel.note.de.startswith("Geschätzt")
        collector.close()


@pytest.mark.parametrize(
    "content", ["", "cpu 1 2\n", "intr 5\n", "cpu a b c d e f g\n", "cpu\xff 1 2 3 4 5 6 7\n"]
)
def test_an_unreadable_stat_is_a_gap(machine: FakeMachine, content: str) -> None:
    collector = CpuEstimateCollector(machine.host)
    offered(collector)
    machine.write("proc/stat", content)
    (reading,) = collector.read()
    assert isinstance(reading, Gap)
    machine.busy(1)
    assert isinstance(collector.read()[0], CounterReading)
    collector.close()


def test_without_procfs_nothing_is_estimated(machine: FakeMachine) -> None:
    (machine.root / "proc/stat").unlink()
    (machine.root / "proc/meminfo").unlink()
    for collector in (CpuEstimateCollector(machine.host), MemoryEstimateCollector(machine.host)):
        found = collector.probe()
        assert isinstance(found, Unavailable)
        assert not found.expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(total_kib=st.integers(1_000_000, 4_000_000_000), share=st.floats(0, 1))
def test_memory_in_use_times_watts_per_gigabyte(machine: FakeMachine, total_kib: int, share: float) -> None:
    available_kib = int(total_kib * share)
    machine.write(
        "proc/meminfo", f"MemTotal: {total_kib} kB\nMemFree: 1 kB\nMemAvailable: {available_kib} kB\nX: 1 kB\n"
    )
    collector = MemoryEstimateCollector(machine.host)
    channel = offered(collector)
    (reading,) = collector.read()
    collector.close()
    assert isinstance(reading, PowerReading)
    expected_w = (total_kib - available_kib) * 1024 / 1e9 * 0.3725
    assert reading.power_uw / 1e6 == pytest.approx(expected_w, abs=1e-5)
    assert reading.power_uw <= channel.max_power_uw


def test_memory_without_a_figure_in_use_is_a_gap(machine: FakeMachine) -> None:
    collector = MemoryEstimateCollector(machine.host)
    offered(collector)
    machine.write("proc/meminfo", "MemTotal: 16 kB\n")
    assert isinstance(collector.read()[0], Gap)
    collector.close()


# What follows is about whole machines. Each figure is worked out by hand from the family's row in cpu_power.csv.


@pytest.fixture
def no_codecarbon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_estimate, "cpu_tdp_w", lambda _model: None)


def built(tmp_path: Path, name: str) -> FakeMachine:
    return MACHINES[name](tmp_path / "machine")


def power_w(machine: FakeMachine, work: Callable[[], object], seconds: float = 10.0) -> float:
    """Return the estimated CPU power while ``work`` changes what the kernel has counted."""
    collector = CpuEstimateCollector(machine.host)
    offered(collector)
    before_uj = energy_uj(collector)
    machine.clock.advance(seconds)
    work()
    after_uj = energy_uj(collector)
    collector.close()
    return (after_uj - before_uj) / 1e6 / seconds


def memory_w(machine: FakeMachine) -> tuple[Channel, float]:
    collector = MemoryEstimateCollector(machine.host)
    channel = offered(collector)
    (reading,) = collector.read()
    collector.close()
    assert isinstance(reading, PowerReading)
    return channel, reading.power_uw / 1e6


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("build", [CpuEstimateCollector, MemoryEstimateCollector])
def test_the_contract_on_every_machine(
    tmp_path: Path, name: str, build: type[CpuEstimateCollector | MemoryEstimateCollector]
) -> None:
    (channel,) = check_collector(build, built(tmp_path, name))
    assert channel.quality is Quality.ESTIMATED
    assert "estimate" in channel.method
    assert channel.uncertainty_rel >= 0.4
    assert channel.note is not None
    assert channel.note.en.startswith("Estimated")
    assert channel.note.de.startswith("Geschätzt")
    assert " W" in channel.note.en
    assert " W" in channel.note.de


@pytest.mark.parametrize(
    ("name", "method", "idle_w", "full_w"),
    [
        # full: watts per logical CPU x CPUs; idle: the family's share of it
        ("vm_epyc_hybrid", "cpu_estimate_family", 0.18 * 2 * 500 / 256, 2 * 500 / 256),
        ("vm_xeon", "cpu_estimate_family", 0.18 * 8 * 145 / 44, 8 * 145 / 44),
        ("vm_unknown", "cpu_estimate_per_logical_cpu", 0.2 * 12, 12),
        ("server_epyc_7742", "cpu_estimate_family", 0.34 * 450, 450),
        ("server_xeon_8480", "cpu_estimate_family", 0.19 * 700, 700),
        ("server_altra", "cpu_estimate_family", 0.5 * 80 * 250 / 128, 80 * 250 / 128),
        ("laptop", "cpu_estimate_family", 0.15 * 15, 15),
        ("docker_v2_unlimited", "cpu_estimate_family", 0.34 * 450, 450),
    ],
)
@pytest.mark.usefixtures("no_codecarbon")
def test_families_idle_and_under_full_load(
    tmp_path: Path, name: str, method: str, idle_w: float, full_w: float
) -> None:
    machine = built(tmp_path, name)
    machine.busy(0)
    channel = offered(CpuEstimateCollector(machine.host))
    assert (channel.id, channel.method) == ("cpu_estimate:cpu", method)
    assert power_w(machine, lambda: None) == pytest.approx(idle_w, abs=1e-6)
    cpus = logical_cpus(machine.host)
    assert power_w(machine, lambda: machine.busy(1000 * cpus)) == pytest.approx(full_w, abs=1e-6)


def test_a_physical_machine_has_the_design_power_of_its_model_and_the_line_of_its_family(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu_estimate, "cpu_tdp_w", lambda model: 240.0 if "7742" in model else None)
    machine = built(tmp_path, "server_epyc_7742")
    machine.busy(0)
    channel = offered(CpuEstimateCollector(machine.host))
    assert (channel.method, channel.uncertainty_rel) == ("cpu_estimate_tdp", 0.4)
    assert power_w(machine, lambda: None) == pytest.approx(0.34 * 480, abs=1e-6)
    assert power_w(machine, lambda: machine.busy(256_000)) == pytest.approx(480, abs=1e-6)


def test_a_virtual_machine_never_gets_the_design_power_of_its_whole_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu_estimate, "cpu_tdp_w", lambda _model: 500.0)
    machine = built(tmp_path, "vm_epyc_hybrid")
    channel = offered(CpuEstimateCollector(machine.host))
    assert channel.method == "cpu_estimate_family"
    assert channel.uncertainty_low_rel == 0.5
    assert channel.uncertainty_rel == pytest.approx(4.38 * 256 / 500 - 1)
    assert channel.note is not None
    assert channel.note.en == (
        "Estimated: 0.7 W idle to 3.9 W at full load, by measured utilisation "
        "(EPYC 9005 (Turin): 2.0 W per logical CPU, not verified)."
    )
    assert channel.note.de == (
        "Geschätzt: 0,7 W im Leerlauf bis 3,9 W bei Volllast, nach gemessener Auslastung "
        "(EPYC 9005 (Turin): 2,0 W je logischer CPU, nicht nachgeprüft)."
    )


def test_what_the_user_knows_goes_before_the_family(tmp_path: Path) -> None:
    for name in MACHINES:
        machine = MACHINES[name](tmp_path / name)
        machine.knowledge = SiteKnowledge(cpu_tdp_w=77.0)
        assert offered(CpuEstimateCollector(machine.host)).method == "cpu_estimate_user_tdp"


@pytest.mark.usefixtures("no_codecarbon")
def test_a_container_is_not_billed_the_idle_cpus_of_its_host(tmp_path: Path) -> None:
    machine = built(tmp_path, "docker_v2")
    machine.busy(0)
    channel = offered(CpuEstimateCollector(machine.host))
    assert channel.id == "cpu_estimate:allotted"
    assert channel.device == "AMD EPYC 7742 64-Core Processor (2/256 CPUs)"
    per_cpu_w = 225 / 128

    def others_work() -> None:
        machine.busy(200_000)

    def we_work() -> None:  # 15 CPU seconds in 10 s
        group_v2(machine, "", usage_v2(5_000_000 + 15_000_000, 0))

    assert power_w(machine, others_work) == pytest.approx(2 * per_cpu_w * 0.34, abs=1e-6)
    assert power_w(machine, we_work) == pytest.approx(2 * per_cpu_w * (0.34 + 0.66 * 0.75), abs=1e-6)


@pytest.mark.usefixtures("no_codecarbon")
def test_half_a_cpu(tmp_path: Path) -> None:
    machine = built(tmp_path, "kubernetes_v2")
    assert offered(CpuEstimateCollector(machine.host)).device.endswith("(0.5/8 CPUs)")
    full_w = 0.5 * 145 / 44
    busy = power_w(machine, lambda: group_v2(machine, "", usage_v2(250_000 + 5_000_000, 0)))
    assert busy == pytest.approx(full_w, abs=1e-6)


@pytest.mark.usefixtures("no_codecarbon")
def test_a_slurm_job_is_billed_its_cpus_and_all_its_tasks(tmp_path: Path) -> None:
    machine = built(tmp_path, "slurm_v1")
    channel = offered(CpuEstimateCollector(machine.host))
    assert channel.device.endswith("(32/256 CPUs)")
    assert channel.note is not None
    assert "32 of 256 CPUs" in channel.note.en
    assert "32 von 256 CPUs" in channel.note.de
    job = "slurm_n1/uid_1000/job_42"

    def work() -> None:  # 160 of 320 CPU seconds
        group_v1(machine, "cpuacct", job, {"cpuacct.usage": f"{90_000_000_000 + 160_000_000_000}\n"})

    assert power_w(machine, work) == pytest.approx(32 * 225 / 128 * (0.34 + 0.66 * 0.5), abs=1e-6)


@pytest.mark.usefixtures("no_codecarbon")
def test_where_nobody_counts_the_job_it_has_its_share_of_the_node(tmp_path: Path) -> None:
    machine = built(tmp_path, "slurm_without_groups")
    machine.busy(0)
    channel = offered(CpuEstimateCollector(machine.host))
    assert channel.device.endswith("(64/256 CPUs)")
    assert (channel.uncertainty_low_rel, channel.uncertainty_rel) == (0.5, 1.0)
    assert channel.note is not None
    assert "share of the machine" in channel.note.en
    half_load = power_w(machine, lambda: machine.busy(128_000))
    assert half_load == pytest.approx(64 * 225 / 128 * (0.34 + 0.66 * 0.5), abs=1e-6)


def test_a_set_design_power_is_the_machines_and_a_job_gets_its_part(tmp_path: Path) -> None:
    machine = built(tmp_path, "slurm_v2")
    machine.knowledge = SiteKnowledge(cpu_tdp_w=512.0)
    assert power_w(machine, lambda: None) == pytest.approx(0.34 * 512 * 32 / 256, abs=1e-6)


def test_two_processes_read_one_counter(tmp_path: Path) -> None:
    for name in MACHINES:
        machine = MACHINES[name](tmp_path / name)
        first, second = CpuEstimateCollector(machine.host), CpuEstimateCollector(machine.host)
        offered(first)
        machine.clock.advance(3)
        offered(second)
        assert energy_uj(first) == energy_uj(second)
        first.close()
        second.close()


def test_busy_time_that_falls_is_a_reset_and_no_energy(machine: FakeMachine) -> None:
    # A container that was moved, or a kernel that starts to count anew: unknown for one interval, then on.
    collector = CpuEstimateCollector(machine.host)
    channel = offered(collector)
    readings: list[Reading] = []
    for ticks in (100_000, 100_400, 0, 400, 800):
        machine.busy(ticks)
        readings += collector.read()
        machine.clock.advance(1)
    collector.close()
    known = [interval.energy_uj for interval in integrate(channel, readings).intervals]
    assert known == [100_000_000, None, 100_000_000, 100_000_000]


def test_a_tick_that_is_counted_late_is_no_reset(machine: FakeMachine) -> None:
    collector = CpuEstimateCollector(machine.host)
    channel = offered(collector)
    readings: list[Reading] = []
    for ticks in (1000, 999, 1001):
        machine.busy(ticks)
        readings += collector.read()
        machine.clock.advance(0.1)
    collector.close()
    known = [interval.energy_uj for interval in integrate(channel, readings).intervals]
    assert known == [2_000_000 - 200_000, 2_000_000 + 400_000]


def test_a_group_that_vanishes_is_a_gap(tmp_path: Path) -> None:
    machine = built(tmp_path, "docker_v2")
    for collector in (CpuEstimateCollector(machine.host), MemoryEstimateCollector(machine.host)):
        offered(collector)
        for name in ("cpu.stat", "memory.current"):
            (machine.root / "sys/fs/cgroup" / name).unlink()
        (reading,) = collector.read()
        assert isinstance(reading, Gap)
        assert reading.reason == "cgroup_FileNotFoundError"
        collector.close()
        group_v2(machine, "", usage_v2(1, 1))


@pytest.mark.parametrize(
    ("name", "channel_id", "size_gb", "limit_gb"),
    [
        ("vm_epyc_hybrid", "dram", 4, 24),
        ("server_epyc_7742", "dram", 100, 1000),
        ("laptop", "dram", 4, 16),
        ("docker_v2", "allotted", 2, 8),  # 3 GB, of which 1 is page cache
        ("docker_v2_unlimited", "allotted", 3, 1000),
        ("docker_v1", "allotted", 2, 16),
        ("kubernetes_v2", "allotted", 0.5, 1),
        ("slurm_v1", "allotted", 16, 64),
        ("slurm_v2", "allotted", 16, 64),
        ("slurm_without_groups", "allotted", 64 * 1.073741824, 64 * 1.073741824),
    ],
)
def test_memory_is_our_own_and_not_the_hosts(
    tmp_path: Path, name: str, channel_id: str, size_gb: float, limit_gb: float
) -> None:
    channel, watts = memory_w(built(tmp_path, name))
    assert channel.id == f"memory_estimate:{channel_id}"
    assert watts == pytest.approx(size_gb * 0.3725, abs=1e-5)
    assert channel.max_power_uw / 1e6 == pytest.approx(limit_gb * 0.3725 + 1, abs=1e-5)


def test_memory_above_its_limit_is_its_limit(tmp_path: Path) -> None:
    machine = built(tmp_path, "docker_v2")
    group_v2(machine, "", usage_v2(1, 9_000_000_000))
    _, watts = memory_w(machine)
    assert watts == pytest.approx(8 * 0.3725, abs=1e-6)


def test_more_memory_available_than_there_is_is_a_gap(machine: FakeMachine) -> None:
    collector = MemoryEstimateCollector(machine.host)
    offered(collector)
    machine.write("proc/meminfo", "MemTotal: 16 kB\nMemFree: 1 kB\nMemAvailable: 17 kB\n")
    assert isinstance(collector.read()[0], Gap)
    collector.close()


@pytest.mark.parametrize("name", MACHINES)
def test_sources_are_there(tmp_path: Path, name: str) -> None:
    machine = built(tmp_path, name)
    for collector in (CpuEstimateCollector(machine.host), MemoryEstimateCollector(machine.host)):
        found = collector.probe()
        assert isinstance(found, Available)
        for path in found.sources.values():
            assert (machine.root / path).exists()
