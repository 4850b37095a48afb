"""NVIDIA Grace: which meters count, what the firmware says wrong, and what to do where the kernel shows none."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.cover import counted
from greenai.core.reading import Gap, PowerReading
from greenai.testing import FakeMachine, check_collector
from greenai.testing.machines import grace
from greenai_collectors.grace import GraceCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from greenai.core.reading import Reading

CPU, DRAM, GPU = Component.CPU, Component.DRAM, Component.GPU
MODULE, REST = Component.MODULE, Component.REST


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits in a test; what was waited for is in the list."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def available(machine: FakeMachine) -> Available:
    found = GraceCollector(machine.host).probe()
    assert isinstance(found, Available)
    return found


def unavailable(machine: FakeMachine) -> Unavailable:
    found = GraceCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    return found


def watts(readings: Iterable[Reading]) -> dict[str, float | str]:
    said: dict[str, float | str] = {}
    for reading in readings:
        assert isinstance(reading, (PowerReading, Gap))
        said[reading.channel_id] = reading.power_uw / 1e6 if isinstance(reading, PowerReading) else reading.reason
    return said


def read(machine: FakeMachine) -> dict[str, float | str]:
    collector = GraceCollector(machine.host)
    collector.open(available(machine).channels)
    readings = collector.read()
    collector.close()
    return watts(readings)


def nvml(number: int, component: Component = GPU) -> Channel:
    """A GPU as NVML with GPU scope gives it."""
    return Channel(
        id=f"nvml:{number}",
        collector="nvml",
        component=component,
        kind=Kind.POWER,
        quality=Quality.MEASURED,
        device=f"GPU-{number}",
        host="fake",
        method="nvml_power_polled",
        uncertainty_rel=0.10,
        max_power_uw=3_000_000_000,
        gpu_vendor="nvidia",
    )


def counted_ids(channels: Iterable[Channel]) -> set[str]:
    return {name for _, name in counted(dict.fromkeys(channels, 1.0))}


@pytest.mark.parametrize("build", grace.MACHINES.values(), ids=grace.MACHINES)
def test_the_contract(build: Callable[[Path], FakeMachine], tmp_path: Path) -> None:
    channels = check_collector(GraceCollector, build(tmp_path / "machine"))
    assert {(channel.kind, channel.quality, channel.method) for channel in channels} == {
        (Kind.POWER, Quality.MEASURED, "grace_hwmon")
    }


def test_what_each_rail_contains(tmp_path: Path) -> None:
    channels = {channel.id: channel for channel in available(grace.gb200(tmp_path)).channels}
    assert {name: (c.component, c.includes) for name, c in channels.items() if name.endswith("-1")} == {
        "grace:module-1": (MODULE, {REST}),
        "grace:grace-1": (CPU, {DRAM, REST}),
        "grace:cpu-1": (CPU, frozenset()),
        "grace:sysio-1": (REST, frozenset()),
    }
    assert len(channels) == 8
    assert channels["grace:module-0"].gpu_vendor == "nvidia"
    assert channels["grace:cpu-0"].note is not None
    assert {channel.uncertainty_rel for channel in channels.values()} == {0.10}


def test_the_values_of_a_four_way_node(tmp_path: Path) -> None:
    said = read(grace.gh200_four_way(tmp_path))
    assert len(said) == 16
    assert (said["grace:module-0"], said["grace:grace-0"], said["grace:cpu-3"], said["grace:sysio-2"]) == (
        218.0,
        110.0,
        11.8,
        8.1,
    )


def test_the_total_of_a_four_way_node_is_its_modules(tmp_path: Path) -> None:
    machine = grace.gh200_four_way(tmp_path)
    chosen = counted_ids([*available(machine).channels, *map(nvml, range(4))])
    assert chosen == {f"grace:module-{n}" for n in range(4)}
    said = read(machine)
    assert sum(float(said[name]) for name in chosen) == pytest.approx(218 + 170 + 165 + 168)


def test_without_modules_the_total_is_grace_and_the_gpus(tmp_path: Path) -> None:
    machine = grace.gh200_without_module(tmp_path)
    chosen = counted_ids([*available(machine).channels, *map(nvml, range(4))])
    assert chosen == {f"grace:grace-{n}" for n in range(4)} | {f"nvml:{n}" for n in range(4)}
    said = read(machine)
    grace_w = sum(float(said[name]) for name in chosen if name.startswith("grace"))
    assert grace_w == pytest.approx(110 + 36 + 36.5 + 35.5)
    assert grace_w + sum(grace.JUPITER_GPU_MW) / 1000 == pytest.approx(218 + 393)


def test_nvml_with_the_scope_of_the_module_is_not_added_to_the_modules(tmp_path: Path) -> None:
    both = [*available(grace.gh200_four_way(tmp_path)).channels, nvml(0, MODULE)]
    assert counted_ids(both) == {f"grace:module-{n}" for n in range(4)}


def test_a_superchip_without_gpus_counts_its_sockets(tmp_path: Path) -> None:
    machine = grace.grace_superchip(tmp_path)
    chosen = counted_ids(available(machine).channels)
    assert chosen == {"grace:grace-0", "grace:grace-1"}
    assert sum(float(read(machine)[name]) for name in chosen) == pytest.approx(205 + 198)


def test_only_cpu_and_sysio_are_summed_where_there_is_no_more(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    grace.neoverse_v2(machine)
    grace.sockets(machine, {"CPU": (150_000, 146_000), "SysIO": (11_000, 10_000)})
    chosen = counted_ids([*available(machine).channels, nvml(0)])
    assert chosen == {"grace:cpu-0", "grace:cpu-1", "grace:sysio-0", "grace:sysio-1", "nvml:0"}


def test_the_cpu_rail_is_never_taken_for_the_socket(tmp_path: Path) -> None:
    said = read(grace.gb200(tmp_path))
    assert (said["grace:cpu-0"], said["grace:grace-0"]) == (56.0, 104.0)
    assert "grace:cpu-0" not in counted_ids(available(grace.gb200(tmp_path / "b")).channels)


def test_the_labels_of_other_platforms(tmp_path: Path) -> None:
    machine = grace.other_labels(tmp_path)
    assert read(machine) == {
        "grace:grace-0": 150.0,
        "grace:cpu-0": 70.0,
        "grace:sysio-0": 6.0,
        "grace:dram-0": 8.0,
    }
    assert counted_ids(available(machine).channels) == {"grace:grace-0"}


def test_a_module_meter_on_one_socket_only_would_hide_the_other_socket(tmp_path: Path) -> None:
    machine = grace.grace_superchip(tmp_path)
    grace.meter(machine, 20, "Module Power Socket 0", 450_000_000)
    found = available(machine)
    assert counted_ids(found.channels) == {"grace:grace-0", "grace:grace-1"}
    (incident,) = found.incidents
    assert incident.code == "grace_incomplete"
    assert "„module“ fehlt an Sockel 1" in incident.message.de
    assert '"module" is missing on socket 1' in incident.message.en


def test_a_grace_meter_missing_beside_complete_modules_is_nobodys_business(tmp_path: Path) -> None:
    machine = grace.gb200(tmp_path)
    shutil.rmtree(tmp_path / "sys/class/hwmon/hwmon2")
    found = available(machine)
    assert found.incidents == ()
    assert counted_ids(found.channels) == {"grace:module-0", "grace:module-1"}


def test_the_interval_is_the_renewal_period(tmp_path: Path) -> None:
    machine = grace.grace_superchip(tmp_path)
    for number, text in ((1, "1000\n"), (2, "N/A\n"), (3, "4294967295\n")):
        machine.write(f"sys/class/hwmon/hwmon{number}/device/power1_average_interval", text)
    (tmp_path / "sys/class/hwmon/hwmon4/device/power1_average_interval").unlink()
    updates_s = {channel.id: channel.update_s for channel in available(machine).channels}
    assert updates_s["grace:grace-0"] == 1.0
    assert set(updates_s.values()) == {1.0, 0.05}


def test_the_rails_of_a_socket_are_read_apart(tmp_path: Path, pauses: list[float]) -> None:
    read(grace.gh200_four_way(tmp_path / "four"))
    assert pauses == [0.06] * 3
    pauses.clear()
    machine = grace.gh200_four_way(tmp_path / "modules")
    collector = GraceCollector(machine.host)
    collector.open([channel for channel in available(machine).channels if channel.component is MODULE])
    assert len(collector.read()) == 4
    collector.close()
    assert pauses == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("4294967295000\n", "hwmon_sentinel"),
        ("4294967295\n", "hwmon_sentinel"),
        ("0\n", "hwmon_zero"),
        ("-5000000\n", "hwmon_negative"),
        ("7000000000\n", "hwmon_implausible"),
        ("", "grace_ValueError"),
        ("N/A\n", "grace_ValueError"),
    ],
)
def test_what_a_meter_cannot_mean_is_a_gap_on_that_meter_only(tmp_path: Path, content: str, reason: str) -> None:
    machine = grace.gh200_four_way(tmp_path)
    collector = GraceCollector(machine.host)
    collector.open(available(machine).channels)
    machine.write("sys/class/hwmon/hwmon1/device/power1_average", content)
    said = watts(collector.read())
    assert said.pop("grace:module-0") == reason
    assert all(isinstance(value, float) for value in said.values())
    machine.write("sys/class/hwmon/hwmon1/device/power1_average", "219000000\n")
    assert watts(collector.read())["grace:module-0"] == 219.0
    collector.close()


def test_a_meter_that_goes_while_it_is_read_is_a_gap(tmp_path: Path) -> None:
    machine = grace.grace_superchip(tmp_path)
    found = available(machine)
    collector = GraceCollector(machine.host)
    (tmp_path / "sys/class/hwmon/hwmon1/device/power1_average").unlink()
    collector.open(found.channels)
    said = watts(collector.read())
    assert said["grace:grace-0"] == "grace_gone"
    shutil.rmtree(tmp_path / "sys/class/hwmon")
    collector.close()
    collector.open(found.channels)
    assert set(watts(collector.read()).values()) == {"grace_gone"}
    collector.close()
    assert collector.read() == []


def test_another_processor_is_no_grace(tmp_path: Path) -> None:
    found = unavailable(FakeMachine(tmp_path))
    assert (found.expected, found.reason.code) == (True, "grace_absent")


def test_a_cloud_with_the_same_cores_misses_nothing(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    grace.neoverse_v2(machine, nvidia=False)
    assert unavailable(machine).expected


@pytest.mark.parametrize("known_by", ["soc_id", "acpi"])
def test_grace_without_the_driver_names_the_remedy(tmp_path: Path, known_by: str) -> None:
    machine = FakeMachine(tmp_path)
    grace.neoverse_v2(machine, nvidia=known_by == "soc_id")
    if known_by == "acpi":
        machine.write("sys/bus/acpi/devices/ACPI000D:00/status", "15\n")
    found = unavailable(machine)
    assert (found.expected, found.reason.code) == (False, "grace_no_meters")
    assert found.reason.remedy is not None
    for words in (found.reason.remedy.de, found.reason.remedy.en):
        assert "sudo modprobe acpi_power_meter force_cap_on=Y" in words
        assert "acpi_power_meter.force_cap_on=y" in words
        assert "CONFIG_SENSORS_ACPI_POWER" in words
    assert found.reason.message.de
    assert found.reason.message.en


def test_labels_nobody_knows_are_named(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    grace.neoverse_v2(machine)
    grace.meter(machine, 0, "NVSwitch Rail 7", 12_000_000)
    found = unavailable(machine)
    assert (found.expected, found.reason.code) == (False, "grace_unknown_labels")
    assert "NVSwitch Rail 7" in found.reason.message.de
    assert "NVSwitch Rail 7" in found.reason.message.en


def closed(machine: FakeMachine, number: int) -> str:
    path = machine.root / f"sys/class/hwmon/hwmon{number}/device/power1_average"
    path.unlink()
    path.mkdir()  # root may read any file, but no folder
    return str(path)


def test_an_unreadable_meter_names_its_remedy_and_the_rest_is_complete(tmp_path: Path) -> None:
    machine = grace.gh200_four_way(tmp_path)
    path = closed(machine, 5)
    found = available(machine)
    assert {incident.code for incident in found.incidents} == {"grace_unreadable", "grace_incomplete"}
    incident = next(incident for incident in found.incidents if incident.code == "grace_unreadable")
    assert incident.channel_id == "grace:module-1"
    assert incident.remedy is not None
    assert f"sudo chmod a+r {path}" in incident.remedy.de
    assert f"sudo chmod a+r {path}" in incident.remedy.en
    assert counted_ids([*found.channels, nvml(0)]) == {f"grace:grace-{n}" for n in range(4)} | {"nvml:0"}


def test_nothing_readable_is_unavailable_with_the_remedy(tmp_path: Path) -> None:
    machine = grace.grace_superchip(tmp_path)
    for number in range(1, 7):
        closed(machine, number)
    found = unavailable(machine)
    assert (found.expected, found.reason.code) == (False, "grace_unreadable")


def test_doctor_learns_what_is_read(tmp_path: Path) -> None:
    machine = grace.gh200_without_module(tmp_path)
    sources = available(machine).sources
    assert sources["grace:grace-0"] == str(tmp_path / "sys/class/hwmon/hwmon1/power1_average")
