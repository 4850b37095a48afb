"""Which candidate is compared with which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.compare import candidates, compare
from greenai.core.views import TaskView
from greenai.core.vocabulary import Approach

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.comparison import Candidate, Margins
    from greenai.core.record import RunRecord


def task_view(
    task: str, records: Sequence[RunRecord], chosen_baseline: str | None, margins: Margins | None = None
) -> TaskView:
    """Compare each AI candidate with the classical one of the same phase.

    The classical side is the one a person chose, else the best by quality; of equals the one with less energy.
    """
    found = candidates(records)
    comparisons = []
    baselines: list[Candidate] = []
    for ai in (candidate for candidate in found if candidate.approach is Approach.AI):
        classical = _baseline([c for c in found if c.phase == ai.phase], chosen_baseline)
        if classical is not None:
            comparisons.append(compare(task, ai, classical, margins))
            baselines.append(classical)
    name = baselines[0].name if baselines else None
    return TaskView(
        task=task,
        candidates=tuple(found),
        baseline=name,
        baseline_chosen=name is not None and name == chosen_baseline,
        comparisons=tuple(comparisons),
    )


def _baseline(of_phase: Sequence[Candidate], chosen: str | None) -> Candidate | None:
    classical = [candidate for candidate in of_phase if candidate.approach is Approach.CLASSICAL]
    named = [candidate for candidate in classical if candidate.name == chosen]
    if named:
        return named[0]
    return max(classical, key=_merit) if classical else None


def _merit(candidate: Candidate) -> tuple[float, float]:
    quality, energy_j = candidate.mean_quality, candidate.mean_energy_j
    sign = 1.0 if candidate.higher_is_better else -1.0
    return (
        sign * quality if quality is not None else float("-inf"),
        -energy_j if energy_j is not None else float("-inf"),
    )
