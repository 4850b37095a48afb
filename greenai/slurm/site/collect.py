"""The site's collector of one job and node: as the job's user, outside of the job, from Prolog to Epilog.

``python -I -m greenai.slurm.site collect``; its input is a pipe with the order, see ``greenai.slurm.collector``.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.host.files import make_folder
from greenai.journal.spool import is_own
from greenai.slurm.collector import main
from greenai.slurm.job_host import job_environ

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.slurm.job_facts import JobFacts
    from greenai.slurm.order import Order

_NOT_YOURS = Text(
    de="{folder} gehört jemand anderem; der Job wird nicht gemessen.",
    en="{folder} is somebody else's; the job is not measured.",
)


def prepare(jobs: Sequence[JobFacts], order: Order) -> Order:
    """Make the run's folder, and complete what the Prolog knew of the job by what Slurm says of it.

    Args:
        jobs: What Slurm says: the job, or the components of a heterogeneous one; empty if nothing.
        order: What the Prolog said.

    Raises:
        ConfigError: The folder is somebody else's.
        OSError: It cannot be made.
    """
    folder = Path(order.spool, order.run_id)
    make_folder(folder)
    if not is_own(folder):
        raise ConfigError(_NOT_YOURS.format(folder=folder))
    return completed(order, jobs, os.environ) if jobs else order


def completed(order: Order, jobs: Sequence[JobFacts], environ: Mapping[str, str]) -> Order:
    """Return an order with what only Slurm knows: names, an array, other components, and what is shared.

    Args:
        order: What the Prolog said.
        jobs: What Slurm says, not empty.
        environ: This process's own.
    """
    first = jobs[0]
    known = {
        "job_name": first.name,
        "array_job_id": first.array_job_id,
        "array_task_id": first.array_task_id,
        "het_size": len(jobs) if len(jobs) > 1 else None,
        "account": first.account,
        "partition": first.partition,
    }
    facts = {key: str(value) for key, value in known.items() if value is not None}
    nodes = tuple(dict.fromkeys(node.name for job in jobs for node in job.nodes))
    order = order._replace(
        name=first.name or order.name, slurm={**order.slurm, **facts}, nodes=nodes or order.nodes
    )
    node, number = environ.get("SLURMD_NODENAME", ""), environ.get("SLURM_JOB_ID")
    ours = next((job for job in jobs if str(job.job_id) == number and job.node(node) is not None), None)
    if ours is None:
        return order
    return order._replace(environ={node: job_environ(ours, node)}, exclusive=ours.exclusive)


def collect(jobs: Sequence[JobFacts]) -> None:
    """Collect until the Epilog says that the job has ended.

    Args:
        jobs: What Slurm said of the job, see ``greenai.slurm.site.question``.
    """
    main(partial(prepare, jobs))
