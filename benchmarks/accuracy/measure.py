"""Runs every scenario with every tool, and sets what was reported beside the truth."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from benchmarks.accuracy.lab import run_on
from benchmarks.accuracy.machines import COMPONENTS, CounterView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.accuracy.lab import Ran
    from benchmarks.accuracy.machines import Component
    from benchmarks.accuracy.scenarios import Scenario
    from benchmarks.accuracy.tools import Tool

# Shorter runs go one at a time: they show every delay of a busy computer.
ALONE_BELOW_S = 6.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One component in one run.

    Attributes:
        truth_j: What the machine used while the work went on.
        reported_j: What the tool says; None if it says nothing.
        counter: What the counters can show at best; None where there is no counter.
        gap_s: For how long the tool says that it knows nothing.
        missing_limit_j: What a fault may have cost at most: that gap at the highest power; 0 without a fault.
        estimated: The tool itself says that this is an estimate.
        interval_j: Where the tool says that the truth lies, None if it does not.
    """

    truth_j: float
    reported_j: float | None
    counter: CounterView | None
    gap_s: float
    missing_limit_j: float
    estimated: bool
    interval_j: tuple[float, float] | None

    @property
    def error(self) -> float | None:
        """The relative error."""
        return None if self.reported_j is None else self.reported_j / self.truth_j - 1

    @property
    def two_reads_error(self) -> float | None:
        """The relative error of two flawless reads of the counters."""
        return None if self.counter is None else self.counter.two_reads_j / self.truth_j - 1


@dataclass(frozen=True, slots=True)
class Result:
    """One run.

    Attributes:
        figures: By component; empty if the tool failed.
        complaint: Why it failed.
        late_s: By how much the work overslept.
        load: Load average of the computer afterwards.
    """

    scenario: str
    tool: str
    repetition: int
    figures: dict[Component, Figure]
    complaint: str
    late_s: float
    load: float

    @property
    def key(self) -> tuple[str, str, int]:
        """What was run."""
        return self.scenario, self.tool, self.repetition

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Result:
        """Read what ``to_dict`` returned."""
        figures = {component: _figure(figure) for component, figure in data["figures"].items()}
        return cls(**{**data, "figures": figures})


def _figure(data: dict[str, Any]) -> Figure:
    counter, interval = data["counter"], data["interval_j"]
    return Figure(
        **{
            **data,
            "counter": CounterView(**counter) if counter else None,
            "interval_j": (interval[0], interval[1]) if interval else None,
        }
    )


def measure(
    scenarios: Sequence[Scenario],
    tools: Sequence[Tool],
    results: list[Result],
    *,
    repeats: int,
    jobs: int,
    seed: int,
) -> None:
    """Run everything; the same repetition of a scenario has the same machine and phases for all tools.

    Args:
        scenarios: What to run.
        tools: Whom to test.
        results: Gets what was found. What it holds of an earlier call with this seed is not run again.
        repeats: How often.
        jobs: How many of the longer runs at a time.
        seed: Of all phases.
    """
    known = {result.key for result in results}
    orders = [
        (s, t, r) for r in range(repeats) for s in scenarios for t in tools if (s.name, t.title, r) not in known
    ]
    total = len(orders) + len(results)

    def run(order: tuple[Scenario, Tool, int]) -> None:
        scenario, tool, repetition = order
        random = Random(f"{seed}/{scenario.name}/{repetition}")
        ran = run_on(scenario.build(random), random, tool.command(scenario.seconds), scenario.seconds)
        result = _result(order, ran)
        results.append(result)
        print(f"  {len(results)}/{total} {_line(result)}", file=sys.stderr)

    for parallel, wanted in ((1, True), (jobs, False)):
        with ThreadPoolExecutor(parallel) as pool:
            list(pool.map(run, [order for order in orders if _alone(order) is wanted]))


def _alone(order: tuple[Scenario, Tool, int]) -> bool:
    scenario, tool, _ = order
    # Without an energy counter zeus polls on all cores and would disturb what runs beside it.
    return scenario.seconds < ALONE_BELOW_S or (tool.name == "zeus" and "no counter" in scenario.name)


def _result(order: tuple[Scenario, Tool, int], ran: Ran) -> Result:
    scenario, tool, repetition = order
    figures: dict[Component, Figure] = {}
    if ran.result is not None:
        reported = tool.parse(ran.result)
        for component in COMPONENTS:
            machine = ran.simulation.machine
            curves = machine.curves_of(component)
            if curves:
                said = reported[component]
                figures[component] = Figure(
                    truth_j=ran.simulation.truth_j(component),
                    reported_j=said.energy_j,
                    counter=ran.simulation.counter_view(component),
                    gap_s=said.gap_s,
                    missing_limit_j=said.gap_s * sum(c.highest_w for c in curves) if machine.faults else 0.0,
                    estimated=said.estimated,
                    interval_j=said.interval_j,
                )
    return Result(
        scenario.name, tool.title, repetition, figures, ran.complaint, ran.late_s, round(os.getloadavg()[0], 2)
    )


def _line(result: Result) -> str:
    figures = ", ".join(
        f"{component} {figure.error:+.2%}" if figure.error is not None else f"{component} none"
        for component, figure in result.figures.items()
    )
    return f"{result.scenario} / {result.tool}: {figures or result.complaint} (load {result.load})"
