"""Learning at once that something came into a folder or left it (inotify(7)); control groups tell it, too."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# linux/inotify.h
_MADE, _DELETED, _MOVED_HERE = 0x100, 0x200, 0x80


class FolderEvents:
    """A file descriptor that is readable once something has changed."""

    def __init__(self, folder: Path) -> None:
        """Watch a folder.

        Raises:
            OSError: It is not there, or this system has no inotify, or no more of it.
        """
        library = ctypes.CDLL(None, use_errno=True)
        if not hasattr(library, "inotify_init1"):
            raise OSError("no inotify")
        self._file = int(library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if self._file < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        if library.inotify_add_watch(self._file, os.fsencode(folder), _MADE | _DELETED | _MOVED_HERE) < 0:
            number = ctypes.get_errno()
            os.close(self._file)
            raise OSError(number, os.strerror(number), str(folder))

    def fileno(self) -> int:
        """Return the descriptor, for ``select``."""
        return self._file

    def forget(self) -> None:
        """Take note of what has happened; readable again when more does."""
        try:
            os.read(self._file, 1 << 16)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Watch no longer."""
        os.close(self._file)
