"""SMARD of the Bundesnetzagentur: generation of Germany by fuel, quarter hours; no account.

There are no intensities: they are computed with direct factors by fuel. No forecast of the mix, hence none of
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.carbon.intensity.errors import FetchError, NoDataError
from greenai.carbon.intensity.fuels import Fuel, mix_intensities, shipped_fuel_factors
from greenai.carbon.intensity.request import document, origin_of, parsing, series_of
from greenai.carbon.intensity.series import MS_PER_DAY, MS_PER_MINUTE, IntensityStep, Origin, SeriesError
from greenai.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.carbon.intensity.download import Answer, Download
    from greenai.carbon.intensity.fuels import FuelFactors
    from greenai.carbon.intensity.request import IntensityRequest
    from greenai.carbon.intensity.series import IntensitySeries

NAME = "smard"
_BASE_URL = "https://www.smard.de"
_ZONE = "DE"
_RESOLUTION = "quarterhour"
_STEP_MS = 15 * MS_PER_MINUTE
_FILE_MS = 7 * MS_PER_DAY  # a file is a week

# Numbers of the series of realised generation. 4070, pumped storage, is left out: see ``fuels``.
_FUELS: dict[str, Fuel | None] = {
    "1223": Fuel.LIGNITE,
    "4069": Fuel.HARD_COAL,
    "4071": Fuel.GAS,
    "1227": Fuel.OTHER_FOSSIL,
    "1224": Fuel.NUCLEAR,
    "4066": Fuel.RENEWABLES,  # biomass
    "1226": Fuel.RENEWABLES,  # hydro
    "1225": Fuel.RENEWABLES,  # wind offshore
    "4067": Fuel.RENEWABLES,  # wind onshore
    "4068": Fuel.RENEWABLES,  # photovoltaics
    "1228": Fuel.RENEWABLES,  # others
}

_ABOUT = Origin(
    service=NAME,
    zone=_ZONE,
    kind="average",
    gases=None,
    boundary=None,
    basis="generated",
    source="Bundesnetzagentur, SMARD",
    url="",
    licence="CC BY 4.0",
    attribution="Bundesnetzagentur | SMARD.de",
    retrieved_ms=0,
    sha256="",
    verified=False,
)

_GERMANY_ONLY = Text(
    de="SMARD kennt nur das Stromnetz DE, nicht {zone}.",
    en="SMARD knows the zone DE only, not {zone}.",
)
_NO_FORECAST = Text(
    de="SMARD hat keine Prognose des Strommixes.",
    en="SMARD has no forecast of the mix.",
)
_ENERGY_CHARTS = Text(
    de="Andere Quelle: greenai factors fetch --zone {zone} --source energy-charts",
    en="Another source: greenai factors fetch --zone {zone} --source energy-charts",
)
_WITH_FORECAST = Text(
    de="Eine Quelle mit Prognose: greenai factors fetch --zone {zone} --source energy-charts --forecast",
    en="A source with a forecast: greenai factors fetch --zone {zone} --source energy-charts --forecast",
)
_NO_DATA = Text(de="SMARD hat im verlangten Zeitraum keine Werte.", en="SMARD has no values in that period.")


def fetch(download: Download, request: IntensityRequest) -> list[IntensitySeries]:
    """Get what was generated, one file per source and week, and compute intensities from it.

    Raises:
        FetchError: The service did not give it, or does not know the zone.
        AnswerError: What it gave cannot be right.
    """
    if request.zone != _ZONE:
        raise FetchError(_GERMANY_ONLY.format(zone=request.zone), _ENERGY_CHARTS.format(zone=request.zone))
    if request.forecast_from_ms is not None:
        raise FetchError(_NO_FORECAST, _WITH_FORECAST.format(zone=request.zone))
    folder = f"{request.base_url or _BASE_URL}/app/chart_data"
    answers: dict[str, list[Answer]] = {}
    for number in _FUELS:
        index = download.get(f"{folder}/{number}/{_ZONE}/index_{_RESOLUTION}.json")
        answers[number] = [
            download.get(f"{folder}/{number}/{_ZONE}/{number}_{_ZONE}_{_RESOLUTION}_{begin_ms}.json")
            for begin_ms in files_of(index, request.start_ms, request.end_ms)
        ]
    return [parse(answers, shipped_fuel_factors()[_ZONE], request.start_ms, request.end_ms)]


def files_of(index: Answer, start_ms: int, end_ms: int) -> list[int]:
    """Return the beginnings of the files that reach into a period, from the list of all files.

    Raises:
        AnswerError: It is no such list.
    """
    with parsing(NAME, index.url):
        begins_ms = [_milliseconds(value) for value in document(index.body)["timestamps"]]
        # A week in which the clocks change is an hour longer.
        return [begin for begin in begins_ms if start_ms < begin + _FILE_MS + _STEP_MS * 4 and begin < end_ms]


def parse(
    answers: Mapping[str, Sequence[Answer]], factors: FuelFactors, start_ms: int, end_ms: int
) -> IntensitySeries:
    """Compute intensities from files of generation in MWh, by the number of the source.

    Raises:
        AnswerError: One of them is none.
        NoDataError: There is no value in them.
    """
    amounts: dict[str, dict[int, object]] = {number: {} for number in _FUELS}
    for number, files in answers.items():
        column = amounts[number]
        for answer in files:
            with parsing(NAME, answer.url):
                for begin, amount in document(answer.body)["series"]:
                    if start_ms < _milliseconds(begin) + _STEP_MS and begin < end_ms:
                        column[begin] = amount
    everything = [answer for files in answers.values() for answer in files]
    times_ms = sorted({begin for column in amounts.values() for begin in column})
    if not times_ms:
        raise NoDataError(_NO_DATA, _ENERGY_CHARTS.format(zone=_ZONE))
    with parsing(NAME, everything[0].url):
        # What a source's files do not speak about is unknown.
        columns = {number: [column.get(begin) for begin in times_ms] for number, column in amounts.items()}
        values = mix_intensities(columns, _FUELS, factors, times_ms[0])
        steps = [
            IntensityStep(begin, begin + _STEP_MS, value) for begin, value in zip(times_ms, values, strict=True)
        ]
        origin = origin_of(
            _ABOUT,
            _ZONE,
            everything,
            gases=factors.gases,
            boundary=factors.boundary,
            licence=f"{_ABOUT.licence} (mix); {factors.licence} (factors)",
            method=factors.method,
        )
        return series_of(origin, steps)


def _milliseconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise SeriesError(f"{value!r:.60} is no time in milliseconds")
    return value
