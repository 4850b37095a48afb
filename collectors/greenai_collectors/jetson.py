"""NVIDIA Jetson: the supply rails of module and board, by their INA3221 (and INA238) power monitors.

Layouts (Documentation/hwmon/ina3221.rst, ina238.rst; JetPack 4: NVIDIA's iio driver, as read by energymon, jtop)::

    /sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3/in1_label       VDD_GPU_SOC          JetPack 5 and newer
    /sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3/in1_input       **mV**
    /sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3/curr1_input     **mA**; P = U x I
    /sys/bus/i2c/drivers/ina238/2-0044/hwmon/hwmon4/power1_input     **µW**, ``label`` VIN    AGX Thor
    /sys/bus/i2c/drivers/ina3221x/0-0041/iio:device1/rail_name_0     VDD_IN               JetPack 4
    /sys/bus/i2c/drivers/ina3221x/0-0041/iio:device1/in_power0_input **mW**

Channels 4 to 7 of an INA3221 are shunt voltages and a sum; they are no rails. Rails by board (Jetson Linux
Developer Guide; mainline device trees tegra186-p3310, tegra194-p2888, tegra234-p3701; energymon, jetson/README)::

    TX1, TX2           VDD_IN feeds the module, VDD_MUX beside it the carrier board: together the whole board
    TX2 NX, Xavier NX  VDD_IN is the module; VDD_CPU_GPU(_CV) and VDD_SOC are inside it
    Nano               POM_5V_IN is the module; POM_5V_GPU and POM_5V_CPU are inside it (Nano 2GB: no monitor)
    AGX Xavier         GPU, CPU, SOC, CV, VDDRQ and SYS5V lie side by side; their sum is the module
    Orin Nano, NX      VDD_IN is the module; VDD_CPU_GPU_CV and VDD_SOC are inside it
    AGX Orin           VDD_GPU_SOC, VDD_CPU_CV and VIN_SYS_5V0 side by side; VDDQ_VDD2_1V8AO is inside VIN_SYS_5V0
    AGX Thor           VDD_GPU, VDD_CPU_SOC_MSS and VIN_SYS_5V0 side by side; VIN is module and carrier board

So each board gets one channel for its module, and one for the whole board where something measures that; the known
rails are given as details and never added to it.
"""

from __future__ import annotations

import os
import re
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import Gap, PowerReading, Reading
from greenai.core.text import Text
from greenai.core.units import UW_PER_MW, UW_PER_W
from greenai.host.hwmon import SensorFile, power_fault, readable
from greenai.host.machine import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from greenai.host import Host

METHOD = "jetson_ina3221"
_UNCERTAINTY = 0.15  # this project's choice: sense resistors of 1 %, coarse steps (8 mV, 40 µV) at low load
_MAX_POWER_UW = 400 * UW_PER_W  # an AGX Thor module peaks at 330 W
_IIO_UPDATE_S = 0.1
# INA3221: offset up to 80 µV over 2 mOhm are 40 mA, at 20 V 0.8 W. An idle rail may read that much below nothing.
_OFFSET_UW = UW_PER_W

_CPU, _GPU, _DRAM, _REST = Component.CPU, Component.GPU, Component.DRAM, Component.REST
# What a rail feeds, its main component first. CV: the accelerators for vision and deep learning beside the GPU.
_RAILS: Mapping[str, tuple[Component, ...]] = {
    "VDD_GPU": (_GPU,),
    "VDD_CPU": (_CPU,),
    "POM_5V_GPU": (_GPU,),
    "POM_5V_CPU": (_CPU,),
    "VDD_SYS_GPU": (_GPU,),
    "VDD_SYS_CPU": (_CPU,),
    "VDD_SYS_SOC": (_REST,),
    "VDD_SYS_DDR": (_DRAM,),
    "VDD_CPU_GPU": (_CPU, _GPU),
    "VDD_CPU_GPU_CV": (_CPU, _GPU, _REST),
    "VDD_SOC": (_REST,),
    "GPU": (_GPU,),
    "CPU": (_CPU,),
    "SOC": (_REST,),
    "CV": (_REST,),
    "VDDRQ": (_DRAM,),
    "SYS5V": (_REST,),
    "VDD_GPU_SOC": (_GPU, _REST),
    "VDD_CPU_CV": (_CPU, _REST),
    "VIN_SYS_5V0": (_REST, _DRAM),
    "VDDQ_VDD2_1V8AO": (_DRAM, _REST),
    "VDD_CPU_SOC_MSS": (_CPU, _REST),
}
# Rails whose sum is the whole board (node) or the whole module; the first complete one counts.
_WHOLES: tuple[tuple[str, Component, tuple[str, ...]], ...] = (
    ("board", Component.NODE, ("VIN",)),
    ("board", Component.NODE, ("VDD_IN", "VDD_MUX")),
    ("module", Component.MODULE, ("VDD_IN",)),
    ("module", Component.MODULE, ("POM_5V_IN",)),
    ("module", Component.MODULE, ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")),
    ("module", Component.MODULE, ("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0")),
    ("module", Component.MODULE, ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V")),
)
_KNOWN = frozenset(_RAILS) | {rail for _, _, rails in _WHOLES for rail in rails}

_ABSENT = Incident(
    "jetson_absent",
    Text(de="Dies ist kein NVIDIA Jetson mit Messchip.", en="This is no NVIDIA Jetson with a monitor."),
)
_UNREADABLE = Text(
    de="Der Leistungsmesser {path} ist für diesen Benutzer nicht lesbar.",
    en="The power meter {path} may not be read by this user.",
)
_MAKE_READABLE = Text(
    de="Bis zum Neustart: sudo chmod a+r {path}", en="Until the next boot: sudo chmod a+r {path}"
)
_MODULE_ONLY = Text(
    de="Nur das Modul: Trägerplatine, Lüfter und angeschlossene Geräte fehlen.",
    en="The module only: carrier board, fan and attached devices are missing.",
)


class _Rail(NamedTuple):
    """A rail: the product of its files, times ``scale``, is its power in microwatts."""

    paths: tuple[Path, ...]
    scale: int
    update_s: float | None


class JetsonCollector:
    """Power of a Jetson's module, of the whole board where it is measured, and of the rails."""

    name = "jetson"
    slow = False
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._opened: list[tuple[Channel, tuple[str, ...]]] = []
        self._files: dict[str, tuple[int, list[SensorFile]]] = {}

    def probe(self) -> Probe:
        """List the wholes and the rails of this board."""
        rails = _rails(self._host)
        wholes = _wholes(rails)
        if not rails or not _may_be_jetson(self._host, certain=bool(wholes)):
            return Unavailable(_ABSENT, expected=True)
        closed = {name: path for name, rail in rails.items() for path in rail.paths if not readable(path)}
        incidents = tuple(
            Incident(
                "jetson_unreadable",
                _UNREADABLE.format(path=path),
                _MAKE_READABLE.format(path=path),
                f"{self.name}:{name}",
            )
            for name, path in closed.items()
        )
        rails = {name: rail for name, rail in rails.items() if name not in closed}
        if not rails:
            return Unavailable(incidents[0])
        offers = self._offers(rails)
        return Available(
            tuple(channel for channel, _ in offers),
            incidents,
            {channel.id: str(rails[names[0]].paths[0]) for channel, names in offers},
        )

    def open(self, channels: Sequence[Channel]) -> None:
        """Remember the files; each is kept open from its first read on."""
        rails = _rails(self._host)
        names = {channel.id: names for channel, names in self._offers(rails)}
        self._opened += [(channel, names.get(channel.id, ())) for channel in channels]
        for name in {name for _, names in self._opened for name in names}:
            rail = rails[name]
            self._files[name] = (rail.scale, [SensorFile(path) for path in rail.paths])

    def read(self) -> list[Reading]:
        """Read every rail once; a whole is the sum of what its rails say in the same round."""
        said: dict[str, PowerReading | Gap] = {}
        return [self._reading(channel, names, said) for channel, names in self._opened]

    def close(self) -> None:
        """Close the files."""
        for _, files in self._files.values():
            for file in files:
                file.close()
        self._files.clear()
        self._opened.clear()

    def _reading(self, channel: Channel, names: tuple[str, ...], said: dict[str, PowerReading | Gap]) -> Reading:
        for name in names:
            if name not in said:
                said[name] = self._rail_reading(name)
        parts = [said[name] for name in names]
        t_ns = parts[0].t_mono_ns if parts else self._host.clock.mono_ns()
        gap = next((part for part in parts if isinstance(part, Gap)), None)
        if gap is not None or not parts:
            return Gap(channel.id, t_ns, gap.reason if gap is not None else "jetson_gone")
        power_uw = sum(part.power_uw for part in parts if isinstance(part, PowerReading))
        whole = channel.component in (Component.NODE, Component.MODULE)
        fault = power_fault(power_uw, channel.max_power_uw, zero_is_true=not whole)
        return Gap(channel.id, t_ns, fault) if fault else PowerReading(channel.id, t_ns, power_uw)

    def _rail_reading(self, name: str) -> PowerReading | Gap:
        scale, files = self._files[name]
        t_ns = self._host.clock.mono_ns()
        try:
            power_uw = prod(file.number() for file in files) * scale
        except (OSError, ValueError) as error:
            return Gap(name, t_ns, f"jetson_{type(error).__name__}")
        fault = power_fault(
            max(power_uw, 0) if power_uw >= -_OFFSET_UW else power_uw, _MAX_POWER_UW, zero_is_true=True
        )
        return Gap(name, t_ns, fault) if fault else PowerReading(name, t_ns, max(power_uw, 0))

    def _offers(self, rails: Mapping[str, _Rail]) -> list[tuple[Channel, tuple[str, ...]]]:
        offers = []
        for what, component, names in _wholes(rails):
            includes = frozenset({_REST}) if component is Component.MODULE else frozenset[Component]()
            offers.append((self._channel(what, component, includes, names, rails), names))
        for name, feeds in _RAILS.items():
            if name in rails:
                offers.append((self._channel(name, feeds[0], frozenset(feeds[1:]), (name,), rails), (name,)))
        return offers

    def _channel(
        self,
        what: str,
        component: Component,
        includes: frozenset[Component],
        names: tuple[str, ...],
        rails: Mapping[str, _Rail],
    ) -> Channel:
        updates_s = [update_s for name in names if (update_s := rails[name].update_s) is not None]
        whole = component in (Component.NODE, Component.MODULE)
        has_gpu = _GPU in includes or component in (_GPU, Component.MODULE)
        return Channel(
            id=f"{self.name}:{what}",
            collector=self.name,
            component=component,
            kind=Kind.POWER,
            quality=Quality.MEASURED,
            device=f"{what} ({' + '.join(names)})" if whole else what,
            host=self._host.name,
            method=METHOD,
            uncertainty_rel=_UNCERTAINTY,
            max_power_uw=_MAX_POWER_UW,
            update_s=min(updates_s, default=None),
            includes=includes,
            gpu_vendor="nvidia" if has_gpu else "",
            note=_MODULE_ONLY if component is Component.MODULE else None,
        )


def _may_be_jetson(host: Host, *, certain: bool) -> bool:
    """Ask the device tree; in containers, where it is masked, a board's whole set of rails must be there."""
    compatible = read_text(host.sys_root / "firmware" / "devicetree" / "base" / "compatible")
    return certain if compatible is None else "nvidia,tegra" in compatible


def _wholes(rails: Mapping[str, _Rail]) -> list[tuple[str, Component, tuple[str, ...]]]:
    found: dict[str, tuple[str, Component, tuple[str, ...]]] = {}
    for whole in _WHOLES:
        if all(name in rails for name in whole[2]):
            found.setdefault(whole[0], whole)
    return list(found.values())


def _rails(host: Host) -> dict[str, _Rail]:
    """Return the known rails of this machine by name."""
    drivers = host.sys_root / "bus" / "i2c" / "drivers"
    rails: dict[str, _Rail] = {}
    for driver in ("ina3221", "ina3221x", "ina238"):
        for device in _folders(drivers / driver, r"\d+-[0-9a-f]{4}"):
            for chip in [*_folders(device / "hwmon", r"hwmon\d+"), *_folders(device, r"iio:device\d+")]:
                for name, rail in _rails_of(chip):
                    if name in _KNOWN:
                        rails.setdefault(name, rail)
    return rails


def _rails_of(chip: Path) -> Iterator[tuple[str, _Rail]]:
    interval_ms = (read_text(chip / "update_interval") or "").strip()
    update_s = int(interval_ms) / 1000 if re.fullmatch(r"[1-9]\d{0,4}", interval_ms) else None
    for n in (1, 2, 3):
        if label := read_text(chip / f"in{n}_label"):
            yield label.strip(), _Rail((chip / f"in{n}_input", chip / f"curr{n}_input"), 1, update_s)
    for n in (0, 1, 2):
        if label := read_text(chip / f"rail_name_{n}"):
            yield label.strip(), _Rail((chip / f"in_power{n}_input",), UW_PER_MW, _IIO_UPDATE_S)
    if label := read_text(chip / "label"):
        yield label.strip(), _Rail((chip / "power1_input",), 1, update_s)


def _folders(root: Path, pattern: str) -> list[Path]:
    try:
        names = os.listdir(root)  # noqa: PTH208  # names, not paths
    except OSError:
        return []
    return [
        root / name for name in sorted(names, key=lambda name: (len(name), name)) if re.fullmatch(pattern, name)
    ]
