"""File descriptors in somebody else's program: it may close them, and open files of its own in their place."""

from __future__ import annotations

import os


class Descriptor:
    """A descriptor that knows whether it is still what it was."""

    __slots__ = ("_inode", "number")

    def __init__(self, number: int = -1) -> None:
        """Take over an open descriptor; -1 is none."""
        self.number = number
        self._inode = os.fstat(number).st_ino if number >= 0 else -1

    @property
    def ours(self) -> bool:
        """Whether it is still open, and still the same file. Marks wait for this: it must be quick."""
        try:
            return os.fstat(self.number).st_ino == self._inode
        except OSError:
            return False

    def close(self) -> None:
        """Close it, unless it is somebody else's by now. Calling it again does nothing."""
        if self.ours:
            os.close(self.number)
        self.number = -1
