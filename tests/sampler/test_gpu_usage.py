"""Whose work a GPU does: shared out only while others compute on it too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from greenai.core.allocation import SM_SHARE, share_steps
from greenai.core.usage import Usage
from greenai.plugins import LoadedCollectors
from greenai.sampler import open_sensors
from greenai.sampler.gpu_usage import GpuUsageReader
from greenai.testing import FakeGpu, FakeMachine, FakeNvml
from greenai.testing.machines.cgroups import in_group_v2, usage_v2
from greenai_collectors.nvml import NvmlCollector

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.core.channel import Channel
    from greenai.sampler import Sensors

OURS, THEIRS = 4711, 815
ID = "nvml:GPU-1"


@pytest.fixture
def gpu() -> FakeGpu:
    return FakeGpu("GPU-1")


@pytest.fixture
def machine(tmp_path: Path, gpu: FakeGpu) -> FakeMachine:
    return FakeMachine(tmp_path / "machine", nvml=FakeNvml([gpu]))


@pytest.fixture
def sensors(machine: FakeMachine) -> Sensors:
    return open_sensors(machine.host, LoadedCollectors((NvmlCollector(machine.host),), ()))


def reader(machine: FakeMachine, sensors: Sensors) -> GpuUsageReader:
    return GpuUsageReader(machine.host, sensors.channels, lambda: {OURS})


def test_a_gpu_of_ones_own_is_not_shared_out(machine: FakeMachine, sensors: Sensors, gpu: FakeGpu) -> None:
    look = reader(machine, sensors)
    assert look.read() == {}  # nobody computes
    gpu.processes = [(OURS, 1_000_000, 40)]
    assert look.read() == {}  # nobody else does


def test_the_share_of_the_work_while_others_compute(machine: FakeMachine, sensors: Sensors, gpu: FakeGpu) -> None:
    look = reader(machine, sensors)
    gpu.processes = [(OURS, 1_000_000, 60), (THEIRS, 1_000_000, 20)]
    assert look.read() == {ID: pytest.approx(0.75)}
    assert look.read() == {}  # the same samples are not taken twice
    gpu.processes = [(THEIRS, 2_000_000, 50)]
    assert look.read() == {ID: 0.0}


def test_a_lost_gpu_tells_nothing_and_harms_nobody(machine: FakeMachine, sensors: Sensors, gpu: FakeGpu) -> None:
    look = reader(machine, sensors)
    gpu.lost = True
    gpu.processes = [(THEIRS, 1_000_000, 50)]
    assert look.read() == {}


def test_in_a_container_process_numbers_mean_something_else(
    machine: FakeMachine, sensors: Sensors, gpu: FakeGpu
) -> None:
    in_group_v2(machine, "/docker/4f3c", "docker/4f3c", usage_v2(1, 1, 1))
    gpu.processes = [(OURS, 1_000_000, 60), (THEIRS, 1_000_000, 20)]
    assert reader(machine, sensors).read() == {}


def test_a_share_speaks_of_the_time_since_the_last_look(sensors: Sensors) -> None:
    (channel,) = sensors.channels
    usages = [Usage(0), Usage(10, gpu_shares={}), Usage(15), Usage(20, gpu_shares={ID: 0.25}), Usage(30)]
    policy, steps = share_steps(channel, usages)
    assert policy == SM_SHARE
    assert [(step.t0_ns, step.t1_ns, step.share) for step in steps] == [
        (0, 10, 1.0),
        (10, 20, 0.25),
        (20, 30, 0.25),
    ]


def test_without_others_there_is_no_rule(sensors: Sensors) -> None:
    (channel,) = sensors.channels
    assert share_steps(channel, [Usage(0, gpu_shares={}), Usage(10, gpu_shares={})]) == (None, [])
    other: Channel = channel
    assert share_steps(other, [Usage(0), Usage(10)]) == (None, [])
