"""``python -m tests.slurm.cluster up|down|revive|kill-node NODE|kill-slurmd NODE``."""

from __future__ import annotations

import argparse
import sys
import time

from .cluster import Cluster
from .places import BY_HAND, places_in_use
from .processes import ClusterError


def main() -> None:
    """Start, break, mend or stop the cluster of a place."""
    parser = argparse.ArgumentParser(prog="python -m tests.slurm.cluster")
    parser.add_argument("--place", type=int, default=BY_HAND, help="0 to 9, for several clusters at a time [0]")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start it, or what has died of it; prints lines for eval")
    up.add_argument("--watts", default="100,150,200", help="the power of each node [100,150,200]")
    up.add_argument("--cpus", type=int, default=4, help="CPUs of each node [4]")
    up.add_argument("--shared-tmp", action="store_true", help="no /tmp, /dev/shm and /run of each node's own")
    commands.add_parser("revive", help="start again what has died")
    commands.add_parser("down", help="end it and remove all its files")
    for name, text in (("kill-node", "cut a node's power"), ("kill-slurmd", "kill its daemon only")):
        commands.add_parser(name, help=text).add_argument("node")
    asked = parser.parse_args()
    begin_s = time.monotonic()
    try:
        _do(asked)
    except ClusterError as error:
        sys.exit(f"error: {error}")
    sys.stderr.write(f"{asked.command}: {time.monotonic() - begin_s:.1f} s\n")


def _do(asked: argparse.Namespace) -> None:
    if asked.command == "up" and asked.place not in places_in_use():
        watts = [float(power) for power in asked.watts.split(",")]
        cluster = Cluster.start(watts, cpus=asked.cpus, place=asked.place, private_tmp=not asked.shared_tmp)
    else:
        cluster = Cluster.attach(asked.place)
        if asked.command in {"up", "revive"}:
            cluster.revive()
        elif asked.command == "down":
            cluster.stop()
        elif asked.command == "kill-node":
            cluster.kill_node(asked.node)
        else:
            cluster.kill_slurmd(asked.node)
    if asked.command == "up":
        sys.stdout.write(f"export SLURM_CONF={cluster.conf}\n")


if __name__ == "__main__":
    main()
