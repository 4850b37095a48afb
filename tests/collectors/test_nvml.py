"""NVIDIA GPUs over a fake library whose names and arities are those of the real one."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pynvml
import pytest

from greenai.core.channel import Component, Kind, Quality
from greenai.core.collector import Available, Unavailable
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.host.machine import Host
from greenai.host.nvml import NvmlApi, NvmlLoad
from greenai.testing import FakeGpu, FakeMachine, FakeNvml, FakeNvmlError, check_collector
from greenai_collectors.nvml import NvmlCollector

if TYPE_CHECKING:
    from pathlib import Path

UUIDS = ("GPU-aa11", "GPU-aa22", "GPU-bb33")


def machine(folder: Path, gpus: list[FakeGpu], visible: str | None = None) -> FakeMachine:
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    return FakeMachine(folder / "machine", nvml=FakeNvml(gpus), environ=environ)


def three(folder: Path, visible: str | None) -> FakeMachine:
    return machine(folder, [FakeGpu(uuid, energy_mj=n) for n, uuid in enumerate(UUIDS)], visible)


@pytest.mark.parametrize("name", [name for name in vars(NvmlApi) if name.startswith("nvml")])
def test_the_fake_has_the_names_and_arity_of_the_real_library(name: str) -> None:
    real = inspect.signature(getattr(pynvml, name)).parameters
    fake = inspect.signature(getattr(FakeNvml([]), name)).parameters
    assert len(real) == len(fake)


def test_the_real_error_is_an_exception() -> None:
    assert issubclass(pynvml.NVMLError, Exception)


@pytest.mark.parametrize(
    ("visible", "uuids", "unknown"),
    [
        (None, UUIDS, []),
        ("0", UUIDS[:1], []),
        ("1,0", (UUIDS[1], UUIDS[0]), []),
        (" 2 , 0 ", (UUIDS[2], UUIDS[0]), []),
        ("GPU-bb33", UUIDS[2:], []),
        ("GPU-b", UUIDS[2:], []),
        ("GPU-aa22,GPU-bb", UUIDS[1:], []),
        ("0,-1,2", UUIDS[:1], []),
        ("0,junk,1", UUIDS[:1], ["junk"]),
        ("1,GPU-a", UUIDS[1:2], ["GPU-a"]),
        ("2,7", UUIDS[2:], ["7"]),
        ("0,²", UUIDS[:1], ["²"]),
        ("0,0", UUIDS[:1], []),
        ("0,GPU-aa11", UUIDS[:1], []),
    ],
)
def test_visible_devices(tmp_path: Path, visible: str | None, uuids: tuple[str, ...], unknown: list[str]) -> None:
    found = NvmlCollector(three(tmp_path, visible).host).probe()
    assert isinstance(found, Available)
    assert tuple(channel.id for channel in found.channels) == tuple(f"nvml:{uuid}" for uuid in uuids)
    assert [incident.code for incident in found.incidents] == ["nvml_device_unknown"] * len(unknown)
    for entry, incident in zip(unknown, found.incidents, strict=True):
        assert entry in incident.message.de
        assert entry in incident.message.en


@pytest.mark.parametrize("visible", ["", "-1", "NoDevFiles", "-1,0"])
def test_hidden_devices_are_no_surprise(tmp_path: Path, visible: str) -> None:
    found = NvmlCollector(three(tmp_path, visible).host).probe()
    assert isinstance(found, Unavailable)
    assert (found.expected, found.reason.code) == (True, "nvml_no_device")


@pytest.mark.parametrize("visible", ["GPU-a", "GPU-", "9", "GPU-zz", "MIG-aa11", "MIG-GPU-aa11/1/2", "junk"])
def test_a_device_that_cannot_be_told_is_said(tmp_path: Path, visible: str) -> None:
    found = NvmlCollector(three(tmp_path, visible).host).probe()
    assert isinstance(found, Unavailable)
    assert (found.expected, found.reason.code) == (False, "nvml_device_unknown")
    assert visible in found.reason.message.en


@pytest.mark.parametrize("visible", [None, "2,0", "GPU-b"])
def test_the_contract(tmp_path: Path, visible: str | None) -> None:
    assert check_collector(NvmlCollector, three(tmp_path, visible))


def test_eight_gpus_are_eight_channels(tmp_path: Path) -> None:
    gpus = [FakeGpu(f"GPU-{n}", energy_mj=1000 + n) for n in range(8)]
    collector = NvmlCollector(machine(tmp_path, gpus).host)
    found = collector.probe()
    assert isinstance(found, Available)
    assert {(c.component, c.kind, c.quality, c.method) for c in found.channels} == {
        (Component.GPU, Kind.COUNTER, Quality.MEASURED, "nvml_energy_counter")
    }
    collector.open(found.channels)
    read = {reading.channel_id: reading for reading in collector.read()}
    for number in range(8):
        reading = read[f"nvml:GPU-{number}"]
        assert isinstance(reading, CounterReading)
        assert reading.energy_uj == (1000 + number) * 1000  # mJ to µJ


def test_a_gpu_without_a_counter_is_polled(tmp_path: Path) -> None:
    fake = machine(tmp_path, [FakeGpu("GPU-1", energy_mj=None, power_mw=250_000)])
    (channel,) = check_collector(NvmlCollector, fake)
    assert (channel.kind, channel.method) == (Kind.POWER, "nvml_power_polled")
    assert channel.uncertainty_rel > 0.05
    collector = NvmlCollector(host)
    collector.probe()
    collector.open([channel])
    (reading,) = collector.read()
    assert reading == PowerReading("nvml:GPU-1", host.clock.mono_ns(), 250_000_000)


def test_a_gpu_that_reports_nothing_is_an_incident_beside_the_others(tmp_path: Path) -> None:
    gpus = [FakeGpu("GPU-1"), FakeGpu("GPU-2", name="Tesla K80", energy_mj=None, power_mw=None)]
    found = NvmlCollector(machine(tmp_path, gpus).host).probe()
    assert isinstance(found, Available)
    assert [channel.id for channel in found.channels] == ["nvml:GPU-1"]
    (incident,) = found.incidents
    assert incident.code == "nvml_no_energy"
    assert "Tesla K80" in incident.message.en
    assert "Not Supported" in incident.message.en


def test_nothing_but_silent_gpus_is_not_expected(tmp_path: Path) -> None:
    found = NvmlCollector(machine(tmp_path, [FakeGpu("GPU-1", energy_mj=None, power_mw=None)]).host).probe()
    assert isinstance(found, Unavailable)
    assert (found.expected, found.reason.code) == (False, "nvml_no_energy")


def test_a_gpu_lost_in_the_middle_is_a_gap(tmp_path: Path) -> None:
    gpus = [FakeGpu("GPU-1", energy_mj=5), FakeGpu("GPU-2", energy_mj=6)]
    collector = NvmlCollector(machine(tmp_path, gpus).host)
    found = collector.probe()
    assert isinstance(found, Available)
    collector.open(found.channels)
    gpus[0].lost = True
    lost, well = collector.read()
    assert isinstance(lost, Gap)
    assert lost.reason == "nvml_gpu_is_lost"
    assert isinstance(well, CounterReading)
    gpus[0].lost = False
    assert isinstance(collector.read()[0], CounterReading)


class OneBroken(FakeNvml):
    """One device cannot even be looked up: it fell off the bus, or belongs to somebody else's job."""

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:  # noqa: N802
        if index == 1:
            raise FakeNvmlError("GPU is lost")
        return super().nvmlDeviceGetHandleByIndex(index)


def test_one_broken_gpu_does_not_blind_the_others(tmp_path: Path) -> None:
    api = OneBroken([FakeGpu(uuid) for uuid in UUIDS])
    found = NvmlCollector(FakeMachine(tmp_path / "machine", nvml=api).host).probe()
    assert isinstance(found, Available)
    assert [channel.id for channel in found.channels] == ["nvml:GPU-aa11", "nvml:GPU-bb33"]
    assert len(found.incidents) == 1
    assert "GPU is lost" in found.incidents[0].message.de


def with_load(folder: Path, load: NvmlLoad) -> Host:
    plain = FakeMachine(folder / "machine").host
    return Host(plain.name, plain.sys_root, plain.proc_root, plain.environ, plain.clock, lambda: load)


def test_no_library_is_expected(tmp_path: Path) -> None:
    found = NvmlCollector(with_load(tmp_path, NvmlLoad(None, "no_library"))).probe()
    assert isinstance(found, Unavailable)
    assert (found.expected, found.reason.code) == (True, "nvml_absent")


def test_a_driver_that_does_not_start_is_said(tmp_path: Path) -> None:
    found = NvmlCollector(with_load(tmp_path, NvmlLoad(None, "Driver/library version mismatch"))).probe()
    assert isinstance(found, Unavailable)
    assert (found.expected, found.reason.code) == (False, "nvml_failed")
    assert "Driver/library version mismatch" in found.reason.message.de
    assert found.reason.remedy is not None


class NoCount(FakeNvml):
    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        raise FakeNvmlError("Unknown Error")


def test_a_driver_that_fails_later_is_said(tmp_path: Path) -> None:
    found = NvmlCollector(FakeMachine(tmp_path / "machine", nvml=NoCount([])).host).probe()
    assert isinstance(found, Unavailable)
    assert (found.expected, found.reason.code) == (False, "nvml_failed")


def test_every_start_of_the_library_has_its_end(tmp_path: Path) -> None:
    host = three(tmp_path, None).host
    api = host.load_nvml().api
    assert isinstance(api, FakeNvml)
    collector = NvmlCollector(host)
    found = collector.probe()
    assert isinstance(found, Available)
    collector.open(found.channels)
    collector.close()
    collector.close()
    assert api.started == 0


@pytest.mark.parametrize(("name", "noted"), [("NVIDIA GH200 480GB", True), ("NVIDIA H100 PCIe", False)])
def test_superchips_carry_a_caveat(tmp_path: Path, name: str, noted: bool) -> None:
    found = NvmlCollector(machine(tmp_path, [FakeGpu("GPU-1", name=name)]).host).probe()
    assert isinstance(found, Available)
    assert (found.channels[0].note is not None) is noted
