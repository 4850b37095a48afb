"""Machines with NVIDIA Grace: its ACPI power meters as acpi_power_meter shows them.

Sources. Layout: drivers/hwmon/acpi_power_meter.c (files with the ACPI device; from kernel 6.15 with the hwmon
device). Labels and intervals: edk2-nvidia, BpmpSsdtSocket0_th500.asl. Figures of the four-way GH200: jpwr's README
(a JUPITER node: Module 165 to 218 W, Grace about 36 W idle, GPU by NVML 92 to 113 W); of GB200: NVIDIA/srt-slurm
(Grace 98 to 109 W, CPU 51 to 56 W, SysIO 6 W; two Grace sockets and four GPUs in a tray).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.units import UW_PER_MW, UW_PER_W
from greenai.testing.machine import FakeMachine
from greenai.testing.nvml import FakeGpu, FakeNvml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

NEOVERSE_V2 = "0x00000000410fd4f0\n"  # MIDR_EL1 of Grace, and of Graviton4 and Axion
_CPUINFO = """processor\t: {number}
BogoMIPS\t: 2000.00
Features\t: fp asimd evtstrm aes sve2 svebf16
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd4f
CPU revision\t: 0

"""


def neoverse_v2(machine: FakeMachine, *, nvidia: bool = True) -> None:
    """Make the processor a Neoverse V2: NVIDIA's, or that of a cloud."""
    machine.write("proc/cpuinfo", "".join(_CPUINFO.format(number=number) for number in range(4)))
    machine.write("sys/devices/system/cpu/cpu0/regs/identification/midr_el1", NEOVERSE_V2)
    if nvidia:
        machine.write("sys/devices/soc0/soc_id", "jep106:036b:0241\n")


def meter(
    machine: FakeMachine, number: int, label: str, power_uw: int, *, interval_ms: int = 50, kernel: str = "6.8"
) -> Path:
    """Add an ACPI power meter as ``hwmon<number>``; return the file of its power."""
    hwmon = f"sys/class/hwmon/hwmon{number}"
    folder = hwmon if kernel == "6.15" else f"{hwmon}/device"
    machine.write(f"{folder}/name", "power_meter\n")
    machine.write(f"{folder}/power1_model_number", "\n")
    machine.write(f"{folder}/power1_oem_info", f"{label}\n")
    machine.write(f"{folder}/power1_accuracy", "100.0%\n")
    machine.write(f"{folder}/power1_is_battery", "0\n")
    machine.write(f"{folder}/power1_average_interval", f"{interval_ms}\n")
    machine.write(f"{folder}/power1_average_interval_min", "50\n")
    machine.write(f"{folder}/power1_average_interval_max", "1000\n")
    machine.write(f"{hwmon}/device/measures/ACPI000D:{number:02x}", "")
    machine.write(f"sys/bus/acpi/devices/ACPI000D:{number:02x}/status", "15\n")
    return machine.write(f"{folder}/power1_average", f"{power_uw}\n")


def sockets(
    machine: FakeMachine, powers_mw: Mapping[str, tuple[int, ...]], *, first: int = 1, kernel: str = "6.8"
) -> None:
    """Add the meters of all sockets: milliwatts by kind ("Module"), one figure for each socket."""
    number = first
    for socket in range(len(next(iter(powers_mw.values())))):
        for kind, figures in powers_mw.items():
            label = f"{kind} Power Socket {socket}"
            meter(machine, number, label, figures[socket] * UW_PER_MW, kernel=kernel)
            number += 1


def _gpus(name: str, powers_mw: tuple[int, ...]) -> FakeNvml:
    return FakeNvml(
        [FakeGpu(f"GPU-{n}0ace", name, energy_mj=None, power_mw=power_mw) for n, power_mw in enumerate(powers_mw)]
    )


def _machine(folder: Path) -> FakeMachine:
    machine = FakeMachine(folder)
    neoverse_v2(machine)
    machine.write("sys/class/hwmon/hwmon0/name", "nvme\n")
    machine.write("sys/class/hwmon/hwmon0/temp1_input", "38850\n")
    return machine


JUPITER_MODULE_MW = (218_000, 170_000, 165_000, 168_000)
JUPITER_GRACE_MW = (110_000, 36_000, 36_500, 35_500)
JUPITER_GPU_MW = (113_000, 92_000, 95_000, 93_000)
_JUPITER_PARTS = {
    "Grace": JUPITER_GRACE_MW,
    "CPU": (60_000, 12_000, 12_500, 11_800),
    "SysIO": (9_000, 8_200, 8_100, 8_300),
}


def gh200_four_way(folder: Path) -> FakeMachine:
    """Build a JUPITER Booster node: four GH200, with Module meters."""
    machine = _machine(folder)
    sockets(machine, {"Module": JUPITER_MODULE_MW, **_JUPITER_PARTS})
    machine.nvml = _gpus("NVIDIA GH200 120GB", JUPITER_GPU_MW)
    return machine


def gh200_without_module(folder: Path) -> FakeMachine:
    """Build the same node under firmware that hides the Module meters, and a new kernel."""
    machine = _machine(folder)
    sockets(machine, _JUPITER_PARTS, kernel="6.15")
    machine.nvml = _gpus("NVIDIA GH200 120GB", JUPITER_GPU_MW)
    return machine


def grace_superchip(folder: Path) -> FakeMachine:
    """Build a Grace CPU superchip: two sockets, no GPU, no Module."""
    machine = _machine(folder)
    sockets(machine, {"Grace": (205_000, 198_000), "CPU": (150_000, 146_000), "SysIO": (11_000, 10_500)})
    return machine


def gb200(folder: Path) -> FakeMachine:
    """Build a compute tray of a GB200 NVL72: two modules of one Grace and two GPUs each."""
    machine = _machine(folder)
    sockets(
        machine,
        {
            "Module": (1_950_000, 1_890_000),
            "Grace": (104_000, 98_000),
            "CPU": (56_000, 51_000),
            "SysIO": (6_600, 6_100),
        },
    )
    machine.nvml = _gpus("NVIDIA GB200", (905_000, 890_000, 880_000, 860_000))
    return machine


def other_labels(folder: Path) -> FakeMachine:
    """Build a machine with the labels that srt-slurm knows from other platforms, and meters that are no power."""
    machine = _machine(folder)
    names = ("Total Power in uW", "CPU Rail Input Power in uW", "SOC Rail Power in uW", "DRAM Power in uW")
    for number, (name, power_w) in enumerate(zip(names, (150, 70, 6, 8), strict=True), start=1):
        meter(machine, number, f"{name} socket 0", power_w * UW_PER_W)
    meter(machine, 5, "CPU Rail Output Power in uW socket 0", 55 * UW_PER_W)
    meter(machine, 6, "Total CPU Energy In uJ socket 0", 1_000_000)
    return machine


MACHINES: dict[str, Callable[[Path], FakeMachine]] = {
    "gh200-four-way": gh200_four_way,
    "gh200-without-module": gh200_without_module,
    "grace-superchip": grace_superchip,
    "gb200-tray": gb200,
    "grace-other-labels": other_labels,
}
