"""What Slurm says of one job: whose it is, where it runs, and what it has of each node. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_GRES_ENTRY = re.compile(r"(?:[^,()]|\([^()]*\))+")
_GPU = re.compile(
    r"gpu(?::([^:()=]*[^:()=0-9][^:()=]*))?(?:[:=]([0-9]{1,6}))?(?:\(IDX:([0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*)?\))?"
)
_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")
_MIG_PROFILE = re.compile(r"[0-9]+g\.[0-9]+gb", re.IGNORECASE)
_MOST_NUMBERS = 1 << 16


@dataclass(frozen=True, slots=True)
class Gpus:
    """GPUs of one node.

    Attributes:
        count: How many.
        indices: Their numbers on the node as Slurm counts them, the N of ``/dev/nvidiaN`` where its gres.conf
            lists these files in order; None where Slurm does not say, and for parts of boards (MIG), which it
            numbers among themselves.
    """

    count: int
    indices: tuple[int, ...] | None


NO_GPUS = Gpus(0, ())


@dataclass(frozen=True, slots=True)
class NodeAllocation:
    """What a job has of one node; None where Slurm does not say.

    Attributes:
        name: Slurm's name of the node.
        cpus: How many logical CPUs.
        memory_bytes: Memory; None also where Slurm does not share memory out.
        gpus: GPUs; None for a job that is over, of which Slurm has forgotten them.
    """

    name: str
    cpus: int | None = None
    memory_bytes: int | None = None
    gpus: Gpus | None = None


@dataclass(frozen=True, slots=True)
class JobFacts:
    """One job, element of an array, or component of a heterogeneous job; None where it is not known.

    Attributes:
        job_id: Its number.
        nodes: The nodes it has or had; empty while it waits.
        array_job_id: The array's number, for an element of one.
        array_task_id: The element's number in it; None also for elements that still wait together.
        het_job_id: Number of the first component, for one of a heterogeneous job.
        het_offset: Which component it is, from 0.
        user_name: Name of its user.
        name: Its name.
        account: What it is billed to.
        partition: Where it was queued.
        exclusive: Whether no other job may use its nodes meanwhile.
    """

    job_id: int
    nodes: tuple[NodeAllocation, ...] = ()
    array_job_id: int | None = None
    array_task_id: int | None = None
    het_job_id: int | None = None
    het_offset: int | None = None
    user_name: str | None = None
    name: str | None = None
    account: str | None = None
    partition: str | None = None
    exclusive: bool | None = None

    def node(self, name: str) -> NodeAllocation | None:
        """Return what the job has of a node; None if it is none of its nodes."""
        return next((node for node in self.nodes if node.name == name), None)


def whole_job(jobs: Iterable[JobFacts], job_id: int) -> tuple[JobFacts, ...]:
    """Return the job of this number and, if it is the first of a heterogeneous job, its other components.

    Asked for an array's number, Slurm tells of all its elements; only the one with this very number is meant.

    Args:
        jobs: What Slurm told.
        job_id: Number of the job.

    Raises:
        LookupError: There is no such job among them.
        ValueError: There are several, as a job's name with line ends can pretend.
    """
    found = [job for job in jobs if job_id in (job.job_id, job.het_job_id)]
    found.sort(key=lambda job: (job.job_id != job_id, job.het_offset or 0))
    if not found or found[0].job_id != job_id:
        raise LookupError(f"no job {job_id}")
    if len({job.job_id for job in found}) < len(found):
        raise ValueError(f"several jobs of one number: {job_id}")
    return tuple(found)


def gpus_of(gres: str) -> Gpus | None:
    """Return the GPUs of a list of generic resources, ``gpu:a100:2(IDX:0-1),nic:1``; None if it cannot be read."""
    count, indices, known = 0, list[int](), True
    for match in _GRES_ENTRY.finditer(gres):
        entry = match[0].strip().removeprefix("gres/").removeprefix("gres:")
        if re.match(r"gpu(?![\w.-])", entry) is None:
            continue
        gpu = _GPU.fullmatch(entry)
        if gpu is None:
            return None
        numbers = number_list(gpu[3]) if gpu[3] else []
        count += int(gpu[2]) if gpu[2] else len(numbers) or 1
        known = known and bool(numbers) and _MIG_PROFILE.search(gpu[1] or "") is None
        indices += numbers
    if count == 0:
        return NO_GPUS
    return Gpus(count, tuple(sorted(set(indices))) if known else None)


def number_list(text: str) -> list[int]:
    """Return the numbers of a list such as ``0-3,8``.

    Raises:
        ValueError: It is no such list, or an endless one.
    """
    numbers: list[int] = []
    for part in text.split(",") if text else ():
        match = _RANGE.fullmatch(part)
        if match is None:
            raise ValueError(f"not a list of numbers: {text[:200]}")
        first, last = int(match[1]), int(match[2] or match[1])
        if len(numbers) + last - first >= _MOST_NUMBERS:
            raise ValueError(f"too many numbers: {text[:200]}")
        numbers += range(first, last + 1)
    return numbers
