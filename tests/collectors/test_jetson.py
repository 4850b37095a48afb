"""NVIDIA Jetson: what the rails of each board add up to, and what a rail cannot mean."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.cover import counted
from greenai.core.reading import Gap, PowerReading
from greenai.testing import FakeMachine, check_collector
from greenai.testing.machines import jetson
from greenai_collectors.jetson import JetsonCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from greenai.core.reading import Reading

CPU, DRAM, GPU = Component.CPU, Component.DRAM, Component.GPU
MODULE, NODE, REST = Component.MODULE, Component.NODE, Component.REST
ORIN = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"


def available(machine: FakeMachine) -> Available:
    found = JetsonCollector(machine.host).probe()
    assert isinstance(found, Available)
    return found


def unavailable(machine: FakeMachine) -> Unavailable:
    found = JetsonCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    return found


def offered(machine: FakeMachine) -> dict[str, Channel]:
    return {channel.id: channel for channel in available(machine).channels}


def microwatts(readings: Iterable[Reading]) -> dict[str, int | str]:
    said: dict[str, int | str] = {}
    for reading in readings:
        assert isinstance(reading, (PowerReading, Gap))
        said[reading.channel_id] = reading.power_uw if isinstance(reading, PowerReading) else reading.reason
    return said


def read(machine: FakeMachine) -> dict[str, int | str]:
    collector = JetsonCollector(machine.host)
    collector.open(available(machine).channels)
    readings = collector.read()
    collector.close()
    return microwatts(readings)


def total_uw(machine: FakeMachine) -> int:
    chosen = {name for _, name in counted(dict.fromkeys(available(machine).channels, 1.0))}
    said = read(machine)
    return sum(int(said[name]) for name in chosen)


@pytest.mark.parametrize("build", jetson.MACHINES.values(), ids=jetson.MACHINES)
def test_the_contract(build: Callable[[Path], FakeMachine], tmp_path: Path) -> None:
    channels = check_collector(JetsonCollector, build(tmp_path / "machine"))
    assert {(channel.kind, channel.quality, channel.method) for channel in channels} == {
        (Kind.POWER, Quality.MEASURED, "jetson_ina3221")
    }
    assert {channel.uncertainty_rel for channel in channels} == {0.15}


@pytest.mark.parametrize(
    ("build", "expected_uw"),
    [
        # VDDQ_VDD2_1V8AO is inside VIN_SYS_5V0: adding it would count the memory twice.
        (jetson.agx_orin, 12_008 * 280 + 12_008 * 40 + 4_968 * 980),
        (jetson.orin_nano, 4_984 * 960),
        (jetson.agx_thor, 23_007_600),
        (jetson.agx_xavier, (766 + 459 + 1225 + 0 + 306 + 1867) * 1000),
        (jetson.tx2, (3063 + 1724) * 1000),
        (jetson.nano, 2123 * 1000),
    ],
)
def test_the_total_of_each_board(build: Callable[[Path], FakeMachine], expected_uw: int, tmp_path: Path) -> None:
    assert total_uw(build(tmp_path)) == expected_uw


def test_a_tx2_without_its_developer_kit_is_its_module(tmp_path: Path) -> None:
    machine = jetson.tx2(tmp_path)
    for device in ("0-0042", "0-0043"):
        shutil.rmtree(tmp_path / "sys/bus/i2c/drivers/ina3221x" / device)
    assert "jetson:board" not in offered(machine)
    assert total_uw(machine) == 3063 * 1000


def test_the_rails_of_an_agx_orin(tmp_path: Path) -> None:
    machine = jetson.agx_orin(tmp_path)
    channels = offered(machine)
    assert {name: (channel.component, channel.includes) for name, channel in channels.items()} == {
        "jetson:module": (MODULE, frozenset({REST})),
        "jetson:VDD_GPU_SOC": (GPU, frozenset({REST})),
        "jetson:VDD_CPU_CV": (CPU, frozenset({REST})),
        "jetson:VIN_SYS_5V0": (REST, frozenset({DRAM})),
        "jetson:VDDQ_VDD2_1V8AO": (DRAM, frozenset({REST})),
    }
    assert channels["jetson:module"].device == "module (VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0)"
    assert channels["jetson:module"].note is not None
    assert channels["jetson:VDD_GPU_SOC"].gpu_vendor == "nvidia"
    assert read(machine) == {
        "jetson:module": 8_711_200,
        "jetson:VDD_GPU_SOC": 3_362_240,
        "jetson:VDD_CPU_CV": 480_320,
        "jetson:VIN_SYS_5V0": 4_868_640,
        "jetson:VDDQ_VDD2_1V8AO": 397_440,
    }


def test_the_rails_inside_vdd_in_are_details(tmp_path: Path) -> None:
    channels = offered(jetson.orin_nano(tmp_path))
    assert {name: (channel.component, channel.includes) for name, channel in channels.items()} == {
        "jetson:module": (MODULE, {REST}),
        "jetson:VDD_CPU_GPU_CV": (CPU, {GPU, REST}),
        "jetson:VDD_SOC": (REST, frozenset()),
    }


def test_shunt_channels_and_unconnected_inputs_are_no_rails(tmp_path: Path) -> None:
    names = set(offered(jetson.agx_orin(tmp_path)))
    assert not {name for name in names if "NC" in name or "sum" in name}
    assert len(names) == 5


def test_a_board_and_its_module(tmp_path: Path) -> None:
    thor = offered(jetson.agx_thor(tmp_path / "thor"))
    assert (thor["jetson:board"].component, thor["jetson:module"].component) == (NODE, MODULE)
    tx2 = offered(jetson.tx2(tmp_path / "tx2"))
    assert tx2["jetson:board"].device == "board (VDD_IN + VDD_MUX)"
    assert not any("3V3" in name for name in tx2), "what VDD_MUX feeds is inside it"


def test_an_idle_rail_may_read_a_little_below_nothing(tmp_path: Path) -> None:
    machine = jetson.agx_thor(tmp_path)
    said = read(machine)
    assert said["jetson:VDD_GPU"] == 0
    assert said["jetson:module"] == 12_040 * 960 + 5_088 * 1_740
    machine.write("sys/bus/i2c/drivers/ina3221/2-0040/hwmon/hwmon5/curr1_input", "-200\n")
    said = read(machine)
    assert (said["jetson:VDD_GPU"], said["jetson:module"]) == ("hwmon_negative", "hwmon_negative")
    assert said["jetson:board"] == 23_007_600


def test_an_idle_rail_is_nothing_but_a_module_never_is(tmp_path: Path) -> None:
    machine = jetson.agx_orin(tmp_path)
    for n in (1, 2, 3):
        machine.write(f"{ORIN}/curr{n}_input", "0\n")
    said = read(machine)
    assert (said["jetson:VDD_GPU_SOC"], said["jetson:module"]) == (0, "hwmon_zero")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "jetson_ValueError"),
        ("N/A\n", "jetson_ValueError"),
        ("4294967295\n", "hwmon_implausible"),
        ("40000\n", "hwmon_implausible"),
    ],
)
def test_a_broken_rail_is_a_gap_and_so_is_the_sum(tmp_path: Path, content: str, reason: str) -> None:
    machine = jetson.agx_orin(tmp_path)
    collector = JetsonCollector(machine.host)
    collector.open(available(machine).channels)
    machine.write(f"{ORIN}/curr1_input", content)
    said = microwatts(collector.read())
    assert (said["jetson:VDD_GPU_SOC"], said["jetson:module"]) == (reason, reason)
    assert said["jetson:VDD_CPU_CV"] == 480_320
    machine.write(f"{ORIN}/curr1_input", "300\n")
    assert microwatts(collector.read())["jetson:VDD_GPU_SOC"] == 12_008 * 300
    collector.close()


def test_a_monitor_that_goes_is_a_gap(tmp_path: Path) -> None:
    machine = jetson.orin_nano(tmp_path)
    found = available(machine)
    collector = JetsonCollector(machine.host)
    shutil.rmtree(tmp_path / "sys/bus/i2c/drivers/ina3221")
    collector.open(found.channels)
    assert set(microwatts(collector.read()).values()) == {"jetson_gone"}
    collector.close()
    assert collector.read() == []


def test_the_renewal_period_is_that_of_the_chip(tmp_path: Path) -> None:
    machine = jetson.agx_orin(tmp_path)
    machine.write(f"{ORIN}/update_interval", "140\n")
    channels = offered(machine)
    assert (channels["jetson:module"].update_s, channels["jetson:VDDQ_VDD2_1V8AO"].update_s) == (0.14, 0.007)
    machine.write(f"{ORIN}/update_interval", "junk\n")
    assert offered(machine)["jetson:module"].update_s is None
    assert offered(jetson.nano(tmp_path / "nano"))["jetson:module"].update_s == 0.1


def test_another_machine_is_no_jetson(tmp_path: Path) -> None:
    found = unavailable(FakeMachine(tmp_path))
    assert (found.expected, found.reason.code) == (True, "jetson_absent")


def test_the_same_chip_on_another_makers_board_is_left_alone(tmp_path: Path) -> None:
    machine = jetson.jetson(tmp_path, "acme,board rockchip,rk3588")
    jetson.ina3221(machine, "1-0040", 0, (("CPU", 5_000, 100), ("GPU", 5_000, 100), ("VDD_IN", 5_000, 900)))
    assert unavailable(machine).expected


def test_in_a_container_the_device_tree_is_masked(tmp_path: Path) -> None:
    machine = jetson.orin_nano(tmp_path)
    shutil.rmtree(tmp_path / "sys/firmware")
    assert total_uw(machine) == 4_984 * 960
    (tmp_path / "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in1_label").unlink()
    assert unavailable(machine).expected, "without a whole set of rails it may be any board"


def test_an_unreadable_rail_names_its_remedy(tmp_path: Path) -> None:
    machine = jetson.orin_nano(tmp_path)
    for n in (1, 2, 3):
        path = tmp_path / f"sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/curr{n}_input"
        path.unlink()
        path.mkdir()  # root may read any file, but no folder
        if n == 1:
            found = available(machine)
            assert {channel.id for channel in found.channels} == {"jetson:VDD_CPU_GPU_CV", "jetson:VDD_SOC"}
            (incident,) = found.incidents
            assert (incident.code, incident.channel_id) == ("jetson_unreadable", "jetson:VDD_IN")
            assert incident.remedy is not None
            assert f"sudo chmod a+r {path}" in incident.remedy.de
            assert f"sudo chmod a+r {path}" in incident.remedy.en
    nothing = unavailable(machine)
    assert (nothing.expected, nothing.reason.code) == (False, "jetson_unreadable")


def test_doctor_learns_what_is_read(tmp_path: Path) -> None:
    sources = available(jetson.agx_orin(tmp_path)).sources
    assert sources["jetson:VDD_CPU_CV"] == str(tmp_path / ORIN / "in2_input")
    assert set(sources) == set(offered(jetson.agx_orin(tmp_path / "again")))


def test_each_rail_is_read_once_in_a_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    machine = jetson.agx_orin(tmp_path)
    collector = JetsonCollector(machine.host)
    collector.open(available(machine).channels)
    reads: list[int] = []
    real = os.pread

    def counting(file: int, count: int, offset: int) -> bytes:
        reads.append(file)
        return real(file, count, offset)

    monkeypatch.setattr(os, "pread", counting)
    collector.read()
    assert (len(reads), len(set(reads))) == (8, 8)
    collector.close()
