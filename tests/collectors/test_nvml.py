"""NVIDIA GPUs over a fake library whose names and arities are those of the real one."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING

import pynvml
import pytest

from greenai.core.collector import Available, Unavailable
from greenai.core.reading import CounterReading, Gap
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

    from greenai.core.channel import Channel
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


@pytest.mark.parametrize("visible", ["", "junk"])
def test_a_probe_that_finds_nothing_leaves_nothing_started(tmp_path: Path, visible: str) -> None:
    fake = three(tmp_path, visible)
    unavailable(fake.host)
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
