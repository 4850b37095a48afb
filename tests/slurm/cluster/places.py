"""Where a cluster lives: one of ten numbered places, so that several do not meet (ports, node names, cgroups).

Place 0 is for a cluster started by hand, the others for test sessions. Each session takes a free one, and first
clears those whose session was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from .config import Plan
from .daemons import listens
from .nodes import end_nodes
from .processes import ClusterError, Daemons, Process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BY_HAND = 0
_ALL = range(10)
_ROOT = Path("/tmp")  # names of sockets must be short


def folder_of(place: int) -> Path:
    """The folder of a place."""
    return _ROOT / f"greenai-slurm-{place}"


def places_in_use() -> list[int]:
    """The places with a cluster that somebody still wants."""
    return [number for number in _ALL if folder_of(number).is_dir() and not _is_left_over(folder_of(number))]


def take(place: int | None, watts: Sequence[float], cpus: int, *, private_tmp: bool) -> Plan:
    """Take a place (None: a free one for as long as this process lives) and plan a cluster there.

    Raises:
        ClusterError: No place is free.
    """
    with _alone():
        for number in _ALL:
            folder = folder_of(number)
            if folder.is_dir() and _is_left_over(folder):
                clear(folder, Daemons(folder))
        wanted = [place] if place is not None else [number for number in _ALL if number != BY_HAND]
        free = [number for number in wanted if not folder_of(number).exists()]
        if not free:
            raise ClusterError("in use: " + ", ".join(str(folder_of(number)) for number in wanted))
        number = free[0]
        prefix = str(number) if number != BY_HAND else ""
        nodes = tuple(f"n{prefix}{1 + index}" for index in range(len(watts)))
        ports = _free_ports(number, 2 + len(watts))
        plan = Plan(folder_of(number), nodes, tuple(watts), cpus, ports, private_tmp)
        plan.folder.mkdir(0o755)
        plan.save()
        owner = None if place is not None else Process.of(os.getpid())
        (plan.folder / "owner.json").write_text(json.dumps(owner and [owner.pid, owner.start_ticks]))
        return plan


def clear(folder: Path, daemons: Daemons) -> None:
    """End whatever runs for the cluster in this folder, and remove the folder."""
    # The controller first: without its nodes it would wait for their answers.
    daemons.kill(["slurmctld"])
    with contextlib.suppress(FileNotFoundError):
        end_nodes(Plan.load(folder).nodes, daemons)
    daemons.kill(daemons.names())
    shutil.rmtree(folder)


def _is_left_over(folder: Path) -> bool:
    try:
        owner = json.loads((folder / "owner.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return True  # killed while it took the place
    return owner is not None and not Process(*owner).alive


def _free_ports(place: int, number: int) -> int:
    """The first of some ports in a row; below those that the kernel gives to clients."""
    for first in range(20_000 + 20 * place, 32_000, 200):
        if not any(listens("127.0.0.1", port) for port in range(first, first + number)):
            return first
    raise ClusterError("no free ports from 20000 to 32000")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    with (_ROOT / "greenai-slurm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
