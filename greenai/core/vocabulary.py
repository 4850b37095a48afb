"""The words a run is described with."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a process did for the run.

    The owner started the run and marks its start and stop; its sampler ticks beside it; members (a tracked program
    inside ``greenai run``, a worker) mark windows only. The ranks of a group mark their own start and stop: the
    run lasts from the first start to the last stop. So do the collectors of a batch job, one on each of its nodes;
    they sample themselves, and the first of them describes the run where it has no owner.
    """

    OWNER = "owner"
    RANK = "rank"
    SAMPLER = "sampler"
    MEMBER = "member"
    NODE = "node"


class RunState(StrEnum):
    """How a run stands. KILLED: its death was seen. LOST: it fell silent."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    KILLED = "killed"
    LOST = "lost"


class Approach(StrEnum):
    """What kind of solution a run belongs to."""

    AI = "ai"
    CLASSICAL = "classical"


class Phase(StrEnum):
    """What a run did; phases are never mixed in a comparison."""

    TRAINING = "training"
    INFERENCE = "inference"
    EVALUATION = "evaluation"
    DATA = "data"
    OTHER = "other"


class Scope(StrEnum):
    """Whose energy a run is. AUTO: CGROUP in a Slurm job that shares its node, else MACHINE."""

    AUTO = "auto"
    MACHINE = "machine"
    PROCESS = "process"
    CGROUP = "cgroup"
