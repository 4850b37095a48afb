"""Processors with RAPL counters, by powercap and by the ``power`` PMU.

The trees follow the drivers: drivers/powercap/powercap_sys.c (numbers in hexadecimal, links in the class folder,
subzones inside their package's folder), intel_rapl_common.c (names, ranges), arch/x86/events/rapl.c (the PMU). The
ranges are those that machines report: 262143328850 and 65712999613 (memory of servers) on Intel, 65532610987 on
AMD, 262143999938 on kernels of 2014 (intel/thermal_daemon issue 45, i7-4770S). Zones of single machines:

* Cascade Lake with four sockets, memory the only subzone: level1techs/siomon issue 70
* Core Ultra 7 265H with psys, core, uncore and an MMIO zone: mlco2/codecarbon pull request 950
* Threadripper 1950X with one counter listed by die, 68 W each: mlco2/codecarbon issue 1274
* EPYC 9654 on kernel 6.9 to 6.11, one counter listed by chiplet: the kernel's "powercap/intel_rapl: Fix the
  energy-pkg event for AMD CPUs"
* Cascade Lake-AP, each die with a counter of its own: the kernel's "powercap/intel_rapl: Update RAPL domain name
  and debug messages"
* Xeon 6 with TPMI: deepin-community/kernel pull request 836
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.testing.machine import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

RANGE_UJ = 262_143_328_850
DRAM_RANGE_UJ = 65_712_999_613
AMD_RANGE_UJ = 65_532_610_987

PMU_TYPE = 24
PKG, RAM = 0x02, 0x03
_EVENTS = {"energy-cores": 0x01, "energy-pkg": PKG, "energy-ram": RAM, "energy-gpu": 0x04, "energy-psys": 0x05}
COUNTS_PER_J = 2**32
_SCALE = "2.3283064365386962890625e-10"


@dataclass(frozen=True, slots=True)
class Zone:
    """A powercap zone and those inside it."""

    name: str
    energy_uj: int
    range_uj: int = RANGE_UJ
    inside: tuple[Zone, ...] = ()


def powercap(machine: FakeMachine, zones: Sequence[Zone], control: str = "intel-rapl") -> None:
    """Add a control type with its zones, with the links that the kernel makes."""
    devices = machine.root / "sys/devices/virtual/powercap"
    classes = machine.root / "sys/class/powercap"
    classes.mkdir(parents=True, exist_ok=True)

    def add(zone: Zone, parent: Path, number: str) -> None:
        folder = parent / number
        relative = folder.relative_to(machine.root)
        machine.write(f"{relative}/name", f"{zone.name}\n")
        machine.write(f"{relative}/energy_uj", f"{zone.energy_uj}\n")
        machine.write(f"{relative}/max_energy_range_uj", f"{zone.range_uj}\n")
        (classes / number).symlink_to(folder)
        for index, child in enumerate(zone.inside):
            add(child, folder, f"{number}:{index:x}")

    machine.write(f"sys/devices/virtual/powercap/{control}/enabled", "1\n")
    (classes / control).symlink_to(devices / control)
    for index, zone in enumerate(zones):
        add(zone, devices / control, f"{control}:{index:x}")


def power_pmu(
    machine: FakeMachine, cpus: dict[int, tuple[int, int]], events: Sequence[str] = ("energy-pkg",)
) -> None:
    """Add the ``power`` PMU.

    Args:
        machine: Where.
        cpus: Package and die of each CPU in its mask.
        events: Names of its events.
    """
    pmu = "sys/bus/event_source/devices/power"
    machine.write(f"{pmu}/type", f"{PMU_TYPE}\n")
    machine.write(f"{pmu}/cpumask", ",".join(str(cpu) for cpu in cpus) + "\n")
    machine.write(f"{pmu}/format/event", "config:0-7\n")
    for name in events:
        machine.write(f"{pmu}/events/{name}", f"event={_EVENTS[name]:#04x}\n")
        machine.write(f"{pmu}/events/{name}.scale", f"{_SCALE}\n")
        machine.write(f"{pmu}/events/{name}.unit", "Joules\n")
    for cpu, (package, die) in cpus.items():
        machine.write(f"sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id", f"{package}\n")
        machine.write(f"sys/devices/system/cpu/cpu{cpu}/topology/die_id", f"{die}\n")
        for name in events:
            machine.perf[PMU_TYPE, _EVENTS[name], cpu] = 0


def shut_powercap(machine: FakeMachine) -> None:
    """Let nobody read ``energy_uj``, as since kernel 5.10. Root may read any file, but no folder."""
    for file in (machine.root / "sys/devices/virtual/powercap").rglob("energy_uj"):
        file.unlink()
        file.mkdir()


def _socket(number: int, package_uj: int, dram_uj: int | None = None, dram_range_uj: int = DRAM_RANGE_UJ) -> Zone:
    inside = () if dram_uj is None else (Zone("dram", dram_uj, dram_range_uj),)
    return Zone(f"package-{number}", package_uj, inside=inside)


def xeon_4_sockets(folder: Path) -> FakeMachine:
    """Cascade Lake with four sockets: memory inside each package's folder, as in most compute nodes."""
    machine = FakeMachine(folder)
    machine.cpu("Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", cpus=8, sockets=4)
    memory_uj = (37_871_987_688, 16_813_759_539, 31_533_870_934, 23_087_939_276)
    powercap(machine, [_socket(n, 1_000_000 * (n + 1), memory_uj[n]) for n in range(4)])
    power_pmu(machine, {2 * n: (n, 0) for n in range(4)}, ("energy-pkg", "energy-ram"))
    return machine


def xeon_16_sockets(folder: Path) -> FakeMachine:
    """A machine of sixteen sockets: zones 0 to f."""
    machine = FakeMachine(folder)
    machine.cpu("Intel(R) Xeon(R) Platinum 8280L CPU @ 2.70GHz", cpus=16, sockets=16)
    powercap(machine, [_socket(n, 1000 + n, 2000 + n) for n in range(16)])
    power_pmu(machine, {n: (n, 0) for n in range(16)}, ("energy-pkg", "energy-ram"))
    return machine


def xeon_psys(folder: Path) -> FakeMachine:
    """Sapphire Rapids: a psys zone for each socket, between those of the packages, in steps of a joule."""
    machine = FakeMachine(folder)
    machine.cpu("Intel(R) Xeon(R) Platinum 8480+", cpus=4, sockets=2)
    psys_range_uj = (2**32 - 1) * 1_000_000
    powercap(
        machine,
        [
            _socket(0, 300_000_000, 40_000_000, RANGE_UJ),
            Zone("psys", 900_000_000, psys_range_uj),
            _socket(1, 310_000_000, 41_000_000, RANGE_UJ),
            Zone("psys-1", 910_000_000, psys_range_uj),
        ],
    )
    power_pmu(machine, {0: (0, 0), 2: (1, 0)}, ("energy-pkg", "energy-ram", "energy-psys"))
    return machine


def xeon_6(folder: Path) -> FakeMachine:
    """Granite Rapids: TPMI, one counter per package although the topology knows of several dies."""
    machine = FakeMachine(folder)
    machine.cpu("Intel(R) Xeon(R) 6980P", cpus=4, sockets=2)
    powercap(machine, [_socket(n, 225_780_000 + n, 10_710_000 + n, RANGE_UJ) for n in range(2)])
    power_pmu(machine, {0: (0, 0), 2: (1, 2)}, ("energy-pkg", "energy-psys", "energy-ram"))
    return machine


def xeon_dies(folder: Path) -> FakeMachine:
    """Cascade Lake-AP: two packages of two dies, and each die counts for itself."""
    machine = FakeMachine(folder)
    machine.cpu("Intel(R) Xeon(R) Platinum 9242 CPU @ 2.30GHz", cpus=4, sockets=2)
    dies = [(package, die) for package in range(2) for die in range(2)]
    memory = [(Zone("dram", 5_000 + n, DRAM_RANGE_UJ),) for n in range(4)]
    powercap(
        machine,
        [Zone(f"package-{p}-die-{d}", 10_000 * (n + 1), inside=memory[n]) for n, (p, d) in enumerate(dies)],
    )
    power_pmu(machine, dict(enumerate(dies)), ("energy-pkg", "energy-ram"))
    return machine


def core_laptop(folder: Path) -> FakeMachine:
    """A notebook: psys around the package, core and uncore inside, and the package once more by MMIO."""
    machine = FakeMachine(folder)
    machine.cpu("Intel(R) Core(TM) Ultra 7 265H", cpus=4)
    inside = (Zone("core", 840_000), Zone("uncore", 210_000), Zone("dram", 500_000))
    powercap(machine, [Zone("package-0", 3_930_000, inside=inside), Zone("psys", 9_610_000)])
    powercap(machine, [Zone("package-0", 3_780_000)], "intel-rapl-mmio")
    power_pmu(machine, {0: (0, 0)}, tuple(_EVENTS))
    return machine


def core_desktop_old(folder: Path) -> FakeMachine:
    """Haswell on an old kernel: no PMU module loaded, and ranges that were not yet rounded."""
    machine = FakeMachine(folder)
    machine.cpu("Intel(R) Core(TM) i7-4770S CPU @ 3.10GHz", cpus=4)
    old_range_uj = 262_143_999_938
    inside = (
        Zone("core", 1, old_range_uj), Zone("uncore", 2, old_range_uj), Zone("dram", 2_469_474_853, old_range_uj),
    )  # fmt: skip
    powercap(machine, [Zone("package-0", 70_000_000, old_range_uj, inside)])
    return machine


def threadripper_mirrored(folder: Path) -> FakeMachine:
    """Threadripper 1950X: one counter, listed for each of its two dies."""
    machine = FakeMachine(folder)
    machine.cpu("AMD Ryzen Threadripper 1950X 16-Core Processor", vendor="AuthenticAMD", cpus=4)
    core = (Zone("core", 77_000, AMD_RANGE_UJ),)
    powercap(machine, [Zone(f"package-0-die-{die}", 68_000_000 + die, AMD_RANGE_UJ, core) for die in range(2)])
    power_pmu(machine, {0: (0, 0), 2: (0, 1)})
    return machine


def epyc_chiplets(folder: Path) -> FakeMachine:
    """Two EPYC 9654 on kernel 6.9: one counter per package, listed for each of its twelve chiplets."""
    machine = FakeMachine(folder)
    machine.cpu("AMD EPYC 9654 96-Core Processor", vendor="AuthenticAMD", cpus=24, sockets=2)
    chiplets = [(package, die) for package in range(2) for die in range(12)]
    powercap(
        machine,
        [
            Zone(f"package-{p}-die-{d}", 9_000_000 * (p + 1) + d, AMD_RANGE_UJ, (Zone("core", 5, AMD_RANGE_UJ),))
            for p, d in chiplets
        ],
    )
    power_pmu(machine, dict(enumerate(chiplets)))
    return machine


def epyc(folder: Path) -> FakeMachine:
    """Two EPYC 7763: packages and a single core each, no memory; single cores by a PMU of their own."""
    machine = FakeMachine(folder)
    machine.cpu("AMD EPYC 7763 64-Core Processor", vendor="AuthenticAMD", cpus=4, sockets=2)
    core = (Zone("core", 3_000, AMD_RANGE_UJ),)
    powercap(machine, [Zone(f"package-{n}", 500_000 + n, AMD_RANGE_UJ, core) for n in range(2)])
    power_pmu(machine, {0: (0, 0), 2: (1, 0)})
    pmu = "sys/bus/event_source/devices/power_core"
    machine.write(f"{pmu}/type", f"{PMU_TYPE + 1}\n")
    machine.write(f"{pmu}/cpumask", "0-3\n")
    machine.write(f"{pmu}/events/energy-core", "event=0x01\n")
    return machine


def xeon_perf_only(folder: Path) -> FakeMachine:
    """Two sockets whose powercap counters are for root, on a machine that lets everybody use perf."""
    machine = FakeMachine(folder)
    machine.cpu("Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz", cpus=4, sockets=2)
    powercap(machine, [_socket(n, 1_000 + n, 2_000 + n) for n in range(2)])
    power_pmu(machine, {0: (0, 0), 2: (1, 0)}, ("energy-pkg", "energy-ram"))
    shut_powercap(machine)
    return machine


MACHINES: dict[str, Callable[[Path], FakeMachine]] = {
    "rapl_xeon_4_sockets": xeon_4_sockets,
    "rapl_xeon_16_sockets": xeon_16_sockets,
    "rapl_xeon_psys": xeon_psys,
    "rapl_xeon_6": xeon_6,
    "rapl_xeon_dies": xeon_dies,
    "rapl_core_laptop": core_laptop,
    "rapl_core_desktop_old": core_desktop_old,
    "rapl_threadripper_mirrored": threadripper_mirrored,
    "rapl_epyc_chiplets": epyc_chiplets,
    "rapl_epyc": epyc,
    "rapl_xeon_perf_only": xeon_perf_only,
}
