"""CPU energy where no sensor can be read: a load line times measured CPU time. An estimate, and labelled so.

Model: P = P_idle + (P_full - P_idle) · u, with u the busy share of the logical CPUs. Being linear, it integrates
exactly from two cumulative quantities (time and busy CPU seconds), so the estimate is an energy counter like a
real one: no window is too short and no load is missed between two samples (docs/decisions/0002;
greenai.host.cpu_power says how straight real load lines are). It depends on nothing but the machine's own
counters, so that all processes of a run read the same counter. Should busy time fall (a container moved to
another machine), that is a reset: unknown for one interval, and never filled in.

P_full, in this order:

1. what the user set (``cpu_tdp_w``: the whole machine, or the share a virtual machine has of its host); ±40 %;
2. the package's TDP from codecarbon's table x sockets, on physical machines; ±40 % (CodeCarbon-type estimates
   deviate by up to 40 % from external meters: Fischer 2025, arXiv:2509.22092);
3. watts per logical CPU of the processor's family (``greenai/host/cpu_power.csv``), at least -40/+60 %, where
   numbers are not verified -50/+100 %. A virtual machine stands for as many of its host's logical CPUs as it
   has;
4. 3 W per logical CPU, -50 %/+100 % (``greenai.core.power_model``).

P_idle is the family's share of P_full, else 0.2 of it.

A container or Slurm job that was given n of N CPUs (quota, cpuset; greenai.host.allotment) is billed the idle
power of n CPUs and its own control group's CPU time; where nobody counts that, n/N of the machine's. Time that a
hypervisor gave to others (steal) is no work and costs nothing beyond idle power; that a vCPU then stands for
less than a CPU is left out (at 10 % steal, 2 % of the figure).

The machine's busy time is read from ``cpu.stat`` of version 2's root control group where there is one (kernel 5.8
and newer): the same sums over all CPUs as in the first line of /proc/stat (``root_cgroup_cputime`` in
kernel/cgroup/rstat.c), in microseconds instead of ticks. /proc/stat adds up every interrupt of every CPU as well
before it answers: 8 us against 1.3 us on two CPUs, and the more the bigger the machine.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.power_model import (
    IDLE_SHARE,
    WATTS_PER_LOGICAL_CPU,
    WATTS_PER_LOGICAL_CPU_RELS,
)
from greenai.core.reading import CounterReading, Gap, Reading
from greenai.core.text import Text
from greenai.core.units import NS_PER_S, UJ_PER_J, UW_PER_W
from greenai.host.allotment import CpuAllotment, cpu_allotment
from greenai.host.cgroup_figures import cgroup_cpu_us
from greenai.host.codecarbon_data import cpu_tdp_w
from greenai.host.cpu import (
    busy_seconds,
    cpu_identity,
    cpu_model,
    is_virtual,
    logical_cpus,
    plain_model,
    sockets,
)
from greenai.host.cpu_power import CpuPower, cpu_power
from greenai.host.descriptors import Descriptor
from greenai.host.machine import read_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from greenai.host import Host
    from greenai.host.cgroup import Cgroup

METHOD_USER = "cpu_estimate_user_tdp"
METHOD_TDP = "cpu_estimate_tdp"
METHOD_FAMILY = "cpu_estimate_family"
METHOD_PER_CPU = "cpu_estimate_per_logical_cpu"
_TDP_REL = 0.4
_UNKNOWN_LOW_REL, _UNKNOWN_HIGH_REL = WATTS_PER_LOGICAL_CPU_RELS

_NO_STAT = Incident(
    "cpu_estimate_no_procfs",
    Text(
        de="Die CPU-Auslastung ist nicht lesbar (/proc/stat); die CPU-Energie ist unbekannt.",
        en="The CPU utilisation cannot be read (/proc/stat); the CPU energy is unknown.",
    ),
)
_NOTE = Text(
    de="Geschätzt: {idle} W im Leerlauf bis {full} W bei Volllast, nach gemessener Auslastung ({basis}).",
    en="Estimated: {idle} W idle to {full} W at full load, by measured utilisation ({basis}).",
)
_BASIS_USER = Text(de="Einstellung cpu_tdp_w", en="setting cpu_tdp_w")
_BASIS_TDP = Text(de="TDP-Tabelle von codecarbon", en="codecarbon's TDP table")
_BASIS_FAMILY = Text(de="{family}: {watts} W je logischer CPU", en="{family}: {watts} W per logical CPU")
_BASIS_UNVERIFIED = Text(
    de="{family}: {watts} W je logischer CPU, nicht nachgeprüft",
    en="{family}: {watts} W per logical CPU, not verified",
)
_BASIS_PER_CPU = Text(de="3 W je logischer CPU", en="3 W per logical CPU")
_ALLOTTED = Text(
    de="{basis}; für {cpus} von {of} CPUs, mit der CPU-Zeit der eigenen Kontrollgruppe",
    en="{basis}; for {cpus} of {of} CPUs, with the CPU time of our own control group",
)
_ALLOTTED_SHARE = Text(
    de="{basis}; für {cpus} von {of} CPUs, mit diesem Anteil an der CPU-Zeit der Maschine",
    en="{basis}; for {cpus} of {of} CPUs, with this share of the machine's CPU time",
)


class _Load(NamedTuple):
    """The load line of one logical CPU, and where it comes from."""

    full_w: float
    idle_share: float
    method: str
    basis: Text
    low_rel: float
    high_rel: float


class CpuEstimateCollector:
    """A model counter: energy of the CPUs from a load line and utilisation."""

    name = "cpu_estimate"
    slow = False
    verified_on: str | None = "virtual machines (Intel Xeon; AMD EPYC, 2 vCPUs), 2026-11-21"

    def __init__(self, host: Host) -> None:
        self._host = host
        self._ticks = os.sysconf("SC_CLK_TCK")
        self._cgroup: Cgroup | None = None
        self._busy_file = host.proc_root / "stat"  # where the machine's busy time is
        self._root_cgroup = False  # it is the root control group's
        self._idle_w = 0.0  # of all CPUs we have
        self._busy_w = 0.0  # what one second of busy time on the machine, or in our group, costs in J
        self._file = Descriptor()
        self._channel_id = ""

    def probe(self) -> Probe:
        """Offer one estimated channel wherever busy time can be read."""
        allotment = cpu_allotment(self._host)
        self._cgroup = allotment.cgroup if allotment else None
        root_stat = _root_cpu_stat(self._host)
        self._root_cgroup = root_stat is not None
        self._busy_file = root_stat or self._host.proc_root / "stat"
        source = self._cgroup.cpu_folder if self._cgroup else self._busy_file
        if not os.access(source, os.R_OK):
            return Unavailable(_NO_STAT)
        total = logical_cpus(self._host)
        cpus = allotment.cpus if allotment else float(total)
        load = self._load(total)
        full_w = load.full_w * cpus
        self._idle_w = load.idle_share * full_w
        shared = allotment is not None and allotment.cgroup is None
        self._busy_w = (full_w - self._idle_w) / (total if shared else cpus)
        channel = Channel(
            id=f"{self.name}:allotted" if allotment else f"{self.name}:cpu",
            collector=self.name,
            component=Component.CPU,
            kind=Kind.COUNTER,
            quality=Quality.ESTIMATED,
            device=_device(cpu_model(self._host) or "CPU", allotment),
            host=self._host.name,
            method=load.method,
            uncertainty_rel=max(load.high_rel, _UNKNOWN_HIGH_REL) if shared else load.high_rel,
            uncertainty_low_rel=max(load.low_rel, _UNKNOWN_LOW_REL) if shared else load.low_rel,
            # Tick counting is coarse: allow a few ticks of all CPUs in one interval.
            max_power_uw=int(4 * full_w * UW_PER_W),
            # The kernel counts busy time in ticks: at either end each CPU may be off by one.
            resolution_uj=int((full_w - self._idle_w) / self._ticks * UJ_PER_J),
            policy="allotment" if allotment else None,
            note=_note(self._idle_w, full_w, load.basis, allotment),
        )
        return Available((channel,), sources={channel.id: str(source)})

    def open(self, channels: Sequence[Channel]) -> None:
        """Keep the machine's busy time open."""
        self._channel_id = channels[0].id
        if self._cgroup is None:
            self._file = Descriptor(os.open(self._busy_file, os.O_RDONLY | os.O_CLOEXEC))

    def read(self) -> list[Reading]:
        """Return the model counter."""
        t_ns = self._host.clock.mono_ns()
        try:
            busy_s = self._busy_s()
        except (OSError, ValueError) as error:
            door = "procfs" if self._cgroup is None else "cgroup"
            return [Gap(self._channel_id, t_ns, f"{door}_{type(error).__name__}")]
        energy_j = self._idle_w * t_ns / NS_PER_S + self._busy_w * busy_s
        return [CounterReading(self._channel_id, t_ns, int(energy_j * UJ_PER_J))]

    def close(self) -> None:
        """Close what was opened."""
        self._file.close()

    def _busy_s(self) -> float:
        if self._cgroup is not None:
            return cgroup_cpu_us(self._cgroup) / 1e6
        if self._root_cgroup:
            return _root_busy_s(os.pread(self._file.number, 128, 0))
        return busy_seconds(os.pread(self._file.number, 512, 0).partition(b"\n")[0].decode("ascii"), self._ticks)

    def _load(self, total: int) -> _Load:
        model = cpu_model(self._host)
        family = cpu_power(cpu_identity(self._host), plain_model(model or ""))
        idle_share = family.idle_share if family else IDLE_SHARE
        set_w = self._host.knowledge.cpu_tdp_w
        if set_w is not None:
            return _Load(set_w / total, idle_share, METHOD_USER, _BASIS_USER, _TDP_REL, _TDP_REL)
        tdp_w = cpu_tdp_w(model) if model and not is_virtual(self._host) else None
        if tdp_w is not None:
            full_w = tdp_w * sockets(self._host) / total
            return _Load(full_w, idle_share, METHOD_TDP, _BASIS_TDP, _TDP_REL, _TDP_REL)
        if family is not None:
            basis = _family_basis(family)
            low_rel, high_rel = family.low_rel, family.high_rel
            return _Load(family.full_w_per_cpu, idle_share, METHOD_FAMILY, basis, low_rel, high_rel)
        return _Load(
            WATTS_PER_LOGICAL_CPU, IDLE_SHARE, METHOD_PER_CPU, _BASIS_PER_CPU, _UNKNOWN_LOW_REL, _UNKNOWN_HIGH_REL
        )


def _root_cpu_stat(host: Host) -> Path | None:
    """Return ``cpu.stat`` of version 2's root group, where systemd mounts it; None if it cannot be seen.

    A container sees its own group there; only a root has no ``cgroup.type`` (the kernel's cgroup-v2.rst).
    """
    cgroups = host.sys_root / "fs" / "cgroup"
    for folder in (cgroups, cgroups / "unified"):
        stat = read_text(folder / "cpu.stat")
        if stat is not None and not (folder / "cgroup.type").exists() and (folder / "cgroup.procs").exists():
            with suppress(ValueError):
                _root_busy_s(stat.encode())
                return folder / "cpu.stat"
    return None


def _root_busy_s(cpu_stat: bytes) -> float:
    """Return CPU seconds spent working: user with nice, system with interrupts, but not steal (usage has it).

    Raises:
        ValueError: These are not the figures of a root group.
    """
    _, _, user, user_us, system, system_us, *_ = cpu_stat.split(None, 6)
    if (user, system) != (b"user_usec", b"system_usec"):
        raise ValueError(f"not a root's cpu.stat: {cpu_stat[:40]!r}")
    return (int(user_us) + int(system_us)) / 1e6


def _device(model: str, allotment: CpuAllotment | None) -> str:
    return model if allotment is None else f"{model} ({allotment.cpus:g}/{allotment.of} CPUs)"


def _family_basis(family: CpuPower) -> Text:
    sentence = _BASIS_FAMILY if family.verified else _BASIS_UNVERIFIED
    return sentence.format(family=family.family, watts=_figure(family.full_w_per_cpu))


def _note(idle_w: float, full_w: float, basis: Text, allotment: CpuAllotment | None) -> Text:
    if allotment is not None:
        sentence = _ALLOTTED if allotment.cgroup is not None else _ALLOTTED_SHARE
        basis = sentence.format(basis=basis, cpus=_figure(allotment.cpus), of=allotment.of)
    return _NOTE.format(idle=_figure(idle_w), full=_figure(full_w), basis=basis)


def _figure(value: float) -> Text:
    """Say a number with at most two significant digits after a small whole part, in both languages."""
    text = f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"  # noqa: PLR2004
    return Text(de=text.replace(".", ","), en=text)
