"""GPUs: whose they are, what their meters mean, and that each joule counts once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.channel import Component, Quality
from greenai.host.nvml import SCOPE_GPU, SCOPE_MODULE
from greenai.testing.machines import MACHINES, cray, grace, nvidia
from greenai.testing.machines.rapl import Zone, powercap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from greenai.testing import FakeGpu, FakeMachine
    from greenai.testing.amdsmi import FakeAmdGpu

GPU, MODULE = Component.GPU, Component.MODULE


def gpus_of(stage: Any) -> list[FakeGpu]:
    gpus: list[FakeGpu] = stage.machine.nvml.gpus
    return gpus


def driven(play: Any, name: str, **environ: str) -> Any:
    """A machine with NVIDIA GPUs that take 100, 101, 102... W."""
    stage = play(MACHINES[f"nvidia/nvidia-{name}"])
    stage.machine.environ = {**stage.machine.environ, **environ}
    for number, gpu in enumerate(gpus_of(stage)):
        stage.gpu(gpu, 100.0 + number)
    return stage


def test_eight_gpus_are_averaged(play: Any) -> None:
    """carbontracker: 1, 2 and 8 GPUs of 100 W for an hour all give 0.1 kWh."""
    run = driven(play, "8xa100").run(60)
    assert run.joules(GPU) == pytest.approx(sum(run.truth_j))
    assert len([row for row in run.record.energy.channels if row.counted and row.component is GPU]) == 8


UUID = "GPU-a1000003-5bd4-5b2c-8a07-0123456789ab"


@pytest.mark.parametrize(
    ("visible", "numbers"),
    [
        ("", []),
        ("-1", []),
        ("0,1", [0, 1]),
        (UUID, [3]),
        ("GPU-a1000005", [5]),
        ("GPU-a1000006,GPU-a1000002", [2, 6]),
    ],
)
def test_cuda_visible_devices(play: Any, visible: str, numbers: list[int]) -> None:
    """codecarbon: no GPU for a UUID (``lstrip``); zeus: ``int()`` raises; perun, eco2ai: all GPUs of the node."""
    run = driven(play, "8xa100", CUDA_VISIBLE_DEVICES=visible).run(30)
    expected_j = 30.0 * sum(100 + number for number in numbers)
    assert run.joules(GPU) == (pytest.approx(expected_j) if numbers else None)
    assert run.record.incidents == ()


@pytest.mark.parametrize(
    ("visible", "share"),
    [
        ("MIG-22222222-0000-5000-8000-000000000002", 2 / 7),
        ("MIG-33333333", 3 / 7),
        ("MIG-GPU-a1000000-5bd4-5b2c-8a07-0123456789ab/5/0", 2 / 7),
        ("MIG-GPU-a1000000/1/0,MIG-GPU-a1000000/13/0", 4 / 7),
    ],
)
def test_mig_identifiers(play: Any, visible: str, share: float) -> None:
    """codecarbon#873, zeus#109: MIG ids crash the job or match nothing. Here: by slices, and labelled so."""
    run = driven(play, "a100-mig-whole", CUDA_VISIBLE_DEVICES=visible).run(30)
    assert run.joules(GPU) == pytest.approx(share * 3000)
    (row,) = (row for row in run.record.energy.channels if row.component is GPU)
    assert (row.quality, row.policy) == (Quality.ALLOCATED, "mig_slice_share")
    assert row.machine_energy_j == pytest.approx(3000)


def test_an_identifier_that_fits_nothing_is_said(play: Any) -> None:
    """codecarbon: tracks no GPU and says nothing."""
    run = driven(play, "8xa100", CUDA_VISIBLE_DEVICES="GPU-ffffffff").run(5)
    assert run.joules(GPU) is None
    assert "GPU-ffffffff" in run.incidents["nvml_device_unknown"].message.en


@pytest.mark.parametrize("counts_denied", [True, False], ids=["counted by the driver", "left out by the driver"])
def test_the_gpus_of_other_jobs_are_billed(play: Any, counts_denied: bool) -> None:
    """codecarbon#567, perun: in a Slurm job with two of four GPUs the other jobs' GPUs are billed too."""
    stage = driven(play, "slurm-constrained")
    stage.machine.nvml.counts_denied = counts_denied
    run = stage.run(30)
    assert run.joules(GPU) == pytest.approx(30 * (101 + 103))
    assert "nvml_no_permission" not in run.incidents


def test_the_gpus_of_other_jobs_without_a_cgroup(play: Any) -> None:
    """The same where Slurm hides nothing: the job's own list counts, on every task of a step."""
    run = driven(play, "8xa100", SLURM_JOB_ID="7", SLURM_JOB_GPUS="2-3").run(30)
    assert run.joules(GPU) == pytest.approx(30 * (102 + 103))


@pytest.mark.parametrize(("name", "number"), [("p100", 2), ("rtx3090", 1)])
def test_no_counter_is_zero_kwh(play: Any, name: str, number: int) -> None:
    """codecarbon#1316: P100, K80, GTX 10xx and many vGPUs give 0 kWh. Here their power is polled."""
    run = driven(play, name).run(60)
    assert run.joules(GPU) == pytest.approx(sum(run.truth_j))
    assert len(run.truth_j) == number
    assert {row.method for row in run.record.energy.channels if row.component is GPU} <= {
        "nvml_power_instant", "nvml_power_average"
    }  # fmt: skip


def test_power_that_changes_between_two_epochs(play: Any) -> None:
    """eco2ai: last power times 10 s; carbontracker: mean power times epoch, half of the time unobserved."""
    stage = play(MACHINES["nvidia/nvidia-p100"])
    stage.gpu(gpus_of(stage)[0], lambda t: 250.0 if t % 3 < 1 else 30.0)
    stage.gpu(gpus_of(stage)[1], lambda t: 30.0 + 3 * t)
    run = stage.run(60, interval_s=5.0)
    assert run.joules(GPU) == pytest.approx(sum(run.truth_j), rel=0.02)


@pytest.mark.parametrize("name", ["nvidia/nvidia-8xa100", "amd_gpu/amd_eight_mi300x"])
def test_a_counter_that_stands_still_is_zero_kwh(play: Any, name: str) -> None:
    """ROCm/amdsmi#22, codecarbon#1316: a dead counter under a GPU that draws power. Unknown, not 0 J "measured"."""
    run = play(MACHINES[name]).run(60)
    assert run.joules(GPU) is None
    assert set(run.lost) <= {"nvml_counter_stands_still", "amdsmi_counter_stuck", "counter_stands_still"}


def test_a_gpu_that_tells_nothing_is_unknown_and_not_0(play: Any) -> None:
    """codecarbon#1316 once more: a vGPU with neither counter nor power. NULL, and the reason beside it."""
    run = driven(play, "vgpu").run(10)
    assert run.joules(GPU) is None
    assert not any(row.energy_j == 0 for row in run.record.energy.channels)
    assert "GRID A100D-20C" in run.incidents["nvml_no_energy"].message.en


@pytest.mark.parametrize("sentinel", [2**32 - 1, 2**63 - 1])
@pytest.mark.parametrize("name", ["8xa100", "p100"])
def test_sensor_0xffffffff(play: Any, name: str, sentinel: int) -> None:
    """kepler#1049 (4294967295000), lm-sensors#460 (4.29 MW): what no sensor can mean is no energy."""
    stage = play(MACHINES[f"nvidia/nvidia-{name}"])
    meter = "energy_mj" if name == "8xa100" else "power_mw"
    for gpu in gpus_of(stage):
        stage.gpu(gpu, 100.0).fails(4.05, 4.95, lambda gpu=gpu: setattr(gpu, meter, sentinel))
    run = stage.run(10)
    blind_s = sum(row.gap_s for row in run.record.energy.channels if row.component is GPU)
    assert run.joules(GPU) == pytest.approx(sum(run.truth_j) - 100.0 * blind_s)
    assert set(run.lost) <= {"nvml_sentinel", "pause_too_long"}
    # A counter has counted on; a gauge was blind, and that is said.
    assert (blind_s > 0) is (name == "p100")


def meter_of_the_node(play: Any, blind_s: float) -> Any:
    """A server of 288 W whose ACPI meter says 4294967295000 for a while; return its run of a minute."""
    stage = play(MACHINES["hwmon/acpi-power-meter"])
    file = "sys/class/hwmon/hwmon3/device/power1_average"
    meter = stage.gauge(file, 288.0)
    meter.fails(20.0, 20.0 + blind_s, lambda: stage.machine.write(file, "4294967295000\n"))
    return stage.run(60)


def test_a_power_meter_of_4_megawatts(play: Any) -> None:
    """kepler#1049: hwmon says 4294967295000. The time without a meter is unknown, not 4.29 MW and not 0."""
    run = meter_of_the_node(play, blind_s=3.0)
    node = run.row("hwmon:power_meter")
    assert run.energy_j == node.energy_j == pytest.approx(288 * (60 - node.gap_s))
    assert 3 <= node.gap_s <= 4
    assert node.lost_readings["hwmon_sentinel"] == 3
    assert "energy_incomplete" in run.incidents


def test_a_meter_that_was_blind_for_a_while_is_replaced_by_a_guess(play: Any) -> None:
    """carbontracker: one failure, and half the TDP stands for the machine. What was measured is the least it took."""
    run = meter_of_the_node(play, blind_s=10.0)
    measured_j = run.row("hwmon:power_meter").energy_j
    assert measured_j == pytest.approx(288 * 49)
    assert run.energy_j >= measured_j
    assert "energy_incomplete" in run.incidents


def test_one_failed_gpu_takes_the_others_with_it(play: Any) -> None:
    """carbontracker: one failing handle, and the whole sample is 0. Here: eight minus what the lost one missed."""
    stage = driven(play, "8xa100")
    stage.at(15.0, lambda: setattr(gpus_of(stage)[3], "lost", True))
    run = stage.run(60)
    lost = run.row(f"nvml:{UUID}")
    assert lost.energy_j == pytest.approx(103 * 14.1)  # up to its last reading
    assert run.joules(GPU) == pytest.approx(sum(run.truth_j) - 103 * (60 - 14.1))
    assert lost.device in run.incidents["energy_incomplete"].message.en
    assert set(lost.lost_readings) == {"nvml_gpu_is_lost"}


def test_a_gpu_that_dies_at_once_is_silently_absent(play: Any) -> None:
    """zeus, perun: what cannot be read is left out of the sum without a word."""
    stage = driven(play, "8xa100")
    stage.at(0.05, lambda: setattr(gpus_of(stage)[3], "lost", True))
    run = stage.run(60)
    assert run.row(f"nvml:{UUID}").energy_j is None
    assert run.joules(GPU) == pytest.approx(sum(run.truth_j) - 103 * 60)
    assert [each for each in run.record.incidents if run.row(f"nvml:{UUID}").device in each.message.en]


def test_a_gpu_that_is_dead_from_the_beginning(play: Any) -> None:
    """eco2ai, zeus: the constructor raises, or the GPU is missing in silence."""
    run = driven(play, "lost").run(20)
    assert run.joules(GPU) == pytest.approx(20 * (100 + 102 + 103))
    assert "GPU 1" in run.incidents["nvml_device_unreachable"].message.en


def test_a_driver_reload_resets_the_counter(play: Any) -> None:
    """A counter without a range that falls is a reset: that second is unknown, and nothing is negative."""
    stage = play(MACHINES["nvidia/nvidia-8xa100"])
    source = stage.gpu(gpus_of(stage)[0], 100.0)
    gpu = gpus_of(stage)[0]
    stage.machine.environ = {"CUDA_VISIBLE_DEVICES": "0"}
    source.fails(10.5, 99.0, lambda: setattr(gpu, "energy_mj", 50_000 + round(source.joules * 1000) - 1_050_000))
    run = stage.run(30)
    assert run.joules(GPU) == pytest.approx(29 * 100)
    assert run.lost == {"counter_reset": 1}


# --- superchips: GPU, Grace and memories on one module


def superchips(play: Any, build: Callable[[Path], FakeMachine]) -> Any:
    """Four GH200: the GPU takes 350 W of its module's 500 W; NVML's counter is the module's (zeus#172)."""
    stage = play(build)
    for gpu in gpus_of(stage):
        first_mj = gpu.energy_mj

        def show(joules: float, watts: float, gpu: FakeGpu = gpu, first_mj: int | None = first_mj) -> None:
            gpu.energy_mj = None if first_mj is None else first_mj + round(joules * 1000)
            gpu.power_mw = round(watts * 1000)
            gpu.instant_mw = {SCOPE_GPU: round(0.7 * watts * 1000), SCOPE_MODULE: round(watts * 1000)}

        stage.drive(500.0, show)
    return stage


def with_meters_of_the_kernel(folder: Path) -> FakeMachine:
    machine = nvidia.gh200(folder)
    grace.neoverse_v2(machine)
    grace.sockets(machine, {"Module": (500_000,) * 4, "Grace": (150_000,) * 4, "CPU": (80_000,) * 4})
    return machine


def with_meters_of_the_node(folder: Path) -> FakeMachine:
    machine = with_meters_of_the_kernel(folder)
    beside = cray.ex254n(folder)
    assert beside.root == machine.root
    return machine


@pytest.mark.parametrize("build", [nvidia.gh200, with_meters_of_the_kernel], ids=["nvml", "nvml and hwmon"])
def test_a_superchips_module_cpu_and_gpu_are_added(play: Any, build: Callable[[Path], FakeMachine]) -> None:
    """zeus#172, codecarbon: the counter is the module's, and CPU and memory models come on top."""
    run = superchips(play, build).run(20)
    assert run.joules(MODULE) == pytest.approx(4 * 500 * 20)
    assert run.energy_j == pytest.approx(4 * 500 * 20)
    assert run.record.energy.measured_share == 1


def test_both_gpus_of_a_module_report_all_of_it(play: Any) -> None:
    """NVIDIA/srt-slurm: a GB200 has two GPUs on a module, and each says what the module takes."""
    run = play(nvidia.gb200).run(20)
    assert run.energy_j == pytest.approx(20 * (500 + 600))


def test_a_superchip_without_module_meters_is_grace_and_gpu(play: Any) -> None:
    """alumet's arithmetic: module, else Grace sockets plus GPUs; the CPU rail (half the socket) never beside."""
    run = play(grace.gh200_without_module).run(30)
    expected_w = (sum(grace.JUPITER_GRACE_MW) + sum(grace.JUPITER_GPU_MW)) / 1000
    assert run.energy_j == pytest.approx(30 * expected_w)
    assert run.counted == {f"grace:grace-{n}" for n in range(4)} | {f"nvml:GPU-{n}0ace" for n in range(4)}


def test_a_superchip_inside_a_measured_node(play: Any) -> None:
    """The controller's node figure contains it all; modules are its breakdown, not more of it."""
    stage = superchips(play, with_meters_of_the_node)

    def show(joules: float, _watts: float) -> None:
        scan_us = 1_800_000_000_000_000 + round(stage.now_s * 1e6)
        cray.counters(stage.machine, {"": 9_000_000_000 + int(joules)}, scan_us)

    stage.drive(2600.0, show)
    run = stage.run(20)
    assert run.energy_j == pytest.approx(2600 * 20, rel=1e-3)
    assert {row.component for row in run.record.energy.channels if row.counted} == {Component.NODE}


def test_a_gpu_reports_0_watts_and_another_its_energy_too(play: Any) -> None:
    """codecarbon#1097, ROCm/amdsmi#38: the second die of an MI250X says 0 W; the first speaks for both."""
    stage = play(MACHINES["amd_gpu/amd_four_mi250x"])
    for number, die in enumerate(stage.machine.amdsmi.gpus[::2]):

        def show(joules: float, watts: float, die: FakeAmdGpu = die) -> None:
            die.energy_count = 3_000_000_000 + round(joules * 1e6 / die.resolution_uj)
            die.power_w["average_socket_power"] = round(watts)

        stage.drive(300.0 + number, show)
    run = stage.run(60)
    assert run.joules(GPU) == pytest.approx(sum(run.truth_j), rel=1e-4)
    assert not any(row.energy_j == 0 for row in run.record.energy.channels)


def test_a_gpu_and_a_cpu_of_one_machine(play: Any) -> None:
    """zeus: ``total_energy`` is the GPU's alone, CPU and memory are left out."""
    stage = driven(play, "8xa100")
    powercap(stage.machine, [Zone("package-0", 0, inside=(Zone("dram", 0),))])
    stage.rapl("intel-rapl:0", 200.0)
    stage.rapl("intel-rapl:0:0", 40.0)
    run = stage.run(30)
    assert run.energy_j == pytest.approx(sum(run.truth_j))
    assert run.energy_j == pytest.approx(30 * (828 + 240))


def test_a_window_shorter_than_a_renewal_is_zero_joules(play: Any) -> None:
    """zeus: short windows return 0 J. The counter renews each 100 ms: 0 may be said only with its uncertainty."""
    stage = play(MACHINES["nvidia/nvidia-8xa100"])
    stage.machine.environ = {"CUDA_VISIBLE_DEVICES": "0"}
    gpu = gpus_of(stage)[0]

    def show(joules: float, _watts: float) -> None:
        gpu.energy_mj = 1_000_000 + int(joules / 40) * 40_000  # 400 W, renewed every 100 ms

    stage.drive(400.0, show)
    stage.pass_time(5.01)
    run = stage.run(0.05, sampler=False)
    row = run.row(f"nvml:{gpu.uuid}")
    if row.energy_j is not None:
        assert row.low_j is not None
        assert row.high_j is not None
        assert row.low_j <= run.truth_j[0] <= row.high_j
