"""One request of a service, or some that are executed together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, SupportsFloat

from greenai.core.requests import TOKENS
from greenai.tracking.figures import as_name

if TYPE_CHECKING:
    from types import TracebackType

    from greenai.tracking.service.ledger import Books
    from greenai.tracking.service.meter import InferenceMeter


class Request:
    """What ``meter.request()`` and ``meter.batch()`` return: ``with`` and ``async with``, used once.

    One that ends with an exception is counted as failed: its energy counts, the units it was to deliver do not. A
    consumer that closes a stream early is no failure.

    Attributes:
        tokens: Tokens delivered; set it when they are known. None if nobody says.
    """

    __slots__ = ("_begun", "_books", "_delivered", "_meter", "_planned", "_planned_tokens", "_requests", "tokens")

    def __init__(
        self, meter: InferenceMeter, requests: int, units: SupportsFloat | None, unit: str | None
    ) -> None:
        self._meter = meter
        self._requests = requests
        self._planned: float | None = None
        self._planned_tokens: float | None = None
        self._delivered: float | None = None
        self.tokens: SupportsFloat | None = None
        self._books: Books | None = None
        self._begun = 0.0
        if units is not None:
            self._plan(units, unit)

    def add_units(self, count: SupportsFloat = 1) -> None:
        """Count functional units that were delivered, whatever becomes of the request."""
        number = self._meter.figures.amount("add_units", count)
        if number is not None:
            self._delivered = (self._delivered or 0) + number

    def __enter__(self) -> Self:
        if self._books is None:
            books = self._meter.books
            if books is None:
                books = self._meter.open_books()
            self._books = books
            self._begun = books.begin(self._requests)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        books, self._books = self._books, None
        if books is not None:
            failed = kind is not None and not issubclass(kind, GeneratorExit)
            units, tokens = self._outcome(failed=failed)
            books.end(self._begun, self._requests, units, tokens, failed=failed)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _plan(self, units: SupportsFloat, unit: str | None) -> None:
        number = self._meter.figures.amount("units", units)
        if unit is not None and type(unit) is not str:
            unit = as_name(unit)
        if unit is None or unit == self._meter.unit:
            self._planned = number
        elif unit in TOKENS:
            self._planned_tokens = number
        else:
            self._meter.figures.refuse_unit(unit)

    def _outcome(self, *, failed: bool) -> tuple[float, float | None]:
        """Return the units and tokens delivered."""
        planned, tokens = (None, None) if failed else (self._planned, self._planned_tokens)
        if self.tokens is not None:
            tokens = self._meter.figures.amount("tokens", self.tokens)
        units = self._delivered if planned is None else planned + (self._delivered or 0)
        if self._meter.unit in TOKENS:  # two words for the same
            tokens = units if tokens is None else tokens
            units = tokens or 0
        elif units is None:
            units = 0 if failed else self._requests
        return units, tokens
