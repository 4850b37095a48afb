"""Tracking: the decorator, the context manager and the command wrapper."""

from greenai.tracking.run import Run, current_run
from greenai.tracking.track import track

__all__ = ["Run", "current_run", "track"]
