"""Sums over runs know what their parts count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from greenai.analysis.totals import totals
from greenai.core.account import account
from greenai.core.footprint import Emissions, FactorUsed, MarketPart
from greenai.journal.reader import read_run

GERMAN = FactorUsed(
    id="de", zone="DE", value_g_per_kwh=352.0, year=2025, source="s", edition="e", url="", licence="",
    boundary="generation", gases="CO2", basis="consumed", status="final", verified=True,
)  # fmt: skip
FRENCH = replace(GERMAN, id="fr", zone="FR", boundary="lifecycle", gases="CO2e")
CONTRACT = MarketPart("utility", "supplier", 2.0, 100.0, "CO2", "bill")
RESIDUAL = MarketPart("aib-fr", "residual", 1.0, 30.0, "CO2e", "AIB", "lifecycle", 2024, verified=True)


def test_what_the_parts_of_a_sum_count(journals: Any) -> None:
    record = account(read_run(journals.run("aaaa0001"))).record
    direct = Emissions(10.0, None, 1.0, True, GERMAN, market=(CONTRACT,))
    life_cycle = Emissions(5.0, None, 1.0, True, FRENCH, market=(CONTRACT, RESIDUAL))
    unknown = Emissions(None, None, 1.0, True, None)
    one = totals([replace(record, emissions=direct)])
    assert (one.location_gases, one.location_boundaries) == (("CO2",), ("generation",))
    assert (one.market_g, one.market_gases, one.market_boundaries) == (200.0, ("CO2",), ("generation",))
    found = totals([replace(record, emissions=each) for each in (direct, life_cycle, unknown, None)])
    assert (found.location_g, found.market_g, found.runs_without_market) == (15.0, 430.0, 2)
    assert (found.location_gases, found.location_boundaries) == (("CO2", "CO2e"), ("generation", "lifecycle"))
    assert (found.market_gases, found.market_boundaries) == (("CO2", "CO2e"), ("generation", "lifecycle"))
    none = totals([replace(record, emissions=unknown)])
    assert (none.market_g, none.location_gases, none.market_gases, none.runs_without_market) == (None, (), (), 1)
