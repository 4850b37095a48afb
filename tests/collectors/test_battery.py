"""Batteries: the whole device while it runs on them, and the oddities of their drivers."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from greenai.core.channel import Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.cover import counted
from greenai.core.reading import Gap, PowerReading
from greenai.testing import FakeMachine, check_collector
from greenai.testing.machines import hwmon
from greenai_collectors.battery import BatteryCollector

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from greenai.core.reading import Reading

SUPPLIES = "sys/class/power_supply"


def available(machine: FakeMachine) -> Available:
    found = BatteryCollector(machine.host).probe()
    assert isinstance(found, Available)
    return found


def unavailable(machine: FakeMachine) -> Unavailable:
    found = BatteryCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    return found


def said(readings: list[Reading]) -> int | str:
    (reading,) = readings
    assert isinstance(reading, (PowerReading, Gap))
    assert reading.channel_id == "battery:all"
    return reading.power_uw if isinstance(reading, PowerReading) else reading.reason


def opened(machine: FakeMachine) -> BatteryCollector:
    collector = BatteryCollector(machine.host)
    collector.open(available(machine).channels)
    return collector


def read(machine: FakeMachine) -> int | str:
    collector = opened(machine)
    value = said(collector.read())
    collector.close()
    return value


@pytest.mark.parametrize("build", hwmon.LAPTOPS.values(), ids=hwmon.LAPTOPS)
def test_the_contract(build: Callable[[Path], FakeMachine], tmp_path: Path) -> None:
    (channel,) = check_collector(BatteryCollector, build(tmp_path / "machine"))
    assert (channel.component, channel.kind, channel.quality) == (Component.NODE, Kind.POWER, Quality.MEASURED)
    assert (channel.method, channel.uncertainty_rel) == ("battery_discharge", 0.15)
    assert channel.uncertainty_at(10.0) == (0.5, 0.5)
    assert channel.uncertainty_at(600.0) == (0.15, 0.15)
    assert channel.note is not None
    assert "Bildschirm" in channel.note.de
    assert "screen" in channel.note.en
    assert {name for _, name in counted({channel: 1.0})} == {"battery:all"}


@pytest.mark.parametrize(
    ("build", "power_uw"),
    [
        (hwmon.laptop, 8_765_000),
        (hwmon.two_batteries, 11_250_000),
        (hwmon.current_and_voltage, 8_912_000),
        (hwmon.negative_power, 6_200_000),
    ],
)
def test_the_power_of_each_laptop(build: Callable[[Path], FakeMachine], power_uw: int, tmp_path: Path) -> None:
    assert read(build(tmp_path)) == power_uw


def test_two_batteries_that_both_give_are_one_sum(tmp_path: Path) -> None:
    machine = hwmon.two_batteries(tmp_path)
    machine.write(f"{SUPPLIES}/BAT0/status", "Discharging\n")
    assert read(machine) == 11_250_000, "one of them may rest"
    machine.write(f"{SUPPLIES}/BAT0/power_now", "2000000\n")
    assert read(machine) == 13_250_000
    assert available(machine).channels[0].device == "BAT0 + BAT1"


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging", "Unknown"])
def test_on_the_mains_nobody_knows(tmp_path: Path, status: str) -> None:
    machine = hwmon.laptop(tmp_path)
    machine.write(f"{SUPPLIES}/BAT0/status", f"{status}\n")
    assert read(machine) == "battery_not_discharging"


def test_one_that_is_charged_while_the_other_discharges_is_not_the_whole(tmp_path: Path) -> None:
    machine = hwmon.two_batteries(tmp_path)
    machine.write(f"{SUPPLIES}/BAT0/status", "Charging\n")
    assert read(machine) == "battery_not_discharging"


def test_a_weak_adapter_beside_the_battery_is_not_the_whole(tmp_path: Path) -> None:
    machine = hwmon.laptop(tmp_path)
    collector = opened(machine)
    assert said(collector.read()) == 8_765_000
    machine.write(f"{SUPPLIES}/AC/online", "1\n")
    assert said(collector.read()) == "battery_not_discharging"
    machine.write(f"{SUPPLIES}/AC/online", "0\n")
    assert said(collector.read()) == 8_765_000
    collector.close()


def test_a_plug_that_is_pulled_during_the_run(tmp_path: Path) -> None:
    machine = hwmon.laptop(tmp_path)
    machine.write(f"{SUPPLIES}/BAT0/status", "Full\n")
    machine.write(f"{SUPPLIES}/BAT0/power_now", "0\n")
    collector = opened(machine)
    assert said(collector.read()) == "battery_not_discharging"
    machine.write(f"{SUPPLIES}/BAT0/status", "Discharging\n")
    assert said(collector.read()) == "hwmon_zero", "and no current to ask instead"
    machine.write(f"{SUPPLIES}/BAT0/current_now", "0\n")
    assert said(collector.read()) == "hwmon_zero"
    machine.write(f"{SUPPLIES}/BAT0/power_now", "9000000\n")
    assert said(collector.read()) == 9_000_000
    collector.close()


def test_a_power_of_zero_is_replaced_by_current_and_voltage(tmp_path: Path) -> None:
    machine = hwmon.negative_power(tmp_path)
    machine.write(f"{SUPPLIES}/qcom-battmgr-bat/power_now", "0\n")
    assert read(machine) == 520_000 * 11_923_000 // 1_000_000


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("status", "", "battery_no_status"),
        ("current_now", "", "battery_ValueError"),
        ("current_now", "N/A\n", "battery_ValueError"),
        ("voltage_now", "junk\n", "battery_ValueError"),
        ("current_now", "0\n", "hwmon_zero"),
        ("current_now", "99000000\n", "hwmon_implausible"),
    ],
)
def test_what_a_battery_cannot_mean_is_a_gap(tmp_path: Path, file: str, content: str, reason: str) -> None:
    machine = hwmon.current_and_voltage(tmp_path)
    machine.write(f"{SUPPLIES}/BAT0/{file}", content)
    assert read(machine) == reason


@pytest.mark.parametrize("content", ["4294967295\n", "4294967295000\n"])
def test_no_value_is_a_gap(tmp_path: Path, content: str) -> None:
    machine = hwmon.laptop(tmp_path)
    machine.write(f"{SUPPLIES}/BAT0/power_now", content)
    assert read(machine) == "hwmon_sentinel"


def test_a_battery_taken_out_leaves_the_other(tmp_path: Path) -> None:
    machine = hwmon.two_batteries(tmp_path)
    collector = opened(machine)
    shutil.rmtree(tmp_path / SUPPLIES / "BAT0")
    assert said(collector.read()) == 11_250_000
    shutil.rmtree(tmp_path / SUPPLIES / "BAT1")
    assert said(collector.read()) == "battery_gone"
    collector.close()
    assert collector.read() == []


def test_a_status_that_cannot_be_read_is_a_gap(tmp_path: Path) -> None:
    machine = hwmon.laptop(tmp_path)
    collector = opened(machine)
    (tmp_path / SUPPLIES / "BAT0/status").unlink()
    assert said(collector.read()) == "battery_FileNotFoundError"
    collector.close()


@pytest.mark.parametrize(
    "files",
    [
        None,
        {"type": "Mains", "online": 1},
        {"type": "UPS", "status": "Discharging", "power_now": 5_000_000},
        {"type": "Battery", "scope": "Device", "status": "Discharging", "power_now": 5_000_000},
        {"type": "Battery", "present": 0, "status": "Unknown", "power_now": 0},
        {"type": "Battery", "present": 1, "status": "Discharging", "capacity": 80},
    ],
    ids=["none", "mains", "ups", "mouse", "absent", "tells nothing"],
)
def test_no_battery_that_feeds_the_machine_is_expected(tmp_path: Path, files: dict[str, object] | None) -> None:
    machine = FakeMachine(tmp_path)
    if files is not None:
        hwmon.supply(machine, "X", files)
    found = unavailable(machine)
    assert (found.expected, found.reason.code) == (True, "battery_absent")


@pytest.mark.parametrize("build", [hwmon.laptop, hwmon.current_and_voltage])
def test_an_unreadable_battery_names_its_remedy(build: Callable[[Path], FakeMachine], tmp_path: Path) -> None:
    machine = build(tmp_path)
    for name in ("power_now", "current_now"):
        path = tmp_path / SUPPLIES / "BAT0" / name
        if path.exists():
            path.unlink()
            path.mkdir()  # root may read any file, but no folder
    found = unavailable(machine)
    assert (found.expected, found.reason.code) == (False, "battery_unreadable")
    assert found.reason.remedy is not None
    for words in (found.reason.remedy.de, found.reason.remedy.en):
        assert "sudo chmod a+r /sys/class/power_supply/*/*_now" in words


def test_doctor_learns_what_is_read(tmp_path: Path) -> None:
    expected = str(tmp_path / SUPPLIES / "BAT0/power_now")
    assert available(hwmon.laptop(tmp_path)).sources == {"battery:all": expected}
