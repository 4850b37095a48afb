"""CPU energy where no sensor can be read: design power times measured utilisation. An estimate, and labelled so.

Model: P = P_idle + (P_full - P_idle) · u, with u the busy share of all logical CPUs from /proc/stat, and
P_idle = 0.2 · P_full. Being linear, it integrates exactly from two cumulative quantities (time and busy CPU
seconds), so the estimate is an energy counter like a real one: no window is too short and no load is missed
between two samples.

P_full, in this order:

1. what the user set (``cpu_tdp_w``: the whole machine, or the share a virtual machine has of its host);
2. the package's TDP from codecarbon's table x sockets, on physical machines; ±40 % (CodeCarbon-type estimates
   deviate by up to 40 % from external meters: Fischer 2025, arXiv:2509.22092);
3. 3 W per logical CPU, -50 %/+100 %. Server processors of 2016-2023 have 1.9 to 4.3 W of TDP per hardware
   thread (EPYC 9654: 360 W / 192; Xeon E5-2680 v4: 120 W / 28). A virtual machine's share of its host is not
   visible from inside, so this also serves where the model is known.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.reading import CounterReading, Gap, Reading
from greenai.core.text import Text
from greenai.core.units import NS_PER_S, UJ_PER_J, UW_PER_W
from greenai.host.codecarbon_data import cpu_tdp_w
from greenai.host.cpu import busy_seconds, cpu_model, is_virtual, logical_cpus, sockets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.host import Host

METHOD_USER = "cpu_estimate_user_tdp"
METHOD_TDP = "cpu_estimate_tdp"
METHOD_PER_CPU = "cpu_estimate_per_logical_cpu"
IDLE_SHARE = 0.2
WATTS_PER_LOGICAL_CPU = 3.0

_NO_STAT = Incident(
    "cpu_estimate_no_procfs",
    Text(
        de="Die CPU-Auslastung ist nicht lesbar (/proc/stat); die CPU-Energie ist unbekannt.",
        en="The CPU utilisation cannot be read (/proc/stat); the CPU energy is unknown.",
    ),
)
_NOTE = Text(
    de="Geschätzt: {watts:.0f} W bei Volllast x gemessene Auslastung ({basis}).",
    en="Estimated: {watts:.0f} W at full load x measured utilisation ({basis}).",
)
_BASIS_USER = Text(de="Einstellung cpu_tdp_w", en="setting cpu_tdp_w")
_BASIS_TDP = Text(de="TDP-Tabelle von codecarbon", en="codecarbon's TDP table")
_BASIS_PER_CPU = Text(de="3 W je logischer CPU", en="3 W per logical CPU")


@dataclass(frozen=True, slots=True)
class _FullPower:
    watts: float
    method: str
    basis: Text
    low_rel: float
    high_rel: float


class CpuEstimateCollector:
    """A model counter: energy of the CPUs from design power and utilisation."""

    name = "cpu_estimate"
    slow = False
    verified_on: str | None = "virtual machines (Intel Xeon), 2026-11-21"

    def __init__(self, host: Host) -> None:
        self._host = host
        self._ticks = os.sysconf("SC_CLK_TCK")
        self._cpus = logical_cpus(host)
        self._full_w = 0.0
        self._file = -1
        self._channel_id = ""

    def probe(self) -> Probe:
        """Offer one estimated channel wherever /proc/stat can be read."""
        if not os.access(self._host.proc_root / "stat", os.R_OK):
            return Unavailable(_NO_STAT)
        full = self._full_power()
        self._full_w = full.watts
        channel = Channel(
            id=f"{self.name}:cpu",
            collector=self.name,
            component=Component.CPU,
            kind=Kind.COUNTER,
            quality=Quality.ESTIMATED,
            device=cpu_model(self._host) or "CPU",
            host=self._host.name,
            method=full.method,
            uncertainty_rel=full.high_rel,
            uncertainty_low_rel=full.low_rel,
            # Tick counting is coarse: allow a few ticks of all CPUs in one interval.
            max_power_uw=int(4 * full.watts * UW_PER_W),
            # The kernel counts busy time in ticks: at either end each CPU may be off by one.
            resolution_uj=int((1 - IDLE_SHARE) * full.watts / self._ticks * UJ_PER_J),
            note=_NOTE.format(watts=full.watts, basis=full.basis),
        )
        return Available((channel,))

    def open(self, channels: Sequence[Channel]) -> None:
        """Keep /proc/stat open."""
        self._channel_id = channels[0].id
        self._file = os.open(self._host.proc_root / "stat", os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> list[Reading]:
        """Return the model counter."""
        t_ns = self._host.clock.mono_ns()
        try:
            line = os.pread(self._file, 512, 0).partition(b"\n")[0].decode("ascii")
            busy_s = busy_seconds(line, self._ticks)
        except (OSError, ValueError) as error:
            return [Gap(self._channel_id, t_ns, f"procfs_{type(error).__name__}")]
        idle_w = IDLE_SHARE * self._full_w
        energy_j = idle_w * t_ns / NS_PER_S + (self._full_w - idle_w) * busy_s / self._cpus
        return [CounterReading(self._channel_id, t_ns, int(energy_j * UJ_PER_J))]

    def close(self) -> None:
        """Close /proc/stat."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _full_power(self) -> _FullPower:
        if self._host.knowledge.cpu_tdp_w is not None:
            return _FullPower(self._host.knowledge.cpu_tdp_w, METHOD_USER, _BASIS_USER, 0.4, 0.4)
        model = cpu_model(self._host)
        tdp_w = cpu_tdp_w(model) if model and not is_virtual(self._host) else None
        if tdp_w is not None:
            return _FullPower(tdp_w * sockets(self._host), METHOD_TDP, _BASIS_TDP, 0.4, 0.4)
        return _FullPower(WATTS_PER_LOGICAL_CPU * self._cpus, METHOD_PER_CPU, _BASIS_PER_CPU, 0.5, 1.0)
