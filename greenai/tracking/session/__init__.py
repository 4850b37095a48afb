"""A run as this process writes it: where it lives, who samples it, and how others find it."""

from greenai.tracking.session.session import Session

__all__ = ["Session"]
