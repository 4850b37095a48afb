"""The JSON: stable keys, the records in their published form, and never invalid JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from greenai_reports import json as report_json

if TYPE_CHECKING:
    from greenai.core.views import ReportView


def test_it_holds_the_records_and_comparisons_as_published(typical_view: ReportView) -> None:
    report = json.loads(report_json.export(typical_view, "de"))
    assert report["schema"] == 1
    assert report["kind"] == "greenai-report"
    assert report["generated_at"] == "2026-11-21T22:26:40.000Z"
    assert report["version"] == typical_view.version
    assert report["scope"] == {"de": "Projekt „churn“", "en": 'Project "churn"'}
    assert report["runs"] == [record.to_dict("de") for record in typical_view.records]
    assert [task["task"] for task in report["tasks"]] == ["churn-2026", "invoice-triage", "invoice-triage"]
    expected = [c.to_dict() for task in typical_view.tasks for c in task.comparisons]
    assert report["tasks"] == expected
    assert report["totals"]["energy_j"] == pytest.approx(sum(r.energy_j or 0.0 for r in typical_view.records))
    assert report["totals"]["runs_without_emissions"] == 2


def test_unknown_is_null(unknown_view: ReportView) -> None:
    report = json.loads(report_json.export(unknown_view, "en"))
    assert report["totals"]["location_g"] is None
    assert report["runs"][0]["energy"]["total_j"] is None
    assert report["runs"][0]["emissions"]["reason"] == "The country of the machine is not known."


def test_numbers_that_json_lacks_become_null(typical_view: ReportView) -> None:
    view = replace(typical_view, totals=replace(typical_view.totals, duration_s=float("nan")))
    text = report_json.export(view, "en").decode()
    assert json.loads(text, parse_constant=pytest.fail)["totals"]["duration_s"] is None


def test_hostile_names_survive_unchanged(hostile_view: ReportView) -> None:
    report = json.loads(report_json.export(hostile_view, "en"))
    assert [run["name"] for run in report["runs"]] == [record.name for record in hostile_view.records]
    assert report_json.export(hostile_view, "en") == report_json.export(hostile_view, "en")
