"""Intel GPUs: which of the nested counters counts, and what the driver makes of the hardware's 32 bits."""

from __future__ import annotations

from errno import ENODEV
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.counter import counter_delta_uj
from greenai.core.cover import counted
from greenai.core.reading import CounterReading, Gap
from greenai.core.units import NS_PER_S
from greenai.host.hwmon import SensorFile
from greenai.testing import FakeMachine, check_collector
from greenai.testing.machines.intel_gpu import (
    INTEGRATED,
    MACHINES,
    add_device,
    arc_a770_with_i915,
    arc_a770_with_xe,
    two_arc_b70,
    two_max_1550,
)
from greenai_collectors.intel_gpu import IntelGpuCollector, visible_tiles

if TYPE_CHECKING:
    from collections.abc import Callable

B70_UJ = 22_543_283_000_000


def probed(machine: FakeMachine) -> Available:
    found = IntelGpuCollector(machine.host).probe()
    assert isinstance(found, Available), found
    return found


def offered(machine: FakeMachine) -> dict[str, Channel]:
    return {channel.id.removeprefix("intel_gpu:"): channel for channel in probed(machine).channels}


def opened(machine: FakeMachine) -> IntelGpuCollector:
    collector = IntelGpuCollector(machine.host)
    found = collector.probe()
    assert isinstance(found, Available)
    collector.open(found.channels)
    return collector


def said(collector: IntelGpuCollector) -> dict[str, int | str]:
    values: dict[str, int | str] = {}
    for reading in collector.read():
        assert isinstance(reading, (CounterReading, Gap))
        name = reading.channel_id.removeprefix("intel_gpu:")
        values[name] = reading.energy_uj if isinstance(reading, CounterReading) else reading.reason
    return values


def values(machine: FakeMachine) -> dict[str, int | str]:
    collector = opened(machine)
    try:
        return said(collector)
    finally:
        collector.close()


@pytest.mark.parametrize("build", MACHINES.values(), ids=MACHINES)
def test_the_contract(build: Callable[[Path], FakeMachine], tmp_path: Path) -> None:
    assert check_collector(IntelGpuCollector, build(tmp_path))


@pytest.mark.parametrize("driver", [None, "i915", "xe"])
def test_integrated_gpus_are_part_of_rapl(driver: str | None, tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    if driver:
        add_device(machine, driver, INTEGRATED, "0xa780", {})
    found = IntelGpuCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    assert found.expected


def test_an_arc_under_i915_counts_its_package(tmp_path: Path) -> None:
    machine = arc_a770_with_i915(tmp_path)
    ((name, channel),) = offered(machine).items()
    assert name == "0000:03:00.0"
    assert (channel.component, channel.kind, channel.quality) == (Component.GPU, Kind.COUNTER, Quality.MEASURED)
    assert (channel.gpu_vendor, channel.method) == ("intel", "intel_gpu_hwmon")
    assert channel.device == "Intel [8086:56a0] (0000:03:00.0)"
    assert (channel.uncertainty_low_rel, channel.uncertainty_rel) == (0.15, 0.30)
    assert channel.note is not None
    assert channel.note.en == "Counter of the GPU's package; video memory and voltage regulators may be missing."
    assert "Grafikspeicher" in channel.note.de
    assert values(machine) == {"0000:03:00.0": 9_417_383_050}


def test_the_package_counts_where_the_card_does_not(tmp_path: Path) -> None:
    machine = arc_a770_with_xe(tmp_path)
    found = probed(machine)
    assert values(machine) == {"0000:03:00.0": 120_000_000}
    assert found.sources["intel_gpu:0000:03:00.0"].endswith("/0000:03:00.0/hwmon/hwmon2/energy2_input")
    note = found.channels[0].note
    assert note is not None
    assert "package" in note.en
    assert "sleeping" in note.en
    assert "schläft" in note.de


def test_card_and_package_are_never_both_counted(tmp_path: Path) -> None:
    machine = two_arc_b70(tmp_path)
    channels = offered(machine)
    assert values(machine) == {"0000:03:00.0": B70_UJ, "0000:04:00.0": B70_UJ + 1}
    assert {channel.uncertainty_rel for channel in channels.values()} == {0.15}
    assert {channel.uncertainty_low_rel for channel in channels.values()} == {None}


def test_the_cards_are_summed(tmp_path: Path) -> None:
    machine = two_arc_b70(tmp_path)
    collector = opened(machine)
    before = said(collector)
    for card in range(2):
        path = f"sys/bus/pci/devices/0000:0{card + 3}:00.0/hwmon/hwmon{card + 7}/energy1_input"
        machine.write(path, f"{B70_UJ + card + 200_000_000}\n")
    after = said(collector)
    collector.close()
    chosen = counted(dict.fromkeys(probed(machine).channels, 1.0))
    assert len(chosen) == 2
    assert sum(int(after[name]) - int(before[name]) for name in after) == 400_000_000


def test_tiles_are_inside_their_card(tmp_path: Path) -> None:
    machine = two_max_1550(tmp_path)
    assert values(machine) == {"0000:18:00.0": 500_000_000_000, "0000:42:00.0": 500_000_000_001}
    channel = offered(machine)["0000:18:00.0"]
    assert (channel.quality, channel.share, channel.note) == (Quality.MEASURED, 1.0, None)


def test_one_tile_of_a_card_gets_its_share(tmp_path: Path) -> None:
    machine = two_max_1550(tmp_path)
    machine.environ = {"ZE_AFFINITY_MASK": "0.1,1", "ZE_FLAT_DEVICE_HIERARCHY": "COMPOSITE"}
    channels = offered(machine)
    part, whole = channels["0000:18:00.0"], channels["0000:42:00.0"]
    assert (part.quality, part.share, part.policy) == (Quality.ALLOCATED, 0.5, "gpu_part_share")
    assert (part.uncertainty_low_rel, part.uncertainty_rel) == (None, 0.5)
    assert part.note is not None
    assert "1 of the card's 2 tiles" in part.note.en
    assert "1 von 2 Kacheln" in part.note.de
    assert (whole.quality, whole.share) == (Quality.MEASURED, 1.0)


def test_xe_has_a_folder_per_tile(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path, environ={"ZE_AFFINITY_MASK": "1"})
    add_device(machine, "xe", "0000:18:00.0", "0x0bd5", {0: {"name": "xe", "energy1_input": "5"}})
    for tile in range(2):
        machine.write(f"sys/bus/pci/devices/0000:18:00.0/tile{tile}/gt{tile}/freq0/max_freq", "1600\n")
    assert offered(machine)["0000:18:00.0"].share == 0.5


@pytest.mark.parametrize(
    ("tiles", "environ", "expected", "unknown"),
    [
        ([1, 1], {}, [1, 1], []),
        ([1, 1], {"ZE_AFFINITY_MASK": ""}, [1, 1], []),
        ([1, 1], {"ZE_AFFINITY_MASK": "1"}, [0, 1], []),
        ([1, 1], {"ZE_AFFINITY_MASK": "0, 1"}, [1, 1], []),
        ([1, 1], {"ZE_AFFINITY_MASK": "0.0"}, [1, 0], []),
        ([1, 1], {"ZE_AFFINITY_MASK": "0.1"}, [0, 0], ["0.1"]),
        ([1, 1], {"ZE_AFFINITY_MASK": "2,1"}, [0, 1], ["2"]),
        ([1, 1], {"ZE_AFFINITY_MASK": "-1,x,²"}, [0, 0], ["-1", "x", "²"]),
        ([2, 2], {"ZE_AFFINITY_MASK": "0,1"}, [2, 0], []),
        ([2, 2], {"ZE_AFFINITY_MASK": "1,2,2"}, [1, 1], []),
        ([2, 2], {"ZE_AFFINITY_MASK": "0.0"}, [0, 0], ["0.0"]),
        ([2, 2], {"ZE_AFFINITY_MASK": "0,1", "ZE_FLAT_DEVICE_HIERARCHY": "COMPOSITE"}, [2, 2], []),
        ([2, 2], {"ZE_AFFINITY_MASK": "0.1,1.0", "ZE_FLAT_DEVICE_HIERARCHY": "COMPOSITE"}, [1, 1], []),
        ([2, 2], {"ZE_AFFINITY_MASK": "1.2", "ZE_FLAT_DEVICE_HIERARCHY": "COMPOSITE"}, [0, 0], ["1.2"]),
    ],
)
def test_the_affinity_mask(
    tiles: list[int], environ: dict[str, str], expected: list[int], unknown: list[str]
) -> None:
    assert visible_tiles(tiles, environ) == (expected, unknown)


@pytest.mark.parametrize(
    ("in_place", "mask", "names"), [("0", "0", ["0000:03:00.0"]), ("1", "1", ["0000:03:00.0"])]
)
def test_the_integrated_gpu_is_numbered_last(in_place: str, mask: str, names: list[str], tmp_path: Path) -> None:
    machine = arc_a770_with_i915(tmp_path)
    machine.environ = {"ZE_AFFINITY_MASK": mask, "ZE_ENABLE_PCI_ID_DEVICE_ORDER": in_place}
    assert list(offered(machine)) == names


def test_a_mask_that_hides_all_is_no_fault(tmp_path: Path) -> None:
    machine = arc_a770_with_i915(tmp_path)
    machine.environ = {"ZE_AFFINITY_MASK": "1"}  # the integrated one
    found = IntelGpuCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    assert (found.reason.code, found.expected) == ("intel_gpu_hidden", True)


def test_an_unknown_entry_is_told(tmp_path: Path) -> None:
    machine = two_arc_b70(tmp_path)
    machine.environ = {"ZE_AFFINITY_MASK": "0,7"}
    found = probed(machine)
    assert [channel.id for channel in found.channels] == ["intel_gpu:0000:03:00.0"]
    (incident,) = found.incidents
    assert incident.code == "intel_gpu_unknown"
    assert "„7“" in incident.message.de
    assert '"7"' in incident.message.en


def test_the_driver_notices_one_turn_of_the_hardware_only(tmp_path: Path) -> None:
    channel = offered(two_arc_b70(tmp_path))["0000:03:00.0"]
    assert channel.wrap_uj == 262_144_000_000
    assert channel.resolution_uj == 62
    assert channel.poll_s(1.0) == 1.0

    def delta_uj(energy_uj: int, seconds: int) -> int | None:
        return counter_delta_uj(channel, (0, B70_UJ), (seconds * NS_PER_S, B70_UJ + energy_uj))

    assert delta_uj(20_000_000_000, 100) == 20_000_000_000
    assert delta_uj(20_000_000_000, 600) is None  # may have been several turns, and nobody read
    assert delta_uj(262_144_000_000, 1) is None  # all bits set by a card that is gone, or a cut supply


def test_probing_reads_no_counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SensorFile, "text", lambda _file: pytest.fail("woken"))
    assert probed(two_arc_b70(tmp_path)).channels


def test_a_closed_file_names_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = two_arc_b70(tmp_path)
    path = machine.root / "sys/bus/pci/drivers/xe/0000:03:00.0/hwmon/hwmon7/energy1_input"
    monkeypatch.setattr("greenai_collectors.intel_gpu.readable", lambda file: file != path)
    found = probed(machine)
    assert [channel.id for channel in found.channels] == ["intel_gpu:0000:04:00.0"]
    (incident,) = found.incidents
    assert (incident.code, incident.channel_id) == ("intel_gpu_unreadable", "intel_gpu:0000:03:00.0")
    assert incident.remedy is not None
    assert incident.remedy.de == f"Bis zum Neustart: sudo chmod a+r {path}"
    assert incident.remedy.en == f"Until the next boot: sudo chmod a+r {path}"
    assert str(path) in incident.message.de
    assert str(path) in incident.message.en
    monkeypatch.setattr("greenai_collectors.intel_gpu.readable", lambda _file: False)
    none = IntelGpuCollector(machine.host).probe()
    assert isinstance(none, Unavailable)
    assert (none.reason.code, none.expected) == ("intel_gpu_unreadable", False)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "intel_gpu_ValueError"),
        ("garbage\n", "intel_gpu_ValueError"),
        ("0\n", "intel_gpu_zero"),  # xe_hwmon_energy_get where the telemetry fails
        ("-5\n", "intel_gpu_zero"),
        ("7\n", 7),
    ],
)
def test_a_count_that_cannot_be_is_a_gap(content: str, expected: int | str, tmp_path: Path) -> None:
    machine = two_arc_b70(tmp_path)
    collector = opened(machine)
    machine.write("sys/bus/pci/devices/0000:03:00.0/hwmon/hwmon7/energy1_input", content)
    assert said(collector) == {"0000:03:00.0": expected, "0000:04:00.0": B70_UJ + 1}
    collector.close()


def test_a_card_that_fails_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = two_arc_b70(tmp_path)
    collector = opened(machine)

    def gone(_file: SensorFile) -> str:
        raise OSError(ENODEV, "No such device")

    with monkeypatch.context() as patch:
        patch.setattr(SensorFile, "text", gone)
        assert set(said(collector).values()) == {"intel_gpu_OSError"}
    assert said(collector)["0000:03:00.0"] == B70_UJ
    collector.close()
    assert collector.read() == []


def test_a_card_that_went_before_it_was_opened_is_a_gap(tmp_path: Path) -> None:
    machine = two_arc_b70(tmp_path)
    collector = IntelGpuCollector(machine.host)
    found = collector.probe()
    assert isinstance(found, Available)
    (machine.root / "sys/bus/pci/drivers/xe/0000:03:00.0").unlink()
    collector.open(found.channels)
    assert said(collector) == {"0000:03:00.0": "intel_gpu_gone", "0000:04:00.0": B70_UJ + 1}
    collector.close()


def test_closing_gives_the_files_back(tmp_path: Path) -> None:
    def open_files() -> int:
        return sum(path.exists() for path in Path("/proc/self/fd").iterdir())

    machine = two_arc_b70(tmp_path)
    before = open_files()
    collector = opened(machine)
    said(collector)
    assert open_files() == before + 2
    collector.close()
    assert open_files() == before
