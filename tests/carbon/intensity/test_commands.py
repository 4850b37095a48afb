"""``greenai factors fetch`` and ``greenai when`` from end to end, against a server on this machine."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from greenai.carbon.intensity import electricity_maps, energy_charts, services, smard, uk_carbon_intensity
from greenai.carbon.intensity.cache import IntensityCache
from greenai.cli.commands import factors_fetch, when
from greenai.cli.main import run
from greenai.host import this_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

H = 3_600_000
NOW_S = 1_795_000_000  # 18 November 2026, 11:06:40 UTC


class _Clock:
    def __init__(self) -> None:
        self.now_ns = NOW_S * 1_000_000_000

    def wall_ns(self) -> int:
        return self.now_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    host = replace(this_host(), clock=clock)  # type: ignore[arg-type]  # nothing else of a clock is asked
    for module in (factors_fetch, when):
        monkeypatch.setattr(module, "this_host", lambda: host)
    return clock


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    service: Any,
    waits: list[float],
    clock: _Clock,
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line; every service is the one on this machine."""
    monkeypatch.setattr(factors_fetch, "sleep", waits.append)
    real = services.service

    def local(name: str) -> Any:
        return lambda download, request: real(name)(
            replace(download, wall_ns=clock.wall_ns), replace(request, base_url=service.url)
        )

    monkeypatch.setattr(factors_fetch, "service", local)

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(list(arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(autouse=True)
def in_berlin() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def forecast(first_hour: int = -2, *values: float | None) -> dict[str, Any]:
    """Hours from the last full one on; the grid is cleanest five hours ahead."""
    begin = NOW_S // 3600 * 3600
    found = values or tuple(500.0 - 40 * max(0, 5 - abs(n - 5)) for n in range(48))
    seconds = [begin + (first_hour + n) * 3600 for n in range(len(found))]
    nothing = [None] * len(found)
    return {"unix_seconds": seconds, "co2eq": nothing, "co2eq_forecast": list(found), "deprecated": False}


def test_the_names_of_the_services_are_those_of_their_modules() -> None:
    modules = (energy_charts, smard, electricity_maps, uk_carbon_intensity)
    assert {module.NAME for module in modules} == set(services.service_names())
    for module in modules:
        assert services.service(module.NAME) is module.fetch
    assert services.default_service("GB") == uk_carbon_intensity.NAME
    assert services.default_service("DE") == energy_charts.NAME


def test_fetch_then_when(cli: Any, service: Any) -> None:
    service.on("/co2eq", forecast())
    code, out, err = cli("factors", "fetch", "--zone", "DEU", "--forecast")
    assert (code, out) == (0, "")
    assert "energy-charts, DE: 48 steps from 2026-11-18 10:00 CET" in err
    assert "CC BY 4.0" in err
    assert "unverified" in err
    asked = len(service.asked)

    code, out, err = cli("when", "--duration", "2h", "--zone", "DE")
    # Value n holds from hour 9 UTC + n; lowest is n = 5 (14 to 15 UTC); both neighbours are equal, the earlier wins.
    assert (code, out) == (0, "2026-11-18T14:00:00\n")
    assert "320 g/kWh on average" in err
    assert "average (not marginal)" in err
    assert "Fraunhofer ISE" in err
    assert "100% of the best run are forecast" in err
    assert len(service.asked) == asked  # offline


def test_when_as_json(cli: Any, service: Any, clock: _Clock) -> None:
    service.on("/co2eq", forecast())
    cli("factors", "fetch", "--zone", "DE", "--forecast")
    clock.now_ns += 13 * 3600 * 1_000_000_000
    code, out, err = cli("when", "--duration", "30m", "--zone", "DE", "--json")
    data = json.loads(out)
    assert code == 0
    assert "older than 12 hours" in err
    assert data["start_utc"] == "2026-11-19T00:06:40Z"
    assert data["start_local"] == "2026-11-19T01:06:40"
    assert (data["mean_g_per_kwh"], data["now_mean_g_per_kwh"], data["below_now_share"]) == (500, 500, 0)
    assert (data["signal"], data["service"], data["gases"]) == ("average", "energy-charts", "CO2e")
    assert data["age_s"] == 13 * 3600
    assert data["fetched_utc"] == "2026-11-18T11:06:40Z"
    assert data["known_until_utc"] == "2026-11-20T09:00:00Z"
    assert "Only runs that end by 2026-11-20 10:00 CET" in err


def test_the_deadline_is_when_the_run_must_be_done(cli: Any, service: Any) -> None:
    service.on("/co2eq", forecast())
    cli("factors", "fetch", "--zone", "DE", "--forecast")
    _, out, _ = cli("when", "--duration", "1h", "--zone", "DE")
    assert out == "2026-11-18T15:00:00\n"
    _, out, _ = cli("when", "--duration", "1h", "--zone", "DE", "--deadline", "2026-11-18T15:30")
    assert out == "2026-11-18T14:30:00\n"
    _, out, _ = cli("when", "--duration", "1h", "--zone", "DE", "--deadline", "2026-11-18T14:30Z")
    assert out == "2026-11-18T14:30:00\n"
    code, out, err = cli("when", "--duration", "6h", "--zone", "DE", "--deadline", "2026-11-18T15:30")
    assert (code, out) == (2, "")
    assert "cannot be done by 2026-11-18 15:30 CET" in err


def test_without_a_forecast_the_command_to_type_is_told(cli: Any, service: Any) -> None:
    code, out, err = cli("when", "--duration", "6h", "--zone", "DE")
    assert (code, out) == (1, "")
    assert "greenai factors fetch --zone DE --forecast" in err
    service.on("/co2eq", forecast(-2, 300.0, 300.0, 300.0, 300.0))
    cli("factors", "fetch", "--zone", "DE", "--forecast")
    code, _, err = cli("when", "--duration", "6h", "--zone", "DE")
    assert code == 1
    assert "known until 2026-11-18 14:00 CET" in err
    code, _, err = cli("when", "--duration", "6h", "--zone", "FR", "--source", "electricity-maps")
    assert "greenai factors fetch --zone FR --forecast --source electricity-maps" in err


def test_a_damaged_file_is_named_and_the_rest_is_used(cli: Any, service: Any) -> None:
    service.on("/co2eq", forecast())
    cli("factors", "fetch", "--zone", "DE", "--forecast")
    folder = IntensityCache.of_user(this_host().environ).folder / "energy-charts" / "DE"
    (folder / "20261118T0000Z_20261120T0000Z_1795000000000_abababab.json").write_text("{", encoding="utf-8")
    code, out, err = cli("when", "--duration", "2h", "--zone", "DE")
    assert (code, out) == (0, "2026-11-18T14:00:00\n")
    assert "damaged" in err
    assert "abababab.json" in err


def test_sources_are_never_mixed(cli: Any, service: Any, clock: _Clock, tmp_path: Path) -> None:
    service.on("/co2eq", forecast())
    cli("factors", "fetch", "--zone", "DE", "--forecast")
    clock.now_ns += 60 * 1_000_000_000
    file = tmp_path / "mine.csv"
    file.write_text(
        "start_utc,g_per_kwh\n2026-11-18T11:00,90\n2026-11-18T20:00,10\n2026-11-19T05:00,90\n", "utf-8"
    )
    code, _, err = cli("factors", "fetch", "--zone", "DE", "--source", "csv", "--file", str(file))
    assert (code, "csv, DE: 3 steps" in err) == (0, True)
    assert cli("when", "--duration", "2h", "--zone", "DE")[1] == "2026-11-18T21:00:00\n"
    assert (
        cli("when", "--duration", "2h", "--zone", "DE", "--source", "energy-charts")[1] == "2026-11-18T14:00:00\n"
    )


def test_what_means_something_else_is_not_compared(cli: Any, tmp_path: Path, clock: _Clock) -> None:
    file = tmp_path / "mine.csv"
    for gases, boundary, hours, value in (
        ("CO2e", "lifecycle", (11, 12, 13), 400),
        ("CO2", "generation", (14, 15, 16), 50),
    ):
        lines = [f"2026-11-18T{hour}:00Z,{value},{gases},{boundary},S" for hour in hours]
        file.write_text("\n".join(["start,g_per_kwh,gases,boundary,source", *lines, ""]), "utf-8")
        assert cli("factors", "fetch", "--zone", "DE", "--source", "csv", "--file", str(file))[0] == 0
        clock.now_ns += 1_000_000_000
    code, out, _ = cli("when", "--duration", "1h", "--zone", "DE", "--json")
    found = json.loads(out)
    assert (code, found["gases"], found["boundary"]) == (0, "CO2", "generation")
    assert (found["mean_g_per_kwh"], found["worst_mean_g_per_kwh"]) == (50, 50)
    assert (found["now_mean_g_per_kwh"], found["below_now_share"]) == (None, None)


def test_a_local_time_that_is_there_twice(cli: Any, clock: _Clock, tmp_path: Path) -> None:
    clock.now_ns = 1_792_880_000 * 1_000_000_000  # 24 October 2026, 22:13 UTC; the clocks go back at 1:00 UTC
    file = tmp_path / "mine.csv"
    file.write_text(
        "start_utc,g_per_kwh\n2026-10-24T22:00,90\n2026-10-25T01:00,10\n2026-10-25T04:00,90\n", "utf-8"
    )
    cli("factors", "fetch", "--zone", "DE", "--source", "csv", "--file", str(file))
    code, out, err = cli("when", "--duration", "1h", "--zone", "DE")
    assert (code, out) == (0, "2026-10-25T02:00:00\n")
    assert "there twice" in err
    assert "2026-10-25T01:00:00Z" in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["factors", "fetch"], 2, ["Which zone", "--zone DE"]),
        (["when", "--duration", "6h"], 2, ["Which zone", "--zone DE"]),
        (["factors", "fetch", "--zone", "DE", "--source", "csv"], 2, ["needs a file", "--file FILE"]),
        (["factors", "fetch", "--zone", "DE", "--file", "x"], 2, ["--source csv"]),
        (["factors", "fetch", "--zone", "DE", "--source", "csv", "--file", "/no/such"], 2, ["/no/such", "No such file"]),
        (["factors", "fetch", "--zone", "DE", "--source", "csv", "--file", "x", "--forecast"], 2, ["--forecast"]),
        (["factors", "fetch", "--zone", "DE", "--from", "2026-11-18", "--to", "2026-11-01"], 2, ["366 days"]),
        (["factors", "fetch", "--zone", "DE", "--from", "2020-11-18"], 2, ["366 days"]),
        (["factors", "fetch", "--zone", "DE", "--from", "yesterday"], 2, ["--from", "2026-11-22T18:00"]),
        (["factors", "fetch", "--zone", "DE", "--source", "oracle"], 2, ["energy-charts | smard"]),
        (["factors", "fetch", "--zone", "DE"], 1, ["404"]),
        (["factors", "fetch", "--zone", "FR", "--source", "smard"], 1, ["DE only"]),
        (["factors", "fetch", "--zone", "DE", "--source", "electricity-maps"], 1, ["electricity_maps_token"]),
        (["when", "--zone", "DE"], 2, ["--duration"]),
        *((["when", "--zone", "DE", "--duration", bad], 2, ["6h, 90m"]) for bad in ("", "0h", "-1h", "soon", "1e3s", "9" * 30 + "h", "400d", "6")),
        (["when", "--zone", "DE", "--duration", "6h", "--deadline", "soon"], 2, ["--deadline", "local"]),
    ],
)  # fmt: skip
def test_what_does_not_work_says_what_would(cli: Any, arguments: list[str], code: int, words: list[str]) -> None:
    got, out, err = cli(*arguments)
    assert (got, out) == (code, "")
    for word in words:
        assert word in err
    assert "Traceback" not in err


def test_waiting_is_told(cli: Any, service: Any, reply: Any, waits: list[float]) -> None:
    good = reply(body=json.dumps(forecast()).encode())
    service.on("/co2eq", reply(429, headers={"Retry-After": "33"}), good)
    code, _, err = cli("factors", "fetch", "--zone", "DE")
    assert (code, waits) == (0, [33.0])
    assert "next try in 33 s" in err


def test_nothing_is_kept_of_a_fetch_that_fails_halfway(
    cli: Any, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENAI_ELECTRICITY_MAPS_TOKEN", "t0k3n")
    service.on("/v4/carbon-intensity/past-range", {"zone": "DE", "data": []}, b"<html>")
    code, _, err = cli(
        "factors",
        "fetch",
        "--zone",
        "DE",
        "--source",
        "electricity-maps",
        "--from",
        "2026-10-01",
        "--to",
        "2026-11-01",
    )
    assert code == 1
    assert "t0k3n" not in err
    assert not IntensityCache.of_user(this_host().environ).folder.exists()


@pytest.mark.parametrize(
    ("said", "hours"),
    [("6h", 6), ("90m", 1.5), ("1d12h", 36), ("06:00:00", 6), ("1-00:30:00", 24.5), ("3600s", 1)],
)
def test_durations(said: str, hours: float) -> None:
    from greenai.cli.moments import Duration

    assert Duration().convert(said, None, None) == hours * H
