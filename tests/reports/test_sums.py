"""Sums say what their parts count, and the market-based figure stands beside the location-based one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from greenai.core.channel import Quality
from greenai.core.footprint import MarketPart
from greenai.core.text import LANGUAGES
from greenai_reports import html, pdf
from greenai_reports import json as report_json
from greenai_reports.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.record import RunRecord
    from greenai.core.run_energy import ChannelEnergy
    from greenai.core.views import ReportView

PARTS = (
    MarketPart("roof", "own_generation", 1.0, 0.0, "CO2e", "meter"),
    MarketPart("utility", "supplier", 3.0, 210.0, "CO2", "bill"),
    MarketPart("aib-de", "residual", 1.0, 600.0, "CO2", "AIB", "generation", 2024, True),
)


@pytest.fixture
def mixed_view(
    make_view: Callable[..., ReportView],
    make_record: Callable[..., RunRecord],
    make_channel: Callable[..., ChannelEnergy],
    typical_view: ReportView,
) -> ReportView:
    """German CO2e, Polish CO2 and French life cycle; the first under contracts."""
    emissions = typical_view.records[0].emissions
    assert emissions is not None
    german = emissions.factor
    assert german is not None
    polish = replace(german, id="pl", zone="PL", gases="CO2", value_g_per_kwh=800.0)
    french = replace(german, id="fr", zone="FR", boundary="lifecycle", value_g_per_kwh=40.0)
    channels = (make_channel(3.6e6, Quality.MEASURED, "cpu"),)
    runs = [
        make_record(number, factor.zone, channels, factor=factor)
        for number, factor in enumerate((german, polish, french))
    ]
    known = runs[0].emissions
    assert known is not None
    return make_view([replace(runs[0], emissions=replace(known, market=PARTS)), *runs[1:]])


def test_a_mixed_sum_says_what_it_mixes(mixed_view: ReportView) -> None:
    summary = summarise(mixed_view, "en")
    tile = summary.tiles[1]
    assert tile.label == "CO₂ + CO₂e of the electricity (location-based)"
    assert "partly life cycle" in tile.lines
    (remark,) = [remark for remark in summary.remarks if "count the same" in remark]
    assert "(CO₂: generation only; CO₂e: generation only, life cycle)" in remark
    assert "teils Lebenszyklus" in summarise(mixed_view, "de").tiles[1].lines
    assert summary.run_table.columns[-1].label == "Emissions"
    cells = {row[0]: row[-1].replace("\u202f", " ") for row in summary.run_table.rows}
    assert cells == {"DE": "436 g CO₂e", "PL": "960 g CO₂", "FR": "48.0 g CO₂e, life cycle"}


def test_sums_of_one_kind_need_no_remark(make_view: Callable[..., ReportView], mixed_view: ReportView) -> None:
    polish = summarise(make_view(mixed_view.records[1:2]), "en")
    assert polish.tiles[1].label == "CO₂ of the electricity (location-based)"
    assert [tile.label for tile in polish.tiles if "market" in tile.label] == []
    assert polish.run_table.columns[-1].label == "CO₂"
    assert polish.remarks[0].startswith("CO₂ = electricity")
    french = summarise(make_view(mixed_view.records[2:]), "en")
    assert "life cycle" in french.tiles[1].lines
    assert french.run_table.columns[-1].label == "CO₂e, life cycle"
    for summary in (polish, french):
        assert [remark for remark in summary.remarks if "count the same" in remark] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_market_based_sum_stands_beside(mixed_view: ReportView, language: str) -> None:
    tile = summarise(mixed_view, language).tiles[2]  # type: ignore[arg-type]
    german = language == "de"
    assert tile.label == (
        "CO₂ + CO₂e aus Strom (marktbasiert)" if german else "CO₂ + CO₂e of the electricity (market-based)"
    )
    assert tile.value.replace("\u202f", " ") == ("1,23 kg" if german else "1.23 kg")
    assert tile.lines == (
        ("nach Verträgen; nie zum standortbasierten Wert addieren", "ohne 2 Läufe, die keinen solchen Wert haben")
        if german
        else ("by contracts; never add to the location-based figure", "without 2 runs that have no such figure")
    )
    page = html.export(mixed_view, language).decode()  # type: ignore[arg-type]
    assert tile.label in page
    assert tile.lines[1] in page
    assert pdf.export(mixed_view, language).startswith(b"%PDF")  # type: ignore[arg-type]


def test_json_has_both_sums_and_what_they_count(mixed_view: ReportView) -> None:
    totals = json.loads(report_json.export(mixed_view, "en"))["totals"]
    assert totals["location_g"] == pytest.approx(1.2 * (363 + 800 + 40))
    assert (totals["location_gases"], totals["location_boundaries"]) == (
        ["CO2", "CO2e"],
        ["generation", "lifecycle"],
    )
    assert totals["market_g"] == pytest.approx(1230)
    assert (totals["market_gases"], totals["market_boundaries"]) == (["CO2", "CO2e"], ["generation"])
    assert totals["runs_without_market"] == 2
    none = json.loads(
        report_json.export(replace(mixed_view, totals=replace(mixed_view.totals, market_g=None)), "en")
    )
    assert none["totals"]["market_g"] is None
