"""NVIDIA Grace, Grace Hopper (GH200) and Grace Blackwell (GB200, GB300): the ACPI power meters of the superchip.

Layout (drivers/hwmon/acpi_power_meter.c; from kernel 6.15 the files lie in ``hwmonN`` itself)::

    /sys/class/hwmon/hwmonN/device/name                     power_meter
    /sys/class/hwmon/hwmonN/device/power1_oem_info          Module Power Socket 0     <- which rail of which socket
    /sys/class/hwmon/hwmonN/device/power1_average           **µW**, mean of the last interval
    /sys/class/hwmon/hwmonN/device/power1_average_interval  **ms**, 50 unless set to 1000

The rails (NVIDIA Grace Performance Tuning Guide, "Power Telemetry"; alumet's grace-hopper plugin; labels in
NVIDIA's firmware edk2-nvidia, BpmpSsdtSocket0_th500.asl)::

    Module   the superchip: GPU, HBM, Grace, LPDDR5X, regulator losses; firmware may hide it where a GPU is present
    Grace    the CPU socket: CPU, SysIO, LPDDR5X, regulators; so the memory is what CPU and SysIO leave of it
    CPU      the CPU rail alone, about half of Grace (NVIDIA/srt-slurm#481: 51-56 W of 98-109 W)
    SysIO    the SoC rail

Each of Module, Grace and CPU contains the next; none is ever added to another. Beside Grace the GPU counts on its
own (NVML), beside Module it does not. "Total Power", "CPU Rail Power", "SoC Rail Power" and "DRAM Power" are the
names that NVIDIA's srt-slurm (cpu_rails.py) knows from other platforms.

Three traps. A meter that has nothing to say gives 0xFFFFFFFF mW, or 0 before its first measurement. Within 50 ms
after one meter of a socket was asked, the firmware answers for its other meters what it told of them last, however
old that is (method TELM); so the rails of a socket are read 60 ms apart. And one read may keep the firmware busy
for 150 ms (NVIDIA/srt-slurm, cpu-power-exporter); hence ``slow``.

The processor is known by MIDR_EL1. 0x41/0xd4f (Neoverse V2) is AWS Graviton4 and Google Axion as well, so nothing
is missed unless NVIDIA's SoC id (jep106:036b, as in NVIDIA/DCGM) or an ACPI power meter is there.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import Gap, PowerReading, Reading
from greenai.core.text import Text
from greenai.core.units import UW_PER_W
from greenai.host.hwmon import SensorFile, hwmon_chips, power_fault, readable
from greenai.host.machine import read_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from greenai.host import Host
    from greenai.host.hwmon import HwmonChip

METHOD = "grace_hwmon"
_DRIVER = "power_meter"

_ARM, _NEOVERSE_V2, _NVIDIA = 0x41, 0xD4F, 0x4E  # MIDR_EL1: implementer 31:24, part 15:4 (arch/arm64 cputype.h)

# The firmware renews all rails of a socket at most every 50 ms (TH500_BPMP_IPC_CALL_INTERVAL_50MS).
_APART_S = 0.06
_DEFAULT_UPDATE_S = 0.05

# ~95 %: the ACPI figures of GH200 are noisy (> 100 W seen) and show 10 of 100 ms (Yang, Adámek, Armour, SC24).
# Short runs see few of these samples; steps as for polled NVML.
_UNCERTAINTY = 0.10
_UNCERTAINTY_SHORT = ((5.0, 0.40), (60.0, 0.20))

# GB300: one Grace and two GPUs of 1.4 kW; with room above.
_MAX_MODULE_POWER_UW = 6000 * UW_PER_W
_MAX_SOCKET_POWER_UW = 1500 * UW_PER_W

_CPU_RAIL = Text(
    de="Nur die CPU-Schiene, etwa die Hälfte des Sockels.",
    en="The CPU rail only, about half of the socket.",
)


class _Rail(NamedTuple):
    """One kind of meter, by the alternatives its label begins with; broad ones come first."""

    name: str
    label: str
    component: Component
    includes: frozenset[Component] = frozenset()
    note: Text | None = None


_RAILS = (
    _Rail("module", "Module", Component.MODULE, frozenset({Component.REST})),
    _Rail("grace", "Grace|Total|Total Input", Component.CPU, frozenset({Component.DRAM, Component.REST})),
    _Rail("cpu", "CPU|CPU Rail|CPU Rail Input|CPU Input", Component.CPU, note=_CPU_RAIL),
    _Rail("sysio", "SysIO|SoC Rail|SoC Rail Input", Component.REST),
    _Rail("dram", "DRAM|DRAM Input", Component.DRAM),
)
_WHOLES = ("module", "grace")

_ABSENT = Incident(
    "grace_absent",
    Text(de="Dies ist keine Maschine mit NVIDIA Grace.", en="This is no NVIDIA Grace machine."),
)
_NO_METERS = Incident(
    "grace_no_meters",
    Text(
        de="Auf dieser Grace-Maschine zeigt der Kernel keine Leistungsmesser; Modul und CPU bleiben ungemessen.",
        en="The kernel shows no power meters on this Grace machine; module and CPU are not measured.",
    ),
    Text(
        de="sudo modprobe acpi_power_meter force_cap_on=Y (dauerhaft: Kernel-Parameter "
        "acpi_power_meter.force_cap_on=y; der Kernel braucht CONFIG_SENSORS_ACPI_POWER=m)",
        en="sudo modprobe acpi_power_meter force_cap_on=Y (for good: kernel parameter "
        "acpi_power_meter.force_cap_on=y; the kernel needs CONFIG_SENSORS_ACPI_POWER=m)",
    ),
)
_UNKNOWN_LABELS = Text(
    de="Die Leistungsmesser dieser Grace-Maschine heißen unbekannt ({labels}); sie werden nicht gezählt.",
    en="The power meters of this Grace machine have unknown names ({labels}); they are not counted.",
)
_INCOMPLETE = Text(
    de="Der Messer „{rail}“ fehlt an Sockel {sockets}; gezählt werden die feineren Messer aller Sockel.",
    en='The meter "{rail}" is missing on socket {sockets}; the finer meters of all sockets are counted instead.',
)
_UNREADABLE = Text(
    de="Der Leistungsmesser {path} ist für diesen Benutzer nicht lesbar.",
    en="The power meter {path} may not be read by this user.",
)
_MAKE_READABLE = Text(
    de="Bis zum Neustart: sudo chmod a+r {path}", en="Until the next boot: sudo chmod a+r {path}"
)


class _Meter(NamedTuple):
    rail: _Rail
    socket: int
    label: str
    chip: HwmonChip

    @property
    def channel_id(self) -> str:
        return f"grace:{self.rail.name}-{self.socket}"

    @property
    def path(self) -> Path:
        return self.chip.path("power1_average")


class GraceCollector:
    """Power of NVIDIA's superchips and of their parts, by ACPI power meter."""

    name = "grace"
    slow = True
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._files: list[tuple[Channel, SensorFile | None]] = []

    def probe(self) -> Probe:
        """List the meters by their labels; nothing is measured here."""
        midr = _midr(self._host)
        if midr is None or (midr != (_ARM, _NEOVERSE_V2) and midr[0] != _NVIDIA):
            return Unavailable(_ABSENT, expected=True)
        chips = hwmon_chips(self._host, (_DRIVER,))
        meters = _meters(chips)
        if not meters:
            labels = sorted(label for chip in chips if (label := _oem_info(chip)))
            if labels:
                message = _UNKNOWN_LABELS.format(labels=", ".join(labels))
                return Unavailable(Incident("grace_unknown_labels", message))
            missed = midr == (_ARM, _NEOVERSE_V2) and _made_by_nvidia(self._host)
            return Unavailable(_NO_METERS) if missed else Unavailable(_ABSENT, expected=True)
        open_ones = [meter for meter in meters if readable(meter.path)]
        incidents = [_unreadable(meter) for meter in meters if meter not in open_ones]
        if not open_ones:
            return Unavailable(incidents[0])
        open_ones, incomplete = _complete(open_ones, {meter.socket for meter in meters})
        incidents += incomplete
        channels = tuple(self._channel(meter) for meter in open_ones)
        sources = {meter.channel_id: str(meter.path) for meter in open_ones}
        return Available(channels, tuple(incidents), sources)

    def open(self, channels: Sequence[Channel]) -> None:
        """Remember the files; each is kept open from its first read on."""
        paths = {meter.channel_id: meter.path for meter in _meters(hwmon_chips(self._host, (_DRIVER,)))}
        self._files += [
            (channel, SensorFile(paths[channel.id]) if channel.id in paths else None) for channel in channels
        ]

    def read(self) -> list[Reading]:
        """Read every meter once, the broadest rails first; the rails of a socket at least 50 ms apart."""
        readings: dict[str, Reading] = {}
        for rail in _RAILS:
            files = [item for item in self._files if item[0].id.startswith(f"{self.name}:{rail.name}-")]
            if files and readings:
                time.sleep(_APART_S)
            for channel, file in files:
                readings[channel.id] = self._reading(channel, file)
        return [readings[channel.id] for channel, _ in self._files]

    def close(self) -> None:
        """Close the meters."""
        for _, file in self._files:
            if file is not None:
                file.close()
        self._files.clear()

    def _reading(self, channel: Channel, file: SensorFile | None) -> Reading:
        t_ns = self._host.clock.mono_ns()
        if file is None:
            return Gap(channel.id, t_ns, "grace_gone")
        try:
            power_uw = file.number()
        except (OSError, ValueError) as error:
            return Gap(channel.id, t_ns, f"grace_{type(error).__name__}")
        fault = power_fault(power_uw, channel.max_power_uw)
        return Gap(channel.id, t_ns, fault) if fault else PowerReading(channel.id, t_ns, power_uw)

    def _channel(self, meter: _Meter) -> Channel:
        interval_ms = (read_text(meter.chip.path("power1_average_interval")) or "").strip()
        module = meter.rail.component is Component.MODULE
        return Channel(
            id=meter.channel_id,
            collector=self.name,
            component=meter.rail.component,
            kind=Kind.POWER,
            quality=Quality.MEASURED,
            device=meter.label,
            host=self._host.name,
            method=METHOD,
            uncertainty_rel=_UNCERTAINTY,
            uncertainty_short=_UNCERTAINTY_SHORT,
            max_power_uw=_MAX_MODULE_POWER_UW if module else _MAX_SOCKET_POWER_UW,
            update_s=int(interval_ms) / 1000 if re.fullmatch(r"[1-9]\d{0,3}", interval_ms) else _DEFAULT_UPDATE_S,
            includes=meter.rail.includes,
            gpu_vendor="nvidia" if module else "",
            note=meter.rail.note,
        )


def _midr(host: Host) -> tuple[int, int] | None:
    """Return implementer and part of the first core; None on anything but 64-bit ARM."""
    cpu = host.sys_root / "devices" / "system" / "cpu" / "cpu0"
    content = read_text(cpu / "regs" / "identification" / "midr_el1")
    try:
        midr = int(content or "", 16)
    except ValueError:
        return None
    return midr >> 24 & 0xFF, midr >> 4 & 0xFFF


def _made_by_nvidia(host: Host) -> bool:
    soc_id = read_text(host.sys_root / "devices" / "soc0" / "soc_id") or ""
    return soc_id.startswith("jep106:036b:") or (host.sys_root / "bus/acpi/devices/ACPI000D:00").exists()


def _oem_info(chip: HwmonChip) -> str:
    return (read_text(chip.path("power1_oem_info")) or "").strip()


def _meters(chips: Sequence[HwmonChip]) -> list[_Meter]:
    """Return the meters with known labels: rail by rail, broad ones first, socket by socket."""
    found: dict[tuple[int, int], _Meter] = {}
    for chip in chips:
        label = _oem_info(chip)
        for rank, rail in enumerate(_RAILS):
            match = re.fullmatch(rf"(?:{rail.label}) Power(?: in uW)? Socket (\d+)", label, re.IGNORECASE)
            if match and chip.path("power1_average").exists():
                found.setdefault((rank, int(match[1])), _Meter(rail, int(match[1]), label, chip))
    return [found[key] for key in sorted(found)]


def _unreadable(meter: _Meter) -> Incident:
    message, remedy = _UNREADABLE.format(path=meter.path), _MAKE_READABLE.format(path=meter.path)
    return Incident("grace_unreadable", message, remedy, meter.channel_id)


def _complete(meters: list[_Meter], sockets: set[int]) -> tuple[list[_Meter], list[Incident]]:
    """Leave out a whole that only some sockets have: it would hide the parts of the others from the total.

    Args:
        meters: Those that can be read.
        sockets: All sockets with any meter.
    """
    incidents = []
    for whole in _WHOLES:
        missing = sockets - {meter.socket for meter in meters if meter.rail.name == whole}
        rest = [meter for meter in meters if meter.rail.name != whole]
        if not missing:
            break
        if len(rest) < len(meters) and {meter.socket for meter in rest} == sockets:
            meters = rest
            names = ", ".join(map(str, sorted(missing)))
            incidents.append(Incident("grace_incomplete", _INCOMPLETE.format(rail=whole, sockets=names)))
    return meters, incidents
