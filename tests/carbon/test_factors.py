"""Which factor of the shipped tables applies to a run, and that their figures are those of their sources."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from greenai.carbon.factors import embodied, location_factor, pue, residual_factor, wue
from greenai.carbon.tables import SHIPPED, layers
from greenai.carbon.zones import alpha_2, alpha_3, nearest_zones
from greenai.core.factor_remarks import factor_remarks, period_of
from greenai.core.footprint import FactorUsed
from greenai.host.codecarbon_data import CountryMix

if TYPE_CHECKING:
    from greenai.carbon.figures import Figure

ALL = [factor for factors in layers()[0].grid.values() for factor in factors]
FIGURES = layers()[0].figures
TODAY = date(2026, 11, 22)


def chosen(zone: str, year: int) -> FactorUsed:
    found = location_factor(zone, date(year, 6, 1))
    assert found is not None
    return found.factor


def test_every_line_of_every_table_is_read_and_says_where_it_comes_from() -> None:
    lines = sum(len(file.read_text(encoding="utf-8").splitlines()) - 1 for file in SHIPPED.glob("*.csv"))
    assert len(ALL) + len(FIGURES) == lines > 2200
    assert len({factor.id for factor in ALL}) == len(ALL)
    for factor in ALL:
        assert re.fullmatch(r"[A-Z]{2}|EU27|WORLD", factor.zone), factor.id
        assert 10 < factor.value_g_per_kwh < 1310, factor.id
        assert factor.url.startswith("https://"), factor.id
        assert factor.attribution, factor.id
        assert factor.licence, factor.id
    for figure in FIGURES:
        assert figure.licence, figure.id
        assert figure.url.startswith("https://") or figure.source.startswith("greenai: "), figure.id
        assert not figure.verified, figure.id
    entries: list[FactorUsed | Figure] = [*ALL, *FIGURES]
    assert {(entry.retrieved or "")[:4] for entry in entries} == {"2026"}
    assert all(re.fullmatch(r"[0-9a-f]{64}", entry.sha256 or "") for entry in entries)


def test_enough_of_the_world() -> None:
    zones = {factor.zone for factor in ALL if factor.method == "average"}
    assert {"EU27", "WORLD", "XK"} < zones
    assert len(zones) > 200
    for zone in zones - {"EU27", "WORLD"}:
        three = alpha_3(zone)
        assert three is not None
        assert alpha_2(three) == zone
        assert chosen(three, 2024) == chosen(zone, 2024)


@pytest.mark.parametrize(
    ("year", "co2", "co2e", "with_upstream", "status"),
    [
        (2020, 365, 373, 435, "final"), (2021, 406, 414, 477, "final"), (2022, 433, 441, 503, "final"),
        (2023, 379, 387, 442, "final"), (2024, 353, 361, 414, "preliminary"), (2025, 344, 352, 406, "estimate"),
    ],
)  # fmt: skip
def test_germany(year: int, co2: float, co2e: float, with_upstream: float, status: str) -> None:
    """Umweltbundesamt, Climate Change 16/2026, table 2."""
    of_year = [factor for factor in ALL if (factor.table, factor.year) == ("uba-2026.csv", year)]
    assert {(factor.boundary, factor.gases): factor.value_g_per_kwh for factor in of_year} == {
        ("generation", "CO2"): co2,
        ("generation", "CO2e"): co2e,
        ("generation and upstream", "CO2e"): with_upstream,
    }
    found = location_factor("DE", date(year, 12, 31))
    assert found is not None
    assert (found.factor.value_g_per_kwh, found.factor.status) == (co2e, status)
    assert found.upstream_g_per_kwh == pytest.approx(with_upstream - co2e)
    assert not any(factor.verified for factor in of_year)


EARLIER_YEARS = {
    1990: 765, 2006: 608, 2007: 626, 2008: 582, 2009: 571, 2010: 559, 2011: 570, 2012: 572, 2013: 572, 2014: 559,
    2015: 529, 2016: 524, 2017: 490, 2018: 473, 2019: 409,
}  # fmt: skip


def test_germany_before_2020_has_co2_alone() -> None:
    assert {year: chosen("DE", year).value_g_per_kwh for year in EARLIER_YEARS} == EARLIER_YEARS
    assert {chosen("DE", year).gases for year in EARLIER_YEARS} == {"CO2"}
    found = location_factor("DE", date(2015, 1, 1))
    assert found is not None
    assert found.upstream_g_per_kwh is None


def test_the_edition_before_is_kept_and_not_in_force() -> None:
    before = {factor.year: factor.value_g_per_kwh for factor in ALL if factor.edition == "Climate Change 13/2025"}
    assert before == {2023: 386, 2024: 363}
    assert {chosen("DE", year).edition for year in before} == {"Climate Change 16/2026, Tabelle 2"}


COUNTRIES = {
    "DE": (371.3, 344.1), "FR": (55.3, 44.2), "NL": (268.7, 253.3), "EU27": (237.5, 213.3), "AT": (111.6, 102.6),
    "BE": (134.9, 117.6), "WORLD": (484.4, 473.0), "CH": (38.0, 36.6), "LU": (122.3, 134.6), "PL": (655.3, 615.0),
    "CZ": (442.6, 413.9), "DK": (149.8, 143.3), "SE": (38.4, 35.8), "NO": (30.5, 30.7), "FI": (81.4, 72.2),
    "IT": (323.4, 287.5), "ES": (169.3, 146.2), "IE": (283.8, 279.7), "GB": (228.2, 210.9), "US": (392.8, 383.5),
    "IN": (713.0, 708.3), "CN": (583.6, 559.6), "JP": (493.6, 482.3), "CA": (165.1, 174.8),
}  # fmt: skip


def test_countries_of_the_2025_vintage() -> None:
    found = {(f.zone, f.year): f.value_g_per_kwh for f in ALL if f.table == "ember-owid-2025.csv"}
    assert found == {(zone, 2023 + i): values[i] for zone, values in COUNTRIES.items() for i in (0, 1)}


@pytest.mark.parametrize("zone", sorted(COUNTRIES))
def test_the_2026_vintage_revises_the_2025_vintage_by_little(zone: str) -> None:
    newer = {f.year: f.value_g_per_kwh for f in ALL if (f.zone, f.table) == (zone, "ember-owid-2026.csv")}
    for year, before in zip((2023, 2024), COUNTRIES[zone], strict=True):
        assert newer[year] == pytest.approx(before, rel=0.1)
    assert chosen(zone, 2024).table == ("uba-2026.csv" if zone == "DE" else "ember-owid-2026.csv")


@pytest.mark.parametrize(
    ("year", "taken", "gases"),
    [(2023, 2023, "CO2e"), (2020, 2020, "CO2e"), (2026, 2025, "CO2e"), (9999, 2025, "CO2e"), (2019, 2019, "CO2"), (1995, 1990, "CO2"), (1970, 1990, "CO2")],
)  # fmt: skip
def test_the_year_of_the_run_or_the_last_before_it(year: int, taken: int, gases: str) -> None:
    factor = chosen("DE", year)
    assert (factor.year, factor.gases, factor.zone) == (taken, gases, "DE")
    said = [remark.en for remark in factor_remarks(factor, date(year, 6, 1))]
    assert any(str(taken) in remark and "taken" in remark for remark in said) is (taken != year)


def test_what_the_choice_means_is_said() -> None:
    sweden = chosen("SE", 1999)
    assert period_of(sweden) == "2015"
    said = " ".join(remark.en for remark in factor_remarks(sweden, date(1999, 1, 1)))
    assert "earliest is taken (2015)" in said
    assert "fuel supply" in said
    assert "generated, not consumed" in said
    assert factor_remarks(chosen("DE", 2025), date(2025, 3, 1)) == ()
    assert "CO2 only" in factor_remarks(chosen("DE", 2015), date(2015, 3, 1))[0].en


def test_days_are_written_as_one_reads_them() -> None:
    of_months = replace(chosen("DE", 2025), first_day="2025-01-01", last_day="2025-06-30")
    (remark,) = factor_remarks(of_months, TODAY)
    assert remark.de.startswith("Für 22.11.2026 gibt es")
    assert "(01.01.2025–30.06.2025)" in remark.de
    assert "for 2026-11-22" in remark.en
    assert "(2025-01-01–2025-06-30)" in remark.en


def test_a_life_cycle_figure_has_no_upstream_beside_it() -> None:
    found = location_factor("SE", TODAY)
    assert found is not None
    assert found.upstream_g_per_kwh is None


@pytest.mark.parametrize(
    ("written", "means"), [("DEU", "DE"), ("SWE", "SE"), ("UK", "GB"), ("de", "DE"), ("gbr", "GB")]
)
def test_spellings_of_a_country(written: str, means: str) -> None:
    assert chosen(written, 2024) == chosen(means, 2024)


@pytest.mark.parametrize("zone", ["", "X", "XX", "ZZZ", "DE-BY", "ATLANTIS", "EU28"])
def test_no_factor_is_made_up(zone: str) -> None:
    assert location_factor(zone, TODAY) is None
    assert residual_factor(zone, TODAY) is None


@pytest.mark.parametrize(
    ("written", "meant"), [("germany", "DE (Germany)"), ("Swedn", "SE (Sweden)"), ("DEE", "DE (Germany)"), ("deu", "DE (Germany)")]
)  # fmt: skip
def test_who_is_near(written: str, meant: str) -> None:
    assert meant in nearest_zones(written)


def test_nobody_is_near_nonsense() -> None:
    assert nearest_zones("4711") == []


@pytest.fixture
def unknown_zone(monkeypatch: pytest.MonkeyPatch) -> str:
    """A zone that only codecarbon may have."""
    location_factor.cache_clear()
    monkeypatch.setattr("greenai.carbon.factors.alpha_3", lambda _: "ESH")
    return "EH"


def test_the_fallback_is_labelled(unknown_zone: str) -> None:
    found = location_factor(unknown_zone, TODAY)
    location_factor.cache_clear()
    assert found is not None
    factor = found.factor
    assert "codecarbon" in factor.source
    assert str(factor.year) in factor.edition
    assert (factor.verified, factor.boundary, factor.table) == (False, "lifecycle", None)
    assert found.upstream_g_per_kwh is None


@pytest.mark.parametrize("mix", [None, CountryMix("Nowhere", 0.0, 2023)])
def test_no_fallback_and_a_fallback_of_nothing_are_unknown(
    unknown_zone: str, monkeypatch: pytest.MonkeyPatch, mix: CountryMix | None
) -> None:
    monkeypatch.setattr("greenai.carbon.factors.country_mix", lambda _: mix)
    found = location_factor(unknown_zone, TODAY)
    location_factor.cache_clear()
    assert found is None


def test_residual_mixes() -> None:
    germany, italy = residual_factor("DE", TODAY), residual_factor("ITA", TODAY)
    assert germany is not None
    assert italy is not None
    assert (germany.value_g_per_kwh, germany.year, germany.gases, germany.verified) == (724.56, 2024, "CO2", False)
    assert (italy.value_g_per_kwh, italy.year) == (420.2, 2025)
    of_2024 = residual_factor("IT", date(2024, 6, 1))
    assert of_2024 is not None
    assert of_2024.value_g_per_kwh == 441.2
    for zone in ("AT", "NL", "CH", "FR"):
        assert residual_factor(zone, TODAY) is None
    assert chosen("DE", 2026) != germany


@pytest.mark.parametrize(
    ("device", "figure"),
    [
        ("NVIDIA A100-SXM4-40GB", (127.6, 127.6, 273, 4)), ("NVIDIA A100-SXM4-80GB", None), ("NVIDIA A100-PCIE-40GB", None),
        ("NVIDIA H100 80GB HBM3", (164, 164, 575, 4)), ("NVIDIA H100 PCIe", None), ("NVIDIA B200", (284.25, None, None, 4)),
        ("NVIDIA GB200", None), ("NVIDIA GH200 120GB", (340, 300, 750, 4)), ("NVIDIA GH200 480GB", None),
        ("server", (3660, 1000, 4320, 4)), ("laptop", (181, 150, 350, 4)), ("desktop", (277, None, None, 6)),
        ("gh200-host-share", (90, None, None, 4)), ("host-8gpu", (5700, None, None, 4)), ("", None), ("toaster", None),
    ],
)  # fmt: skip
def test_embodied_figures_only_of_the_very_device(device: str, figure: tuple[float | None, ...] | None) -> None:
    found = embodied(device)
    assert (found and (found.value, found.low, found.high, found.lifetime_years)) == figure


def test_pue_and_water() -> None:
    values = {
        year: getattr(pue("survey", date(year, 5, 1)), "value", None)
        for year in (2020, 2023, 2024, 2025, 2026, 2027)
    }
    assert values == {2020: 1.58, 2023: 1.58, 2024: 1.56, 2025: 1.54, 2026: 1.52, 2027: 1.52}
    room = pue("server-room", TODAY)
    assert room is not None
    assert (room.low, room.value, room.high, room.status) == (1.4, 1.8, 2.5, "estimate")
    grid, cloud = wue("DE", TODAY), wue("cloud", TODAY)
    assert grid is not None
    assert cloud is not None
    assert (grid.value, grid.unit) == (1.947, "l/kWh")
    assert (cloud.low, cloud.value, cloud.high) == (0.09, None, 0.99)
    assert pue("moon", TODAY) is wue("moon", TODAY) is None


def test_a_factor_of_an_older_record_is_read() -> None:
    old = FactorUsed("f", "DE", 352.0, 2025, "s", "e", "u", "l", "generation", "CO2e", "consumed", "final", True)
    assert (old.first_day, old.method, old.sha256) == (None, None, None)
    assert period_of(old) == "2025"
    assert factor_remarks(old, date(2025, 1, 1)) == ()
    assert "latest before it" in factor_remarks(old, date(2026, 1, 1))[0].en


def test_without_own_tables_there_is_one_layer() -> None:
    assert [layer.folder for layer in layers()] == [Path(SHIPPED)]
