"""RAPL: what a processor's energy domains are called and what they mean, whichever door they are read by.

Two doors lead to the same counters: powercap (sysfs) and the ``power`` PMU (perf_event_open). A domain has one
name, and thus one channel id, behind both::

    package-0               cores, caches, memory controller, integrated graphics of socket 0
    package-0-die-1         the same of one die, where each die counts for itself (Cascade Lake-AP only)
    package-0/dram          the memory attached to it, not inside the package

The names are the kernel's (``rapl_add_package_cpuslocked`` in drivers/powercap/intel_rapl_common.c), but for one
case. The counter of AMD and Hygon is that of the whole package (``rapl_msrs_are_pkg_scope`` there), yet kernels
without the fix "powercap/intel_rapl: Fix the energy-pkg event for AMD CPUs" (v6.12, v6.11.1) list it once per die
or chiplet: ``package-0-die-0`` and ``package-0-die-1`` of a Threadripper 1950X, 68 W each, are 68 W together. The
die is then dropped from the name, and the domain is taken once.

Package and memory are disjoint: the package domain is the processor die, the memory domain the directly attached
DRAM (Intel SDM vol. 3B, RAPL Domains and Platform Specificity). We know of no document that says otherwise of a
client chip, and the kernel and turbostat treat both alike everywhere, so they are added up. Not offered at all are
``core`` and ``uncore`` (inside the package; AMD's ``core`` zone is that of one core) and ``psys`` (around it, if
the maker of the board wired it so).
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from math import log2
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.text import Text
from greenai.core.units import UJ_PER_J, UW_PER_W
from greenai.host.cpu import cpu_vendor, is_virtual
from greenai.host.machine import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.host.machine import Host

# The registers count 32 bits, whatever the unit (ENERGY_STATUS_MASK in intel_rapl_common.c), in steps that the
# driver can express: at least a nanojoule, at most a joule.
_COUNTS = 2**32
_SMALLEST_UNIT_UJ, _LARGEST_UNIT_UJ = 1e-3, 1e6
# Zones are numbered in hexadecimal: dev_set_name(..., "%s:%x", ...) in drivers/powercap/powercap_sys.c.
_ZONE = re.compile(r"^intel-rapl(?:-mmio)?(?::[0-9a-f]+){1,2}$")
_PACKAGE = re.compile(r"^package-(\d+)(?:-die-(\d+))?$")
_MODEL = re.compile(r"^model\s*:\s*(\d+)", re.MULTILINE)

# Generous: packages of 500 W exist, which may take twice that for a moment; two dozen memory modules of 25 W.
_MAX_PACKAGE_POWER_UW = 1000 * UW_PER_W
_MAX_DRAM_POWER_UW = 600 * UW_PER_W

# ~95 % half-widths. Intel measures since Haswell (Hackenberg et al., IPDPSW 2015; Khan et al., ToMPECS 2018);
# Sandy and Ivy Bridge are modelled, as is AMD's Zen 2, whose model does not see what data is worked on (Schöne et
# al., CLUSTER 2021). No such study of other AMD chips is known to us, so all are taken as modelled. DRAM: about
# 20 % (Desrochers et al., MEMSYS 2016).
_UNCERTAINTY_MEASURED = 0.05
_UNCERTAINTY_MODELLED = 0.10
_UNCERTAINTY_DRAM = 0.20
_MODELLED_INTEL = {"42", "45", "58", "62"}  # Sandy Bridge, -E/-EP, Ivy Bridge, -E/-EP (asm/intel-family.h)

# "Updated every ~1msec" (SDM): either end of a window may be late by that, which is a fifth of 10 ms.
_UPDATE_S = 0.001
_VERY_SHORT_S, _SHORT_S, _UNCERTAINTY_SHORT = 0.01, 0.1, 0.2

# QEMU computes a guest's registers from those of the host and the time its threads ran (docs/specs/rapl-msr.rst,
# target/i386/kvm/vmsr_energy.c). A second of one program may take half or twice the energy of another's.
_BY_HYPERVISOR = "hypervisor"
_UNCERTAINTY_SHARED_LOW, _UNCERTAINTY_SHARED = 0.5, 1.0
_VIRTUAL = Text(
    de="In dieser virtuellen Maschine kommt der Zähler vom Hypervisor, der die Energie des Prozessors nach "
    "Rechenzeit aufteilt; es ist keine Messung.",
    en="In this virtual machine the counter comes from the hypervisor, which shares the processor's energy out by "
    "CPU time; it is no measurement.",
)


class RaplZone(NamedTuple):
    """A powercap zone that counts a package or its memory.

    Attributes:
        domain: Its name, see the module's text.
        component: CPU or DRAM.
        folder: Where it is in sysfs.
    """

    domain: str
    component: Component
    folder: Path

    @property
    def unit_uj(self) -> float | None:
        """The step in which its register counts, microjoules; None if it cannot be told.

        From ``max_energy_range_uj``, which every user may read: 2³²-1 such steps, rounded down
        (``get_max_energy_counter`` in intel_rapl_common.c).
        """
        text = (read_text(self.folder / "max_energy_range_uj") or "").strip()
        unit_uj = int(text) / (_COUNTS - 1) if text.isdecimal() else 0.0
        return unit_uj if _SMALLEST_UNIT_UJ <= unit_uj <= _LARGEST_UNIT_UJ else None


def socket_wide(host: Host) -> bool:
    """Say whether a counter is that of a whole package even where the kernel lists it by die."""
    return cpu_vendor(host) in ("AuthenticAMD", "HygonGenuine")


def package_domain(host: Host, package: int, die: int | None) -> str:
    """Return the name of a package, or of its die where dies count for themselves."""
    return f"package-{package}" if die is None or socket_wide(host) else f"package-{package}-die-{die}"


def zone_folders(host: Host) -> list[Path]:
    """Return the folder of each powercap zone once, MSR before MMIO, in the order of their (hexadecimal) numbers.

    The class folder links to every zone. A subzone is also inside its package's folder; where a container is given
    no more than that folder, it is found there.
    """
    root = host.sys_root / "class" / "powercap"
    folders: dict[str, Path] = {}
    with suppress(OSError):
        folders = {name: root / name for name in os.listdir(root) if _ZONE.match(name)}  # noqa: PTH208  # names
    for name in list(folders):
        with suppress(OSError):
            for child in os.listdir(root / name) if name.count(":") == 1 else ():  # noqa: PTH208
                if _ZONE.match(child):
                    folders.setdefault(child, root / name / child)
    return [folders[name] for name in sorted(folders, key=_place)]


def rapl_zones(host: Host, folders: list[Path]) -> dict[str, list[RaplZone]]:
    """Return the zones worth counting by domain, in the order of sockets; of each domain the best zone first.

    Several zones of one domain are the same counter once more: by MMIO, or by another die of an AMD package.

    Args:
        host: The machine.
        folders: From ``zone_folders``.
    """
    labels = {folder.name: (read_text(folder / "name") or "").strip() for folder in folders}
    zones: dict[str, list[RaplZone]] = {}
    for folder in folders:
        label, (parent, _, number) = labels[folder.name], folder.name.rpartition(":")
        own, owner = _PACKAGE.match(label), _PACKAGE.match(labels.get(parent, ""))
        if own:
            domain, component = _domain(host, own), Component.CPU
        elif label == "dram":
            domain = f"{_domain(host, owner)}/dram" if owner else f"dram-{int(number, 16)}"
            component = Component.DRAM
        else:
            continue
        zones.setdefault(domain, []).append(RaplZone(domain, component, folder))
    return {domain: zones[domain] for domain in sorted(zones, key=_socket_order)}


def wrap_by_powercap_uj(unit_uj: float | None) -> int | None:
    """Return the modulus of a powercap counter: one step more than ``max_energy_range_uj``.

    ``energy_uj`` is the 32-bit register times the unit, so 2³²-1 steps are followed by 0: adding the mere range at
    a wrap would lose one step (15 or 61 µJ).
    """
    return round(unit_uj * _COUNTS) if unit_uj is not None else None


def wrap_by_perf_uj(unit_uj: float | None) -> int:
    """Return the modulus of a perf counter: the register's, at its true unit of 2^-n J (powercap rounds it).

    Without a unit, that of the smallest known (2^-16 J: AMD, Sandy Bridge, memory of servers), which divides all.
    """
    exponent = 16 if unit_uj is None else round(log2(UJ_PER_J / unit_uj))
    return _COUNTS * UJ_PER_J >> exponent


def rapl_channel(
    host: Host,
    domain: str,
    component: Component,
    *,
    collector: str,
    method: str,
    unit_uj: float | None,
    wrap_uj: int | None,
    per_process: bool = False,
) -> Channel:
    """Return the channel of a domain. Its id is the same by either door.

    Args:
        host: The machine.
        domain: Name of the domain.
        component: CPU or DRAM.
        collector: Who reads it.
        method: By what.
        unit_uj: The step in which it counts, None if unknown.
        wrap_uj: Its modulus, None if unknown.
        per_process: Whether each process that reads it has a zero of its own.
    """
    dram, virtual = component is Component.DRAM, is_virtual(host)
    usual = _UNCERTAINTY_DRAM if dram else _package_uncertainty(host)
    return Channel(
        id=f"rapl:{domain}",
        collector=collector,
        component=component,
        kind=Kind.COUNTER,
        quality=Quality.ALLOCATED if virtual else Quality.MEASURED,
        device=domain,
        host=host.name,
        method=method,
        uncertainty_rel=_UNCERTAINTY_SHARED if virtual else usual,
        uncertainty_low_rel=_UNCERTAINTY_SHARED_LOW if virtual else None,
        uncertainty_short=() if virtual else ((_VERY_SHORT_S, 1.0), (_SHORT_S, max(usual, _UNCERTAINTY_SHORT))),
        max_power_uw=_MAX_DRAM_POWER_UW if dram else _MAX_PACKAGE_POWER_UW,
        # Unknown: the step of nearly all Intel chips, 2^-14 J, the coarser one.
        resolution_uj=round(unit_uj or 61) or 1,
        update_s=_UPDATE_S,
        policy=_BY_HYPERVISOR if virtual else None,
        wrap_uj=wrap_uj,
        note=_VIRTUAL if virtual else None,
        per_process=per_process,
    )


def _package_uncertainty(host: Host) -> float:
    model = _MODEL.search(host.cpu_info)
    modelled = cpu_vendor(host) != "GenuineIntel" or (model is not None and model.group(1) in _MODELLED_INTEL)
    return _UNCERTAINTY_MODELLED if modelled else _UNCERTAINTY_MEASURED


def _domain(host: Host, label: re.Match[str]) -> str:
    package, die = label.groups()
    return package_domain(host, int(package), None if die is None else int(die))


def _place(name: str) -> tuple[bool, list[int]]:
    return "mmio" in name, [int(number, 16) for number in name.split(":")[1:]]


def _socket_order(domain: str) -> tuple[bool, list[int], bool]:
    return domain.startswith("dram"), [int(number) for number in re.findall(r"\d+", domain)], "/dram" in domain
