"""Energy over time times intensity over time."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.carbon.hourly import EnergyStep, Unknown, emissions_over_time
from greenai.carbon.intensity.series import MS_PER_HOUR, IntensityStep, StepStatus

KWH = 3.6e6
H = MS_PER_HOUR


def test_two_hours_by_hand() -> None:
    # 3 kWh from half past zero to half past one: 1.5 kWh at 200 and 1.5 kWh at 400 g/kWh.
    grid = [IntensityStep(0, H, 200.0), IntensityStep(H, 2 * H, 400.0)]
    found = emissions_over_time([EnergyStep(H // 2, 3 * H // 2, 3 * KWH)], grid)
    assert found.grams == pytest.approx(900)
    assert (found.covered_share, found.unknown) == (1.0, ())
    assert found.mean_g_per_kwh == pytest.approx(300)


def test_what_is_unknown_is_named_and_not_counted() -> None:
    grid = [
        IntensityStep(0, H, 100.0),
        IntensityStep(H, 2 * H, None),
        IntensityStep(3 * H, 4 * H, 300.0, StepStatus.FORECAST),
    ]
    energy = [
        EnergyStep(0, 4 * H, 4 * KWH),
        EnergyStep(4 * H, 5 * H, None),
        EnergyStep(6 * H, 7 * H, KWH),
    ]
    found = emissions_over_time(energy, grid)
    assert found.grams == pytest.approx(400)
    assert found.energy_j == 5 * KWH
    assert (found.covered_j, found.forecast_j) == (2 * KWH, KWH)
    assert found.covered_share == pytest.approx(0.4)
    assert [tuple(span) for span in found.unknown] == [
        (H, 3 * H, Unknown.INTENSITY),
        (4 * H, 5 * H, Unknown.ENERGY),
        (6 * H, 7 * H, Unknown.INTENSITY),
    ]
    assert found.unknown_h == 4


def test_nothing_known_is_none_never_zero() -> None:
    for energy, grid in (
        ([EnergyStep(0, H, KWH)], []),
        ([EnergyStep(0, H, None)], [IntensityStep(0, H, 1.0)]),
        ([EnergyStep(0, H, KWH)], [IntensityStep(0, H, None)]),
        ([EnergyStep(5, 5, KWH)], []),
    ):
        found = emissions_over_time(energy, grid)
        assert (found.grams, found.mean_g_per_kwh) == (None, None)
        assert found.unknown
    assert emissions_over_time([], []).covered_share is None


def test_a_grid_without_emissions_is_zero_grams() -> None:
    assert emissions_over_time([EnergyStep(0, H, KWH)], [IntensityStep(0, H, 0.0)]).grams == 0


def test_energy_of_one_moment() -> None:
    grid = [IntensityStep(0, H, 100.0), IntensityStep(H, 2 * H, 200.0)]
    assert emissions_over_time([EnergyStep(H, H, KWH)], grid).grams == pytest.approx(200)
    assert emissions_over_time([EnergyStep(2 * H, 2 * H, KWH)], grid).grams is None


def test_a_step_that_ends_before_it_begins() -> None:
    with pytest.raises(ValueError, match="energy step"):
        emissions_over_time([EnergyStep(5, 4, 1.0)], [])


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_days_on_which_the_clocks_change(day: str, hours: int) -> None:
    """A local day of 1 kW, each hour with its own intensity: 23, 24 or 25 kWh, whatever the clocks say."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    start_ms, end_ms = (round(moment.timestamp()) * 1000 for moment in (midnight, midnight + timedelta(days=1)))
    grid = [
        IntensityStep(at, at + H, float(number)) for number, at in enumerate(range(start_ms - H, end_ms + H, H))
    ]
    found = emissions_over_time([EnergyStep(start_ms, end_ms, hours * KWH)], grid)
    assert found.grams == pytest.approx(sum(range(1, hours + 1)))
    assert found.covered_share == pytest.approx(1)


def test_mixed_resolutions() -> None:
    quarter = H // 4
    grid = [IntensityStep(0, H, 100.0)] + [
        IntensityStep(H + n * quarter, H + (n + 1) * quarter, 200.0 + n) for n in range(4)
    ]
    found = emissions_over_time([EnergyStep(0, 2 * H, 2 * KWH)], grid)
    assert found.grams == pytest.approx(100 + 201.5)


@st.composite
def grids(draw: st.DrawFn) -> list[IntensityStep]:
    cuts = sorted(draw(st.sets(st.integers(-5, 105), min_size=2, max_size=12)))
    value = st.one_of(st.none(), st.floats(0, 1500))
    steps = [IntensityStep(a, b, draw(value), draw(st.sampled_from(list(StepStatus)))) for a, b in pairwise(cuts)]
    return [step for step in steps if draw(st.integers(0, 4))]


@given(
    grids(), st.integers(0, 99), st.integers(1, 100), st.floats(0, 1e9), st.sets(st.integers(0, 200), max_size=9)
)
def test_any_split_gives_the_whole(
    grid: list[IntensityStep], start: int, length: int, energy_j: float, cuts: set[int]
) -> None:
    end = start + length
    whole = emissions_over_time([EnergyStep(start, end, energy_j)], grid)
    edges = [start, *sorted(cut for cut in cuts if start < cut < end), end]
    parts = [EnergyStep(a, b, energy_j * (b - a) / length) for a, b in pairwise(edges)]
    split = emissions_over_time(parts, grid)
    assert (whole.grams is None) is (split.grams is None)
    if whole.grams is not None:
        assert split.grams == pytest.approx(whole.grams, rel=1e-9, abs=1e-12)
    assert split.covered_j == pytest.approx(whole.covered_j, rel=1e-9, abs=1e-9)
    assert split.forecast_j == pytest.approx(whole.forecast_j, rel=1e-9, abs=1e-9)
    assert split.unknown == whole.unknown


@given(grids(), st.integers(0, 99), st.integers(1, 100))
def test_it_equals_going_moment_by_moment(grid: list[IntensityStep], start: int, length: int) -> None:
    found = emissions_over_time([EnergyStep(start, start + length, KWH * length)], grid)
    at = {t: step.g_per_kwh for step in grid for t in range(step.start_ms, step.end_ms)}
    known = [at[t] for t in range(start, start + length) if at.get(t) is not None]
    assert found.covered_j == pytest.approx(KWH * len(known))
    assert (found.grams is None) is (not known)
    if known:
        assert found.grams == pytest.approx(sum(g for g in known if g is not None), abs=1e-9)
    assert sum(span.end_ms - span.start_ms for span in found.unknown) == length - len(known)
