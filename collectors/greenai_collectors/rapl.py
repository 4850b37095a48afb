"""Intel and AMD processors: RAPL energy counters by the kernel's powercap interface.

Layout (Documentation/power/powercap/powercap.rst; drivers/powercap/intel_rapl_common.c and powercap_sys.c). Every
zone is linked from the class folder, a subzone also lies inside its package's; numbers are **hexadecimal**::

    /sys/class/powercap/intel-rapl:0/name                  package-0        <- counted
    /sys/class/powercap/intel-rapl:0/energy_uj             **µJ**, the register's 32 bits times its unit
    /sys/class/powercap/intel-rapl:0/max_energy_range_uj   the counter's last value before 0
    /sys/class/powercap/intel-rapl:0:0/name                core             <- inside the package
    /sys/class/powercap/intel-rapl:0:1/name                dram             <- counted, not inside the package
    /sys/class/powercap/intel-rapl:0/intel-rapl:0:1/       the same zone once more
    /sys/class/powercap/intel-rapl:1/name                  psys             <- around the package
    /sys/class/powercap/intel-rapl:a/name                  package-10       <- the eleventh socket
    /sys/class/powercap/intel-rapl-mmio:0/name             package-0        <- the same counter once more

Only packages and DRAM are summed; psys, core and uncore would count joules twice. A domain that appears more than
once (MMIO, the dies of an AMD package) is taken once, by the first of its zones that may be read. AMD processors
(family 17h and later, kernel 5.8) have packages, but no DRAM. What the domains mean: ``greenai.host.rapl``.

Since kernel 5.10 ``energy_uj`` is for root only (CVE-2020-8694), all else for everybody. Docker (since 24.0.7),
containerd and podman lay an empty folder over /sys/devices/virtual/powercap: the zones are listed, but their links
are dead.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import CounterReading, Gap, Reading
from greenai.core.text import Text
from greenai.host.descriptors import Descriptor
from greenai.host.machine import read_text
from greenai.host.rapl import rapl_channel, rapl_zones, wrap_by_powercap_uj, zone_folders

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from greenai.core.channel import Channel
    from greenai.host import Host
    from greenai.host.rapl import RaplZone

METHOD = "rapl_powercap"

# The largest register at the coarsest unit the driver knows (1 J): nothing above is a reading.
_MAX_ENERGY_UJ = 2**32 * 1_000_000

_ABSENT = Incident(
    "rapl_absent",
    Text(
        de="Diese Maschine hat keine RAPL-Zähler (in virtuellen Maschinen ist das üblich).",
        en="This machine has no RAPL counters (usual in virtual machines).",
    ),
)
_NO_PACKAGE = Incident(
    "rapl_no_package",
    Text(
        de="RAPL zählt hier weder Prozessor noch Speicher, nur anderes (psys, core); was davon worin enthalten "
        "ist, hängt vom Gerät ab, darum wird es nicht gezählt.",
        en="RAPL counts neither processor nor memory here, only other domains (psys, core); what contains what "
        "depends on the device, so they are not counted.",
    ),
)
_HIDDEN = Incident(
    "rapl_hidden",
    Text(
        de="Die CPU-Energiezähler sind in diesem Container verdeckt (/sys/devices/virtual/powercap ist leer).",
        en="The CPU energy counters are hidden in this container (/sys/devices/virtual/powercap is empty).",
    ),
    Text(
        de="Den Container so starten: docker run --security-opt systempaths=unconfined …, "
        "podman run --security-opt unmask=/sys/devices/virtual/powercap …",
        en="Start the container like this: docker run --security-opt systempaths=unconfined …, "
        "podman run --security-opt unmask=/sys/devices/virtual/powercap …",
    ),
    "rapl:package-0",
)
_UNREADABLE = Text(
    de="Der CPU-Energiezähler {path} ist für diesen Benutzer nicht lesbar ({reason}).",
    en="The CPU energy counter {path} may not be read by this user ({reason}).",
)
_UDEV = (
    """echo 'SUBSYSTEM=="powercap", KERNEL=="intel-rapl*:*", ACTION=="add", """
    """RUN+="/bin/chmod a+r /sys%p/energy_uj"' """
    "| sudo tee /etc/udev/rules.d/70-greenai.rules && sudo udevadm trigger --action=add --subsystem-match=powercap"
)
_MAKE_READABLE = Text(
    de='Auf geteilten Maschinen: sudo "$(command -v greenai)" agent --everyone – oder bis zum Neustart: '
    f"sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj – oder dauerhaft: {_UDEV}",
    en='On shared machines: sudo "$(command -v greenai)" agent --everyone – or until the next boot: '
    f"sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj – or for good: {_UDEV}",
)


class RaplCollector:
    """Energy counters of CPU packages and memory, by powercap."""

    name = "rapl"
    slow = False
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._paths: dict[str, Path] = {}
        self._files: list[tuple[str, Descriptor]] = []

    def probe(self) -> Probe:
        """List the packages and DRAM zones that may be read."""
        folders = zone_folders(self._host)
        domains = rapl_zones(self._host, folders)
        if not domains:
            return _nothing(folders)
        channels: list[Channel] = []
        closed: list[Incident] = []
        for zones in domains.values():
            problems = [_problem(zone.folder / "energy_uj") for zone in zones]
            if None in problems:
                zone = zones[problems.index(None)]
                channel = self._channel(zone)
                channels.append(channel)
                self._paths[channel.id] = zone.folder / "energy_uj"
            else:
                path, domain = zones[0].folder / "energy_uj", zones[0].domain
                text = _UNREADABLE.format(path=path, reason=problems[0])
                closed.append(Incident("rapl_unreadable", text, _MAKE_READABLE, f"rapl:{domain}"))
        if not channels:
            return Unavailable(closed[0])
        sources = {channel.id: str(self._paths[channel.id]) for channel in channels}
        return Available(tuple(channels), tuple(closed), sources)

    def open(self, channels: Sequence[Channel]) -> None:
        """Keep one file descriptor per counter; reading is then a single system call."""
        for channel in channels:
            try:
                file = os.open(self._paths[channel.id], os.O_RDONLY | os.O_CLOEXEC)
                self._files.append((channel.id, Descriptor(file)))
            except (OSError, KeyError):
                self._files.append((channel.id, Descriptor()))

    def read(self) -> list[Reading]:
        """Read every counter once."""
        mono_ns = self._host.clock.mono_ns
        return [_read(channel_id, file.number, mono_ns()) for channel_id, file in self._files]

    def close(self) -> None:
        """Close the counters."""
        for _, file in self._files:
            file.close()
        self._files.clear()

    def _channel(self, zone: RaplZone) -> Channel:
        unit_uj = zone.unit_uj
        return rapl_channel(
            self._host, zone.domain, zone.component, collector=self.name, method=METHOD,
            unit_uj=unit_uj, wrap_uj=wrap_by_powercap_uj(unit_uj),
        )  # fmt: skip


def _read(channel_id: str, file: int, t_ns: int) -> Reading:
    if file < 0:
        return Gap(channel_id, t_ns, "rapl_not_opened")
    try:
        energy_uj = int(os.pread(file, 32, 0))
    except OSError as error:
        return Gap(channel_id, t_ns, f"rapl_{errno.errorcode.get(error.errno or 0, 'error').lower()}")
    except ValueError:
        return Gap(channel_id, t_ns, "rapl_garbage")
    if not 0 <= energy_uj <= _MAX_ENERGY_UJ:
        return Gap(channel_id, t_ns, "rapl_out_of_range")
    return CounterReading(channel_id, t_ns, energy_uj)


def _nothing(folders: Sequence[Path]) -> Unavailable:
    if not folders:
        return Unavailable(_ABSENT, expected=True)
    if all(read_text(folder / "name") is None for folder in folders):
        return Unavailable(_HIDDEN)
    return Unavailable(_NO_PACKAGE, expected=True)


def _problem(path: Path) -> str | None:
    """Return why a file cannot be read; None if it can. Asking beats guessing from its mode: root may anyway."""
    try:
        path.read_bytes()
    except OSError as error:
        return error.strerror or "?"
    return None
