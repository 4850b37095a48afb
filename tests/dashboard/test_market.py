"""The contracts behind a run's CO2, on its page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from greenai.core.footprint import EmbodiedPart, MarketPart, WaterUsed
from greenai_dashboard.pages import run_details

if TYPE_CHECKING:
    from greenai.core.record import RunRecord
    from greenai.core.text import Language

ROOF = MarketPart("PV <roof>", "own_generation", 0.003, 0.0, "CO2e", "meter")
UTILITY = MarketPart("utility", "supplier", 0.01, 210.0, "CO2", "bill")


def page_of(record: RunRecord, language: Language) -> str:
    return str([str(part) for part in run_details.details(record, language)])


@pytest.mark.parametrize(("language", "words"), [("de", "eigene Erzeugung"), ("en", "own generation")])
def test_each_contract_stands_there_and_the_sum(record: RunRecord, language: Language, words: str) -> None:
    assert record.emissions is not None
    assert words not in page_of(record, language)
    emissions = replace(record.emissions, market=(ROOF, UTILITY), scope="scope_2")
    page = page_of(replace(record, emissions=emissions), language)
    assert words in page
    assert "PV <roof>" in page  # Dash escapes it
    assert "2.1" in page if language == "en" else "2,1" in page
    assert ("too low" if language == "en" else "zu niedrig") in page  # CO2 and CO2e in one sum
    assert "Scope 2" in page or "scope 2" in page


@pytest.mark.parametrize(("language", "words"), [("de", "0,200 l/kWh Kühlung"), ("en", "0.200 l/kWh for cooling")])
def test_water_stands_there_with_what_it_was_computed_with(
    record: RunRecord, language: Language, words: str
) -> None:
    assert record.emissions is not None
    emissions = replace(record.emissions, water_l=0.0253, water=WaterUsed(0.2, 1.947, "EcoLogits", verified=False))
    page = page_of(replace(record, emissions=emissions), language)
    assert words in page
    assert ("25,3" if language == "de" else "25.3") in page


@pytest.mark.parametrize(("language", "words"), [("de", "je document"), ("en", "per document")])
def test_making_the_hardware_stands_beside_the_grams(record: RunRecord, language: Language, words: str) -> None:
    assert record.emissions is not None
    server = EmbodiedPart("server", "server, generic", 2, 3660.0, 1000.0, 4320.0, 4.0, "ADEME", verified=False)
    emissions = replace(
        record.emissions, embodied=(server,), embodied_g=9.5, embodied_low_g=2.6, embodied_high_g=11.2
    )
    page = page_of(replace(record, emissions=emissions), language)
    assert "2 × server, generic" in page
    assert words in page  # the SCI


def test_one_kind_of_gases_needs_no_remark(record: RunRecord) -> None:
    assert record.emissions is not None
    emissions = replace(record.emissions, market=(UTILITY,))
    assert "too low" not in page_of(replace(record, emissions=emissions), "en")
