"""AMD GPUs: which counter or gauge is believed, and that no card is counted twice or as 0."""

from __future__ import annotations

from errno import EPERM
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Unavailable
from greenai.core.cover import counted
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.host import amdsmi as door
from greenai.host.amdgpu import ComputeNode, visible_nodes
from greenai.host.amdsmi import NO_LIBRARY, AmdSmiLoad, load_amdsmi
from greenai.host.hwmon import SensorFile
from greenai.testing import FakeMachine, check_collector
from greenai.testing.amdsmi import FakeAmdGpu, FakeAmdSmi
from greenai.testing.machines.amd_gpu import (
    MACHINES,
    add_gpu,
    add_node,
    desktop_with_rx_7900_xtx,
    eight_mi300x,
    four_mi250x,
    four_mi300a,
    laptop_with_integrated_gpu,
    mi100_with_rocm_6_0,
)
from greenai_collectors.amd_gpu import AmdGpuCollector
from greenai_collectors.rapl import RaplCollector

if TYPE_CHECKING:
    from collections.abc import Callable

RESOLUTION_UJ = 15.300000190734863


def probed(machine: FakeMachine) -> Available:
    found = AmdGpuCollector(machine.host).probe()
    assert isinstance(found, Available), found
    return found


def offered(machine: FakeMachine) -> dict[str, Channel]:
    return {channel.id.removeprefix("amd_gpu:"): channel for channel in probed(machine).channels}


def opened(machine: FakeMachine) -> AmdGpuCollector:
    collector = AmdGpuCollector(machine.host)
    found = collector.probe()
    assert isinstance(found, Available), found
    collector.open(found.channels)
    return collector


def said(collector: AmdGpuCollector) -> dict[str, int | str]:
    values: dict[str, int | str] = {}
    for reading in collector.read():
        name = reading.channel_id.removeprefix("amd_gpu:")
        if isinstance(reading, Gap):
            values[name] = reading.reason
        else:
            values[name] = reading.energy_uj if isinstance(reading, CounterReading) else reading.power_uw
    return values


def values(machine: FakeMachine) -> dict[str, int | str]:
    collector = opened(machine)
    try:
        return said(collector)
    finally:
        collector.close()


def gpus(machine: FakeMachine) -> list[FakeAmdGpu]:
    assert isinstance(machine.amdsmi, FakeAmdSmi)
    return machine.amdsmi.gpus


def reason(machine: FakeMachine) -> Incident:
    found = AmdGpuCollector(machine.host).probe()
    assert isinstance(found, Unavailable), found
    return found.reason


@pytest.mark.parametrize("build", MACHINES.values(), ids=MACHINES)
def test_the_contract(build: Callable[[Path], FakeMachine], tmp_path: Path) -> None:
    assert check_collector(AmdGpuCollector, build(tmp_path))


def test_a_machine_without_amd_gpu_is_left_alone(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    machine.amdsmi = FakeAmdSmi([])
    # A driver built into the kernel is there without any device.
    machine.write("sys/bus/pci/drivers/amdgpu/bind", "")
    machine.write("sys/module/amdgpu/version", "6")
    found = AmdGpuCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    assert found.expected


def test_both_dies_of_a_mi250x_are_one_card(tmp_path: Path) -> None:
    machine = four_mi250x(tmp_path)
    channels = offered(machine)
    assert list(channels) == ["0000:c1:00.0", "0000:c9:00.0", "0000:d1:00.0", "0000:d9:00.0"]
    one = channels["0000:c1:00.0"]
    assert (one.component, one.kind, one.quality) == (Component.GPU, Kind.COUNTER, Quality.MEASURED)
    assert (one.method, one.gpu_vendor, one.share, one.policy) == ("amdsmi_energy_counter", "amd", 1.0, None)
    assert one.device == "AMD Instinct MI250X (0000:c1:00.0)"
    assert one.note is not None
    assert "Both dies" in one.note.en
    assert "Beide Chips" in one.note.de
    assert one.resolution_uj == 16


def test_the_energy_of_all_cards_is_the_sum_of_the_first_dies(tmp_path: Path) -> None:
    machine = four_mi250x(tmp_path)
    collector = opened(machine)
    before = said(collector)
    for card in range(4):
        gpus(machine)[2 * card].use(1_000.0 * (card + 1))
    machine.clock.advance(10)
    after = said(collector)
    collector.close()
    chosen = counted(dict.fromkeys(probed(machine).channels, 1.0))
    total_uj = sum(int(after[name]) - int(before[name]) for name in after if ("fake", f"amd_gpu:{name}") in chosen)
    assert total_uj == pytest.approx(10_000e6, abs=4 * 16)


def test_a_job_with_one_die_gets_half_of_the_card_never_0(tmp_path: Path) -> None:
    machine = four_mi250x(tmp_path)
    machine.environ = {"ROCR_VISIBLE_DEVICES": "3"}  # the second die of the second card
    (channel,) = offered(machine).values()
    assert channel.id == "amd_gpu:0000:c9:00.0"
    assert (channel.quality, channel.share, channel.policy) == (Quality.ALLOCATED, 0.5, "gpu_part_share")
    assert channel.uncertainty_at(1) == channel.uncertainty_at(1000) == (0.5, 0.5)
    assert channel.note is not None
    assert "1 of the card's 2 parts" in channel.note.en
    assert values(machine) == {"0000:c9:00.0": round(3_000_000_000 * RESOLUTION_UJ)}


def test_a_second_die_alone_has_no_energy_rather_than_0(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    files = {"name": "amdgpu", "power1_average": "0", "power1_cap": "0"}
    add_gpu(machine, "0000:c6:00.0", "0x7408", files)
    incident = reason(machine)
    assert incident.code == "amd_gpu_second_die"
    assert incident.channel_id == "amd_gpu:0000:c6:00.0"
    assert "not 0" in incident.message.en
    assert "nicht 0" in incident.message.de


def test_the_second_die_may_come_first_on_the_bus(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    dies = (("29", "0"), ("2c", "90000000"), ("2f", "91000000"), ("32", "0"), ("ad", "92000000"))
    for number, (bus, power) in enumerate(dies):
        files = {"name": "amdgpu", "power1_average": power, "power1_cap": "0" if power == "0" else "560000000"}
        add_gpu(machine, f"0000:{bus}:00.0", "0x740c", files, number=number)
    assert values(machine) == {"0000:2c:00.0": 90_000_000, "0000:2f:00.0": 91_000_000, "0000:ad:00.0": 92_000_000}
    # The last one's second die belongs to somebody else.
    assert [channel.share for channel in offered(machine).values()] == [1.0, 1.0, 0.5]


def test_eight_cards_are_summed_not_averaged(tmp_path: Path) -> None:
    machine = eight_mi300x(tmp_path)
    channels = offered(machine)
    assert len(channels) == 8
    assert {channel.method for channel in channels.values()} == {"amdsmi_energy_counter"}
    chosen = counted(dict.fromkeys(channels.values(), 1.0))
    assert len(chosen) == 8
    assert values(machine)["0000:05:00.0"] == round(8_000_000_000 * 15.258789)


def test_partitions_of_a_card_share_its_counter(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path, environ={"ROCR_VISIBLE_DEVICES": "0,1,5"})
    add_gpu(machine, "0000:0c:00.0", "0x74a1", {"name": "amdgpu", "power1_input": "200000000"})
    for partition in range(8):
        add_node(machine, partition + 2, "0000:0c:00.0", uuid=77, partition=partition)
    machine.amdsmi = FakeAmdSmi([FakeAmdGpu(f"0000:0c:00.{part}", energy_count=10 + part) for part in range(8)])
    (channel,) = offered(machine).values()
    assert (channel.id, channel.share) == ("amd_gpu:0000:0c:00.0", 3 / 8)
    assert values(machine) == {"0000:0c:00.0": 153}


def test_a_mi300a_is_the_whole_socket(tmp_path: Path) -> None:
    machine = four_mi300a(tmp_path)
    for socket in range(4):
        machine.rapl(f"intel-rapl:{socket}", f"package-{socket}", 1)
    channels = probed(machine).channels
    assert {channel.component for channel in channels} == {Component.MODULE}
    assert values(machine) == {f"000{n}:01:00.0": (120 + n) * 1_000_000 for n in range(4)}
    rapl = RaplCollector(machine.host).probe()
    assert isinstance(rapl, Available)
    chosen = counted(dict.fromkeys([*channels, *rapl.channels], 1.0))
    assert {name for _, name in chosen} == {channel.id for channel in channels}


def test_a_counter_of_old_rocm_is_not_believed(tmp_path: Path) -> None:
    machine = eight_mi300x(tmp_path)
    assert isinstance(machine.amdsmi, FakeAmdSmi)
    machine.amdsmi.energy_key = "power"
    assert {channel.method for channel in probed(machine).channels} == {"amdgpu_hwmon_power"}
    assert values(machine)["0000:05:00.0"] == 140_000_000


def test_the_counter_of_a_mi100_is_never_believed(tmp_path: Path) -> None:
    machine = mi100_with_rocm_6_0(tmp_path)
    assert isinstance(machine.amdsmi, FakeAmdSmi)
    machine.amdsmi.energy_key = "energy_accumulator"
    (channel,) = offered(machine).values()
    assert (channel.kind, channel.method) == (Kind.POWER, "amdgpu_hwmon_power")
    assert channel.uncertainty_rel == 0.20
    assert values(machine) == {"0000:83:00.0": 36_000_000}


def test_a_counter_at_0_is_none(tmp_path: Path) -> None:
    machine = eight_mi300x(tmp_path)
    gpus(machine)[0].energy_count = 0
    gpus(machine)[1].energy_count = None
    methods = [channel.method for channel in probed(machine).channels]
    assert methods == ["amdgpu_hwmon_power"] * 2 + ["amdsmi_energy_counter"] * 6


def test_a_counter_that_stands_still_under_load_is_a_gap(tmp_path: Path) -> None:
    machine = eight_mi300x(tmp_path)
    collector = opened(machine)
    said(collector)
    gpus(machine)[1].use(140.0)
    machine.clock.advance(1)
    stuck = said(collector)
    assert stuck["0000:05:00.0"] == "amdsmi_counter_stuck"
    assert isinstance(stuck["0000:26:00.0"], int)
    gpus(machine)[0].use(280.0)
    machine.clock.advance(1)
    assert isinstance(said(collector)["0000:05:00.0"], int)
    collector.close()


@pytest.mark.parametrize(
    ("times", "believed"), [(1.0, True), (0.6, True), (1.9, True), (0.01, False), (15.3, False)]
)
def test_a_counter_is_held_against_the_power(times: float, believed: bool, tmp_path: Path) -> None:
    machine = eight_mi300x(tmp_path)
    collector = opened(machine)
    last: dict[str, int | str] = {}
    for _ in range(12):
        last = said(collector)
        machine.clock.advance(1)
        for gpu in gpus(machine):
            gpu.use(140.0 * (times if gpu.bdf == "0000:05:00.0" else 1.0))
    collector.close()
    assert isinstance(last["0000:26:00.0"], int)
    assert isinstance(last["0000:05:00.0"], int) == believed
    if not believed:
        assert last["0000:05:00.0"] == "amdsmi_counter_against_power"


def test_marks_far_apart_say_nothing_about_the_counter(tmp_path: Path) -> None:
    """Between two marks of an hour the load may have been anything; idle power at both ends proves nothing."""
    machine = eight_mi300x(tmp_path)
    collector = opened(machine)
    for _ in range(4):
        said(collector)
        machine.clock.advance(3600)
        for gpu in gpus(machine):
            gpu.use(700.0 * 3600)
    assert all(isinstance(value, int) for value in said(collector).values())
    collector.close()


def test_a_counter_without_power_to_compare_is_believed(tmp_path: Path) -> None:
    machine = eight_mi300x(tmp_path)
    for gpu in gpus(machine):
        gpu.power_w = {"average_socket_power": 0xFFFF}
    collector = opened(machine)
    for _ in range(3):
        assert all(isinstance(value, int) for value in said(collector).values())
        machine.clock.advance(5)
    collector.close()


def test_a_counter_that_was_reset_is_not_held_against_the_power(tmp_path: Path) -> None:
    machine = eight_mi300x(tmp_path)
    collector = opened(machine)
    said(collector)
    for gpu in gpus(machine):
        gpu.energy_count = 5
    machine.clock.advance(2)
    assert said(collector)["0000:05:00.0"] == round(5 * 15.258789)
    collector.close()


def test_power_by_the_library_where_the_kernel_gives_none(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    add_gpu(machine, "0000:05:00.0", "0x74a1", {"name": "amdgpu"})
    gpu = FakeAmdGpu("0000:05:00.0", energy_count=None, power_w={"socket_power": 151})
    machine.amdsmi = FakeAmdSmi([gpu])
    (channel,) = offered(machine).values()
    assert (channel.kind, channel.method) == (Kind.POWER, "amdsmi_power_polled")
    assert values(machine) == {"0000:05:00.0": 151_000_000}
    collector = opened(machine)
    gpu.power_w = {"socket_power": 0xFFFF, "current_socket_power": 0}
    assert said(collector) == {"0000:05:00.0": "amdsmi_no_power"}
    gpu.lost = True
    assert said(collector) == {"0000:05:00.0": "amdsmi_no_data"}
    collector.close()


def test_a_desktop_has_a_card_and_a_processor(tmp_path: Path) -> None:
    machine = desktop_with_rx_7900_xtx(tmp_path)
    found = probed(machine)
    channels = offered(machine)
    card, processor = channels["0000:03:00.0"], channels["0000:13:00.0"]
    assert (card.component, card.gpu_vendor, card.device) == (
        Component.GPU, "amd", "AMD [1002:744c] (0000:03:00.0)",
    )  # fmt: skip
    assert (processor.component, processor.gpu_vendor, processor.includes) == (Component.CPU, "", frozenset())
    assert processor.note is not None
    assert "integrierter GPU" in processor.note.de
    assert values(machine) == {"0000:03:00.0": 21_000_000, "0000:13:00.0": 34_104_000}
    assert found.sources["amd_gpu:0000:03:00.0"].endswith("0000:03:00.0/hwmon/hwmon1/power1_average")
    assert {name for _, name in counted(dict.fromkeys(found.channels, 1.0))} == set(found.sources)


def test_an_integrated_gpu_and_rapl_are_not_both_counted(tmp_path: Path) -> None:
    machine = desktop_with_rx_7900_xtx(tmp_path)
    machine.rapl("intel-rapl:0", "package-0", 1)
    rapl = RaplCollector(machine.host).probe()
    assert isinstance(rapl, Available)
    chosen = counted(dict.fromkeys([*probed(machine).channels, *rapl.channels], 1.0))
    assert {name for _, name in chosen} == {"rapl:package-0", "amd_gpu:0000:03:00.0"}


def test_variables_that_hide_gpus_do_not_hide_a_processor(tmp_path: Path) -> None:
    machine = laptop_with_integrated_gpu(tmp_path)
    machine.environ = {
        "HIP_VISIBLE_DEVICES": "-1",
        "CUDA_VISIBLE_DEVICES": "GPU-4e81",
        "ROCR_VISIBLE_DEVICES": "9",
    }
    found = probed(machine)
    assert [channel.id for channel in found.channels] == ["amd_gpu:0000:33:00.0"]
    assert found.incidents == ()
    assert values(machine) == {"0000:33:00.0": 17_080_000}


def test_the_library_is_not_loaded_for_a_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = laptop_with_integrated_gpu(tmp_path)
    machine.amdsmi = FakeAmdSmi([])
    monkeypatch.setattr(machine.amdsmi, "amdsmi_get_processor_handles", lambda: pytest.fail("loaded"))
    assert offered(machine)


def test_hidden_cards_are_not_measured(tmp_path: Path) -> None:
    machine = eight_mi300x(tmp_path)
    machine.environ = {"ROCR_VISIBLE_DEVICES": "6,GPU-1122334455660001", "HIP_VISIBLE_DEVICES": "0"}
    assert list(offered(machine)) == ["0000:c6:00.0"]
    machine.environ = {"ROCR_VISIBLE_DEVICES": ""}
    found = AmdGpuCollector(machine.host).probe()
    assert isinstance(found, Unavailable)
    assert (found.reason.code, found.expected) == ("amd_gpu_hidden", True)


def test_an_unknown_entry_is_told(tmp_path: Path) -> None:
    machine = eight_mi300x(tmp_path)
    machine.environ = {"HIP_VISIBLE_DEVICES": "0,11,1"}
    found = probed(machine)
    assert [channel.id for channel in found.channels] == ["amd_gpu:0000:05:00.0"]
    (incident,) = found.incidents
    assert incident.code == "amd_gpu_unknown"
    assert "HIP_VISIBLE_DEVICES" in incident.message.en
    assert "„11“" in incident.message.de


def test_cuda_variables_of_nvidia_cards_are_nothing_to_complain_about(tmp_path: Path) -> None:
    machine = eight_mi300x(tmp_path)
    machine.environ = {"CUDA_VISIBLE_DEVICES": "GPU-4e81a3b2-0000"}
    assert reason(machine).code == "amd_gpu_unknown"
    machine.write("proc/driver/nvidia/version", "NVRM\n")
    assert reason(machine).code == "amd_gpu_hidden"


def test_a_cgroup_withholds_nodes(tmp_path: Path) -> None:
    """Slurm with ConstrainDevices: the nodes of other jobs are listed and unreadable; sysfs still shows all cards."""
    machine = four_mi250x(tmp_path)
    for number in (4, 5, 7, 8, 9, 10, 11):
        machine.write(f"sys/class/kfd/kfd/topology/nodes/{number}/properties", "")
    machine.environ = {"ROCR_VISIBLE_DEVICES": "0"}
    (channel,) = offered(machine).values()
    assert (channel.id, channel.share) == ("amd_gpu:0000:c9:00.0", 0.5)
    machine.environ = {}
    assert list(offered(machine)) == ["0000:c9:00.0"]


NODES = [ComputeNode(f"0000:0{n}:00.0", f"GPU-00000000000000a{n}" if n else "") for n in range(4)]


@pytest.mark.parametrize(
    ("environ", "expected", "unknown"),
    [
        ({}, [0, 1, 2, 3], []),
        ({"ROCR_VISIBLE_DEVICES": ""}, [], []),
        ({"ROCR_VISIBLE_DEVICES": "2,1"}, [2, 1], []),
        ({"ROCR_VISIBLE_DEVICES": "1,1,2"}, [1, 2], []),
        ({"ROCR_VISIBLE_DEVICES": "0,GPU-00000000000000A3"}, [0, 3], []),
        ({"ROCR_VISIBLE_DEVICES": "GPU-0000"}, [], ["GPU-0000"]),
        ({"ROCR_VISIBLE_DEVICES": "GPU-"}, [], ["GPU-"]),
        ({"ROCR_VISIBLE_DEVICES": "1,2", "HIP_VISIBLE_DEVICES": "1"}, [2], []),
        ({"HIP_VISIBLE_DEVICES": "", "CUDA_VISIBLE_DEVICES": "3"}, [3], []),
        ({"HIP_VISIBLE_DEVICES": "", "CUDA_VISIBLE_DEVICES": ""}, [0, 1, 2, 3], []),
        ({"HIP_VISIBLE_DEVICES": "2", "CUDA_VISIBLE_DEVICES": "3"}, [2], []),
        ({"GPU_DEVICE_ORDINAL": "0, 2"}, [0, 2], []),
        ({"HIP_VISIBLE_DEVICES": "-1"}, [], []),
        ({"HIP_VISIBLE_DEVICES": "1,-1,2"}, [1], []),
        ({"HIP_VISIBLE_DEVICES": "1,4,2"}, [1], ["4"]),
        ({"CUDA_VISIBLE_DEVICES": "MIG-GPU-1/2/3"}, [], ["MIG-GPU-1/2/3"]),
        ({"HIP_VISIBLE_DEVICES": "²"}, [], ["²"]),
    ],
)
def test_visible_devices(environ: dict[str, str], expected: list[int], unknown: list[str]) -> None:
    chosen, bad = visible_nodes(NODES, environ)
    assert [NODES.index(node) for node in chosen] == expected
    assert [entry for _, entry in bad] == unknown


class Silent:
    """A library that answers nothing."""

    def amdsmi_get_processor_handles(self) -> list[Any]:
        raise RuntimeError("Error code:\n\t10 | AMDSMI_STATUS_NO_PERM - Permission Denied")


@pytest.mark.parametrize("load", [AmdSmiLoad(Silent()), AmdSmiLoad(None, "amdsmi_no_perm")])  # type: ignore[arg-type]
def test_a_library_that_fails_leaves_the_power(load: AmdSmiLoad, tmp_path: Path) -> None:
    machine = eight_mi300x(tmp_path)
    host = machine.host
    object.__setattr__(host, "load_amdsmi", lambda: load)
    collector = AmdGpuCollector(host)
    found = collector.probe()
    assert isinstance(found, Available)
    assert {channel.method for channel in found.channels} == {"amdgpu_hwmon_power"}
    (incident,) = found.incidents
    assert incident.code == "amd_gpu_library"
    assert "amdsmi_no_perm" in incident.message.de
    assert incident.remedy is not None
    assert incident.remedy.de.startswith('sudo usermod -aG render,video "$USER"')
    assert incident.remedy.en.startswith('sudo usermod -aG render,video "$USER"')
    collector.open(found.channels)
    assert said(collector)["0000:05:00.0"] == 140_000_000
    collector.close()


def test_a_closed_file_names_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = desktop_with_rx_7900_xtx(tmp_path)
    monkeypatch.setattr("greenai_collectors.amd_gpu.readable", lambda path: "hwmon1" not in str(path))
    found = probed(machine)
    assert [channel.id for channel in found.channels] == ["amd_gpu:0000:13:00.0"]
    (incident,) = found.incidents
    path = machine.root / "sys/bus/pci/drivers/amdgpu/0000:03:00.0/hwmon/hwmon1/power1_average"
    assert (incident.code, incident.channel_id) == ("amd_gpu_unreadable", "amd_gpu:0000:03:00.0")
    assert incident.remedy is not None
    assert incident.remedy.en.endswith(f"sudo chmod a+r {path}")
    assert incident.remedy.de.endswith(f"sudo chmod a+r {path}")
    assert str(path) in incident.message.de
    assert str(path) in incident.message.en


def test_a_virtual_function_without_sensor_is_told(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    add_gpu(machine, "0000:03:02.0", "0x74b5", {})
    incident = reason(machine)
    assert incident.code == "amd_gpu_no_sensor"
    assert "unknown" in incident.message.en
    assert "unbekannt" in incident.message.de


def test_a_sleeping_card_is_a_gap_of_its_own_and_no_matter_of_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = desktop_with_rx_7900_xtx(tmp_path)
    collector = opened(machine)

    def asleep(_file: SensorFile) -> int:
        raise PermissionError(EPERM, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(SensorFile, "number", asleep)
        assert set(said(collector).values()) == {"amd_gpu_asleep"}
    assert said(collector)["0000:03:00.0"] == 21_000_000
    collector.close()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "amd_gpu_no_number"),
        ("\n", "amd_gpu_no_number"),
        ("garbage\n", "amd_gpu_no_number"),
        ("0\n", "hwmon_zero"),
        ("-1\n", "hwmon_negative"),
        ("4294967295\n", "hwmon_sentinel"),
        ("4294967201\n", "hwmon_implausible"),  # -EOPNOTSUPP printed unsigned, Linux 6.4 to 6.6
        ("55000000\n", 55_000_000),
    ],
)
def test_a_power_that_cannot_be_is_a_gap(content: str, expected: int | str, tmp_path: Path) -> None:
    machine = desktop_with_rx_7900_xtx(tmp_path)
    collector = opened(machine)
    machine.write("sys/bus/pci/devices/0000:03:00.0/hwmon/hwmon1/power1_average", content)
    assert said(collector) == {"0000:03:00.0": expected, "0000:13:00.0": 34_104_000}
    collector.close()


def test_a_card_that_went_before_it_was_opened_is_a_gap(tmp_path: Path) -> None:
    machine = desktop_with_rx_7900_xtx(tmp_path)
    collector = AmdGpuCollector(machine.host)
    found = collector.probe()
    assert isinstance(found, Available)
    (machine.root / "sys/bus/pci/drivers/amdgpu/0000:03:00.0").unlink()
    collector.open(found.channels)
    assert said(collector) == {"0000:03:00.0": "amd_gpu_gone", "0000:13:00.0": 34_104_000}
    collector.close()


def test_times_are_those_of_the_readings(tmp_path: Path) -> None:
    machine = desktop_with_rx_7900_xtx(tmp_path)
    collector = opened(machine)
    machine.clock.advance(7)
    now_ns = machine.clock.mono_ns()
    assert collector.read()[0] == PowerReading("amd_gpu:0000:03:00.0", now_ns, 21_000_000)
    collector.close()


def open_files() -> int:
    return sum(path.exists() for path in Path("/proc/self/fd").iterdir())


def test_closing_gives_the_files_back(tmp_path: Path) -> None:
    machine = desktop_with_rx_7900_xtx(tmp_path)
    before = open_files()
    collector = opened(machine)
    said(collector)
    assert open_files() == before + 2
    collector.close()
    assert open_files() == before


def test_the_library_is_absent_here() -> None:
    assert load_amdsmi() == AmdSmiLoad(None, NO_LIBRARY)


@pytest.mark.parametrize(
    ("text", "reason"), [("Error code:\n\t34 | driver", "Error code: 34 | driver"), ("", "OSError")]
)
def test_loading_never_raises(text: str, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "amdsmi.py").write_text(f"def amdsmi_init():\n    raise OSError({text!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "amdsmi", raising=False)
    assert load_amdsmi() == AmdSmiLoad(None, NO_LIBRARY)  # the module, but not its library: it would print
    monkeypatch.setattr(door, "_finds_library", lambda _file: True)
    assert load_amdsmi() == AmdSmiLoad(None, reason)


def test_a_loaded_library_is_initialised(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    module = SimpleNamespace(amdsmi_init=lambda: calls.append("init"))
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda _name: SimpleNamespace(origin="/opt/amdsmi/__init__.py")
    )
    monkeypatch.setattr("importlib.import_module", lambda _name: module)
    monkeypatch.setattr(door, "_finds_library", lambda file: file == "/opt/amdsmi/__init__.py")
    assert load_amdsmi().api is module
    assert calls == ["init"]
