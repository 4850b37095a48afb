"""Electricity Maps, version 4: most grids of the world, hours, with a forecast; a token of your own is needed.

Their data are licensed to the holder of the token and must not be passed on; they stay in your own cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

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
    MS_PER_HOUR,
    IntensityStep,
    Origin,
    SeriesError,
    StepStatus,
    checked_value,
)
from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.carbon.intensity.download import Answer, Download
    from greenai.carbon.intensity.request import IntensityRequest
    from greenai.carbon.intensity.series import IntensitySeries

NAME = "electricity-maps"
_BASE_URL = "https://api.electricitymaps.com"
_MOST_MS = 10 * MS_PER_DAY  # in one request, at hourly resolution
_HORIZON_H = 72
_BOUNDARY = {"lifecycle": "lifecycle", "direct": "generation"}
_REFUSALS = frozenset({401, 403})

_ABOUT = Origin(
    service=NAME,
    zone="",
    kind="average",
    gases="CO2e",
    boundary="lifecycle",
    basis="consumed",
    source="Electricity Maps",
    url="",
    licence="licensed to the holder of the token; not to be passed on",
    attribution="Electricity Maps",
    retrieved_ms=0,
    sha256="",
    verified=False,
)

_NO_TOKEN = Text(
    de="Für Electricity Maps ist ein eigenes Token nötig.",
    en="Electricity Maps needs a token of your own.",
)
_SET_TOKEN = Text(
    de="Einmal festlegen: greenai config set electricity_maps_token TOKEN "
    "(oder export GREENAI_ELECTRICITY_MAPS_TOKEN=TOKEN)",
    en="Set it once: greenai config set electricity_maps_token TOKEN "
    "(or export GREENAI_ELECTRICITY_MAPS_TOKEN=TOKEN)",
)
_NOT_ALLOWED = Text(
    de="Electricity Maps lässt das Token nicht zu dem Stromnetz {zone} (Fehler {status}).",
    en="Electricity Maps does not let the token have the zone {zone} (error {status}).",
)
_CHECK_PLAN = Text(
    de="Token und Umfang des Vertrags prüfen (kostenlos: ein Netz, keine Prognose); Token neu setzen: "
    "greenai config set electricity_maps_token TOKEN",
    en="Check the token and what your plan covers (free: one zone, no forecast); set it anew: "
    "greenai config set electricity_maps_token TOKEN",
)


def fetch(download: Download, request: IntensityRequest) -> list[IntensitySeries]:
    """Get intensities, ten days at a time.

    Raises:
        FetchError: The service did not give them, or there is no token.
        AnswerError: What it gave cannot be right.
    """
    if request.token is None:
        raise FetchError(_NO_TOKEN, _SET_TOKEN)
    base_url = f"{request.base_url or _BASE_URL}/v4/carbon-intensity"
    common = {"zone": request.zone, "emissionFactorType": "lifecycle", "temporalGranularity": "hourly"}
    questions = [
        {"start": f"{utc(start_ms):%Y-%m-%dT%H:%M:%SZ}", "end": f"{utc(end_ms):%Y-%m-%dT%H:%M:%SZ}"}
        for start_ms, end_ms in stretches(request.start_ms, request.end_ms, _MOST_MS)
    ]
    urls = [f"{base_url}/past-range?{urlencode(common | question, safe=':')}" for question in questions]
    if request.forecast_from_ms is not None:
        urls.append(f"{base_url}/forecast?{urlencode(common | {'horizonHours': _HORIZON_H})}")
    headers = {"auth-token": request.token, "Accept": "application/json"}
    try:
        return [asked_for(request, parse(request.zone, download.get(url, headers))) for url in urls]
    except FetchError as error:
        if error.status in _REFUSALS:
            message = _NOT_ALLOWED.format(zone=request.zone, status=error.status)
            raise FetchError(message, _CHECK_PLAN, error.status) from None
        raise


def parse(zone: str, answer: Answer) -> IntensitySeries:
    """Read an answer of ``/past-range`` or ``/forecast``.

    Raises:
        AnswerError: It is none, or it is for another zone.
        NoDataError: There is no value in it.
    """
    with parsing(NAME, answer.url):
        data = document(answer.body)
        if data["zone"] != zone:
            raise SeriesError(f"it is for {data['zone']!r:.20}, not for {zone!r}")
        foretold = "forecast" in data
        rows = data["forecast"] if foretold else data["data"]
        boundaries = {_BOUNDARY[row.get("emissionFactorType", "lifecycle")] for row in rows}
        if len(boundaries) > 1:
            raise SeriesError("it mixes life-cycle and direct values")
        steps = sorted(_step(row, foretold=foretold) for row in rows)
        origin = origin_of(_ABOUT, zone, [answer], boundary=next(iter(boundaries), _ABOUT.boundary))
        return series_of(origin, steps)


def _step(row: dict[str, Any], *, foretold: bool) -> IntensityStep:
    start_ms = aware_ms(row["datetime"])
    if foretold:
        status = StepStatus.FORECAST
    else:
        status = StepStatus.ESTIMATED if row.get("isEstimated") else StepStatus.ACTUAL
    value = checked_value(row["carbonIntensity"], row["datetime"])
    return IntensityStep(start_ms, start_ms + MS_PER_HOUR, value, status)
