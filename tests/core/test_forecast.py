"""Forecasts: as wide as they say, never from too little, and honest about drifts and sensors."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import sqrt
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core import prediction
from greenai.core.account import account
from greenai.core.footprint import Emissions, FactorUsed
from greenai.core.forecast import Forecast, forecast
from greenai.core.prediction import Range, sum_of_next
from greenai.core.statistics import t_quantile
from greenai.journal import format as f
from greenai.journal.reader import read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from greenai.core.account import Account
    from greenai.core.events import RunLog

HERE = "fake"


@pytest.fixture
def quick_t(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quantiles are dear and a simulation asks for the same ones again and again."""
    known: dict[tuple[float, float], float] = {}

    def quantile(probability: float, degrees_of_freedom: float) -> float:
        key = (probability, degrees_of_freedom)
        if key not in known:
            known[key] = t_quantile(*key)
        return known[key]

    monkeypatch.setattr(prediction, "t_quantile", quantile)


# --- sums


def test_the_formula_by_hand() -> None:
    found = sum_of_next([10, 12, 14], 4)
    half = t_quantile(0.975, 2) * 2 * sqrt(4 + 16 / 3)
    assert (found.value, found.low) == (48, max(48 - half, 0))
    assert found.high == pytest.approx(48 + half)


def test_nothing_more_costs_nothing() -> None:
    assert sum_of_next([10, 12], 0) == Range(0, 0, 0)


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=60), st.floats(0, 1e4))
def test_a_range_holds_its_value_and_nothing_negative(values: list[float], count: float) -> None:
    found = sum_of_next(values, count)
    assert 0 <= found.low <= found.value <= found.high


@given(st.floats(1e-3, 1e9), st.integers(2, 60), st.integers(1, 1000))
def test_equal_values_go_on_exactly(value: float, known: int, count: int) -> None:
    found = sum_of_next([value] * known, count)
    assert found.low == pytest.approx(value * count)
    assert found.high == pytest.approx(value * count)


@given(st.integers(5, 40), st.integers(1, 200), st.floats(0.1, 10))
def test_a_straight_line_is_in_the_range(known: int, count: int, slope: float) -> None:
    line = [100 + slope * place for place in range(known + count)]
    for series in (line, line[::-1]):
        found = sum_of_next(series[:known], count)
        assert found.low <= sum(series[known:]) * (1 + 1e-9)
        assert found.high >= sum(series[known:]) * (1 - 1e-9)


def coverage(draw: Callable[[int], Sequence[float]], known: int, count: int, times: int = 1000) -> float:
    hits = 0
    for _ in range(times):
        series = draw(known + count)
        found = sum_of_next(series[:known], count)
        hits += found.low <= sum(series[known:]) <= found.high
    return hits / times


@pytest.mark.usefixtures("quick_t")
@pytest.mark.parametrize(("known", "count"), [(2, 8), (3, 7), (5, 20), (10, 80), (20, 70), (40, 1)])
def test_the_range_of_steady_steps_holds_95_of_100_sums(known: int, count: int) -> None:
    draw = random.Random(known)
    assert coverage(lambda n: [draw.gauss(100, 5) for _ in range(n)], known, count) == pytest.approx(
        0.95, abs=0.025
    )
    # Skewed ones as well, if not quite as well.
    assert coverage(lambda n: [draw.gammavariate(4, 25) for _ in range(n)], known, count) > 0.9


@pytest.mark.usefixtures("quick_t")
@pytest.mark.parametrize("slope", [-0.5, 0.5, 2.0])
def test_a_drift_that_can_be_seen_is_in_the_range(slope: float) -> None:
    """Of 100, with steps that scatter by 5: per step."""
    draw = random.Random(1)

    def drifting(n: int) -> list[float]:
        return [100 + slope * place + draw.gauss(0, 5) for place in range(n)]

    assert coverage(drifting, 30, 60) > 0.9


@pytest.mark.usefixtures("quick_t")
def test_a_warm_up_that_levels_off_and_a_step_are_in_the_range() -> None:
    draw = random.Random(2)
    plateau = coverage(lambda n: [100 + min(i, 10) * 3 + draw.gauss(0, 3) for i in range(n)], 20, 70)
    step = coverage(lambda n: [(100 if i < 6 else 150) + draw.gauss(0, 5) for i in range(n)], 20, 70)
    assert min(plateau, step) > 0.9


# --- runs


class Steps:
    """Writes a run of steps: its counter draws 100 W in them and in the pauses, and 5 W of memory."""

    def __init__(self, journals: Any) -> None:
        self._journals = journals
        self.journal, self.machine = journals.begin("run", 0, zone="DE")
        self._count = 0

    def step(self, length_s: int, pause_s: int = 0, name: str = "epoch") -> None:
        self._count += 1
        self._wait(pause_s)
        self._journals.mark(self.journal, self.machine, f.BEGIN, id=str(self._count), name=name, parent=None)
        self._wait(length_s)
        self._journals.mark(self.journal, self.machine, f.END, id=str(self._count))

    def _wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.machine.clock.advance(1.0)
            self._journals.mark(self.journal, self.machine, f.TICK)

    def read(self) -> tuple[RunLog, Account]:
        log = read_run(self._journals.spool / "run")
        return log, account(log)

    def forecast(self, part: str | None = None, **plans: int) -> Forecast | None:
        log, found = self.read()
        process = (HERE, log.processes[0].pid)
        return forecast(log, found, process, plans, self.machine.clock.mono_ns(), part)


@pytest.fixture
def steps(journals: Any) -> Steps:
    return Steps(journals)


def test_no_forecast_from_fewer_than_two_steps_without_a_plan_or_of_another_process(steps: Steps) -> None:
    assert steps.forecast(epoch=9) is None
    steps.step(10)
    assert steps.forecast(epoch=9) is None
    steps.step(10)
    assert steps.forecast(epoch=9) is not None
    assert steps.forecast() is None
    assert steps.forecast(batch=9) is None
    log, found = steps.read()
    assert forecast(log, found, (HERE, 1), {"epoch": 9}, 0) is None


def test_equal_steps_go_on_as_they_began(steps: Steps) -> None:
    for _ in range(3):
        steps.step(10, pause_s=2)
    found = steps.forecast(epoch=10)
    assert found is not None
    assert (found.name, found.done, found.planned, found.based_on) == ("epoch", 3, 10, 3)
    # The first lap has no pause before it: it begins with its step. 36 s so far, 34/3 s for each of 7 more.
    assert found.energy_j == pytest.approx(105 * (36 + 7 * 34 / 3), rel=0.01)
    assert found.remaining_s == pytest.approx(7 * 34 / 3)
    assert found.low_j is not None
    assert found.high_j is not None
    assert found.low_j < 105 * 120 < found.high_j
    assert found.remaining_low_s < 7 * 12 < found.remaining_high_s


def test_the_first_step_is_left_out_once_three_others_are_known(steps: Steps) -> None:
    steps.step(60)
    for _ in range(2):
        steps.step(10)
    early = steps.forecast(epoch=10)
    steps.step(10)
    late = steps.forecast(epoch=10)
    assert early is not None
    assert late is not None
    assert (early.based_on, late.based_on) == (3, 3)
    assert early.remaining_s == pytest.approx(7 * 80 / 3)
    assert late.remaining_s == pytest.approx(6 * 10)
    assert late.energy_j == pytest.approx(105 * 150, rel=0.01)


def test_pauses_between_steps_are_part_of_what_is_to_come(steps: Steps) -> None:
    for _ in range(6):
        steps.step(5, pause_s=15)
    found = steps.forecast(epoch=10)
    assert found is not None
    assert found.remaining_s == pytest.approx(4 * 20)
    assert found.energy_j == pytest.approx(105 * 200, rel=0.01)


def test_time_since_the_last_step_is_gone_and_what_it_took_counts(steps: Steps) -> None:
    for _ in range(5):
        steps.step(10)
    steps.step(7, name="evaluation")
    found = steps.forecast(epoch=6)
    assert found is not None
    assert found.remaining_s == pytest.approx(3)
    steps.step(100, name="evaluation")
    late = steps.forecast(epoch=6)
    assert late is not None
    assert (late.remaining_s, late.remaining_high_s) == (0, 0)
    assert late.energy_j == pytest.approx(steps.read()[1].record.energy_j)


def test_a_plan_that_is_done(steps: Steps) -> None:
    for _ in range(4):
        steps.step(10)
    found = steps.forecast(epoch=4)
    assert found is not None
    assert found.remaining_s == 0
    record = steps.read()[1].record
    assert found.energy_j == record.energy_j
    assert found.low_j == pytest.approx(record.energy.low_j)
    assert found.high_j == pytest.approx(record.energy.high_j)
    more = steps.forecast(epoch=2)
    assert more is not None
    assert (more.done, more.planned) == (4, 4)


def test_the_sensors_own_error_is_in_the_range(steps: Steps) -> None:
    for _ in range(6):
        steps.step(10)
    found = steps.forecast(epoch=60)
    energy = steps.read()[1].record.energy
    assert found is not None
    assert found.energy_j is not None
    assert found.low_j is not None
    assert energy.total_j is not None
    assert energy.low_j is not None
    assert 1 - found.low_j / found.energy_j >= 0.99 * (1 - energy.low_j / energy.total_j)


def test_the_first_plan_that_is_not_done_counts(steps: Steps) -> None:
    for _ in range(3):
        steps.step(3, name="warm_up")
    for _ in range(3):
        steps.step(7, name="epoch")
    found = steps.forecast(warm_up=3, epoch=5)
    assert found is not None
    assert (found.name, found.planned) == ("epoch", 5)


def test_a_part_of_a_run_looks_at_its_own_steps_only(steps: Steps) -> None:
    for _ in range(4):
        steps.step(3)
    steps._journals.mark(steps.journal, steps.machine, f.BEGIN, id="part", name="part", parent=None)
    for _ in range(3):
        steps.step(10)
    found = steps.forecast(part="part", epoch=5)
    assert found is not None
    assert found.done == 3
    assert found.remaining_s == pytest.approx(20)


def test_many_short_steps_are_put_together(steps: Steps) -> None:
    for _ in range(170):
        steps.step(1)
    found = steps.forecast(epoch=1000)
    assert found is not None
    assert found.based_on == 165  # blocks of 5, the first is warm-up
    assert found.remaining_s == pytest.approx(830)
    assert found.energy_j == pytest.approx(105 * 1000, rel=0.01)


def test_steps_that_run_side_by_side_are_counted_by_their_ends(steps: Steps) -> None:
    """Four workers, a step of 8 s each: one ends every 2 s."""
    marks = sorted(
        [(2 * n, f.BEGIN, n) for n in range(20)] + [(2 * n + 8, f.END, n) for n in range(20)], key=lambda m: m[:2]
    )
    now_s = 0
    for at_s, kind, number in marks:
        steps._wait(at_s - now_s)
        now_s = at_s
        extra = {"name": "batch", "parent": None} if kind == f.BEGIN else {}
        steps._journals.mark(steps.journal, steps.machine, kind, id=str(number), **extra)
    found = steps.forecast(batch=100)
    assert found is not None
    assert found.remaining_s == pytest.approx(80 * 2)


def test_grams_follow_the_energy(steps: Steps) -> None:
    for _ in range(6):
        steps.step(10)
    log, found = steps.read()
    assert found.record.energy_j is not None
    grams = Emissions(found.record.energy_j / 1000, None, 1.0, pue_assumed=True, factor=FACTOR)
    known = replace(found, record=replace(found.record, emissions=grams))
    ahead = forecast(log, known, (HERE, log.processes[0].pid), {"epoch": 60}, steps.machine.clock.mono_ns())
    assert ahead is not None
    assert ahead.energy_j is not None
    assert ahead.location_g == pytest.approx(ahead.energy_j / 1000)
    assert ahead.location_low_g is not None
    assert ahead.low_j == pytest.approx(ahead.location_low_g * 1000)
    assert ahead.location_high_g is not None
    assert ahead.high_j == pytest.approx(ahead.location_high_g * 1000)
    assert ahead.location_gases == "CO2"
    assert " CO2 (" in str(ahead)


def test_unknown_energy_still_leaves_the_time(steps: Steps) -> None:
    for _ in range(4):
        steps.step(10)
    log, found = steps.read()
    blind = replace(found, record=replace(found.record, energy=replace(found.record.energy, total_j=None)))
    ahead = forecast(log, blind, (HERE, log.processes[0].pid), {"epoch": 6}, steps.machine.clock.mono_ns())
    assert ahead is not None
    assert (ahead.energy_j, ahead.low_j, ahead.location_g) == (None, None, None)
    assert ahead.remaining_s == pytest.approx(20)
    assert str(ahead) == "epoch 4/6: energy unknown; about 20.0\u202fs left (20.0\u202fs to 20.0\u202fs)."


FACTOR = FactorUsed(
    id="x", zone="PL", value_g_per_kwh=3600.0, year=2025, source="s", edition="e", url="", licence="",
    boundary="generation", gases="CO2", basis="consumed", status="final", verified=True,
)  # fmt: skip
FOUND = Forecast(
    name="Epoche", done=12, planned=90, based_on=11, energy_j=15e6, low_j=14e6, high_j=16e6, location_g=1500.0,
    location_low_g=1400.0, location_high_g=1600.0, location_gases="CO2e", at_ms=1_790_000_000_000, remaining_s=7800.0,
    remaining_low_s=7500.0, remaining_high_s=8100.0,
)  # fmt: skip


def test_it_speaks_two_languages() -> None:
    assert FOUND.to("de").replace("\u202f", " ") == (
        "Epoche 12/90: am Ende etwa 4,17 kWh (3,89 kWh bis 4,44 kWh), 1,50 kg CO2e (1,40 kg bis 1,60 kg); "
        "noch etwa 2 h 10 min (2 h 05 min bis 2 h 15 min)."
    )
    assert str(replace(FOUND, done=90, location_g=None)).replace("\u202f", " ") == (
        "Epoche 90/90: about 4.17 kWh at the end (3.89 kWh to 4.44 kWh); done."
    )


def test_it_knows_when_the_end_will_be() -> None:
    made = datetime.fromtimestamp(1_790_000_000, tz=UTC)
    assert made + timedelta(hours=2, minutes=10) == FOUND.ends_at
    assert FOUND.ends_at_low == made + timedelta(seconds=7500)
    assert replace(FOUND, remaining_s=1e12).ends_at == datetime.max.replace(tzinfo=UTC)
    assert replace(FOUND, remaining_s=1e30).ends_at == datetime.max.replace(tzinfo=UTC)
    assert FOUND.ends_at_high == made + timedelta(seconds=8100)
