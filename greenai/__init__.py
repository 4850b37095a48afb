"""greenai: energy and carbon of AI training and inference, measured and compared with classical solutions.

Importing this package loads nothing: each name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from greenai.core.version import __version__

if TYPE_CHECKING:
    from greenai.analysis.frames import load_runs, load_samples
    from greenai.core.errors import ConfigError, GreenAIError
    from greenai.tracking import Run, current_run, track

__all__ = [
    "ConfigError",
    "GreenAIError",
    "Run",
    "__version__",
    "current_run",
    "load_runs",
    "load_samples",
    "track",
]

_HOME = {
    "ConfigError": "greenai.core.errors",
    "GreenAIError": "greenai.core.errors",
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
