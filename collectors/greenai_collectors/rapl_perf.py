"""Intel and AMD processors: RAPL energy counters by the kernel's ``power`` PMU (perf_event_open).

The same counters as powercap's, by a door that may be open where powercap's is shut: it asks for CAP_PERFMON or
``perf_event_paranoid`` <= 0 instead of root (``perf_allow_cpu`` in kernel/events/core.c). Channel ids are those of
powercap.

Layout (Documentation/ABI/testing/sysfs-bus-event_source-devices-events; arch/x86/events/rapl.c, and for Xeon 6 and
later drivers/powercap/intel_rapl_common.c)::

    /sys/bus/event_source/devices/power/type                       number of the PMU
    /sys/bus/event_source/devices/power/cpumask                    one CPU per package (or die), e.g. 0,18
    /sys/bus/event_source/devices/power/events/energy-pkg          event=0x02         <- counted
    /sys/bus/event_source/devices/power/events/energy-pkg.scale    2.3283064365386962890625e-10 (2^-32)
    /sys/bus/event_source/devices/power/events/energy-pkg.unit     Joules
    /sys/bus/event_source/devices/power/events/energy-ram          event=0x03         <- counted
    /sys/bus/event_source/devices/power/events/energy-cores        and energy-gpu, energy-psys: inside or around
    /sys/bus/event_source/devices/power_core/                      AMD, kernel 6.13: single cores, inside
    /sys/devices/system/cpu/cpu18/topology/{physical_package_id,die_id}

What a count is, and what follows from it:

* It is 0 when the event is opened and grows by what the register grew, so each process has a zero of its own
  (``Channel.per_process``). It is signed and of 2^-32 J: 2^31 J (25 days at 1 kW) until it turns.
* The kernel adds the register's difference as a **signed** 32-bit number, at each read and by a timer made for
  200 W (``rapl_check_hw_unit``): every 164 s at a unit of 2^-16 J, 655 s at 2^-14 J. A package of more than 200 W
  that nobody reads meanwhile makes the count **fall** by the register's whole range. (The driver of Xeon 6 lets it
  fall at every wrap of the register.) So a count is only known modulo that range, exactly like powercap's: that is
  its ``wrap_uj``, although it has 64 bits. Read often enough (``Channel.poll_s``), every fall is undone.
* Xeon 6 lists an event for all packages if any has it, and counts 0 for ever where there is none; powercap lists
  memory only where it counts. So memory is taken only if powercap, where it can be seen, knows of memory.
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.channel import Component
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import CounterReading, Gap, Reading
from greenai.core.text import Text
from greenai.core.units import UJ_PER_J
from greenai.host.machine import read_text
from greenai.host.rapl import package_domain, rapl_channel, rapl_zones, socket_wide, wrap_by_perf_uj, zone_folders

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from greenai.core.channel import Channel
    from greenai.host import Host
    from greenai.host.perf import PerfCounter
    from greenai.host.rapl import RaplZone

METHOD = "rapl_perf"

_EVENTS = {"energy-pkg": Component.CPU, "energy-ram": Component.DRAM}
_CONFIG = re.compile(r"^event=(0x[0-9a-f]+|\d+)$")
_CPUS = re.compile(r"^(\d+)(?:-(\d+))?$")

_ABSENT = Incident(
    "rapl_perf_absent",
    Text(
        de="Der Kernel bietet hier keine RAPL-Zähler über perf an (in virtuellen Maschinen ist das üblich).",
        en="The kernel offers no RAPL counters by perf here (usual in virtual machines).",
    ),
)
_STRANGE = Incident(
    "rapl_perf_unknown_layout",
    Text(
        de="Die RAPL-Zähler unter /sys/bus/event_source/devices/power sind anders beschrieben als erwartet und "
        "werden nicht gelesen.",
        en="The RAPL counters in /sys/bus/event_source/devices/power are described in an unexpected way and are "
        "not read.",
    ),
)
_CLOSED = Text(
    de="Der Kernel erlaubt diesem Benutzer den CPU-Energiezähler {source} nicht ({reason}).",
    en="The kernel does not let this user open the CPU energy counter {source} ({reason}).",
)
_PYTHON = 'sudo setcap cap_perfmon=ep "$(readlink -f "$(command -v python3)")"'
_ALLOW = Text(
    de="Bis zum Neustart: sudo sysctl kernel.perf_event_paranoid=0 (nur für dieses Python, dauerhaft: "
    f"{_PYTHON} ; im Container: docker run --cap-add PERFMON --security-opt seccomp=unconfined …)",
    en="Until the next boot: sudo sysctl kernel.perf_event_paranoid=0 (for this Python only, for good: "
    f"{_PYTHON} ; in a container: docker run --cap-add PERFMON --security-opt seccomp=unconfined …)",
)


class _Event(NamedTuple):
    """An event on one CPU, and how its counts become microjoules: times ``numerator`` / ``denominator``."""

    domain: str
    component: Component
    source: str
    pmu_type: int
    config: int
    cpu: int
    numerator: int
    denominator: int

    def open(self, host: Host) -> PerfCounter:
        """Open it.

        Raises:
            OSError: The kernel refuses.
        """
        return host.open_perf_counter(self.pmu_type, self.config, self.cpu)


class RaplPerfCollector:
    """Energy counters of CPU packages and memory, by perf_event_open."""

    name = "rapl_perf"
    slow = False
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._pmu = host.sys_root / "bus" / "event_source" / "devices" / "power"
        self._events: dict[str, _Event] = {}
        self._opened: list[tuple[str, _Event | None, PerfCounter | None]] = []

    def probe(self) -> Probe:
        """List the packages and memories whose counters may be opened. Only opening one tells."""
        if not self._pmu.is_dir():
            return Unavailable(_ABSENT, expected=True)
        zones = rapl_zones(self._host, zone_folders(self._host))
        channels: list[Channel] = []
        closed: list[Incident] = []
        for event in self._found(zones):
            channel = self._channel(event, zones)
            try:
                event.open(self._host).close()
            except OSError as error:
                text = _CLOSED.format(source=event.source, reason=error.strerror or error)
                remedy = _ALLOW if isinstance(error, PermissionError) else None
                closed.append(Incident("rapl_perf_closed", text, remedy, channel.id))
            else:
                channels.append(channel)
                self._events[channel.id] = event
        if not channels:
            return Unavailable(closed[0] if closed else _STRANGE)
        sources = {channel.id: self._events[channel.id].source for channel in channels}
        return Available(tuple(channels), tuple(closed), sources)

    def open(self, channels: Sequence[Channel]) -> None:
        """Open one counter per channel; they count from now on."""
        for channel in channels:
            event = self._events.get(channel.id)
            try:
                self._opened.append((channel.id, event, event.open(self._host) if event else None))
            except OSError:
                self._opened.append((channel.id, event, None))

    def read(self) -> list[Reading]:
        """Read every counter once."""
        return [self._read(*opened) for opened in self._opened]

    def close(self) -> None:
        """Close the counters."""
        for _, _, counter in self._opened:
            if counter is not None:
                counter.close()
        self._opened.clear()

    def _read(self, channel_id: str, event: _Event | None, counter: PerfCounter | None) -> Reading:
        t_ns = self._host.clock.mono_ns()
        if event is None or counter is None:
            return Gap(channel_id, t_ns, "rapl_perf_not_opened")
        try:
            count = counter.read()
        except OSError as error:
            return Gap(channel_id, t_ns, f"rapl_perf_{errno.errorcode.get(error.errno or 0, 'error').lower()}")
        except ValueError:  # end of file: its CPU was taken offline
            return Gap(channel_id, t_ns, "rapl_perf_no_count")
        return CounterReading(channel_id, t_ns, count * event.numerator // event.denominator)

    def _channel(self, event: _Event, zones: dict[str, list[RaplZone]]) -> Channel:
        unit_uj = zones[event.domain][0].unit_uj if event.domain in zones else None
        return rapl_channel(
            self._host, event.domain, event.component, collector=self.name, method=METHOD,
            unit_uj=unit_uj, wrap_uj=wrap_by_perf_uj(unit_uj), per_process=True,
        )  # fmt: skip

    def _found(self, zones: dict[str, list[RaplZone]]) -> Iterator[_Event]:
        """Yield every event to be counted, socket by socket."""
        pmu_type = (read_text(self._pmu / "type") or "").strip()
        has_memory = not zones or any(found[0].component is Component.DRAM for found in zones.values())
        for domain, cpu in self._cpus().items() if pmu_type.isdecimal() else ():
            for name, component in _EVENTS.items():
                described = _described(self._pmu / "events" / name)
                if described is None or (component is Component.DRAM and not has_memory):
                    continue
                config, numerator, denominator = described
                own = domain if component is Component.CPU else f"{domain}/dram"
                source = f"power/{name}/ (CPU {cpu})"
                yield _Event(own, component, source, int(pmu_type), config, cpu, numerator, denominator)

    def _cpus(self) -> dict[str, int]:
        """Return a CPU for each package, or die, by the name of its domain; nothing if one cannot be named."""
        cpus = _cpu_list(read_text(self._pmu / "cpumask") or "")
        packages = [self._topology(cpu, "physical_package_id") for cpu in cpus]
        # The kernel names dies if any package has several; so its mask has several CPUs of a package.
        by_die = len(set(packages)) < len(packages) and not socket_wide(self._host)
        dies = [self._topology(cpu, "die_id") if by_die else 0 for cpu in cpus]
        places = [
            (package, die, cpu)
            for package, die, cpu in zip(packages, dies, cpus, strict=True)
            if package is not None and die is not None
        ]
        if len(places) < len(cpus):
            return {}
        named: dict[str, int] = {}
        for package, die, cpu in sorted(places):
            named.setdefault(package_domain(self._host, package, die if by_die else None), cpu)
        return named

    def _topology(self, cpu: int, file: str) -> int | None:
        path = self._host.sys_root / "devices" / "system" / "cpu" / f"cpu{cpu}" / "topology" / file
        text = (read_text(path) or "").strip()
        return int(text) if text.isdecimal() else None


def _described(event: Path) -> tuple[int, int, int] | None:
    """Return config, and microjoules per count as a fraction (exact: floats are); None if that is not known."""
    config = _CONFIG.match((read_text(event) or "").strip().lower())
    unit = (read_text(event.with_name(f"{event.name}.unit")) or "").strip()
    try:
        joules = float(read_text(event.with_name(f"{event.name}.scale")) or "")
        numerator, denominator = joules.as_integer_ratio()
    except (ValueError, OverflowError):  # no number; or infinite, or none (nan)
        return None
    if config is None or unit != "Joules" or joules <= 0:
        return None
    return int(config.group(1), 0), numerator * UJ_PER_J, denominator


def _cpu_list(text: str) -> list[int]:
    """Return the numbers of a kernel CPU list, e.g. ``0,18`` or ``0-3``; none if it is not one."""
    parts = [_CPUS.match(part) for part in text.strip().split(",")]
    if None in parts:
        return []
    spans = [part.groups() for part in parts if part]
    return [cpu for first, last in spans for cpu in range(int(first), int(last or first) + 1)]
