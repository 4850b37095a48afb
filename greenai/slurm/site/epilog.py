"""Stopping a site's collector, as root, from the Epilog of a job."""

from __future__ import annotations

import os
import signal
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from greenai.slurm.order import ScriptEnd
from greenai.slurm.site.job import exit_code
from greenai.slurm.site.notes import NOTES, notes_of_component, read_note

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from greenai.slurm.site.notes import JobNote

PATIENCE_S = 2.0
_LOOK_EVERY_S = 0.01


def stop(environ: Mapping[str, str], notes: Path = NOTES) -> None:
    """Stop the collector of a job on this node, however many attempts left one; none is no fault.

    One that is gone already is reported.

    Args:
        environ: The Epilog's.
        notes: Folder of the notes.

    Raises:
        OSError, SubprocessError: What is to be said of a collector that is gone cannot be said.
        ValueError: Slurm's environment is not one of an Epilog.
    """
    component_id = environ.get("SLURM_JOB_ID", "")
    if not component_id.isdecimal():
        raise ValueError(f"SLURM_JOB_ID={component_id}")
    # After a requeue the Epilog of the first attempt has the count of the second: then nobody knows an exit code.
    restart = environ.get("SLURM_JOB_RESTART_COUNT", "")
    died: list[JobNote] = []
    for path in notes_of_component(environ.get("SLURMD_NODENAME", ""), int(component_id), notes):
        note = read_note(path)
        if note is not None and note.is_alive:
            end_collector(note, exit_code(environ) if restart in ("", str(note.restart_count)) else None)
        elif note is not None:
            died.append(note)
        path.unlink(missing_ok=True)
    if died:
        from greenai.slurm.site.died import report  # loads more than an Epilog needs, as a rule

        for note in died:
            report(environ, note)


def end_collector(note: JobNote, code: int | None) -> None:
    """Tell a collector how the job ended, and have it end: kindly at first.

    Args:
        note: The collector.
        code: Exit code, minus a signal, or None if it is not known.
    """
    if code is not None:
        _tell(note, ScriptEnd(code))
    _send(note, signal.SIGTERM)
    end_s = time.monotonic() + PATIENCE_S
    while note.is_alive and time.monotonic() < end_s:
        time.sleep(_LOOK_EVERY_S)
    _send(note, signal.SIGKILL)


def _tell(note: JobNote, end: ScriptEnd) -> None:
    """Write into the pipe that is the collector's input; if that is anything else by now, write nothing."""
    with suppress(OSError):
        if note.is_alive:
            found = os.open(f"/proc/{note.pid}/fd/0", os.O_PATH | os.O_CLOEXEC)  # opens no device
            try:
                if stat.S_ISFIFO(os.fstat(found).st_mode):
                    _write(f"/proc/self/fd/{found}", end.to_line())
            finally:
                os.close(found)


def _write(path: str, line: bytes) -> None:
    """Write into a pipe, if there is room.

    Raises:
        OSError: There is none.
    """
    file = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.write(file, line)
    finally:
        os.close(file)


def _send(note: JobNote, number: signal.Signals) -> None:
    with suppress(OSError):
        if note.is_alive:
            os.kill(note.pid, number)
