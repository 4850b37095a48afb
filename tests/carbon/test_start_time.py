"""The best start: against going through every start there is."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.carbon.intensity.series import MS_PER_HOUR, IntensityStep, StepStatus
from greenai.carbon.start_time import best_start

H = MS_PER_HOUR


def hours(*values: float | None, status: StepStatus = StepStatus.FORECAST) -> list[IntensityStep]:
    return [IntensityStep(n * H, (n + 1) * H, value, status) for n, value in enumerate(values)]


def test_by_hand() -> None:
    advice = best_start(hours(400, 300, 100, 200, 500), 2 * H, 0, 3 * H)
    assert advice is not None
    assert advice.best.start_ms == 2 * H
    assert advice.best.mean_g_per_kwh == pytest.approx(150)
    assert advice.earliest is not None
    assert advice.earliest.mean_g_per_kwh == pytest.approx(350)
    # 2 h to 4 h is 150, 3 h to 5 h is 350, 0 h to 2 h is 350: the earlier of two as bad as each other.
    assert advice.worst.start_ms == 0
    assert advice.worst.mean_g_per_kwh == pytest.approx(350)
    assert advice.best.forecast_share == 1


def test_partial_steps_are_weighed_with_what_they_share() -> None:
    # 90 minutes from 1 h 30: half an hour at 300, an hour at 100; from 2 h: an hour at 100, half of one at 200.
    advice = best_start(hours(400, 300, 100, 200, 500), 3 * H // 2, 0, 7 * H // 2)
    assert advice is not None
    assert advice.best.start_ms == 2 * H
    assert advice.best.mean_g_per_kwh == pytest.approx((100 + 200 / 2) / 1.5)


def test_of_equal_starts_the_earliest() -> None:
    advice = best_start(hours(*[0.1 + 0.2] * 9), 3 * H, 7, 5 * H)
    assert advice is not None
    assert advice.best.start_ms == 7


def test_no_run_over_what_is_unknown() -> None:
    grid = hours(400, 300, None, 100, 50)
    advice = best_start(grid, 2 * H, 0, 9 * H)
    assert advice is not None
    assert (advice.best.start_ms, advice.known_until_ms) == (3 * H, 5 * H)
    assert best_start(grid, 3 * H, 0, 9 * H) is None
    late = best_start(grid, 2 * H, H, 9 * H)
    assert late is not None
    assert late.earliest is None


def test_how_much_is_forecast() -> None:
    grid = [*hours(300, status=StepStatus.ACTUAL), IntensityStep(H, 2 * H, 100.0, StepStatus.FORECAST)]
    advice = best_start(grid, 3 * H // 2, 0, 9 * H)
    assert advice is not None
    assert advice.best.forecast_share == pytest.approx(2 / 3)


@pytest.mark.parametrize(("earliest", "latest"), [(5 * H, 6 * H), (-9 * H, -5 * H)])
def test_outside_of_what_is_known(earliest: int, latest: int) -> None:
    assert best_start(hours(1, 2, 3), H, earliest, latest) is None


@st.composite
def grids(draw: st.DrawFn) -> list[IntensityStep]:
    cuts = sorted(draw(st.sets(st.integers(0, 40), min_size=2, max_size=12)))
    value = st.one_of(st.none(), st.integers(0, 900).map(float))
    steps = [IntensityStep(a, b, draw(value), draw(st.sampled_from(list(StepStatus)))) for a, b in pairwise(cuts)]
    return [step for step in steps if draw(st.integers(0, 6))]


@given(grids(), st.integers(1, 20), st.integers(-3, 30), st.integers(0, 40))
def test_it_equals_brute_force(grid: list[IntensityStep], duration: int, earliest: int, span: int) -> None:
    at = {t: step for step in grid for t in range(step.start_ms, step.end_ms) if step.g_per_kwh is not None}
    means = {}
    for start in range(earliest, earliest + span + 1):
        inside = [at.get(t) for t in range(start, start + duration)]
        if all(step is not None for step in inside):
            known = [step for step in inside if step is not None]
            forecast = sum(step.status is StepStatus.FORECAST for step in known) / duration
            means[start] = (sum(step.g_per_kwh or 0.0 for step in known) / duration, forecast)
    advice = best_start(grid, duration, earliest, earliest + span)
    assert (advice is None) is (not means)
    if advice is None:
        return
    assert advice.best.mean_g_per_kwh == pytest.approx(min(mean for mean, _ in means.values()), abs=1e-5)
    assert advice.worst.mean_g_per_kwh == pytest.approx(max(mean for mean, _ in means.values()), abs=1e-5)
    assert advice.best.start_ms == min(
        start for start, (mean, _) in means.items() if mean <= advice.best.mean_g_per_kwh + 1e-5
    )
    assert advice.best.forecast_share == pytest.approx(means[advice.best.start_ms][1])
    assert (advice.earliest is None) is (earliest not in means)
    assert advice.known_until_ms == max(means) + duration
