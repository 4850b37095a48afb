"""What a solution to a demo task is, and how it is run long enough to be measured."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.vocabulary import Approach
    from greenai.tracking import Run

# A fit of a millisecond cannot be measured. It is repeated for at least this long; the energy is per fit.
SHORTEST_RUN_S = 1.2


@dataclass(frozen=True, slots=True)
class Solution:
    """One way to solve a task.

    Attributes:
        name: Name of its runs.
        approach: AI or classical.
        solve: Trains once for a repeat number and returns the quality. Different numbers see different data.
    """

    name: str
    approach: Approach
    solve: Callable[[int], float]


def solve_measurably(solution: Solution, repeat: int, run: Run, metric: str, *, higher_is_better: bool) -> None:
    """Solve again and again until the run is long enough; count each time, log the quality."""
    began_s = time.monotonic()
    while True:
        quality = solution.solve(repeat)
        run.add_units(1)
        if time.monotonic() - began_s >= SHORTEST_RUN_S:
            break
    run.log_metric(metric, quality, higher_is_better=higher_is_better)
