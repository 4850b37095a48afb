"""How much of a machine the tracked work used: what its energy is shared out by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Usage:
    """The use of one host at one moment; None where it is not known.

    Attributes:
        t_mono_ns: Monotonic time.
        own_cpu_us: CPU time of the tracked work (process tree or cgroup), cumulated, microseconds.
        machine_cpu_us: CPU time of everything on the machine, cumulated, microseconds; of all batch jobs on it if
            ``of_jobs``.
        own_memory_bytes: Memory that the tracked work holds.
        machine_memory_bytes: Memory in use on the machine, or by all batch jobs on it.
        gpu_shares: By channel id of a GPU on which others computed since the last time: the tracked work's share
            (0..1) of it. None where nobody looked.
        of_jobs: The tracked work is a batch job, and put beside all jobs on the machine, not beside everything:
            what the system itself does is then spread over them, and the shares of all jobs add up to 1.
    """

    t_mono_ns: int
    own_cpu_us: int | None = None
    machine_cpu_us: int | None = None
    own_memory_bytes: int | None = None
    machine_memory_bytes: int | None = None
    gpu_shares: Mapping[str, float] | None = None
    of_jobs: bool = False
