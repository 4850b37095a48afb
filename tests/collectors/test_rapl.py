"""RAPL: which zones count, and what happens where one cannot be read."""

from __future__ import annotations

import os
import subprocess
import sys
from errno import ENODEV
from pathlib import Path

import pytest

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.reading import CounterReading, Gap
from greenai.testing import FakeMachine, check_collector
from greenai_collectors.rapl import RaplCollector


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine")


def two_sockets(machine: FakeMachine) -> None:
    for socket in (0, 1):
        machine.rapl(f"intel-rapl:{socket}", f"package-{socket}", 1_000 + socket)
        machine.rapl(f"intel-rapl:{socket}:0", "dram", 2_000 + socket)


def offered(machine: FakeMachine) -> dict[str, Channel]:
    found = RaplCollector(machine.host).probe()
    assert isinstance(found, Available)
    return {channel.id: channel for channel in found.channels}


def values(machine: FakeMachine) -> dict[str, int | str]:
    collector = RaplCollector(machine.host)
    found = collector.probe()
    assert isinstance(found, Available)
    collector.open(found.channels)
    readings = collector.read()
    collector.close()
    said: dict[str, int | str] = {}
    for reading in readings:
        assert isinstance(reading, (CounterReading, Gap))
        said[reading.channel_id] = reading.energy_uj if isinstance(reading, CounterReading) else reading.reason
    return said


def test_the_contract(machine: FakeMachine) -> None:
    two_sockets(machine)
    assert len(check_collector(RaplCollector, machine)) == 4


def test_two_sockets_with_dram_inside(machine: FakeMachine) -> None:
    two_sockets(machine)
    channels = offered(machine)
    assert {name: channel.component for name, channel in channels.items()} == {
        "rapl:package-0": Component.CPU,
        "rapl:package-0/dram": Component.DRAM,
        "rapl:package-1": Component.CPU,
        "rapl:package-1/dram": Component.DRAM,
    }
    assert {(channel.kind, channel.quality, channel.method) for channel in channels.values()} == {
        (Kind.COUNTER, Quality.MEASURED, "rapl_powercap")
    }
    assert channels["rapl:package-0"].wrap_uj == 262_143_328_850
    assert values(machine) == {
        "rapl:package-0": 1000,
        "rapl:package-1": 1001,
        "rapl:package-0/dram": 2000,
        "rapl:package-1/dram": 2001,
    }


def test_flat_dram_zones_stay_apart(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1)
    machine.rapl("intel-rapl:1", "package-1", 2)
    machine.rapl("intel-rapl:2", "dram", 3)
    machine.rapl("intel-rapl:3", "dram", 4)
    assert sorted(int(value) for value in values(machine).values()) == [1, 2, 3, 4]
    assert sum(channel.component is Component.DRAM for channel in offered(machine).values()) == 2


def test_a_second_interface_to_the_same_counter_counts_once(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl-mmio:0", "package-0", 99)
    machine.rapl("intel-rapl-mmio:0:0", "dram", 98)
    machine.rapl("intel-rapl:0", "package-0", 1)
    machine.rapl("intel-rapl:0:0", "dram", 2)
    assert values(machine) == {"rapl:package-0": 1, "rapl:package-0/dram": 2}


def test_mmio_alone_counts(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl-mmio:0", "package-0", 99)
    assert values(machine) == {"rapl:package-0": 99}


def test_psys_core_and_uncore_would_count_joules_twice(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1)
    machine.rapl("intel-rapl:0:0", "core", 2)
    machine.rapl("intel-rapl:0:1", "uncore", 3)
    machine.rapl("intel-rapl:0:2", "dram", 4)
    machine.rapl("intel-rapl:1", "psys", 5)
    assert values(machine) == {"rapl:package-0": 1, "rapl:package-0/dram": 4}


def test_psys_alone_is_no_cpu(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "psys", 5)
    found = RaplCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    assert found.expected


def test_foreign_zones_are_left_alone(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1)
    machine.rapl("intel-rapl", "package-1", 7)
    machine.rapl("dtpm:0", "package-2", 7)
    machine.rapl("intel-rapl:0:0:0", "dram", 7)
    machine.write("sys/class/powercap/intel-rapl:5/energy_uj", "7\n")
    assert values(machine) == {"rapl:package-0": 1}


def test_twelve_sockets_are_twelve_devices(machine: FakeMachine) -> None:
    for socket in range(12):
        machine.rapl(f"intel-rapl:{socket}", f"package-{socket}", 100 + socket)
        machine.rapl(f"intel-rapl:{socket}:0", "dram", 200 + socket)
    expected = {f"rapl:package-{n}": 100 + n for n in range(12)}
    expected |= {f"rapl:package-{n}/dram": 200 + n for n in range(12)}
    assert values(machine) == expected
    check_collector(RaplCollector, machine)


def test_dies_of_one_package_are_summed(machine: FakeMachine) -> None:
    for number, name in enumerate(("package-0-die-0", "package-0-die-1", "package-1-die-0", "package-1-die-1")):
        machine.rapl(f"intel-rapl:{number}", name, number)
    assert values(machine) == {
        "rapl:package-0-die-0": 0,
        "rapl:package-0-die-1": 1,
        "rapl:package-1-die-0": 2,
        "rapl:package-1-die-1": 3,
    }


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
    assert "intel-rapl:0/energy_uj" in found.reason.message.en
    assert found.reason.remedy is not None
    for language in (found.reason.remedy.de, found.reason.remedy.en):
        assert "sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj" in language


_AS_A_USER = """
import sys
from pathlib import Path
from greenai_collectors.rapl import RaplCollector
from greenai.host.machine import Host, SystemClock
from greenai.host.nvml import NvmlLoad
root = Path(sys.argv[1])
probe = RaplCollector(Host("h", root / "sys", root / "proc", {}, SystemClock(), lambda: NvmlLoad(None))).probe()
print(type(probe).__name__, probe.reason.code)
"""


def test_file_modes_are_obeyed_without_privileges(machine: FakeMachine) -> None:
    for zone, name in (("intel-rapl:0", "package-0"), ("intel-rapl:1", "package-1")):
        machine.rapl(zone, name, 1).chmod(0)
    drop = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.getuid() == 0 else []
    done = subprocess.run(
        [*drop, sys.executable, "-c", _AS_A_USER, str(machine.root)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["Unavailable", "rapl_unreadable"]


def test_the_readable_rest_is_measured(machine: FakeMachine) -> None:
    two_sockets(machine)
    closed(machine, "intel-rapl:2", "package-2")
    found = RaplCollector(machine.host).probe()
    assert isinstance(found, Available)
    assert len(found.channels) == 4
    assert [incident.code for incident in found.incidents] == ["rapl_unreadable"]
    assert "intel-rapl:2" in found.incidents[0].message.de


@pytest.mark.parametrize("text", ["", "unknown", "0", "-5", "12.5", "²"])
def test_an_unknown_range_is_no_range(machine: FakeMachine, text: str) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1, range_uj=None)
    machine.write("sys/class/powercap/intel-rapl:0/max_energy_range_uj", text)
    assert offered(machine)["rapl:package-0"].wrap_uj is None


def test_a_missing_range_is_no_range(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1, range_uj=None)
    assert offered(machine)["rapl:package-0"].wrap_uj is None


def test_a_failed_read_is_a_gap_and_the_next_one_counts(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_sockets(machine)
    collector = RaplCollector(machine.host)
    found = collector.probe()
    assert isinstance(found, Available)
    collector.open(found.channels)

    def gone(_file: int, _count: int, _offset: int) -> bytes:
        raise OSError(ENODEV, "No such device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", gone)
        assert all(isinstance(reading, Gap) for reading in collector.read())
    assert all(isinstance(reading, CounterReading) for reading in collector.read())
    collector.close()
    assert collector.read() == []


@pytest.mark.parametrize("content", ["", "\n", "garbage\n", "\xff", "1.5", "0x10"])
def test_garbage_is_a_gap_on_that_counter_only(machine: FakeMachine, content: str) -> None:
    two_sockets(machine)
    collector = RaplCollector(machine.host)
    found = collector.probe()
    assert isinstance(found, Available)
    collector.open(found.channels)
    machine.write("sys/class/powercap/intel-rapl:0/energy_uj", content)
    kinds = {reading.channel_id: type(reading) for reading in collector.read()}
    assert kinds.pop("rapl:package-0") is Gap
    assert set(kinds.values()) == {CounterReading}
    machine.write("sys/class/powercap/intel-rapl:0/energy_uj", "77\n")
    again = {reading.channel_id: reading for reading in collector.read()}
    assert again["rapl:package-0"] == CounterReading("rapl:package-0", machine.clock.mono_ns(), 77)
    collector.close()


def test_a_counter_that_went_before_it_was_opened_is_a_gap(machine: FakeMachine) -> None:
    two_sockets(machine)
    collector = RaplCollector(machine.host)
    found = collector.probe()
    assert isinstance(found, Available)
    (machine.root / "sys/class/powercap/intel-rapl:1/energy_uj").unlink()
    collector.open(found.channels)
    kinds = [type(reading) for reading in collector.read()]
    assert sorted(kind.__name__ for kind in kinds) == ["CounterReading"] * 3 + ["Gap"]
    collector.close()


def test_amd_is_less_certain_than_intel(machine: FakeMachine) -> None:
    machine.rapl("intel-rapl:0", "package-0", 1)
    machine.rapl("intel-rapl:0:0", "dram", 1)
    intel = offered(machine)
    machine.cpu("AMD EPYC 7763 64-Core Processor", vendor="AuthenticAMD")
    amd = offered(machine)
    assert intel["rapl:package-0"].uncertainty_rel == 0.05
    assert amd["rapl:package-0"].uncertainty_rel == 0.10
    assert intel["rapl:package-0/dram"].uncertainty_rel == amd["rapl:package-0/dram"].uncertainty_rel == 0.20


def open_files() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir() if path.exists()}


def test_closing_gives_the_files_back(machine: FakeMachine) -> None:
    two_sockets(machine)
    before = open_files()
    collector = RaplCollector(machine.host)
    found = collector.probe()
    assert isinstance(found, Available)
    collector.open(found.channels)
    assert len(open_files()) == len(before) + 4
    collector.close()
    assert open_files() == before
