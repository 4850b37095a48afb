"""What a series will add up to, told from its beginning: prediction intervals, in the standard library."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from greenai.core.statistics import t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.95
# In fewer values a trend cannot be told from chance. It is believed sooner than usual: a needlessly wide range
# does less harm than one that a drift leaves.
_VALUES_FOR_A_TREND = 5
_TREND_CONFIDENCE = 0.9
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Range:
    """An expected value and its ~95 % prediction interval."""

    value: float
    low: float
    high: float


def sum_of_next(values: Sequence[float], count: float) -> Range:
    """Return the sum of the next ``count`` values of a series, none of which is negative.

    For n independent values with mean x and standard deviation s the sum of m more lies within
    m·x ± t(n-1)·s·sqrt(m + m²/n): m times the prediction interval for the mean of m future observations
    (Meeker, Hahn & Escobar, Statistical Intervals, 2nd ed. 2017, chapter 4). If the series rises or falls (its
    slope differs from 0 by a t-test), it is taken to go on as in its later half, and the range reaches to where
    the straight line would lead (prediction from a linear regression, ibid.).

    Args:
        values: At least two, oldest first.
        count: How many more, need not be whole.
    """
    if count <= 0:
        return Range(0.0, 0.0, 0.0)
    drift = _straight_on(values, count)
    if drift is None:
        return _level(values, count)
    level = _level(values[len(values) // 2 :], count)
    return Range(level.value, min(level.low, drift.low), max(level.high, drift.high))


def _level(values: Sequence[float], count: float) -> Range:
    middle = count * fmean(values)
    spread = stdev(values) * sqrt(count + count**2 / len(values))
    return _around(middle, spread, len(values) - 1)


def _straight_on(values: Sequence[float], count: float) -> Range | None:
    """Follow the line through the values; None if it is level as far as one can tell."""
    size = len(values)
    if size < _VALUES_FOR_A_TREND:
        return None
    centre, mean = (size - 1) / 2, fmean(values)
    squares = (size**3 - size) / 12  # sum of (place - centre)²
    slope = sum((place - centre) * value for place, value in enumerate(values)) / squares
    rest = sum((value - mean - slope * (place - centre)) ** 2 for place, value in enumerate(values))
    deviation = sqrt(rest / (size - 2))
    uncertain = t_quantile(0.5 + _TREND_CONFIDENCE / 2, size - 2) * deviation / sqrt(squares)
    if abs(slope) <= max(uncertain, _ROUNDING * abs(mean)):
        return None
    ahead = (size + count) / 2  # from the centre of the known to the centre of the coming values
    spread = deviation * sqrt(count + count**2 * (1 / size + ahead**2 / squares))
    return _around(count * (mean + slope * ahead), spread, size - 2)


def _around(middle: float, spread: float, degrees_of_freedom: int) -> Range:
    half = t_quantile(0.5 + CONFIDENCE / 2, degrees_of_freedom) * spread
    return Range(max(middle, 0.0), max(middle - half, 0.0), max(middle + half, 0.0))
