"""Where nothing measures: estimates that say so, of the job's own part, and NULL where there is not even that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from greenai.carbon.footprint import with_footprint
from greenai.core.channel import Component, Quality
from greenai.settings import load_settings
from greenai.testing import FakeMachine
from greenai.testing.machines import MACHINES, grace, nvidia
from greenai.testing.machines.cgroups import group_v1, group_v2, usage_v2

if TYPE_CHECKING:
    from pathlib import Path

CPU, DRAM = Component.CPU, Component.DRAM
WATTS_PER_GB = 0.3725
EPYC_7742_CPU_W = 2 * 225 / 256  # of one of its 256 logical CPUs under full load
EPYC_7742_IDLE = 0.34


@pytest.mark.parametrize("name", MACHINES)
def test_any_machine(play: Any, name: str) -> None:
    """codecarbon#1350: a total that is not the sum of what is listed, or does not say what it is made of."""
    energy = play(MACHINES[name]).run(1).record.energy
    counted = [row for row in energy.channels if row.counted]
    total_j = sum(row.energy_j or 0.0 for row in counted)
    assert energy.total_j == (pytest.approx(total_j) if counted else None)
    if total_j > 0:
        measured_j = sum(row.energy_j or 0.0 for row in counted if row.quality is not Quality.ESTIMATED)
        assert energy.measured_share == pytest.approx(measured_j / total_j)
    for row in energy.channels:
        assert row.quality is Quality.ESTIMATED or "estimate" not in row.method
        assert (row.energy_j is None) <= (not row.counted and row.note is not None)


SENSORLESS = ("vm_epyc_hybrid", "vm_xeon", "server_epyc_7742", "laptop", "docker_v1", "kubernetes_v2", "slurm_v2")


@pytest.mark.parametrize("name", SENSORLESS)
def test_an_estimate_is_labelled_measured(play: Any, name: str) -> None:
    """codecarbon: "Tracked the command process" over a constant; no peer of nine labels what it guessed."""
    stage = play(MACHINES[f"estimates/{name}"])
    run = stage.run(20)
    counted = [row for row in run.record.energy.channels if row.counted]
    assert counted
    for row in counted:
        assert row.quality is Quality.ESTIMATED
        assert "estimate" in row.method
        assert row.note is not None
        assert row.uncertainty_rel >= 0.3
    assert run.record.quality is Quality.ESTIMATED
    assert run.record.energy.measured_share == 0


def test_a_guess_is_no_better_for_a_gpu_that_is_measured(play: Any) -> None:
    """codecarbon#1350: "always produces a number, but never tells how". Mixed: the weakest label, and the share."""
    stage = play(MACHINES["nvidia/nvidia-8xa100"])
    for gpu in stage.machine.nvml.gpus:
        stage.gpu(gpu, 300.0)
    run = stage.run(60)
    assert run.record.quality is Quality.ESTIMATED
    assert run.record.energy.measured_share == pytest.approx(8 * 300 * 60 / run.energy_j)
    assert {row.quality for row in run.record.energy.channels if row.counted} == {
        Quality.MEASURED,
        Quality.ESTIMATED,
    }


@pytest.mark.parametrize("name", ["slurm_v1", "slurm_v2", "docker_v1", "docker_v2", "kubernetes_v2"])
def test_a_jobs_memory_on_a_host_of_one_terabyte(play: Any, name: str) -> None:
    """codecarbon#629: "It took me two months of work to notice": RAM 378 W beside a GPU of 102 W."""
    own_gb = {"slurm_v1": 16, "slurm_v2": 16, "docker_v1": 2, "docker_v2": 2, "kubernetes_v2": 0.5}[name]
    run = play(MACHINES[f"estimates/{name}"]).run(100)
    assert run.joules(DRAM) <= 100 * own_gb * WATTS_PER_GB * 1.001
    assert run.joules(DRAM) < 0.02 * 100 * 372.5


def busy_job(play: Any, name: str, own_cpus: float, others_cpus: float) -> Any:
    """A Slurm job that keeps some of its 32 CPUs busy, on a node of 256 where others work too."""
    stage = play(MACHINES[f"estimates/{name}"])

    def show(seconds: float, _: float) -> None:
        own_us = round(own_cpus * seconds * 1e6)
        stage.machine.busy(round((own_cpus + others_cpus) * seconds * 100))
        if name == "slurm_v1":
            group_v1(stage.machine, "cpuacct", "slurm_n1/uid_1000/job_42", {"cpuacct.usage": f"{own_us * 1000}\n"})
        else:
            job = "system.slice/n1_slurmstepd.scope/job_42"
            group_v2(stage.machine, job, usage_v2(own_us, 20_000_000_000, 4_000_000_000))

    stage.drive(1.0, show)  # the "energy" of one watt is the time in seconds
    return stage


@pytest.mark.parametrize("name", ["slurm_v1", "slurm_v2"])
def test_a_job_pays_for_its_cpus_once(play: Any, name: str) -> None:
    """codecarbon: the whole host's constant for each job. Here: idle power of 32 CPUs and the job's own CPU time."""
    run = busy_job(play, name, own_cpus=16.0, others_cpus=100.0).run(40)
    idle_w = 32 * EPYC_7742_CPU_W * EPYC_7742_IDLE
    busy_w = 16 * EPYC_7742_CPU_W * (1 - EPYC_7742_IDLE)
    assert run.joules(CPU) == pytest.approx(40 * (idle_w + busy_w), rel=0.01)


@pytest.mark.parametrize("name", ["slurm_v1", "slurm_v2"])
def test_a_job_pays_for_its_memory_once(play: Any, name: str) -> None:
    """The estimate is of the job's own 16 GB already: sharing it out among the node's users once more is too little."""
    run = busy_job(play, name, own_cpus=16.0, others_cpus=100.0).run(40)
    assert run.joules(DRAM) == pytest.approx(40 * 16 * WATTS_PER_GB, rel=0.01)


def test_a_measured_node_is_shared_out_and_says_so(play: Any) -> None:
    """codecarbon: with RAPL, "process" mode is the whole machine. Measured for all, allocated to the job."""
    stage = busy_job(play, "slurm_v2", own_cpus=25.0, others_cpus=75.0)
    for number in range(2):
        stage.machine.rapl(f"intel-rapl:{number}", f"package-{number}", 0)
        stage.rapl(f"intel-rapl:{number}", 200.0)
    run = stage.run(40)
    assert run.joules(CPU) == pytest.approx(0.25 * 400 * 40, rel=0.02)
    rows = [row for row in run.record.energy.channels if row.counted and row.component is CPU]
    assert {(row.quality, row.policy) for row in rows} == {(Quality.ALLOCATED, "cpu_time_share")}
    assert sum(row.machine_energy_j or 0 for row in rows) == pytest.approx(400 * 40)


def test_a_machine_without_anything_is_null_not_0(play: Any) -> None:
    """codecarbon#1316, carbontracker, eco2ai: nothing known is written as 0 kWh, and 0 kWh is the best result."""
    stage = play()
    for file in ("stat", "meminfo"):
        (stage.machine.root / "proc" / file).unlink()
    run = stage.run(10)
    published = run.record.to_dict()["energy"]
    assert (published["total_j"], published["low_j"], published["high_j"]) == (None, None, None)
    assert run.record.mean_power_w is None
    assert "no_sensor" in run.incidents
    assert with_footprint(run.record, load_settings({"zone": "DE"})).to_dict()["emissions"]["location_g"] is None


def container_without_counters(folder: Path) -> FakeMachine:
    """Docker lays an empty folder over the zones: they are listed, but their links are dead."""
    machine = FakeMachine(folder)
    zone = machine.root / "sys/class/powercap/intel-rapl:0"
    zone.parent.mkdir(parents=True)
    zone.symlink_to(machine.root / "nowhere")
    return machine


def superchips_with_closed_meters(folder: Path) -> FakeMachine:
    """Root may read any file, but no folder."""
    machine = grace.gh200_four_way(folder)
    for file in list(machine.root.glob("sys/class/hwmon/*/device/power1_average")):
        file.unlink()
        file.mkdir()
    return machine


@pytest.mark.parametrize(
    ("build", "code", "command"),
    [
        (container_without_counters, "rapl_hidden", "docker run --security-opt systempaths=unconfined"),
        (superchips_with_closed_meters, "grace_unreadable", "sudo chmod a+r /"),
        (nvidia.denied, "nvml_no_permission", "sudo usermod -aG"),
    ],
)
def test_a_closed_sensor_is_silently_absent(play: Any, build: Any, code: str, command: str) -> None:
    """zeus#268, perun, codecarbon#244: one line says what is missing, and one command mends it."""
    incident = play(build).run(5).incidents[code]
    assert incident.remedy is not None
    for said in (incident.message.de, incident.message.en, incident.remedy.de, incident.remedy.en):
        assert said
        assert "\n" not in said
    assert command in incident.remedy.de
    assert command in incident.remedy.en
