"""How far off greenai and its peers are, on a simulated machine whose true energy is known.

``python -m benchmarks accuracy`` needs Linux and root, and takes 20 minutes; with ``--peers`` more than an hour.
Real programs read what look like real sensors (``lab.py``); power follows curves whose integral is exact
(``curves.py``).

Not covered: real boards differ from the published A100 behaviour that is simulated, and the work is a sleeping
program, so load and power are unrelated.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.accuracy import check, cost
from benchmarks.accuracy.lab import build
from benchmarks.accuracy.measure import Result, measure
from benchmarks.accuracy.scenarios import SCENARIOS
from benchmarks.accuracy.tables import show_beside, show_ours
from benchmarks.accuracy.tools import OURS, PEERS, install

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] = ()) -> None:
    """Check the laboratory, run the scenarios, measure the cost of reading, and print the tables."""
    options = _options(arguments)
    began_s = time.monotonic()
    scenarios = [s for s in SCENARIOS if _wanted(s.name, options.only)]
    tools = [t for t in (*OURS, *PEERS) if _wanted(t.title, options.tools) and (t.ours or options.peers)]
    if not scenarios or not tools:
        sys.exit("accuracy: no scenario or no tool is called like that")
    done = _earlier(options)
    build()
    install(tools)
    print(f"seed {options.seed}, {options.repeat} repetitions, {options.jobs} long runs at a time\n")
    check.main(options.seed)
    if options.cost_only:
        cost.main(options.repeat, options.cost_seconds, options.seed)
        return
    results = list(done)
    try:
        measure(scenarios, tools, results, repeats=options.repeat, jobs=options.jobs, seed=options.seed)
    finally:
        _keep(options, results)
    for tool in OURS:
        show_ours(SCENARIOS, tool, results)
    if options.peers:
        show_beside(SCENARIOS, (*OURS, *PEERS), results)
    _show_conditions(results, len(results) - len(done), time.monotonic() - began_s)
    if not options.only and not options.tools:
        cost.main(options.repeat, options.cost_seconds, options.seed)


def _show_conditions(results: Sequence[Result], new: int, took_s: float) -> None:
    loads = [result.load for result in results]
    late_ms = max(result.late_s for result in results) * 1e3
    print(f"{len(results)} runs, {new} of them now, in {took_s / 60:.0f} min")
    print(f"load average {min(loads)} to {max(loads)} on {os.cpu_count()} CPUs; work overslept {late_ms:.1f} ms\n")


def _keep(options: argparse.Namespace, results: Sequence[Result]) -> None:
    if options.json:
        raw = {"seed": options.seed, "runs": [result.to_dict() for result in results]}
        Path(options.json).write_text(json.dumps(raw, indent=1))


def _wanted(name: str, parts: Sequence[str] | None) -> bool:
    return not parts or any(part in name for part in parts)


def _earlier(options: argparse.Namespace) -> list[Result]:
    """Read the runs of an earlier call, and take its seed."""
    if not options.add:
        return []
    raw = json.loads(Path(options.add).read_text())
    options.seed = raw["seed"]
    return [Result.from_dict(run) for run in raw["runs"]]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks accuracy", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="also run codecarbon, zeus, perun and carbontracker")
    parser.add_argument("--only", action="append", metavar="PART", help="only scenarios with this in their name")
    parser.add_argument("--tools", action="append", metavar="PART", help="only tools with this in their name")
    parser.add_argument("--add", metavar="FILE", help="go on from the raw results of an earlier call")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="repetitions (3)")
    parser.add_argument("--jobs", type=int, default=3, metavar="N", help="long runs at a time (3)")
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 1_000_000, metavar="N", help="repeat an earlier run"
    )
    parser.add_argument("--cost-only", action="store_true", help="measure nothing but the cost of reading")
    parser.add_argument("--cost-seconds", type=float, default=30.0, metavar="S", help="length of a cost run (30)")
    parser.add_argument("--json", metavar="FILE", help="write the raw results")
    return parser.parse_args(arguments)
