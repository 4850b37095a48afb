"""Checkpoints: marks up to which everything survives a crash of the machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from greenai.core.collector import Incident
from greenai.core.text import Text
from greenai.journal import format as f
from greenai.tracking.figures import as_name

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.tracking.session import Session

_NOT_SAFE = Text(
    de="Ein Checkpoint ließ sich nicht bis auf den Datenträger schreiben ({reason}).",
    en="A checkpoint could not be written through to the disk ({reason}).",
)


def mark_checkpoint(session: Session, name: str | None) -> Incident | None:
    """Mark that the work up to here is saved, and write the run's journals through to the disk.

    Returns:
        What went wrong, None if nothing did.
    """
    session.mark(f.CHECKPOINT, name=None if name is None else as_name(name))
    try:
        _write_through(session.folder)
    except OSError as error:
        return Incident("checkpoint_not_safe", _NOT_SAFE.format(reason=error.strerror))
    return None


def _write_through(folder: Path) -> None:
    """Write all journals of the run, the sampler's too, and their names to the disk.

    Raises:
        OSError: The file system refuses.
    """
    for path in (*folder.glob(f"*{f.SUFFIX}"), folder, folder.parent):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)
