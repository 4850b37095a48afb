"""What greenai must reach, and whether it does."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.accuracy.machines import Component
    from benchmarks.accuracy.measure import Figure, Result

_COUNTER = 0.002  # of runs of 2 s and longer
_COUNTER_SHORT = 0.01  # of shorter ones
_SHORT_BELOW_S = 2.0
_POWER_ONLY = 0.03  # GPUs without energy counter


class Verdict(StrEnum):
    """From best to worst."""

    PASS = "pass"
    SENSOR = "sensor"  # not reached, but off by no more than one renewal of the counter at each end
    FAIL = "FAIL"


_ORDER = list(Verdict)


def must_reach(component: Component, figure: Figure, seconds: float) -> float:
    """Return the largest relative error that is asked for."""
    if component == "gpu" and figure.counter is None:
        return _POWER_ONLY
    return _COUNTER_SHORT if seconds < _SHORT_BELOW_S else _COUNTER


def verdict_of(component: Component, figure: Figure, seconds: float) -> Verdict:
    """Judge one figure.

    What a fault took may be missing, up to the gap that is shown for it. A figure that says itself that it is an
    estimate is no measurement, and not judged.
    """
    if figure.estimated:
        return Verdict.PASS
    if figure.reported_j is None:
        return Verdict.FAIL
    missing_j = figure.truth_j - figure.reported_j
    tolerance_j = must_reach(component, figure, seconds) * figure.truth_j
    if -tolerance_j <= missing_j <= figure.missing_limit_j + tolerance_j:
        return Verdict.PASS
    if figure.counter is None:
        return Verdict.FAIL
    ends = 2 if figure.missing_limit_j else 1  # a gap has a begin and an end of its own
    low_j = -tolerance_j - ends * figure.counter.too_much_j
    high_j = tolerance_j + ends * figure.counter.too_little_j + figure.missing_limit_j
    return Verdict.SENSOR if low_j <= missing_j <= high_j else Verdict.FAIL


def verdict_of_run(result: Result, seconds: float) -> Verdict:
    """Judge a run by its worst component."""
    verdicts = [verdict_of(component, figure, seconds) for component, figure in result.figures.items()]
    return max(verdicts, key=_ORDER.index, default=Verdict.FAIL)


def verdict_of_all(verdicts: list[Verdict]) -> str:
    """Say the worst of several, and how often it was."""
    worst = max(verdicts, key=_ORDER.index)
    return str(worst) if len(set(verdicts)) == 1 else f"{worst} {verdicts.count(worst)} of {len(verdicts)}"
