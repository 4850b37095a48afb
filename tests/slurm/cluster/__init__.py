"""A real Slurm cluster on this machine: munge, MariaDB, slurmdbd, slurmctld, and nodes with power counters.

By hand (root)::

    eval "$(.venv/bin/python -m tests.slurm.cluster up)"      # sets SLURM_CONF
    srun -N3 -l hostname                                      # 0: n1   1: n2   2: n3
    .venv/bin/python -m tests.slurm.cluster kill-node n2      # power off; also kill-slurmd n2, revive
    .venv/bin/python -m tests.slurm.cluster down

Needs Debian's or Ubuntu's packages (``scripts/system-packages`` installs them) and root with CAP_SYS_ADMIN.
"""

from .cluster import Cluster
from .config import Plan

__all__ = ["Cluster", "Plan"]
