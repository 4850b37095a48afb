"""What is asked of a service, and what a service is."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from greenai.carbon.intensity.download import Download, checksum
from greenai.carbon.intensity.errors import AnswerError, NoDataError
from greenai.carbon.intensity.series import (
    MS_PER_DAY,
    MS_PER_S,
    IntensitySeries,
    Origin,
    SeriesError,
    StepStatus,
    checked_steps,
    impossible_maximum,
)
from greenai.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from greenai.carbon.intensity.download import Answer
    from greenai.carbon.intensity.series import IntensityStep

_AHEAD_MS = 7 * MS_PER_DAY  # no service looks further ahead

_NO_DATA = Text(
    de="{service} hat für das Stromnetz {zone} im verlangten Zeitraum keine Werte.",
    en="{service} has no values for the zone {zone} in that period.",
)
_TRY_OTHER = Text(
    de="Zeitraum (--from, --to), Netz (--zone) oder Quelle (--source) ändern: greenai factors fetch --help",
    en="Change the period (--from, --to), zone (--zone) or source (--source): greenai factors fetch --help",
)


@dataclass(frozen=True, slots=True)
class IntensityRequest:
    """What is wanted.

    Attributes:
        zone: ISO 3166 code of the grid, or the service's own.
        start_ms: From when, milliseconds since the epoch.
        end_ms: Until when; not in the future.
        forecast_from_ms: From when the forecast is wanted as well (now); None if it is not.
        token: Token of the service; None if there is none.
        base_url: Where the service is; None is its own address.
    """

    zone: str
    start_ms: int
    end_ms: int
    forecast_from_ms: int | None = None
    token: str | None = field(default=None, repr=False)
    base_url: str | None = None


Fetch = Callable[[Download, IntensityRequest], list[IntensitySeries]]


def origin_of(about: Origin, zone: str, answers: Sequence[Answer], **changed: Any) -> Origin:
    """Return a service's origin with what is known of these answers put in."""
    return replace(
        about,
        zone=zone,
        url=answers[0].url,
        retrieved_ms=answers[-1].retrieved_ms,
        sha256=checksum(answers),
        **changed,
    )


def series_of(origin: Origin, steps: Iterable[IntensityStep]) -> IntensitySeries:
    """Return what a fetch brought; nobody can have measured what begins after it, so that is a forecast.

    Raises:
        SeriesError: The steps are no series, or so small throughout that their unit must be another.
        NoDataError: There is not one value in it.
    """
    found = [
        step._replace(status=StepStatus.FORECAST)
        if step.g_per_kwh is not None and step.start_ms >= origin.retrieved_ms
        else step
        for step in steps
    ]
    if not any(step.g_per_kwh is not None for step in found):
        raise NoDataError(_NO_DATA.format(service=origin.service, zone=origin.zone), _TRY_OTHER)
    largest = impossible_maximum(found, origin.boundary)
    if largest is not None:
        raise SeriesError(f"its largest value is {largest:g} g/kWh, which is another unit")
    return IntensitySeries(origin, checked_steps(found))


def asked_for(request: IntensityRequest, series: IntensitySeries) -> IntensitySeries:
    """Return what of a series was asked for, with a step on either side.

    Raises:
        AnswerError: None of it was.
        NoDataError: There is not one value in what was.
    """
    start_ms, end_ms = request.start_ms, request.end_ms
    if request.forecast_from_ms is not None:
        start_ms = min(start_ms, request.forecast_from_ms)
        end_ms = max(end_ms, request.forecast_from_ms + _AHEAD_MS)

    def is_near(step: IntensityStep) -> bool:
        length_ms = step.end_ms - step.start_ms
        return step.end_ms + length_ms > start_ms and step.start_ms - length_ms < end_ms

    kept = [step for step in series.steps if is_near(step)]
    if not kept:
        first, last = (f"{utc(t_ms):%Y-%m-%dT%H:%MZ}" for t_ms in series.span_ms)
        problem = f"it is about {first} to {last}, which was not asked for"
        raise AnswerError(series.origin.service, series.origin.url, problem)
    with parsing(series.origin.service, series.origin.url):
        return series_of(series.origin, kept)


@contextmanager
def parsing(service: str, url: str) -> Iterator[None]:
    """Turn whatever goes wrong in reading an answer into an error that names service and address.

    Raises:
        AnswerError: The answer is not in the service's format.
    """
    try:
        yield
    except (SeriesError, KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        problem = error if isinstance(error, SeriesError) else f"{type(error).__name__}: {error}"
        raise AnswerError(service, url, problem) from error


def document(body: bytes) -> dict[str, Any]:
    """Decode an answer that must be a JSON object.

    Raises:
        SeriesError: It is not.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        start = body[:60].decode("utf-8", errors="replace").strip()
        raise SeriesError(f"no JSON; it begins with {start!r}" if start else "it is empty") from None
    if not isinstance(found, dict):
        raise SeriesError(f"a JSON {type(found).__name__}, no object")
    return found


def aware_ms(said: Any) -> int:
    """Read an ISO 8601 time with an offset.

    Raises:
        SeriesError: It is none, or does not say its offset.
    """
    try:
        moment = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        raise SeriesError(f"{said!r:.60} is no time") from None
    if moment.tzinfo is None:
        raise SeriesError(f"the time {said} does not say its offset from UTC")
    return round(moment.timestamp() * MS_PER_S)


def utc(t_ms: int) -> datetime:
    """Return a time as UTC."""
    return datetime.fromtimestamp(t_ms / MS_PER_S, tz=UTC)


def stretches(start_ms: int, end_ms: int, longest_ms: int) -> list[tuple[int, int]]:
    """Cut a period into pieces that a service gives at once."""
    return [(at, min(at + longest_ms, end_ms)) for at in range(start_ms, end_ms, longest_ms)]
