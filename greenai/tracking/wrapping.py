"""Decorating functions of all four kinds with a context manager; what they do stays as it is."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from contextlib import AbstractContextManager

    Around = Callable[[], AbstractContextManager[object]]

P = ParamSpec("P")
R = TypeVar("R")


def wrapped(function: Callable[P, R], around: Around) -> Callable[P, R]:
    """Return a function that does the same with a context around each call.

    A generator's context begins with its first step and ends when it is exhausted or closed.

    Args:
        function: A function, coroutine function, generator function or async generator function.
        around: Makes the context of one call; it must not swallow exceptions.
    """
    made: Any
    if inspect.isasyncgenfunction(function):
        made = _async_generator(function, around)
    elif inspect.iscoroutinefunction(function):
        made = _coroutine(function, around)
    elif inspect.isgeneratorfunction(function):
        made = _generator(function, around)
    else:
        made = _function(function, around)
    return cast("Callable[P, R]", functools.wraps(function)(made))


def _function(function: Callable[..., Any], around: Around) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with around():
            return function(*args, **kwargs)

    return call


def _coroutine(function: Callable[..., Any], around: Around) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with around():
            return await function(*args, **kwargs)

    return call


def _generator(function: Callable[..., Any], around: Around) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with around():
            return (yield from function(*args, **kwargs))

    return call


def _async_generator(function: Callable[..., Any], around: Around) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with around():
            inner = function(*args, **kwargs)
            step = inner.asend(None)
            while True:
                try:
                    item = await step
                except StopAsyncIteration:
                    return
                try:
                    sent = yield item
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001  # thrown in by the consumer: it is the inner one's
                    step = inner.athrow(error)
                else:
                    step = inner.asend(sent)

    return call
