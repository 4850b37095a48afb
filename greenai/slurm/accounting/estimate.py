"""The energy of a job that no meter saw, from what it was allotted and what it used. An estimate, and labelled so.

CPU: the load line of ``greenai.core.power_model`` over the allotted CPUs: idle power for the whole time, the rest
for the CPU seconds used (``TotalCPU``). With the setting ``cpu_tdp_w`` and the node's number of CPUs known, the
node's design power instead of 3 W per logical CPU, ±40 % as for ``greenai_collectors.cpu_estimate``. Where nobody
gathers CPU time (``jobacct_gather/none``), half load is assumed; the bounds are then idle and full load.

Memory: 0.3725 W/GB (``greenai.core.power_model``) of what was allotted, for nobody else could have it; where Slurm
does not hand out memory, of the largest resident size times the tasks. +50 %, and down to a quarter: memory that
was asked for need not be in use.

GPU: between 0.15 (idle; 50 to 60 W of an A100's 400 W) and all of the board's limit (``gpu_power``), the middle of
it. That is all that is known where nobody gathers GPU utilisation.

What is left out: power supply, fans, network, disks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.channel import Component
from greenai.core.power_model import (
    IDLE_SHARE,
    WATTS_PER_GB,
    WATTS_PER_LOGICAL_CPU,
    WATTS_PER_LOGICAL_CPU_RELS,
)
from greenai.core.quantity import number
from greenai.core.text import Text
from greenai.core.units import BYTES_PER_GB
from greenai.slurm.accounting.gpu_power import limit_w

if TYPE_CHECKING:
    from collections.abc import Iterator

    from greenai.core.batch_job import BatchJob

_TDP_REL = 0.4
_HALF = 0.5
_MEMORY_LOW_REL, _MEMORY_HIGH_REL = 0.75, 0.5
GPU_IDLE_SHARE = 0.15
_GPU_MIDDLE = (1 + GPU_IDLE_SHARE) / 2

_CPU = Text(
    de="Geschätzt: {cpus} CPUs zu {watts} W ({basis}), {busy} CPU-Sekunden genutzt, sonst Leerlauf.",
    en="Estimated: {cpus} CPUs of {watts} W ({basis}), {busy} CPU seconds used, idle else.",
)
_CPU_HALF = Text(
    de="Geschätzt: {cpus} CPUs zu {watts} W ({basis}); die CPU-Zeit hat niemand erfasst, daher halbe Last.",
    en="Estimated: {cpus} CPUs of {watts} W ({basis}); nobody gathered CPU time, hence half load.",
)
_BASIS_TDP = Text(de="Einstellung cpu_tdp_w", en="setting cpu_tdp_w")
_BASIS_CPU = Text(de="Richtwert je logischer CPU", en="rule of thumb per logical CPU")
_NO_CPUS = Text(
    de="Slurm nennt die zugeteilten CPUs nicht; die CPU-Energie ist unbekannt.",
    en="Slurm does not say which CPUs were allotted; the CPU energy is unknown.",
)
_MEMORY = Text(
    de="Geschätzt: {size} GB zugeteilter Speicher x 0,3725 W/GB.",
    en="Estimated: {size} GB of allotted memory x 0.3725 W/GB.",
)
_MEMORY_USED = Text(
    de="Geschätzt: {size} GB belegter Speicher (größter Prozess x Prozesse) x 0,3725 W/GB.",
    en="Estimated: {size} GB of memory in use (largest task x tasks) x 0.3725 W/GB.",
)
_NO_MEMORY = Text(
    de="Slurm nennt weder zugeteilten noch belegten Speicher; die Speicherenergie ist unbekannt.",
    en="Slurm says neither what memory was allotted nor what was in use; the memory energy is unknown.",
)
_GPU = Text(
    de="Geschätzt: {count} x {kind}, zwischen Leerlauf und {watts} W je GPU; die Auslastung ist unbekannt.",
    en="Estimated: {count} x {kind}, between idle and {watts} W per GPU; the utilisation is unknown.",
)
_GPU_UNKNOWN = Text(
    de="{count} GPUs, deren Typ „{kind}“ die Tabelle nicht kennt; ihre Energie ist unbekannt.",
    en='{count} GPUs of the type "{kind}", which the table does not know; their energy is unknown.',
)
_GPU_UNTYPED = Text(
    de="{count} GPUs, deren Typ Slurm nicht nennt; ihre Energie ist unbekannt. Slurm nennt ihn mit: "
    "AccountingStorageTRES=gres/gpu:a100 in slurm.conf",
    en="{count} GPUs whose type Slurm does not say; their energy is unknown. Slurm says it with: "
    "AccountingStorageTRES=gres/gpu:a100 in slurm.conf",
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimated energy of a part.

    Attributes:
        id: Of its channel.
        device: In words.
        energy_j: Joules; None if it cannot even be estimated.
        low_rel: Lower half-width of the uncertainty, relative.
        high_rel: The upper one.
        note: How it came about, or why it is unknown.
    """

    id: str
    component: Component
    device: str
    energy_j: float | None
    low_rel: float
    high_rel: float
    note: Text


def estimates(job: BatchJob, cpus_per_node: float | None, cpu_tdp_w: float | None) -> list[Estimate]:
    """Return the estimate of each part that the job was given.

    Args:
        job: An attempt that is over and lasted a second at least.
        cpus_per_node: Logical CPUs of its nodes, on average; None if unknown.
        cpu_tdp_w: Design power of all CPUs of a node, watts, as the settings say.
    """
    elapsed_s = float(job.elapsed_s or 0)
    return [_cpu(job, elapsed_s, cpus_per_node, cpu_tdp_w), _memory(job, elapsed_s), *_gpus(job, elapsed_s)]


def _cpu(job: BatchJob, elapsed_s: float, cpus_per_node: float | None, cpu_tdp_w: float | None) -> Estimate:
    cpus = job.allocated.cpus
    part = "slurm:cpu", Component.CPU, "CPU"
    if not cpus:
        return Estimate(*part, None, 1.0, 1.0, _NO_CPUS)
    watts, basis, (low_rel, high_rel) = WATTS_PER_LOGICAL_CPU, _BASIS_CPU, WATTS_PER_LOGICAL_CPU_RELS
    if cpu_tdp_w is not None and cpus_per_node:
        watts, basis, low_rel, high_rel = cpu_tdp_w / cpus_per_node, _BASIS_TDP, _TDP_REL, _TDP_REL
    idle_j = IDLE_SHARE * watts * cpus * elapsed_s
    full_j = watts * cpus * elapsed_s
    if not job.cpu_s and job.memory_used_bytes is None:
        energy_j = idle_j + _HALF * (full_j - idle_j)
        low_rel = 1 - (1 - low_rel) * idle_j / energy_j
        high_rel = (1 + high_rel) * full_j / energy_j - 1
        note = _CPU_HALF.format(cpus=cpus, watts=_figure(watts), basis=basis)
        return Estimate(*part, energy_j, low_rel, high_rel, note)
    busy_s = min(job.cpu_s or 0.0, cpus * elapsed_s)
    energy_j = idle_j + (1 - IDLE_SHARE) * watts * busy_s
    note = _CPU.format(cpus=cpus, watts=_figure(watts), basis=basis, busy=_figure(busy_s))
    return Estimate(*part, energy_j, low_rel, high_rel, note)


def _memory(job: BatchJob, elapsed_s: float) -> Estimate:
    part = "slurm:memory", Component.DRAM, "memory"
    used = [
        step.max_rss_bytes * (step.tasks or 1) for step in job.steps if step.max_rss_bytes and step.id != "extern"
    ]
    size_bytes = job.allocated.memory_bytes or max(used, default=0)
    if not size_bytes:
        return Estimate(*part, None, 1.0, 1.0, _NO_MEMORY)
    sentence = _MEMORY if job.allocated.memory_bytes else _MEMORY_USED
    energy_j = size_bytes / BYTES_PER_GB * WATTS_PER_GB * elapsed_s
    note = sentence.format(size=_figure(size_bytes / BYTES_PER_GB))
    return Estimate(*part, energy_j, _MEMORY_LOW_REL, _MEMORY_HIGH_REL, note)


def _gpus(job: BatchJob, elapsed_s: float) -> Iterator[Estimate]:
    for kind, count in sorted((job.allocated.gpus or {}).items()):
        part = f"slurm:gpu:{kind}" if kind else "slurm:gpu", Component.GPU, f"{count} x {kind or 'GPU'}"
        watts = limit_w(kind)
        if watts is None:
            sentence = _GPU_UNKNOWN if kind else _GPU_UNTYPED
            yield Estimate(*part, None, 1.0, 1.0, sentence.format(count=count, kind=kind))
            continue
        note = _GPU.format(count=count, kind=kind, watts=_figure(watts))
        energy_j = _GPU_MIDDLE * watts * count * elapsed_s
        yield Estimate(*part, energy_j, 1 - GPU_IDLE_SHARE / _GPU_MIDDLE, 1 / _GPU_MIDDLE - 1, note)


def _figure(value: float) -> Text:
    return Text.each(lambda language: number(value, language))
