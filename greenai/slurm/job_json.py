"""Reads what ``scontrol --json -d show job`` prints; Slurm 23.02 and later. Pure.

Versions differ in how they write a number (``5`` or ``{"set": true, "infinite": false, "number": 5}``) and a state
(``"RUNNING"`` or ``["RUNNING", "COMPLETING"]``), and in whether the nodes' shares lie in ``job_resources.nodes``;
where they do not, only the nodes' names are known (recorded from Slurm 24.11 and 25.11).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from greenai.core.hostlist import expand
from greenai.slurm.job_facts import NO_GPUS, Gpus, JobFacts, NodeAllocation, gpus_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHARED_WITH = {"oversubscribe": False, "user": False, "mcs": False, "none": True}
_MIB = 1 << 20


def parse_json(output: str) -> tuple[JobFacts, ...]:
    """Return the jobs of which this tells.

    Args:
        output: What ``scontrol --json -d show job`` printed.

    Raises:
        ValueError: It is not JSON, or something that matters is missing or unreadable.
    """
    document = json.loads(output)
    try:
        return tuple(_job(job) for job in document["jobs"])
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError) as error:
        raise ValueError(f"not a job: {error!r}") from error


def _job(job: Mapping[str, Any]) -> JobFacts:
    array_job_id, het_job_id = (_number(job.get(key)) or None for key in ("array_job_id", "het_job_id"))
    return JobFacts(
        job_id=int(job["job_id"]),
        nodes=_nodes(job),
        array_job_id=array_job_id,
        array_task_id=_number(job.get("array_task_id")) if array_job_id else None,
        het_job_id=het_job_id,
        het_offset=_number(job.get("het_job_offset")) if het_job_id else None,
        user_name=job.get("user_name") or None,
        name=job.get("name") or None,
        account=job.get("account") or None,
        partition=job.get("partition") or None,
        exclusive=_exclusive(job),
    )


def _nodes(job: Mapping[str, Any]) -> tuple[NodeAllocation, ...]:
    resources = (job.get("job_resources") or {}).get("nodes")
    allocation = resources.get("allocation") if isinstance(resources, dict) else None
    if not allocation:
        return tuple(NodeAllocation(name) for name in expand(job.get("nodes") or ""))
    gres = job.get("gres_detail") or []
    total = gpus_of(job.get("tres_alloc_str") or "")
    return tuple(
        NodeAllocation(
            node["name"],
            cpus=_number((node.get("cpus") or {}).get("count")) or None,
            memory_bytes=(_number((node.get("memory") or {}).get("allocated")) or 0) * _MIB or None,
            gpus=_gpus(gres, place, len(allocation), total),
        )
        for place, node in enumerate(allocation)
    )


def _gpus(gres: list[str], place: int, nodes: int, total: Gpus | None) -> Gpus | None:
    """Return a node's GPUs; ``gres_detail`` has an entry for each node, or none where nobody has any."""
    if total == NO_GPUS:
        return NO_GPUS
    return gpus_of(gres[place]) if len(gres) == nodes else None


def _exclusive(job: Mapping[str, Any]) -> bool | None:
    """Say whether other jobs are kept out; what is not set is decided by the partition: they are let in."""
    shared = _words(job["shared"]) if "shared" in job else None
    if shared is None:
        return None
    return _SHARED_WITH.get(shared[0]) if shared else False


def _words(value: Any) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else [str(value)]


def _number(value: Any) -> int | None:
    if isinstance(value, dict):
        value = value.get("number") if value.get("set") and not value.get("infinite") else None
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
