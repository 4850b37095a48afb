"""Nodes: namespaces that look like machines, each with a slurmd and with counters of known power."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .daemons import listens, program
from .processes import ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .config import Plan
    from .processes import Daemons, Process

_HERE = Path(__file__).parent
_COUNTERS = "counters"


def start_nodes(plan: Plan, daemons: Daemons) -> None:
    """Start all that does not run: counters, namespaces, slurmds."""
    for node in plan.nodes:
        _write_identity(plan, node)
    _start_counters(plan, daemons)
    dead = [node for node in plan.nodes if not daemons.get(f"init.{node}")]
    for node in dead:
        daemons.await_end([f"slurmd.{node}"])
        remove_cgroups([node])
        _start_namespaces(plan, daemons, node)
    for node in plan.nodes:
        _start_slurmd(plan, daemons, node)
    slurmds = [f"slurmd.{node}" for node in plan.nodes]
    daemons.wait("the slurmds", lambda: all(listens(*plan.address(node)) for node in plan.nodes), slurmds)


def kill_node(daemons: Daemons, node: str) -> None:
    """Cut a node's power: all its processes are dead at once.

    Raises:
        ClusterError: It is off already.
    """
    _first_process(daemons, node).send(signal.SIGKILL)
    daemons.await_end([f"init.{node}", f"slurmd.{node}"])


def kill_slurmd(daemons: Daemons, node: str) -> None:
    """Kill the daemon of a node; the steps go on.

    Raises:
        ClusterError: It does not run.
    """
    entering = daemons.get(f"slurmd.{node}")
    if entering is None:
        raise ClusterError(f"the slurmd of {node} does not run")
    for slurmd in entering.children():
        slurmd.send(signal.SIGKILL)
    daemons.await_end([f"slurmd.{node}"])


def end_nodes(nodes: Sequence[str], daemons: Daemons) -> None:
    """Kill all nodes and their counters."""
    for node in nodes:
        with contextlib.suppress(ClusterError):
            kill_node(daemons, node)
    daemons.kill([_COUNTERS])
    remove_cgroups(nodes)


def remove_cgroups(nodes: Sequence[str]) -> None:
    """Remove the cgroups that dead nodes left; those of other clusters bear other names."""
    for node in nodes:
        for root in Path("/sys/fs/cgroup").glob(f"*/slurm_{node}"):
            for folder, _, _ in os.walk(root, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()


def _write_identity(plan: Plan, node: str) -> None:
    home = plan.home(node)
    for name in ("etc", "spool"):
        (home / name).mkdir(parents=True, exist_ok=True)
    hosts = ["127.0.0.1 localhost", "::1 localhost", f"127.0.0.1 {socket.gethostname()}"]
    hosts += [f"{plan.address(other)[0]} {other}" for other in plan.nodes]
    number = hashlib.sha256(f"{plan.folder} {node}".encode()).hexdigest()[:32]
    boot = f"{number[:8]}-{number[8:12]}-4{number[13:16]}-8{number[17:20]}-{number[20:]}"
    texts = {"hosts": "\n".join(hosts), "hostname": node, "machine-id": number, "boot_id": boot}
    for name, text in texts.items():
        (home / "etc" / name).write_text(f"{text}\n")


def _start_counters(plan: Plan, daemons: Daemons) -> None:
    folders = [plan.home(node) / "counters" for node in plan.nodes]
    pairs = [f"{folder}={watts}" for folder, watts in zip(folders, plan.watts, strict=True)]
    daemons.ensure(_COUNTERS, [sys.executable, "-I", str(_HERE / "counters.py"), *pairs])
    last = folders[-1] / "cray" / "pm_counters" / "power"
    daemons.wait("the counters", lambda: last.exists() and last.stat().st_size, [_COUNTERS])


def _start_namespaces(plan: Plan, daemons: Daemons, node: str) -> None:
    home = plan.home(node)
    ready = home / "ready"
    ready.unlink(missing_ok=True)
    shared = {plan.folder, _HERE.parents[2], Path(sys.prefix)} if plan.private_tmp else set()
    name = f"init.{node}"
    daemons.ensure(
        name,
        [
            "unshare", "--uts", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc",
            str(_HERE / "node.sh"), node, str(home), *sorted(map(str, shared)),
        ],
    )  # fmt: skip
    daemons.wait(f"the namespaces of {node}", ready.exists, [name])


def _start_slurmd(plan: Plan, daemons: Daemons, node: str) -> None:
    # --root: right also where we ourselves live in another root folder.
    first = _first_process(daemons, node)
    daemons.ensure(
        f"slurmd.{node}",
        [
            "nsenter", "-t", str(first.pid), "--uts", "--mount", "--pid", "--root", "--",
            program("slurmd"), "-D", "-N", node, "-f", str(plan.conf),
        ],
    )  # fmt: skip


def _first_process(daemons: Daemons, node: str) -> Process:
    """The child of unshare: process 1 of the node."""
    unshare = daemons.get(f"init.{node}")
    children = unshare.children() if unshare else []
    if not children:
        raise ClusterError(f"the node {node} is off")
    return children[0]
