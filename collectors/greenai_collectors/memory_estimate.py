"""Memory energy where no DRAM counter can be read: size in use times watts per gigabyte. An estimate.

0.3725 W/GB is the figure of Green Algorithms (Lannelongue, Grealey, Inouye, Advanced Science 2021); ±50 %.

The size is what is in use, so a big idle host is not billed to a small job: of a container or Slurm job, the
memory of its own control group (without the page cache of files, see greenai.host.cgroup_figures); else of
the machine, MemTotal - MemAvailable. It is never more than what the container or job may have: the limit of the
control group, or what Slurm was asked for (``--mem``, ``--mem-per-cpu``).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.power_model import WATTS_PER_GB
from greenai.core.reading import Gap, PowerReading, Reading
from greenai.core.text import Text
from greenai.core.units import BYTES_PER_GB, NS_PER_MS, UW_PER_W
from greenai.host.allotment import MemoryAllotment, memory_allotment
from greenai.host.cgroup_figures import cgroup_memory_bytes
from greenai.host.descriptors import Descriptor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.host import Host
    from greenai.host.cgroup import Cgroup

# Memory does not fill faster than an estimate of its power could tell; the kernel takes 8 us to add it up.
_NEWS_NS = 50 * NS_PER_MS
METHOD = "memory_estimate_in_use"
_UNCERTAINTY = 0.5

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
_NOTE_OWN = Text(
    de="Geschätzt: belegter Speicher der eigenen Kontrollgruppe x 0,3725 W/GB, höchstens {watts} W ({size} GB).",
    en="Estimated: memory in use by our own control group x 0.3725 W/GB, at most {watts} W ({size} GB).",
)
_NOTE_LIMIT = Text(
    de="Geschätzt: belegter Speicher der Maschine x 0,3725 W/GB, höchstens {watts} W (von Slurm: {size} GB).",
    en="Estimated: memory in use on the machine x 0.3725 W/GB, at most {watts} W (from Slurm: {size} GB).",
)


class MemoryEstimateCollector:
    """Power of the memory from the size in use."""

    name = "memory_estimate"
    slow = False
    verified_on: str | None = "virtual machines, 2026-11-21"

    def __init__(self, host: Host) -> None:
        self._host = host
        self._cgroup: Cgroup | None = None
        self._limit_bytes = 0
        self._latest: PowerReading | None = None
        self._file = Descriptor()
        self._channel_id = ""

    def probe(self) -> Probe:
        """Offer one estimated channel wherever /proc/meminfo can be read."""
        path = self._host.proc_root / "meminfo"
        try:
            total_bytes, _ = _sizes_bytes(path.read_bytes())
        except (OSError, ValueError):
            return Unavailable(_NO_MEMINFO)
        allotment = memory_allotment(self._host, total_bytes)
        self._cgroup = allotment.cgroup if allotment else None
        self._limit_bytes = (allotment.limit_bytes if allotment else None) or total_bytes
        source = self._cgroup.memory_folder if self._cgroup else path
        limit_w = _watts(self._limit_bytes)
        channel = Channel(
            id=f"{self.name}:allotted" if allotment else f"{self.name}:dram",
            collector=self.name,
            component=Component.DRAM,
            kind=Kind.POWER,
            quality=Quality.ESTIMATED,
            device=f"RAM ({self._limit_bytes / BYTES_PER_GB:.0f} GB)" if allotment else "RAM",
            host=self._host.name,
            method=METHOD,
            uncertainty_rel=_UNCERTAINTY,
            max_power_uw=int(limit_w * UW_PER_W) + UW_PER_W,
            policy="allotment" if allotment else None,
            note=_note(limit_w, self._limit_bytes, allotment),
        )
        return Available((channel,), sources={channel.id: str(source)})

    def open(self, channels: Sequence[Channel]) -> None:
        """Keep /proc/meminfo open."""
        self._channel_id = channels[0].id
        if self._cgroup is None:
            self._file = Descriptor(os.open(self._host.proc_root / "meminfo", os.O_RDONLY | os.O_CLOEXEC))

    def read(self) -> list[Reading]:
        """Return the power of the memory in use; asked again at once, it says the same of the same moment."""
        t_ns = self._host.clock.mono_ns()
        if self._latest is not None and t_ns - self._latest.t_mono_ns < _NEWS_NS:
            return [self._latest]
        try:
            in_use_bytes = min(self._in_use_bytes(), self._limit_bytes)
            if in_use_bytes < 0:
                raise ValueError("more memory available than there is")  # noqa: TRY301  # one way to a gap
        except (OSError, ValueError) as error:
            door = "procfs" if self._cgroup is None else "cgroup"
            return [Gap(self._channel_id, t_ns, f"{door}_{type(error).__name__}")]
        self._latest = PowerReading(self._channel_id, t_ns, int(_watts(in_use_bytes) * UW_PER_W))
        return [self._latest]

    def close(self) -> None:
        """Close /proc/meminfo."""
        self._file.close()

    def _in_use_bytes(self) -> int:
        if self._cgroup is not None:
            return cgroup_memory_bytes(self._cgroup)
        total_bytes, available_bytes = _sizes_bytes(os.pread(self._file.number, 256, 0))
        return total_bytes - available_bytes


def _watts(size_bytes: int) -> float:
    return size_bytes / BYTES_PER_GB * WATTS_PER_GB


def _note(limit_w: float, limit_bytes: int, allotment: MemoryAllotment | None) -> Text:
    if allotment is None:
        return _NOTE
    sentence = _NOTE_OWN if allotment.cgroup is not None else _NOTE_LIMIT
    watts = f"{limit_w:.0f}" if limit_w >= 10 else f"{limit_w:.1f}"  # noqa: PLR2004
    size = f"{limit_bytes / BYTES_PER_GB:.0f}"
    return sentence.format(watts=Text(de=watts.replace(".", ","), en=watts), size=size)


def _sizes_bytes(meminfo: bytes) -> tuple[int, int]:
    """Return MemTotal and MemAvailable, which are the first and third line of /proc/meminfo since kernel 3.14.

    Raises:
        ValueError: They are not there.
    """
    total, total_kib, _, _, _, _, available, available_kib, *_ = meminfo.split(None, 8)
    if (total, available) != (b"MemTotal:", b"MemAvailable:"):
        raise ValueError(f"not meminfo: {meminfo[:40]!r}")
    return int(total_kib) * 1024, int(available_kib) * 1024
