"""The derivation in docs/carbon.md is what the program computes, from the file that stands there."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from greenai.carbon.footprint import footprint
from greenai.core.record import Site
from greenai.core.run_energy import Energy

from .test_footprint import RECORD, SETTINGS

if TYPE_CHECKING:
    from greenai.core.record import RunRecord
    from greenai.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "carbon.md").read_text(encoding="utf-8")


def on_the_page(pattern: str) -> float:
    found = re.search(pattern, PAGE)
    assert found is not None, pattern
    return float(found[1].replace(",", ""))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    path = tmp_path / "electricity.toml"
    path.write_text(found[1])
    return replace(SETTINGS, zone="DE", pue=1.2, wue=0.2, machine_owner="own", machine="server", electricity=path)


@pytest.fixture
def record() -> RunRecord:
    begin, end = (int(datetime(2026, 8, 3, hour, tzinfo=UTC).timestamp() * 1000) for hour in (10, 12))
    energy = Energy(36e6, 36e6, 36e6, 1.0, "machine", 36e6, ())
    return replace(RECORD, started_ms=begin, ended_ms=end, duration_s=7200.0, energy=energy)


def test_the_figures_on_the_page(record: RunRecord, settings: Settings) -> None:
    emissions, cost = footprint(record, settings)
    assert emissions.location_g == pytest.approx(on_the_page(r"= \*\*([\d,]+) g CO2e\*\*\. It is scope 2"))
    assert emissions.upstream_g == pytest.approx(on_the_page(r"g/kWh = \*\*(\d+) g CO2e\*\*\."))
    assert emissions.market_g == pytest.approx(on_the_page(r"\*\*market-based\*\* .* \*\*(\d+)\*\* \|"))
    assert cost.amount == pytest.approx(on_the_page(r"= \*\*([\d.]+) EUR\*\*"))
    assert cost.currency == "EUR"
    assert emissions.scope == "scope_2"
    assert emissions.embodied_g == pytest.approx(on_the_page(r"35,040 h = \*\*([\d.]+) g\*\*"), abs=0.05)
    assert emissions.embodied_low_g == pytest.approx(on_the_page(r"\(([\d.]+) to [\d.]+ g\)\. It is"), abs=0.05)
    assert emissions.embodied_high_g == pytest.approx(on_the_page(r"\([\d.]+ to ([\d.]+) g\)\. It is"), abs=0.05)
    per_document = on_the_page(r"= \*\*([\d.]+) g\*\* CO2e per document")
    assert emissions.sci_g_per_unit(1000) == pytest.approx(per_document, abs=0.0005)
    assert emissions.water_l == pytest.approx(on_the_page(r"= \*\*([\d.]+) l\*\*"))
    rows = re.findall(r"^\| ([\w ]+) \| \d+ % \| (\d+) \| (\d+)[^|]* \| (\d+) \|$", PAGE, re.MULTILINE)
    assert [part.name for part in emissions.market] == [name for name, *_ in rows]
    shown = [(float(kwh), float(each), float(grams)) for _, kwh, each, grams in rows]
    found = [(part.kwh, part.g_per_kwh, part.kwh * part.g_per_kwh) for part in emissions.market]
    assert [value for row in found for value in row] == pytest.approx([value for row in shown for value in row])
    assert len(rows) == 3


def test_a_rented_machine_has_other_contracts(record: RunRecord, settings: Settings) -> None:
    emissions, cost = footprint(replace(record, site=Site(machine_owner="rented")), settings)
    assert (emissions.scope, emissions.market_g, emissions.market) == ("scope_3_1", None, ())
    assert emissions.market_reason is not None
    assert "rented" in emissions.market_reason.en
    assert emissions.location_g == pytest.approx(4224)
    assert cost.amount is None


def test_contracts_of_another_grid_do_not_count(record: RunRecord, settings: Settings) -> None:
    emissions, _ = footprint(replace(record, site=Site("FR")), settings)
    assert emissions.market_g is None
    assert emissions.market_reason is not None
    assert "FR" in emissions.market_reason.de


def test_a_wrong_file_costs_the_run_nothing_else(record: RunRecord, settings: Settings) -> None:
    assert settings.electricity is not None
    settings.electricity.write_text("[[contract]]\nname = 3\n")
    emissions, _ = footprint(record, settings)
    assert emissions.location_g == pytest.approx(4224)
    assert emissions.market_g is None
    assert emissions.market_reason is not None
    assert "line 2" in emissions.market_reason.en


def test_with_a_wrong_file_the_price_is_not_known_either(record: RunRecord, settings: Settings) -> None:
    assert settings.electricity is not None
    settings.electricity.write_text("[[price]]\n")
    assert footprint(record, replace(settings, electricity_price_per_kwh=0.5))[1].amount is None


@pytest.mark.parametrize(("ours", "there"), [("DE", "DEU"), ("DEU", "DE"), ("DE", None), ("DE", "DE")])
def test_a_zone_has_two_spellings(record: RunRecord, settings: Settings, ours: str, there: str | None) -> None:
    emissions, _ = footprint(replace(record, site=Site(there)), replace(settings, zone=ours))
    assert emissions.market_g == pytest.approx(630)
    assert emissions.water_l == pytest.approx(25.364)


@pytest.mark.parametrize("there", ["SE", "DE", None])
def test_without_a_zone_of_the_site_its_contracts_hold_nowhere(
    record: RunRecord, settings: Settings, there: str | None
) -> None:
    emissions, cost = footprint(replace(record, site=Site(there)), replace(settings, zone=None))
    assert (emissions.market_g, cost.amount) == (None, None)
    assert emissions.market_reason is not None
    assert "config set zone" in emissions.market_reason.en


def test_nothing_said_is_unknown(record: RunRecord) -> None:
    emissions, _ = footprint(record, replace(SETTINGS, zone="DE"))
    assert (emissions.market_g, emissions.scope) == (None, None)
    assert emissions.market_reason is not None


def test_the_fixed_price_is_for_days_without_one(record: RunRecord, settings: Settings) -> None:
    later = int(datetime(2027, 3, 1, tzinfo=UTC).timestamp() * 1000)
    run = replace(record, started_ms=later, ended_ms=later + 1000)
    assert footprint(run, settings)[1].amount is None
    dated = replace(settings, electricity_price_per_kwh=0.5)
    assert footprint(run, dated)[1].amount == pytest.approx(6.0)
    assert footprint(record, dated)[1].amount == pytest.approx(3.24)
    new_year = int(datetime(2026, 12, 31, 12, tzinfo=UTC).timestamp() * 1000)
    half = replace(record, started_ms=new_year, ended_ms=new_year + 86_400_000)
    assert footprint(half, dated)[1].amount == pytest.approx(6 * 0.27 + 6 * 0.5)
    assert footprint(half, replace(dated, currency="CHF"))[1].amount is None  # half in euros, half in francs


def test_what_no_contract_covers_is_of_the_residual_mix(record: RunRecord, settings: Settings) -> None:
    assert settings.electricity is not None
    text = settings.electricity.read_text()
    settings.electricity.write_text(text[: text.index('[[contract]]\nname = "municipal')])
    *_, last = footprint(record, settings)[0].market
    assert (last.instrument, last.gases, last.verified, last.year) == ("residual", "CO2", False, 2024)
    assert last.g_per_kwh == pytest.approx(on_the_page(r"2024: ([\d.]+) g CO2/kWh, AIB"))
    assert last.kwh == pytest.approx(3)


def test_water_needs_both_figures(record: RunRecord, settings: Settings) -> None:
    assert footprint(record, replace(settings, wue=None))[0].water_l is None
    assert footprint(record, replace(settings, zone="FR"))[0].water_l is None  # the grid's is not known
    dry = footprint(record, replace(settings, wue=0.0))[0]
    assert dry.water_l == pytest.approx(12 * 1.947)
    assert dry.water is not None
    assert not dry.water.verified


def test_unknown_energy_is_unknown_by_contract_as_well(record: RunRecord, settings: Settings) -> None:
    unknown = replace(record, energy=Energy(None, None, None, None, "machine", None, ()))
    emissions, cost = footprint(unknown, settings)
    assert (emissions.market_g, cost.amount) == (None, None)
    assert emissions.market_reason == emissions.reason
