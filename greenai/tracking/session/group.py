"""Which processes belong together: ranks of one launcher, workers of one pool.

The first of a group on a host samples, the others mark their part, so that eight ranks are one machine. Ranks all
do the same: the third run called "train" of one is the third of each. Workers take what comes: theirs is whatever
run of the pool is open.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.host.processes import start_ticks

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Group:
    """The processes that this one belongs to.

    Attributes:
        launcher: What started them: ``torchrun``, ``torch.distributed``, ``mpi``, ``slurm``, ``workers`` or
            ``siblings``.
        key: The same in all of them, on every host, and in no others.
        rank: Number of this process among them, None for workers.
        size: How many there are, if that is known.
    """

    launcher: str
    key: str
    rank: int | None = None
    size: int | None = None

    def file_name(self, run_name: str) -> str:
        """Return where the group notes its run of this name; to be asked once for each run."""
        import hashlib  # local: takes a while to load, and most programs are alone

        key = self.key
        if self.rank is not None:
            _RUNS[self.key, run_name] += 1
            key = f"{key}|{run_name}|{_RUNS[self.key, run_name]}"
        elif self.launcher == SIBLINGS:
            key = f"{key}|{run_name}"
        return f"{self.launcher}-{hashlib.sha256(key.encode(errors='replace')).hexdigest()[:32]}"


WORKERS = "workers"
SIBLINGS = "siblings"
_RUNS: Counter[tuple[str, str]] = Counter()  # how many runs of a name this process has begun as a rank

# Launcher; variables of rank and size; variables that together name the job on all its hosts. With none of those
# the parent does: the ranks of a host are children of one process.
_LAUNCHERS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    # torchrun, accelerate: https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables
    (
        "torchrun", "RANK", "WORLD_SIZE",
        ("TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RESTART_COUNT"),
    ),
    # deepspeed, and whoever sets the variables of torch.distributed (init_method env://) by hand
    ("torch.distributed", "RANK", "WORLD_SIZE", ("MASTER_ADDR", "MASTER_PORT")),
    # Open MPI 4 and 5: https://docs.open-mpi.org/en/main/tuning-apps/environment-var.html
    ("mpi", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", ("PMIX_NAMESPACE",)),
    ("mpi", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", ()),
    # MPICH, Intel MPI (Hydra)
    ("mpi", "PMI_RANK", "PMI_SIZE", ()),
    # srun: https://slurm.schedmd.com/srun.html (output environment variables)
    (
        "slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS",
        ("SLURM_JOB_ID", "SLURM_STEP_ID"),
    ),
)  # fmt: skip


def launcher_group(environ: Mapping[str, str]) -> Group | None:
    """Return the ranks that this process is one of, None if it is alone.

    Args:
        environ: Environment variables.
    """
    for launcher, rank_name, size_name, key_names in _LAUNCHERS:
        rank, size = _number(environ.get(rank_name)), _number(environ.get(size_name))
        if rank is None or size is None or any(name not in environ for name in key_names):
            continue
        if size < 2:  # noqa: PLR2004  # alone
            return None
        # A requeued Slurm job has the same number; so have attempts of torchrun, but for their own count.
        names = (*key_names, "SLURM_JOB_ID", "SLURM_RESTART_COUNT")
        key = "|".join(environ.get(name, "") for name in names) if key_names else _parent_key()
        return Group(launcher, key, rank, size)
    return None


def worker_group() -> Group | None:
    """Return the pool that this process works in (multiprocessing, joblib, concurrent.futures), if it does."""
    process = sys.modules.get("multiprocessing.process")
    parent = process.parent_process() if process is not None else None
    # Not os.getppid(): with the start method "forkserver" that is the server.
    return Group(WORKERS, process_key(parent.pid)) if parent is not None else None


def sibling_group() -> Group:
    """Return the processes of this one's parent: the workers of a server that was started by one process."""
    return Group(SIBLINGS, _parent_key())


def process_key(pid: int) -> str:
    """Return what names a process of this host for ever."""
    return f"{os.uname().nodename}-{pid}-{start_ticks(pid)}".replace("/", "_")


def _parent_key() -> str:
    return process_key(os.getppid())


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
