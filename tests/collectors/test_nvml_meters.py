"""NVIDIA GPUs: which meter is read, superchips, MIG, and what of it is counted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.cover import counted
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.testing import FakeGpu, FakeMachine, FakeNvml, FakeNvmlError, check_collector
from greenai.testing.machines import grace, nvidia
from greenai.testing.nvml import UNKNOWN_ERROR, FakeMig
from greenai_collectors.grace import GraceCollector
from greenai_collectors.nvml import NvmlCollector

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from greenai.core.reading import Reading
    from greenai.host.machine import Host


def machine(folder: Path, gpus: list[FakeGpu], **environ: str) -> FakeMachine:
    return FakeMachine(folder / "machine", nvml=FakeNvml(gpus), environ=environ)


def available(host: Host) -> Available:
    found = NvmlCollector(host).probe()
    assert isinstance(found, Available)
    return found


def unavailable(host: Host) -> Unavailable:
    found = NvmlCollector(host).probe()
    assert isinstance(found, Unavailable)
    return found


def only(host: Host) -> Channel:
    (channel,) = available(host).channels
    return channel


def opened(host: Host) -> NvmlCollector:
    collector = NvmlCollector(host)
    found = collector.probe()
    assert isinstance(found, Available)
    collector.open(found.channels)
    return collector


def total_j(host: Host, before: list[Reading], after: list[Reading], seconds: float) -> float:
    """Return what gets counted, by hand: differences of counters and power times time, each times its share."""
    channels = {channel.id: channel for channel in available(host).channels}
    chosen = {channel_id for _, channel_id in counted(dict.fromkeys(channels.values(), 1.0))}
    energy_uj = 0.0
    for a, b in zip(before, after, strict=True):
        if b.channel_id not in chosen:
            continue
        if isinstance(a, CounterReading) and isinstance(b, CounterReading):
            used_uj = float(b.energy_uj - a.energy_uj)
        else:
            assert isinstance(b, PowerReading)
            used_uj = b.power_uw * seconds
        energy_uj += used_uj * channels[b.channel_id].share
    return energy_uj / 1e6


def gpus_of(fake: FakeMachine) -> list[FakeGpu]:
    assert isinstance(fake.nvml, FakeNvml)
    return fake.nvml.gpus


# --- meters


def test_eight_gpus_sum_and_are_not_averaged(tmp_path: Path) -> None:
    fake = nvidia.dgx_a100(tmp_path / "machine")
    channels = available(fake.host).channels
    assert {(c.component, c.kind, c.quality, c.method, c.gpu_vendor) for c in channels} == {
        (Component.GPU, Kind.COUNTER, Quality.MEASURED, "nvml_energy_counter", "nvidia")
    }
    assert {(c.update_s, c.resolution_uj, c.uncertainty_rel) for c in channels} == {(0.1, 1000, 0.05)}
    assert channels[0].device == "0 NVIDIA A100-SXM4-40GB"
    assert channels[0].note is None
    assert [channels[0].uncertainty_at(s)[1] for s in (1.0, 30.0, 300.0)] == [0.40, 0.10, 0.05]
    collector = opened(fake.host)
    before = collector.read()
    assert before[2] == CounterReading(channels[2].id, fake.clock.mono_ns(), 3_000_000 * 1000)  # mJ to µJ
    fake.clock.advance(10.0)
    for number, gpu in enumerate(gpus_of(fake)):
        assert gpu.energy_mj is not None
        gpu.energy_mj += 1_000_000 + number
    after = collector.read()
    assert total_j(fake.host, before, after, 10.0) == pytest.approx(8 * 1000.0 + 0.028)


@pytest.mark.parametrize(
    ("name", "method", "power_uw"),
    [
        ("nvidia-p100", "nvml_power_instant", 26_000_000),
        ("nvidia-rtx3090", "nvml_power_average", 32_000_000),
        ("nvidia-a30-mig-container", "nvml_power_instant", 80_000_000),
    ],
)
def test_a_gpu_without_a_counter_is_polled(tmp_path: Path, name: str, method: str, power_uw: int) -> None:
    fake = nvidia.MACHINES[name](tmp_path / "machine")
    channel = check_collector(NvmlCollector, fake)[0]
    assert (channel.kind, channel.method, channel.update_s) == (Kind.POWER, method, 0.1)
    assert channel.uncertainty_rel > 0.05
    assert opened(fake.host).read()[0] == PowerReading(channel.id, fake.clock.mono_ns(), power_uw)


def test_a_lagging_mean_says_so_and_is_less_certain_over_short_times(tmp_path: Path) -> None:
    lagging = only(nvidia.rtx_3090(tmp_path / "a").host)
    prompt = available(nvidia.p100(tmp_path / "b").host).channels[0]
    assert lagging.uncertainty_at(2.0)[1] > prompt.uncertainty_at(2.0)[1]
    assert lagging.note is not None
    assert "second" in lagging.note.en
    assert prompt.note is None


@pytest.mark.parametrize(
    ("gpu", "method", "power_uw"),
    [
        (FakeGpu("GPU-1", energy_mj=None, power_mw=7, instant_mw={0: 5}), "nvml_power_instant", 5_000),
        (FakeGpu("GPU-1", energy_mj=None, power_mw=7, average_mw={0: 6}), "nvml_power_average", 6_000),
        (FakeGpu("GPU-1", energy_mj=None, power_mw=7, capability=(8, 0)), "nvml_power_instant", 7_000),
        (FakeGpu("GPU-1", energy_mj=None, power_mw=7, capability=(8, 6)), "nvml_power_average", 7_000),
        (FakeGpu("GPU-1", energy_mj=None, power_mw=7, instant_mw={0: 0}), "nvml_power_instant", 7_000),
        (FakeGpu("GPU-1", energy_mj=None, power_mw=7, instant_mw={0: 2**32 - 1}), "nvml_power_instant", 7_000),
        # An ordinary GPU whose driver ignores the scope is no superchip.
        (FakeGpu("GPU-1", energy_mj=None, power_mw=7, instant_mw={1: 9}), "nvml_power_instant", 7_000),
    ],
)
def test_the_best_power_that_answers_is_taken(tmp_path: Path, gpu: FakeGpu, method: str, power_uw: int) -> None:
    fake = machine(tmp_path, [gpu])
    assert only(fake.host).method == method
    (reading,) = opened(fake.host).read()
    assert isinstance(reading, PowerReading)
    assert reading.power_uw == power_uw


@pytest.mark.parametrize("energy_mj", [0, 2**64 - 1, 2**32 - 1])
def test_a_counter_that_does_not_count_is_not_used(tmp_path: Path, energy_mj: int) -> None:
    channel = only(machine(tmp_path, [FakeGpu("GPU-1", energy_mj=energy_mj, power_mw=90_000)]).host)
    assert channel.kind is Kind.POWER
    assert (channel.note is not None) is (energy_mj == 0)


class Peculiar(FakeNvml):
    """A driver whose power field is of a kind that nobody knows, and that does not tell the capability."""

    def nvmlDeviceGetFieldValues(self, handle: FakeGpu, fieldIds: Sequence[tuple[int, int]]) -> Any:  # noqa: N802, N803
        values = super().nvmlDeviceGetFieldValues(handle, fieldIds)
        for value in values:
            value.nvmlReturn, value.valueType = 0, 7
        return values

    def nvmlDeviceGetCudaComputeCapability(self, handle: FakeGpu) -> tuple[int, int]:  # noqa: N802
        raise FakeNvmlError(UNKNOWN_ERROR)


def test_what_is_not_understood_is_not_used(tmp_path: Path) -> None:
    api = Peculiar([FakeGpu("GPU-1", energy_mj=None, power_mw=7_000)])
    channel = only(FakeMachine(tmp_path / "machine", nvml=api).host)
    assert channel.method == "nvml_power_average"  # the more cautious of the two
    (reading,) = opened(FakeMachine(tmp_path / "machine", nvml=api).host).read()
    assert isinstance(reading, PowerReading)
    assert reading.power_uw == 7_000_000


def test_a_counter_at_zero_without_any_power_to_compare_is_believed(tmp_path: Path) -> None:
    channel = only(machine(tmp_path, [FakeGpu("GPU-1", energy_mj=0, power_mw=None)]).host)
    assert channel.kind is Kind.COUNTER


def test_a_counter_that_stands_still_is_a_gap_and_not_zero(tmp_path: Path) -> None:
    fake = machine(tmp_path, [FakeGpu("GPU-1", energy_mj=5_000, power_mw=90_000)])
    (gpu,) = gpus_of(fake)
    collector = opened(fake.host)
    assert isinstance(collector.read()[0], CounterReading)
    fake.clock.advance(0.4)  # windows shorter than a few renewals may see the same value
    assert isinstance(collector.read()[0], CounterReading)
    fake.clock.advance(0.6)
    stuck = collector.read()[0]
    assert isinstance(stuck, Gap)
    assert stuck.reason == "nvml_counter_stands_still"
    gpu.power_mw = 0
    assert isinstance(collector.read()[0], CounterReading)  # switched off: nothing to count
    gpu.power_mw, gpu.energy_mj = 90_000, 5_001
    assert isinstance(collector.read()[0], CounterReading)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"energy_mj": 2**64 - 1}, "nvml_sentinel"),
        ({"energy_mj": None}, "nvml_not_supported"),
        ({"energy_mj": -1}, "nvml_sentinel"),
    ],
)
def test_a_counter_that_goes_wrong_is_a_gap(tmp_path: Path, change: dict[str, int | None], reason: str) -> None:
    fake = machine(tmp_path, [FakeGpu("GPU-1")])
    collector = opened(fake.host)
    for name, value in change.items():
        setattr(gpus_of(fake)[0], name, value)
    (reading,) = collector.read()
    assert isinstance(reading, Gap)
    assert reading.reason == reason


@pytest.mark.parametrize(
    ("power_mw", "reason"),
    [(0, "nvml_zero_power"), (2**32 - 1, "nvml_sentinel"), (None, "nvml_not_supported")],
)
def test_a_power_that_goes_wrong_is_a_gap(tmp_path: Path, power_mw: int | None, reason: str) -> None:
    fake = machine(tmp_path, [FakeGpu("GPU-1", energy_mj=None)])
    collector = opened(fake.host)
    gpus_of(fake)[0].power_mw = power_mw
    (reading,) = collector.read()
    assert isinstance(reading, Gap)
    assert reading.reason == reason


def test_a_gpu_that_reports_nothing_is_an_incident_beside_the_others(tmp_path: Path) -> None:
    gpus = [FakeGpu("GPU-1"), FakeGpu("GPU-2", name="Tesla K80", energy_mj=None, power_mw=None)]
    found = available(machine(tmp_path, gpus).host)
    assert [channel.id for channel in found.channels] == ["nvml:GPU-1"]
    (incident,) = found.incidents
    assert incident.code == "nvml_no_energy"
    assert "Tesla K80" in incident.message.en
    assert "Not Supported" in incident.message.en


def test_a_vgpu_that_reports_nothing_is_not_expected_and_not_zero(tmp_path: Path) -> None:
    found = unavailable(nvidia.vgpu(tmp_path / "machine").host)
    assert (found.expected, found.reason.code) == (False, "nvml_no_energy")


# --- Grace superchips


def gh200_figures(fake: FakeMachine) -> tuple[list[Reading], list[Reading]]:
    collector = opened(fake.host)
    before = collector.read()
    fake.clock.advance(10.0)
    for gpu in gpus_of(fake):
        assert gpu.energy_mj is not None
        gpu.energy_mj += 1_900_000
    return before, collector.read()


def test_four_superchips_count_their_modules_and_no_gpu_beside_them(tmp_path: Path) -> None:
    fake = nvidia.gh200(tmp_path / "machine")
    found = available(fake.host)
    modules = [channel for channel in found.channels if channel.component is Component.MODULE]
    gpus = [channel for channel in found.channels if channel.component is Component.GPU]
    assert [(channel.kind, channel.method) for channel in modules] == [(Kind.COUNTER, "nvml_energy_counter")] * 4
    assert [(channel.kind, channel.method) for channel in gpus] == [(Kind.POWER, "nvml_power_instant")] * 4
    assert modules[0].includes == {Component.CPU, Component.DRAM, Component.GPU, Component.REST}
    assert modules[0].id == f"nvml:module:{gpus_of(fake)[0].uuid}"
    assert modules[0].device == "0 NVIDIA GH200 120GB (Module)"
    assert counted(dict.fromkeys(found.channels, 1.0)) == {("fake", channel.id) for channel in modules}
    before, after = gh200_figures(fake)
    assert total_j(fake.host, before, after, 10.0) == pytest.approx(4 * 1900.0)
    assert isinstance(after[4], PowerReading)
    assert after[4].power_uw == 100_000_000


def test_one_of_four_superchips(tmp_path: Path) -> None:
    fake = nvidia.gh200(tmp_path / "machine")
    fake.environ = {"CUDA_VISIBLE_DEVICES": "2"}
    before, after = gh200_figures(fake)
    assert total_j(fake.host, before, after, 10.0) == pytest.approx(1900.0)


def test_the_task_that_reads_the_sensors_speaks_for_all_tasks_of_the_node(tmp_path: Path) -> None:
    """Slurm gives each task its own CUDA_VISIBLE_DEVICES; one of the four reads, and it must not lose three."""
    fake = nvidia.gh200(tmp_path / "machine")
    fake.environ = {
        "SLURM_JOB_ID": "5",
        "SLURM_STEP_GPUS": "0,1,2,3",
        "SLURM_STEP_TASKS_PER_NODE": "4(x2)",
        "SLURM_NODEID": "1",
        "CUDA_VISIBLE_DEVICES": "2",
    }
    before, after = gh200_figures(fake)
    assert total_j(fake.host, before, after, 10.0) == pytest.approx(4 * 1900.0)
    assert not available(fake.host).incidents
    gpus_of(fake)[0].permitted = gpus_of(fake)[1].permitted = gpus_of(fake)[3].permitted = False
    fake.environ = {**fake.environ, "CUDA_VISIBLE_DEVICES": "0"}
    (incident,) = available(fake.host).incidents
    assert incident.code == "nvml_other_tasks"
    assert "2 NVIDIA GH200 120GB" in incident.message.en
    assert incident.remedy is not None
    assert "srun --gpu-bind=none" in incident.remedy.de


@pytest.mark.parametrize("rival_uncertainty", [0.10, 0.03])
def test_a_rival_module_sensor_is_taken_whole_or_not_at_all(tmp_path: Path, rival_uncertainty: float) -> None:
    """The kernel's power meter (collector grace) claims the same modules: one of the two is counted."""
    channels = available(nvidia.gh200(tmp_path / "machine").host).channels
    rival = [
        replace(
            channel,
            id=f"grace:module-{n}",
            collector="grace",
            kind=Kind.POWER,
            gpu_vendor="",
            uncertainty_rel=rival_uncertainty,
        )
        for n, channel in enumerate(channels[:4])
    ]
    chosen = {channel_id for _, channel_id in counted(dict.fromkeys([*channels, *rival], 1.0))}
    assert chosen == {channel.id for channel in rival}


@pytest.mark.parametrize(("beside", "winner"), [("gh200-four-way", "grace"), ("gh200-without-module", "nvml")])
def test_beside_the_kernels_power_meter_no_joule_counts_twice(tmp_path: Path, beside: str, winner: str) -> None:
    """Both speak of the same four modules: those of one of the two are counted, and nothing else."""
    fake = grace.MACHINES[beside](tmp_path / "machine")
    fake.nvml = nvidia.gh200(tmp_path / "gpus").nvml
    rails = GraceCollector(fake.host).probe()
    assert isinstance(rails, Available)
    channels = {channel.id: channel for channel in (*available(fake.host).channels, *rails.channels)}
    chosen = [channels[channel_id] for _, channel_id in counted(dict.fromkeys(channels.values(), 1.0))]
    assert {(channel.component, channel.collector) for channel in chosen} == {(Component.MODULE, winner)}
    assert len(chosen) == 4


def test_gpu_alone_counts_where_the_module_has_no_sensor(tmp_path: Path) -> None:
    """GB10 (zeus#242): joined with a Grace, but only the GPU scope answers."""
    gpu = FakeGpu("GPU-1", "NVIDIA GB10", energy_mj=None, instant_mw={0: 12_000}, c2c=True, capability=(12, 1))
    channel = only(machine(tmp_path, [gpu]).host)
    assert (channel.component, channel.method) == (Component.GPU, "nvml_power_instant")
    assert channel.note is not None
    assert "CPU" in channel.note.de


@pytest.mark.parametrize(
    ("gpu", "kind", "method"),
    [
        (FakeGpu("GPU-1", "NVIDIA GH200 480GB", capability=(9, 0)), Kind.COUNTER, "nvml_energy_counter"),
        (
            FakeGpu("GPU-1", "NVIDIA GH200 480GB", energy_mj=None, instant_mw={1: 9_000}, capability=(9, 0)),
            Kind.POWER,
            "nvml_power_instant",
        ),
    ],
)
def test_a_gh200_counts_its_module_and_its_plain_power_is_the_gpus(
    tmp_path: Path, gpu: FakeGpu, kind: Kind, method: str
) -> None:
    """On JUPITER the plain power is 92 to 113 W beside 165 to 218 W of the module (jpwr's README)."""
    channels = {channel.component: channel for channel in available(machine(tmp_path, [gpu]).host).channels}
    module, plain = channels[Component.MODULE], channels[Component.GPU]
    assert (module.kind, module.method) == (kind, method)
    assert (plain.kind, plain.method) == (Kind.POWER, "nvml_power_average")
    assert {name for _, name in counted(dict.fromkeys(channels.values(), 1.0))} == {module.id}


def test_a_gh200_without_a_counter_is_a_gpu(tmp_path: Path) -> None:
    channel = only(
        machine(tmp_path, [FakeGpu("GPU-1", "NVIDIA GH200 480GB", energy_mj=None, capability=(9, 0))]).host
    )
    assert (channel.component, channel.method) == (Component.GPU, "nvml_power_average")


def test_two_gpus_of_one_module_count_it_once(tmp_path: Path) -> None:
    fake = nvidia.gb200(tmp_path / "machine")
    channels = available(fake.host).channels
    modules = [channel for channel in channels if channel.component is Component.MODULE]
    assert [(channel.kind, channel.method) for channel in modules] == [(Kind.POWER, "nvml_power_average")] * 2
    assert [channel.component for channel in channels].count(Component.GPU) == 4
    readings = opened(fake.host).read()
    assert total_j(fake.host, readings, readings, 10.0) == pytest.approx((500.0 + 600.0) * 10)


@pytest.mark.parametrize(("visible", "gpus"), [("0", 1), ("0,1,2", 3), ("1,2", 2)])
def test_a_module_with_somebody_elses_gpu_is_not_ours(tmp_path: Path, visible: str, gpus: int) -> None:
    """All or none: beside a counted module no GPU would be counted."""
    fake = nvidia.gb200(tmp_path / "machine")
    fake.environ = {"CUDA_VISIBLE_DEVICES": visible}
    channels = available(fake.host).channels
    assert [channel.component for channel in channels] == [Component.GPU] * gpus
    assert len(counted(dict.fromkeys(channels, 1.0))) == gpus


def test_a_hidden_second_gpu_of_the_module_is_not_forgotten(tmp_path: Path) -> None:
    """A cgroup may hide the module's other GPU, which then is another job's."""
    fake = nvidia.gb200(tmp_path / "machine")
    gpus_of(fake)[1].permitted = gpus_of(fake)[2].permitted = gpus_of(fake)[3].permitted = False
    assert only(fake.host).component is Component.GPU


def test_without_the_numa_node_it_is_not_known_who_shares_a_module(tmp_path: Path) -> None:
    fake = nvidia.gb200(tmp_path / "machine")
    for path in (fake.root / "sys").rglob("numa_node"):
        path.write_text("-1\n")
    assert {channel.component for channel in available(fake.host).channels} == {Component.GPU}


def test_a_superchip_that_reports_nothing_of_its_own_is_said(tmp_path: Path) -> None:
    gpus = [FakeGpu(f"GPU-{n}", "NVIDIA GB200", c2c=True) for n in range(2)]
    found = unavailable(machine(tmp_path, gpus).host)
    assert found.reason.code == "nvml_no_energy"
    assert "nvml_scope_unknown" in found.reason.message.en


def test_an_unknown_superchip_counts_its_module_by_the_sensors_scope(tmp_path: Path) -> None:
    gpus = [
        FakeGpu(
            f"GPU-{n}",
            "NVIDIA VR200",
            instant_mw={0: 1_000, 1: 5_000},
            capability=(11, 0),
            c2c=True,
            pci=(8, n + 1, 0),
        )
        for n in range(2)
    ]
    fake = machine(tmp_path, gpus)
    for n in range(2):
        fake.write(f"sys/bus/pci/devices/0008:0{n + 1}:00.0/numa_node", "0\n")
    channels = available(fake.host).channels
    assert [channel.component for channel in channels] == [Component.MODULE, Component.GPU, Component.GPU]


# --- MIG


def test_two_slices_of_one_board_are_one_channel_with_the_summed_share(tmp_path: Path) -> None:
    fake = nvidia.a100_mig(tmp_path / "machine")
    channel = only(fake.host)
    (gpu,) = gpus_of(fake)
    assert channel.id == f"nvml:{gpu.uuid}/5/0+13/0"
    assert (channel.quality, channel.policy) == (Quality.ALLOCATED, "mig_slice_share")
    assert channel.share == pytest.approx(3 / 7)
    assert channel.device == "0 NVIDIA A100-SXM4-40GB MIG 3/7"
    assert channel.note is not None
    assert "3 of its 7" in channel.note.en
    assert (channel.kind, channel.method) == (Kind.COUNTER, "nvml_energy_counter")
    # At most the whole board's energy, at least our slices' part of its idle power; also in short windows.
    for seconds in (1.0, 1e4):
        low, high = channel.uncertainty_at(seconds)
        assert (low, high) == (0.85, channel.uncertainty_rel)
        assert high == pytest.approx(7 / 3 - 1)
    collector = opened(fake.host)
    before = collector.read()
    assert before[0] == CounterReading(channel.id, fake.clock.mono_ns(), 1_000_000_000)  # the board's, unscaled
    fake.clock.advance(10.0)
    gpu.energy_mj = 1_700_000
    assert total_j(fake.host, before, collector.read(), 10.0) == pytest.approx(300.0)


def test_the_order_of_the_slices_does_not_change_the_channel(tmp_path: Path) -> None:
    fake = nvidia.a100_mig(tmp_path / "machine")
    channel = only(fake.host)
    (gpu,) = gpus_of(fake)
    fake.environ = {"CUDA_VISIBLE_DEVICES": f"MIG-1111,MIG-{gpu.uuid}/5/0"}  # the older form too
    assert only(fake.host) == channel


def test_a_board_with_mig_that_is_all_ours_is_measured_whole(tmp_path: Path) -> None:
    channel = only(nvidia.a100_mig_whole(tmp_path / "machine").host)
    assert (channel.quality, channel.share, channel.policy) == (Quality.MEASURED, 1.0, None)
    assert channel.note is not None
    assert "MIG" in channel.note.de


def test_a_tenants_slice_in_a_container_is_a_quarter(tmp_path: Path) -> None:
    """Without the right to ask for profiles, the greatest number of MIG devices gives the slices."""
    fake = nvidia.a30_mig_container(tmp_path / "machine")
    channel = only(fake.host)
    assert (channel.quality, channel.share) == (Quality.ALLOCATED, 0.25)
    readings = opened(fake.host).read()
    assert total_j(fake.host, readings, readings, 10.0) == pytest.approx(80.0 * 10 / 4)


def test_compute_instances_share_the_slices_of_their_gpu_instance(tmp_path: Path) -> None:
    """Two halves of one 4g instance are 4 slices and not 8."""
    gpu = FakeGpu("GPU-1")
    gpu.mig = [FakeMig(f"MIG-{n}", 4, gpu_instance=1, compute_instance=n, compute_slices=2) for n in range(2)]
    channel = only(machine(tmp_path, [gpu], CUDA_VISIBLE_DEVICES="MIG-0,MIG-1").host)
    assert channel.share == pytest.approx(4 / 7)
    assert channel.id == "nvml:GPU-1/1/0+1/1"


def test_slices_of_two_boards_are_two_channels_and_sum(tmp_path: Path) -> None:
    gpus = [FakeGpu(f"GPU-{n}", mig=[FakeMig(f"MIG-{n}", n + 1, gpu_instance=1)]) for n in range(2)]
    fake = machine(tmp_path, gpus, CUDA_VISIBLE_DEVICES="MIG-0,MIG-1")
    channels = available(fake.host).channels
    assert [channel.share for channel in channels] == [pytest.approx(1 / 7), pytest.approx(2 / 7)]
    assert len(counted(dict.fromkeys(channels, 1.0))) == 2


def test_a_slice_of_a_superchip_is_a_slice_of_its_gpu_and_not_of_the_grace(tmp_path: Path) -> None:
    fake = nvidia.gh200(tmp_path / "machine")
    gpus_of(fake)[0].mig = [FakeMig("MIG-0", 1, gpu_instance=1)]
    fake.environ = {"CUDA_VISIBLE_DEVICES": "MIG-0"}
    channel = only(fake.host)
    assert (channel.component, channel.quality, channel.method) == (
        Component.GPU,
        Quality.ALLOCATED,
        "nvml_power_instant",
    )
