"""One attempt of a batch job, as Slurm's accounting has it. Pure; a figure is None when unknown, never 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

COLLECTOR_PREFIX = "greenai-collect"
"""Job steps whose name begins like this are our own collectors."""

_LONGEST_RUN_ID = 64
_MOST_DIGITS = 15
_CLOCKS_DIFFER_MS = 5_000  # less than a requeued job waits for its next attempt

# Words of job states, man sacct ("JOB STATE CODES"), and whether nothing more can happen to such an attempt.
_FINAL = frozenset(
    {
        "COMPLETED", "FAILED", "OUT_OF_MEMORY", "TIMEOUT", "CANCELLED", "NODE_FAIL", "PREEMPTED", "REQUEUED",
        "BOOT_FAIL", "DEADLINE", "REVOKED", "LAUNCH_FAILED", "RECONFIG_FAIL",
    }
)  # fmt: skip
_OPEN = frozenset(
    {
        "PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING", "RESIZING", "REQUEUE_FED", "REQUEUE_HOLD",
        "RESV_DEL_HOLD", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT", "STOPPED", "EXPEDITING", "POWER_UP_NODE",
    }
)  # fmt: skip
STATES = _FINAL | _OPEN
_AFTER_SIGNAL = 128  # as shells do


def claimed_number(text: object) -> int:
    """Return a number that a journal claims, e.g. a restart count; 0 for anything else that it says."""
    digits = str(text)
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS else 0


@dataclass(frozen=True, slots=True)
class JobResources:
    """What a job asked for, got or used.

    Attributes:
        cpus: Logical CPUs as Slurm counts them, on all nodes together.
        memory_bytes: Memory on all nodes together.
        nodes: How many nodes.
        gpus: By type; the key is empty where Slurm names none.
    """

    cpus: int | None = None
    memory_bytes: int | None = None
    nodes: int | None = None
    gpus: dict[str, int] | None = None

    @property
    def gpu_count(self) -> int:
        """How many GPUs, of whatever type."""
        return sum((self.gpus or {}).values())


@dataclass(frozen=True, slots=True)
class BatchStep:
    """A step of a job.

    Attributes:
        id: ``0``, ``1``, ..., or ``batch``, ``extern``, ``interactive``.
        name: Its name: mostly the program.
        state: Slurm's word, e.g. ``COMPLETED``.
        exit_code: Its exit code.
        signal: The signal that ended it; None if none did.
        start_ms: Begin, epoch milliseconds.
        end_ms: End, epoch milliseconds.
        elapsed_s: Seconds without those of suspension, whole ones.
        nodes: Its nodes in Slurm's short form, e.g. ``n[1-2]``.
        node_count: How many.
        tasks: How many tasks.
        cpus: Logical CPUs.
        cpu_s: CPU time used, seconds.
        max_rss_bytes: The most resident memory that any one task had.
        gpu_utilisation_max: The highest GPU utilisation that was seen, percent.
        energy_j: What the site's energy plugin counted on its nodes meanwhile, whoever caused it; joules.
    """

    id: str
    name: str
    state: str
    exit_code: int | None = None
    signal: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    elapsed_s: int | None = None
    nodes: str = ""
    node_count: int | None = None
    tasks: int | None = None
    cpus: int | None = None
    cpu_s: float | None = None
    max_rss_bytes: int | None = None
    gpu_utilisation_max: float | None = None
    energy_j: float | None = None

    @property
    def shell_exit_code(self) -> int | None:
        """The exit code as a shell gives it (128+n after signal n), see ``BatchJob.shell_exit_code``."""
        return _shell_exit_code(self)

    @property
    def is_users(self) -> bool:
        """Whether the user started it with srun: neither Slurm's own step nor one of our collectors."""
        return self.id.isdecimal() and not self.name.startswith(COLLECTOR_PREFIX)


@dataclass(frozen=True, slots=True)
class BatchJob:
    """One attempt of a job: a job that is requeued has several.

    Attributes:
        cluster: Name of the cluster.
        job_id: Its number. Unique on the cluster, until numbers begin again.
        restart_count: 0 for the first attempt. Before Slurm 24.11 counted from what is known; may be too low.
        array_job_id: Number of the array, of an element.
        array_task_id: Index in the array.
        het_job_id: Number of the heterogeneous job whose part it is.
        het_offset: Which part.
        state: Slurm's word, e.g. ``TIMEOUT``.
        exit_code: Of the batch script.
        signal: The signal that ended the script; None if none did.
        submit_ms: When it was submitted, or requeued; epoch milliseconds.
        start_ms: Begin; None if it never began.
        end_ms: End; None while it goes on.
        elapsed_s: Seconds without those of suspension, whole ones.
        time_limit_s: What was asked for, seconds; None if unlimited or unknown.
        nodes: Its nodes in Slurm's short form.
        cpu_s: CPU time that its steps used, seconds; None where nobody gathers it.
        max_rss_bytes: The most resident memory that any one task had.
        energy_j: Slurm's own sum for the job: overlapping steps count twice in it; joules.
        steps: In Slurm's order.
    """

    cluster: str
    job_id: str
    restart_count: int
    name: str
    state: str
    user: str | None = None
    account: str | None = None
    partition: str | None = None
    array_job_id: str | None = None
    array_task_id: str | None = None
    het_job_id: str | None = None
    het_offset: int | None = None
    exit_code: int | None = None
    signal: int | None = None
    submit_ms: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    elapsed_s: int | None = None
    time_limit_s: int | None = None
    nodes: str = ""
    requested: JobResources = JobResources()
    allocated: JobResources = JobResources()
    cpu_s: float | None = None
    max_rss_bytes: int | None = None
    energy_j: float | None = None
    steps: tuple[BatchStep, ...] = ()

    @property
    def key(self) -> tuple[str, str, int | None]:
        """What identifies it: cluster, job id, start. Numbers come round again, and attempts may be miscounted."""
        return self.cluster, self.job_id, self.start_ms

    @property
    def imported_run_id(self) -> str:
        """Id of the run that it becomes if nobody tracked it: with its start, epoch seconds."""
        number_and_start = f"-{self.job_id}-{(self.start_ms or 0) // 1000}"
        return f"slurm-{self.cluster}"[: _LONGEST_RUN_ID - len(number_and_start)] + number_and_start

    def is_beside(self, other: BatchJob) -> bool:
        """Say whether both are parts of the same attempt of a heterogeneous job: these start together."""
        if self.het_job_id is None or self.start_ms is None or other.start_ms is None:
            return False
        same_job = (self.cluster, self.het_job_id) == (other.cluster, other.het_job_id)
        return same_job and abs(self.start_ms - other.start_ms) <= _CLOCKS_DIFFER_MS

    def ran_at(self, moment_ms: int) -> bool:
        """Say whether it ran at a moment (epoch milliseconds), as exactly as clocks agree."""
        begin_ms = moment_ms if self.start_ms is None else self.start_ms
        end_ms = moment_ms if self.end_ms is None else self.end_ms
        return begin_ms - _CLOCKS_DIFFER_MS <= moment_ms <= end_ms + _CLOCKS_DIFFER_MS

    @property
    def is_final(self) -> bool:
        """Whether nothing more can happen to this attempt."""
        return self.state in _FINAL

    @property
    def shell_exit_code(self) -> int | None:
        """The exit code as a shell gives it (128+n after signal n); None where the job did not end by itself.

        Slurm says ``0:0`` of jobs that it ended itself, which is no success.
        """
        return _shell_exit_code(self)

    @property
    def user_steps(self) -> tuple[BatchStep, ...]:
        """Steps that the user started."""
        return tuple(step for step in self.steps if step.is_users)

    @property
    def has_collector(self) -> bool:
        """Whether one of our collectors ran beside the user's steps."""
        return any(step.id.isdecimal() and not step.is_users for step in self.steps)

    @property
    def memory_used_bytes(self) -> int | None:
        """The most memory in use, at least: of the step that used most, its largest task. None if not gathered."""
        known = [step.max_rss_bytes for step in self.steps if step.max_rss_bytes is not None]
        return max(known, default=self.max_rss_bytes)

    def to_json(self) -> dict[str, Any]:
        """Return it as the database and exports keep it."""
        return {
            **_fields(self),
            "requested": _fields(self.requested),
            "allocated": _fields(self.allocated),
            "steps": tuple(map(_fields, self.steps)),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> BatchJob:
        """Read what ``to_json`` wrote; fields of a later version are ignored.

        Raises:
            KeyError, TypeError: ``data`` is not a job.
        """
        known = {name: data[name] for name in cls.__slots__ if name in data}
        return cls(
            **{
                **known,
                "requested": _resources(data.get("requested")),
                "allocated": _resources(data.get("allocated")),
                "steps": tuple(
                    BatchStep(**{name: step[name] for name in BatchStep.__slots__ if name in step})
                    for step in data.get("steps", ())
                ),
            }
        )


def _fields(of: BatchJob | BatchStep | JobResources) -> dict[str, Any]:
    """Return what ``dataclasses.asdict`` does of one without others in it, much faster."""
    return {name: getattr(of, name) for name in of.__slots__}


def _shell_exit_code(of: BatchJob | BatchStep) -> int | None:
    if of.signal:
        return _AFTER_SIGNAL + of.signal
    return of.exit_code if of.exit_code or of.state == "COMPLETED" else None


def _resources(data: dict[str, Any] | None) -> JobResources:
    return (
        JobResources(**{name: data[name] for name in JobResources.__slots__ if name in data})
        if data
        else JobResources()
    )
