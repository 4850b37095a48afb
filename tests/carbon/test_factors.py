"""The shipped factor table, and which of its factors applies to a run."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from greenai.carbon.factors import location_factor, parse_factors, shipped_factors
from greenai.core import labels
from greenai.core.errors import ConfigError

HEADER = "id,zone,year,value_g_per_kwh,gases,boundary,basis,status,source,edition,url,licence,retrieved,verified"
GOOD = "a,DE,2025,352,CO2e,generation,consumed,final,S,E,https://x,L,2026-01-01,true"


def test_every_row_of_the_table_is_read() -> None:
    text = files("greenai.carbon").joinpath("data/factors.csv").read_text(encoding="utf-8")
    factors = shipped_factors()
    assert len(factors) == len(text.splitlines()) - 1 > 60
    assert len({factor.id for factor in factors}) == len(factors)
    keys = [(f.zone, f.year, f.boundary, f.gases, f.source) for f in factors]
    assert len(set(keys)) == len(keys)
    for factor in factors:
        assert re.fullmatch(r"[A-Z]{2}|EU27|WORLD", factor.zone), factor.id
        assert 1990 <= factor.year <= 2026, factor.id
        assert 1 < factor.value_g_per_kwh < 1300, factor.id
        assert factor.boundary in labels.BOUNDARY, factor.id
        assert factor.status in labels.FACTOR_STATUS, factor.id
        assert factor.gases in ("CO2", "CO2e"), factor.id
        assert factor.url.startswith("https://"), factor.id
        assert factor.source, factor.id
        assert factor.edition, factor.id
        assert factor.licence, factor.id


def test_what_nobody_checked_says_so() -> None:
    german = [factor for factor in shipped_factors() if factor.source.startswith("Umweltbundesamt")]
    assert german
    assert not any(factor.verified for factor in german)


def test_germany_2025() -> None:
    of_year = {
        (f.boundary, f.gases): f.value_g_per_kwh
        for f in shipped_factors()
        if (f.zone, f.year) == ("DE", 2025) and f.source.startswith("Umweltbundesamt")
    }
    assert of_year == {
        ("generation", "CO2e"): 352,
        ("generation and upstream", "CO2e"): 406,
        ("generation", "CO2"): 344,
    }
    found = location_factor("DE", 2025)
    assert found is not None
    assert (found.factor.value_g_per_kwh, found.factor.boundary, found.factor.gases) == (352, "generation", "CO2e")
    assert found.upstream_g_per_kwh == pytest.approx(54)


@pytest.mark.parametrize(
    ("year", "chosen", "gases"),
    [(2023, 2023, "CO2e"), (2020, 2020, "CO2e"), (2026, 2025, "CO2e"), (9999, 2025, "CO2e"), (2019, 2019, "CO2"), (1995, 1990, "CO2")],
)  # fmt: skip
def test_the_year_of_the_run_or_the_last_before_it(year: int, chosen: int, gases: str) -> None:
    found = location_factor("DE", year)
    assert found is not None
    assert (found.factor.year, found.factor.gases, found.factor.zone) == (chosen, gases, "DE")


def test_a_run_before_every_table_gets_a_factor_that_states_its_year() -> None:
    found = location_factor("DE", 1970)
    assert found is not None
    assert found.factor.year >= 1990
    sweden = location_factor("SE", 1999)
    assert sweden is not None
    assert sweden.factor.year == 2023


def test_upstream_only_from_the_same_source_and_year() -> None:
    for year in (2020, 2021, 2022, 2023, 2024, 2025):
        found = location_factor("DE", year)
        assert found is not None
        both = next(
            f for f in shipped_factors() if (f.zone, f.year, f.boundary) == ("DE", year, "generation and upstream")
        )
        assert found.upstream_g_per_kwh == pytest.approx(both.value_g_per_kwh - found.factor.value_g_per_kwh)
    for zone, year in (("DE", 2015), ("SE", 2024)):  # CO2 alone; already inside a life-cycle figure
        found = location_factor(zone, year)
        assert found is not None
        assert found.upstream_g_per_kwh is None


@pytest.mark.parametrize(("three", "two"), [("DEU", "DE"), ("SWE", "SE"), ("USA", "US"), ("de", "DE")])
def test_three_letters_or_small_ones_mean_the_same_country(three: str, two: str) -> None:
    assert location_factor(three, 2024) == location_factor(two, 2024) is not None


def test_three_letters_need_no_extra_for_our_own_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    import pycountry

    codes = {country.alpha_2: country.alpha_3 for country in pycountry.countries}
    monkeypatch.setattr("greenai.carbon.factors._country", lambda *_: None)
    for zone in {factor.zone for factor in shipped_factors()} - {"EU27", "WORLD"}:
        assert location_factor(codes[zone], 2024) == location_factor(zone, 2024) is not None


@pytest.mark.parametrize("zone", ["", "X", "XX", "ZZZ", "DE-BY", "ATLANTIS", "EU28"])
def test_no_factor_is_made_up(zone: str) -> None:
    assert location_factor(zone, 2025) is None


def test_zones_somebody_must_choose() -> None:
    for zone in ("EU27", "WORLD"):
        found = location_factor(zone, 2026)
        assert found is not None
        assert found.factor.zone == zone


def test_the_fallback_is_labelled() -> None:
    assert not [factor for factor in shipped_factors() if factor.zone == "BR"]
    found = location_factor("BR", 2026)
    assert found is not None
    factor = found.factor
    assert "codecarbon" in factor.source
    assert str(factor.year) in factor.edition
    assert factor.year < 2026
    assert (factor.verified, factor.boundary) == (False, "lifecycle")
    assert found.upstream_g_per_kwh is None


def test_without_codecarbon_the_fallback_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenai.carbon.factors.country_mix", lambda _: None)
    assert location_factor("BR", 2026) is None
    assert location_factor("DE", 2026) is not None


@pytest.mark.parametrize(
    "bad",
    [
        "a,DE,2025",
        GOOD.replace("352", "viele"),
        GOOD.replace("2025", "20,25"),
        GOOD.replace("2025", "Jahr"),
        GOOD.replace("true", "yes"),
        GOOD.replace("true", ""),
        GOOD.replace("352", ""),
    ],
)
@pytest.mark.parametrize("before", [[], [GOOD], [GOOD, "", GOOD]])
def test_a_damaged_line_is_named(bad: str, before: list[str]) -> None:
    lines = [HEADER, *before, bad, GOOD]
    with pytest.raises(ConfigError, match=f"line {len(before) + 2}:"):
        parse_factors(lines)


def test_a_table_without_a_column() -> None:
    with pytest.raises(ConfigError, match="line 2"):
        parse_factors([HEADER.replace("zone", "country"), GOOD])


def test_an_empty_table() -> None:
    assert parse_factors([]) == parse_factors([HEADER]) == ()
