"""perun: its decorator at 1 s (default), or with ``best`` at 0.1 s, the shortest it takes."""

from __future__ import annotations

import sys
from typing import Any

from perun import perun, register_callback  # type: ignore[import-not-found,unused-ignore]
from work import report, work  # type: ignore[import-not-found]

found: dict[str, float] = {}


def keep(node: Any) -> None:
    """Keep the energies of the one run."""
    (run,) = node.nodes.values()
    found.update({str(kind): float(metric.value) for kind, metric in run.metrics.items()})


def tracked() -> None:
    """Be the tracked function."""
    register_callback(keep)
    work(float(sys.argv[1]))


if __name__ == "__main__":
    perun(sampling_period=0.1 if sys.argv[2] == "best" else 1)(tracked)()
    report(cpu_j=found.get("cpu_energy"), dram_j=found.get("dram_energy"), gpu_j=found.get("gpu_energy"))
