"""RAPL by perf_event_open: the same domains as powercap, counts with a zero of their own, and closed doors."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.cover import counted
from greenai.core.energy import integrate
from greenai.core.energy_curve import EnergyCurve
from greenai.core.reading import CounterReading, Gap, Reading
from greenai.core.units import NS_PER_S
from greenai.host.perf import open_perf_counter
from greenai.testing import FakeMachine, check_collector
from greenai.testing.machines.rapl import COUNTS_PER_J, MACHINES, PKG, PMU_TYPE, RAM, Zone, power_pmu, powercap
from greenai_collectors.rapl import RaplCollector
from greenai_collectors.rapl_perf import RaplPerfCollector

if TYPE_CHECKING:
    from pathlib import Path

WITH_PMU = sorted(set(MACHINES) - {"rapl_core_desktop_old"})

# What the events of ``grow`` add up to: 100 J a package, 10 J a memory, nothing else.
TRUTH_J = {
    "rapl_xeon_4_sockets": 4 * 110,
    "rapl_xeon_16_sockets": 16 * 110,
    "rapl_xeon_psys": 2 * 110,
    "rapl_xeon_6": 2 * 110,
    "rapl_xeon_dies": 4 * 110,
    "rapl_core_laptop": 110,
    "rapl_threadripper_mirrored": 100,
    "rapl_epyc_chiplets": 2 * 100,
    "rapl_epyc": 2 * 100,
    "rapl_xeon_perf_only": 2 * 110,
}
PMU = "sys/bus/event_source/devices/power"


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    machine = FakeMachine(tmp_path / "machine")
    power_pmu(machine, {0: (0, 0), 18: (1, 0)}, ("energy-pkg", "energy-ram"))
    return machine


def probed(machine: FakeMachine) -> tuple[RaplPerfCollector, Available]:
    collector = RaplPerfCollector(machine.host)
    found = collector.probe()
    assert isinstance(found, Available)
    return collector, found


def offered(machine: FakeMachine) -> dict[str, Channel]:
    return {channel.id: channel for channel in probed(machine)[1].channels}


def refused(machine: FakeMachine) -> Unavailable:
    found = RaplPerfCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    return found


def grow(machine: FakeMachine) -> None:
    joules = {PKG: 100, RAM: 10}
    for key in machine.perf:
        machine.perf[key] += joules.get(key[1], 5_000) * COUNTS_PER_J


def known_j(channel: Channel, readings: list[Reading]) -> float | None:
    curve = EnergyCurve(integrate(channel, readings).intervals)
    return curve.between(readings[0].t_mono_ns, readings[-1].t_mono_ns).energy_j


@pytest.mark.parametrize("name", WITH_PMU)
def test_the_contract(tmp_path: Path, name: str) -> None:
    check_collector(RaplPerfCollector, MACHINES[name](tmp_path / "machine"))


@pytest.mark.parametrize("name", WITH_PMU)
def test_the_total_is_packages_and_memory_each_once(tmp_path: Path, name: str) -> None:
    machine = MACHINES[name](tmp_path / "machine")
    collector, found = probed(machine)
    collector.open(found.channels)
    first = collector.read()
    grow(machine)
    machine.clock.advance(1.0)
    rounds = list(zip(found.channels, first, collector.read(), strict=True))
    collector.close()
    energies_j = {(c.host, c.id): known_j(c, [before, after]) for c, before, after in rounds}
    chosen = counted(dict.fromkeys(found.channels, 1.0))
    assert sum(energies_j[key] or 0.0 for key in chosen) == TRUTH_J[name]
    assert chosen == set(energies_j), "everything that is offered is counted"


@pytest.mark.parametrize("name", sorted(set(WITH_PMU) - {"rapl_xeon_perf_only"}))
def test_both_doors_lead_to_channels_of_the_same_ids(tmp_path: Path, name: str) -> None:
    machine = MACHINES[name](tmp_path / "machine")
    other = RaplCollector(machine.host).probe()
    assert isinstance(other, Available)
    assert list(offered(machine)) == [channel.id for channel in other.channels]
    for channel in other.channels:
        assert offered(machine)[channel.id].device == channel.device
        assert offered(machine)[channel.id].component is channel.component
        assert offered(machine)[channel.id].uncertainty_rel == channel.uncertainty_rel


def test_what_a_channel_says(machine: FakeMachine) -> None:
    channels = offered(machine)
    assert {name: channel.component for name, channel in channels.items()} == {
        "rapl:package-0": Component.CPU,
        "rapl:package-0/dram": Component.DRAM,
        "rapl:package-1": Component.CPU,
        "rapl:package-1/dram": Component.DRAM,
    }
    assert {(c.kind, c.quality, c.collector, c.method, c.update_s) for c in channels.values()} == {
        (Kind.COUNTER, Quality.MEASURED, "rapl_perf", "rapl_perf", 0.001)
    }
    assert all(channel.per_process for channel in channels.values())
    assert probed(machine)[1].sources == {
        "rapl:package-0": "power/energy-pkg/ (CPU 0)",
        "rapl:package-0/dram": "power/energy-ram/ (CPU 0)",
        "rapl:package-1": "power/energy-pkg/ (CPU 18)",
        "rapl:package-1/dram": "power/energy-ram/ (CPU 18)",
    }


def test_counts_become_microjoules_without_rounding_on_the_way(machine: FakeMachine) -> None:
    collector, found = probed(machine)
    collector.open(found.channels[:1])
    key = (PMU_TYPE, PKG, 0)
    for counts, energy_uj in (
        (0, 0),
        (2**32, 1_000_000),
        (2**62 + 2**18, 2**30 * 1_000_000 + 61),
        (-(2**31), -500_000),
    ):
        machine.perf[key] = counts
        assert collector.read() == [CounterReading("rapl:package-0", machine.clock.mono_ns(), energy_uj)]
    collector.close()


def test_psys_counted_as_a_cpu(tmp_path: Path) -> None:
    machine = MACHINES["rapl_core_laptop"](tmp_path / "machine")
    assert (machine.root / PMU / "events/energy-psys").exists()
    assert list(offered(machine)) == ["rapl:package-0", "rapl:package-0/dram"]


def test_single_cores_of_amd_are_inside_their_package(tmp_path: Path) -> None:
    machine = MACHINES["rapl_epyc"](tmp_path / "machine")
    assert (machine.root / "sys/bus/event_source/devices/power_core").exists()
    assert list(offered(machine)) == ["rapl:package-0", "rapl:package-1"]


def test_two_digit_sockets_lost(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path / "machine")
    power_pmu(machine, {4 * n: (n, 0) for n in range(20)})
    assert list(offered(machine)) == [f"rapl:package-{n}" for n in range(20)]
    assert offered(machine)["rapl:package-19"].device == "package-19"


@pytest.mark.parametrize("vendor", ["AuthenticAMD", "HygonGenuine"])
def test_multi_die_mirrored_counter(tmp_path: Path, vendor: str) -> None:
    machine = FakeMachine(tmp_path / "machine")
    machine.cpu("AMD EPYC 9654 96-Core Processor", vendor=vendor)
    power_pmu(machine, {0: (0, 0), 8: (0, 1), 16: (1, 2), 24: (1, 3)})
    assert probed(machine)[1].sources == {
        "rapl:package-0": "power/energy-pkg/ (CPU 0)",
        "rapl:package-1": "power/energy-pkg/ (CPU 16)",
    }


def test_dies_that_count_for_themselves_have_names(machine: FakeMachine, tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path / "dies")
    power_pmu(machine, {0: (0, 0), 24: (0, 1), 48: (1, 0), 72: (1, 1)}, ("energy-pkg", "energy-ram"))
    assert [name for name in offered(machine) if "dram" not in name] == [
        "rapl:package-0-die-0",
        "rapl:package-0-die-1",
        "rapl:package-1-die-0",
        "rapl:package-1-die-1",
    ]
    assert "rapl:package-1-die-1/dram" in offered(machine)


@pytest.mark.parametrize("file", ["physical_package_id", "die_id"])
def test_a_package_that_cannot_be_named_is_not_silently_left_out(tmp_path: Path, file: str) -> None:
    machine = FakeMachine(tmp_path / "machine")
    power_pmu(machine, {0: (0, 0), 24: (0, 1)})
    machine.write(f"sys/devices/system/cpu/cpu24/topology/{file}", "-1\n")
    assert refused(machine).reason.code == "rapl_perf_unknown_layout"


def test_a_die_number_of_a_single_counter_is_not_in_its_name(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path / "machine")
    power_pmu(machine, {0: (0, 0), 86: (1, 3)})
    assert list(offered(machine)) == ["rapl:package-0", "rapl:package-1"]


def test_memory_that_never_counts_is_not_measured_as_zero(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1)
    machine.rapl("intel-rapl:1", "package-1", 1)
    assert list(offered(machine)) == ["rapl:package-0", "rapl:package-1"], "powercap knows of no memory"
    machine.rapl("intel-rapl:0:0", "dram", 1)
    assert len(offered(machine)) == 4


def test_a_list_of_cpus_may_have_ranges(machine: FakeMachine) -> None:
    machine.write(f"{PMU}/cpumask", "0-1,18\n")
    machine.write("sys/devices/system/cpu/cpu1/topology/physical_package_id", "2\n")
    machine.perf |= {(PMU_TYPE, PKG, 1): 0, (PMU_TYPE, RAM, 1): 0}
    assert [name for name in offered(machine) if "dram" not in name] == [
        "rapl:package-0",
        "rapl:package-1",
        "rapl:package-2",
    ]


def test_no_pmu_is_expected(tmp_path: Path) -> None:
    found = refused(FakeMachine(tmp_path / "machine"))
    assert (found.expected, found.reason.code) == (True, "rapl_perf_absent")


def test_a_closed_door_names_the_remedy(machine: FakeMachine) -> None:
    machine.perf_denied = True
    found = refused(machine)
    assert (found.expected, found.reason.code, found.reason.channel_id) == (
        False,
        "rapl_perf_closed",
        "rapl:package-0",
    )
    assert "power/energy-pkg/ (CPU 0)" in found.reason.message.de
    assert "Permission denied" in found.reason.message.en
    assert found.reason.remedy is not None
    for remedy in (found.reason.remedy.de, found.reason.remedy.en):
        assert "sudo sysctl kernel.perf_event_paranoid=0 " in remedy
        assert 'sudo setcap cap_perfmon=ep "$(readlink -f "$(command -v python3)")" ' in remedy
        assert "docker run --cap-add PERFMON" in remedy


def test_one_counter_that_cannot_be_opened_costs_itself(machine: FakeMachine) -> None:
    del machine.perf[PMU_TYPE, RAM, 18]
    found = probed(machine)[1]
    assert len(found.channels) == 3
    assert [(i.code, i.channel_id, i.remedy) for i in found.incidents] == [
        ("rapl_perf_closed", "rapl:package-1/dram", None)
    ]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("type", ""),
        ("type", "power"),
        ("cpumask", ""),
        ("cpumask", "all"),
        ("cpumask", "0-"),
        ("cpumask", "-0"),
        ("cpumask", "0,"),
        ("cpumask", "7"),
        ("events/energy-pkg", "event=0x02,umask=0x1"),
        ("events/energy-pkg.scale", ""),
        ("events/energy-pkg.scale", "one"),
        ("events/energy-pkg.scale", "0"),
        ("events/energy-pkg.scale", "-1e-10"),
        ("events/energy-pkg.scale", "nan"),
        ("events/energy-pkg.scale", "inf"),
        ("events/energy-pkg.unit", "Wh"),
    ],
)
def test_an_unknown_layout_is_not_read(tmp_path: Path, file: str, content: str) -> None:
    machine = FakeMachine(tmp_path / "machine")
    power_pmu(machine, {0: (0, 0)})
    machine.write(f"{PMU}/{file}", content)
    found = refused(machine)
    assert (found.expected, found.reason.code) == (False, "rapl_perf_unknown_layout")


def test_a_missing_event_is_no_event(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path / "machine")
    power_pmu(machine, {0: (0, 0)}, ("energy-cores", "energy-psys"))
    assert refused(machine).reason.code == "rapl_perf_unknown_layout"


def test_a_failing_sensor_is_a_gap_and_the_next_count_counts(machine: FakeMachine) -> None:
    collector, found = probed(machine)
    collector.open(found.channels[:1])
    readings = collector.read()
    machine.clock.advance(1.0)
    with machine.silenced():
        readings += collector.read()
    assert readings[-1] == Gap("rapl:package-0", machine.clock.mono_ns(), "rapl_perf_enodev")
    grow(machine)
    machine.clock.advance(1.0)
    readings += collector.read()
    collector.close()
    assert collector.read() == []
    assert known_j(found.channels[0], readings) == 100.0


def test_a_cpu_taken_offline_is_a_gap(machine: FakeMachine) -> None:
    class Ended:
        def read(self) -> int:
            raise ValueError("a counter of 0 bytes")

        def close(self) -> None:
            pass

    collector, found = probed(machine)
    collector.open(found.channels[:1])
    collector._opened = [(*collector._opened[0][:2], Ended())]
    assert collector.read() == [Gap("rapl:package-0", machine.clock.mono_ns(), "rapl_perf_no_count")]


def test_a_door_that_shuts_after_the_probe_is_a_gap(machine: FakeMachine) -> None:
    collector, found = probed(machine)
    machine.perf_denied = True
    collector.open(found.channels)
    assert {reading.reason for reading in collector.read() if isinstance(reading, Gap)} == {"rapl_perf_not_opened"}
    collector.close()


def test_each_process_counts_from_its_own_opening(machine: FakeMachine) -> None:
    first, found = probed(machine)
    first.open(found.channels[:1])
    grow(machine)
    second, _ = probed(machine)
    second.open(found.channels[:1])
    grow(machine)
    values = [
        reading.energy_uj for c in (first, second) for reading in c.read() if isinstance(reading, CounterReading)
    ]
    assert values == [200_000_000, 100_000_000]


class Kernel:
    """The count of arch/x86/events/rapl.c: differences of a 32-bit register, taken as signed."""

    def __init__(self, unit_j: float) -> None:
        self.unit_j = unit_j
        self.energy_j = 0.0
        self.count = 0
        self._seen = 0

    def update(self) -> int:
        register = round(self.energy_j / self.unit_j) % 2**32
        delta = (register - self._seen) % 2**32
        self._seen = register
        self.count += (delta - 2**32 if delta >= 2**31 else delta) * round(self.unit_j * COUNTS_PER_J)
        return self.count


@pytest.mark.parametrize(("watts", "falls"), [(150, False), (350, True), (480, True)])
def test_what_the_kernels_timer_loses_above_200_watts_is_undone_or_unknown(
    tmp_path: Path, watts: int, falls: bool
) -> None:
    machine = MACHINES["rapl_epyc"](tmp_path / "machine")
    channel = offered(machine)["rapl:package-0"]
    kernel = Kernel(2**-16)
    rare: list[Reading] = [CounterReading(channel.id, 0, 0)]
    for _ in range(6):
        kernel.energy_j += watts * 164.0  # the timer alone reads it
        kernel.update()
    rare.append(CounterReading(channel.id, 6 * 164 * NS_PER_S, kernel.count * 1_000_000 // COUNTS_PER_J))
    assert (kernel.count < 0 or kernel.count < 6 * 164 * watts * COUNTS_PER_J) is falls, (
        "the kernel's figure is wrong"
    )
    assert known_j(channel, rare) is None, "so a long pause is unknown, not wrong"

    often: list[Reading] = []
    for step in range(30):
        often.append(CounterReading(channel.id, step * 60 * NS_PER_S, kernel.update() * 1_000_000 // COUNTS_PER_J))
        kernel.energy_j += watts * 60.0
    assert known_j(channel, often) == pytest.approx(watts * 60 * 29, abs=0.001)
    assert channel.poll_s(3600.0) < 60, "and the sampler reads more often than that"


def test_the_fall_at_a_registers_wrap_on_xeon_6_is_undone(tmp_path: Path) -> None:
    machine = MACHINES["rapl_xeon_6"](tmp_path / "machine")
    channel = offered(machine)["rapl:package-0"]
    scale = 61_035 * 2**32 // 10**9  # rapl_package_add_pmu: counts per step of the register
    register = [2**32 - 8_000_000, (2**32 + 192_000) % 2**32]
    readings: list[Reading] = [
        CounterReading(channel.id, index * NS_PER_S, value * scale * 1_000_000 // COUNTS_PER_J)
        for index, value in enumerate(register)
    ]
    assert known_j(channel, readings) == pytest.approx(8_192_000 * 61.035e-6, abs=1.01), "500 J, not -261 643 J"


def test_without_powercap_the_smallest_range_is_assumed(machine: FakeMachine) -> None:
    assert {(c.wrap_uj, c.resolution_uj) for c in offered(machine).values()} == {(65_536_000_000, 61)}
    powercap(machine, [Zone("package-0", 1), Zone("package-1", 1, 65_532_610_987)])
    assert [(c.wrap_uj, c.resolution_uj) for c in offered(machine).values()] == [
        (262_144_000_000, 61),
        (65_536_000_000, 15),
    ]


def test_closing_gives_the_counters_back(machine: FakeMachine) -> None:
    closed: list[int] = []

    class Counter:
        def read(self) -> int:
            return 0

        def close(self) -> None:
            closed.append(1)

    host = machine.host
    object.__setattr__(host, "open_perf_counter", lambda *_: Counter())
    collector = RaplPerfCollector(host)
    found = collector.probe()
    assert isinstance(found, Available)
    assert len(closed) == 4, "the probe has no lasting effect"
    collector.open(found.channels)
    collector.close()
    collector.close()
    assert len(closed) == 8


SOFTWARE, CPU_CLOCK = 1, 0


def test_the_kernels_own_counters_are_read() -> None:
    try:
        counter = open_perf_counter(SOFTWARE, CPU_CLOCK, 0)
    except OSError as error:
        pytest.skip(f"no perf_event_open here: {error}")
    first = counter.read()
    second = counter.read()
    counter.close()
    counter.close()
    assert 0 <= first < second < 60 * NS_PER_S
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        counter.read()
    with pytest.raises(OSError):
        open_perf_counter(12_345_678, 0, 0)
