"""When to start a run of known length so that the grid's mean intensity over it is lowest. Pure.

The mean over a window of fixed length is a function of its start that is linear between the points at which either
end of the window crosses a step's border. Its lowest value therefore lies at such a point, or at the earliest or
latest start allowed, and only those have to be looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from greenai.carbon.intensity.series import StepStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.carbon.intensity.series import IntensityStep

# Of two starts as good as each other the earlier is taken; means closer than this differ by rounding only.
_SAME_G_PER_KWH = 1e-6


class Window(NamedTuple):
    """A time at which the run could start.

    Attributes:
        start_ms: Milliseconds since the epoch.
        mean_g_per_kwh: Mean over the run, every step weighed with the time it shares.
        forecast_share: Part of that time for which the intensity is a forecast, 0 to 1.
    """

    start_ms: int
    mean_g_per_kwh: float
    forecast_share: float


@dataclass(frozen=True, slots=True)
class StartAdvice:
    """The best start, and what it is compared with.

    Attributes:
        best: The start with the lowest mean.
        earliest: Starting at once; None where the intensity over that time is not known throughout.
        worst: The start with the highest mean.
        known_until_ms: End of the last run that could be looked at; later ones end where nothing is known.
    """

    best: Window
    earliest: Window | None
    worst: Window
    known_until_ms: int


def best_start(
    intensity: Sequence[IntensityStep], duration_ms: int, earliest_ms: int, latest_ms: int
) -> StartAdvice | None:
    """Find the start with the lowest mean intensity.

    Args:
        intensity: Steps in order of time, none over another; where there is none, it is unknown.
        duration_ms: How long the run lasts; more than 0.
        earliest_ms: First start allowed.
        latest_ms: Last start allowed.

    Returns:
        None where there is no start for which the intensity is known throughout the run.
    """
    borders = {border for step in intensity for border in (step.start_ms, step.end_ms)}
    starts = {earliest_ms, latest_ms, *borders, *(border - duration_ms for border in borders)}
    curve = _Curve([step for step in intensity if step.g_per_kwh is not None])
    windows = [
        window
        for start_ms in sorted(start for start in starts if earliest_ms <= start <= latest_ms)
        if (window := curve.window(start_ms, duration_ms)) is not None
    ]
    if not windows:
        return None
    lowest = min(window.mean_g_per_kwh for window in windows)
    highest = max(window.mean_g_per_kwh for window in windows)
    return StartAdvice(
        best=next(one for one in windows if one.mean_g_per_kwh <= lowest + _SAME_G_PER_KWH),
        earliest=windows[0] if windows[0].start_ms == earliest_ms else None,
        worst=next(one for one in windows if one.mean_g_per_kwh >= highest - _SAME_G_PER_KWH),
        known_until_ms=windows[-1].start_ms + duration_ms,
    )


class _Curve:
    """Sums over known steps up to any time: of time, of intensity times time, and of time that is a forecast."""

    def __init__(self, steps: Sequence[IntensityStep]) -> None:
        self._steps = steps
        self._starts_ms = [step.start_ms for step in steps]
        lengths_ms = [step.end_ms - step.start_ms for step in steps]
        weighed = [(step.g_per_kwh or 0.0) * length for step, length in zip(steps, lengths_ms, strict=True)]
        forecast = [
            length if step.status is StepStatus.FORECAST else 0
            for step, length in zip(steps, lengths_ms, strict=True)
        ]
        self._known_ms = list(accumulate(lengths_ms, initial=0))
        self._weighed = list(accumulate(weighed, initial=0.0))
        self._forecast_ms = list(accumulate(forecast, initial=0))

    def window(self, start_ms: int, duration_ms: int) -> Window | None:
        """Return the means over a window; None unless everything in it is known."""
        (known0_ms, weighed0, forecast0_ms), (known_ms, weighed, forecast_ms) = (
            self._until(start_ms),
            self._until(start_ms + duration_ms),
        )
        if known_ms - known0_ms != duration_ms:
            return None
        return Window(start_ms, (weighed - weighed0) / duration_ms, (forecast_ms - forecast0_ms) / duration_ms)

    def _until(self, t_ms: int) -> tuple[int, float, int]:
        number = bisect_right(self._starts_ms, t_ms) - 1
        if number < 0:
            return 0, 0.0, 0
        step = self._steps[number]
        inside_ms = min(t_ms, step.end_ms) - step.start_ms
        return (
            self._known_ms[number] + inside_ms,
            self._weighed[number] + inside_ms * (step.g_per_kwh or 0.0),
            self._forecast_ms[number] + (inside_ms if step.status is StepStatus.FORECAST else 0),
        )
