"""energy-charts.info: version 1 with intensities, version 2 with the mix when version 1 is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from greenai.carbon.intensity import energy_charts
from greenai.carbon.intensity.errors import AnswerError, FetchError, NoDataError
from greenai.carbon.intensity.fuels import shipped_fuel_factors
from greenai.carbon.intensity.request import IntensityRequest
from greenai.carbon.intensity.series import StepStatus

QUARTER_S = 900
T0_S = 1_794_960_000
CO2EQ: dict[str, Any] = {
    "unix_seconds": [T0_S + n * QUARTER_S for n in range(5)],
    "co2eq": [491.5, 497.4, 502.6, None, None],
    "co2eq_forecast": [None, None, None, 505.0, 508.0],
    "deprecated": False,
}


def request(service: Any, zone: str = "DE", **more: Any) -> IntensityRequest:
    return IntensityRequest(zone, T0_S * 1000, (T0_S + 3600) * 1000, base_url=service.url, **more)


def mix(day: str = "2026-11-21", hours: int = 24, **values: float | None) -> dict[str, Any]:
    values = values or {
        "fossil_brown_coal_lignite": 10.0,
        "fossil_hard_coal": 0.0,
        "fossil_gas": 0.0,
        "wind_onshore": 30.0,
        "load": 99.0,
    }
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    times = [midnight + timedelta(minutes=15 * n) for n in range(hours * 4)]
    return {
        "schema_version": "2.0",
        "country": "de",
        "endpoint": "public_power",
        "unit": "MW",
        "timezone": "Europe/Berlin",
        "interval_minutes": 15,
        "series": [{"id": name, "name": name} for name in values],
        "data": [
            {"timestamp": time.astimezone(ZoneInfo("Europe/Berlin")).isoformat(), "values": dict(values)}
            for time in times
        ],
        "license": "CC BY 4.0",
    }


def test_intensities_and_their_forecast(service: Any, download: Any) -> None:
    later = {"unix_seconds": [T0_S + 90_000 + n * 3600 for n in range(3)], "co2eq_forecast": [1.0, 2.0, None]}
    service.on("/co2eq", CO2EQ)
    service.on("/co2eq_forecast", later)
    first, second = energy_charts.fetch(download, request(service, forecast_from_ms=(T0_S + 3600) * 1000))
    assert [step.g_per_kwh for step in first.steps] == [491.5, 497.4, 502.6, 505.0, 508.0]
    assert [step.status for step in first.steps] == [StepStatus.ACTUAL] * 3 + [StepStatus.FORECAST] * 2
    assert first.span_ms == (T0_S * 1000, (T0_S + 5 * QUARTER_S) * 1000)
    assert [step.g_per_kwh for step in second.steps] == [1.0, 2.0, None]
    origin = first.origin
    assert (origin.zone, origin.gases, origin.boundary, origin.kind) == ("DE", "CO2e", "lifecycle", "average")
    assert (origin.licence, origin.verified, len(origin.sha256)) == ("CC BY 4.0", False, 64)
    assert origin.url.startswith(f"{service.url}/co2eq?country=de&start=2026-11-18T00:00Z")
    _, asked, _ = service.asked[0]
    assert asked["end"] == ["2026-11-20T01:00Z"]  # 48 hours of forecast are asked for as well


@pytest.mark.parametrize(("zone", "country"), [("DE", "de"), ("GB", "uk"), ("EU27", "eu"), ("FR", "fr")])
def test_names_of_countries(service: Any, download: Any, zone: str, country: str) -> None:
    service.on("/co2eq", CO2EQ)
    energy_charts.fetch(download, request(service, zone))
    assert service.asked[0][1]["country"] == [country]


def test_a_hole_and_a_change_of_resolution_stay_what_they_are(answer: Any) -> None:
    times = [0, 3600, 7200, 8100, 9000, 10800]
    body = {"unix_seconds": times, "co2eq": [1.0] * 6, "co2eq_forecast": [None] * 6}
    steps = energy_charts.parse_intensities("DE", answer(body)).steps
    assert [(step.end_ms - step.start_ms) // 60_000 for step in steps] == [60, 60, 15, 15, 15, 30]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_the_mix_on_days_on_which_the_clocks_change(answer: Any, day: str, hours: int) -> None:
    series = energy_charts.parse_mix("DE", answer(mix(day, hours)), shipped_fuel_factors()["DE"])
    assert len(series.steps) == hours * 4
    assert all(one.end_ms == two.start_ms for one, two in zip(series.steps, series.steps[1:], strict=False))
    start_ms, end_ms = series.span_ms
    assert end_ms - start_ms == hours * 3_600_000


@pytest.mark.parametrize("gone", [404, 400, 410, 500])
def test_the_mix_when_the_intensities_are_gone(service: Any, download: Any, reply: Any, gone: int) -> None:
    service.on("/co2eq", reply(gone))
    service.on("/v2/public_power", mix("2026-11-18"))
    (series,) = energy_charts.fetch(download, request(service))
    assert {step.g_per_kwh for step in series.steps} == {1075 * 10 / 40}
    assert (series.origin.gases, series.origin.boundary) == ("CO2", "generation")
    assert "Umweltbundesamt" in str(series.origin.method)
    assert service.asked[-1][1] == {"country": ["de"], "start": ["2026-11-18"], "end": ["2026-11-18"]}


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Wartung</body></html>",
        b"",
        b"[1, 2]",
        b'{"unix_seconds": [1',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        {"unix_seconds": [1, 2], "co2eq": [1.0]},
        {"unix_seconds": ["a", "b"], "co2eq": [1.0, 2.0]},
        {"unix_seconds": [900, 0], "co2eq": [1.0, 2.0]},
        {"unix_seconds": [0, 900], "co2eq": [-1.0, 2.0]},
        {"unix_seconds": [0, 900], "co2eq": ["viel", 2.0]},
        {"unix_seconds": [0, 900], "co2eq": [491_500.0, 2.0]},
        {"unix_seconds": [0], "co2eq": [1.0]},
        {"unix_seconds": 7, "co2eq": [1.0]},
        {"unix_seconds": [10**30, 10**31], "co2eq": [1.0, 2.0]},
    ],
)
def test_garbage_is_refused_whole(answer: Any, body: Any) -> None:
    with pytest.raises(AnswerError, match=r"energy-charts.*https://service\.example/x"):
        energy_charts.parse_intensities("DE", answer(body))


def test_nothing_but_nulls_is_no_data(answer: Any) -> None:
    bodies: tuple[Any, ...] = (
        {"unix_seconds": [0, 900], "co2eq": [None, None], "co2eq_forecast": [None, None]},
        {"unix_seconds": [], "co2eq": []},
        b'{"unix_seconds": [0, 900], "co2eq": [NaN, null]}',
    )
    for body in bodies:
        with pytest.raises(NoDataError):
            energy_charts.parse_intensities("DE", answer(body))


def test_nan_is_unknown(answer: Any) -> None:
    body = (
        b'{"unix_seconds": [0, 900, 1800], "co2eq": [NaN, 12.5, Infinity], "co2eq_forecast": [null, null, null]}'
    )
    steps = energy_charts.parse_intensities("DE", answer(body)).steps
    assert [step.g_per_kwh for step in steps] == [None, 12.5, None]


def test_another_zone_than_asked_for(answer: Any) -> None:
    body = mix() | {"country": "fr"}
    with pytest.raises(AnswerError, match="it is for 'fr'"):
        energy_charts.parse_mix("DE", answer(body), shipped_fuel_factors()["DE"])


def test_a_source_of_electricity_that_is_new(answer: Any) -> None:
    with pytest.raises(AnswerError, match="fusion"):
        energy_charts.parse_mix("DE", answer(mix(fusion=1.0, solar=1.0)), shipped_fuel_factors()["DE"])


@pytest.mark.parametrize("lost", ["fossil_brown_coal_lignite", "fossil_hard_coal", "fossil_gas", "wind_onshore"])
def test_half_a_mix_is_none(answer: Any, lost: str) -> None:
    body = mix()
    body["series"] = [entry for entry in body["series"] if entry["id"] != lost]
    for row in body["data"]:
        del row["values"][lost]
    with pytest.raises(AnswerError, match="not the whole mix"):
        energy_charts.parse_mix("DE", answer(body), shipped_fuel_factors()["DE"])


def test_a_source_of_electricity_that_was_not_announced_counts(answer: Any) -> None:
    body = mix()
    body["series"] = [entry for entry in body["series"] if entry["id"] != "fossil_brown_coal_lignite"]
    del body["data"][1]["values"]["fossil_brown_coal_lignite"]
    series = energy_charts.parse_mix("DE", answer(body), shipped_fuel_factors()["DE"])
    assert [step.g_per_kwh for step in series.steps[:3]] == [1075 / 4, None, 1075 / 4]
    body["data"][0]["values"]["fusion"] = 1.0
    with pytest.raises(AnswerError, match="fusion"):
        energy_charts.parse_mix("DE", answer(body), shipped_fuel_factors()["DE"])


def test_a_source_that_is_silent_throughout_makes_the_mix_unknown(answer: Any) -> None:
    body = mix()
    for row in body["data"]:
        row["values"]["wind_onshore"] = None
    with pytest.raises(NoDataError):
        energy_charts.parse_mix("DE", answer(body), shipped_fuel_factors()["DE"])


YEAR_S = 365 * 86_400


@pytest.mark.parametrize(
    "changed",
    [
        {"unix_seconds": [second - 10 * YEAR_S for second in CO2EQ["unix_seconds"]]},
        {"unix_seconds": [second + 10 * YEAR_S for second in CO2EQ["unix_seconds"]]},
        {"unix_seconds": [T0_S + n * YEAR_S for n in range(5)]},
        {"unix_seconds": [-(10**11) + n * 900 for n in range(5)]},
        {"unix_seconds": [253_402_300_799 + n * 900 for n in range(5)]},
        {"co2eq": [0.3, 0.4, 0.5, None, None], "co2eq_forecast": [None] * 5},
        {"co2eq": [0] * 5, "co2eq_forecast": [None] * 5},
        {"co2eq": [10**400] * 5},
    ],
)
def test_an_answer_to_another_question_is_refused(service: Any, download: Any, changed: Any) -> None:
    service.on("/co2eq", CO2EQ | changed)
    with pytest.raises(AnswerError, match="of no use"):
        energy_charts.fetch(download, request(service, "FR"))


def test_of_an_answer_only_what_was_asked_for_is_kept(service: Any, download: Any) -> None:
    times = [T0_S + n * QUARTER_S for n in range(-20, 20)]
    service.on("/co2eq", {"unix_seconds": times, "co2eq": [100.0] * 40})
    (series,) = energy_charts.fetch(download, request(service, "FR"))
    assert series.span_ms == ((T0_S - QUARTER_S) * 1000, (T0_S + 3600 + QUARTER_S) * 1000)


def test_nobody_has_measured_the_future(answer: Any) -> None:
    times = [1_795_000_000 + n * 900 for n in (-1, 0, 1)]
    body = {"unix_seconds": times, "co2eq": [100.0] * 3}
    steps = energy_charts.parse_intensities("DE", answer(body)).steps
    assert [step.status for step in steps] == [StepStatus.ACTUAL, StepStatus.FORECAST, StepStatus.FORECAST]


def test_what_a_service_names_does_not_steer_the_terminal(answer: Any) -> None:
    body = mix()
    body["series"].append({"id": "\x1b[2J"})
    with pytest.raises(AnswerError) as error:
        energy_charts.parse_mix("DE", answer(body), shipped_fuel_factors()["DE"])
    assert "\x1b" not in str(error.value)


def test_a_local_time_without_its_offset(answer: Any) -> None:
    body = mix()
    body["data"][0]["timestamp"] = "2026-11-21T00:00:00"
    with pytest.raises(AnswerError, match="offset"):
        energy_charts.parse_mix("DE", answer(body), shipped_fuel_factors()["DE"])


def test_a_zone_nobody_knows(service: Any, download: Any) -> None:
    with pytest.raises(FetchError, match="404"):
        energy_charts.fetch(download, request(service, "XX"))
    assert service.paths == ["/co2eq"]


def test_busy_is_no_reason_for_the_mix(service: Any, download: Any, reply: Any) -> None:
    service.on("/co2eq", reply(429, headers={"Retry-After": "900"}))
    with pytest.raises(FetchError, match="429"):
        energy_charts.fetch(download, request(service))
    assert service.paths == ["/co2eq"]


def test_the_forecast_endpoint_may_answer_nonsense(service: Any, download: Any) -> None:
    service.on("/co2eq", CO2EQ)
    service.on("/co2eq_forecast", b"<html>")
    (series,) = energy_charts.fetch(download, request(service, forecast_from_ms=T0_S * 1000))
    assert len(series.steps) == 5


def test_the_forecast_endpoint_may_be_gone(service: Any, download: Any) -> None:
    service.on("/co2eq", CO2EQ)
    (series,) = energy_charts.fetch(download, request(service, forecast_from_ms=T0_S * 1000))
    assert len(series.steps) == 5
