"""Student's t and Welch intervals, in the standard library: training images need no SciPy.

The regularised incomplete beta function is evaluated by its continued fraction with the modified Lentz
method (Abramowitz & Stegun 26.5.8; Lentz 1976). Tests hold it against SciPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, lgamma, log, sqrt
from statistics import fmean, variance
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_TINY = 1e-300
_PRECISION = 1e-14


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and its confidence interval; the bounds are None where there are too few data for one."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """Mean, variance and number of repeated values."""

    mean: float
    variance: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Sample:
        """Summarise ``values``; the variance of a single value is taken as 0."""
        return cls(fmean(values), variance(values) if len(values) > 1 else 0.0, len(values))


def t_quantile(probability: float, degrees_of_freedom: float) -> float:
    """Return the quantile of Student's t distribution.

    Args:
        probability: Between 0 and 1, exclusive.
        degrees_of_freedom: Greater than 0; need not be whole (Welch).

    Raises:
        ValueError: An argument is out of range.
    """
    if not 0 < probability < 1 or degrees_of_freedom <= 0:
        raise ValueError(f"no t quantile for {probability=}, {degrees_of_freedom=}")
    if probability < 0.5:  # noqa: PLR2004
        return -t_quantile(1 - probability, degrees_of_freedom)
    low, high = 0.0, 1.0
    while t_cdf(high, degrees_of_freedom) < probability:
        low, high = high, high * 2
    while high - low > 1e-12 * max(high, 1.0):
        middle = (low + high) / 2
        if t_cdf(middle, degrees_of_freedom) < probability:
            low = middle
        else:
            high = middle
        if middle in (low, high) and (low + high) / 2 == middle:
            break
    return (low + high) / 2


def t_cdf(t: float, degrees_of_freedom: float) -> float:
    """Return P(T <= t) for Student's t distribution."""
    square = t * t
    share = square / (degrees_of_freedom + square)
    if square < degrees_of_freedom:  # near the middle: the tail's argument would round to 1
        middle = 0.5 * _beta_regularised(share, 0.5, degrees_of_freedom / 2)
        return 0.5 + middle if t >= 0 else 0.5 - middle
    tail = 0.5 * _beta_regularised(1 - share, degrees_of_freedom / 2, 0.5)
    return 1 - tail if t >= 0 else tail


def welch_difference(a: Sample, b: Sample, confidence: float = 0.95) -> Interval:
    """Return mean(a) - mean(b) with Welch's interval (Welch 1947).

    Fewer than two values on either side give no interval.
    """
    return _welch(a.mean - b.mean, a.variance / a.count, b.variance / b.count, a, b, confidence)


def welch_log_ratio(a: Sample, b: Sample, extra_variance: float = 0.0, confidence: float = 0.95) -> Interval:
    """Return mean(a) / mean(b) with an interval from Welch's method on the log scale.

    ln r ± t·SE with SE² = s_a²/(n_a·a²) + s_b²/(n_b·b²), degrees of freedom after Welch-Satterthwaite on these
    two terms. ``extra_variance`` is a relative variance known from elsewhere (two different meters).

    Raises:
        ValueError: A mean is not positive.
    """
    if a.mean <= 0 or b.mean <= 0:
        raise ValueError("a ratio needs positive means")
    relative_a = a.variance / (a.count * a.mean**2)
    relative_b = b.variance / (b.count * b.mean**2)
    logs = _welch(log(a.mean / b.mean), relative_a, relative_b, a, b, confidence, extra_variance)
    return Interval(
        exp(logs.value),
        exp(logs.low) if logs.low is not None else None,
        exp(logs.high) if logs.high is not None else None,
    )


def _welch(
    value: float,
    term_a: float,
    term_b: float,
    a: Sample,
    b: Sample,
    confidence: float,
    extra_variance: float = 0.0,
) -> Interval:
    if a.count < 2 or b.count < 2:  # noqa: PLR2004
        return Interval(value, None, None)
    spread = term_a + term_b
    if spread == 0:
        half = 1.96 * sqrt(extra_variance)
        return Interval(value, value - half, value + half)
    denominator = term_a**2 / (a.count - 1) + term_b**2 / (b.count - 1)
    degrees_of_freedom = spread**2 / denominator if denominator > 0 else inf
    t = t_quantile(0.5 + confidence / 2, min(degrees_of_freedom, 1e6))
    half = t * sqrt(spread + extra_variance)
    return Interval(value, value - half, value + half)


def _beta_regularised(x: float, a: float, b: float) -> float:
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = exp(a * log(x) + b * log(1 - x) - lgamma(a) - lgamma(b) + lgamma(a + b))
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(x, a, b) / a
    return 1 - front * _beta_fraction(1 - x, b, a) / b


def _beta_fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _TINY else _TINY)
    fraction = d
    for m in range(1, 10_000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + numerator * d
            d = 1 / (d if abs(d) > _TINY else _TINY)
            c = 1 + numerator / c
            c = c if abs(c) > _TINY else _TINY
            step = c * d
            fraction *= step
        if abs(step - 1) < _PRECISION:
            break
    return fraction
