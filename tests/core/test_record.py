"""The published form of a record: its keys, its clock, its unknowns."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.channel import Component, Quality
from greenai.core.collector import Incident
from greenai.core.events import Metric
from greenai.core.footprint import Cost, Emissions, FactorUsed
from greenai.core.record import JournalFacts, RunRecord, WindowEnergy, Work, timestamp
from greenai.core.run_energy import ChannelEnergy, Energy
from greenai.core.text import Text
from greenai.core.vocabulary import RunState

TOP = {
    "schema",
    "id",
    "name",
    "project",
    "task",
    "approach",
    "phase",
    "state",
    "exit_code",
    "started_at",
    "ended_at",
    "duration_s",
    "hosts",
    "user",
    "git_commit",
    "tags",
    "slurm",
    "energy",
    "windows",
    "requests",
    "work",
    "metrics",
    "emissions",
    "cost",
    "incidents",
    "journal",
}
ENERGY = {"total_j", "low_j", "high_j", "measured_share", "scope", "machine_total_j", "channels"}
CHANNEL = {
    "host",
    "component",
    "device",
    "energy_j",
    "quality",
    "method",
    "uncertainty_rel",
    "gap_s",
    "counted",
    "note",
}
EMISSIONS = {
    "location_g",
    "market_g",
    "upstream_g",
    "embodied_g",
    "embodied_low_g",
    "embodied_high_g",
    "water_l",
    "pue",
    "factor",
}
FACTOR = {"zone", "value_g_per_kwh", "year", "source", "edition", "boundary", "gases"}

ROW = ChannelEnergy(
    "rapl:0", "n1", Component.CPU, "package-0", 100.0, 95.0, 105.0, Quality.MEASURED, "rapl_powercap", 0.05, 0.0,
    True, None,
)  # fmt: skip
RECORD = RunRecord(
    id="r1", name="run", project="p", task=None, approach="ai", phase="training", state=RunState.COMPLETED, exit_code=0,
    error=None, started_ms=1_795_262_400_000, ended_ms=1_795_262_412_345, duration_s=12.345, hosts=("n1",), user=None,
    git_commit=None, tags={"a": "b"}, slurm={"job_id": "7"}, environment={"cpu": "x"},
    energy=Energy(100.0, 95.0, 105.0, 1.0, "machine", 100.0, (ROW,)),
    windows=(WindowEnergy("w1", "epoch 1", None, 1_795_262_400_000, 1.0, None),),
    work=Work(0, None, None), metrics=(Metric("accuracy", 0.93), Metric("loss", 0.1, higher_is_better=False)),
    incidents=(Incident("rapl_unreadable", Text(de="zu", en="closed"), Text(de="öffnen", en="open")),),
    journal=JournalFacts(3, 0, "ab"),
)  # fmt: skip
FACTOR_USED = FactorUsed("f", "DE", 352.0, 2025, "s", "e", "u", "l", "generation", "CO2e", "b", "final", True)


def test_the_published_keys() -> None:
    record = replace(RECORD, emissions=Emissions(1, 2, 1.2, False, FACTOR_USED), cost=Cost(0.1, "EUR"))
    data = record.to_dict()
    assert set(data) >= TOP
    assert set(data["energy"]) >= ENERGY
    assert set(data["energy"]["channels"][0]) >= CHANNEL
    assert set(data["windows"][0]) >= {"name", "parent", "duration_s", "energy_j"}
    assert set(data["requests"]) >= {"count", "energy_per_unit_j", "idle_j"}
    assert set(data["work"]) >= {"units", "unit", "energy_per_unit_j"}
    assert set(data["emissions"]) >= EMISSIONS
    assert set(data["emissions"]["factor"]) >= FACTOR
    assert set(data["cost"]) >= {"amount", "currency"}
    assert set(data["incidents"][0]) >= {"code", "message", "remedy"}
    assert set(data["journal"]) >= {"lines", "bad_lines", "sha256"}
    assert data["schema"] == 1
    assert data["metrics"] == {"accuracy": 0.93, "loss": 0.1}


def test_the_keys_do_not_depend_on_what_is_known() -> None:
    full = replace(RECORD, emissions=Emissions(1, 2, 1.2, False, None), cost=Cost(0.1, "EUR")).to_dict()
    bare = RECORD.to_dict()
    assert set(full) == set(bare)
    assert set(full["emissions"]) == set(bare["emissions"])
    assert set(full["cost"]) == set(bare["cost"])
    assert all(value is None for value in bare["emissions"].values())


def test_plain_json_without_loss() -> None:
    data = RECORD.to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data == RECORD.to_dict()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_metric_that_is_no_number_is_null(value: float) -> None:
    data = replace(RECORD, metrics=(Metric("loss", value),)).to_dict()
    assert json.loads(json.dumps(data, allow_nan=False))["metrics"] == {"loss": None}


def test_unknown_is_null_never_zero() -> None:
    energy = Energy(
        None, None, None, None, "machine", None, (replace(ROW, energy_j=None, low_j=None, high_j=None),)
    )
    data = replace(RECORD, energy=energy, ended_ms=None).to_dict()
    assert data["energy"]["total_j"] is None
    assert data["energy"]["channels"][0]["energy_j"] is None
    assert data["ended_at"] is None
    assert data["windows"][0]["energy_j"] is None


def test_messages_follow_the_language_and_codes_do_not() -> None:
    german, english = RECORD.to_dict("de"), RECORD.to_dict()
    assert german["incidents"] == [{"code": "rapl_unreadable", "message": "zu", "remedy": "öffnen"}]
    assert english["incidents"] == [{"code": "rapl_unreadable", "message": "closed", "remedy": "open"}]


def test_timestamps_are_utc_with_z() -> None:
    data = RECORD.to_dict()
    assert (data["started_at"], data["ended_at"]) == ("2026-11-21T12:00:00.000Z", "2026-11-21T12:00:12.345Z")
    assert timestamp(None) is None


@given(t_ms=st.integers(0, 4_102_444_800_000))
def test_no_millisecond_is_lost(t_ms: int) -> None:
    written = timestamp(t_ms)
    assert written is not None
    assert written.endswith("Z")
    moment = datetime.fromisoformat(written)
    assert moment.tzinfo == UTC
    assert round(moment.timestamp() * 1000) == t_ms
