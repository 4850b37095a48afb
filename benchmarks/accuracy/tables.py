"""The tables: greenai against what it must reach, and beside its peers."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from benchmarks.accuracy.machines import COMPONENTS
from benchmarks.accuracy.verdicts import must_reach, verdict_of_all, verdict_of_run
from benchmarks.table import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.accuracy.machines import Component
    from benchmarks.accuracy.measure import Figure, Result
    from benchmarks.accuracy.scenarios import Scenario
    from benchmarks.accuracy.tools import Tool


def show_ours(scenarios: Sequence[Scenario], tool: Tool, results: Sequence[Result]) -> None:
    """Print the worst errors of greenai and whether they are good enough."""
    rows: list[tuple[str, ...]] = []
    for scenario in scenarios:
        runs = [r for r in results if r.tool == tool.title and r.scenario == scenario.name]
        if not runs:
            continue
        figures = {c: [run.figures[c] for run in runs if c in run.figures] for c in COMPONENTS}
        rows.append(
            (
                scenario.name,
                f"{scenario.seconds:g}",
                _asked(figures, scenario.seconds),
                *(_worst(figures[c], 2) for c in COMPONENTS),
                _percent(_two_reads(figures["gpu"]), 2),
                f"{max((f.gap_s for found in figures.values() for f in found), default=0):.1f}",
                verdict_of_all([verdict_of_run(run, scenario.seconds) for run in runs]),
            )
        )
    if not rows:
        return
    headings = ("scenario", "s", "asked", "CPU", "DRAM", "GPU", "GPU*", "gap s", "verdict")
    runs_each = 1 + max(r.repetition for r in results if r.tool == tool.title)
    show(f"{tool.title}: worst error of {runs_each} runs, %", headings, rows)
    judged = [
        (f.truth_j, f.interval_j)
        for r in results
        for f in r.figures.values()
        if r.tool == tool.title and f.interval_j and not f.estimated and not f.missing_limit_j
    ]
    outside = sum(not low_j <= truth_j <= high_j for truth_j, (low_j, high_j) in judged)
    print(
        "  * two flawless reads of its counter, renewed each 100.3 ms; 'sensor': off by no more than one renewal"
    )
    print(f"  truth outside the stated interval: {outside} of {len(judged)} measured figures without a gap\n")


def show_beside(scenarios: Sequence[Scenario], tools: Sequence[Tool], results: Sequence[Result]) -> None:
    """Print the worst errors of every tool, and why some of them failed."""
    found: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        found[result.scenario, result.tool].append(result)
    named = {name for name, _ in found}
    rows = [(s.name, *(_cell(found[s.name, t.title]) for t in tools)) for s in scenarios if s.name in named]
    show("Worst error, CPU / GPU, % (+: best settings)", ("scenario", *(tool.title for tool in tools)), rows)
    complaints = {(r.tool, r.complaint): r.scenario for r in results if not r.figures}
    print("  what a fault made unreadable counts as an error here; only greenai says how long it was blind")
    for (tool, complaint), scenario in sorted(complaints.items()):
        print(f"  {tool} failed, e.g. in '{scenario}': {complaint[:120]}")
    print()


def _two_reads(figures: Sequence[Figure]) -> float | None:
    errors = [figure.two_reads_error for figure in figures if figure.two_reads_error is not None]
    return max(errors, key=abs, default=None)


def _asked(figures: dict[Component, list[Figure]], seconds: float) -> str:
    asked = {must_reach(c, figure, seconds) for c, found in figures.items() for figure in found}
    return " / ".join(f"{100 * error:g}" for error in sorted(asked))


def _cell(runs: Sequence[Result]) -> str:
    if not runs:
        return ""
    failed = [run for run in runs if not run.figures]
    if failed:
        return "hung" if any(run.complaint == "hung" for run in failed) else "crash"
    worst = [_worst([run.figures[c] for run in runs], 1) for c in ("cpu", "gpu") if c in runs[0].figures]
    return "/".join(worst)


def _worst(figures: Sequence[Figure], digits: int) -> str:
    if not figures:
        return "-"
    if any(figure.estimated for figure in figures):
        return "est."
    errors = [figure.error for figure in figures if figure.error is not None]
    return _percent(max(errors, key=abs), digits) if len(errors) == len(figures) else "none"


def _percent(error: float | None, digits: int) -> str:
    if error is None:
        return "-"
    percent = 100 * error
    return f"{percent:+.{digits if abs(percent) < 10 else 0}f}"
