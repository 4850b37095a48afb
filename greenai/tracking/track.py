"""``track``: one name for the decorator (functions, coroutines, generators) and the context manager."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from greenai.plugins import preload_collectors
from greenai.settings import load_settings
from greenai.settings.values import run_name
from greenai.tracking.meta import RunOptions
from greenai.tracking.run import Run, current_run
from greenai.tracking.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

P = ParamSpec("P")
R = TypeVar("R")
Begin = Callable[[str], Run]  # with the name a run gets if nobody chose one


class Tracker:
    """What ``track(...)`` returns: a decorator and a context manager, used once or many times."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._open: list[Run] = []

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate: each call is a run. Result, exception and signature stay as they are."""
        return _wrap(function, self._begin)

    def __enter__(self) -> Run:
        run = self._begin("run")
        self._open.append(run)
        return run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._innermost().finish(error)

    def _innermost(self) -> Run:
        """Return the run that this context (thread, task) opened last through this object."""
        run = current_run()
        while run is not None and run not in self._open:
            run = run.outer
        run = run or self._open[-1]
        self._open.remove(run)
        return run

    async def __aenter__(self) -> Run:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


@overload
def track(name: Callable[P, R]) -> Callable[P, R]: ...


@overload
def track(
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
    synchronize: bool = False,
) -> Tracker: ...


def track(name: Any = None, *, synchronize: bool = False, **options: Any) -> Any:
    """Track energy and CO2 of a function or a block.

    As a decorator, with or without arguments, or in ``with`` and ``async with``::

        @greenai.track(project="churn", approach="ai", phase="training")
        def train(): ...

        with greenai.track("fine-tune", unit="document") as run:
            run.add_units(10_000)

    Args:
        name: Name of the run; default is the function's name. Runs of the same name are repeats.
        project: Project, for sums.
        task: Task, for comparisons.
        approach: ``ai`` or ``classical``.
        phase: ``training``, ``inference``, ``evaluation``, ``data`` or ``other``.
        unit: Functional unit counted by ``run.add_units``.
        tags: Free tags.
        scope: Whose energy: ``auto``, ``machine``, ``process`` or ``cgroup``.
        zone: Grid whose CO2 factor applies, e.g. ``DE``.
        interval_s: Sampling interval in seconds.
        synchronize: Before each reading at start, stop and windows wait until the accelerators (PyTorch, JAX,
            CuPy) have done what was queued. It costs pipelining and is therefore off; see ``Run.window``.
        **options: The others of these.

    Raises:
        ConfigError: A setting is wrong, or spool or database cannot be written; before user code starts.
        TypeError: An option does not exist, or what is decorated is no function.
    """
    unknown = set(options) - set(RunOptions.__slots__)
    if unknown:
        raise TypeError(f"track() got an unexpected keyword argument {min(unknown)!r}")
    preload_collectors()
    if callable(name):
        return _wrap(name, functools.partial(_begin, RunOptions(**options), synchronize))
    chosen = RunOptions(name=run_name(name) if name is not None else None, **options)
    return Tracker(functools.partial(_begin, chosen, synchronize))


def _begin(options: RunOptions, synchronize: bool, default_name: str) -> Run:
    settings = load_settings(options.overrides())
    return Run(
        settings,
        options.name or default_name,
        name_given=options.name is not None,
        inside=current_run(),
        synchronize=synchronize,
    )


def _check_function(function: Any) -> None:
    if inspect.isclass(function) or not callable(function):
        kind = "a class" if inspect.isclass(function) else repr(function)
        raise TypeError(f"track() decorates functions, not {kind}; put it below @classmethod and @staticmethod")


def _wrap(function: Callable[P, R], begin: Begin) -> Callable[P, R]:
    _check_function(function)
    return wrapped(function, functools.partial(begin, getattr(function, "__name__", "run")))
