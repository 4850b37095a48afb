"""Budgets: told once, stopped at a mark and nowhere else, and never because of energy that nobody knows."""

from __future__ import annotations

import logging
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import greenai
from greenai.core.account import account
from greenai.core.footprint import Emissions, FactorUsed
from greenai.core.vocabulary import RunState
from greenai.journal.reader import read_run
from greenai.tracking import budget as budgets
from greenai.tracking.budget import Budget, BudgetExceededError
from greenai.tracking.results import PAUSE_PER_WORK, Outlook

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.forecast import Forecast
    from greenai.core.record import RunRecord

    Until = Callable[..., None]


FACTOR = FactorUsed(
    id="x", zone="PL", value_g_per_kwh=800.0, year=2025, source="s", edition="e", url="", licence="",
    boundary="generation", gases="CO2", basis="consumed", status="final", verified=True,
)  # fmt: skip


class Future:
    """Stands for what the journals say.

    Attributes:
        energy_j: What the run has taken so far.
        location_g: The same in grams.
        ahead: Its forecast.
        due_in_s: How long nothing new may be computed.
    """

    def __init__(self, record: RunRecord) -> None:
        self._record = record
        self.energy_j: float | None = 1000.0
        self.location_g: float | None = None
        self.duration_s = 100.0
        self.ahead: Forecast | None = None
        self.due_in_s = 0.0
        self.looks = 0

    def look(self) -> tuple[RunRecord, Forecast | None]:
        self.looks += 1
        grams = Emissions(self.location_g, None, 1.0, pue_assumed=True, factor=FACTOR)
        energy = replace(self._record.energy, total_j=self.energy_j)
        return replace(self._record, energy=energy, emissions=grams, duration_s=self.duration_s), self.ahead


@pytest.fixture
def future(monkeypatch: pytest.MonkeyPatch, journals: Any) -> Future:
    """A run's future as the test tells it, looked at a hundred times a second."""
    told = Future(account(read_run(journals.run("template"))).record)
    monkeypatch.setattr(Outlook, "look", lambda _self: told.look())
    monkeypatch.setattr(Outlook, "due_in_s", property(lambda _self: told.due_in_s))
    monkeypatch.setattr(budgets, "_LEAST_PAUSE_S", 0.01)
    monkeypatch.setattr(budgets, "_LONGEST_PAUSE_S", 0.01)
    return told


def foreseen(low_j: float, low_g: float | None = None) -> Forecast:
    from greenai.core.forecast import Forecast

    return Forecast(
        name="epoch", done=3, planned=9, based_on=3, energy_j=2 * low_j, low_j=low_j, high_j=3 * low_j,
        location_g=low_g, location_low_g=low_g, location_high_g=low_g, location_gases="CO2", at_ms=0, remaining_s=1.0,
        remaining_low_s=1.0, remaining_high_s=1.0,
    )  # fmt: skip


def codes(record: RunRecord) -> list[str]:
    """What is said about budgets; a run of milliseconds may be over before its sampler says anything."""
    return [incident.code for incident in record.incidents if incident.code.startswith("budget")]


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "greenai-budget"]


KWH = 1 / 3.6e6  # of a joule


# --- warn


def test_a_warning_is_one_line_in_the_log_and_on_the_record(
    future: Future, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="greenai"), greenai.track("x") as run:
        run.on_budget(kwh=12_000 * KWH)
        looks = future.looks
        until(lambda: future.looks > looks + 3)
        assert caplog.messages == []
        future.energy_j = 15_000.0
        until(lambda: not watchers())
        with run.window("goes on"):
            pass
    (message,) = caplog.messages
    assert (
        message.replace("\u202f", " ") == "This run has used up its budget: 2.50 kJ of 2.00 kJ." or "Wh" in message
    )
    assert codes(run.result) == ["budget_exceeded"]
    assert run.result.state is RunState.COMPLETED


def test_grams(future: Future, until: Until) -> None:
    with greenai.track("x") as run:
        run.on_budget(g=5)
        future.location_g = 6.0
        until(lambda: not watchers())
    (incident,) = (incident for incident in run.result.incidents if incident.code == "budget_exceeded")
    assert incident.message.de.replace("\u202f", " ") == (
        "Das Budget dieses Laufs ist verbraucht: 6,00 g CO2 von 5,00 g."
    )


def test_a_budget_that_the_forecast_exceeds(future: Future, until: Until) -> None:
    with greenai.track("x", zone="DE") as run:
        run.on_budget(kwh=5000 * KWH, when="forecast")
        future.ahead = foreseen(4000)
        looks = future.looks
        until(lambda: future.looks > looks + 3)
        assert watchers()
        future.ahead = foreseen(6000)
        until(lambda: not watchers())
        run.on_budget(g=5, when="forecast")
        future.ahead = foreseen(1, low_g=6.0)
        until(lambda: not watchers())
    assert codes(run.result) == ["budget_exceeded", "budget_exceeded"]
    assert any("is going to exceed" in str(incident.message) for incident in run.result.incidents)


def test_without_a_budget_nobody_watches(future: Future) -> None:
    with greenai.track("x"):
        assert not watchers()
    assert future.looks == 0


def test_the_watch_ends_with_the_run(future: Future, until: Until) -> None:
    with greenai.track("x") as run:
        run.on_budget(kwh=1)
        run.on_budget(kwh=2)
        assert len(watchers()) == 1
    until(lambda: not watchers())


# --- stop


def test_a_stop_comes_at_the_next_mark_and_only_once(future: Future, until: Until) -> None:
    after: list[int] = []

    def train() -> None:
        for step in run.steps(range(100)):
            if step == 2:
                future.energy_j = 9999.0
                until(lambda: not watchers())
                after.append(step)  # not in the middle of a step

    with pytest.raises(BudgetExceededError) as caught, greenai.track("x") as run:  # noqa: PT012
        run.on_budget(kwh=2000 * KWH, action="stop")
        try:
            train()
        except BudgetExceededError:
            with run.window("save the model"):
                run.add_units(1)
            run.checkpoint()
            raise
    assert after == [2]
    assert isinstance(caught.value, greenai.GreenAIError)
    assert [row.name for row in run.result.windows] == ["step"] * 3 + ["save the model"]
    assert (run.result.state, run.result.error) == (RunState.FAILED, "BudgetExceededError")
    assert codes(run.result) == ["budget_exceeded"]
    assert any("next window" in str(incident.message) for incident in run.result.incidents)


@pytest.mark.parametrize(
    "mark",
    [
        lambda run: run.window("w").__enter__(),
        lambda run: run.checkpoint(),
        lambda run: run.add_units(1),
        lambda run: next(iter(run.steps([1]))),
    ],
)
def test_each_mark_stops(future: Future, until: Until, mark: Callable[[greenai.Run], object]) -> None:
    with greenai.track("x") as run:
        run.on_budget(kwh=KWH, action="stop")
        until(lambda: not watchers())
        run.log_metric("accuracy", 1)
        with pytest.raises(BudgetExceededError, match="used up"):
            mark(run)
        mark(run)


def test_the_end_of_a_window_stops_unless_an_error_is_on_its_way(future: Future, until: Until) -> None:
    with greenai.track("x") as run:
        run.on_budget(kwh=2000 * KWH, action="stop")
        with pytest.raises(KeyError, match="mine"), run.window("fails"):  # noqa: PT012
            future.energy_j = 9999.0
            until(lambda: not watchers())
            raise KeyError("mine")
        run.log_metric("x", 1)
        with pytest.raises(BudgetExceededError):
            run.add_units(1)
        future.energy_j = 0.0
        run.on_budget(kwh=2000 * KWH, action="stop")
        with pytest.raises(BudgetExceededError), run.window("ends"):  # noqa: PT012
            future.energy_j = 9999.0
            until(lambda: not watchers())
    assert all(row.duration_s > 0 for row in run.result.windows)


def test_the_end_of_a_run_stops_nothing(future: Future, until: Until) -> None:
    with greenai.track("x") as run:
        run.on_budget(kwh=KWH, action="stop")
        until(lambda: not watchers())
    assert run.result.state is RunState.COMPLETED


def test_a_budget_of_the_outer_run_stops_marks_of_the_inner_one(future: Future, until: Until) -> None:
    with greenai.track("outer") as outer:
        outer.on_budget(kwh=KWH, action="stop")
        until(lambda: not watchers())
        with greenai.track("inner") as inner:
            with pytest.raises(BudgetExceededError):
                inner.window("w").__enter__()
            with inner.window("w"):
                pass


# --- a function


def test_a_function_is_called_once_with_run_and_forecast(future: Future, until: Until) -> None:
    calls: list[Any] = []
    future.ahead = foreseen(10)
    with greenai.track("x") as run:
        run.on_budget(kwh=KWH, action=lambda *told: calls.append((*told, threading.current_thread().name)))
        until(lambda: not watchers())
        time.sleep(0.05)
    assert calls == [(run, future.ahead, "greenai-budget")]
    assert codes(run.result) == []


def test_a_function_that_fails_is_an_incident(future: Future, until: Until) -> None:
    def fails(_run: greenai.Run, _forecast: Forecast | None) -> None:
        raise ZeroDivisionError("no budget")

    with greenai.track("x") as run:
        run.on_budget(kwh=KWH, action=fails)
        until(lambda: not watchers())
    assert codes(run.result) == ["budget_action_failed"]


# --- what is not known, and what is wrong


def test_unknown_energy_reaches_nothing_and_is_said_once(future: Future, until: Until) -> None:
    future.energy_j = None
    with greenai.track("x") as run:
        run.on_budget(kwh=KWH, action="stop")
        until(lambda: future.looks > 8)
        with run.window("w"):
            pass
        assert watchers()
        future.energy_j = 9999.0  # known after all
        until(lambda: not watchers())
        with pytest.raises(BudgetExceededError):
            run.add_units(1)
    assert codes(run.result) == ["budget_unknown", "budget_exceeded"]


def test_at_the_start_of_a_run_nothing_is_known_yet(future: Future, until: Until) -> None:
    future.energy_j, future.duration_s = None, 1.0
    with greenai.track("x") as run:
        run.on_budget(kwh=1)
        until(lambda: future.looks > 8)
    assert codes(run.result) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"kwh": 1, "g": 1}, {"kwh": 0}, {"kwh": -1}, {"kwh": float("nan")}, {"g": "5"}, {"kwh": True},
        {"kwh": 10**400}, {"g": 10**400}, {"g": -(10**400)}, {"kwh": 1e305},
        {"kwh": 1, "action": "explode"}, {"kwh": 1, "action": None}, {"kwh": 1, "when": "later"},
    ],
)  # fmt: skip
def test_a_budget_that_makes_no_sense_is_refused_at_once(wrong: dict[str, Any]) -> None:
    with greenai.track("x") as run, pytest.raises(greenai.ConfigError, match="on_budget"):
        run.on_budget(**wrong)
    assert not watchers()


def test_a_machine_that_gives_no_thread(future: Future, monkeypatch: pytest.MonkeyPatch) -> None:
    with greenai.track("x") as run:

        def no_thread(_self: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", no_thread)
        run.on_budget(kwh=1)
        monkeypatch.undo()
    assert "budget_unwatched" in codes(run.result)
    assert future.looks == 0


# --- how often


@pytest.mark.parametrize(
    ("energy_j", "due_in_s", "pause_s"),
    [
        (1000.0, 0.0, 50.0),  # 100 s so far, 100 s to go: half of it
        (1.0, 0.0, 60.0),
        (1999.9, 0.0, 1.0),
        (1999.9, 7.0, 7.0),  # a look took 70 ms
    ],
)
def test_the_pause_follows_from_what_is_left(
    future: Future, monkeypatch: pytest.MonkeyPatch, energy_j: float, due_in_s: float, pause_s: float
) -> None:
    monkeypatch.setattr(budgets, "_LEAST_PAUSE_S", 1.0)
    monkeypatch.setattr(budgets, "_LONGEST_PAUSE_S", 60.0)
    future.energy_j, future.due_in_s = energy_j, due_in_s
    with greenai.track("x") as run:
        watch = budgets.BudgetWatch(run, run.session, run._outlook, None)
        watch._budgets.append(Budget.of(2000 * KWH, None, "warn", "reached"))
        assert watch._look() == pytest.approx(pause_s)


def test_looking_takes_one_percent_of_the_time() -> None:
    with greenai.track("x", interval_s=0.1) as run:
        outlook = run._outlook
        began_s = time.thread_time()
        first = outlook.look()
        took_s = time.thread_time() - began_s
        assert 0 < outlook.due_in_s <= PAUSE_PER_WORK * took_s
        assert outlook.look() is first
        outlook._busy.acquire()  # as in a child forked while another thread looked
        outlook._not_before_s = 0
        assert outlook.look() is first


# --- all of it


@pytest.mark.slow
def test_a_real_run_stops_at_its_budget(until: Until) -> None:
    done = 0
    with pytest.raises(BudgetExceededError), greenai.track("x", interval_s=0.2) as run:  # noqa: PT012
        until(lambda: (run.result.energy_j or 0.0) > 0)
        run.on_budget(kwh=KWH * (run.result.energy_j or 0.0) * 1.5, action="stop")
        for _ in run.steps(range(600), name="epoch"):
            time.sleep(0.05)
            done += 1
    assert done < 600
    assert run.result.state is RunState.FAILED


def test_a_real_forecast(until: Until) -> None:
    found: list[Forecast] = []

    def ahead() -> bool:
        forecast = run.forecast()
        found.extend([forecast] if forecast else [])
        return bool(found)

    with greenai.track("x", interval_s=0.1, zone="DE") as run:
        assert run.forecast() is None
        run.plan("epoch", 20)
        run.plan("never", 0)
        for _ in range(5):
            with run.window("epoch"):
                time.sleep(0.05)
        until(ahead)
    forecast = found[0]
    assert (forecast.name, forecast.done, forecast.planned) == ("epoch", 5, 20)
    assert forecast.energy_j is not None
    assert forecast.energy_j > (run.result.energy_j or 0.0) / 2
    assert forecast.location_g is not None
    assert "epoch 5/20" in str(forecast)
    assert run.plan("epoch", -1) is None  # type: ignore[func-returns-value]


def test_looking_ahead_does_without_the_windows() -> None:
    with greenai.track("x") as run:
        with run.window("w"):
            pass
        record, _ = run._outlook.look()
        assert record is not None
        assert record.windows == ()
        assert len(run.result.windows) == 1


@pytest.mark.parametrize(
    ("zone", "limit", "said"),
    [(None, {"g": 5}, 1), ("ZZ", {"g": 5}, 1), ("DE", {"g": 5}, 0), (None, {"kwh": 5}, 0)],
)
def test_a_limit_to_co2_that_nobody_can_compute_is_said_at_once(
    zone: str | None, limit: dict[str, Any], said: int
) -> None:
    with greenai.track("x", zone=zone) as run:
        run.on_budget(**limit)
    assert [incident.code for incident in run.result.incidents].count("budget_unknown") == said


def test_a_function_that_calls_sys_exit_ends_no_other_budget(future: Future, until: Until) -> None:
    def leave(*_: object) -> None:
        sys.exit("enough")

    with greenai.track("x") as run:
        run.on_budget(kwh=2000 * KWH, action=leave)
        run.on_budget(kwh=3000 * KWH)
        future.energy_j = 4000.0
        until(lambda: not watchers())
    assert sorted(codes(run.result)) == ["budget_action_failed", "budget_exceeded"]
