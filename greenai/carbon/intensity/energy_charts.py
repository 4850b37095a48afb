"""energy-charts.info of Fraunhofer ISE: many countries of Europe, quarter hours, with a forecast; no account.

The endpoint with intensities (``/co2eq``, version 1) is no longer in the published contract. While it answers
it is used; when it does not, the intensity of Germany is computed from the generation mix of version 2 with
direct factors by fuel, which is another quantity and says so in its origin.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from greenai.carbon.intensity.errors import AnswerError, FetchError, NoDataError
from greenai.carbon.intensity.fuels import Fuel, mix_intensities, shipped_fuel_factors
from greenai.carbon.intensity.request import (
    asked_for,
    aware_ms,
    document,
    origin_of,
    parsing,
    series_of,
    utc,
)
from greenai.carbon.intensity.series import (
    MS_PER_HOUR,
    MS_PER_MINUTE,
    MS_PER_S,
    IntensityStep,
    Origin,
    SeriesError,
    StepStatus,
    checked_value,
    ends_of,
)

if TYPE_CHECKING:
    from greenai.carbon.intensity.download import Answer, Download
    from greenai.carbon.intensity.fuels import FuelFactors
    from greenai.carbon.intensity.request import IntensityRequest
    from greenai.carbon.intensity.series import IntensitySeries

NAME = "energy-charts"
_BASE_URL = "https://api.energy-charts.info"
_FORECAST_MS = 48 * MS_PER_HOUR
_COUNTRY = {"GB": "uk", "EU27": "eu"}
_CLOCKS = {"DE": ZoneInfo("Europe/Berlin")}  # version 2 counts in local days

_ABOUT = Origin(
    service=NAME,
    zone="",
    kind="average",
    gases="CO2e",
    boundary="lifecycle",
    basis="generated",
    source="Fraunhofer ISE, Energy-Charts",
    url="",
    licence="CC BY 4.0",
    attribution="energy-charts.info",
    retrieved_ms=0,
    sha256="",
    verified=False,
)

# The sources of electricity that version 2 names; None is left out of the mix.
_FUELS: dict[str, Fuel | None] = {
    "fossil_brown_coal_lignite": Fuel.LIGNITE,
    "fossil_hard_coal": Fuel.HARD_COAL,
    "fossil_gas": Fuel.GAS,
    "fossil_oil": Fuel.OTHER_FOSSIL,
    "fossil_coal_derived_gas": Fuel.OTHER_FOSSIL,
    "fossil_oil_shale": Fuel.OTHER_FOSSIL,
    "fossil_peat": Fuel.OTHER_FOSSIL,
    "others": Fuel.OTHER_FOSSIL,
    "waste": Fuel.OTHER_FOSSIL,
    "nuclear": Fuel.NUCLEAR,
    "biomass": Fuel.RENEWABLES,
    "geothermal": Fuel.RENEWABLES,
    "hydro_run_of_river": Fuel.RENEWABLES,
    "hydro_water_reservoir": Fuel.RENEWABLES,
    "marine": Fuel.RENEWABLES,
    "other_renewables": Fuel.RENEWABLES,
    "solar": Fuel.RENEWABLES,
    "wind_offshore": Fuel.RENEWABLES,
    "wind_onshore": Fuel.RENEWABLES,
    "hydro_pumped_storage": None,
    "hydro_pumped_storage_consumption": None,
    "battery_storage": None,
    "battery_storage_consumption": None,
    "cross_border_electricity_trading": None,
    "load": None,
    "residual_load": None,
    "renewable_share_of_generation": None,
    "renewable_share_of_load": None,
}


def fetch(download: Download, request: IntensityRequest) -> list[IntensitySeries]:
    """Get intensities, or a mix where there are none.

    Raises:
        FetchError: The service did not give them.
        AnswerError: What it gave cannot be right.
    """
    try:
        return _intensities(download, request)
    except (NoDataError, AnswerError, FetchError) as error:
        factors = shipped_fuel_factors().get(request.zone)
        if factors is None or not _may_have_gone(error):
            raise
        return [_from_mix(download, request, factors)]


def _may_have_gone(error: FetchError | AnswerError) -> bool:
    """Say whether the endpoint is at fault, so that another of the same service may do better."""
    if isinstance(error, (NoDataError, AnswerError)):
        return True
    return error.status is not None and error.status != HTTPStatus.TOO_MANY_REQUESTS


def _intensities(download: Download, request: IntensityRequest) -> list[IntensitySeries]:
    base_url = request.base_url or _BASE_URL
    country = _COUNTRY.get(request.zone, request.zone.lower())
    end_ms = request.end_ms if request.forecast_from_ms is None else request.forecast_from_ms + _FORECAST_MS
    period = {"start": f"{utc(request.start_ms):%Y-%m-%dT%H:%MZ}", "end": f"{utc(end_ms):%Y-%m-%dT%H:%MZ}"}
    asked = urlencode({"country": country, **period}, safe=":")
    found = [asked_for(request, parse_intensities(request.zone, download.get(f"{base_url}/co2eq?{asked}")))]
    if request.forecast_from_ms is None:
        return found
    try:
        answer = download.get(f"{base_url}/co2eq_forecast?{urlencode({'country': country})}")
        return [*found, asked_for(request, parse_intensities(request.zone, answer))]
    except (FetchError, AnswerError):
        if any(step.status is StepStatus.FORECAST for step in found[0].steps):
            return found
        raise


def _from_mix(download: Download, request: IntensityRequest, factors: FuelFactors) -> IntensitySeries:
    clock = _CLOCKS[request.zone]
    first = utc(request.start_ms).astimezone(clock).date()
    last = (utc(request.end_ms) - timedelta(seconds=1)).astimezone(clock).date()
    asked = urlencode({"country": request.zone.lower(), "start": first, "end": max(first, last)})
    answer = download.get(f"{request.base_url or _BASE_URL}/v2/public_power?{asked}")
    return asked_for(request, parse_mix(request.zone, answer, factors))


def parse_intensities(zone: str, answer: Answer) -> IntensitySeries:
    """Read an answer of ``/co2eq`` or ``/co2eq_forecast``: lists side by side, of which one speaks at a time.

    Raises:
        AnswerError: It is none.
        NoDataError: There is no value in it.
    """
    with parsing(NAME, answer.url):
        data = document(answer.body)
        starts_ms = [_seconds(value) * MS_PER_S for value in data["unix_seconds"]]
        nothing: list[Any] = [None] * len(starts_ms)
        actual, forecast = (data.get(name, nothing) for name in ("co2eq", "co2eq_forecast"))
        if len(actual) != len(starts_ms) or len(forecast) != len(starts_ms):
            raise SeriesError("its lists are not equally long")
        ends_ms = ends_of(starts_ms) if starts_ms else []
        steps = [
            _step(start_ms, end_ms, measured, foretold)
            for start_ms, end_ms, measured, foretold in zip(starts_ms, ends_ms, actual, forecast, strict=True)
        ]
        return series_of(origin_of(_ABOUT, zone, [answer]), steps)


def _seconds(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise SeriesError(f"{value!r:.60} is no time in seconds")
    return value


def _step(start_ms: int, end_ms: int, measured: Any, foretold: Any) -> IntensityStep:
    where = f"{utc(start_ms):%Y-%m-%dT%H:%MZ}"
    value = checked_value(measured, where)
    if value is not None:
        return IntensityStep(start_ms, end_ms, value)
    value = checked_value(foretold, where)
    status = StepStatus.FORECAST if value is not None else StepStatus.ACTUAL
    return IntensityStep(start_ms, end_ms, value, status)


def parse_mix(zone: str, answer: Answer, factors: FuelFactors) -> IntensitySeries:
    """Read an answer of ``/v2/public_power``: megawatts by source, one entry per step.

    Raises:
        AnswerError: It is none.
        NoDataError: There is no value in it.
    """
    with parsing(NAME, answer.url):
        data = document(answer.body)
        if data["country"] != zone.lower():
            raise SeriesError(f"it is for {data['country']!r:.20}, not for {zone.lower()!r}")
        length_ms = _seconds(data["interval_minutes"]) * MS_PER_MINUTE
        rows = data["data"]
        # What has values but was not announced counts as well, or the mix would lack it in silence.
        names = {entry["id"] for entry in data["series"]}.union(*(row["values"] for row in rows))
        starts_ms = [aware_ms(row["timestamp"]) for row in rows]
        amounts = {name: [row["values"].get(name) for row in rows] for name in sorted(names)}
        values = mix_intensities(amounts, _FUELS, factors, min(starts_ms, default=0))
        steps = [
            IntensityStep(start_ms, start_ms + length_ms, value)
            for start_ms, value in zip(starts_ms, values, strict=True)
        ]
        origin = origin_of(
            _ABOUT,
            zone,
            [answer],
            gases=factors.gases,
            boundary=factors.boundary,
            licence=f"{_ABOUT.licence} (mix); {factors.licence} (factors)",
            method=factors.method,
        )
        return series_of(origin, steps)
