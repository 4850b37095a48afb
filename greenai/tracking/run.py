"""``Run``: the handle that user code holds while it is tracked."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Self, SupportsFloat, TypeVar

from greenai.core.vocabulary import RunState
from greenai.journal import format as f
from greenai.tracking.budget import Budget, BudgetWatch
from greenai.tracking.checkpoint import mark_checkpoint
from greenai.tracking.devices import wait_for_devices
from greenai.tracking.figures import as_count, as_name, as_number, as_total
from greenai.tracking.results import Outlook, account_of
from greenai.tracking.session import Session
from greenai.tracking.steps import Plans, Steps
from greenai.tracking.windows import Stretch, Window

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable
    from contextvars import Token
    from types import TracebackType

    from greenai.core.collector import Incident
    from greenai.core.forecast import Forecast
    from greenai.core.record import RunRecord
    from greenai.settings import Settings
    from greenai.tracking.budget import Action

T = TypeVar("T")

_current: ContextVar[Run | None] = ContextVar("greenai_run", default=None)


def current_run() -> Run | None:
    """Return the run that is being tracked here, None if there is none.

    Inside a decorated function this is how metrics and units are logged.
    """
    run = _current.get()
    # A generator and a block need not end in the order they began: pass over what has ended meanwhile.
    while run is not None and not run.running:
        run = run.outer
    return run


class Run:
    """A tracked run.

    Attributes:
        name: Its name.
        outer: The open run of this process that it is a window of, if any.
        session: What writes it down.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        *,
        name_given: bool,
        inside: Run | None = None,
        synchronize: bool = False,
    ) -> None:
        """Start tracking.

        Args:
            settings: The settings in force.
            name: Name of the run.
            name_given: True if a person chose the name.
            inside: An open run of this process. The new one becomes a window of it: the same joules must not
                appear in two runs.
            synchronize: Wait for the accelerators before each mark.

        Raises:
            ConfigError: The spool or the database cannot be written.
        """
        self.name = name
        self.outer = inside
        self._synchronize = synchronize
        trouble = wait_for_devices() if synchronize else None
        self.session: Session = inside.session if inside else Session.begin(settings, name, name_given=name_given)
        self._told: set[str] = set()
        self._tell_once(trouble)
        self._nested = inside is not None
        part_name = name if self._nested else self.session.part_name(name)
        self._whole = Stretch(self.session, part_name) if self._nested or not self.session.whole else None
        self._plans = Plans()
        self._outlook = Outlook(self.session, name, self._part, lambda: self._plans.totals)
        outer = inside._budgets if inside else None  # noqa: SLF001
        self._budgets: BudgetWatch = BudgetWatch(self, self.session, self._outlook, outer)
        self._token = _current.set(self)
        self._final: RunRecord | None = None
        self._ended = False

    @property
    def running(self) -> bool:
        """Whether it still goes on."""
        return not self._ended and self.session.running

    @property
    def id(self) -> str:
        """The run's id, as ``greenai runs`` shows it."""
        return self.session.folder.name

    @property
    def _part(self) -> str | None:
        return self._whole.id if self._whole else None

    def window(self, name: str, *, synchronize: bool | None = None) -> Window:
        """Return a context manager that measures a part of the run on its own. Windows may nest and overlap.

        Args:
            name: Its name; windows of one name are repeats.
            synchronize: Before each of its two readings wait until the accelerators (PyTorch, JAX, CuPy) have done
                what was queued, so that a window holds the energy of the work that was started in it, no more and
                no less. That costs pipelining: nothing is queued ahead while the program waits. Therefore it is
                off by default; None does as ``track(synchronize=...)`` says.

        Raises:
            BudgetExceededError: At its begin or its end, see ``on_budget``.
        """
        waits = self._synchronize if synchronize is None else synchronize
        return Window(
            self.session, name, self._whole, wait=self._wait if waits else None, check=self._budgets.check
        )

    def steps(
        self,
        items: Iterable[T] | AsyncIterable[T],
        *,
        name: str = "step",
        total: int | None = None,
        synchronize: bool | None = None,
    ) -> Steps[T]:
        """Return the items of a loop; each iteration is a window, and ``forecast`` knows how many there will be.

        Also for ``async for``. The window holds the body of the loop; fetching the next item lies between windows
        and is part of the forecast. A loop that is left early is not waited for.

        Args:
            items: What the loop goes over.
            name: Name of the windows.
            total: How many items there are, where ``items`` has no length. One that makes no sense is noted on the
                record and left out.
            synchronize: As for ``window``.

        Raises:
            BudgetExceededError: Between two steps, see ``on_budget``.
        """
        name = as_name(name)
        count = None if total is None else as_total(self.session, "steps", total)
        return Steps(items, name, lambda: self.window(name, synchronize=synchronize), self._plans, count)

    def plan(self, name: str, total: int) -> None:
        """Say how many windows of a name there will be in all, so that ``forecast`` can tell how the run ends.

        Args:
            name: Name of the windows.
            total: How many.
        """
        number = as_total(self.session, "plan", total)
        if number is not None:
            self._plans.say(as_name(name), number)

    def forecast(self) -> Forecast | None:
        """Return the energy, CO2 and end of the run to expect when its plan is done, each with a ~95 % range.

        None as long as fewer than two planned windows have ended (``steps`` or ``plan``). Where several were
        planned, the first that is not done yet counts: plan epochs before batches. Computed from the journals, at
        most 1 % of the time; in between the last forecast is returned again.
        """
        return self._outlook.look()[1]

    def on_budget(
        self,
        *,
        kwh: float | None = None,
        g: float | None = None,
        action: Action = "warn",
        when: str = "reached",
    ) -> None:
        """Do something when the run has taken a given energy or CO2.

        A thread looks often when the limit is near and seldom when it is far; it computes at most 1 % of the time.
        Energy that is unknown never reaches a limit; the record says so.

        Args:
            kwh: IT energy, kilowatt-hours.
            g: Instead of it location-based CO2e, grams; needs a grid factor (``zone``).
            action: ``warn`` writes one line to the log (logger ``greenai``) and on the record. ``stop`` does so
                too and raises ``BudgetExceededError`` at the next mark: begin or end of a window, step, checkpoint
                or ``add_units``; once only, so that a model can be saved afterwards. A function is called once,
                with the run and its forecast, in the watching thread.
            when: ``reached``, or ``forecast``: already when even the lower end of the forecast exceeds the limit.

        Raises:
            ConfigError: The limit or the action makes no sense.
        """
        self._budgets.add(Budget.of(kwh, g, action, when))

    def checkpoint(self, name: str | None = None) -> None:
        """Say that the work up to here is saved; call it after saving.

        Everything measured up to here is written through to the disk and survives a crash of the machine. The
        record tells what the run had taken up to each checkpoint and, should it not end well, what was lost since
        the last one.

        Args:
            name: Name of the checkpoint.

        Raises:
            BudgetExceededError: See ``on_budget``.
        """
        if self._synchronize:
            self._wait()
        self._tell_once(mark_checkpoint(self.session, name))
        self._budgets.check()

    def log_metric(self, name: str, value: SupportsFloat, *, higher_is_better: bool = True) -> None:
        """Record a quality figure; the last value of a name counts.

        Args:
            name: E.g. ``accuracy``.
            value: Anything that ``float()`` takes.
            higher_is_better: False for errors and losses.
        """
        name = as_name(name)
        number = as_number(self.session, name, value)
        if number is not None:
            self.session.event(f.METRIC, name=name, value=number, higher_is_better=bool(higher_is_better))

    def add_units(self, count: SupportsFloat = 1) -> None:
        """Record functional units delivered (documents, images, fits); the energy per unit follows from it.

        Raises:
            BudgetExceededError: See ``on_budget``.
        """
        number = as_count(self.session, "add_units", count)
        if number is not None:
            self.session.event(f.UNITS, n=number, window=self._part)
        self._budgets.check()

    @property
    def result(self) -> RunRecord:
        """The record of the run: final once it has ended, so far while it runs. Computed from the journals.

        Of a run that is part of another one (nested, or inside ``greenai run``) it covers this part.
        """
        if self._final is not None:
            return self._final
        record = account_of(self.session, self.name, self._part)[1].record
        if self._ended:
            self._final = record
        return record

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.finish(error)

    def finish(self, error: BaseException | None = None) -> None:
        """End the run. Calling it again does nothing."""
        if self._ended:
            return
        self._ended = True
        _reset(_current, self._token)
        self._budgets.close()
        try:
            if self._synchronize:
                self._wait()
        finally:
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        if self._whole is not None:
            self._whole.end()
        if self._nested:
            return
        state, exit_code = _outcome(error)
        failed = error is not None and state is not RunState.COMPLETED
        self.session.end(state, exit_code, type(error).__name__ if failed else None)

    def _wait(self) -> None:
        self._tell_once(wait_for_devices())

    def _tell_once(self, incident: Incident | None) -> None:
        if incident is not None and incident.code not in self._told:
            self._told.add(incident.code)
            self.session.incident(incident)


def _outcome(error: BaseException | None) -> tuple[RunState, int | None]:
    """Tell how the user's code ended. GeneratorExit is a consumer that has enough, not a failure."""
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        return (RunState.COMPLETED if code == 0 else RunState.FAILED), code
    if error is None or isinstance(error, GeneratorExit):
        return RunState.COMPLETED, None
    return RunState.FAILED, None


def _reset(variable: ContextVar[T | None], token: Token[T | None]) -> None:
    with suppress(ValueError):  # ended in another context than it began: what holds there is not ours to change
        variable.reset(token)
