"""The page of a run on a thousand nodes: not all of it is drawn, and that is said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from greenai_dashboard.pages import run, run_details

if TYPE_CHECKING:
    from greenai.core.record import RunRecord
    from greenai.core.text import Language


@pytest.fixture
def large(record: RunRecord) -> RunRecord:
    hosts = tuple(f"node{number:04}" for number in range(1000))
    rows = tuple(replace(row, host=host) for host in hosts for row in record.energy.channels)
    return replace(record, hosts=hosts, energy=replace(record.energy, channels=rows))


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "The first 200 of {} are shown"), ("de", "Gezeigt sind die ersten 200 von {}")],
)
def test_its_tables_are_cut(large: RunRecord, language: Language, sentence: str) -> None:
    page = str([str(part.to_plotly_json()) for part in run_details.details(large, language)])
    count = f"{len(large.energy.channels):,}".replace(",", "." if language == "de" else ",")
    assert sentence.format(count) in page.replace("\N{NARROW NO-BREAK SPACE}", "," if language == "en" else ".")
    assert "node0000" in page
    assert "node0999" not in page
    assert "+980" in page


def test_its_trace_is_cut(large: RunRecord, data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data.records.insert(0, large)
    monkeypatch.setattr(run, "MAX_LINES", 2)
    page = str(run.layout(data, large.id, "en"))
    assert "the first 2 are drawn" in page
    assert "sind die ersten 2 gezeichnet" in str(run.layout(data, large.id, "de"))
    monkeypatch.setattr(run, "MAX_LINES", 40)
    assert "are drawn" not in str(run.layout(data, large.id, "en"))
