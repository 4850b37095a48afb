"""Memory energy where no DRAM counter can be read: size in use times watts per gigabyte. An estimate.

0.3725 W/GB is the figure of Green Algorithms (Lannelongue, Grealey, Inouye, Advanced Science 2021); ±50 %.
The size is what the machine has in use (MemTotal - MemAvailable), so a big idle host is not billed to a small job.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import Gap, PowerReading, Reading
from greenai.core.text import Text
from greenai.core.units import BYTES_PER_GB, UW_PER_W

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.host import Host

METHOD = "memory_estimate_in_use"
WATTS_PER_GB = 0.3725
_UNCERTAINTY = 0.5
_FIELD = re.compile(rb"^(MemTotal|MemAvailable):\s+(\d+) kB", re.MULTILINE)

_NO_MEMINFO = Incident(
    "memory_estimate_no_procfs",
    Text(
        de="Die Speichernutzung ist nicht lesbar (/proc/meminfo); die Speicherenergie ist unbekannt.",
        en="The memory in use cannot be read (/proc/meminfo); the memory energy is unknown.",
    ),
)
_NOTE = Text(
    de="Geschätzt: belegter Speicher x 0,3725 W/GB.",
    en="Estimated: memory in use x 0.3725 W/GB.",
)


class MemoryEstimateCollector:
    """Power of the memory from the size in use."""

    name = "memory_estimate"
    slow = False
    verified_on: str | None = "virtual machines, 2026-11-21"

    def __init__(self, host: Host) -> None:
        self._host = host
        self._file = -1
        self._channel_id = ""

    def probe(self) -> Probe:
        """Offer one estimated channel wherever /proc/meminfo can be read."""
        path = self._host.proc_root / "meminfo"
        try:
            total_bytes = _sizes(path.read_bytes())["MemTotal"]
        except (OSError, KeyError):
            return Unavailable(_NO_MEMINFO)
        channel = Channel(
            id=f"{self.name}:dram",
            collector=self.name,
            component=Component.DRAM,
            kind=Kind.POWER,
            quality=Quality.ESTIMATED,
            device="RAM",
            host=self._host.name,
            method=METHOD,
            uncertainty_rel=_UNCERTAINTY,
            max_power_uw=int(total_bytes / BYTES_PER_GB * WATTS_PER_GB * UW_PER_W) + UW_PER_W,
            note=_NOTE,
        )
        return Available((channel,))

    def open(self, channels: Sequence[Channel]) -> None:
        """Keep /proc/meminfo open."""
        self._channel_id = channels[0].id
        self._file = os.open(self._host.proc_root / "meminfo", os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> list[Reading]:
        """Return the power of the memory in use."""
        t_ns = self._host.clock.mono_ns()
        try:
            sizes = _sizes(os.pread(self._file, 256, 0))
            in_use_bytes = sizes["MemTotal"] - sizes["MemAvailable"]
        except (OSError, KeyError) as error:
            return [Gap(self._channel_id, t_ns, f"procfs_{type(error).__name__}")]
        power_uw = int(in_use_bytes / BYTES_PER_GB * WATTS_PER_GB * UW_PER_W)
        return [PowerReading(self._channel_id, t_ns, power_uw)]

    def close(self) -> None:
        """Close /proc/meminfo."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _sizes(meminfo: bytes) -> dict[str, int]:
    return {name.decode(): int(kib) * 1024 for name, kib in _FIELD.findall(meminfo)}
