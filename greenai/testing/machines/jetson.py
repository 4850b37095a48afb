"""NVIDIA Jetson boards, with the rails of their power monitors.

Sources. Rails: tegra234-p3701.dtsi (AGX Orin), energymon's jetson/README (boards up to Xavier). Files:
Documentation/hwmon/ina3221.rst and ina238.rst; for JetPack 4 jtop. Figures: outputs of cat and tegrastats in
public notes (AGX Orin 12008 mV x 280 mA, in1_label "NC" on its second chip, in7_label "sum of shunt voltages";
Orin Nano 4984 mV x 960 mA; Thor 12040 mV x 960 mA and an idle GPU at -392 mW; TX2 19144 mV).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.testing.machine import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Rail = tuple[str, int, int]
"""Name, millivolts, milliamperes."""


def ina3221(machine: FakeMachine, device: str, hwmon: int, rails: tuple[Rail, ...], interval_ms: int = 7) -> str:
    """Add an INA3221 as JetPack 5 and newer show it; return its folder."""
    folder = f"sys/bus/i2c/drivers/ina3221/{device}/hwmon/hwmon{hwmon}"
    machine.write(f"{folder}/name", "ina3221\n")
    machine.write(f"{folder}/update_interval", f"{interval_ms}\n")
    for n, (label, millivolts, milliamperes) in enumerate(rails, start=1):
        machine.write(f"{folder}/in{n}_label", f"{label}\n")
        machine.write(f"{folder}/in{n}_enable", "1\n")
        machine.write(f"{folder}/in{n}_input", f"{millivolts}\n")
        machine.write(f"{folder}/curr{n}_input", f"{milliamperes}\n")
        machine.write(f"{folder}/in{n + 3}_input", f"{milliamperes * 2}\n")
    machine.write(f"{folder}/in7_label", "sum of shunt voltages\n")
    machine.write(f"{folder}/in7_input", "760\n")
    machine.write(f"{folder}/curr4_input", "360\n")
    return folder


def ina3221x(machine: FakeMachine, device: str, number: int, rails: tuple[Rail, ...]) -> str:
    """Add an INA3221 as JetPack 4 shows it; return its folder."""
    folder = f"sys/bus/i2c/drivers/ina3221x/{device}/iio:device{number}"
    machine.write(f"{folder}/name", "ina3221x\n")
    for n, (label, millivolts, milliamperes) in enumerate(rails):
        machine.write(f"{folder}/rail_name_{n}", f"{label}\n")
        machine.write(f"{folder}/in_voltage{n}_input", f"{millivolts}\n")
        machine.write(f"{folder}/in_current{n}_input", f"{milliamperes}\n")
        machine.write(f"{folder}/in_power{n}_input", f"{millivolts * milliamperes // 1000}\n")
        machine.write(f"{folder}/warn_current_limit_{n}", "32760 ma\n")
        machine.write(f"{folder}/polling_delay_{n}", "0 ms\n")
    return folder


def jetson(folder: Path, compatible: str) -> FakeMachine:
    """Build a bare Jetson."""
    machine = FakeMachine(folder)
    machine.write("proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd42\n")
    machine.write("sys/firmware/devicetree/base/compatible", compatible.replace(" ", "\0") + "\0")
    return machine


def agx_orin(folder: Path) -> FakeMachine:
    """Build an AGX Orin: three rails side by side, a fourth inside the third."""
    machine = jetson(folder, "nvidia,p3737-0000+p3701-0005 nvidia,p3701-0005 nvidia,tegra234")
    ina3221(
        machine,
        "1-0040",
        3,
        (("VDD_GPU_SOC", 12_008, 280), ("VDD_CPU_CV", 12_008, 40), ("VIN_SYS_5V0", 4_968, 980)),
    )
    ina3221(machine, "1-0041", 4, (("NC", 0, 0), ("VDDQ_VDD2_1V8AO", 4_968, 80), ("NC", 0, 0)))
    return machine


def orin_nano(folder: Path) -> FakeMachine:
    """Build an Orin Nano (an Orin NX has the same rails)."""
    machine = jetson(folder, "nvidia,p3768-0000+p3767-0005 nvidia,p3767-0005 nvidia,tegra234")
    ina3221(
        machine, "1-0040", 1, (("VDD_IN", 4_984, 960), ("VDD_CPU_GPU_CV", 4_976, 120), ("VDD_SOC", 4_976, 304))
    )
    return machine


def agx_thor(folder: Path) -> FakeMachine:
    """Build an AGX Thor: an INA238 at the input of the whole board; the idle GPU reads a little below nothing."""
    machine = jetson(folder, "nvidia,p4071-0000+p3834-0008 nvidia,p3834-0008 nvidia,tegra264")
    ina3221(
        machine,
        "2-0040",
        5,
        (("VDD_GPU", 12_040, -32), ("VDD_CPU_SOC_MSS", 12_040, 960), ("VIN_SYS_5V0", 5_088, 1_740)),
    )
    whole = "sys/bus/i2c/drivers/ina238/2-0044/hwmon/hwmon4"
    machine.write(f"{whole}/name", "ina238\n")
    machine.write(f"{whole}/label", "VIN\n")
    machine.write(f"{whole}/in0_input", "3\n")
    machine.write(f"{whole}/in1_input", "19800\n")
    machine.write(f"{whole}/curr1_input", "1162\n")
    machine.write(f"{whole}/power1_input", "23007600\n")
    return machine


def agx_xavier(folder: Path) -> FakeMachine:
    """Build an AGX Xavier under JetPack 4: six rails side by side."""
    machine = jetson(folder, "nvidia,p2972-0000 nvidia,tegra194")
    ina3221x(machine, "1-0040", 0, (("GPU", 19_152, 40), ("CPU", 19_152, 24), ("SOC", 19_152, 64)))
    ina3221x(machine, "1-0041", 1, (("CV", 19_152, 0), ("VDDRQ", 19_152, 16), ("SYS5V", 4_968, 376)))
    return machine


def tx2(folder: Path) -> FakeMachine:
    """Build a TX2 on its developer kit under JetPack 4: module and carrier board side by side."""
    machine = jetson(folder, "nvidia,p2597-0000+p3310-1000 nvidia,jetson-cv nvidia,tegra186")
    ina3221x(
        machine, "0-0040", 0, (("VDD_SYS_GPU", 19_136, 8), ("VDD_SYS_SOC", 19_144, 24), ("VDD_4V0_WIFI", 4_784, 4))
    )
    ina3221x(
        machine, "0-0041", 1, (("VDD_IN", 19_144, 160), ("VDD_SYS_CPU", 19_128, 16), ("VDD_SYS_DDR", 4_776, 240))
    )
    ina3221x(
        machine, "0-0042", 2, (("VDD_MUX", 19_160, 90), ("VDD_5V0_IO_SYS", 5_000, 120), ("VDD_3V3_SYS", 3_344, 60))
    )
    ina3221x(
        machine,
        "0-0043",
        3,
        (("VDD_3V3_IO_SLP", 3_344, 10), ("VDD_1V8_IO", 1_816, 20), ("VDD_3V3_SYS_M2", 3_344, 0)),
    )
    return machine


def nano(folder: Path) -> FakeMachine:
    """Build a Nano under JetPack 4."""
    machine = jetson(folder, "nvidia,p3450-0000 nvidia,jetson-nano nvidia,tegra210")
    ina3221x(
        machine, "6-0040", 0, (("POM_5V_IN", 5_056, 420), ("POM_5V_GPU", 5_056, 16), ("POM_5V_CPU", 5_056, 96))
    )
    return machine


MACHINES: dict[str, Callable[[Path], FakeMachine]] = {
    "jetson-agx-orin": agx_orin,
    "jetson-orin-nano": orin_nano,
    "jetson-agx-thor": agx_thor,
    "jetson-agx-xavier": agx_xavier,
    "jetson-tx2": tx2,
    "jetson-nano": nano,
}
