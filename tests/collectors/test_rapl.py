"""RAPL by powercap: which zones count, what they count, and what happens where one cannot be read."""

from __future__ import annotations

import os
import subprocess
import sys
from errno import ENODEV
from itertools import pairwise
from pathlib import Path

import pytest

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.cover import counted
from greenai.core.energy import integrate
from greenai.core.energy_curve import EnergyCurve
from greenai.core.reading import CounterReading, Gap, Reading
from greenai.core.units import NS_PER_S
from greenai.testing import FakeMachine, check_collector
from greenai.testing.machines.rapl import AMD_RANGE_UJ, MACHINES, RANGE_UJ, shut_powercap
from greenai_collectors.rapl import RaplCollector

READABLE = sorted(set(MACHINES) - {"rapl_xeon_perf_only"})

# What the zones of ``grown`` add up to: 100 J a package, 10 J a memory, nothing else.
TRUTH_J = {
    "rapl_xeon_4_sockets": 4 * 110,
    "rapl_xeon_16_sockets": 16 * 110,
    "rapl_xeon_psys": 2 * 110,
    "rapl_xeon_6": 2 * 110,
    "rapl_xeon_dies": 4 * 110,
    "rapl_core_laptop": 110,
    "rapl_core_desktop_old": 110,
    "rapl_threadripper_mirrored": 100,
    "rapl_epyc_chiplets": 2 * 100,
    "rapl_epyc": 2 * 100,
}


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine")


def two_sockets(machine: FakeMachine) -> None:
    for socket in (0, 1):
        machine.rapl(f"intel-rapl:{socket}", f"package-{socket}", 1_000 + socket)
        machine.rapl(f"intel-rapl:{socket}:0", "dram", 2_000 + socket)


def probed(machine: FakeMachine) -> tuple[RaplCollector, Available]:
    collector = RaplCollector(machine.host)
    found = collector.probe()
    assert isinstance(found, Available)
    return collector, found


def offered(machine: FakeMachine) -> dict[str, Channel]:
    return {channel.id: channel for channel in probed(machine)[1].channels}


def values(machine: FakeMachine) -> dict[str, int | str]:
    collector, found = probed(machine)
    collector.open(found.channels)
    readings = collector.read()
    collector.close()
    said: dict[str, int | str] = {}
    for reading in readings:
        assert isinstance(reading, (CounterReading, Gap))
        said[reading.channel_id] = reading.energy_uj if isinstance(reading, CounterReading) else reading.reason
    return said


def grow(machine: FakeMachine) -> None:
    """Let all zones count, each kind as much that it would be noticed in a sum."""
    joules = {"package": 100, "dram": 10, "core": 1_000, "uncore": 3_000, "psys": 5_000}
    for file in (machine.root / "sys/devices/virtual/powercap").rglob("energy_uj"):
        kind = (file.parent / "name").read_text().strip().partition("-")[0]
        file.write_text(f"{int(file.read_text()) + joules[kind] * 1_000_000}\n")


def known_j(channel: Channel, readings: list[Reading]) -> float | None:
    """What core.energy makes of the readings of a channel, from the first to the last."""
    curve = EnergyCurve(integrate(channel, readings).intervals)
    return curve.between(readings[0].t_mono_ns, readings[-1].t_mono_ns).energy_j


def counts(channel: Channel, *at: tuple[float, int]) -> list[Reading]:
    return [CounterReading(channel.id, round(t_s * NS_PER_S), energy_uj) for t_s, energy_uj in at]


@pytest.mark.parametrize("name", READABLE)
def test_the_contract(tmp_path: Path, name: str) -> None:
    check_collector(RaplCollector, MACHINES[name](tmp_path / "machine"))


@pytest.mark.parametrize("name", READABLE)
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


def test_two_sockets_with_dram_inside(machine: FakeMachine) -> None:
    two_sockets(machine)
    channels = offered(machine)
    assert {name: channel.component for name, channel in channels.items()} == {
        "rapl:package-0": Component.CPU,
        "rapl:package-0/dram": Component.DRAM,
        "rapl:package-1": Component.CPU,
        "rapl:package-1/dram": Component.DRAM,
    }
    assert {(c.kind, c.quality, c.method, c.update_s, c.per_process) for c in channels.values()} == {
        (Kind.COUNTER, Quality.MEASURED, "rapl_powercap", 0.001, False)
    }
    assert {c.note for c in channels.values()} == {None}
    assert values(machine) == {
        "rapl:package-0": 1000,
        "rapl:package-1": 1001,
        "rapl:package-0/dram": 2000,
        "rapl:package-1/dram": 2001,
    }


def test_the_source_of_each_channel_is_its_file(machine: FakeMachine) -> None:
    two_sockets(machine)
    root = machine.root / "sys/class/powercap"
    assert probed(machine)[1].sources == {
        "rapl:package-0": str(root / "intel-rapl:0/energy_uj"),
        "rapl:package-0/dram": str(root / "intel-rapl:0:0/energy_uj"),
        "rapl:package-1": str(root / "intel-rapl:1/energy_uj"),
        "rapl:package-1/dram": str(root / "intel-rapl:1:0/energy_uj"),
    }


def test_dram_ignored(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1)
    machine.rapl("intel-rapl:1", "package-1", 2)
    machine.rapl("intel-rapl:2", "dram", 3)
    machine.rapl("intel-rapl:3", "dram", 4)
    assert sorted(int(value) for value in values(machine).values()) == [1, 2, 3, 4]
    channels = offered(machine)
    assert sum(channel.component is Component.DRAM for channel in channels.values()) == 2
    assert len(counted(dict.fromkeys(channels.values(), 1.0))) == 4


def test_mmio_counted_twice(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl-mmio:0", "package-0", 99)
    machine.rapl("intel-rapl-mmio:0:0", "dram", 98)
    machine.rapl("intel-rapl:0", "package-0", 1)
    machine.rapl("intel-rapl:0:0", "dram", 2)
    assert values(machine) == {"rapl:package-0": 1, "rapl:package-0/dram": 2}


def test_mmio_alone_counts(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl-mmio:0", "package-0", 99)
    assert values(machine) == {"rapl:package-0": 99}


def test_mmio_is_read_if_only_it_may_be(machine: FakeMachine) -> None:
    closed(machine, "intel-rapl:0", "package-0")
    machine.rapl("intel-rapl-mmio:0", "package-0", 99)
    found = probed(machine)[1]
    assert found.incidents == ()
    assert found.sources["rapl:package-0"].endswith("intel-rapl-mmio:0/energy_uj")
    assert values(machine) == {"rapl:package-0": 99}


def test_psys_counted_as_a_cpu(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1)
    machine.rapl("intel-rapl:0:0", "core", 2)
    machine.rapl("intel-rapl:0:1", "uncore", 3)
    machine.rapl("intel-rapl:0:2", "dram", 4)
    machine.rapl("intel-rapl:1", "psys", 5)
    machine.rapl("intel-rapl:2", "psys-1", 6)
    assert values(machine) == {"rapl:package-0": 1, "rapl:package-0/dram": 4}


def test_psys_alone_is_no_cpu(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "psys", 5)
    found = RaplCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    assert (found.expected, found.reason.code) == (True, "rapl_no_package")
    assert "psys" in found.reason.message.de
    assert "psys" in found.reason.message.en


def test_foreign_zones_are_left_alone(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1)
    machine.rapl("intel-rapl", "package-1", 7)
    machine.rapl("dtpm:0", "package-2", 7)
    machine.rapl("intel-rapl:0:0:0", "dram", 7)
    machine.rapl("intel-rapl:g", "package-3", 7)
    machine.write("sys/class/powercap/intel-rapl:5/energy_uj", "7\n")
    assert values(machine) == {"rapl:package-0": 1}


def test_two_digit_sockets_lost(machine: FakeMachine) -> None:
    for socket in range(20):  # the kernel counts on in hexadecimal: 9, a, ... f, 10
        machine.rapl(f"intel-rapl:{socket:x}", f"package-{socket}", 100 + socket)
        machine.rapl(f"intel-rapl:{socket:x}:0", "dram", 200 + socket)
    expected = {f"rapl:package-{n}": 100 + n for n in range(20)}
    expected |= {f"rapl:package-{n}/dram": 200 + n for n in range(20)}
    assert values(machine) == expected
    ids = [f"rapl:package-{n}{part}" for n in range(20) for part in ("", "/dram")]
    assert list(offered(machine)) == ids, "in the order of their numbers"


def test_flat_and_nested_views_are_one_zone(tmp_path: Path) -> None:
    machine = MACHINES["rapl_xeon_4_sockets"](tmp_path / "machine")
    classes = machine.root / "sys/class/powercap"
    assert (classes / "intel-rapl:1:0/name").samefile(classes / "intel-rapl:1/intel-rapl:1:0/name")
    assert len(values(machine)) == 8


def test_subzones_are_found_inside_their_package_too(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1)  # a container that is given this folder and no more
    machine.rapl("intel-rapl:0/intel-rapl:0:0", "core", 2)
    machine.rapl("intel-rapl:0/intel-rapl:0:1", "dram", 3)
    assert values(machine) == {"rapl:package-0": 1, "rapl:package-0/dram": 3}


def test_dies_of_one_package_are_summed(machine: FakeMachine) -> None:
    for number, name in enumerate(("package-0-die-0", "package-0-die-1", "package-1-die-0", "package-1-die-1")):
        machine.rapl(f"intel-rapl:{number}", name, number)
    assert values(machine) == {
        "rapl:package-0-die-0": 0,
        "rapl:package-0-die-1": 1,
        "rapl:package-1-die-0": 2,
        "rapl:package-1-die-1": 3,
    }


@pytest.mark.parametrize("vendor", ["AuthenticAMD", "HygonGenuine"])
def test_multi_die_mirrored_counter(machine: FakeMachine, vendor: str) -> None:
    machine.cpu("AMD Ryzen Threadripper 1950X 16-Core Processor", vendor=vendor)
    machine.rapl("intel-rapl:0", "package-0-die-0", 68)
    machine.rapl("intel-rapl:1", "package-0-die-1", 69)
    machine.rapl("intel-rapl:2", "package-1-die-2", 70)
    machine.rapl("intel-rapl:3", "package-1-die-3", 71)
    assert values(machine) == {"rapl:package-0": 68, "rapl:package-1": 70}


def test_one_name_twice_is_one_counter(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1)
    machine.rapl("intel-rapl:1", "package-0", 1)
    assert values(machine) == {"rapl:package-0": 1}


def test_an_amd_core_zone_is_a_single_core(machine: FakeMachine) -> None:
    machine.cpu("AMD EPYC 7763 64-Core Processor", vendor="AuthenticAMD")
    machine.rapl("intel-rapl:0", "package-0", 1, range_uj=AMD_RANGE_UJ)
    machine.rapl("intel-rapl:0:0", "core", 2, range_uj=AMD_RANGE_UJ)
    assert values(machine) == {"rapl:package-0": 1}


def test_no_rapl_is_expected(machine: FakeMachine) -> None:
    found = RaplCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    assert (found.expected, found.reason.code) == (True, "rapl_absent")


def closed(machine: FakeMachine, zone: str, name: str) -> None:
    file = machine.rapl(zone, name, 1)
    file.unlink()
    file.mkdir()  # root may read any file, but no folder


def test_unreadable_counters_name_the_remedy(machine: FakeMachine) -> None:
    closed(machine, "intel-rapl:0", "package-0")
    closed(machine, "intel-rapl:0:0", "dram")
    found = RaplCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    assert (found.expected, found.reason.code) == (False, "rapl_unreadable")
    assert found.reason.channel_id == "rapl:package-0"
    assert found.reason.remedy is not None
    for message in (found.reason.message.de, found.reason.message.en):
        assert "intel-rapl:0/energy_uj" in message
    for remedy in (found.reason.remedy.de, found.reason.remedy.en):
        assert "sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj " in remedy
        assert "| sudo tee /etc/udev/rules.d/70-greenai.rules && sudo udevadm trigger --action=add " in remedy


def test_each_closed_zone_is_an_incident_about_its_channel(tmp_path: Path) -> None:
    machine = MACHINES["rapl_xeon_4_sockets"](tmp_path / "machine")
    shut_powercap(machine)
    ids = list(offered(MACHINES["rapl_xeon_4_sockets"](tmp_path / "open")))
    machine.rapl("intel-rapl:4", "package-4", 1)
    found = probed(machine)[1]
    assert [channel.id for channel in found.channels] == ["rapl:package-4"]
    assert [incident.channel_id for incident in found.incidents] == ids
    assert {incident.code for incident in found.incidents} == {"rapl_unreadable"}


_AS_A_USER = """
import sys
from pathlib import Path
from greenai_collectors.rapl import RaplCollector
from greenai.host.machine import Host, SystemClock
from greenai.host.nvml import NvmlLoad
root = Path(sys.argv[1])
probe = RaplCollector(Host("h", root / "sys", root / "proc", {}, SystemClock(), lambda: NvmlLoad(None))).probe()
print(type(probe).__name__, probe.reason.code, "Permission denied" in probe.reason.message.de)
print(sorted({"ctypes", "psutil", "subprocess", "asyncio", "logging"} & set(sys.modules)))
"""


def test_file_modes_are_obeyed_without_privileges_and_nothing_heavy_is_imported(machine: FakeMachine) -> None:
    for zone, name in (("intel-rapl:0", "package-0"), ("intel-rapl:1", "package-1")):
        machine.rapl(zone, name, 1).chmod(0)
    drop = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.getuid() == 0 else []
    done = subprocess.run(
        [*drop, sys.executable, "-c", _AS_A_USER, str(machine.root)], capture_output=True, text=True, check=True
    )
    first, second = done.stdout.splitlines()
    assert first.split() == ["Unavailable", "rapl_unreadable", "True"]
    assert second == "[]"


def test_counters_hidden_by_a_container_are_no_missing_hardware(machine: FakeMachine) -> None:
    classes = machine.root / "sys/class/powercap"
    classes.mkdir(parents=True)
    for name in ("intel-rapl", "intel-rapl:0", "intel-rapl:0:0"):
        (classes / name).symlink_to(machine.root / "sys/devices/virtual/powercap/intel-rapl" / name)
    found = RaplCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    assert (found.expected, found.reason.code, found.reason.channel_id) == (False, "rapl_hidden", "rapl:package-0")
    assert found.reason.remedy is not None
    for remedy in (found.reason.remedy.de, found.reason.remedy.en):
        assert "docker run --security-opt systempaths=unconfined" in remedy
        assert "podman run --security-opt unmask=/sys/devices/virtual/powercap" in remedy


def test_the_readable_rest_is_measured(machine: FakeMachine) -> None:
    two_sockets(machine)
    closed(machine, "intel-rapl:2", "package-2")
    found = probed(machine)[1]
    assert len(found.channels) == 4
    assert [(i.code, i.channel_id) for i in found.incidents] == [("rapl_unreadable", "rapl:package-2")]
    assert "intel-rapl:2" in found.incidents[0].message.de


# The driver's unit in nJ, the range it makes of it, and what follows.
@pytest.mark.parametrize(
    ("unit_nj", "range_uj", "wrap_uj", "resolution_uj"),
    [
        (61_035, RANGE_UJ, 262_143_328_911, 61),
        (15_258, AMD_RANGE_UJ, 65_532_611_002, 15),
        (15_300, 65_712_999_613, 65_712_999_628, 15),
        (1_000_000_000, 4_294_967_295_000_000, 4_294_967_296_000_000, 1_000_000),
    ],
)
def test_the_modulus_is_one_step_more_than_the_range(
    machine: FakeMachine, unit_nj: int, range_uj: int, wrap_uj: int, resolution_uj: int
) -> None:
    def shown_uj(register: int) -> int:  # rapl_unit_xlate
        return register % 2**32 * unit_nj // 1000

    assert shown_uj(2**32 - 1) == range_uj
    machine.rapl("intel-rapl:0", "package-0", 1, range_uj=range_uj)
    channel = offered(machine)["rapl:package-0"]
    assert (channel.wrap_uj, channel.resolution_uj) == (wrap_uj, resolution_uj)
    readings = counts(channel, (0, shown_uj(2**32 - 1)), (1, shown_uj(2**32)))
    assert known_j(channel, readings) == pytest.approx(unit_nj / 1e9, abs=2e-6), "one step, not none"
    readings = counts(channel, (0, shown_uj(2**32 - 700)), (1, shown_uj(2**32 + 300)))
    assert known_j(channel, readings) == pytest.approx(unit_nj / 1e6, abs=2e-6)


def test_many_wraps_lose_nothing(machine: FakeMachine) -> None:
    machine.cpu("AMD EPYC 9965 192-Core Processor", vendor="AuthenticAMD")
    machine.rapl("intel-rapl:0", "package-0", 1, range_uj=AMD_RANGE_UJ)
    channel = offered(machine)["rapl:package-0"]
    registers = [round(500 * 30 * n * 1e9 / 15_258) for n in range(1000)]  # 500 W, every 30 s: 228 wraps
    shown = [register % 2**32 * 15_258 // 1000 for register in registers]
    assert sum(after < before for before, after in pairwise(shown)) == 228
    readings = counts(channel, *((30 * n, energy_uj) for n, energy_uj in enumerate(shown)))
    assert known_j(channel, readings) == pytest.approx(500 * 30 * 999, abs=0.001)


def test_two_wraps_per_interval(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1)
    channel = offered(machine)["rapl:package-0"]
    readings = counts(channel, (0, 1_000_000), (600, 2_000_000), (601, 102_000_000))
    known = integrate(channel, readings)
    assert [interval.energy_uj for interval in known.intervals] == [None, 100_000_000]
    assert channel.poll_s(3600.0) == pytest.approx(131, abs=1), "so the sampler reads more often"


def test_counter_reset(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1)
    channel = offered(machine)["rapl:package-0"]
    readings = counts(channel, (0, 90_000_000_000), (1, 90_100_000_000), (2, 5_000_000), (3, 105_000_000))
    known = integrate(channel, readings)
    assert [interval.energy_uj for interval in known.intervals] == [100_000_000, None, 100_000_000]


@pytest.mark.parametrize(
    "text", ["", "unknown", "0", "-5", "12.5", "²", "1", "4294967", "18446744073709551615", "9" * 40]
)
def test_unreadable_range_gives_negative_energy(machine: FakeMachine, text: str) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1, range_uj=None)
    machine.write("sys/class/powercap/intel-rapl:0/max_energy_range_uj", text)
    channel = offered(machine)["rapl:package-0"]
    assert (channel.wrap_uj, channel.resolution_uj) == (None, 61)
    readings = counts(channel, (0, 262_143_000_000), (1, 50_000_000), (2, 150_000_000))
    known = integrate(channel, readings)
    assert [interval.energy_uj for interval in known.intervals] == [None, 100_000_000], "unknown, and a gap"
    assert EnergyCurve(known.intervals).between(0, 2 * NS_PER_S).gap_s == 1.0


def test_a_missing_range_is_no_range(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1, range_uj=None)
    assert offered(machine)["rapl:package-0"].wrap_uj is None


def test_one_failed_read_adds_a_whole_range(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.rapl("intel-rapl:0", "package-0", 7_000_000)
    collector, found = probed(machine)
    collector.open(found.channels)
    readings = collector.read()

    def gone(_file: int, _count: int, _offset: int) -> bytes:
        raise OSError(ENODEV, "No such device")

    machine.clock.advance(1.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", gone)
        failed = collector.read()
    assert [(type(reading), reading.reason) for reading in failed if isinstance(reading, Gap)] == [
        (Gap, "rapl_enodev")
    ]
    machine.clock.advance(1.0)
    machine.write("sys/class/powercap/intel-rapl:0/energy_uj", "207000000\n")
    readings += [*failed, *collector.read()]
    collector.close()
    assert collector.read() == []
    assert known_j(found.channels[0], readings) == 200.0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "rapl_garbage"),
        ("\n", "rapl_garbage"),
        ("garbage\n", "rapl_garbage"),
        ("\xff", "rapl_garbage"),
        ("1.5", "rapl_garbage"),
        ("0x10", "rapl_garbage"),
        ("-1", "rapl_out_of_range"),
        ("18446744073709551615", "rapl_out_of_range"),
    ],
)
def test_garbage_is_a_gap_on_that_counter_only(machine: FakeMachine, content: str, reason: str) -> None:
    two_sockets(machine)
    collector, found = probed(machine)
    collector.open(found.channels)
    machine.write("sys/class/powercap/intel-rapl:0/energy_uj", content)
    readings = {reading.channel_id: reading for reading in collector.read()}
    assert readings.pop("rapl:package-0") == Gap("rapl:package-0", machine.clock.mono_ns(), reason)
    assert {type(reading) for reading in readings.values()} == {CounterReading}
    machine.write("sys/class/powercap/intel-rapl:0/energy_uj", "77\n")
    again = {reading.channel_id: reading for reading in collector.read()}
    assert again["rapl:package-0"] == CounterReading("rapl:package-0", machine.clock.mono_ns(), 77)
    collector.close()


def test_a_counter_that_went_before_it_was_opened_is_a_gap(machine: FakeMachine) -> None:
    two_sockets(machine)
    collector, found = probed(machine)
    (machine.root / "sys/class/powercap/intel-rapl:1/energy_uj").unlink()
    collector.open(found.channels)
    gaps = [reading for reading in collector.read() if isinstance(reading, Gap)]
    assert [(gap.channel_id, gap.reason) for gap in gaps] == [("rapl:package-1", "rapl_not_opened")]
    collector.close()


def test_how_sure_each_kind_is(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1)
    machine.rapl("intel-rapl:0:0", "dram", 1)
    intel = offered(machine)
    assert (intel["rapl:package-0"].uncertainty_rel, intel["rapl:package-0/dram"].uncertainty_rel) == (0.05, 0.2)
    for vendor, model in (("AuthenticAMD", "49"), ("HygonGenuine", "1"), ("GenuineIntel", "45")):
        machine.cpu("whatever", vendor=vendor)
        info = machine.root / "proc/cpuinfo"
        info.write_text(info.read_text().replace("model name", f"model\t\t: {model}\nmodel name"))
        assert offered(machine)["rapl:package-0"].uncertainty_rel == 0.10, "modelled, not measured"
    assert intel["rapl:package-0"].uncertainty_at(0.005) == (1.0, 1.0)
    assert intel["rapl:package-0"].uncertainty_at(0.05) == (0.2, 0.2)
    assert intel["rapl:package-0"].uncertainty_at(0.5) == (0.05, 0.05)


def test_a_virtual_machines_counter_is_no_measurement(machine: FakeMachine) -> None:
    machine.cpu("Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", virtual=True)
    machine.rapl("intel-rapl:0", "package-0", 1)
    channel = offered(machine)["rapl:package-0"]
    assert (channel.quality, channel.policy, channel.share) == (Quality.ALLOCATED, "hypervisor", 1.0)
    assert channel.uncertainty_at(0.001) == (0.5, 1.0)
    assert channel.note is not None
    assert "Hypervisor" in channel.note.de
    assert "hypervisor" in channel.note.en
    check_collector(RaplCollector, machine)


def open_files() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir() if path.exists()}


def test_closing_gives_the_files_back(machine: FakeMachine) -> None:
    two_sockets(machine)
    before = open_files()
    collector, found = probed(machine)
    assert open_files() == before, "probing leaves nothing open"
    collector.open(found.channels)
    assert len(open_files()) == len(before) + 4
    collector.close()
    assert open_files() == before
