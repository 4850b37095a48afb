"""Machines whose power is in hwmon sensors of other makers, and laptops on battery.

Sources. ACPI power meter: drivers/hwmon/acpi_power_meter.c, and a server's listing with ``measures/LNXSYBUS:00``.
POWER9: the output of ``sensors`` in OpenPOWER's note "Hwmon sensors in P9" (Chip 0 157 W; APSS 15 is System once
more) and drivers/hwmon/ibmpowernv.c. amd_energy, corsair-psu, fam15h_power, xgene-hwmon: their files in
Documentation/hwmon. amd_hsmp: Documentation/arch/x86/amd_hsmp.rst. Apple:
arch/arm64/boot/dts/apple/hwmon-common.dtsi. Batteries: Documentation/ABI/testing/sysfs-class-power; ThinkPads with
two as tlp-stat shows them; qcom-battmgr with negative power (powertop#173); current and voltage alone
(powertop#81).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.units import UW_PER_W
from greenai.testing.machine import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def chip(
    machine: FakeMachine, number: int, name: str, files: Mapping[str, object], *, device: bool = False
) -> str:
    """Add a hwmon device; return its folder.

    Args:
        machine: The machine.
        number: Its number.
        name: Name of the driver's chip.
        files: Content by name of file.
        device: True if the driver leaves its files with the device, as old ones do.
    """
    folder = f"sys/class/hwmon/hwmon{number}" + ("/device" if device else "")
    machine.write(f"{folder}/name", f"{name}\n")
    for file, content in files.items():
        machine.write(f"{folder}/{file}", f"{content}\n")
    return folder


def labelled(kind: str, sensors: Mapping[str, int], first: int = 1) -> dict[str, object]:
    """Return the files of labelled sensors: ``power`` or ``energy``, value by label."""
    files: dict[str, object] = {}
    for number, (label, value) in enumerate(sensors.items(), start=first):
        files[f"{kind}{number}_label"] = label
        files[f"{kind}{number}_input"] = value
    return files


def power_meter(
    machine: FakeMachine,
    number: int,
    power_uw: int,
    *,
    measures: str | None,
    new: bool = False,
    interval_ms: int = 1000,
) -> str:
    """Add an ACPI power meter without OEM information; return its folder."""
    files = {
        "power1_average": power_uw,
        "power1_average_interval": interval_ms,
        "power1_is_battery": 0,
        "power1_oem_info": "",
        "power1_model_number": "",
    }
    folder = chip(machine, number, "power_meter", files, device=not new)
    if measures is not None:
        machine.write(f"sys/class/hwmon/hwmon{number}/device/measures/{measures}", "")
    return folder


def _server(folder: Path) -> FakeMachine:
    machine = FakeMachine(folder)
    chip(machine, 0, "coretemp", {"temp1_input": 47_000, "temp1_label": "Package id 0"})
    chip(machine, 1, "nvme", {"temp1_input": 38_850})
    # An unknown meter: nobody knows what hangs on it.
    chip(machine, 2, "ina226", {"power1_input": 12_000_000, "in1_input": 12_000})
    return machine


def acpi_meter(folder: Path) -> FakeMachine:
    """Build a rack server whose ACPI meter measures the whole system, under an older kernel."""
    machine = _server(folder)
    power_meter(machine, 3, 288 * UW_PER_W, measures="LNXSYBUS:00")
    return machine


def acpi_meter_new_kernel(folder: Path) -> FakeMachine:
    """Build such a server under kernel 6.15, with an averaging interval of five minutes."""
    machine = _server(folder)
    power_meter(machine, 3, 130 * UW_PER_W, measures="LNXSYBUS:00", new=True, interval_ms=300_000)
    return machine


def power9(folder: Path) -> FakeMachine:
    """Build an IBM POWER9 server with two chips and four GPUs."""
    machine = FakeMachine(folder)
    machine.write(
        "proc/cpuinfo", "processor\t: 0\ncpu\t\t: POWER9, altivec supported\nmachine\t\t: PowerNV 8335-GTH\n"
    )
    powers_w = {
        "Chip 0 ": 157,
        "Chip 0 Vdd": 113,
        "Chip 0 Vdn": 12,
        "Chip 0 Memory": 40,
        "Chip 0 GPU": 310,
        "Chip 8 ": 99,
        "Chip 8 Vdd": 62,
        "Chip 8 Vdn": 12,
        "Chip 8 Memory": 38,
        "Chip 8 GPU": 295,
        "System": 1_126,
        "APSS 1 ": 127,
        "APSS 15 ": 1_126,
    }
    files = labelled("power", {label: watts * UW_PER_W for label, watts in powers_w.items()})
    files |= labelled("energy", {label: watts * 50_000 * 1_000_000 for label, watts in powers_w.items()}, first=3)
    files |= {"temp1_label": "Chip 0 Core 0", "temp1_input": 51_000}
    chip(machine, 0, "ibmpowernv", files)
    return machine


def epyc_amd_energy(folder: Path) -> FakeMachine:
    """Build a two-socket EPYC with NPS4: eight NUMA nodes, so four names for each package's counter."""
    machine = _server(folder)
    machine.cpu("AMD EPYC 7742 64-Core Processor", vendor="AuthenticAMD", cpus=8, sockets=2)
    cores = {f"Ecore{n:03}": 1_000_000 + n for n in range(4)}
    packages = {f"Esocket{n}": 900_000_000 + 50_000_000 * (n // 4) for n in range(8)}
    chip(machine, 3, "amd_energy", labelled("energy", cores | packages))
    return machine


def epyc_hsmp(folder: Path) -> FakeMachine:
    """Build a two-socket EPYC of the fifth generation under kernel 6.16."""
    machine = _server(folder)
    machine.cpu("AMD EPYC 9755 128-Core Processor", vendor="AuthenticAMD", cpus=8, sockets=2)
    for socket, power_w in enumerate((161, 158)):
        files = {
            "power1_input": power_w * UW_PER_W,
            "power1_cap": 500 * UW_PER_W,
            "power1_cap_max": 500 * UW_PER_W,
        }
        chip(machine, 3 + socket, "amd_hsmp_hwmon", files)
    return machine


def corsair_desktop(folder: Path) -> FakeMachine:
    """Build a desktop with a power supply that tells what it gives."""
    machine = _server(folder)
    rails_w = {"power total": 110, "power +12v": 92, "power +5v": 14, "power +3.3v": 5}
    files = labelled("power", {label: watts * UW_PER_W for label, watts in rails_w.items()})
    chip(machine, 3, "corsair-psu", files | {"in0_label": "v_in", "in0_input": 230_000})
    return machine


def apple_silicon(folder: Path) -> FakeMachine:
    """Build a Mac mini under Linux."""
    machine = FakeMachine(folder)
    machine.write("proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x61\nCPU part\t: 0x022\n")
    powers = {"Total System Power": 25_000_000, "AC Input Power": 30_000_000, "3.8 V Rail Power": 5_000_000}
    chip(machine, 0, "macsmc_hwmon", labelled("power", powers))
    return machine


def bulldozer(folder: Path) -> FakeMachine:
    """Build an AMD FX: a mean power beside a momentary one."""
    machine = _server(folder)
    machine.cpu("AMD FX(tm)-8350 Eight-Core Processor", vendor="AuthenticAMD")
    files = {
        "power1_average": 61_310_000,
        "power1_average_interval": 10,
        "power1_crit": 125_190_000,
        "power1_input": 70_000_000,
    }
    chip(machine, 3, "fam15h_power", files)
    return machine


def x_gene(folder: Path) -> FakeMachine:
    """Build an X-Gene server."""
    machine = FakeMachine(folder)
    machine.write("proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x50\nCPU part\t: 0x000\n")
    files = labelled("power", {"CPU power": 21_500_000, "IO power": 11_200_000})
    chip(machine, 0, "apm_xgene", files | {"temp1_label": "SoC Temperature", "temp1_input": 42_000})
    return machine


SERVERS: dict[str, Callable[[Path], FakeMachine]] = {
    "acpi-power-meter": acpi_meter,
    "acpi-power-meter-new-kernel": acpi_meter_new_kernel,
    "power9": power9,
    "epyc-amd-energy-nps4": epyc_amd_energy,
    "epyc-hsmp": epyc_hsmp,
    "desktop-corsair": corsair_desktop,
    "apple-silicon-linux": apple_silicon,
    "amd-fx": bulldozer,
    "x-gene": x_gene,
}


def supply(machine: FakeMachine, name: str, files: Mapping[str, object]) -> str:
    """Add a power supply; return its folder."""
    folder = f"sys/class/power_supply/{name}"
    for file, content in files.items():
        machine.write(f"{folder}/{file}", f"{content}\n")
    return folder


def laptop(folder: Path) -> FakeMachine:
    """Build a laptop on battery that tells power; its mouse has a battery as well."""
    machine = FakeMachine(folder)
    machine.cpu("13th Gen Intel(R) Core(TM) i7-1360P")
    supply(machine, "AC", {"type": "Mains", "online": 0})
    supply(
        machine,
        "BAT0",
        {
            "type": "Battery",
            "present": 1,
            "status": "Discharging",
            "power_now": 8_765_000,
            "voltage_now": 15_420_000,
            "energy_now": 41_230_000,
        },
    )
    mouse = {"type": "Battery", "scope": "Device", "present": 1, "status": "Discharging", "voltage_now": 3_900_000}
    supply(machine, "hidpp_battery_0", mouse)
    supply(machine, "ucsi-source-psy-USBC000:001", {"type": "USB", "online": 0, "current_now": 0})
    return machine


def two_batteries(folder: Path) -> FakeMachine:
    """Build a ThinkPad with two batteries: the outer one is emptied first."""
    machine = FakeMachine(folder)
    supply(machine, "AC", {"type": "Mains", "online": 0})
    inner = {"type": "Battery", "present": 1, "status": "Not charging", "power_now": 0, "voltage_now": 12_600_000}
    outer = {
        "type": "Battery",
        "present": 1,
        "status": "Discharging",
        "power_now": 11_250_000,
        "voltage_now": 11_900_000,
    }
    supply(machine, "BAT0", inner)
    supply(machine, "BAT1", outer)
    return machine


def current_and_voltage(folder: Path) -> FakeMachine:
    """Build a laptop whose battery tells current and voltage only."""
    machine = FakeMachine(folder)
    supply(machine, "ADP1", {"type": "Mains", "online": 0})
    battery = {
        "type": "Battery",
        "present": 1,
        "status": "Discharging",
        "current_now": 800_000,
        "voltage_now": 11_140_000,
    }
    supply(machine, "BAT0", battery)
    return machine


def negative_power(folder: Path) -> FakeMachine:
    """Build an ARM laptop whose driver gives a negative power while discharging."""
    machine = FakeMachine(folder)
    supply(machine, "qcom-battmgr-ac", {"type": "Mains", "online": 0})
    battery = {
        "type": "Battery",
        "present": 1,
        "status": "Discharging",
        "power_now": -6_200_000,
        "current_now": -520_000,
        "voltage_now": 11_923_000,
    }
    supply(machine, "qcom-battmgr-bat", battery)
    return machine


LAPTOPS: dict[str, Callable[[Path], FakeMachine]] = {
    "laptop": laptop,
    "laptop-two-batteries": two_batteries,
    "laptop-current-and-voltage": current_and_voltage,
    "laptop-negative-power": negative_power,
}

MACHINES: dict[str, Callable[[Path], FakeMachine]] = {**SERVERS, **LAPTOPS}
