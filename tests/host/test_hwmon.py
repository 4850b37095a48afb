"""The door to hwmon: chips of old and new drivers, files that are taken away and made anew, powers that cannot be."""

from __future__ import annotations

import os
from errno import ENODEV
from typing import TYPE_CHECKING

import pytest

from greenai.host.hwmon import SensorFile, hwmon_chips, no_value, power_fault, readable
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_UW = 1_000_000_000


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine")


def test_no_hwmon_is_no_chips(machine: FakeMachine) -> None:
    assert hwmon_chips(machine.host) == []


def test_chips_come_in_the_order_of_their_numbers(machine: FakeMachine) -> None:
    for number in (10, 2, 0):
        machine.write(f"sys/class/hwmon/hwmon{number}/name", f"chip{number}\n")
    assert [chip.name for chip in hwmon_chips(machine.host)] == ["chip0", "chip2", "chip10"]


def test_only_the_chips_that_are_asked_for(machine: FakeMachine) -> None:
    for number, name in enumerate(("nvme", "power_meter", "coretemp")):
        machine.write(f"sys/class/hwmon/hwmon{number}/device/name", f"{name}\n")
    machine.write("sys/class/hwmon/hwmon3/temp1_input", "1\n")
    assert [chip.name for chip in hwmon_chips(machine.host, ("power_meter", "amdgpu"))] == ["power_meter"]
    assert [chip.name for chip in hwmon_chips(machine.host)] == ["nvme", "power_meter", "coretemp"]


def test_an_old_driver_leaves_its_files_with_the_device(machine: FakeMachine) -> None:
    file = machine.write("sys/class/hwmon/hwmon0/device/power1_average", "5\n")
    machine.write("sys/class/hwmon/hwmon0/device/name", "power_meter\n")
    (chip,) = hwmon_chips(machine.host)
    assert (chip.name, chip.text("power1_average"), chip.path("power1_average")) == ("power_meter", "5", file)


def test_a_named_chip_may_leave_its_files_with_the_device(machine: FakeMachine) -> None:
    machine.write("sys/class/hwmon/hwmon0/name", "power_meter\n")
    inside = machine.write("sys/class/hwmon/hwmon0/power1_average", "5\n")
    outside = machine.write("sys/class/hwmon/hwmon0/device/power1_oem_info", "Module\n")
    (chip,) = hwmon_chips(machine.host)
    assert chip.path("power1_average") == inside
    assert chip.path("power1_oem_info") == outside


def test_a_file_that_is_made_anew_is_opened_anew(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    path = machine.write("sys/a", "1\n")
    file = SensorFile(path)
    assert file.number() == 1
    path.unlink()
    machine.write("sys/a", "2\n")
    assert file.number() == 1, "the old file is still open"

    def gone(_file: int, _count: int, _offset: int) -> bytes:
        raise OSError(ENODEV, "No such device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", gone)
        with pytest.raises(OSError, match="No such device"):
            file.number()
    assert file.number() == 2
    file.close()
    file.close()


def test_a_missing_file_is_an_error_until_it_is_there(machine: FakeMachine) -> None:
    file = SensorFile(machine.root / "sys" / "b")
    with pytest.raises(FileNotFoundError):
        file.text()
    machine.write("sys/b", "Discharging\n")
    assert file.text() == "Discharging"
    file.close()


@pytest.mark.parametrize("content", ["", "\n", "N/A\n", "1.5\n", "\xff\xfe", "12 mW\n"])
def test_what_is_no_integer_is_an_error(machine: FakeMachine, content: str) -> None:
    file = SensorFile(machine.write("sys/c", content))
    with pytest.raises(ValueError):
        file.number()
    file.close()


def test_a_folder_is_not_readable(machine: FakeMachine) -> None:
    assert readable(machine.write("sys/d", "1\n"))
    assert not readable(machine.root / "sys")
    assert not readable(machine.root / "sys" / "e")


@pytest.mark.parametrize("number", [0xFFFFFFFF, 4_294_967_295_000, 4_294_967_295_000_000, 2**31 - 1, 2**64 - 1])
def test_all_bits_set_is_no_value(number: int) -> None:
    assert no_value(number)
    assert power_fault(number, 2**70) == "hwmon_sentinel"


def test_powers_that_cannot_be() -> None:
    assert power_fault(1, LIMIT_UW) is None
    assert power_fault(LIMIT_UW, LIMIT_UW) is None
    assert power_fault(LIMIT_UW + 1, LIMIT_UW) == "hwmon_implausible"
    assert power_fault(-1, LIMIT_UW) == "hwmon_negative"
    assert power_fault(0, LIMIT_UW) == "hwmon_zero"
    assert power_fault(0, LIMIT_UW, zero_is_true=True) is None
