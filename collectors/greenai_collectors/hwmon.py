r"""Other hwmon sensors whose meaning is documented: meters of servers and power supplies, CPUs of some makers.

Layout (Documentation/hwmon/sysfs-interface.rst)::

    /sys/class/hwmon/hwmonN/name               ibmpowernv
    /sys/class/hwmon/hwmonN/energy3_label      System
    /sys/class/hwmon/hwmonN/energy3_input      **µJ**, cumulative
    /sys/class/hwmon/hwmonN/power3_input       **µW**; ``power3_average`` is a mean over an interval

An unknown sensor may be anything: a USB meter, a fan hub, one phase of a regulator. Only these drivers are read:

    power_meter      ACPI: the whole system, if ``measures`` names \_SB alone (ACPI 6.0, 10.4.8), or nothing and it
                     is the only meter. Batteries and meters of parts are left alone; Grace has its own collector
    ibmpowernv       POWER8/9: System (bulk DC power), Chip n, its Memory and GPUs (skiboot, hw/occ-sensor.c). Vdd,
                     Vdn and APSS channels are inside those
    macsmc_hwmon     Apple Silicon: Total System Power (arch/arm64/boot/dts/apple/hwmon-common.dtsi)
    corsair-psu      HXi, RMi: "power total", the DC output (Documentation/hwmon/corsair-psu.rst; liquidctl, guide)
    amd_energy       EPYC, kernel 5.8 to 5.12 or github.com/amd: Esocket, the RAPL counter of the package. One per
                     NUMA node, so with NPS2 or NPS4 several show the same counter; Ecore is inside it
    amd_hsmp_hwmon   EPYC, from kernel 6.15: average package power (Documentation/arch/x86/amd_hsmp.rst). On MI300A
                     the package has GPUs, and what counts is undocumented: left alone
    fam15h_power     AMD families 15h and 16h: power of the package (Documentation/hwmon/fam15h_power.rst)
    apm_xgene        X-Gene: CPU power, IO power (Documentation/hwmon/xgene-hwmon.rst)

An energy counter goes before a mean power, a mean before a momentary one. Where two drivers measure the same part
of a machine, the upper one is taken. A read may ask a BMC, a mailbox or a USB device; hence ``slow``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import CounterReading, Gap, PowerReading, Reading
from greenai.core.text import Text
from greenai.core.units import UW_PER_W
from greenai.host.cpu import cpu_model, sockets
from greenai.host.hwmon import SensorFile, hwmon_chips, no_value, power_fault, readable
from greenai.host.machine import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from greenai.host import Host
    from greenai.host.hwmon import HwmonChip

METHOD = "hwmon"
_ACPI, _ENERGY, _HSMP = "power_meter", "amd_energy", "amd_hsmp_hwmon"
_LONGEST_INTERVAL_MS = 3_600_000
_AMD_STEP_UJ = 16  # Documentation/hwmon/amd_energy.rst: 15.3 µJ

_MAX_POWER_UW = {
    Component.NODE: 30_000 * UW_PER_W,
    Component.CPU: 1_000 * UW_PER_W,
    Component.DRAM: 1_000 * UW_PER_W,
    Component.GPU: 8_000 * UW_PER_W,  # all GPUs of a socket
    Component.REST: 3_000 * UW_PER_W,
}
_DC_SIDE = Text(
    de="Gleichstromseite: die Verluste des Netzteils fehlen.",
    en="DC side: the losses of the power supply are missing.",
)
_ABSENT = Incident(
    "hwmon_absent",
    Text(
        de="Kein Sensor mit dokumentierter Bedeutung unter /sys/class/hwmon.",
        en="No sensor with a documented meaning in /sys/class/hwmon.",
    ),
)
_UNREADABLE = Text(
    de="Der Sensor {path} ist für diesen Benutzer nicht lesbar.",
    en="The sensor {path} may not be read by this user.",
)
_MAKE_READABLE = Text(
    de="Bis zum Neustart: sudo chmod a+r {path}", en="Until the next boot: sudo chmod a+r {path}"
)
_UNCLEAR = Incident(
    "hwmon_meters_unclear",
    Text(
        de="Diese Maschine hat mehrere ACPI-Leistungsmesser und sagt nicht, welcher das ganze System misst; "
        "keiner wird gezählt.",
        en="This machine has several ACPI power meters and does not say which one measures the whole system; "
        "none is counted.",
    ),
)


class _Known(NamedTuple):
    """What a sensor of a known driver measures.

    Attributes:
        driver: Name of the chip.
        label: Pattern of its label; empty for a driver with a single sensor without one.
        files: Files to read, best first; ``{}`` is the number that belongs to the label.
        component: What it speaks of.
        uncertainty_rel: ~95 % half-width.
        note: A caveat.
    """

    driver: str
    label: str
    files: tuple[str, ...]
    component: Component
    uncertainty_rel: float
    note: Text | None = None


_COUNTED = ("energy{}_input", "power{}_average", "power{}_input")
# Uncertainties: whole nodes 10 % as for a BMC, Apple 15 %, AMD's RAPL 10 %; this project's choice: polled power of
# CPUs 15 %, family 15h (computed from activity) 20 %.
_KNOWN = (
    _Known(_ACPI, "", ("power1_average",), Component.NODE, 0.10),
    _Known("ibmpowernv", r"System", _COUNTED, Component.NODE, 0.10, _DC_SIDE),
    _Known("macsmc_hwmon", r"Total System Power", _COUNTED, Component.NODE, 0.15),
    _Known("corsair-psu", r"power total", _COUNTED, Component.NODE, 0.10, _DC_SIDE),
    _Known("ibmpowernv", r"Chip \d+", _COUNTED, Component.CPU, 0.10),
    _Known("ibmpowernv", r"Chip \d+ Memory", _COUNTED, Component.DRAM, 0.10),
    _Known("ibmpowernv", r"Chip \d+ GPU", _COUNTED, Component.GPU, 0.10),
    _Known(_ENERGY, r"Esocket\d+", _COUNTED, Component.CPU, 0.10),
    _Known(_HSMP, "", ("power1_input",), Component.CPU, 0.15),
    _Known("fam15h_power", "", ("power1_average", "power1_input"), Component.CPU, 0.20),
    _Known("apm_xgene", r"CPU power", _COUNTED, Component.CPU, 0.15),
    _Known("apm_xgene", r"IO power", _COUNTED, Component.REST, 0.15),
)


class _Sensor(NamedTuple):
    known: _Known
    device: str
    chip: HwmonChip
    path: Path

    @property
    def channel_id(self) -> str:
        return f"hwmon:{self.device}"


class HwmonCollector:
    """Sensors of known hwmon drivers."""

    name = "hwmon"
    slow = True
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._files: list[tuple[Channel, SensorFile | None]] = []

    def probe(self) -> Probe:
        """List the sensors that mean something."""
        sensors, incidents = _sensors(self._host)
        closed = [sensor for sensor in sensors if not readable(sensor.path)]
        incidents += [_unreadable(sensor) for sensor in closed]
        sensors = [sensor for sensor in sensors if sensor not in closed]
        if not sensors:
            return Unavailable(incidents[0]) if incidents else Unavailable(_ABSENT, expected=True)
        sources = {sensor.channel_id: str(sensor.path) for sensor in sensors}
        return Available(tuple(self._channel(sensor) for sensor in sensors), tuple(incidents), sources)

    def open(self, channels: Sequence[Channel]) -> None:
        """Remember the files; each is kept open from its first read on."""
        paths = {sensor.channel_id: sensor.path for sensor in _sensors(self._host)[0]}
        self._files += [
            (channel, SensorFile(paths[channel.id]) if channel.id in paths else None) for channel in channels
        ]

    def read(self) -> list[Reading]:
        """Read every sensor once."""
        return [self._reading(channel, file) for channel, file in self._files]

    def close(self) -> None:
        """Close the files."""
        for _, file in self._files:
            if file is not None:
                file.close()
        self._files.clear()

    def _reading(self, channel: Channel, file: SensorFile | None) -> Reading:
        t_ns = self._host.clock.mono_ns()
        if file is None:
            return Gap(channel.id, t_ns, "hwmon_gone")
        try:
            number = file.number()
        except (OSError, ValueError) as error:
            return Gap(channel.id, t_ns, f"hwmon_{type(error).__name__}")
        if channel.kind is Kind.COUNTER:
            if number < 0 or no_value(number):
                return Gap(channel.id, t_ns, "hwmon_sentinel" if no_value(number) else "hwmon_negative")
            return CounterReading(channel.id, t_ns, number)
        works = channel.component in (Component.NODE, Component.CPU)
        fault = power_fault(number, channel.max_power_uw, zero_is_true=not works)
        return Gap(channel.id, t_ns, fault) if fault else PowerReading(channel.id, t_ns, number)

    def _channel(self, sensor: _Sensor) -> Channel:
        known = sensor.known
        counter = sensor.path.name.startswith("energy")
        interval_s = _average_interval_s(sensor)
        # A mean over the last minutes tells of the time before a short run.
        short = ((2 * interval_s, 0.40),) if interval_s > 1 else ()
        return Channel(
            id=sensor.channel_id,
            collector=self.name,
            component=known.component,
            kind=Kind.COUNTER if counter else Kind.POWER,
            quality=Quality.MEASURED,
            device=sensor.device,
            host=self._host.name,
            method=f"{METHOD}_{known.driver}",
            uncertainty_rel=known.uncertainty_rel,
            uncertainty_short=short,
            max_power_uw=_MAX_POWER_UW[known.component],
            resolution_uj=_AMD_STEP_UJ if known.driver == _ENERGY else 0,
            note=known.note,
        )


def _unreadable(sensor: _Sensor) -> Incident:
    message, remedy = _UNREADABLE.format(path=sensor.path), _MAKE_READABLE.format(path=sensor.path)
    return Incident("hwmon_unreadable", message, remedy, sensor.channel_id)


def _average_interval_s(sensor: _Sensor) -> float:
    """Return how long a mean power is averaged, seconds; 0 if it is no mean or nobody knows."""
    if not sensor.path.name.endswith("_average"):
        return 0.0
    text = (read_text(sensor.chip.path(f"{sensor.path.name}_interval")) or "").strip()
    interval_ms = int(text) if text.isdecimal() and text.isascii() else 0
    return interval_ms / 1000 if interval_ms <= _LONGEST_INTERVAL_MS else 0.0


def _sensors(host: Host) -> tuple[list[_Sensor], list[Incident]]:
    """Return the sensors to read, one driver for each part of the machine, and why others are not."""
    incidents: list[Incident] = []
    chips: dict[str, list[HwmonChip]] = defaultdict(list)
    for chip in hwmon_chips(host, {known.driver for known in _KNOWN}):
        chips[chip.name].append(chip)
    meters = [chip for chip in chips.get(_ACPI, ()) if _measures(chip) is not False]
    chips[_ACPI] = [chip for chip in meters if _measures(chip)] or meters
    if len(chips[_ACPI]) > 1:
        chips[_ACPI] = []
        incidents.append(_UNCLEAR)
    if _HSMP in chips and "Instinct" in (cpu_model(host) or ""):
        del chips[_HSMP]
    found: list[_Sensor] = []
    for known in _KNOWN:
        if any(other.known.component is known.component and other.known.driver != known.driver for other in found):
            continue
        sensors = [
            sensor
            for number, chip in enumerate(chips.get(known.driver, ()))
            for sensor in _matching(known, chip, f".{number}" if len(chips[known.driver]) > 1 else "")
        ]
        if known.driver == _ENERGY and sensors:
            sensors = _one_per_socket(sensors, sockets(host))
        found += sensors
    return found, incidents


def _matching(known: _Known, chip: HwmonChip, suffix: str) -> Iterator[_Sensor]:
    if not known.label:
        for file in known.files:
            if chip.path(file).exists():
                yield _Sensor(known, f"{known.driver}{suffix}", chip, chip.path(file))
                return
        return
    numbers: dict[str, dict[str, str]] = defaultdict(dict)
    for file in chip.files:
        if match := re.fullmatch(r"(energy|power)(\d+)_label", file):
            numbers[chip.text(file) or ""][match[1]] = match[2]
    for label in sorted(numbers, key=lambda label: (len(label), label)):
        if re.fullmatch(known.label, label):
            names = [file.format(numbers[label].get(file.split("{")[0], "-")) for file in known.files]
            if name := next((name for name in names if name in chip.files), None):
                yield _Sensor(known, f"{known.driver}{suffix}/{label.replace(' ', '-')}", chip, chip.path(name))


def _measures(chip: HwmonChip) -> bool | None:
    """Say whether an ACPI meter measures the whole system; None if it does not say."""
    if (read_text(chip.path("power1_is_battery")) or "").strip() == "1":
        return False
    if re.search(r"socket", read_text(chip.path("power1_oem_info")) or "", re.IGNORECASE):
        return False
    try:
        devices = [entry.name for entry in chip.path("measures").iterdir()]
    except OSError:
        return None
    return all(name.startswith("LNXSYBUS:") for name in devices) if devices else None


def _one_per_socket(sensors: list[_Sensor], count: int) -> list[_Sensor]:
    """Take each package's counter once, where every NUMA node shows it."""
    nodes, rest = divmod(len(sensors), count)
    return sensors if rest else sensors[::nodes]
