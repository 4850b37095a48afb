"""Steps: their lengths, their order, and several fetches over each other."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.carbon.intensity.series import (
    IntensitySeries,
    IntensityStep,
    Origin,
    SeriesError,
    StepStatus,
    checked_steps,
    checked_value,
    ends_of,
    layered,
)

ORIGIN = Origin("s", "DE", "average", "CO2e", "lifecycle", "generated", "S", "u", "l", "a", 0, "0", False)


def series(retrieved_ms: int, *steps: Any) -> IntensitySeries:
    return IntensitySeries(
        replace(ORIGIN, retrieved_ms=retrieved_ms), tuple(IntensityStep(*step) for step in steps)
    )


def values(*fetches: IntensitySeries) -> list[tuple[int, int, float | None, str]]:
    return [tuple(one.step) for one in layered(fetches)]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        ([0, 15, 30], [15, 30, 45]),
        ([0, 15, 45, 60], [15, 30, 60, 75]),  # one is missing: unknown, not stretched
        ([0, 60, 120, 135, 150], [60, 120, 135, 150, 165]),  # from hours to quarters
        ([0, 15, 30, 90, 150], [15, 30, 45, 150, 210]),  # from quarters to hours
    ],
)
def test_ends(starts: list[int], ends: list[int]) -> None:
    assert ends_of(starts) == ends


@pytest.mark.parametrize("starts", [[], [0], [0, 0], [0, 15, 10]])
def test_no_ends(starts: list[int]) -> None:
    with pytest.raises(SeriesError):
        ends_of(starts)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
def test_unknown_values(value: Any) -> None:
    assert checked_value(value, "x") is None


@pytest.mark.parametrize("value", [-0.1, 5001, "344", True, [1], {}])
def test_impossible_values(value: Any) -> None:
    with pytest.raises(SeriesError, match="at noon"):
        checked_value(value, "at noon")


@pytest.mark.parametrize("steps", [[], [(0, 0, 1.0)], [(0, 10, 1.0), (5, 15, 1.0)], [(10, 20, 1.0), (0, 10, 1.0)]])
def test_no_series(steps: Any) -> None:
    with pytest.raises(SeriesError):
        checked_steps(IntensityStep(*step) for step in steps)


def test_the_newer_fetch_wins_but_unknown_takes_nothing_away() -> None:
    old = series(1, (0, 10, 100.0), (10, 20, 200.0), (20, 30, 300.0))
    new = series(2, (0, 10, 110.0), (10, 20, None))
    assert values(old, new) == [(0, 10, 110.0, "actual"), (10, 20, 200.0, "actual"), (20, 30, 300.0, "actual")]


def test_actual_before_estimated_before_forecast() -> None:
    actual = series(1, (0, 10, 1.0))
    estimated = series(2, (0, 20, 2.0, StepStatus.ESTIMATED))
    forecast = series(3, (0, 30, 3.0, StepStatus.FORECAST))
    assert values(forecast, actual, estimated) == [
        (0, 10, 1.0, "actual"),
        (10, 20, 2.0, "estimated"),
        (20, 30, 3.0, "forecast"),
    ]


def test_a_coarse_step_fills_what_finer_ones_leave() -> None:
    coarse = series(1, (0, 60, 5.0))
    fine = series(2, (15, 30, 1.0), (45, 60, 2.0))
    assert [(s.start_ms, s.end_ms, s.g_per_kwh) for s, _ in layered([coarse, fine])] == [
        (0, 15, 5.0),
        (15, 30, 1.0),
        (30, 45, 5.0),
        (45, 60, 2.0),
    ]


@st.composite
def fetches(draw: st.DrawFn) -> IntensitySeries:
    cuts = sorted(draw(st.sets(st.integers(0, 24), min_size=2, max_size=8)))
    steps = []
    for start, end in pairwise(cuts):
        value = draw(st.one_of(st.none(), st.integers(0, 9).map(float)))
        if draw(st.booleans()):
            steps.append((start, end, value, draw(st.sampled_from(list(StepStatus)))))
    return series(draw(st.integers(0, 3)) * 100 + draw(st.integers(0, 99)), *steps)


@given(st.lists(fetches(), max_size=4, unique_by=lambda one: one.origin.retrieved_ms))
def test_layers_equal_asking_for_each_moment(found: list[IntensitySeries]) -> None:
    result = [one.step for one in layered(found)]
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(result))
    firmness = list(StepStatus)
    for moment in range(24):
        known = [
            (firmness.index(step.status), -one.origin.retrieved_ms, step.g_per_kwh)
            for one in found
            for step in one.steps
            if step.start_ms <= moment < step.end_ms and step.g_per_kwh is not None
        ]
        got = [step.g_per_kwh for step in result if step.start_ms <= moment < step.end_ms]
        assert got == ([min(known)[2]] if known else [])
