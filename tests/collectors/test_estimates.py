"""The estimates: their formulas to the microjoule, and their label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.host import SiteKnowledge
from greenai.testing import FakeMachine, check_collector
from greenai_collectors import cpu_estimate
from greenai_collectors.cpu_estimate import CpuEstimateCollector
from greenai_collectors.memory_estimate import MemoryEstimateCollector

if TYPE_CHECKING:
    from pathlib import Path


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
