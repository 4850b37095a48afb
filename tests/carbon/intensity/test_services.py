"""SMARD, Electricity Maps and the UK Carbon Intensity API, each in its documented format; and fuel factors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from greenai.carbon.intensity import electricity_maps, smard, uk_carbon_intensity
from greenai.carbon.intensity.errors import AnswerError, FetchError, NoDataError
from greenai.carbon.intensity.fuels import (
    Fuel,
    mix_intensities,
    parse_fuel_factors,
    shipped_fuel_factors,
)
from greenai.carbon.intensity.request import IntensityRequest
from greenai.carbon.intensity.series import SeriesError, StepStatus
from greenai.core.errors import ConfigError

H = 3_600_000
QUARTER = H // 4
WEEK = 7 * 24 * H
MONDAY = 1_794_783_600_000  # Monday 16 November 2026, 00:00 in Berlin
DAY = round(datetime(2026, 11, 17, tzinfo=UTC).timestamp()) * 1000


# SMARD


def _weeks(service: Any, **amounts: list[Any]) -> None:
    """Let each source have the same index and, in the week of MONDAY, the amounts given, or 0."""
    for number in ("1223", "4069", "4071", "1227", "1224", "4066", "1226", "1225", "4067", "4068", "1228"):
        folder = f"/app/chart_data/{number}/DE"
        service.on(f"{folder}/index_quarterhour.json", {"timestamps": [MONDAY - WEEK, MONDAY, MONDAY + WEEK]})
        column = amounts.get(f"n{number}", [0.0, 0.0, 0.0])
        rows = [[MONDAY + n * QUARTER, amount] for n, amount in enumerate(column)]
        service.on(
            f"{folder}/{number}_DE_quarterhour_{MONDAY}.json", {"meta_data": {"version": 1}, "series": rows}
        )


def _german(service: Any, **more: Any) -> IntensityRequest:
    return IntensityRequest("DE", MONDAY + 2 * H, MONDAY + 3 * H, base_url=service.url, **more)


def test_smard(service: Any, download: Any) -> None:
    hours = [0.0] * 8
    _weeks(
        service,
        n1223=[*hours, 100.0, 100.0, 0.0, None, 7.0],
        n4071=[*hours, 0.0, 100.0, 0.0, 1.0, 7.0],
        n4067=[*hours, 300.0, 0.0, 50.0, 1.0, 7.0],
        n1224=[None] * 13,
        **{f"n{n}": [0.0] * 13 for n in (4069, 1227, 4066, 1226, 1225, 4068, 1228)},
    )
    (series,) = smard.fetch(download, _german(service))
    # A quarter of lignite; half lignite, half gas; wind alone; lignite unknown. What comes later was not asked for.
    assert [step.g_per_kwh for step in series.steps] == [1075 / 4, (1075 + 411) / 2, 0.0, None]
    assert series.span_ms == (MONDAY + 2 * H, MONDAY + 3 * H)
    origin = series.origin
    assert (origin.gases, origin.boundary, origin.basis, origin.verified) == (
        "CO2",
        "generation",
        "generated",
        False,
    )
    assert origin.method is not None
    assert len([path for path in service.paths if "index" not in path]) == 11


@pytest.mark.parametrize("lost", ["1223", "4067"])
def test_smard_lacks_the_file_of_one_source(service: Any, download: Any, lost: str) -> None:
    _weeks(service, **{f"n{number}": [100.0] * 13 for number in smard._FUELS})
    service.on(f"/app/chart_data/{lost}/DE/index_quarterhour.json", {"timestamps": []})
    with pytest.raises(NoDataError):
        smard.fetch(download, _german(service))


def test_smard_has_no_file_for_the_period(service: Any, download: Any) -> None:
    for number in smard._FUELS:
        service.on(f"/app/chart_data/{number}/DE/index_quarterhour.json", {"timestamps": [0]})
    with pytest.raises(NoDataError):
        smard.fetch(download, _german(service))


@pytest.mark.parametrize("body", [b"<html>", {"timestamps": ["x"]}, {"timestamps": None}, {}])
def test_smard_with_a_broken_index(service: Any, download: Any, body: Any) -> None:
    service.on("/app/chart_data/1223/DE/index_quarterhour.json", body)
    with pytest.raises(AnswerError, match="index_quarterhour"):
        smard.fetch(download, _german(service))


@pytest.mark.parametrize("series", [[[1]], [["x", 1.0]], None, [[MONDAY + 2 * H, "viel"]]])
def test_smard_with_a_broken_file(service: Any, download: Any, series: Any) -> None:
    _weeks(service)
    service.on(f"/app/chart_data/1223/DE/1223_DE_quarterhour_{MONDAY}.json", {"series": series})
    with pytest.raises(AnswerError):
        smard.fetch(download, _german(service))


def test_what_smard_does_not_have(service: Any, download: Any) -> None:
    with pytest.raises(FetchError, match="not FR") as error:
        smard.fetch(download, IntensityRequest("FR", 0, H, base_url=service.url))
    assert "--source energy-charts" in str(error.value.remedy)
    with pytest.raises(FetchError, match="no forecast"):
        smard.fetch(download, _german(service, forecast_from_ms=0))
    assert service.asked == []


# Electricity Maps


def _hour(number: int, value: Any, **more: Any) -> dict[str, Any]:
    time = datetime.fromtimestamp(DAY // 1000 + number * 3600, tz=UTC)
    return {
        "zone": "DE",
        "carbonIntensity": value,
        "datetime": f"{time:%Y-%m-%dT%H:%M:%S}.000Z",
        "updatedAt": "2026-11-17T20:00:00.000Z",
        "emissionFactorType": "lifecycle",
        "isEstimated": False,
        "estimationMethod": None,
        **more,
    }


def _mapped(service: Any, days: int = 1, **more: Any) -> IntensityRequest:
    return IntensityRequest("DE", DAY, DAY + days * 24 * H, base_url=service.url, token="t0k3n", **more)


def test_electricity_maps(service: Any, download: Any) -> None:
    rows = [
        _hour(0, 300),
        _hour(1, 310.5, isEstimated=True, estimationMethod="TIME_SLICER_AVERAGE"),
        _hour(2, None),
    ]
    service.on("/v4/carbon-intensity/past-range", {"zone": "DE", "temporalGranularity": "hourly", "data": rows})
    foretold = [{"carbonIntensity": 250, "datetime": _hour(5, 0)["datetime"]}]
    service.on(
        "/v4/carbon-intensity/forecast",
        {
            "zone": "DE",
            "updatedAt": "2026-11-17T20:00:00.000Z",
            "temporalGranularity": "hourly",
            "forecast": foretold,
        },
    )
    past, forecast = electricity_maps.fetch(download, _mapped(service, forecast_from_ms=DAY))
    assert [step.g_per_kwh for step in past.steps] == [300.0, 310.5, None]
    assert [step.status for step in past.steps] == [StepStatus.ACTUAL, StepStatus.ESTIMATED, StepStatus.ACTUAL]
    assert [tuple(step) for step in forecast.steps] == [(DAY + 5 * H, DAY + 6 * H, 250.0, "forecast")]
    assert (past.origin.boundary, past.origin.basis) == ("lifecycle", "consumed")
    sent = [{name.casefold(): value for name, value in headers.items()} for _, _, headers in service.asked]
    assert [headers["auth-token"] for headers in sent] == ["t0k3n", "t0k3n"]
    assert "t0k3n" not in repr(past) + repr(forecast) + past.origin.url
    assert "t0k3n" not in repr(_mapped(service))


def test_electricity_maps_gives_ten_days_at_once(service: Any, download: Any) -> None:
    service.on("/v4/carbon-intensity/past-range", {"zone": "DE", "data": [_hour(0, 300)]})
    assert len(electricity_maps.fetch(download, _mapped(service, days=25))) == 3
    ranges = [(asked["start"][0][:10], asked["end"][0][:10]) for _, asked, _ in service.asked]
    assert ranges == [("2026-11-17", "2026-11-27"), ("2026-11-27", "2026-12-07"), ("2026-12-07", "2026-12-12")]


def test_electricity_maps_without_a_token(service: Any, download: Any) -> None:
    with pytest.raises(FetchError) as error:
        electricity_maps.fetch(download, IntensityRequest("DE", 0, H, base_url=service.url))
    assert "greenai config set electricity_maps_token" in str(error.value.remedy)
    assert service.asked == []


@pytest.mark.parametrize("status", [401, 403])
def test_electricity_maps_refuses_the_token(service: Any, download: Any, reply: Any, status: int) -> None:
    service.on("/v4/carbon-intensity/past-range", reply(status, b'{"error": "Invalid auth-token"}'))
    with pytest.raises(FetchError) as error:
        electricity_maps.fetch(download, _mapped(service))
    assert "plan" in str(error.value.remedy)
    assert "t0k3n" not in str(error.value)


@pytest.mark.parametrize(
    "body",
    [
        {"zone": "FR", "data": [_hour(0, 1)]},
        {"zone": "DE"},
        {"zone": "DE", "data": [_hour(0, -5)]},
        {"zone": "DE", "data": [_hour(0, "many")]},
        {"zone": "DE", "data": [_hour(0, 5, datetime="2026-11-17T00:00:00")]},
        {"zone": "DE", "data": [_hour(0, 5, datetime=None)]},
        {"zone": "DE", "data": [_hour(0, 5), _hour(0, 6)]},
        {"zone": "DE", "data": [_hour(0, 5), _hour(1, 6, emissionFactorType="direct")]},
        {"zone": "DE", "data": [_hour(0, 5, emissionFactorType="marginal")]},
        {"zone": "DE", "data": [7]},
        b"<html>",
    ],
)
def test_electricity_maps_with_garbage(answer: Any, body: Any) -> None:
    with pytest.raises(AnswerError):
        electricity_maps.parse("DE", answer(body))


def test_electricity_maps_says_when_factors_are_direct(answer: Any) -> None:
    body = {"zone": "DE", "data": [_hour(0, 5, emissionFactorType="direct")]}
    assert electricity_maps.parse("DE", answer(body)).origin.boundary == "generation"


# UK Carbon Intensity


def _half_hour(number: int, forecast: Any, actual: Any) -> dict[str, Any]:
    times = [datetime.fromtimestamp(DAY // 1000 + (number + n) * 1800, tz=UTC) for n in (0, 1)]
    begin, end = (f"{time:%Y-%m-%dT%H:%MZ}" for time in times)
    return {"from": begin, "to": end, "intensity": {"forecast": forecast, "actual": actual, "index": "low"}}


def test_uk(service: Any, download: Any) -> None:
    service.on(
        "/intensity/2026-11-17T00:00Z/2026-11-18T00:00Z",
        {"data": [_half_hour(0, 146, 150), _half_hour(1, 140, None), _half_hour(2, None, None)]},
    )
    service.on("/intensity/2026-11-18T00:00Z/fw48h", {"data": [_half_hour(48, 99, None)]})
    wanted = IntensityRequest("GB", DAY, DAY + 24 * H, DAY + 24 * H, base_url=service.url)
    past, ahead = uk_carbon_intensity.fetch(download, wanted)
    assert [(step.g_per_kwh, step.status) for step in past.steps] == [
        (150.0, StepStatus.ACTUAL),
        (140.0, StepStatus.FORECAST),
        (None, StepStatus.ACTUAL),
    ]
    assert [(step.end_ms - step.start_ms) for step in past.steps] == [H // 2] * 3
    assert ahead.steps[0].status is StepStatus.FORECAST
    assert (past.origin.gases, past.origin.boundary, past.origin.basis) == ("CO2", "generation", "consumed")


def test_uk_gives_two_weeks_at_once(service: Any, download: Any) -> None:
    with pytest.raises(FetchError):
        uk_carbon_intensity.fetch(download, IntensityRequest("GB", DAY, DAY + 30 * 24 * H, base_url=service.url))
    assert service.paths == ["/intensity/2026-11-17T00:00Z/2026-11-30T00:00Z"]


def test_uk_knows_great_britain_only(service: Any, download: Any) -> None:
    with pytest.raises(FetchError, match="not DE"):
        uk_carbon_intensity.fetch(download, IntensityRequest("DE", 0, H, base_url=service.url))


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "400 Bad Request", "message": "x"}},
        {
            "data": [
                {"from": "2026-11-17T00:00Z", "to": "2026-11-17T00:00Z", "intensity": {"actual": 1, "forecast": 1}}
            ]
        },
        {"data": [_half_hour(0, 1, "x")]},
        {"data": [_half_hour(1, 1, 1), _half_hour(0, 1, 1)]},
        {"data": [_half_hour(0, 1, 1), {"from": "now"}]},
    ],
)
def test_uk_with_garbage(answer: Any, body: Any) -> None:
    with pytest.raises(AnswerError):
        uk_carbon_intensity.parse(answer(body))


# Fuel factors


def test_shipped_fuel_factors() -> None:
    german = shipped_fuel_factors()["DE"]
    assert {fuel.value: value for fuel, value in german.g_per_kwh.items()} == {
        "lignite": 1075, "hard_coal": 835, "other_fossil": 750, "gas": 411, "nuclear": 0, "renewables": 0,
    }  # fmt: skip
    assert (german.gases, german.boundary, german.verified) == ("CO2", "generation", False)


HEADER = "zone,fuel,value_g_per_kwh,year,gases,boundary,basis,source,edition,url,licence,verified"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("DE,coal,1,2025,CO2,generation,generated,U,16,u,l,false", "coal"),
        ("DE,gas,-1,2025,CO2,generation,generated,U,16,u,l,false", "-1 g/kWh"),
        ("DE,gas,nan,2025,CO2,generation,generated,U,16,u,l,false", "nan"),
        ("DE,gas,x,2025,CO2,generation,generated,U,16,u,l,false", "x"),
        ("DE,gas,1,2025,CO2,generation,generated,U,16,u,l,maybe", "maybe"),
        ("DE,gas", "line 2"),
        ("DE,gas,1,2025,CO2,generation,generated,U,16,u,l,false", "lacks"),
    ],
)
def test_a_damaged_table_of_fuel_factors(line: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_fuel_factors([HEADER, line])
    assert words in str(error.value)


def test_mixes() -> None:
    german = shipped_fuel_factors()["DE"]
    fuels = {"coal": Fuel.HARD_COAL, "sun": Fuel.RENEWABLES, "nuclear": Fuel.NUCLEAR, "pump": None,
             "lignite": Fuel.LIGNITE, "gas": Fuel.GAS}  # fmt: skip
    amounts: dict[str, list[Any]] = {
        "coal": [1.0, -2.0, None, 0.0],
        "sun": [1.0, 5.0, 1.0, 0.0],
        "pump": [99.0] * 4,
        "lignite": [0.0] * 4,
        "gas": [0.0] * 4,
        "nuclear": [None] * 4,
    }
    assert mix_intensities(amounts, fuels, german, DAY) == [835 / 2, 0.0, None, None]
    long_ago = DAY - 4 * 365 * 24 * H  # when there were reactors, silence did not mean that there were none
    assert mix_intensities(amounts, fuels, german, long_ago) == [None] * 4
    # Once it was reported, it exists, and where it is missing it is unknown.
    amounts["nuclear"] = [1.0, None, 1.0, 1.0]
    assert mix_intensities(amounts, fuels, german, DAY) == [pytest.approx(835 / 3), None, None, 0.0]
    with pytest.raises(SeriesError, match="peat"):
        mix_intensities({"peat": [1.0]}, fuels, german, DAY)
    with pytest.raises(SeriesError, match="gas, hard_coal, lignite"):
        mix_intensities({"sun": [1.0]}, fuels, german, DAY)
