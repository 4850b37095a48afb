"""What must be known of a site to read its accounting. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from greenai.core.hostlist import expand
from greenai.slurm.accounting import sensors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from greenai.core.batch_job import BatchJob
    from greenai.slurm.accounting.sensors import EnergySensor


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What must be known of the site to read its accounting.

    Attributes:
        sensor: What its energy plugin counts; None if it has none.
        node_cpus: Logical CPUs by node name.
        cpu_tdp_w: Setting: design power of all CPUs of a node, watts.
    """

    sensor: EnergySensor | None = sensors.UNKNOWN
    node_cpus: Mapping[str, int] = field(default_factory=dict)
    cpu_tdp_w: float | None = None


def cpu_share(job: BatchJob, node_cpus: Mapping[str, int]) -> float | None:
    """Return which part (0..1) of its nodes' CPUs a job had; None if unknown."""
    known = [node_cpus.get(node) for node in expand(job.nodes)]
    total = sum(cpus or 0 for cpus in known)
    if not total or None in known or not job.allocated.cpus:
        return None
    return min(job.allocated.cpus / total, 1.0)
