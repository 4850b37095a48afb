"""Windows: named stretches of a run, each exact to the two readings around it."""

from __future__ import annotations

import itertools
import os
import time
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Self

from greenai.journal import format as f
from greenai.tracking.figures import as_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from greenai.tracking.session import Session

# From the time on, so that processes of one number on two hosts do not give the same ids.
_numbers = itertools.count(time.time_ns())


class Stretch:
    """One stretch of a run, from its begin mark to its end mark.

    Its parent is the innermost stretch of the same run that is open in this context: this thread, this asyncio
    task and whatever started the task. A new thread starts with an empty context: nobody knows whether what was
    open when it was started is open as long as it runs. There the parent is ``around``.

    Attributes:
        id: Unique within the run.
    """

    def __init__(self, session: Session, name: str, around: Stretch | None = None) -> None:
        self.id = f"{os.getpid()}-{next(_numbers):x}"
        self._session = session
        self._pid = os.getpid()
        self._open = True
        self._before = _first_open(_innermost.get())
        parent = self._before
        while parent is not None and parent._session is not session:  # noqa: SLF001
            parent = _first_open(parent._before)  # noqa: SLF001
        parent = parent or around
        _innermost.set(self)
        session.mark(f.BEGIN, id=self.id, name=name, parent=parent.id if parent else None)

    def end(self) -> None:
        """End it. After its run, or in a child forked since, that changes nothing on record."""
        self._open = False
        if self._pid == os.getpid() and self._session.running:
            self._session.mark(f.END, id=self.id)
        # Stretches need not end in the order they began, nor where they began: only what is over is passed by.
        self._before = _first_open(self._before)
        _innermost.set(_first_open(_innermost.get()))

    def is_inside(self, other: Stretch) -> bool:
        """Say whether it is ``other``, or was begun in the same context while ``other`` was open."""
        stretch: Stretch | None = self
        while stretch is not None and stretch is not other:
            stretch = stretch._before  # noqa: SLF001
        return stretch is other


_innermost: ContextVar[Stretch | None] = ContextVar("greenai_window", default=None)


def _first_open(stretch: Stretch | None) -> Stretch | None:
    while stretch is not None and not stretch._open:  # noqa: SLF001
        stretch = stretch._before  # noqa: SLF001
    return stretch


class Window:
    """A named stretch of a run, for a ``with`` statement; the same one may be used again, also in itself."""

    def __init__(
        self,
        session: Session,
        name: str,
        around: Stretch | None,
        *,
        wait: Callable[[], None] | None,
        check: Callable[[], None],
    ) -> None:
        """Prepare it; nothing is read yet.

        Args:
            session: The run's write side.
            name: Its name.
            around: What it is a part of where the context knows of nothing.
            wait: Called before each mark, to let devices come to rest.
            check: Called before the first mark and after the last; it may raise.
        """
        self._session = session
        self._name = name if type(name) is str else as_name(name)
        self._around = around
        self._wait = wait
        self._check = check
        self._begun: list[Stretch] = []

    def __enter__(self) -> Self:
        self._check()
        if self._wait is not None:
            self._wait()
        self._begun.append(Stretch(self._session, self._name, self._around))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._wait is not None:
                self._wait()
        finally:
            self._end()
        if error is None:
            self._check()

    def _end(self) -> None:
        here = _innermost.get()
        while begun := list(self._begun):
            # Used in several threads or tasks at once, each ends its own; ended elsewhere, it is the last begun.
            mine = [stretch for stretch in begun if here is not None and here.is_inside(stretch)]
            stretch = (mine or begun)[-1]
            with suppress(
                ValueError
            ):  # another thread was faster; no lock, which a forked child might find locked
                self._begun.remove(stretch)
                stretch.end()
                return
