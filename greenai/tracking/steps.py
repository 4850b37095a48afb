"""Loops whose iterations are windows, and how many of them there will be."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable, Mapping

    from greenai.tracking.windows import Window

T = TypeVar("T")


class Plans:
    """How many windows there will be, by name, in the order they were announced."""

    def __init__(self) -> None:
        self._totals: dict[str, int] = {}
        self._said: set[str] = set()

    @property
    def totals(self) -> Mapping[str, int]:
        """By name."""
        return {name: total for name, total in self._totals.items() if total > 0}

    def say(self, name: str, total: int) -> None:
        """Set a total once and for all, whatever loops of that name add or leave out."""
        self._totals[name] = total
        self._said.add(name)

    def add(self, name: str, count: int) -> None:
        """Add what a loop is going to do; less than 0 is what it left out."""
        if name not in self._said:
            self._totals[name] = self._totals.get(name, 0) + count


class Steps(Generic[T]):
    """The items of a loop, each in a window of its own that ends when the next item is asked for."""

    def __init__(
        self,
        items: Iterable[T] | AsyncIterable[T],
        name: str,
        window: Callable[[], Window],
        plans: Plans,
        total: int | None,
    ) -> None:
        self._items: Any = items
        self._name = name
        self._window = window
        self._plans = plans
        self._total = total

    def __len__(self) -> int:
        # What was said beforehand may be wrong, and list() reserves memory for this.
        if self._total is None or hasattr(self._items, "__len__"):
            return len(self._items)
        return self._total

    def __iter__(self) -> Generator[T]:
        left = self._announce()
        try:
            for item in self._items:
                with self._window():
                    yield item
                left -= 1
        finally:
            self._plans.add(self._name, -max(left, 0))

    async def __aiter__(self) -> AsyncGenerator[T]:
        left = self._announce()
        try:
            async for item in self._items:
                with self._window():
                    yield item
                left -= 1
        finally:
            self._plans.add(self._name, -max(left, 0))

    def _announce(self) -> int:
        count = 0
        with suppress(Exception):  # no length, or one that cannot be told: then nothing is foreseen
            count = len(self) if self._total is None else self._total
        self._plans.add(self._name, count)
        return count
