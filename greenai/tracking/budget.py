"""Budgets: being told, or stopped, when a run has taken a given energy or CO2."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, Literal

from greenai.core import quantity
from greenai.core.collector import Incident
from greenai.core.errors import ConfigError, GreenAIError
from greenai.core.text import Text
from greenai.core.units import J_PER_KWH
from greenai.sampler.guard import start_quietly

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.forecast import Forecast
    from greenai.core.record import RunRecord
    from greenai.tracking.results import Outlook
    from greenai.tracking.run import Run
    from greenai.tracking.session import Session

    Action = Literal["warn", "stop"] | Callable[[Run, Forecast | None], object]

# A run that suddenly takes more than before is noticed within the longest pause.
_LEAST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
# Unknown for this many looks in a row: then it will stay unknown.
_LOOKS_UNKNOWN = 3

_LIMIT = Text(
    de="on_budget braucht genau eine Grenze, kwh= oder g=, und sie muss größer als 0 sein.",
    en="on_budget needs exactly one limit, kwh= or g=, and it must be greater than 0.",
)
_ACTION = Text(
    de='on_budget: action ist "warn", "stop" oder eine Funktion, when ist "reached" oder "forecast".',
    en='on_budget: action is "warn", "stop" or a function, when is "reached" or "forecast".',
)
_REACHED = Text(
    de="Das Budget dieses Laufs ist verbraucht: {taken} von {limit}.",
    en="This run has used up its budget: {taken} of {limit}.",
)
_FORESEEN = Text(
    de="Dieser Lauf wird sein Budget von {limit} überschreiten: am Ende mindestens {taken}.",
    en="This run is going to exceed its budget of {limit}: at least {taken} at the end.",
)
_NEXT_MARK = Text(
    de="{reason} Er hält beim nächsten Fenster, Schritt oder Checkpoint an.",
    en="{reason} It stops at the next window, step or checkpoint.",
)
_UNKNOWN = Text(
    de="Energie oder CO2 dieses Laufs ist unbekannt; solange das so ist, greift sein Budget von {limit} nicht.",
    en="Energy or CO2 of this run is unknown; while that is so, its budget of {limit} has no effect.",
)
_ACTION_FAILED = Text(
    de="Die Funktion zum Budget von {limit} ist gescheitert: {reason}.",
    en="The function for the budget of {limit} failed: {reason}.",
)
_NO_THREAD = Text(
    de="Das Budget wird nicht überwacht: Es gibt keinen freien Thread mehr.",
    en="The budget is not watched: there is no free thread any more.",
)


class BudgetExceededError(GreenAIError):
    """A run has used up its budget, or is going to. Raised once for each budget, at a mark in the user's code."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit, and what is to happen when a run reaches it.

    Attributes:
        limit: Joules, or grams of what the run's grid factor counts: CO2 or CO2e.
        is_mass: Whether the limit is in grams.
        action: What to do.
        ahead: Whether it is enough that the forecast exceeds it.
    """

    limit: float
    is_mass: bool
    action: Action
    ahead: bool

    @classmethod
    def of(cls, kwh: float | None, g: float | None, action: Action, when: str) -> Budget:
        """Make one of what a person said.

        Raises:
            ConfigError: It makes no sense.
        """
        given = [value for value in (kwh, g) if value is not None]
        if len(given) != 1 or isinstance(given[0], bool) or not isinstance(given[0], int | float):
            raise ConfigError(_LIMIT)
        if not (callable(action) or action in ("warn", "stop")) or when not in ("reached", "forecast"):
            raise ConfigError(_ACTION)
        try:
            limit = float(given[0]) * (J_PER_KWH if g is None else 1.0)
        except OverflowError:  # an integer of hundreds of digits
            limit = inf
        if not 0 < limit < inf:
            raise ConfigError(_LIMIT)
        return cls(limit, kwh is None, action, when == "forecast")

    def show(self, amount: float | None = None, gases: str | None = None) -> Text:
        """Write an amount in the unit of the limit, and what its grams count; without one, the limit."""
        value = self.limit if amount is None else amount
        write = quantity.mass if self.is_mass else quantity.energy
        unit = f" {gases}" if self.is_mass and gases else ""
        return Text.each(lambda language: write(value, language) + unit)

    def taken(self, record: RunRecord) -> float | None:
        """Return what the run has taken so far, None if unknown."""
        if not self.is_mass:
            return record.energy_j
        return record.emissions.location_g if record.emissions else None

    def exceeded(self, record: RunRecord, forecast: Forecast | None) -> Text | None:
        """Say why the budget is at its end, None if it is not."""
        taken = self.taken(record)
        factor = record.emissions.factor if record.emissions else None
        gases = factor.gases if factor else None
        if taken is not None and taken >= self.limit:
            return _REACHED.format(taken=self.show(taken, gases), limit=self.show())
        least = None
        if self.ahead and forecast is not None:
            least = forecast.location_low_g if self.is_mass else forecast.low_j
        if least is not None and least > self.limit:
            return _FORESEEN.format(taken=self.show(least, gases), limit=self.show())
        return None


class BudgetWatch:
    """Watches the budgets of a run in a daemon thread, which exists only while there are any."""

    def __init__(self, run: Run, session: Session, outlook: Outlook, outer: BudgetWatch | None) -> None:
        self._outer = outer  # of the run around this one
        self._run = run
        self._session = session
        self._outlook = outlook
        self._budgets: list[Budget] = []
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._unknown: Counter[Budget] = Counter()
        self._stops: list[BudgetExceededError] = []  # still to be raised

    def add(self, budget: Budget) -> None:
        """Watch one more."""
        self._budgets.append(budget)
        if budget.is_mass and self._lacks_factor():
            self._unknown[budget] = _LOOKS_UNKNOWN  # said now, not once more
            self._say_unknown(budget)
        if self._thread is not None and self._thread.is_alive():
            self._wake.set()
            return
        self._thread = threading.Thread(target=self._watch, name="greenai-budget", daemon=True)
        if not start_quietly(self._thread):
            self._session.incident(Incident("budget_unwatched", _NO_THREAD))

    def check(self) -> None:
        """Stop the program here, if a budget of this run or of one around it says so.

        Raises:
            BudgetExceededError: Once for each, so that what the program does about it is not stopped in turn.
        """
        while self._stops:
            try:
                error = self._stops.pop()
            except IndexError:  # another thread was faster
                break
            raise error
        if self._outer is not None:
            self._outer.check()

    def close(self) -> None:
        """Stop watching. Waits for nobody."""
        self._closed = True
        self._wake.set()

    def _watch(self) -> None:
        pause_s = _LEAST_PAUSE_S
        while self._budgets and not self._closed:
            self._wake.wait(pause_s)
            self._wake.clear()
            if not self._closed:
                pause_s = self._look()

    def _look(self) -> float:
        """Compare what was taken with each budget; return how long to wait, seconds."""
        record, forecast = self._outlook.look()
        if record is None:
            return _LEAST_PAUSE_S
        pauses_s = [_LONGEST_PAUSE_S]
        for budget in list(self._budgets):
            reason = budget.exceeded(record, forecast)
            if reason is not None:
                self._budgets.remove(budget)
                self._act(budget, reason, forecast)
            elif not (taken := budget.taken(record)):
                self._count_unknown(budget, record, taken)
                pauses_s.append(_LEAST_PAUSE_S)
            else:
                # Half of the way to the limit, as it went so far: more power than before is noticed in time.
                pauses_s.append((budget.limit - taken) / taken * record.duration_s / 2)
        return max(min(pauses_s), self._outlook.due_in_s, _LEAST_PAUSE_S)

    def _count_unknown(self, budget: Budget, record: RunRecord, taken: float | None) -> None:
        if taken is not None or record.duration_s < _LOOKS_UNKNOWN * self._session.settings.interval_s:
            return
        self._unknown[budget] += 1
        if self._unknown[budget] == _LOOKS_UNKNOWN:
            self._say_unknown(budget)

    def _say_unknown(self, budget: Budget) -> None:
        self._session.incident(Incident("budget_unknown", _UNKNOWN.format(limit=budget.show())))

    def _lacks_factor(self) -> bool:
        """Say whether there can be no CO2 figure: no grid zone, or one without a factor."""
        from greenai.carbon.factors import location_factor  # who sets no limit to CO2 does without it

        settings = self._session.settings
        if settings.zone is None:
            return True
        today = datetime.now(UTC).date()
        try:
            return location_factor(settings.zone, today, settings.factors) is None
        except ConfigError:  # a damaged table of the user's; its run says so
            return True

    def _act(self, budget: Budget, reason: Text, forecast: Forecast | None) -> None:
        if budget.action == "warn":
            self._session.incident(Incident("budget_exceeded", reason))
        elif budget.action == "stop":
            self._session.incident(Incident("budget_exceeded", _NEXT_MARK.format(reason=reason)))
            self._stops.append(BudgetExceededError(reason))
        elif callable(budget.action):
            try:
                budget.action(self._run, forecast)
            except BaseException as error:  # noqa: BLE001  # sys.exit() ends this thread only, and nobody would see it
                told = _ACTION_FAILED.format(limit=budget.show(), reason=repr(error))
                self._session.incident(Incident("budget_action_failed", told))
