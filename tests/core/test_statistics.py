"""The hand-written statistics against SciPy."""

from __future__ import annotations

import random
from math import exp, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from greenai.core.statistics import Sample, t_cdf, t_quantile, welch_difference, welch_log_ratio

DEGREES = [1, 1.3, 1.999, 2, 2.5, 3, 4, 4.7, 7.25, 10, 29.9, 30, 100, 1234.5, 1e4, 1e5, 1e6]
VALUES = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12)


@pytest.mark.parametrize("degrees", DEGREES)
@pytest.mark.parametrize("probability", [0.001, 0.025, 0.05, 0.3, 0.5, 0.75, 0.9, 0.95, 0.975, 0.995, 0.9995])
def test_quantiles(probability: float, degrees: float) -> None:
    expected = float(stats.t.ppf(probability, degrees))
    assert t_quantile(probability, degrees) == pytest.approx(expected, rel=1e-7, abs=1e-9)


@given(probability=st.floats(0.001, 0.999), degrees=st.floats(1, 1e6))
def test_quantiles_anywhere(probability: float, degrees: float) -> None:
    expected = float(stats.t.ppf(probability, degrees))
    assert t_quantile(probability, degrees) == pytest.approx(expected, rel=1e-6, abs=1e-8)


@given(t=st.floats(-50, 50), degrees=st.floats(1, 1e6))
def test_distribution(t: float, degrees: float) -> None:
    assert t_cdf(t, degrees) == pytest.approx(float(stats.t.cdf(t, degrees)), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("probability", "degrees"), [(0, 3), (1, 3), (-0.1, 3), (1.1, 3), (0.5, 0), (0.5, -1)])
def test_impossible_quantiles(probability: float, degrees: float) -> None:
    with pytest.raises(ValueError, match="quantile"):
        t_quantile(probability, degrees)


@given(a=VALUES, b=VALUES, confidence=st.sampled_from([0.8, 0.95, 0.99]))
def test_welch_interval(a: list[float], b: list[float], confidence: float) -> None:
    sample_a, sample_b = Sample.of(a), Sample.of(b)
    mine = welch_difference(sample_a, sample_b, confidence)
    assert mine.low is not None
    assert mine.high is not None
    assert mine.low <= mine.value <= mine.high
    if min(sample_a.variance, sample_b.variance) < 1e-6:
        return  # SciPy warns about lost precision there
    theirs = stats.ttest_ind(a, b, equal_var=False).confidence_interval(confidence)
    scale = max(mine.high - mine.low, 1e-3)
    assert mine.low == pytest.approx(float(theirs.low), abs=1e-6 * scale)
    assert mine.high == pytest.approx(float(theirs.high), abs=1e-6 * scale)


def test_log_ratio_follows_its_formula() -> None:
    a, b = [10.0, 11.0, 12.5], [4.0, 4.4, 4.1, 3.9]
    mean_a, mean_b = sum(a) / 3, sum(b) / 4
    term_a = float(stats.tvar(a)) / (3 * mean_a**2)
    term_b = float(stats.tvar(b)) / (4 * mean_b**2)
    degrees = (term_a + term_b) ** 2 / (term_a**2 / 2 + term_b**2 / 3)
    half = float(stats.t.ppf(0.975, degrees)) * sqrt(term_a + term_b)
    interval = welch_log_ratio(Sample.of(a), Sample.of(b))
    assert interval.value == pytest.approx(mean_a / mean_b)
    assert interval.low == pytest.approx(exp(log(mean_a / mean_b) - half))
    assert interval.high == pytest.approx(exp(log(mean_a / mean_b) + half))


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 5, 10])
@pytest.mark.parametrize("variation", [0.05, 0.2])
def test_the_interval_covers_the_truth_in_about_95_of_100(count: int, variation: float) -> None:
    generator = random.Random(count)
    runs, covered = 3000, 0
    for _ in range(runs):
        a = Sample.of([generator.gauss(200, 200 * variation) for _ in range(count)])
        b = Sample.of([generator.gauss(100, 100 * variation) for _ in range(count)])
        interval = welch_log_ratio(a, b)
        assert interval.low is not None
        assert interval.high is not None
        covered += interval.low <= 2 <= interval.high
    assert 0.93 <= covered / runs <= 0.97


def test_single_values_give_no_interval() -> None:
    interval = welch_log_ratio(Sample.of([2.0]), Sample.of([1.0, 1.1, 1.2]))
    assert interval.value == pytest.approx(2 / 1.1)
    assert (interval.low, interval.high) == (None, None)
    assert welch_difference(Sample.of([2.0, 3.0]), Sample.of([1.0])).low is None


def test_identical_values_give_a_point() -> None:
    interval = welch_log_ratio(Sample.of([3.0] * 4), Sample.of([1.5] * 4))
    assert (interval.low, interval.value, interval.high) == pytest.approx((2, 2, 2))


def test_a_second_meter_widens_the_interval() -> None:
    a, b = Sample.of([10.0, 11.0, 12.0]), Sample.of([5.0, 5.1, 5.2])
    narrow, wide = welch_log_ratio(a, b), welch_log_ratio(a, b, extra_variance=0.01)
    assert narrow.low is not None
    assert narrow.high is not None
    assert wide.low is not None
    assert wide.high is not None
    assert wide.low < narrow.low < narrow.high < wide.high
    exact = welch_log_ratio(Sample.of([3.0] * 4), Sample.of([1.5] * 4), extra_variance=0.01)
    assert exact.high == pytest.approx(2 * exp(0.196))


@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (1.0, 0.0), (-1.0, 1.0)])
def test_a_ratio_needs_positive_means(a: float, b: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        welch_log_ratio(Sample.of([a, a]), Sample.of([b, b]))


@given(
    a=st.lists(st.floats(1, 100), min_size=2, max_size=8), b=st.lists(st.floats(1, 100), min_size=2, max_size=8)
)
def test_swapping_the_sides_inverts_the_ratio(a: list[float], b: list[float]) -> None:
    one, two = welch_log_ratio(Sample.of(a), Sample.of(b)), welch_log_ratio(Sample.of(b), Sample.of(a))
    assert one.low is not None
    assert two.high is not None
    assert one.value == pytest.approx(1 / two.value)
    assert one.low == pytest.approx(1 / two.high)
