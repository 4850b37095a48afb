"""CO2 in the air over Mauna Loa (weekly, 1958-2001, shipped with statsmodels): forecasting the next twelve months.

The weekly series is averaged to months. Every repeat forecasts from the same four origins, so the spread of the
quality (mean absolute error, ppm) is that of the training alone. Solutions: ridge regression on 24 lags, SARIMA,
and a neural network on the same lags.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.datasets import co2
from statsmodels.tsa.statespace.sarimax import SARIMAX

from greenai.core.vocabulary import Approach
from greenai.demo.solutions import Solution

if TYPE_CHECKING:
    from collections.abc import Callable

TASK = "co2-forecast"
METRIC = "mae_ppm"
UNIT = "forecast"
HORIZON_MONTHS = 12
LAGS = 24
SEASON = 12
ORIGINS = 4
_BETWEEN_ORIGINS = 14
_TRAINING_MONTHS = 240


@cache
def series() -> Any:
    """Return monthly means in ppm, gaps interpolated."""
    weekly = co2.load_pandas().data["co2"]
    return weekly.resample("MS").mean().interpolate().to_numpy()


def mean_error(forecast: Callable[[Any, int], Any], repeat: int) -> float:
    """Return the mean absolute error of the forecasts from all origins, in ppm."""
    months = series()
    last = len(months) - HORIZON_MONTHS
    errors = []
    for number in range(ORIGINS):
        origin = last - number * _BETWEEN_ORIGINS
        history = months[origin - _TRAINING_MONTHS : origin]
        truth = months[origin : origin + HORIZON_MONTHS]
        errors.append(np.abs(forecast(history, repeat) - truth).mean())
    return float(np.mean(errors))


def ridge(history: Any, _repeat: int) -> Any:
    """Forecast with a linear model on the last 24 months."""
    return _by_lags(make_pipeline(StandardScaler(), Ridge(alpha=0.1)), history)


def neural_network(history: Any, repeat: int) -> Any:
    """Forecast with a neural network on the last 24 months."""
    network = MLPRegressor(hidden_layer_sizes=(64, 32), alpha=1.0, max_iter=300, random_state=repeat)
    return _by_lags(make_pipeline(StandardScaler(), network), history)


def sarima(history: Any, _repeat: int) -> Any:
    """Forecast with SARIMA (1,1,1)(0,1,1) of season 12.

    The differences are taken and undone here: the filter then has half the states, for the same model.
    """
    yearly = history[SEASON:] - history[:-SEASON]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SARIMAX(np.diff(yearly), order=(1, 0, 1), seasonal_order=(0, 0, 1, SEASON))
        steps = model.fit(disp=False, maxiter=50).forecast(HORIZON_MONTHS)
    return history[-SEASON:] + yearly[-1] + np.cumsum(steps)


def _by_lags(model: Any, history: Any) -> Any:
    """Train on month-to-month differences and forecast step by step, each step feeding the next."""
    steps = np.diff(history)
    windows = np.lib.stride_tricks.sliding_window_view(steps, LAGS)
    spread = steps.std()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(windows[:-1], steps[LAGS:] / spread)
    recent, level, forecast = list(steps[-LAGS:]), history[-1], []
    for _ in range(HORIZON_MONTHS):
        step = float(model.predict(np.array([recent[-LAGS:]]))[0]) * spread
        recent.append(step)
        level += step
        forecast.append(level)
    return np.array(forecast)


def solutions() -> tuple[Solution, ...]:
    """Return the three solutions."""
    ways = (
        ("ridge-on-lags", Approach.CLASSICAL, ridge),
        ("sarima", Approach.CLASSICAL, sarima),
        ("neural-network", Approach.AI, neural_network),
    )
    return tuple(
        Solution(name, approach, lambda repeat, way=way: mean_error(way, repeat))  # type: ignore[misc]  # a default binds the loop variable
        for name, approach, way in ways
    )
