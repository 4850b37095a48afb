"""NVIDIA GPUs over a fake library whose names and arities are those of the real one."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING

import pynvml
import pytest

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.cover import counted
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.host import nvml
from greenai.host.nvml import NvmlApi, NvmlLoad
from greenai.host.nvml_devices import GpuUse, ProcessSample, gpu_process_shares
from greenai.testing import FakeGpu, FakeMachine, FakeNvml, FakeNvmlError, check_collector
from greenai.testing.machines import nvidia
from greenai.testing.nvml import GPU_IS_LOST, UNKNOWN_ERROR, FakeMig
from greenai_collectors.nvml import NvmlCollector

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from greenai.core.reading import Reading
    from greenai.host.machine import Host

UUIDS = ("GPU-aa11", "GPU-aa22", "GPU-bb33")
SILENT = {"nvidia-vgpu", "nvidia-denied", "nvidia-no-driver"}


def machine(folder: Path, gpus: list[FakeGpu], **environ: str) -> FakeMachine:
    return FakeMachine(folder / "machine", nvml=FakeNvml(gpus), environ=environ)


def three(folder: Path, visible: str | None) -> FakeMachine:
    named = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    return machine(folder, [FakeGpu(uuid, energy_mj=n + 1) for n, uuid in enumerate(UUIDS)], **named)


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


# --- the fake and the machines


@pytest.mark.parametrize("name", [name for name in vars(NvmlApi) if name.startswith("nvml")])
def test_the_fake_has_the_names_and_arity_of_the_real_library(name: str) -> None:
    real = inspect.signature(getattr(pynvml, name)).parameters
    fake = inspect.signature(getattr(FakeNvml([]), name)).parameters
    assert len(real) == len(fake)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (nvml.ERROR_UNINITIALIZED, "NVML_ERROR_UNINITIALIZED"),
        (nvml.ERROR_NOT_SUPPORTED, "NVML_ERROR_NOT_SUPPORTED"),
        (nvml.ERROR_NO_PERMISSION, "NVML_ERROR_NO_PERMISSION"),
        (nvml.ERROR_NOT_FOUND, "NVML_ERROR_NOT_FOUND"),
        (nvml.ERROR_DRIVER_NOT_LOADED, "NVML_ERROR_DRIVER_NOT_LOADED"),
        (nvml.FIELD_POWER_AVERAGE, "NVML_FI_DEV_POWER_AVERAGE"),
        (nvml.FIELD_POWER_INSTANT, "NVML_FI_DEV_POWER_INSTANT"),
        (nvml.SCOPE_GPU, "NVML_POWER_SCOPE_GPU"),
        (nvml.SCOPE_MODULE, "NVML_POWER_SCOPE_MODULE"),
        (nvml.CLOCK_SM, "NVML_CLOCK_SM"),
        (nvml.MIG_ENABLED, "NVML_DEVICE_MIG_ENABLE"),
        (nvml.GPU_INSTANCE_PROFILES, "NVML_GPU_INSTANCE_PROFILE_COUNT"),
        (GPU_IS_LOST, "NVML_ERROR_GPU_IS_LOST"),
        (UNKNOWN_ERROR, "NVML_ERROR_UNKNOWN"),
    ],
)
def test_numbers_are_those_of_the_real_library(ours: int, theirs: str) -> None:
    assert ours == getattr(pynvml, theirs)


def test_structures_are_those_of_the_real_library() -> None:
    members = dict(pynvml.c_nvmlValue_t._fields_)
    names = [name for name in vars(pynvml) if name.startswith("NVML_VALUE_TYPE_") and not name.endswith("COUNT")]
    numbers = sorted(getattr(pynvml, name) for name in names)
    assert numbers == list(range(len(nvml.VALUE_MEMBERS)))
    assert set(nvml.VALUE_MEMBERS) <= set(members)
    assert {"nvmlReturn", "valueType", "value"} <= {name for name, _ in pynvml.c_nvmlFieldValue_t._fields_}
    assert {"domain", "bus", "device"} <= {name for name, _ in pynvml.nvmlPciInfo_t._fields_}
    attributes = {name for name, _ in pynvml.c_nvmlDeviceAttributes._fields_}
    assert {"gpuInstanceSliceCount", "computeInstanceSliceCount"} <= attributes
    assert "sliceCount" in {name for name, _ in pynvml.c_nvmlGpuInstanceProfileInfo_t._fields_}
    sample = {name for name, _ in pynvml.c_nvmlProcessUtilizationSample_t._fields_}
    assert {"pid", "timeStamp", "smUtil"} <= sample


@pytest.mark.parametrize("code", [1, 2, 3, 4, 6, 9, 15, 999])
def test_the_real_error_has_the_words_of_the_fake(code: int) -> None:
    assert issubclass(pynvml.NVMLError, Exception)
    assert str(pynvml.NVMLError(code)) == str(FakeNvmlError(code))
    assert nvml.error_code(pynvml.NVMLError(code)) == nvml.error_code(FakeNvmlError(code)) == code


@pytest.mark.parametrize("name", sorted(set(nvidia.MACHINES) - SILENT))
def test_the_contract(tmp_path: Path, name: str) -> None:
    assert check_collector(NvmlCollector, nvidia.MACHINES[name](tmp_path / "machine"))


@pytest.mark.parametrize("visible", [None, "2,0", "GPU-b"])
def test_the_contract_with_a_choice(tmp_path: Path, visible: str | None) -> None:
    assert check_collector(NvmlCollector, three(tmp_path, visible))


@pytest.mark.parametrize("name", sorted(nvidia.MACHINES))
def test_whatever_is_said_is_said_in_both_languages(tmp_path: Path, name: str) -> None:
    found = NvmlCollector(nvidia.MACHINES[name](tmp_path / "machine").host).probe()
    incidents = found.incidents if isinstance(found, Available) else (found.reason,)
    texts = [text for incident in incidents for text in (incident.message, incident.remedy) if text is not None]
    if isinstance(found, Available):
        texts += [channel.note for channel in found.channels if channel.note is not None]
        assert set(found.sources.values()) == {"libnvidia-ml.so.1"}
        assert set(found.sources) == {channel.id for channel in found.channels}
    for text in texts:
        assert text.de
        assert text.en
        assert "{" not in text.de + text.en


# --- what is visible


@pytest.mark.parametrize(
    ("visible", "uuids", "code", "entry"),
    [
        (None, UUIDS, None, ""),
        ("0", UUIDS[:1], None, ""),
        ("1,0", (UUIDS[1], UUIDS[0]), None, ""),
        (" 2 , 0 ", (UUIDS[2], UUIDS[0]), None, ""),
        ("GPU-bb33", UUIDS[2:], None, ""),
        ("GPU-b", UUIDS[2:], None, ""),
        ("GPU-aa22,GPU-bb", UUIDS[1:], None, ""),
        ("0,-1,2", UUIDS[:1], None, ""),
        ("0,junk,1", UUIDS[:1], "nvml_device_unknown", "junk"),
        ("1,GPU-a", UUIDS[1:2], "nvml_device_unknown", "GPU-a"),
        ("2,7", UUIDS[2:], "nvml_device_unknown", "7"),
        ("0,²", UUIDS[:1], "nvml_device_unknown", "²"),
        ("0,GPU-aa11", UUIDS[:1], "nvml_device_unknown", "GPU-aa11"),
    ],
)
def test_visible_devices(
    tmp_path: Path, visible: str | None, uuids: tuple[str, ...], code: str | None, entry: str
) -> None:
    found = available(three(tmp_path, visible).host)
    assert tuple(channel.id for channel in found.channels) == tuple(f"nvml:{uuid}" for uuid in uuids)
    assert [incident.code for incident in found.incidents] == ([code] if code else [])
    for incident in found.incidents:
        assert entry in incident.message.de
        assert entry in incident.message.en


@pytest.mark.parametrize("visible", ["", "-1", "NoDevFiles", "-1,0"])
def test_hidden_devices_are_no_surprise(tmp_path: Path, visible: str) -> None:
    found = unavailable(three(tmp_path, visible).host)
    assert (found.expected, found.reason.code) == (True, "nvml_no_device")


@pytest.mark.parametrize("visible", ["GPU-a", "GPU-", "9", "GPU-zz", "MIG-aa11", "MIG-GPU-aa11/1/2", "junk"])
def test_a_device_that_cannot_be_told_is_said(tmp_path: Path, visible: str) -> None:
    found = unavailable(three(tmp_path, visible).host)
    assert (found.expected, found.reason.code) == (False, "nvml_device_unknown")
    assert visible in found.reason.message.en


@pytest.mark.parametrize("visible", ["0,0", "GPU-b,GPU-bb33", "1,0,1"])
def test_a_device_named_twice_hides_all_from_cuda_and_that_is_said(tmp_path: Path, visible: str) -> None:
    found = unavailable(three(tmp_path, visible).host)
    assert (found.expected, found.reason.code) == (False, "nvml_device_repeated")


def test_different_gpus_are_numbered_by_speed_and_that_is_said(tmp_path: Path) -> None:
    fake = nvidia.mixed(tmp_path / "machine")
    fake.environ = {"CUDA_VISIBLE_DEVICES": "0"}
    found = available(fake.host)
    assert [channel.device for channel in found.channels] == ["1 NVIDIA A100-SXM4-40GB"]
    (incident,) = found.incidents
    assert incident.code == "nvml_order_guessed"
    assert "1 NVIDIA A100-SXM4-40GB" in incident.message.de
    assert incident.remedy is not None
    assert "export CUDA_DEVICE_ORDER=PCI_BUS_ID" in incident.remedy.en
    fake.environ = {"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    found = available(fake.host)
    assert [channel.device for channel in found.channels] == ["0 NVIDIA GeForce GTX 1080"]
    assert not found.incidents


@pytest.mark.parametrize("counts_denied", [True, False])
@pytest.mark.parametrize(("visible", "expected"), [("0,1", (1, 3)), ("1", (3,)), (None, (1, 3))])
def test_a_device_cgroup_renumbers(
    tmp_path: Path, visible: str | None, expected: tuple[int, ...], counts_denied: bool
) -> None:
    """Some drivers leave the others' GPUs out, some count them and refuse; CUDA's indices are the same."""
    fake = nvidia.constrained(tmp_path / "machine")
    assert isinstance(fake.nvml, FakeNvml)
    fake.nvml.counts_denied = counts_denied
    fake.environ = {key: value for key, value in fake.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
    if visible is not None:
        fake.environ = {**fake.environ, "CUDA_VISIBLE_DEVICES": visible}
    found = available(fake.host)
    assert [channel.id for channel in found.channels] == [f"nvml:{gpus_of(fake)[n].uuid}" for n in expected]
    assert not found.incidents


def test_without_a_device_cgroup_only_the_jobs_gpus_count(tmp_path: Path) -> None:
    fake = nvidia.constrained(tmp_path / "machine")
    for gpu in gpus_of(fake):
        gpu.permitted = True
    fake.environ = {"SLURM_JOB_ID": "77", "SLURM_JOB_GPUS": "1,3"}
    assert [channel.device[0] for channel in available(fake.host).channels] == ["1", "3"]
    fake.environ = {**fake.environ, "CUDA_VISIBLE_DEVICES": "1,3"}  # absolute then
    assert [channel.device[0] for channel in available(fake.host).channels] == ["1", "3"]


@pytest.mark.parametrize(
    ("environ", "expected", "code"),
    [({}, False, "nvml_no_permission"), ({"SLURM_JOB_ID": "5"}, True, "nvml_no_device")],
)
def test_no_permission_for_any_gpu(tmp_path: Path, environ: Mapping[str, str], expected: bool, code: str) -> None:
    """In a Slurm job without GPUs that is how it should be."""
    fake = nvidia.denied(tmp_path / "machine")
    fake.environ = environ
    found = unavailable(fake.host)
    assert (found.expected, found.reason.code) == (expected, code)
    if not expected:
        assert found.reason.remedy is not None
        assert "sudo usermod -aG" in found.reason.remedy.de
        assert "sudo usermod -aG" in found.reason.remedy.en


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
    assert modules[0].includes == {Component.CPU, Component.DRAM, Component.GPU}
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
            FakeGpu("GPU-1", "NVIDIA GH200 480GB", energy_mj=None, capability=(9, 0)),
            Kind.POWER,
            "nvml_power_average",
        ),
        (
            FakeGpu("GPU-1", "NVIDIA GH200 480GB", energy_mj=None, instant_mw={1: 9_000}, capability=(9, 0)),
            Kind.POWER,
            "nvml_power_instant",
        ),
    ],
)
def test_a_gh200_behind_an_old_driver_speaks_of_its_module(
    tmp_path: Path, gpu: FakeGpu, kind: Kind, method: str
) -> None:
    channel = only(machine(tmp_path, [gpu]).host)
    assert (channel.component, channel.kind, channel.method) == (Component.MODULE, kind, method)


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


# --- faults


def test_a_gpu_lost_from_the_start_does_not_blind_the_others(tmp_path: Path) -> None:
    found = available(nvidia.lost(tmp_path / "machine").host)
    assert [channel.device[0] for channel in found.channels] == ["0", "2", "3"]
    (incident,) = found.incidents
    assert incident.code == "nvml_device_unreachable"
    assert "GPU is lost" in incident.message.de
    assert incident.remedy is not None
    assert "nvidia-smi -q -i 1" in incident.remedy.en


@pytest.mark.parametrize(
    ("visible", "indices", "codes"),
    [
        ("0,2", ["0", "2"], []),  # somebody else's trouble
        ("0,1", ["0"], ["nvml_device_unreachable"]),
        ("GPU-70000000,GPU-zz", ["0"], ["nvml_device_unknown", "nvml_device_unreachable"]),
    ],
)
def test_a_lost_gpu_keeps_its_number(tmp_path: Path, visible: str, indices: list[str], codes: list[str]) -> None:
    fake = nvidia.lost(tmp_path / "machine")
    fake.environ = {"CUDA_VISIBLE_DEVICES": visible}
    found = available(fake.host)
    assert [channel.device[0] for channel in found.channels] == indices
    assert [incident.code for incident in found.incidents] == codes


@pytest.mark.parametrize(
    ("code", "reason"), [(GPU_IS_LOST, "nvml_gpu_is_lost"), (UNKNOWN_ERROR, "nvml_unknown_error")]
)
def test_a_gpu_lost_in_the_middle_is_a_gap(
    tmp_path: Path, code: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = machine(tmp_path, [FakeGpu("GPU-1"), FakeGpu("GPU-2")])
    collector = opened(fake.host)
    gpus = gpus_of(fake)
    gpus[0].lost = True
    monkeypatch.setattr("greenai.testing.nvml.GPU_IS_LOST", code)
    lost, well = collector.read()
    assert isinstance(lost, Gap)
    assert lost.reason == reason
    assert isinstance(well, CounterReading)
    gpus[0].lost = False
    assert isinstance(collector.read()[0], CounterReading)


def test_a_channel_that_was_never_found_is_a_gap(tmp_path: Path) -> None:
    channel = only(machine(tmp_path, [FakeGpu("GPU-1")]).host)
    collector = NvmlCollector(machine(tmp_path, [FakeGpu("GPU-2")]).host)
    collector.open([channel])
    (reading,) = collector.read()
    assert isinstance(reading, Gap)
    assert reading.reason == "nvml_device_gone"


class OldPackage(FakeNvml):
    """An older package that also calls itself pynvml: fewer functions, and bytes for words."""

    def __getattribute__(self, name: str) -> object:
        if name in {"nvmlDeviceGetC2cModeInfoV", "nvmlDeviceGetFieldValues", "nvmlDeviceGetNumGpuCores"}:
            raise AttributeError(name)
        return super().__getattribute__(name)

    def nvmlDeviceGetUUID(self, handle: FakeGpu | FakeMig) -> str:  # noqa: N802
        return super().nvmlDeviceGetUUID(handle).encode()  # type: ignore[return-value]

    def nvmlDeviceGetName(self, handle: FakeGpu) -> str:  # noqa: N802
        return super().nvmlDeviceGetName(handle).encode()  # type: ignore[return-value]


def test_an_older_pynvml_gives_what_it_has(tmp_path: Path) -> None:
    api = OldPackage([FakeGpu("GPU-1"), FakeGpu("GPU-2", "Tesla P40", energy_mj=None, capability=(6, 1))])
    channels = available(FakeMachine(tmp_path / "machine", nvml=api).host).channels
    assert [(channel.id, channel.method) for channel in channels] == [
        ("nvml:GPU-1", "nvml_energy_counter"),
        ("nvml:GPU-2", "nvml_power_instant"),
    ]


# --- starting and ending the library


def with_load(folder: Path, load: NvmlLoad) -> Host:
    return replace(FakeMachine(folder / "machine").host, load_nvml=lambda: load)


class DoesNotStart(FakeNvml):
    def __init__(self, code: int) -> None:
        super().__init__([])
        self.code = code

    def nvmlInit(self) -> None:  # noqa: N802
        raise FakeNvmlError(self.code)


def test_no_driver_is_expected(tmp_path: Path) -> None:
    """Neither a machine without the library, nor one (a login node) where only the library was installed."""
    for host in (
        nvidia.no_driver(tmp_path / "a").host,
        with_load(tmp_path, NvmlLoad(None, "no_library")),
        FakeMachine(tmp_path / "b", nvml=DoesNotStart(nvml.ERROR_DRIVER_NOT_LOADED)).host,
    ):
        found = unavailable(host)
        assert (found.expected, found.reason.code) == (True, "nvml_absent")


def test_a_library_that_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    found = unavailable(with_load(tmp_path, NvmlLoad(None, "No module named 'pynvml'")))
    assert (found.expected, found.reason.code) == (False, "nvml_failed")
    assert "No module named 'pynvml'" in found.reason.message.de


def test_a_driver_that_does_not_start_is_said(tmp_path: Path) -> None:
    api = DoesNotStart(18)
    collector = NvmlCollector(FakeMachine(tmp_path / "machine", nvml=api).host)
    found = collector.probe()
    assert isinstance(found, Unavailable)
    assert (found.expected, found.reason.code) == (False, "nvml_failed")
    assert "NVML Error with code 18" in found.reason.message.de
    assert found.reason.remedy is not None
    assert "nvidia-smi" in found.reason.remedy.en
    collector.close()
    assert api.started == 0


class NoCount(FakeNvml):
    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        raise FakeNvmlError(UNKNOWN_ERROR)


def test_a_driver_that_fails_later_is_said(tmp_path: Path) -> None:
    found = unavailable(FakeMachine(tmp_path / "machine", nvml=NoCount([])).host)
    assert (found.expected, found.reason.code) == (False, "nvml_failed")


def library(fake: FakeMachine) -> FakeNvml:
    assert isinstance(fake.nvml, FakeNvml)
    return fake.nvml


def test_every_start_of_the_library_has_its_end(tmp_path: Path) -> None:
    fake = three(tmp_path, None)
    collector = opened(fake.host)
    collector.probe()  # does not start it again
    assert library(fake).started == 1
    collector.close()
    collector.close()
    assert library(fake).started == 0


def test_nvml_ended_by_the_program_is_started_again(tmp_path: Path) -> None:
    """``pynvml.nvmlShutdown()`` once too often in the same process takes our start back."""
    fake = three(tmp_path, None)
    api = library(fake)
    collector = opened(fake.host)
    api.nvmlShutdown()
    assert api.started == 0
    assert [type(reading) for reading in collector.read()] == [CounterReading] * 3
    assert api.started == 1
    collector.close()
    assert api.started == 0


def test_the_programs_own_starts_and_ends_stay_balanced(tmp_path: Path) -> None:
    fake = three(tmp_path, None)
    api = library(fake)
    api.nvmlInit()
    collector = opened(fake.host)
    assert api.started == 2
    api.nvmlShutdown()
    collector.read()
    assert api.started == 1
    api.nvmlShutdown()  # one too many
    collector.read()
    api.nvmlInit()
    collector.close()
    assert api.started == 1  # the program's
    assert api.nvmlDeviceGetCount() == 3


def test_nvml_that_does_not_start_again_is_a_gap_and_is_not_ended_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = machine(tmp_path, [FakeGpu("GPU-1")])
    api = library(fake)
    collector = opened(fake.host)
    api.nvmlShutdown()
    monkeypatch.setattr(FakeNvml, "nvmlInit", DoesNotStart.nvmlInit)
    monkeypatch.setattr(api, "code", UNKNOWN_ERROR, raising=False)
    (reading,) = collector.read()
    assert isinstance(reading, Gap)
    assert reading.reason == "nvml_uninitialized"
    api.started = 1  # somebody else's start
    collector.close()
    assert api.started == 1


def test_a_device_that_is_gone_after_the_new_start_is_a_gap(tmp_path: Path) -> None:
    fake = three(tmp_path, None)
    api = library(fake)
    collector = opened(fake.host)
    api.nvmlShutdown()
    api.gpus[1].lost = True
    first, second, third = collector.read()
    assert isinstance(second, Gap)
    assert second.reason == "nvml_device_gone"
    assert isinstance(first, CounterReading)
    assert isinstance(third, CounterReading)


# --- who computes


def running(gpu: FakeGpu) -> FakeNvml:
    api = FakeNvml([gpu])
    api.nvmlInit()
    return api


def test_shares_of_processes() -> None:
    gpu = FakeGpu("GPU-1", processes=[(10, 2_000, 60), (11, 2_500, 20), (12, 900, 99), (13, 2_400, 4_000_000)])
    use = gpu_process_shares(running(gpu), gpu, since_us=1_000)
    assert use == GpuUse((ProcessSample(10, 2_000, 60), ProcessSample(11, 2_500, 20)), 2_500)
    assert use.share({10}) == pytest.approx(0.75)
    assert use.share({10, 11}) == 1.0
    assert use.share(set()) == 0.0


def test_nobody_computed() -> None:
    gpu = FakeGpu("GPU-1", processes=[(10, 500, 60)])
    use = gpu_process_shares(running(gpu), gpu, since_us=1_000)
    assert use == GpuUse((), 1_000)
    assert use.share({10}) is None
    idle = GpuUse((ProcessSample(10, 5, 0),), 5)
    assert idle.share({10}) is None


@pytest.mark.parametrize("gpu", [FakeGpu("GPU-1", mig=[]), FakeGpu("GPU-1", lost=True)])
def test_no_figures_of_processes_are_none_and_not_zero(gpu: FakeGpu) -> None:
    assert gpu_process_shares(running(gpu), gpu) is None
