"""Machines with NVIDIA GPUs, over a fake library.

Sources: which functions answer on which generation is in NVIDIA's "NVML API Reference Guide" (energy counter from
Volta on; ``nvmlDeviceGetPowerUsage`` the mean of a second on Ampere and newer except GA100; no process figures
with MIG), codecarbon#1316 (P100, K80, GTX 10xx and many vGPU without a counter) and, for the module scope,
zeus#172 (GH200), zeus#242 (GB10) and NVIDIA/srt-slurm (GB200: both GPUs report their module). Bus numbers are
those that ``nvidia-smi`` prints on a DGX A100, a four-way GH200 node and a GB200 tray; MIG sizes are those of the
"MIG User Guide". Identifiers and readings are made up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.host.nvml import SCOPE_GPU, SCOPE_MODULE
from greenai.testing.machine import FakeMachine
from greenai.testing.nvml import FakeGpu, FakeMig, FakeNvml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_DGX_BUSES = (0x07, 0x0F, 0x47, 0x4E, 0x87, 0x90, 0xB7, 0xBD)


def _machine(
    folder: Path, gpus: list[FakeGpu], environ: Mapping[str, str] | None = None, *, counts_denied: bool = True
) -> FakeMachine:
    return FakeMachine(folder, nvml=FakeNvml(gpus, counts_denied=counts_denied), environ=environ or {})


def _uuid(number: int) -> str:
    return f"GPU-{number:08x}-5bd4-5b2c-8a07-0123456789ab"


def _a100(number: int, bus: int) -> FakeGpu:
    return FakeGpu(
        _uuid(0xA1000000 + number),
        energy_mj=1_000_000 * (number + 1),
        power_mw=60_000,
        instant_mw={SCOPE_GPU: 61_000},
        pci=(0, bus, 0),
    )


def dgx_a100(folder: Path) -> FakeMachine:
    """Return a DGX A100: eight GPUs with energy counters."""
    machine = _machine(folder, [_a100(number, bus) for number, bus in enumerate(_DGX_BUSES)])
    machine.cpu("AMD EPYC 7742 64-Core Processor", vendor="AuthenticAMD", cpus=8, sockets=2)
    return machine


def mixed(folder: Path) -> FakeMachine:
    """Return a workstation: a GTX 1080 without a counter in the first slot, an A100 in the second."""
    slow = FakeGpu(
        _uuid(0x10800000),
        "NVIDIA GeForce GTX 1080",
        energy_mj=None,
        power_mw=9_500,
        capability=(6, 1),
        cores=2560,
        clock_mhz=1911,
        pci=(0, 0x01, 0),
    )
    return _machine(folder, [slow, _a100(0, 0x41)])


def p100(folder: Path) -> FakeMachine:
    """Return two P100: no counter, no power fields, instantaneous power."""
    gpus = [
        FakeGpu(
            _uuid(0x10000000 + number),
            "Tesla P100-PCIE-16GB",
            energy_mj=None,
            power_mw=26_000 + number,
            capability=(6, 0),
        )
        for number in range(2)
    ]
    return _machine(folder, gpus)


def rtx_3090(folder: Path) -> FakeMachine:
    """Return a RTX 3090 behind an old driver in a virtual machine: nothing but the mean of the last second."""
    gpu = FakeGpu(_uuid(0x30900000), "NVIDIA GeForce RTX 3090", energy_mj=None, power_mw=32_000, capability=(8, 6))
    return _machine(folder, [gpu])


def a100_mig(folder: Path) -> FakeMachine:
    """Return an A100 cut into 3g + 2g + 1g, of which the program may use 2g and 1g."""
    machine = a100_mig_whole(folder)
    machine.environ = {"CUDA_VISIBLE_DEVICES": "MIG-22222222-0000-5000-8000-000000000002,MIG-1111"}
    return machine


def a100_mig_whole(folder: Path) -> FakeMachine:
    """Return the same A100 to one who may use all of it."""
    gpu = _a100(0, 0x07)
    gpu.mig = [
        FakeMig("MIG-33333333-0000-5000-8000-000000000001", 3, gpu_instance=1),
        FakeMig("MIG-22222222-0000-5000-8000-000000000002", 2, gpu_instance=5),
        FakeMig("MIG-11111111-0000-5000-8000-000000000003", 1, gpu_instance=13),
    ]
    return _machine(folder, [gpu])


def a30_mig_container(folder: Path) -> FakeMachine:
    """Return a container with one of the four slices of an A30; its energy counter is refused."""
    gpu = FakeGpu(
        _uuid(0xA3000000),
        "NVIDIA A30",
        energy_mj=None,
        instant_mw={SCOPE_GPU: 80_000},
        mig=[
            FakeMig(f"MIG-a3000000-0000-5000-8000-00000000000{n}", 1, gpu_instance=3 + n, permitted=n == 1)
            for n in range(4)
        ],
        mig_slices=4,
        mig_profiles=False,
    )
    return _machine(folder, [gpu], {"NVIDIA_VISIBLE_DEVICES": "0:1"})


def gh200(folder: Path) -> FakeMachine:
    """Return a node of four GH200 (as in JUPITER): the counter is the module's, the GPU has a gauge of its own."""
    gpus = [
        FakeGpu(
            _uuid(0x92000000 + number),
            "NVIDIA GH200 120GB",
            energy_mj=5_000_000 + number,
            power_mw=190_000,
            instant_mw={SCOPE_GPU: 100_000 + number, SCOPE_MODULE: 190_000},
            capability=(9, 0),
            c2c=True,
            pci=(0x0009 + 0x10 * number, 1, 0),
        )
        for number in range(4)
    ]
    return _superchips(folder, gpus, gpus_per_grace=1)


def gb200(folder: Path) -> FakeMachine:
    """Return a GB200 tray: two Graces with two GPUs each, and both GPUs report their module's power."""
    gpus = [
        FakeGpu(
            _uuid(0xB2000000 + number),
            "NVIDIA GB200",
            energy_mj=7_000_000 + number,
            power_mw=180_000,
            instant_mw={SCOPE_GPU: 170_000 + number},
            average_mw={SCOPE_GPU: 171_000, SCOPE_MODULE: 500_000 + 100_000 * (number // 2)},
            capability=(10, 0),
            c2c=True,
            pci=(domain, 1, 0),
        )
        for number, domain in enumerate((0x0008, 0x0009, 0x0018, 0x0019))
    ]
    return _superchips(folder, gpus, gpus_per_grace=2)


def _superchips(folder: Path, gpus: list[FakeGpu], *, gpus_per_grace: int) -> FakeMachine:
    machine = _machine(folder, gpus)
    for number, gpu in enumerate(gpus):
        domain, bus, device = gpu.pci or (0, 0, 0)
        place = f"sys/bus/pci/devices/{domain:04x}:{bus:02x}:{device:02x}.0"
        machine.write(f"{place}/numa_node", f"{number // gpus_per_grace}\n")
    return machine


def vgpu(folder: Path) -> FakeMachine:
    """Return a virtual machine with a vGPU that tells neither energy nor power."""
    return _machine(folder, [FakeGpu(_uuid(0xC0000000), "GRID A100D-20C", energy_mj=None, power_mw=None)])


def lost(folder: Path) -> FakeMachine:
    """Return four V100, the second of which has fallen off the bus."""
    gpus = [
        FakeGpu(_uuid(0x70000000 + number), "Tesla V100-SXM2-32GB", capability=(7, 0), lost=number == 1)
        for number in range(4)
    ]
    return _machine(folder, gpus)


def constrained(folder: Path) -> FakeMachine:
    """Return a Slurm job with two of a node's four A100, held in by a cgroup; NVML counts all four."""
    gpus = [_a100(number, bus) for number, bus in enumerate(_DGX_BUSES[:4])]
    gpus[0].permitted = gpus[2].permitted = False
    slurm = {"SLURM_JOB_ID": "77", "SLURM_JOB_GPUS": "1,3", "CUDA_VISIBLE_DEVICES": "0,1"}
    return _machine(folder, gpus, slurm)


def denied(folder: Path) -> FakeMachine:
    """Return a workstation whose device files this user may not open."""
    gpu = _a100(0, 0x07)
    gpu.permitted = False
    return _machine(folder, [gpu])


def no_driver(folder: Path) -> FakeMachine:
    """Return a machine without NVIDIA's driver."""
    return FakeMachine(folder)


MACHINES: dict[str, Callable[[Path], FakeMachine]] = {
    "nvidia-8xa100": dgx_a100,
    "nvidia-mixed": mixed,
    "nvidia-p100": p100,
    "nvidia-rtx3090": rtx_3090,
    "nvidia-a100-mig": a100_mig,
    "nvidia-a100-mig-whole": a100_mig_whole,
    "nvidia-a30-mig-container": a30_mig_container,
    "nvidia-4xgh200": gh200,
    "nvidia-gb200": gb200,
    "nvidia-vgpu": vgpu,
    "nvidia-lost": lost,
    "nvidia-slurm-constrained": constrained,
    "nvidia-denied": denied,
    "nvidia-no-driver": no_driver,
}
