"""Runs and samples as data frames."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

import greenai
from greenai.core.errors import ConfigError, NotFoundError
from greenai.journal import format as f

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    "id", "name", "project", "task", "approach", "phase", "duration_s", "user", "git_commit", "state", "started_at",
    "ended_at", "energy_j", "energy_low_j", "energy_high_j", "measured_share", "quality", "units", "unit",
    "energy_per_unit_j", "location_g",
]  # fmt: skip
NUMBERS = [
    "duration_s", "energy_j", "energy_low_j", "energy_high_j", "measured_share", "units", "energy_per_unit_j",
    "location_g",
]  # fmt: skip


def _check(frame: pd.DataFrame) -> None:
    assert list(frame.columns[: len(COLUMNS)]) == COLUMNS
    assert {str(frame[name].dtype) for name in NUMBERS} == {"float64"}
    for name in ("started_at", "ended_at"):
        assert "UTC" in str(frame[name].dtype), name


def test_an_empty_database_has_the_same_columns() -> None:
    frame = greenai.load_runs()
    assert len(frame) == 0
    _check(frame)
    assert frame["energy_j"].sum() == 0


def test_runs(journals: Any) -> None:
    journals.run("aaaa0001", project="p", zone="DE", unit="document")
    journal, machine = journals.begin("bbbb0002", project="q")
    journal.event(f.METRIC, name="loss", value=0.5, higher_is_better=False)
    frame = greenai.load_runs()
    _check(frame)
    frame = frame.set_index("id")
    assert frame.loc["aaaa0001", "energy_j"] == pytest.approx(1050)
    assert frame.loc["aaaa0001", "energy_per_unit_j"] == pytest.approx(105)
    assert str(frame.loc["aaaa0001", "started_at"]) == "2026-09-21 14:13:20+00:00"
    assert frame.loc["bbbb0002", "state"] == "running"
    for name in ("ended_at", "location_g"):
        assert frame[name].isna().to_dict() == {"aaaa0001": False, "bbbb0002": True}
    assert frame.loc["aaaa0001", "metric_accuracy"] == pytest.approx(0.9)
    assert frame.loc["bbbb0002", "metric_loss"] == pytest.approx(0.5)
    assert list(greenai.load_runs(project="q")["id"]) == ["bbbb0002"]
    assert len(greenai.load_runs(task="nobody")) == 0
    journals.end(journal, machine)


def test_runs_of_unknown_energy_have_numbers_too(journals: Any) -> None:
    journals.run("aaaa0001", seconds=0)
    frame = greenai.load_runs()
    _check(frame)
    assert frame["location_g"].isna().all()


def test_samples(journals: Any) -> None:
    journals.run("aaaa0001", seconds=20)
    frame = greenai.load_samples()
    assert list(frame.columns) == ["t", "host", "component", "device", "quality", "power_w", "energy_j"]
    assert str(frame["t"].dtype).endswith("UTC]")
    assert {str(frame[name].dtype) for name in ("power_w", "energy_j")} == {"float64"}
    by_part = frame.groupby("component")["energy_j"].sum()
    assert by_part["cpu"] == pytest.approx(2000)
    assert by_part["dram"] == pytest.approx(100)
    assert frame[frame["component"] == "cpu"]["power_w"].mean() == pytest.approx(100)


def test_samples_of_a_run_without_any(journals: Any) -> None:
    journals.run("aaaa0001", seconds=0)
    frame = greenai.load_samples("aaaa0001")
    assert len(frame) == 0
    assert {str(frame[name].dtype) for name in ("power_w", "energy_j")} == {"float64"}
    assert str(frame["t"].dtype).endswith("UTC]")


def test_no_run_to_load() -> None:
    with pytest.raises(NotFoundError):
        greenai.load_samples()


def test_without_pandas_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    for load in (greenai.load_runs, greenai.load_samples):
        with pytest.raises(ConfigError, match=r"greenai\[frames\]"):
            load()
