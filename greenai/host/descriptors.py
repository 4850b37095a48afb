"""File descriptors in somebody else's program: it may close them, and open files of its own in their place."""

from __future__ import annotations

import os


class Descriptor:
    """A descriptor that knows whether it is still what it was."""

    __slots__ = ("_identity", "number")

    def __init__(self, number: int = -1) -> None:
        """Take over an open descriptor; -1 is none."""
        self.number = number
        self._identity = _identity(number) if number >= 0 else None

    @property
    def ours(self) -> bool:
        """Whether it is still open, and still the same file."""
        return self.number >= 0 and _identity(self.number) == self._identity

    def close(self) -> None:
        """Close it, unless it is somebody else's by now. Calling it again does nothing."""
        if self.ours:
            os.close(self.number)
        self.number = -1


def _identity(number: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return status.st_dev, status.st_ino
