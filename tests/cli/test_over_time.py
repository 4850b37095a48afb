"""A run's emissions by the grid's intensity of each moment, from its samples and what was fetched."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from greenai.analysis import Analysis
from greenai.analysis.over_time import emissions_of_run_over_time
from greenai.carbon.intensity.cache import IntensityCache
from greenai.carbon.intensity.series import IntensitySeries, IntensityStep, Origin, StepStatus
from greenai.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from greenai.core.record import RunRecord

ORIGIN = Origin(
    service="csv", zone="DE", kind="average", gases="CO2e", boundary="lifecycle", basis="generated", source="the grid",
    url="", licence="", attribution="", retrieved_ms=1000, sha256="ab" * 32, verified=False,
)  # fmt: skip


@pytest.fixture
def analysis(journals: Any) -> Iterator[Analysis]:
    journals.run("aaaa0001", seconds=20, pue=1.5)
    opened = Analysis.open(load_settings({"spool": str(journals.spool), "zone": "DE"}))
    yield opened
    opened.close()


@pytest.fixture
def record(analysis: Analysis) -> RunRecord:
    return analysis.run("latest")


def fetched(record: RunRecord, *steps: tuple[float, float, float | None], **origin: Any) -> None:
    """Put steps into the cache: begin and end in seconds of the run, g/kWh."""
    found = tuple(
        IntensityStep(round(record.started_ms + begin * 1000), round(record.started_ms + end * 1000), value)
        for begin, end, value in steps
    )
    IntensityCache.of_user(os.environ).save(IntensitySeries(replace(ORIGIN, **origin), found))


def test_nothing_was_fetched(analysis: Analysis, record: RunRecord) -> None:
    assert analysis.over_time(record) == (None, ())


def test_each_moment_has_its_own_intensity(analysis: Analysis, record: RunRecord, cli: Any) -> None:
    fetched(record, (-3600, 5, 200.0), (5, 3600, 600.0))
    found, _ = analysis.over_time(record)
    assert found is not None
    assert found.mean_g_per_kwh == pytest.approx((5 * 200 + 15 * 600) / 20, rel=0.01)  # the power is even
    assert found.covered_share == 1.0
    assert record.energy_j is not None
    assert found.location_g == pytest.approx(record.energy_j / 3.6e6 * 1.5 * found.mean_g_per_kwh)
    assert (found.forecast_share, found.origin.source) == (0.0, "the grid")
    shown = cli("runs", "show", "latest").out
    assert "Hour by hour" in shown
    assert "500 g/kWh on average" in shown
    assert "the grid, unverified" in shown


def test_what_is_not_known_is_not_guessed(analysis: Analysis, record: RunRecord, cli: Any) -> None:
    fetched(record, (-3600, 10, 300.0), (10, 3600, None))
    found, _ = analysis.over_time(record)
    assert found is not None
    assert found.location_g is None
    assert found.mean_g_per_kwh == pytest.approx(300)
    assert found.covered_share == pytest.approx(0.5, abs=0.02)
    assert "50% of the energy only" in cli("runs", "show", "latest").out


def test_services_are_not_mixed(analysis: Analysis, record: RunRecord) -> None:
    fetched(record, (-10, 30, 300.0))
    fetched(record, (-10, 30, 100.0), service="smard", retrieved_ms=2000)
    found, _ = analysis.over_time(record)
    assert found is not None
    assert found.mean_g_per_kwh == pytest.approx(100)
    assert found.origin.service == "smard"


def test_what_means_something_else_is_not_mixed(analysis: Analysis, record: RunRecord, cli: Any) -> None:
    """One service may give life-cycle values first and, as a fallback, direct ones computed from the mix."""
    fetched(record, (-10, 10, 400.0), service="energy-charts")
    fetched(
        record, (10, 30, 50.0),
        service="energy-charts", gases="CO2", boundary="generation", method="mix", retrieved_ms=2000,
    )  # fmt: skip
    found, _ = analysis.over_time(record)
    assert found is not None
    assert found.mean_g_per_kwh == pytest.approx(50)
    assert (found.location_g, found.origin.gases) == (None, "CO2")
    assert found.covered_share == pytest.approx(0.5, abs=0.02)
    assert "225" not in cli("runs", "show", "latest").out.split("Hour by hour")[1].splitlines()[0]


def test_what_the_service_filled_in_is_said(analysis: Analysis, record: RunRecord, cli: Any) -> None:
    half_ms = record.started_ms + 10_000
    steps = (
        IntensityStep(record.started_ms - 1000, half_ms, 250.0, StepStatus.ESTIMATED),
        IntensityStep(half_ms, half_ms + 60_000, 250.0, StepStatus.FORECAST),
    )
    IntensityCache.of_user(os.environ).save(IntensitySeries(ORIGIN, steps))
    found, _ = analysis.over_time(record)
    assert found is not None
    assert found.estimated_share == pytest.approx(0.5, abs=0.02)
    assert found.estimated_share + found.forecast_share == pytest.approx(1)
    assert "of it estimated by the service" in cli("runs", "show", "latest").out


def test_a_damaged_fetch_is_named(analysis: Analysis, record: RunRecord, cli: Any) -> None:
    fetched(record, (-10, 30, 300.0))
    (path,) = IntensityCache.of_user(os.environ).folder.glob("*/*/*.json")
    path.write_text("{", encoding="utf-8")
    found, (damage,) = analysis.over_time(record)
    assert (found, damage.path) == (None, path)
    shown = cli("runs", "show", "latest")
    assert path.name in shown.err
    assert "Hour by hour" not in shown.out


def test_a_forecast_is_called_one(analysis: Analysis, record: RunRecord, cli: Any) -> None:
    step = IntensityStep(record.started_ms - 1000, record.started_ms + 60_000, 250.0, StepStatus.FORECAST)
    IntensityCache.of_user(os.environ).save(IntensitySeries(ORIGIN, (step,)))
    found, _ = analysis.over_time(record)
    assert found is not None
    assert found.forecast_share == pytest.approx(1)
    assert "100% of it forecast" in cli("runs", "show", "latest").out


def test_a_run_without_energy_or_zone_has_none(analysis: Analysis, record: RunRecord) -> None:
    fetched(record, (-10, 30, 300.0))
    for other in (replace(record, emissions=None), replace(record, ended_ms=None)):
        assert emissions_of_run_over_time(analysis.store, other) == (None, ())
