"""``InferenceMeter``: energy of a service that goes on and on, request by request, in constant memory."""

from __future__ import annotations

import atexit
import inspect
import os
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final, ParamSpec, Self, SupportsFloat, TypeVar

from greenai.core.collector import Incident
from greenai.core.requests import DEFAULT_UNIT
from greenai.core.text import Text
from greenai.core.vocabulary import RunState
from greenai.plugins import preload_collectors
from greenai.settings import load_settings
from greenai.settings.values import run_name
from greenai.tracking.meta import RunOptions
from greenai.tracking.results import account_of
from greenai.tracking.run import current_run
from greenai.tracking.service.figures import Figures
from greenai.tracking.service.ledger import ClosedBooks, Ledger
from greenai.tracking.service.request import Request
from greenai.tracking.session import Session
from greenai.tracking.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from greenai.core.record import RunRecord
    from greenai.tracking.service.ledger import Books

P = ParamSpec("P")
R = TypeVar("R")

_DEFAULT_NAME: Final = "inference"
_DEFAULT_PHASE: Final = "inference"

_NOT_METERED = Text(
    de="Die Anfragen dieses Prozesses ließen sich nicht erfassen ({reason}).",
    en="The requests of this process could not be metered ({reason}).",
)


class InferenceMeter:
    """Meters a long-lived service: one run, many requests.

    ::

        meter = greenai.InferenceMeter(project="bot", unit="request")

        @meter
        def predict(x): ...

        with meter.request() as request:
            request.tokens = generate()

    The run begins here, so that idle energy before the first request counts, and ends with ``close``, with the
    ``with`` block or with the program. While several requests are active at once, each gets the same part of the
    energy; what is spent while none is active is stated separately. Threads, tasks and forked workers may use one
    meter. A service has one meter: a second one would be a second run with the same energy.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        project: str | None = None,
        task: str | None = None,
        approach: str | None = None,
        phase: str | None = None,
        unit: str | None = None,
        tags: Mapping[str, str] | None = None,
        scope: str | None = None,
        zone: str | None = None,
        interval_s: float | None = None,
    ) -> None:
        """Begin the run. Inside a tracked run the requests become part of that one.

        Args:
            name: Name of the run; default is ``inference``.
            project: Project, for sums.
            task: Task, for comparisons.
            approach: ``ai`` or ``classical``.
            phase: ``training``, ``inference``, ``evaluation``, ``data`` or ``other``; default is ``inference``.
            unit: Functional unit; default is ``request``: each request delivers one.
            tags: Free tags.
            scope: Whose energy: ``auto``, ``machine``, ``process`` or ``cgroup``.
            zone: Grid whose CO2 factor applies, e.g. ``DE``.
            interval_s: Sampling interval in seconds.

        Raises:
            ConfigError: A setting is wrong, or spool or database cannot be written.
        """
        preload_collectors()
        given = RunOptions(
            run_name(name) if name is not None else None,
            project, task, approach, phase, unit, tags, scope, zone, interval_s,
        )  # fmt: skip
        settings = load_settings(given.overrides())
        self.unit = settings.unit or DEFAULT_UNIT
        self.name = given.name or _DEFAULT_NAME
        self._settings = replace(settings, unit=self.unit, phase=settings.phase or _DEFAULT_PHASE)
        self._name_given = given.name is not None
        self.figures = Figures(self.unit, self._tell)
        self._final: RunRecord | None = None
        self._closed = False
        self._begin_lock = threading.RLock()  # a signal handler may close the meter
        self._within = current_run()
        self._session = self._within.session if self._within is not None else self._begin()
        self.books: Books | None = self._open()
        _open_meters.append(self)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate: each call is a request. Result, exception and signature stay as they are.

        A generator is a request from its first step to its end: also while its consumer makes it wait.

        Raises:
            TypeError: It is no function.
        """
        if inspect.isclass(function) or not callable(function):
            raise TypeError(f"InferenceMeter decorates functions, not {function!r}")
        return wrapped(function, self.request)

    def request(self, units: SupportsFloat | None = None, unit: str | None = None) -> Request:
        """Return one request, for ``with`` or ``async with``.

        Args:
            units: Functional units it delivers if it succeeds; default is one.
            unit: What is counted, if not the meter's unit. ``token`` counts tokens.
        """
        return Request(self, 1, units, unit)

    def batch(
        self, requests: int, units: SupportsFloat | None = None, tokens: SupportsFloat | None = None
    ) -> Request:
        """Return requests that are executed together; each gets the same part of the energy.

        Args:
            requests: How many. They are requests of their own: what wraps them must not be metered as well. A
                batch of 0 is none: the energy of its time is idle, unless others are active.
            units: Functional units of all together; default is one each.
            tokens: Tokens of all together.
        """
        made = Request(self, self.figures.requests(requests), units, None)
        made.tokens = tokens
        return made

    @property
    def result(self) -> RunRecord:
        """The record of the run so far, and after ``close`` its final one; see ``result.requests``.

        It is computed from the journals, which takes a while for a service of days. Of a meter inside another run
        it is the record of that run.
        """
        if self._final is None:
            if self.books is not None:
                self.books.write(histograms=True)
            record = account_of(self._session, self.name, None)[1].record
            if not self._closed:
                return record
            self._final = record
        return self._final

    def close(self, error: BaseException | None = None) -> None:
        """End the run. Requests go on as if there were no meter. Calling it again does nothing.

        Args:
            error: The exception that ended the service.
        """
        with self._begin_lock:
            if self._closed:
                return
            self._closed = True
            books, self.books = self.books, _CLOSED
        _open_meters.remove(self)
        atexit.unregister(self._close_with_program)
        if books is None:
            return  # a forked child that served nothing
        books.close()
        self.figures.say_how_often()
        if self._within is None:
            state = RunState.COMPLETED if error is None else RunState.FAILED
            self._session.end(state, error=type(error).__name__ if error is not None else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(error)

    def open_books(self) -> Books:
        """Return the books of this process; a forked child opens its own at its first request."""
        with self._begin_lock:
            if self.books is None:
                try:
                    self._session = self._begin()
                    self._within = None
                    self.books = self._open()
                except Exception as error:  # noqa: BLE001  # our failure never harms the service
                    self.books = _CLOSED
                    self._session.incident(Incident("not_metered", _NOT_METERED.format(reason=error)))
            return self.books

    def _tell(self, incident: Incident) -> None:
        self._session.incident(incident)  # a forked child has a session of its own

    def _begin(self) -> Session:
        return Session.begin(self._settings, self.name, name_given=self._name_given, service=True)

    def _open(self) -> Books:
        atexit.register(self._close_with_program)
        # multiprocessing ends its children by os._exit, after its own finalizers and no others.
        utilities = sys.modules.get("multiprocessing.util")
        if utilities is not None:
            utilities.Finalize(None, self._close_with_program, exitpriority=0)
        try:
            return Ledger(self._session, self.unit)
        except OSError as error:  # the disk is full, or the run's folder is gone
            self._session.incident(Incident("not_metered", _NOT_METERED.format(reason=error.strerror)))
            return _CLOSED

    def _close_with_program(self) -> None:
        # What an interactive interpreter remembers as the last error need not be how it ends.
        self.close(getattr(sys, "last_value", None) if not hasattr(sys, "ps1") else None)

    def after_fork(self) -> None:
        """Start anew in a forked child: books, journal and locks are the parent's."""
        self._begin_lock = threading.RLock()
        self.figures.forget()
        if isinstance(self.books, Ledger):
            self.books.forget()
            self.books = None


_CLOSED: Final = ClosedBooks()
_open_meters: list[InferenceMeter] = []


def _after_fork() -> None:
    for meter in _open_meters:
        meter.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
