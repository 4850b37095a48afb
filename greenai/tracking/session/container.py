"""In a container everything dies with its first process (PID 1), and nothing can outlive the program.

A run that is not in the database server by then is lost with a throw-away disk. So the program ends a little later
there. Where it is the first process itself, every orphan becomes its child, and would be met by its ``os.wait()``.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from greenai.core.text import Text
from greenai.host.commands import NOT_FOUND, CommandResult
from greenai.journal.spool import is_held, is_ingested

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from greenai.host import Host

# Docker kills a container that has not ended 10 s after it was told to; orchestrators give it 30 s.
PATIENCE_S = 10.0
_LOOK_EVERY_S = 0.05
# PROC_PID_INIT_INO of the kernel's include/linux/proc_ns.h: the machine's own PID namespace.
_OF_THE_MACHINE = 0xEFFFFFFC
# The finalizers of multiprocessing run in order of priority; nothing is to come after this one.
_LAST = -1_000_000

FIRST_PROCESS = Text(
    de="Das Programm ist der erste Prozess (PID 1) eines Containers; gemessen wird in einem Thread des Programms, "
    "denn jeder andere Prozess würde sein Kind. „docker run --init“ erlaubt einen eigenen Messprozess.",
    en="The program is the first process (PID 1) of a container; a thread of the program samples, since any other "
    'process would become its child. "docker run --init" allows a sampling process of its own.',
)
_NOT_TAKEN_IN = Text(
    de="Noch nicht in der Datenbank: Lauf {run}. Das Journal liegt in {spool}; „greenai ingest {spool}“ holt es "
    "später hinein, sofern dieser Ordner den Container überdauert.",
    en='Not in the database yet: run {run}. The journal is in {spool}; "greenai ingest {spool}" takes it in '
    "later, provided that this folder outlives the container.",
)

_runs: dict[Path, str] = {}  # of this process: folders and databases


def is_first_process() -> bool:
    """Say whether this process is the first one of a container."""
    return os.getpid() == 1


def in_container() -> bool:
    """Say whether this process ends with the first one of a container; False if that cannot be told."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino != _OF_THE_MACHINE  # noqa: PTH116  # hot
    except OSError:
        return False


def without_programs(host: Host) -> Host:
    """Return the machine for collectors that are to start no program: it would be a child of this process."""
    return replace(host, run_command=_not_found)


def _not_found(*_: object) -> CommandResult:
    return CommandResult("", NOT_FOUND)


def outlast(folder: Path, database: str, log: Callable[[Text], None]) -> None:
    """In a container let this process not end before a run of its own is in the database, see ``PATIENCE_S``.

    Call it before the end of the run is left to ``atexit``, where what is registered first is done last.

    Args:
        folder: The run's folder in the spool.
        database: URL of a database server. With SQLite nothing is won: its file lasts no longer than the spool.
        log: Writes one line into the log.
    """
    if not in_container():
        return
    if not _runs:
        _do_at_the_end(partial(_wait_and_log, log))
    _runs[folder] = database


def wait_for_database() -> Text | None:
    """Wait until the runs of this process are in the database; return what must be said if time is up before."""
    runs = _runs.copy()
    _runs.clear()
    until_s = time.monotonic() + PATIENCE_S
    late = list(runs)
    with suppress(Exception, KeyboardInterrupt):  # our failure harms nobody; and perhaps nobody wants to wait
        late = _ingest(runs, until_s) if is_first_process() else _wait_for_ingest(late, until_s)
    if not late:
        return None
    more = f" (+{len(late) - 1})" if len(late) > 1 else ""
    return _NOT_TAKEN_IN.format(run=late[0].name + more, spool=late[0].parent)


def _wait_for_ingest(folders: Sequence[Path], until_s: float) -> list[Path]:
    """Wait until what the samplers have started has taken in all runs, but those that other processes go on with.

    Returns:
        The runs that are not in the database when time is up.
    """
    late = list(folders)
    while late := [folder for folder in late if not (is_ingested(folder) or is_held(folder))]:
        if time.monotonic() >= until_s:
            break
        time.sleep(_LOOK_EVERY_S)
    return late


def _ingest(runs: Mapping[Path, str], until_s: float) -> list[Path]:
    """Have runs taken in by a child, since no sampler does; it ends with this process at the latest.

    Returns:
        The runs that are not known to be in the database then.
    """
    late: list[Path] = []
    for database in {*runs.values()}:
        folders = [folder for folder, its in runs.items() if its == database and not is_ingested(folder)]
        if folders and not _ends_well(_start_ingest(folders, database), until_s):
            late += [folder for folder in folders if not is_ingested(folder)]
    return late


def _ends_well(pid: int, until_s: float) -> bool:
    while time.monotonic() < until_s:
        try:
            ended, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:  # a thread of the program has waited for it
            return False
        if ended:
            return status == 0
        time.sleep(_LOOK_EVERY_S)
    return False


def _start_ingest(folders: Sequence[Path], database: str) -> int:
    from greenai.tracking.session.detached import interpreter

    command = (interpreter(), "-P", "-m", "greenai.ingest", *map(str, folders))
    silent = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    return os.posix_spawn(command[0], command, {**os.environ, "GREENAI_DB": database}, file_actions=silent)


def _wait_and_log(log: Callable[[Text], None]) -> None:
    late = wait_for_database()
    if late is not None:
        log(late)


def _do_at_the_end(action: Callable[[], None]) -> None:
    atexit.register(action)
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        from multiprocessing.util import Finalize  # its workers end without atexit before Python 3.15

        Finalize(None, action, exitpriority=_LAST)


os.register_at_fork(after_in_child=_runs.clear)
