"""Intel and AMD processors: RAPL energy counters by the kernel's powercap interface.

Layout (Documentation/power/powercap/powercap.rst), every zone also listed flat in the class folder::

    /sys/class/powercap/intel-rapl:0/name                  package-0        <- counted
    /sys/class/powercap/intel-rapl:0/energy_uj             **µJ**, wraps at max_energy_range_uj
    /sys/class/powercap/intel-rapl:0:0/name                core             <- inside the package
    /sys/class/powercap/intel-rapl:0:1/name                dram             <- counted, not inside the package
    /sys/class/powercap/intel-rapl:1/name                  psys             <- contains the package on clients
    /sys/class/powercap/intel-rapl-mmio:0/name             package-0        <- the same counter once more

Only packages and DRAM are summed; psys and core would count joules twice. A zone that appears under a second
interface (MMIO) is taken once.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import CounterReading, Gap, Reading
from greenai.core.text import Text
from greenai.core.units import UW_PER_W
from greenai.host.cpu import cpu_vendor
from greenai.host.machine import read_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from greenai.host import Host

METHOD = "rapl_powercap"
_ZONE = re.compile(r"^intel-rapl(?:-mmio)?:\d+(?::\d+)?$")
_PACKAGE = re.compile(r"^package-\d+(?:-die-\d+)?$")
_MAX_PACKAGE_POWER_UW = 1000 * UW_PER_W
_MAX_DRAM_POWER_UW = 400 * UW_PER_W

# ~95 % half-widths. Intel since Haswell is measured (Khan et al., ToMPECS 2018), DRAM less exactly (Desrochers
# et al., MEMSYS 2016); AMD Zen 2 is partly modelled (Schöne et al., 2021). Recalled figures, not yet re-checked.
_UNCERTAINTY_INTEL = 0.05
_UNCERTAINTY_AMD = 0.10
_UNCERTAINTY_DRAM = 0.20

_ABSENT = Incident(
    "rapl_absent",
    Text(
        de="Diese Maschine hat keine RAPL-Zähler (in virtuellen Maschinen ist das üblich).",
        en="This machine has no RAPL counters (usual in virtual machines).",
    ),
)
_UNREADABLE = Text(
    de="Der CPU-Energiezähler {path} ist für diesen Benutzer nicht lesbar.",
    en="The CPU energy counter {path} may not be read by this user.",
)
_MAKE_READABLE = Text(
    de="Bis zum Neustart: sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj "
    "(dauerhaft: udev-Regel aus docs/sensors.md)",
    en="Until the next boot: sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj "
    "(for good: the udev rule in docs/sensors.md)",
)


@dataclass(frozen=True, slots=True)
class _Zone:
    device: str
    component: Component
    folder: Path
    readable: bool


class RaplCollector:
    """Energy counters of CPU packages and memory, by powercap."""

    name = "rapl"
    slow = False
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._files: list[tuple[str, int]] = []

    def probe(self) -> Probe:
        """List the packages and DRAM zones that may be read."""
        zones = self._zones()
        if not zones:
            return Unavailable(_ABSENT, expected=True)
        closed = tuple(
            Incident("rapl_unreadable", _UNREADABLE.format(path=zone.folder / "energy_uj"), _MAKE_READABLE)
            for zone in zones
            if not zone.readable
        )
        channels = tuple(self._channel(zone) for zone in zones if zone.readable)
        return Available(channels, closed) if channels else Unavailable(closed[0])

    def open(self, channels: Sequence[Channel]) -> None:
        """Keep one file descriptor per counter; reading is then a single system call."""
        folders = {f"{self.name}:{zone.device}": zone.folder for zone in self._zones()}
        for channel in channels:
            try:
                self._files.append(
                    (channel.id, os.open(folders[channel.id] / "energy_uj", os.O_RDONLY | os.O_CLOEXEC))
                )
            except (OSError, KeyError):
                self._files.append((channel.id, -1))

    def read(self) -> list[Reading]:
        """Read every counter once."""
        readings: list[Reading] = []
        for channel_id, file in self._files:
            t_ns = self._host.clock.mono_ns()
            try:
                readings.append(CounterReading(channel_id, t_ns, int(os.pread(file, 32, 0))))
            except (OSError, ValueError) as error:
                readings.append(Gap(channel_id, t_ns, f"rapl_{type(error).__name__}"))
        return readings

    def close(self) -> None:
        """Close the counters."""
        for _, file in self._files:
            if file >= 0:
                os.close(file)
        self._files.clear()

    def _zones(self) -> list[_Zone]:
        root = self._host.sys_root / "class" / "powercap"
        try:
            names = sorted(os.listdir(root))  # noqa: PTH208  # names, not paths
        except OSError:
            return []
        folders = {name: root / name for name in names if _ZONE.match(name)}
        zones: dict[str, _Zone] = {}
        # "intel-rapl:..." goes before "intel-rapl-mmio:...", whatever the sort order says.
        for name in sorted(folders, key=lambda name: ("mmio" in name, name)):
            label = (read_text(folders[name] / "name") or "").strip()
            device, component = label, Component.CPU
            if label == "dram":
                parent = name.rpartition(":")[0]
                owner = (read_text(folders[parent] / "name") or "").strip() if parent in folders else ""
                device, component = f"{owner}/dram" if owner else f"dram-{name.rpartition(':')[2]}", Component.DRAM
            elif not _PACKAGE.match(label):
                continue
            if device not in zones:
                folder = folders[name]
                zones[device] = _Zone(device, component, folder, read_text(folder / "energy_uj") is not None)
        return list(zones.values())

    def _channel(self, zone: _Zone) -> Channel:
        amd = cpu_vendor(self._host) == "AuthenticAMD"
        dram = zone.component is Component.DRAM
        wrap = (read_text(zone.folder / "max_energy_range_uj") or "").strip()
        return Channel(
            id=f"{self.name}:{zone.device}",
            collector=self.name,
            component=zone.component,
            kind=Kind.COUNTER,
            quality=Quality.MEASURED,
            device=zone.device,
            host=self._host.name,
            method=METHOD,
            uncertainty_rel=_UNCERTAINTY_DRAM if dram else _UNCERTAINTY_AMD if amd else _UNCERTAINTY_INTEL,
            max_power_uw=_MAX_DRAM_POWER_UW if dram else _MAX_PACKAGE_POWER_UW,
            wrap_uj=int(wrap) if wrap.isdecimal() and int(wrap) > 0 else None,
        )
