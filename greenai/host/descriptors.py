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


class AppendedFile(Descriptor):
    """A file that this object alone appends to.

    It knows its file by how far into it it stands: asking for that takes a fifth of the time of ``fstat``.
    """

    __slots__ = ("_position",)

    def __init__(self, number: int) -> None:
        """Take over an open descriptor (``O_APPEND``)."""
        super().__init__(number)
        self._position = os.lseek(number, 0, os.SEEK_END)

    @property
    def ours(self) -> bool:
        """Whether it is still open, and still the same file."""
        try:
            if os.lseek(self.number, 0, os.SEEK_CUR) == self._position:
                return True
            if not super().ours:
                return False
            self._position = os.lseek(self.number, 0, os.SEEK_END)  # two threads wrote at the same moment
        except OSError:
            return False
        return True

    def write(self, data: bytes) -> int:
        """Append; return how many bytes there was room for.

        Raises:
            OSError: There was none.
        """
        count = os.write(self.number, data)
        self._position += count
        return count
