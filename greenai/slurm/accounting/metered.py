"""What a job took by the site's own meters: from its steps, no joule twice. Pure.

A step is charged what its nodes drew while it ran (``ConsumedEnergyRaw``), whoever drew it. Slurm's sum for the
job therefore counts twice what overlaps: two steps side by side on a node, a collector beside the user's step. So
it is worked out anew (facts measured on Slurm 22.05, 24.11 and 25.11):

* on one node, the step ``.batch`` covers the job from begin to end: its figure is the job's;
* on several, ``.batch`` covers the first node only, and the user's numbered steps count; our collectors' do not,
  unless there are no others;
* a step that lies within another, in time and nodes, adds nothing: the outer one contains it;
* where steps overlap in part, each node's second counts once, at the mean of the mean powers of the steps that it
  belongs to. The truth lies between the largest step of such a group and their sum, which are the bounds.

Steps of less than a second count as 0 with Slurm, and mean nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from greenai.core.hostlist import expand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.batch_job import BatchJob, BatchStep

_ROUNDING_S = 1.0  # Slurm's times are whole seconds


@dataclass(frozen=True, slots=True)
class Metered:
    """Energy of a job by Slurm's meters, of whole nodes.

    Attributes:
        energy_j: Joules.
        low_j: At least this, however the steps overlapped.
        high_j: At most this.
        covered_s: For how much of the job's time, on all its nodes together, there is a figure; seconds.
        from_batch: Whether it is the figure of ``.batch``.
        overlapping: Whether steps overlapped in part.
        without_figure: Steps of a second or more whose figure is missing.
    """

    energy_j: float
    low_j: float
    high_j: float
    covered_s: float
    from_batch: bool = False
    overlapping: bool = False
    without_figure: tuple[str, ...] = ()


@dataclass(slots=True)
class _Part:
    start_s: float
    end_s: float
    nodes: frozenset[str]
    energy_j: float
    group: list[_Part] = field(default_factory=list)

    @property
    def power_w(self) -> float:
        """Mean power of one of its nodes."""
        return self.energy_j / ((self.end_s - self.start_s) * len(self.nodes))

    def contains(self, other: _Part) -> bool:
        return (
            self.start_s - _ROUNDING_S <= other.start_s
            and other.end_s <= self.end_s + _ROUNDING_S
            and (other.nodes is self.nodes or other.nodes <= self.nodes)
        )

    def overlaps(self, other: _Part) -> bool:
        in_time = self.start_s < other.end_s and other.start_s < self.end_s
        return in_time and not self.nodes.isdisjoint(other.nodes)


def metered(job: BatchJob) -> Metered | None:
    """Return a job's energy by the site's meters; None if they say nothing.

    Args:
        job: An attempt that is over.
    """
    nodes = frozenset(expand(job.nodes))
    batch = next((step for step in job.steps if step.id in ("batch", "interactive") and step.energy_j), None)
    if len(nodes) == 1 and batch is not None and batch.energy_j is not None:
        covered_s = float(min(batch.elapsed_s or 0, job.elapsed_s or 0))
        return Metered(batch.energy_j, batch.energy_j, batch.energy_j, covered_s, from_batch=True)
    steps = job.user_steps
    sets = {job.nodes: nodes}
    parts = [part for step in steps if (part := _part(step, nodes, sets)) is not None]
    if not parts:
        # A script without srun: then our collectors' step is the only one that covers all nodes.
        steps = tuple(step for step in job.steps if step.id.isdecimal())
        parts = [part for step in steps if (part := _part(step, nodes, sets)) is not None]
    if not parts or not nodes:
        return None
    parts = _outermost(parts)
    groups = _groups(parts)
    energy_j, covered_node_s = _sweep(parts)
    low_j = sum(max(part.energy_j for part in group) for group in groups)
    high_j = sum(part.energy_j for part in parts)
    return Metered(
        # A step's mean power need not be that of the node on which another overlaps it.
        energy_j=min(max(energy_j, low_j), high_j),
        low_j=low_j,
        high_j=high_j,
        covered_s=min(covered_node_s / len(nodes), float(job.elapsed_s or 0)),
        overlapping=len(groups) < len(parts),
        without_figure=tuple(step.id for step in steps if step.elapsed_s and step.energy_j is None),
    )


def steps_energy_j(job: BatchJob) -> float | None:
    """Return Slurm's figure for the user's steps, overlaps counted once; None if it has none.

    This is what our own figure is held against: our collectors' steps are left out, and so is ``.batch``, unless
    there is no other.
    """
    found = metered(job)
    return found.energy_j if found is not None else None


def _part(step: BatchStep, job_nodes: frozenset[str], sets: dict[str, frozenset[str]]) -> _Part | None:
    """Return a step with a figure; the same set of nodes for all that name the same."""
    if step.energy_j is None or step.start_ms is None or step.end_ms is None or step.end_ms <= step.start_ms:
        return None
    if step.nodes not in sets:
        sets[step.nodes] = frozenset(expand(step.nodes))
    nodes = sets[step.nodes] or job_nodes
    return _Part(step.start_ms / 1000, step.end_ms / 1000, nodes, step.energy_j) if nodes else None


def _outermost(parts: Sequence[_Part]) -> list[_Part]:
    """Leave out what lies within another."""
    kept: list[_Part] = []
    active: list[_Part] = []
    for part in sorted(parts, key=lambda p: (p.start_s, -p.end_s, -len(p.nodes), -p.energy_j)):
        active = [other for other in active if other.end_s > part.start_s]
        if any(other.contains(part) for other in active):
            continue
        # By rounding, a step that began a second later may be the outer one.
        inner = [other for other in active if part.contains(other)]
        kept = [other for other in kept if other not in inner] if inner else kept
        active = [other for other in active if other not in inner]
        kept.append(part)
        active.append(part)
    return kept


def _groups(parts: Sequence[_Part]) -> list[list[_Part]]:
    """Put together what overlaps, directly or through others."""
    active: list[_Part] = []
    for part in sorted(parts, key=lambda p: p.start_s):
        part.group = [part]
        active = [other for other in active if other.end_s > part.start_s]
        for other in active:
            if other.overlaps(part) and other.group is not part.group:
                other.group += part.group
                for member in part.group:
                    member.group = other.group
        active.append(part)
    return list({id(part.group): part.group for part in parts}.values())


def _sweep(parts: Sequence[_Part]) -> tuple[float, float]:
    """Return joules with each node's second counted once, and the node-seconds that are covered."""
    bounds = sorted({moment for part in parts for moment in (part.start_s, part.end_s)})
    waiting = sorted(parts, key=lambda p: p.start_s, reverse=True)
    alike = _alike([part.nodes for part in parts])
    active: list[_Part] = []
    energy_j = node_s = 0.0
    for begin_s, end_s in pairwise(bounds):
        active = [part for part in active if part.end_s > begin_s]
        while waiting and waiting[-1].start_s <= begin_s:
            active.append(waiting.pop())
        power_w, nodes = _power(active, alike)
        energy_j += power_w * (end_s - begin_s)
        node_s += nodes * (end_s - begin_s)
    return energy_j, node_s


def _alike(sets: Sequence[frozenset[str]]) -> list[tuple[frozenset[int], int]]:
    """Return the nodes that are in the same sets together: the ids of these sets, and how many nodes."""
    of_node: dict[str, list[int]] = {}
    for nodes in {id(nodes): nodes for nodes in sets}.values():
        for node in nodes:
            of_node.setdefault(node, []).append(id(nodes))
    return [(frozenset(ids), count) for ids, count in Counter(map(tuple, of_node.values())).items()]


def _power(active: Sequence[_Part], alike: Sequence[tuple[frozenset[int], int]]) -> tuple[float, int]:
    """Return the power of all nodes, watts, and of how many it is."""
    if len(active) == 1:
        return active[0].power_w * len(active[0].nodes), len(active[0].nodes)
    by_set: dict[int, list[float]] = {}
    for part in active:
        by_set.setdefault(id(part.nodes), []).append(part.power_w)
    total_w, nodes = 0.0, 0
    for ids, count in alike:
        powers_w = [power_w for one in ids & by_set.keys() for power_w in by_set[one]]
        if powers_w:
            total_w += sum(powers_w) / len(powers_w) * count
            nodes += count
    return total_w, nodes
