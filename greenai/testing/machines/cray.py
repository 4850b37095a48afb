"""HPE Cray nodes, as their node controllers show themselves in ``/sys/cray/pm_counters``.

Sources of the layouts:

* EX235a (4 MI250X, Adastra and LUMI): values captured on Adastra, pkg/collector/cray_pm_counters_test.go in
  ceems-dev/ceems; its parts add up to 840 W of 873 W.
* EX254n (4 GH200, Alps): the listing of all 34 files in eth-cscs' cscs-docs. No values are published; these are
  invented.
* EX255a (4 MI300A, Hunter): 14 of the 23 files with their values in the tests of hws (cray_pm_counters backend).
* EX425 (2 EPYC, ARCHER2 and Shaheen): the names in HPE docs-csm and eth-cscs/node-burn (zen2); values invented.
* XC50 (P100, Piz Daint): the names in energymon, cray-pm. One unnumbered accelerator, and lines without a time, as
  APEX reads them; values invented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.testing.machine import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_FOLDER = "sys/cray/pm_counters"
_EPOCH_US = 1_734_094_386_462_336


def counters(
    machine: FakeMachine,
    energies_j: Mapping[str, int],
    time_us: int | None = _EPOCH_US,
    startup: int | None = None,
) -> None:
    """Set energy counters to these joules, all of one scan of the controller.

    Args:
        machine: The machine.
        energies_j: By file name without its end, e.g. ``accel0_``; empty for the whole node.
        time_us: The controller's time; None for the old lines without.
        startup: What the controller took down at its last restart; None leaves it.
    """
    end = "" if time_us is None else f" {time_us} us"
    for prefix, energy_j in energies_j.items():
        machine.write(f"{_FOLDER}/{prefix}energy", f"{energy_j} J{end}\n")
    if startup is not None:
        machine.write(f"{_FOLDER}/startup", f"{startup}\n")


def _surroundings(machine: FakeMachine, powers_w: Mapping[str, int], time_us: int, version: int) -> None:
    """Write what lies beside the counters."""
    for prefix, power_w in powers_w.items():
        machine.write(f"{_FOLDER}/{prefix}power", f"{power_w} W {time_us} us\n")
        if not prefix.startswith(("cpu", "memory")):
            machine.write(f"{_FOLDER}/{prefix}power_cap", "0 W\n")
    machine.write(f"{_FOLDER}/freshness", "60043284\n")
    machine.write(f"{_FOLDER}/generation", "16\n")
    machine.write(f"{_FOLDER}/raw_scan_hz", "10\n")
    machine.write(f"{_FOLDER}/version", f"{version}\n")


def ex235a(folder: Path) -> FakeMachine:
    """One EPYC and four cards MI250X."""
    machine = FakeMachine(folder)
    machine.cpu("AMD EPYC 7A53 64-Core Processor", vendor="AuthenticAMD")
    energies_j = {"": 1_360_621_494, "cpu_": 139_431_088, "memory_": 104_283_458, "accel0_": 208_970_342}
    energies_j |= {"accel1_": 268_461_017, "accel2_": 271_696_890, "accel3_": 251_713_932}
    powers_w = {"": 873, "cpu_": 83, "memory_": 75, "accel0_": 99, "accel1_": 197, "accel2_": 263, "accel3_": 123}
    _surroundings(machine, powers_w, _EPOCH_US, version=2)
    counters(machine, energies_j, startup=1_732_740_000_000_000)
    machine.write(f"{_FOLDER}/cpu0_temp", f"48 C {_EPOCH_US} us\n")
    return machine


def ex254n(folder: Path) -> FakeMachine:
    """Four superchips GH200."""
    machine = FakeMachine(folder)
    machine.write("proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd4f\n")
    energies_j = {"": 9_000_000_000, "cpu_": 1_600_000_000}
    energies_j |= {f"cpu{n}_": 400_000_000 for n in range(4)} | {f"accel{n}_": 1_500_000_000 for n in range(4)}
    powers_w = {"": 1900, "cpu_": 320} | {f"cpu{n}_": 80 for n in range(4)} | {f"accel{n}_": 330 for n in range(4)}
    _surroundings(machine, powers_w, _EPOCH_US, version=2)
    counters(machine, energies_j, startup=1_730_000_000_000_000)
    for n in range(4):
        machine.write(f"{_FOLDER}/cpu{n}_temp", f"41 C {_EPOCH_US} us\n")
    return machine


def ex255a(folder: Path) -> FakeMachine:
    """Four APUs MI300A; the controller counts its time from its own start."""
    machine = FakeMachine(folder)
    machine.cpu("AMD Instinct MI300A Accelerator", vendor="AuthenticAMD", sockets=4)
    time_us = 7_810_213_855_886
    energies_j = {"": 12_044_825_101, "accel0_": 2_869_283_299, "accel1_": 2_870_000_000}
    energies_j |= {"accel2_": 2_871_000_000, "accel3_": 2_872_000_000}
    energies_j |= {"capped_": 12_752_953, "overshoot_": 3_951_201}
    _surroundings(machine, {"": 724} | {f"accel{n}_": 212 for n in range(4)}, time_us, version=3)
    counters(machine, energies_j, time_us, startup=1_778_580_757_634_187)
    machine.write(f"{_FOLDER}/overshoot", "62408\n")
    return machine


def ex425(folder: Path) -> FakeMachine:
    """Two EPYC, no accelerator: its counter is there and stays at 0."""
    machine = FakeMachine(folder)
    machine.cpu("AMD EPYC 7742 64-Core Processor", vendor="AuthenticAMD", sockets=2)
    _surroundings(machine, {"": 410, "cpu_": 250, "memory_": 60}, _EPOCH_US, version=2)
    energies_j = {"": 5_000_000_000, "cpu_": 3_000_000_000, "memory_": 700_000_000, "accel_": 0}
    counters(machine, energies_j, startup=1_700_000_000_000_000)
    return machine


def xc50(folder: Path) -> FakeMachine:
    """One Xeon and one P100, of the time before the lines had a time."""
    machine = FakeMachine(folder)
    machine.cpu("Intel(R) Xeon(R) CPU E5-2690 v3 @ 2.60GHz")
    _surroundings(machine, {}, _EPOCH_US, version=1)
    energies_j = {"": 80_000_000, "cpu_": 20_000_000, "memory_": 5_000_000, "accel_": 40_000_000}
    counters(machine, energies_j, time_us=None, startup=3)
    return machine


MACHINES: dict[str, Callable[[Path], FakeMachine]] = {
    "cray-ex235a-mi250x": ex235a,
    "cray-ex254n-gh200": ex254n,
    "cray-ex255a-mi300a": ex255a,
    "cray-ex425-epyc": ex425,
    "cray-xc50-p100": xc50,
}
