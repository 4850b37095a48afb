"""Letting programs and workers that are started from a run find it, so that they become part of it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from greenai.host.files import make_folder, open_own
from greenai.tracking.session.group import process_key

if TYPE_CHECKING:
    from pathlib import Path

RUN_ID = "GREENAI_RUN_ID"
SPOOL = "GREENAI_SPOOL"
GROUPS = ".groups"  # where groups of processes note their runs, inside the spool

# Runs that a process owns; those of this very program are not around it.
_OWNERS: dict[str, int] = {}
_ENDED = -1

_OPEN: list[Path] = []
_BEFORE: dict[str, str | None] = {}  # the environment as the program had it


def is_own_run(run_id: str) -> bool:
    """Say whether a run is one of this process, or was one of this program and is over."""
    return _OWNERS.get(run_id) in (os.getpid(), _ENDED)


def announced(folder: Path) -> dict[str, str]:
    """Return the environment variables by which a run is found."""
    return {RUN_ID: folder.name, SPOOL: str(folder.parent)}


class Announcement:
    """A run of this process, made known by the environment; to workers that were started before it by a note."""

    def __init__(self, folder: Path) -> None:
        """Make it known."""
        self._folder = folder
        if not is_own_run(os.environ.get(RUN_ID, "")):
            _BEFORE.update({name: os.environ.get(name) for name in announced(folder)})
        _OWNERS[folder.name] = os.getpid()
        _OPEN.append(folder)
        os.environ.update(announced(folder))
        self._note = self._note_for_children() if "multiprocessing.process" in sys.modules else None

    def take_back(self) -> None:
        """Announce the run that is still open instead; without one the environment is as it was before."""
        _OWNERS[self._folder.name] = _ENDED
        _OPEN.remove(self._folder)
        if os.environ.get(RUN_ID) == self._folder.name:  # runs in threads need not end in the order they began
            for name, value in (announced(_OPEN[-1]) if _OPEN else _BEFORE).items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
        if self._note is not None:
            self._note.unlink(missing_ok=True)

    def _note_for_children(self) -> Path | None:
        path = children_file(self._folder.parent, process_key(os.getpid()))
        try:
            make_folder(path.parent)
            file = open_own(path, os.O_WRONLY)
            os.write(file, self._folder.name.encode())
            os.close(file)
        except OSError:
            return None
        return path


def children_file(spool: Path, key: str) -> Path:
    """Return where a process, named by its key, notes the run that it has open."""
    return spool / GROUPS / f"children-{key}"
