"""Notes below ``/run/greenai/jobs`` on the site's collectors of this node: written by root, read by everybody.

A note's name is ``NODE:JOB:COMPONENT``. Of a heterogeneous job, JOB is the first component, whose number its tasks
know, and COMPONENT the one that has this node; else both are the job's number.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from greenai.host.processes import program_image, start_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOTES = Path("/run/greenai/jobs")
_READABLE_BY_ALL = 0o755


class JobNote(NamedTuple):
    """A collector of this node.

    Attributes:
        run_id: The run that it writes.
        spool: The folder that holds the run's folder.
        restart_count: Which attempt of the job it is.
        pid: The process.
        start_ticks: When it started, ticks since boot: its number alone may be another's by now.
    """

    run_id: str
    spool: str
    restart_count: int
    pid: int
    start_ticks: int

    @property
    def is_alive(self) -> bool:
        """Whether the process runs; one that is dead but not yet waited for does not."""
        return start_ticks(self.pid) == self.start_ticks and program_image(self.pid) is not None


def note_path(node: str, job_id: int, component_id: int, notes: Path = NOTES) -> Path:
    """Return the file of a note."""
    return notes / f"{node}:{job_id}:{component_id}"


def write_note(path: Path, note: JobNote) -> None:
    """Write a note, and make the folder.

    Raises:
        OSError: It cannot be written.
    """
    for folder in (path.parent.parent, path.parent):
        with suppress(FileExistsError):
            folder.mkdir(_READABLE_BY_ALL)
            folder.chmod(_READABLE_BY_ALL)  # whatever the umask says
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(note._asdict()), encoding="utf-8")
    unfinished.chmod(0o644)
    unfinished.replace(path)


def read_note(path: Path) -> JobNote | None:
    """Return a note; None if there is none, or none that can be understood."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return JobNote(
            str(fields["run_id"]), str(fields["spool"]), int(fields["restart_count"]), int(fields["pid"]),
            int(fields["start_ticks"]),
        )  # fmt: skip
    except (OSError, ValueError, TypeError, KeyError):
        return None


def notes_of_component(node: str, component_id: int, notes: Path = NOTES) -> Iterator[Path]:
    """Yield the notes on what a Prolog or Epilog of this number knows of."""
    return _named(notes, node, 2, str(component_id))


def site_run(environ: Mapping[str, str], notes: Path = NOTES) -> JobNote | None:
    """Return the site's own collector of the job that this process is in, if one runs on this node.

    Args:
        environ: The environment of a process of the job.
        notes: Folder of the notes.
    """
    node, job_id = environ.get("SLURMD_NODENAME", ""), environ.get("SLURM_JOB_ID", "")
    restart = environ.get("SLURM_RESTART_COUNT", "0")
    for path in _named(notes, node, 1, job_id):
        note = read_note(path)
        if note is not None and str(note.restart_count) == restart and note.is_alive:
            return note
    return None


def announcement(environ: Mapping[str, str], notes: Path = NOTES) -> str:
    """Return what a TaskProlog prints, so that programs in the job find its run; nothing if it has none here."""
    note = site_run(environ, notes)
    if note is None or "\n" in note.spool:
        return ""
    return f"export GREENAI_RUN_ID={note.run_id}\nexport GREENAI_SPOOL={note.spool}\n"


def _named(notes: Path, node: str, part: int, number: str) -> Iterator[Path]:
    try:
        names = sorted(os.listdir(notes))  # noqa: PTH208  # names, not paths
    except OSError:
        return
    for name in names:
        parts = name.rsplit(":", 2)
        if len(parts) == 3 and parts[0] == node and parts[part] == number:  # noqa: PLR2004
            yield notes / name
