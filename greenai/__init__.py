"""greenai: energy and carbon of AI training and inference, measured and compared with classical solutions.

Importing this package loads nothing: each name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from greenai.core.version import __version__

if TYPE_CHECKING:
    from greenai.analysis.frames import load_runs, load_samples
    from greenai.core.errors import ConfigError, GreenAIError
    from greenai.core.forecast import Forecast
    from greenai.tracking import Run, current_run, track
    from greenai.tracking.budget import BudgetExceededError
    from greenai.tracking.service.meter import InferenceMeter

__all__ = [
    "BudgetExceededError",
    "ConfigError",
    "Forecast",
    "GreenAIError",
    "InferenceMeter",
    "Run",
    "__version__",
    "current_run",
    "load_runs",
    "load_samples",
    "track",
]

_HOME = {
    "BudgetExceededError": "greenai.tracking.budget",
    "ConfigError": "greenai.core.errors",
    "Forecast": "greenai.core.forecast",
    "GreenAIError": "greenai.core.errors",
    "InferenceMeter": "greenai.tracking.service.meter",
    "Run": "greenai.tracking",
    "current_run": "greenai.tracking",
    "load_runs": "greenai.analysis.frames",
    "load_samples": "greenai.analysis.frames",
    "track": "greenai.tracking",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'greenai' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
