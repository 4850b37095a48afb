"""Carbon Intensity API of Great Britain's system operator (NESO): half hours, 48 hours of forecast; no account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from greenai.carbon.intensity.errors import FetchError
from greenai.carbon.intensity.request import (
    asked_for,
    aware_ms,
    document,
    origin_of,
    parsing,
    series_of,
    stretches,
    utc,
)
from greenai.carbon.intensity.series import (
    MS_PER_DAY,
    IntensityStep,
    Origin,
    StepStatus,
    checked_value,
)
from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.carbon.intensity.download import Answer, Download
    from greenai.carbon.intensity.request import IntensityRequest
    from greenai.carbon.intensity.series import IntensitySeries

NAME = "uk-carbon-intensity"
ZONE = "GB"
_BASE_URL = "https://api.carbonintensity.org.uk"
_MOST_MS = 13 * MS_PER_DAY  # they give up to 14 days at once

_ABOUT = Origin(
    service=NAME,
    zone=ZONE,
    kind="average",
    gases="CO2",
    boundary="generation",
    basis="consumed",
    source="NESO, Carbon Intensity API",
    url="",
    licence="CC BY 4.0",
    attribution="carbonintensity.org.uk (NESO)",
    retrieved_ms=0,
    sha256="",
    verified=False,
)

_BRITAIN_ONLY = Text(
    de="Die Carbon Intensity API kennt nur das Stromnetz GB, nicht {zone}.",
    en="The Carbon Intensity API knows the zone GB only, not {zone}.",
)
_OTHER = Text(
    de="Andere Quelle: greenai factors fetch --zone {zone} --source energy-charts",
    en="Another source: greenai factors fetch --zone {zone} --source energy-charts",
)


def fetch(download: Download, request: IntensityRequest) -> list[IntensitySeries]:
    """Get intensities, two weeks at a time.

    Raises:
        FetchError: The service did not give them, or does not know the zone.
        AnswerError: What it gave cannot be right.
    """
    if request.zone != ZONE:
        raise FetchError(_BRITAIN_ONLY.format(zone=request.zone), _OTHER.format(zone=request.zone))
    base_url = f"{request.base_url or _BASE_URL}/intensity"
    paths = [
        f"{_minute(start_ms)}/{_minute(end_ms)}"
        for start_ms, end_ms in stretches(request.start_ms, request.end_ms, _MOST_MS)
    ]
    if request.forecast_from_ms is not None:
        paths.append(f"{_minute(request.forecast_from_ms)}/fw48h")
    answers = (download.get(f"{base_url}/{path}", {"Accept": "application/json"}) for path in paths)
    return [asked_for(request, parse(answer)) for answer in answers]


def _minute(t_ms: int) -> str:
    return f"{utc(t_ms):%Y-%m-%dT%H:%MZ}"


def parse(answer: Answer) -> IntensitySeries:
    """Read an answer of ``/intensity/...``.

    Raises:
        AnswerError: It is none.
        NoDataError: There is no value in it.
    """
    with parsing(NAME, answer.url):
        steps = [_step(row) for row in document(answer.body)["data"]]
        return series_of(origin_of(_ABOUT, ZONE, [answer]), steps)


def _step(row: dict[str, Any]) -> IntensityStep:
    start_ms, end_ms = aware_ms(row["from"]), aware_ms(row["to"])
    value = checked_value(row["intensity"]["actual"], row["from"])
    if value is not None:
        return IntensityStep(start_ms, end_ms, value)
    value = checked_value(row["intensity"]["forecast"], row["from"])
    status = StepStatus.FORECAST if value is not None else StepStatus.ACTUAL
    return IntensityStep(start_ms, end_ms, value, status)
