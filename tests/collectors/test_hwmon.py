"""Other hwmon sensors: what the known drivers measure, and that nothing else is taken for a measurement."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.cover import counted
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.testing import FakeMachine, check_collector
from greenai.testing.machines import grace, hwmon
from greenai_collectors.hwmon import HwmonCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from greenai.core.reading import Reading

CPU, DRAM, GPU = Component.CPU, Component.DRAM, Component.GPU
NODE, REST = Component.NODE, Component.REST


def available(machine: FakeMachine) -> Available:
    found = HwmonCollector(machine.host).probe()
    assert isinstance(found, Available)
    return found


def unavailable(machine: FakeMachine) -> Unavailable:
    found = HwmonCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    return found


def offered(machine: FakeMachine) -> dict[str, Channel]:
    return {channel.id: channel for channel in available(machine).channels}


def micro(readings: Iterable[Reading]) -> dict[str, int | str]:
    said: dict[str, int | str] = {}
    for reading in readings:
        if isinstance(reading, CounterReading):
            said[reading.channel_id] = reading.energy_uj
        else:
            said[reading.channel_id] = reading.power_uw if isinstance(reading, PowerReading) else reading.reason
    return said


def read(machine: FakeMachine) -> dict[str, int | str]:
    collector = HwmonCollector(machine.host)
    collector.open(available(machine).channels)
    readings = collector.read()
    collector.close()
    return micro(readings)


def counted_ids(machine: FakeMachine) -> set[str]:
    return {name for _, name in counted(dict.fromkeys(available(machine).channels, 1.0))}


@pytest.mark.parametrize("build", hwmon.SERVERS.values(), ids=hwmon.SERVERS)
def test_the_contract(build: Callable[[Path], FakeMachine], tmp_path: Path) -> None:
    channels = check_collector(HwmonCollector, build(tmp_path / "machine"))
    assert {channel.quality for channel in channels} == {Quality.MEASURED}


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (hwmon.acpi_meter, {"hwmon:power_meter": 288_000_000}),
        (hwmon.acpi_meter_new_kernel, {"hwmon:power_meter": 130_000_000}),
        (
            hwmon.power9,
            {
                "hwmon:ibmpowernv/System": 1_126 * 50_000 * 1_000_000,
                "hwmon:ibmpowernv/Chip-0": 157 * 50_000 * 1_000_000,
                "hwmon:ibmpowernv/Chip-8": 99 * 50_000 * 1_000_000,
                "hwmon:ibmpowernv/Chip-0-Memory": 40 * 50_000 * 1_000_000,
                "hwmon:ibmpowernv/Chip-8-Memory": 38 * 50_000 * 1_000_000,
                "hwmon:ibmpowernv/Chip-0-GPU": 310 * 50_000 * 1_000_000,
                "hwmon:ibmpowernv/Chip-8-GPU": 295 * 50_000 * 1_000_000,
            },
        ),
        (
            hwmon.epyc_amd_energy,
            {"hwmon:amd_energy/Esocket0": 900_000_000, "hwmon:amd_energy/Esocket4": 950_000_000},
        ),
        (hwmon.epyc_hsmp, {"hwmon:amd_hsmp_hwmon.0": 161_000_000, "hwmon:amd_hsmp_hwmon.1": 158_000_000}),
        (hwmon.corsair_desktop, {"hwmon:corsair-psu/power-total": 110_000_000}),
        (hwmon.apple_silicon, {"hwmon:macsmc_hwmon/Total-System-Power": 25_000_000}),
        (hwmon.bulldozer, {"hwmon:fam15h_power": 61_310_000}),
        (hwmon.x_gene, {"hwmon:apm_xgene/CPU-power": 21_500_000, "hwmon:apm_xgene/IO-power": 11_200_000}),
    ],
)
def test_what_each_machine_says(
    build: Callable[[Path], FakeMachine], expected: dict[str, int], tmp_path: Path
) -> None:
    assert read(build(tmp_path)) == expected


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (hwmon.acpi_meter, {"hwmon:power_meter"}),
        (hwmon.power9, {"hwmon:ibmpowernv/System"}),
        (hwmon.epyc_hsmp, {"hwmon:amd_hsmp_hwmon.0", "hwmon:amd_hsmp_hwmon.1"}),
        (hwmon.x_gene, {"hwmon:apm_xgene/CPU-power", "hwmon:apm_xgene/IO-power"}),
    ],
)
def test_the_total_of_each_machine(
    build: Callable[[Path], FakeMachine], expected: set[str], tmp_path: Path
) -> None:
    assert counted_ids(build(tmp_path)) == expected


def test_components_and_kinds_of_a_power9(tmp_path: Path) -> None:
    machine = hwmon.power9(tmp_path)
    channels = offered(machine)
    assert {name.partition("/")[2]: channel.component for name, channel in channels.items()} == {
        "System": NODE,
        "Chip-0": CPU,
        "Chip-8": CPU,
        "Chip-0-Memory": DRAM,
        "Chip-8-Memory": DRAM,
        "Chip-0-GPU": GPU,
        "Chip-8-GPU": GPU,
    }
    assert {(channel.kind, channel.method) for channel in channels.values()} == {
        (Kind.COUNTER, "hwmon_ibmpowernv")
    }
    folder = tmp_path / "sys/class/hwmon/hwmon0"
    for file in folder.glob("energy*"):
        file.unlink()
    assert {channel.kind for channel in offered(machine).values()} == {Kind.POWER}
    assert read(machine)["hwmon:ibmpowernv/System"] == 1_126_000_000
    for number in range(1, 14):
        if (folder / f"power{number}_label").read_text().strip() == "System":
            (folder / f"power{number}_label").unlink()
    assert counted_ids(machine) == {name for name in channels if not name.endswith("System")}


def test_the_parts_of_a_chip_are_inside_it(tmp_path: Path) -> None:
    names = set(offered(hwmon.power9(tmp_path)))
    assert not {name for name in names if "Vd" in name or "APSS" in name}


def test_a_package_shown_by_every_numa_node_counts_once(tmp_path: Path) -> None:
    machine = hwmon.epyc_amd_energy(tmp_path)
    channels = offered(machine)
    assert set(channels) == {"hwmon:amd_energy/Esocket0", "hwmon:amd_energy/Esocket4"}
    assert {(c.component, c.kind, c.resolution_uj) for c in channels.values()} == {(CPU, Kind.COUNTER, 16)}
    machine.cpu("AMD EPYC 7742 64-Core Processor", vendor="AuthenticAMD", cpus=9, sockets=3)
    assert len(offered(machine)) == 8, "no even share: nothing is left out"


def test_no_unknown_sensor_is_a_measurement(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    hwmon.chip(machine, 0, "ina226", {"power1_input": 12_000_000})
    hwmon.chip(machine, 1, "amdgpu", {"power1_average": 30_000_000, "power1_label": "PPT"})
    hwmon.chip(machine, 2, "corsair-psu", hwmon.labelled("power", {"power +12v": 92_000_000}))
    hwmon.chip(machine, 3, "macsmc_hwmon", hwmon.labelled("power", {"AC Input Power": 30_000_000}))
    hwmon.chip(machine, 4, "zenpower", hwmon.labelled("power", {"SVI2_P_Core": 30_000_000}))
    machine.write("sys/class/hwmon/hwmon5/power1_input", "1\n")
    found = unavailable(machine)
    assert (found.expected, found.reason.code) == (True, "hwmon_absent")


def test_a_machine_without_hwmon_is_expected(tmp_path: Path) -> None:
    assert unavailable(FakeMachine(tmp_path)).expected


@pytest.mark.parametrize("build", grace.MACHINES.values(), ids=grace.MACHINES)
def test_the_meters_of_grace_are_left_to_their_own_collector(
    build: Callable[[Path], FakeMachine], tmp_path: Path
) -> None:
    found = unavailable(build(tmp_path))
    assert found.expected


def test_meters_of_parts_and_batteries_are_not_the_system(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    hwmon.power_meter(machine, 0, 50_000_000, measures="ACPI0007:00")
    folder = hwmon.power_meter(machine, 1, 60_000_000, measures="LNXSYBUS:00")
    machine.write(f"{folder}/power1_is_battery", "1\n")
    assert unavailable(machine).expected
    hwmon.power_meter(machine, 2, 300_000_000, measures="LNXSYBUS:00", new=True)
    assert read(machine) == {"hwmon:power_meter": 300_000_000}


def test_the_meter_that_says_so_goes_before_those_that_say_nothing(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    hwmon.power_meter(machine, 0, 200_000_000, measures=None)
    assert read(machine) == {"hwmon:power_meter": 200_000_000}, "the only one is the system's, by the standard"
    hwmon.power_meter(machine, 1, 300_000_000, measures="LNXSYBUS:00")
    assert read(machine) == {"hwmon:power_meter": 300_000_000}


def test_several_meters_that_say_nothing_are_not_guessed_at(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    for number in (0, 1):
        hwmon.power_meter(machine, number, 200_000_000, measures=None)
    found = unavailable(machine)
    assert (found.expected, found.reason.code) == (False, "hwmon_meters_unclear")
    assert found.reason.message.de
    assert found.reason.message.en
    hwmon.chip(machine, 2, "corsair-psu", hwmon.labelled("power", {"power total": 110_000_000}))
    assert [incident.code for incident in available(machine).incidents] == ["hwmon_meters_unclear"]


def test_one_driver_for_each_part_of_a_machine(tmp_path: Path) -> None:
    machine = hwmon.epyc_amd_energy(tmp_path)
    hwmon.chip(machine, 10, "amd_hsmp_hwmon", {"power1_input": 161_000_000})
    hwmon.chip(machine, 11, "corsair-psu", hwmon.labelled("power", {"power total": 400_000_000}))
    hwmon.power_meter(machine, 12, 450_000_000, measures="LNXSYBUS:00")
    assert set(offered(machine)) == {
        "hwmon:power_meter",
        "hwmon:amd_energy/Esocket0",
        "hwmon:amd_energy/Esocket4",
    }


def test_two_power_supplies_are_summed(tmp_path: Path) -> None:
    machine = hwmon.corsair_desktop(tmp_path)
    hwmon.chip(machine, 9, "corsair-psu", hwmon.labelled("power", {"power total": 90_000_000}))
    chosen = counted_ids(machine)
    assert chosen == {"hwmon:corsair-psu.0/power-total", "hwmon:corsair-psu.1/power-total"}
    assert sum(int(value) for value in read(machine).values()) == 200_000_000
    note = offered(machine)["hwmon:corsair-psu.0/power-total"].note
    assert note is not None
    assert "Netzteil" in note.de
    assert "power supply" in note.en


def test_what_the_package_of_an_apu_contains_is_unknown(tmp_path: Path) -> None:
    machine = hwmon.epyc_hsmp(tmp_path)
    machine.cpu("AMD Instinct MI300A Accelerator", vendor="AuthenticAMD", cpus=8, sockets=2)
    assert unavailable(machine).expected


def test_a_mean_goes_before_a_momentary_power(tmp_path: Path) -> None:
    machine = hwmon.bulldozer(tmp_path)
    assert read(machine) == {"hwmon:fam15h_power": 61_310_000}
    (tmp_path / "sys/class/hwmon/hwmon3/power1_average").unlink()
    assert read(machine) == {"hwmon:fam15h_power": 70_000_000}


def test_a_mean_over_minutes_says_little_of_a_short_run(tmp_path: Path) -> None:
    slow = offered(hwmon.acpi_meter_new_kernel(tmp_path / "slow"))["hwmon:power_meter"]
    assert slow.uncertainty_at(100.0) == (0.4, 0.4)
    assert slow.uncertainty_at(601.0) == (0.1, 0.1)
    machine = hwmon.acpi_meter(tmp_path / "fast")
    assert offered(machine)["hwmon:power_meter"].uncertainty_short == ()
    machine.write("sys/class/hwmon/hwmon3/device/power1_average_interval", "4294967295\n")
    assert offered(machine)["hwmon:power_meter"].uncertainty_short == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("4294967295000\n", "hwmon_sentinel"),
        ("4294967295\n", "hwmon_sentinel"),
        ("0\n", "hwmon_zero"),
        ("-1\n", "hwmon_negative"),
        ("31000000000\n", "hwmon_implausible"),
        ("", "hwmon_ValueError"),
        ("N/A\n", "hwmon_ValueError"),
    ],
)
def test_what_a_meter_cannot_mean_is_a_gap(tmp_path: Path, content: str, reason: str) -> None:
    machine = hwmon.acpi_meter(tmp_path)
    collector = HwmonCollector(machine.host)
    collector.open(available(machine).channels)
    machine.write("sys/class/hwmon/hwmon3/device/power1_average", content)
    assert micro(collector.read()) == {"hwmon:power_meter": reason}
    machine.write("sys/class/hwmon/hwmon3/device/power1_average", "290000000\n")
    assert micro(collector.read()) == {"hwmon:power_meter": 290_000_000}
    collector.close()


@pytest.mark.parametrize(("content", "reason"), [("-1\n", "hwmon_negative"), (f"{2**64 - 1}\n", "hwmon_sentinel")])
def test_what_a_counter_cannot_mean_is_a_gap_on_it_only(tmp_path: Path, content: str, reason: str) -> None:
    machine = hwmon.epyc_amd_energy(tmp_path)
    found = available(machine)
    source = found.sources["hwmon:amd_energy/Esocket0"]
    machine.write(source.removeprefix(f"{tmp_path}/"), content)
    assert read(machine) == {"hwmon:amd_energy/Esocket0": reason, "hwmon:amd_energy/Esocket4": 950_000_000}
    machine.write(source.removeprefix(f"{tmp_path}/"), "0\n")
    assert read(machine)["hwmon:amd_energy/Esocket0"] == 0, "a counter may begin"


def test_the_io_of_a_soc_may_take_nothing(tmp_path: Path) -> None:
    machine = hwmon.x_gene(tmp_path)
    machine.write("sys/class/hwmon/hwmon0/power2_input", "0\n")
    assert read(machine)["hwmon:apm_xgene/IO-power"] == 0


def test_an_unreadable_sensor_names_its_remedy(tmp_path: Path) -> None:
    machine = hwmon.epyc_amd_energy(tmp_path)
    for number, path in enumerate(available(machine).sources.values()):
        file = tmp_path / path
        file.unlink()
        file.mkdir()  # root may read any file, but no folder
        if number == 0:
            found = available(machine)
            (incident,) = found.incidents
            assert (incident.code, incident.channel_id) == ("hwmon_unreadable", "hwmon:amd_energy/Esocket0")
            assert incident.remedy is not None
            assert f"sudo chmod a+r {path}" in incident.remedy.de
            assert f"sudo chmod a+r {path}" in incident.remedy.en
            assert [channel.id for channel in found.channels] == ["hwmon:amd_energy/Esocket4"]
    nothing = unavailable(machine)
    assert (nothing.expected, nothing.reason.code) == (False, "hwmon_unreadable")


def test_a_sensor_that_goes_is_a_gap(tmp_path: Path) -> None:
    machine = hwmon.corsair_desktop(tmp_path)
    found = available(machine)
    collector = HwmonCollector(machine.host)
    shutil.rmtree(tmp_path / "sys/class/hwmon/hwmon3")
    collector.open(found.channels)
    (gap,) = collector.read()
    assert isinstance(gap, Gap)
    assert gap.reason == "hwmon_gone"
    collector.close()
    assert collector.read() == []
