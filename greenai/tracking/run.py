"""``Run``: the handle that user code holds while it is tracked."""

from __future__ import annotations

import itertools
import math
import os
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Self, SupportsFloat, TypeVar

from greenai.core.collector import Incident
from greenai.core.text import Text
from greenai.core.vocabulary import RunState
from greenai.journal import format as f
from greenai.tracking.session import Session

if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType

    from greenai.core.record import RunRecord
    from greenai.settings import Settings

_NOT_A_NUMBER = Text(
    de="{what}: {value} ist keine Zahl und wurde nicht übernommen.",
    en="{what}: {value} is not a number and was not recorded.",
)

_NEGATIVE = Text(
    de="add_units: {value} ist negativ und wurde nicht übernommen.",
    en="add_units: {value} is negative and was not recorded.",
)
_JOURNAL_LOST = Incident(
    "journal_lost",
    Text(
        de="Das Journal dieses Laufs ist verloren; seine Energie ist unbekannt.",
        en="The journal of this run is lost; its energy is unknown.",
    ),
)

T = TypeVar("T")

_current: ContextVar[Run | None] = ContextVar("greenai_run", default=None)
_window: ContextVar[str | None] = ContextVar("greenai_window", default=None)
_window_numbers = itertools.count(1)


def current_run() -> Run | None:
    """Return the run that is being tracked here, None if there is none.

    Inside a decorated function this is how metrics and units are logged.
    """
    run = _current.get()
    # A generator and a block need not end in the order they began: pass over what has ended meanwhile.
    while run is not None and not run.running:
        run = run.outer
    return run


class Window:
    """A named stretch of a run, exact to the two readings around it. Use it in a ``with`` statement."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name
        self.id = ""  # of the stretch begun last
        self._begun: list[tuple[str, int, Token[str | None]]] = []

    def __enter__(self) -> Self:
        parent = _window.get()
        self.id = f"{os.getpid()}-{next(_window_numbers)}"
        self._begun.append((self.id, os.getpid(), _window.set(self.id)))
        self._session.mark(f.BEGIN, id=self.id, name=self._name, parent=parent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        window_id, pid, token = self._begun.pop()
        if pid == os.getpid():  # a forked child does not end what its parent began
            self._session.mark(f.END, id=window_id)
        _reset(_window, token)


class Run:
    """A tracked run.

    Attributes:
        name: Its name.
        outer: The open run of this process that it is a window of, if any.
    """

    def __init__(self, settings: Settings, name: str, *, name_given: bool, inside: Run | None = None) -> None:
        """Start tracking.

        Args:
            settings: The settings in force.
            name: Name of the run.
            name_given: True if a person chose the name.
            inside: An open run of this process. The new one becomes a window of it: the same joules must not
                appear in two runs.

        Raises:
            ConfigError: The spool or the database cannot be written.
        """
        self.name = name
        self._nested = inside is not None
        self.outer = inside
        self._session: Session = (
            inside._session if inside else Session.begin(settings, name, name_given=name_given)  # noqa: SLF001
        )
        self._whole: Window | None = None
        if self._nested or not self._session.owner:
            self._whole = Window(self._session, name)
            self._whole.__enter__()
        self._token = _current.set(self)
        self._final: RunRecord | None = None
        self._ended = False

    @property
    def running(self) -> bool:
        """Whether it still goes on."""
        return not self._ended and self._session.running

    @property
    def id(self) -> str:
        """The run's id, as ``greenai runs`` shows it."""
        return self._session.folder.name

    def window(self, name: str) -> Window:
        """Return a context manager that measures a part of the run on its own. Windows may nest and overlap."""
        return Window(self._session, name)

    def log_metric(self, name: str, value: SupportsFloat, *, higher_is_better: bool = True) -> None:
        """Record a quality figure; the last value of a name counts.

        Args:
            name: E.g. ``accuracy``.
            value: Anything that ``float()`` takes.
            higher_is_better: False for errors and losses.
        """
        number = self._number(name, value)
        if number is not None:
            self._session.event(f.METRIC, name=str(name), value=number, higher_is_better=bool(higher_is_better))

    def add_units(self, count: SupportsFloat = 1) -> None:
        """Record functional units delivered (documents, images, fits); the energy per unit follows from it."""
        number = self._number("add_units", count)
        if number is not None and number < 0:
            self._session.incident(Incident("negative_units", _NEGATIVE.format(value=number)))
        elif number is not None:
            self._session.event(f.UNITS, n=number, window=self._whole.id if self._whole else None)

    @property
    def result(self) -> RunRecord:
        """The record of the run: final once it has ended, so far while it runs. Computed from the journals.

        Of a run that is part of another one (nested, or inside ``greenai run``) it covers this part.
        """
        if self._final is not None:
            return self._final
        # Local: records are made when somebody asks for one, not while the program is being measured.
        from greenai.carbon.footprint import with_footprint
        from greenai.core.account import account
        from greenai.journal.reader import read_run

        part = self._whole.id if self._whole else None
        try:
            record = account(read_run(self._session.folder), part).record
        except (OSError, ValueError):
            record = account(self._session.empty_log(self.name)).record
            record = replace(record, incidents=(*record.incidents, _JOURNAL_LOST))
        record = replace(record, incidents=(*record.incidents, *self._session.lost[:1]))
        record = with_footprint(record, self._session.settings)
        if self._ended:
            self._final = record
        return record

    def finish(self, error: BaseException | None = None) -> None:
        """End the run. Calling it again does nothing."""
        if self._ended:
            return
        self._ended = True
        _reset(_current, self._token)
        if self._whole is not None:
            self._whole.__exit__(None, None, None)
        if self._nested:
            return
        state, exit_code = _outcome(error)
        self._session.end(state, exit_code, type(error).__name__ if error is not None else None)

    def _number(self, what: str, value: SupportsFloat) -> float | None:
        try:
            number = float(value)
            shown = repr(number)
        except Exception:  # noqa: BLE001  # a wrong figure (a tensor of many values) must not end a training
            number, shown = math.nan, type(value).__name__
        if math.isfinite(number):
            return number
        self._session.incident(Incident("not_a_number", _NOT_A_NUMBER.format(what=what, value=shown)))
        return None


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
