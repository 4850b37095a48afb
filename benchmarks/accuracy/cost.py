"""What reading costs: the sampler at 1, 10 and 100 Hz beside a bare Python loop that reads the same counters."""

from __future__ import annotations

import json
import sys
from random import Random
from statistics import median
from typing import Any

from benchmarks.accuracy.curves import constant
from benchmarks.accuracy.lab import PROGRAMS, run_on
from benchmarks.accuracy.machines import Gpu, Machine, Zone
from benchmarks.table import show

INTERVALS_S = (1.0, 0.1, 0.01)
MUST_REACH = 2.0
_MACHINE = Machine(
    (
        Zone("0", "package-0", constant(100)),
        Zone("0:0", "dram", constant(12)),
        Zone("1", "package-1", constant(80)),
    ),
    (Gpu(constant(300)),),
)


def main(repeats: int, seconds: float, seed: int) -> None:
    """Print CPU seconds per minute; both sides run in the same minutes.

    Args:
        repeats: How often; the table shows the median ratio and the worst.
        seconds: Length of one measurement.
        seed: Of the machine's phases.
    """
    raw: list[dict[str, Any]] = []
    for interval_s in INTERVALS_S:
        for repetition in range(repeats):
            command = [sys.executable, str(PROGRAMS / "sample_at.py"), repr(interval_s), repr(seconds)]
            ran = run_on(_MACHINE, Random(f"{seed}/cost/{repetition}"), command, seconds)
            if ran.result is None:
                sys.exit(f"accuracy: the sampler could not be measured: {ran.complaint}")
            raw.append({"interval_s": interval_s, **json.loads(ran.result)})
    rows = []
    for interval_s in INTERVALS_S:
        runs = [run for run in raw if run["interval_s"] == interval_s]
        ratios = [run["sampler_s"] / run["loop_s"] for run in runs]
        ours, loop = (median(run[name] for run in runs) * 60 / seconds for name in ("sampler_s", "loop_s"))
        rows.append(
            (
                f"{1 / interval_s:g} Hz", f"{ours:.4f}", f"{loop:.4f}", f"{median(ratios):.1f}",
                f"{max(ratios):.1f}", f"{MUST_REACH:g}", "pass" if median(ratios) <= MUST_REACH else "FAIL",
            )
        )  # fmt: skip
    headings = ("rate", "greenai", "bare loop", "ratio", "worst", "asked", "verdict")
    show(f"Reading 3 RAPL files and 1 GPU counter, CPU s per minute ({repeats} x {seconds:g} s)", headings, rows)
