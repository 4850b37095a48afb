"""Grams and money of a run: the formula by hand, and what goes before what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.carbon.footprint import footprint, with_footprint
from greenai.core.record import JournalFacts, RunRecord, Site, Work
from greenai.core.run_energy import Energy
from greenai.core.vocabulary import RunState
from greenai.settings import Settings

KWH = 3.6e6
SETTINGS = Settings(db="sqlite://", spool=Path("/nowhere"), language="en")
RECORD = RunRecord(
    id="a", name="a", project=None, task=None, approach=None, phase=None, state=RunState.COMPLETED, exit_code=0,
    error=None, started_ms=1_760_000_000_000, ended_ms=None, duration_s=1.0, hosts=("n",), user=None, git_commit=None,
    tags={}, slurm=None, environment={}, energy=Energy(2 * KWH, KWH, 3 * KWH, 1.0, "machine", 2 * KWH, ()),
    windows=(), work=Work(0, None, None), metrics=(), incidents=(), journal=JournalFacts(1, 0, ""),
)  # fmt: skip


def test_by_hand() -> None:
    record = replace(RECORD, site=Site("DE", 1.5, 0.30, "EUR"))
    emissions, cost = footprint(record, SETTINGS)
    assert emissions.location_g == pytest.approx(2 * 1.5 * 352)
    assert emissions.upstream_g == pytest.approx(2 * 1.5 * 54)
    assert (emissions.pue, emissions.pue_assumed, emissions.reason) == (1.5, False, None)
    assert cost.amount == pytest.approx(2 * 1.5 * 0.30)
    assert cost.currency == "EUR"


@given(st.floats(1.0, 5.0))
def test_pue_acts_exactly_once(pue: float) -> None:
    plain, plain_cost = footprint(replace(RECORD, site=Site("DE", 1.0, 0.5, None)), SETTINGS)
    emissions, cost = footprint(replace(RECORD, site=Site("DE", pue, 0.5, None)), SETTINGS)
    assert plain.location_g is not None
    assert plain.upstream_g is not None
    assert plain_cost.amount is not None
    assert emissions.location_g == pytest.approx(plain.location_g * pue)
    assert emissions.upstream_g == pytest.approx(plain.upstream_g * pue)
    assert cost.amount == pytest.approx(plain_cost.amount * pue)


def test_upstream_is_not_in_the_grams() -> None:
    emissions, _ = footprint(RECORD, replace(SETTINGS, zone="DE"))
    assert emissions.location_g == pytest.approx(2 * 352)
    assert emissions.factor is not None
    assert emissions.factor.boundary == "generation"


def test_an_assumed_pue_is_marked() -> None:
    emissions, _ = footprint(RECORD, replace(SETTINGS, zone="DE"))
    assert (emissions.pue, emissions.pue_assumed) == (1.0, True)
    emissions, _ = footprint(RECORD, replace(SETTINGS, zone="DE", pue=1.0))
    assert (emissions.pue, emissions.pue_assumed) == (1.0, False)


def test_the_runs_own_site_goes_before_the_readers() -> None:
    reader = replace(SETTINGS, zone="DE", pue=1.9, electricity_price_per_kwh=0.9, currency="CHF")
    emissions, cost = footprint(replace(RECORD, site=Site("SE", 1.1, 0.1, "SEK")), reader)
    assert emissions.factor is not None
    assert (emissions.factor.zone, emissions.pue, cost.currency) == ("SE", 1.1, "SEK")
    assert cost.amount == pytest.approx(2 * 1.1 * 0.1)
    emissions, cost = footprint(RECORD, reader)
    assert emissions.factor is not None
    assert (emissions.factor.zone, emissions.pue, cost.currency) == ("DE", 1.9, "CHF")


def test_a_price_of_nothing_is_a_price() -> None:
    _, cost = footprint(
        replace(RECORD, site=Site(electricity_price_per_kwh=0.0)), replace(SETTINGS, electricity_price_per_kwh=0.4)
    )
    assert cost.amount == 0.0


def test_without_a_price_there_is_no_cost() -> None:
    assert footprint(RECORD, SETTINGS)[1].amount is None


@pytest.mark.parametrize(("zone", "word"), [(None, "config set zone"), ("ZZ", "ZZ")])
def test_without_a_factor_there_are_no_grams_but_a_reason(zone: str | None, word: str) -> None:
    emissions, _ = footprint(replace(RECORD, site=Site(zone)), SETTINGS)
    assert (emissions.location_g, emissions.upstream_g, emissions.factor) == (None, None, None)
    assert emissions.reason is not None
    assert word in emissions.reason.de
    assert word in emissions.reason.en


def test_unknown_energy_means_unknown_grams() -> None:
    record = replace(
        RECORD, energy=Energy(None, None, None, None, "machine", None, ()), site=Site("DE", 1.2, 0.3, "EUR")
    )
    emissions, cost = footprint(record, SETTINGS)
    assert (emissions.location_g, emissions.upstream_g, cost.amount) == (None, None, None)
    assert emissions.reason is not None
    assert emissions.factor is not None


def test_the_year_of_the_run_counts_in_utc() -> None:
    new_year = 1_735_689_600_000  # 2025-01-01T00:00Z
    years = []
    for started_ms in (new_year - 1, new_year):
        emissions, _ = footprint(replace(RECORD, started_ms=started_ms), replace(SETTINGS, zone="DE"))
        assert emissions.factor is not None
        years.append(emissions.factor.year)
    assert years == [2024, 2025]


def test_nothing_but_footprint_and_cost_changes() -> None:
    after = with_footprint(RECORD, replace(SETTINGS, zone="DE"))
    assert replace(after, emissions=None, cost=None) == RECORD


TABLE = (
    "zone,year,value_g_per_kwh,gases,boundary,basis,source,edition\nDE,2025,{value},CO2e,generation,consumed,U,1\n"
)


def test_the_readers_own_factors_go_first(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(TABLE.format(value=300))
    emissions, _ = footprint(RECORD, replace(SETTINGS, zone="DE", factors=tmp_path))
    assert emissions.location_g == pytest.approx(2 * 300)
    assert emissions.factor is not None
    assert emissions.factor.table == "own.csv"


def test_a_damaged_table_costs_a_run_its_grams_but_not_its_other_figures(tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text(TABLE.format(value="x"))
    emissions, cost = footprint(RECORD, replace(SETTINGS, zone="DE", factors=table, electricity_price_per_kwh=0.5))
    assert (emissions.location_g, emissions.factor) == (None, None)
    assert emissions.reason is not None
    assert str(table) in emissions.reason.en
    assert cost.amount == pytest.approx(1.0)
