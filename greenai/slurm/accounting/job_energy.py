"""The energy of a job that nobody tracked: by the site's meters, else estimated. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING

from greenai.core.allocation import allocation_bounds
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Incident
from greenai.core.hostlist import expand
from greenai.core.quantity import duration, percent
from greenai.core.run_energy import ChannelEnergy, Energy, unnoticed_s
from greenai.core.text import Text
from greenai.core.uncertainty import Bounds, channel_bounds, total_bounds
from greenai.core.units import UW_PER_W
from greenai.core.vocabulary import Scope
from greenai.slurm.accounting import sensors
from greenai.slurm.accounting.estimate import Estimate, estimates
from greenai.slurm.accounting.job_rows import MOST_W_PER_NODE
from greenai.slurm.accounting.metered import Metered, metered
from greenai.slurm.accounting.site_facts import cpu_share

if TYPE_CHECKING:
    from greenai.core.batch_job import BatchJob
    from greenai.slurm.accounting.sensors import EnergySensor
    from greenai.slurm.accounting.site_facts import SiteFacts

COLLECTOR = "slurm"
POLICY = "cpu_allotment_share"
_RENEWED_S = 1.0  # Slurm's times are whole seconds, and so is the reading of its meters

_SENSOR = Text(de="Slurms Zähler {name}: {contains}. {basis}", en="Slurm's meter {name}: {contains}. {basis}")
_NAMELESS = Text(de="(Plugin unbekannt)", en="(plugin unknown)")
_FROM_BATCH = Text(de="Über die ganze Dauer des Jobs auf seinem Knoten.", en="Over the whole job on its node.")
_FROM_STEPS = Text(de="Summe der Schritte des Benutzers (srun).", en="Sum of the user's steps (srun).")
_OVERLAPPING = Text(
    de="Schritte liefen gleichzeitig auf denselben Knoten; jede Knotensekunde zählt einmal, die Grenzen sind der "
    "größte Schritt und die Summe.",
    en="Steps ran on the same nodes at the same time; each node's second counts once, the bounds are the largest "
    "step and the sum.",
)
_SHARED = Text(
    de="Der Knoten war geteilt: {share} seiner CPUs gehörten dem Job, und so viel der Energie ist ihm zugeteilt.",
    en="The node was shared: {share} of its CPUs were the job's, and so much of its energy is allocated to it.",
)
_SHARE_UNKNOWN = Text(
    de="Ob der Knoten geteilt war, ist hier nicht bekannt; gezählt ist der ganze.",
    en="Whether the node was shared is not known here; all of it is counted.",
)
_PART_UNSEEN = Text(
    de="Für {gap} von {whole} des Jobs hat Slurm keinen Energiewert; die Energie ist mindestens so groß.",
    en="For {gap} of {whole} of the job Slurm has no energy figure; the energy is at least this much.",
)
_STEPS_UNSEEN = Text(
    de="Ohne Energiewert bei Slurm: Schritt {steps}; die Energie ist mindestens so groß.",
    en="Without an energy figure in Slurm: step {steps}; the energy is at least this much.",
)
_TOO_SHORT = Text(
    de="Der Job dauerte weniger als eine Sekunde; dafür gibt es keine Angabe.",
    en="The job lasted less than a second; there is no figure for that.",
)


@dataclass(frozen=True, slots=True)
class _Part:
    channel: Channel
    row: ChannelEnergy
    bounds: Bounds | None


def job_energy(job: BatchJob, site: SiteFacts) -> tuple[Energy, list[Channel], list[Incident]]:
    """Return the energy of an attempt, the channels it is made of, and what must be said of it.

    Args:
        job: An attempt that is over and ran on some node.
        site: Where it ran.
    """
    parts, incidents = _parts(job, site)
    return _energy(parts), [part.channel for part in parts], incidents


def _parts(job: BatchJob, site: SiteFacts) -> tuple[list[_Part], list[Incident]]:
    if not job.elapsed_s:
        return [], [Incident("energy_unknown", _TOO_SHORT)]
    parts: list[_Part] = []
    incidents: list[Incident] = []
    covered: frozenset[Component] = frozenset()
    by_meter = metered(job)
    if by_meter is not None:
        sensor = site.sensor or sensors.UNKNOWN  # it was metered then, even if it is not now
        parts.append(_metered_part(job, by_meter, sensor, cpu_share(job, site.node_cpus)))
        incidents += _unseen(job, by_meter)
        covered = sensor.covers
    known = [site.node_cpus[node] for node in expand(job.nodes) if node in site.node_cpus]
    cpus_per_node = sum(known) / len(known) if known else None
    for estimate in estimates(job, cpus_per_node, site.cpu_tdp_w):
        if estimate.component not in covered:
            parts.append(_estimated_part(job, estimate))
            if estimate.energy_j is None:
                incidents.append(Incident("energy_incomplete", estimate.note))
    return parts, incidents


def _metered_part(job: BatchJob, found: Metered, sensor: EnergySensor, share: float | None) -> _Part:
    # GPUs are handed out as wholes, and not by CPUs.
    shared = share if share is not None and share < 1 and sensor.component is not Component.GPU else None
    notes = [
        _SENSOR.format(
            name=sensor.name or _NAMELESS,
            contains=sensor.contains,
            basis=_FROM_BATCH if found.from_batch else _FROM_STEPS,
        )
    ]
    if found.overlapping:
        notes.append(_OVERLAPPING)
    if shared is not None:
        notes.append(_SHARED.format(share=Text.each(lambda language: percent(shared, language))))
    elif share is None and sensor.component is not Component.GPU:
        notes.append(_SHARE_UNKNOWN)
    channel = Channel(
        id="slurm:energy",
        collector=COLLECTOR,
        component=sensor.component,
        kind=Kind.COUNTER,
        quality=Quality.MEASURED,
        device=sensor.name or COLLECTOR,
        host=job.nodes,
        method=f"slurm_{sensor.name or 'energy'}",
        uncertainty_rel=sensor.uncertainty_rel,
        max_power_uw=int(MOST_W_PER_NODE * UW_PER_W) * len(expand(job.nodes)),
        update_s=_RENEWED_S,
        includes=sensor.includes,
        note=_joined(notes),
    )
    factor = shared if shared is not None else 1.0
    own_j = found.energy_j * factor
    elapsed_s = float(job.elapsed_s or 0)
    bounds = _widened(channel_bounds(channel, own_j, elapsed_s), found, factor)
    if shared is not None:
        low_rel, high_rel = allocation_bounds(shared)
        bounds = _around(bounds, low_rel * own_j, high_rel * own_j)
    gap_s = max(elapsed_s - found.covered_s, 0.0)
    if gap_s > unnoticed_s(elapsed_s) and found.covered_s > 0:
        bounds = Bounds(own_j, bounds.low_j, bounds.high_j + own_j * gap_s / found.covered_s)
    quality = Quality.ALLOCATED if shared is not None else Quality.MEASURED
    policy = POLICY if shared is not None else None
    return _Part(channel, _row(channel, bounds, quality, gap_s, found.energy_j, policy), bounds)


def _widened(bounds: Bounds, found: Metered, factor: float) -> Bounds:
    """Widen the interval by what overlapping steps leave open."""
    low_j = bounds.value_j - found.low_j * factor
    high_j = found.high_j * factor - bounds.value_j
    return _around(bounds, max(low_j, 0.0), max(high_j, 0.0))


def _around(bounds: Bounds, low_j: float, high_j: float) -> Bounds:
    low = hypot(bounds.value_j - bounds.low_j, low_j)
    high = hypot(bounds.high_j - bounds.value_j, high_j)
    return Bounds(bounds.value_j, max(bounds.value_j - low, 0.0), bounds.value_j + high)


def _unseen(job: BatchJob, found: Metered) -> list[Incident]:
    elapsed_s = float(job.elapsed_s or 0)
    gap_s = elapsed_s - found.covered_s
    if found.without_figure:
        steps = ", ".join(found.without_figure[:20])
        return [Incident("energy_incomplete", _STEPS_UNSEEN.format(steps=steps))]
    if gap_s > max(unnoticed_s(elapsed_s), _RENEWED_S):
        gap, whole = (Text.each(lambda language, s=s: duration(s, language)) for s in (gap_s, elapsed_s))  # type: ignore[misc]
        return [Incident("energy_incomplete", _PART_UNSEEN.format(gap=gap, whole=whole))]
    return []


def _estimated_part(job: BatchJob, estimate: Estimate) -> _Part:
    channel = Channel(
        id=estimate.id,
        collector=COLLECTOR,
        component=estimate.component,
        kind=Kind.COUNTER,
        quality=Quality.ESTIMATED,
        device=estimate.device,
        host=job.nodes,
        method=f"slurm_estimate_{estimate.component.value}",
        uncertainty_rel=estimate.high_rel,
        uncertainty_low_rel=estimate.low_rel,
        max_power_uw=int(MOST_W_PER_NODE * UW_PER_W) * len(expand(job.nodes)),
        note=estimate.note,
    )
    if estimate.energy_j is None:
        return _Part(channel, _row(channel, None, Quality.ESTIMATED, 0.0, None, None), None)
    bounds = channel_bounds(channel, estimate.energy_j, float(job.elapsed_s or 0))
    return _Part(channel, _row(channel, bounds, Quality.ESTIMATED, 0.0, estimate.energy_j, None), bounds)


def _row(
    channel: Channel,
    bounds: Bounds | None,
    quality: Quality,
    gap_s: float,
    whole_j: float | None,
    policy: str | None,
) -> ChannelEnergy:
    return ChannelEnergy(
        id=channel.id,
        host=channel.host,
        component=channel.component,
        device=channel.device,
        energy_j=bounds.value_j if bounds else None,
        low_j=bounds.low_j if bounds else None,
        high_j=bounds.high_j if bounds else None,
        quality=quality,
        method=channel.method,
        uncertainty_rel=channel.uncertainty_rel,
        gap_s=gap_s,
        counted=bounds is not None,
        note=channel.note,
        machine_energy_j=whole_j,
        policy=policy,
    )


def _energy(parts: list[_Part]) -> Energy:
    rows = tuple(part.row for part in parts)
    known = [(part.channel, part.bounds) for part in parts if part.bounds is not None]
    scope = Scope.CGROUP if any(row.policy for row in rows) else Scope.MACHINE
    if not known:
        return Energy(None, None, None, None, scope.value, None, rows)
    total = total_bounds(known)
    firm_j = sum(row.energy_j or 0.0 for row in rows if row.quality is not Quality.ESTIMATED)
    share = firm_j / total.value_j if total.value_j > 0 else None
    whole_j = sum(row.machine_energy_j or 0.0 for row in rows)
    return Energy(total.value_j, total.low_j, total.high_j, share, scope.value, whole_j, rows)


def _joined(notes: list[Text]) -> Text:
    return Text(de=" ".join(note.de for note in notes), en=" ".join(note.en for note in notes))
