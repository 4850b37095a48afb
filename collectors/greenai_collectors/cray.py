"""HPE Cray EX and XC: the energy counters of the node controller, readable by everybody.

Layout (HPE docs-csm, operations/power_management/User_Access_to_Compute_Node_Power_Data.md; file names by blade
in eth-cscs/node-burn, pm_counters.cpp, and in the cscs-docs of Alps; contents as captured on Adastra by ceems,
pkg/collector/testdata, and on Hunter by hws, tests of cray_pm_counters)::

    /sys/cray/pm_counters/energy           1360621494 J 1734094386462336 us    the whole node  <- counted
    /sys/cray/pm_counters/cpu_energy       139431088 J 1734094386462336 us     all sockets
    /sys/cray/pm_counters/cpu0_energy      ...                                 one socket, inside cpu_energy
    /sys/cray/pm_counters/memory_energy    104283458 J 1734094386462336 us
    /sys/cray/pm_counters/accel0_energy    208970342 J 1734094386462336 us     one accelerator (XC: accel_energy)
    /sys/cray/pm_counters/startup          1778580757634187                    another one after each restart
    /sys/cray/pm_counters/freshness, generation, version, raw_scan_hz, *_power, *_power_cap, capped_energy, ...

The time in a line is the controller's: since the epoch on Adastra, since ``startup`` on Hunter. It does not take
the place of our own: the offset between both clocks would have to be estimated, to gain the 0.1 s by which a value
may be old. It only tells whether the controller lives: one that leaves out five scans gives no figures (a gap
between two good readings of a counter costs nothing).

``freshness`` is not read. It would tell whether two files belong to the same scan; each file is one consistent
pair of value and time, and nothing here subtracts one file from another. ``generation`` counts changes of the
power cap and says nothing about the counters.

After a restart the counters begin anew, and where they have grown past their old value meanwhile no difference
shows it. Therefore every value is given on a level that depends on ``startup``: two values from before and after a
restart are implausibly far apart, which the arithmetic takes for what it is, a reset.

The parts are a breakdown of ``energy``. What an accelerator's counter contains depends on the blade:

* a card or module: an A100 (EX235n), an MI250X with its two GCDs (EX235a);
* an APU with CPU cores, GPU and memory, where no CPU is counted beside numbered accelerators (MI300A, EX255a);
* a superchip, where each accelerator has a CPU counter of its number (GH200, EX254n). CSCS logs ``accelN`` as the
  GPU; whether it contains the Grace CPU and its memory is documented nowhere, so it is never added to them.
"""

from __future__ import annotations

import os
import re
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import CounterReading, Gap, Reading
from greenai.core.text import Text
from greenai.core.units import NS_PER_S, UJ_PER_J, UW_PER_W
from greenai.host.cpu import cpu_model
from greenai.host.descriptors import Descriptor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from greenai.host import Host

METHOD = "cray_pm_counters"
_COUNTER = re.compile(r"(?:(?P<part>cpu|memory|accel)(?P<number>\d*)_)?energy")
_LINE = re.compile(rb"(\d{1,12}) J(?: (\d{1,18}) us)?\s*")
_SCAN_S = 0.1  # raw_scan_hz is 10
_STALE_NS = NS_PER_S // 2

# ~95 % half-widths: the node's input power is good to 2 % by HPE's word, its parts are this project's cautious
# choice. A window begins and ends up to one scan late: 0.1 s of 0.2 s is half of it, of 1 s a tenth.
_UNCERTAINTY_NODE = 0.03
_UNCERTAINTY_PART = 0.05
_UNCERTAINTY_SHORT = ((1.0, 0.50), (10.0, 0.15))

# No node, set of sockets or set of DIMMs draws more; an accelerator may be a superchip.
_MAX_POWER_W = {"node": 20_000, "cpu": 4_000, "memory": 2_000, "accel": 3_000}
_COMPONENTS = {"cpu": Component.CPU, "memory": Component.DRAM, "accel": Component.GPU}
_MI250X_HOST = "7A53"  # the EPYC of EX235a, made for it

_ABSENT = Incident(
    "cray_absent",
    Text(
        de="Diese Maschine hat keine Cray-Energiezähler (/sys/cray/pm_counters).",
        en="This machine has no Cray energy counters (/sys/cray/pm_counters).",
    ),
)
_UNREADABLE = Text(
    de="Der Energiezähler {path} ist für diesen Benutzer nicht lesbar.",
    en="The energy counter {path} may not be read by this user.",
)
_MAKE_READABLE = Text(
    de="Bis zum Neustart: sudo chmod a+rx /sys/cray/pm_counters && sudo chmod a+r /sys/cray/pm_counters/*",
    en="Until the next boot: sudo chmod a+rx /sys/cray/pm_counters && sudo chmod a+r /sys/cray/pm_counters/*",
)
_SILENT = Text(
    de="Der Energiezähler {path} gibt keinen Wert an („{content}“); der Knoten-Controller misst offenbar nicht.",
    en='The energy counter {path} gives no figure ("{content}"); the node controller does not seem to measure.',
)
_SUPERCHIP = Text(
    de="Ob dieser Zähler die CPU des Superchips und ihren Speicher enthält, ist nicht dokumentiert; er wird nie "
    "mit ihnen addiert.",
    en="Whether this counter contains the superchip's CPU and its memory is not documented; it is never added to "
    "them.",
)
_APU = Text(
    de="Ein APU: CPU-Kerne, GPU und Speicher zusammen.",
    en="An APU: CPU cores, GPU and memory together.",
)
_TWO_DIES = Text(
    de="Eine Karte MI250X: zwei GPUs (GCDs) zusammen.",
    en="One MI250X card: two GPUs (GCDs) together.",
)


class _Counter(NamedTuple):
    """One file and what it counts; ``part`` is empty for the node."""

    path: Path
    part: str
    number: str

    @property
    def device(self) -> str:
        return f"{self.part}{self.number}" or "node"


class CrayCollector:
    """Energy of a whole Cray node, and of its parts."""

    name = "cray"
    slow = False
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._folder = host.sys_root / "cray" / "pm_counters"
        self._files: list[tuple[str, Descriptor]] = []
        self._startup = Descriptor()
        self._renewed: dict[
            str, tuple[int, int]
        ] = {}  # channel: the controller's time, and when it was first seen

    def probe(self) -> Probe:
        """List the node's counter and those of its parts."""
        try:
            counters = self._counters()
        except PermissionError:
            incident = Incident("cray_unreadable", _UNREADABLE.format(path=self._folder), _MAKE_READABLE)
            return Unavailable(incident)
        except OSError:
            return Unavailable(_ABSENT, expected=True)
        channels: list[Channel] = []
        incidents: list[Incident] = []
        sources: dict[str, str] = {}
        for counter in counters:
            channel = self._channel(counter, counters)
            problem = _problem(counter, channel.id)
            if problem is None:
                channels.append(channel)
                sources[channel.id] = str(counter.path)
            elif problem.code == "cray_unreadable" or not counter.part:
                incidents.append(problem)  # a part that says nothing is not fitted
        if channels:
            return Available(tuple(channels), tuple(incidents), sources)
        return Unavailable(incidents[0]) if incidents else Unavailable(_ABSENT, expected=True)

    def open(self, channels: Sequence[Channel]) -> None:
        """Keep one file descriptor per counter; reading is then a single system call."""
        paths: dict[str, Path] = {}
        with suppress(OSError):
            paths = {f"{self.name}:{counter.device}": counter.path for counter in self._counters()}
            self._startup = Descriptor(os.open(self._folder / "startup", os.O_RDONLY | os.O_CLOEXEC))
        for channel in channels:
            try:
                file = os.open(paths[channel.id], os.O_RDONLY | os.O_CLOEXEC)
                self._files.append((channel.id, Descriptor(file)))
            except (OSError, KeyError):
                self._files.append((channel.id, Descriptor()))

    def read(self) -> list[Reading]:
        """Read every counter once."""
        level_uj = self._level_uj()
        return [self._read(channel_id, file.number, level_uj) for channel_id, file in self._files]

    def close(self) -> None:
        """Close the counters."""
        for file in (self._startup, *(file for _, file in self._files)):
            file.close()
        self._files.clear()
        self._renewed.clear()

    def _counters(self) -> list[_Counter]:
        """Return the node's counter and those of its parts, none of which contains another.

        Raises:
            OSError: The folder is not there or may not be listed.
        """
        found: dict[str, list[_Counter]] = {"": [], "cpu": [], "memory": [], "accel": []}
        for file in os.listdir(self._folder):  # noqa: PTH208  # names, not paths
            match = _COUNTER.fullmatch(file)
            if match:
                part, number = match["part"] or "", match["number"] or ""
                found[part].append(_Counter(self._folder / file, part, number))
        # One sum of all sockets goes before the sockets; numbered accelerators go before their sum.
        for part, sum_first in (("cpu", True), ("memory", True), ("accel", False)):
            sums = [counter for counter in found[part] if not counter.number]
            single = sorted((c for c in found[part] if c.number), key=lambda c: int(c.number))
            found[part] = (sums or single) if sum_first else (single or sums)
        return [counter for counters in found.values() for counter in counters]

    def _channel(self, counter: _Counter, counters: Sequence[_Counter]) -> Channel:
        part = counter.part or "node"
        component = _COMPONENTS.get(part, Component.NODE)
        includes: frozenset[Component] = frozenset()
        note = None
        if part == "accel" and counter.number:
            if not any(other.part == "cpu" for other in counters):
                component, note = Component.MODULE, _APU
            elif (self._folder / f"cpu{counter.number}_energy").exists():
                includes, note = frozenset({Component.CPU, Component.DRAM}), _SUPERCHIP
            elif _MI250X_HOST in (cpu_model(self._host) or ""):
                note = _TWO_DIES
        return Channel(
            id=f"{self.name}:{counter.device}",
            collector=self.name,
            component=component,
            kind=Kind.COUNTER,
            quality=Quality.MEASURED,
            device=counter.device,
            host=self._host.name,
            method=METHOD,
            uncertainty_rel=_UNCERTAINTY_PART if counter.part else _UNCERTAINTY_NODE,
            uncertainty_short=_UNCERTAINTY_SHORT,
            max_power_uw=_MAX_POWER_W[part] * UW_PER_W,
            resolution_uj=UJ_PER_J,
            update_s=_SCAN_S,
            includes=includes,
            note=note,
        )

    def _level_uj(self) -> int | None:
        """Return the level of this life of the controller, a multiple of 268 J below 2^60 µJ; None if unreadable.

        A ``startup`` in µs is taken to the minute, lest a controller that computes it anew flickers.
        """
        if self._startup.number < 0:
            return 0
        try:
            startup = int(os.pread(self._startup.number, 64, 0))
        except (OSError, ValueError):
            return None
        life = startup // 60_000_000 if startup > 10**12 else startup
        return zlib.crc32(b"%d" % life) << 28

    def _read(self, channel_id: str, file: int, level_uj: int | None) -> Reading:
        t_ns = self._host.clock.mono_ns()
        try:
            match = _LINE.fullmatch(os.pread(file, 128, 0))
        except OSError:
            return Gap(channel_id, t_ns, "cray_unreadable")
        if match is None or level_uj is None:
            return Gap(channel_id, t_ns, "cray_garbage")
        if match[2] is not None and self._is_stale(channel_id, int(match[2]), t_ns):
            return Gap(channel_id, t_ns, "cray_stale")
        if int(match[1]) == 0:
            return Gap(channel_id, t_ns, "cray_zero")
        return CounterReading(channel_id, t_ns, level_uj + int(match[1]) * UJ_PER_J)

    def _is_stale(self, channel_id: str, time_us: int, t_ns: int) -> bool:
        last_us, since_ns = self._renewed.get(channel_id, (None, t_ns))
        if time_us != last_us:
            self._renewed[channel_id] = (time_us, t_ns)
            return False
        return t_ns - since_ns > _STALE_NS


def _problem(counter: _Counter, channel_id: str) -> Incident | None:
    """Return what keeps a counter from being read."""
    try:
        content = counter.path.read_bytes()[:128]
    except OSError:
        return Incident("cray_unreadable", _UNREADABLE.format(path=counter.path), _MAKE_READABLE, channel_id)
    match = _LINE.fullmatch(content)
    if match is not None and int(match[1]) > 0:
        return None
    words = content.decode(errors="replace").strip()
    return Incident("cray_silent", _SILENT.format(path=counter.path, content=words), channel_id=channel_id)
