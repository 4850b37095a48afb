"""Laptops and other devices on battery: what the batteries give is what the whole device takes.

Layout (Documentation/ABI/testing/sysfs-class-power)::

    /sys/class/power_supply/BAT0/type         Battery
    /sys/class/power_supply/BAT0/scope        System, or Device: a mouse's battery. Often not there
    /sys/class/power_supply/BAT0/present      1
    /sys/class/power_supply/BAT0/status       Discharging
    /sys/class/power_supply/BAT0/power_now    **µW**; some drivers give a negative sign while discharging
    /sys/class/power_supply/BAT0/voltage_now  **µV**
    /sys/class/power_supply/BAT0/current_now  **µA**; negative while discharging, says the ABI; many drivers do not
    /sys/class/power_supply/AC/online         1 while the mains feed the device, of type Mains

On the mains nobody knows what the device takes: a gap. Two batteries (ThinkPads) are one channel, for they empty
one after the other, and the second says "Unknown" or "Not charging" until its turn.

Quirks: a battery has ``power_now`` or ``current_now``, seldom both; either may say 0, or refuse to be read, for
some seconds after the plug was pulled. A running device never takes 0, so that is a gap. With a weak adapter the
battery discharges beside it: then it is not the whole, hence the look at ``online``.

The kernel asks the embedded controller at most once a second (drivers/acpi/battery.c, cache_time), and that takes
tens of milliseconds; hence ``slow``. Controllers average over seconds and lag behind.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import Gap, PowerReading, Reading
from greenai.core.text import Text
from greenai.core.units import UW_PER_W
from greenai.host.hwmon import SensorFile, no_value, power_fault, readable
from greenai.host.machine import read_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from greenai.host import Host

METHOD = "battery_discharge"
_MAX_POWER_UW = 400 * UW_PER_W  # gaming laptops stay below 200 W on battery

# ~95 %, this project's choice: fuel gauges are calibrated to some per cent of current and voltage, but what they
# say is a mean of seconds that lags behind; over minutes that evens out.
_UNCERTAINTY = 0.15
_UNCERTAINTY_SHORT = ((30.0, 0.50), (120.0, 0.25))
_UPDATE_S = 2.0

_UA_UV_PER_UW = 1_000_000

_ABSENT = Incident("battery_absent", Text(de="Diese Maschine hat keinen Akku.", en="This machine has no battery."))
_UNREADABLE = Incident(
    "battery_unreadable",
    Text(
        de="Die Leistung des Akkus ist für diesen Benutzer nicht lesbar.",
        en="The power of the battery may not be read by this user.",
    ),
    Text(
        de="Bis zum Neustart: sudo chmod a+r /sys/class/power_supply/*/*_now",
        en="Until the next boot: sudo chmod a+r /sys/class/power_supply/*/*_now",
    ),
)
_NOTE = Text(
    de="Das ganze Gerät samt Bildschirm, hinter dem Netzteil; nur im Akkubetrieb.",
    en="The whole device with its screen, behind the power adapter; on battery only.",
)


class _Battery(NamedTuple):
    folder: Path
    status: SensorFile
    power: SensorFile
    current: SensorFile
    voltage: SensorFile


class BatteryCollector:
    """Power of the whole device while it runs on battery."""

    name = "battery"
    slow = True
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._channels: tuple[Channel, ...] = ()
        self._batteries: list[_Battery] = []
        self._mains: list[SensorFile] = []

    def probe(self) -> Probe:
        """Offer one channel for all batteries that feed this machine."""
        batteries = _batteries(self._host)
        if not batteries:
            return Unavailable(_ABSENT, expected=True)
        sources = [_sources(folder)[0] for folder in batteries]
        if not all(readable(path) for folder in batteries for path in _sources(folder)):
            return Unavailable(_UNREADABLE)
        channel = Channel(
            id=f"{self.name}:all",
            collector=self.name,
            component=Component.NODE,
            kind=Kind.POWER,
            quality=Quality.MEASURED,
            device=" + ".join(folder.name for folder in batteries),
            host=self._host.name,
            method=METHOD,
            uncertainty_rel=_UNCERTAINTY,
            uncertainty_short=_UNCERTAINTY_SHORT,
            max_power_uw=_MAX_POWER_UW,
            update_s=_UPDATE_S,
            note=_NOTE,
        )
        return Available((channel,), sources={channel.id: str(sources[0])})

    def open(self, channels: Sequence[Channel]) -> None:
        """Remember the files; each is kept open from its first read on."""
        self._channels = tuple(channels)
        self._batteries = [
            _Battery(
                folder,
                *(SensorFile(folder / name) for name in ("status", "power_now", "current_now", "voltage_now")),
            )
            for folder in _batteries(self._host)
        ]
        self._mains = [SensorFile(folder / "online") for folder in _supplies(self._host, "Mains")]

    def read(self) -> list[Reading]:
        """Read all batteries: their sum while they alone feed the device, else a gap."""
        t_ns = self._host.clock.mono_ns()
        power_uw = self._discharge_uw() if self._channels else 0
        return [
            Gap(channel.id, t_ns, power_uw)
            if isinstance(power_uw, str)
            else PowerReading(channel.id, t_ns, power_uw)
            for channel in self._channels
        ]

    def close(self) -> None:
        """Close the files."""
        for battery in self._batteries:
            for file in (battery.status, battery.power, battery.current, battery.voltage):
                file.close()
        for file in self._mains:
            file.close()
        self._channels, self._batteries, self._mains = (), [], []

    def _discharge_uw(self) -> int | str:
        """Return what the batteries give, microwatts, or why nobody knows."""
        there = [battery for battery in self._batteries if battery.folder.exists()]
        if not there:
            return "battery_gone"
        try:
            states = [battery.status.text() for battery in there]
        except OSError as error:
            return f"battery_{type(error).__name__}"
        if not all(states):
            return "battery_no_status"
        if "Discharging" not in states or "Charging" in states or any(_is_on(file) for file in self._mains):
            return "battery_not_discharging"
        try:
            powers_uw = [_power_uw(b) for b, state in zip(there, states, strict=True) if state == "Discharging"]
        except (OSError, ValueError) as error:
            return f"battery_{type(error).__name__}"
        if any(no_value(power_uw) for power_uw in powers_uw):
            return "hwmon_sentinel"
        total_uw = sum(powers_uw)
        return power_fault(total_uw, _MAX_POWER_UW) or total_uw


def _power_uw(battery: _Battery) -> int:
    """Return the power of a discharging battery, microwatts, whatever sign its driver gives it.

    Raises:
        OSError, ValueError: It tells neither power nor current and voltage.
    """
    power_uw: int | None = None
    with suppress(OSError, ValueError):
        power_uw = abs(battery.power.number())
    if power_uw:
        return power_uw
    try:
        return abs(battery.current.number()) * battery.voltage.number() // _UA_UV_PER_UW
    except (OSError, ValueError):
        if power_uw is None:
            raise
        return power_uw


def _is_on(mains: SensorFile) -> bool:
    try:
        return mains.text() == "1"
    except OSError:
        return False


def _sources(battery: Path) -> list[Path]:
    """Return the files that tell the power of a battery; none where it tells nothing, as those of pens do."""
    ways = (("power_now",), ("current_now", "voltage_now"))
    paths = [[battery / name for name in way] for way in ways if all((battery / name).exists() for name in way)]
    return paths[0] if paths else []


def _batteries(host: Host) -> list[Path]:
    """Return the batteries that feed the machine; those of mice and headsets have the scope Device."""
    return [
        folder
        for folder in _supplies(host, "Battery")
        if (read_text(folder / "scope") or "").strip() != "Device"
        and (read_text(folder / "present") or "1").strip() != "0"
        and _sources(folder)
    ]


def _supplies(host: Host, kind: str) -> list[Path]:
    root = host.sys_root / "class" / "power_supply"
    try:
        names = sorted(os.listdir(root))  # noqa: PTH208  # names, not paths
    except OSError:
        return []
    return [root / name for name in names if (read_text(root / name / "type") or "").strip() == kind]
