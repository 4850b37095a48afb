"""``greenai run``: any command, tracked from outside. Its input, output, signals and exit code are its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from greenai.carbon.footprint import with_footprint
from greenai.core.account import account
from greenai.core.vocabulary import RunState
from greenai.journal import format as f
from greenai.journal.reader import read_run
from greenai.settings.values import LONGEST_LABEL
from greenai.tracking.sampling import ingest_detached
from greenai.tracking.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from greenai.core.record import RunRecord
    from greenai.settings import Settings

NOT_EXECUTABLE = 126
NOT_FOUND = 127
_AFTER_SIGNAL = 128
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# Ctrl-C and Ctrl-\ reach the command by itself: the terminal sends them to the whole group.
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)


@dataclass(frozen=True, slots=True)
class Wrapped:
    """How a command ended.

    Attributes:
        exit_code: Its exit code as a shell would give it.
        record: The run; None if there is none.
        started: False if the command could not be started.
    """

    exit_code: int
    record: RunRecord | None
    started: bool = True


def run_command(
    command: Sequence[str], settings: Settings, name: str | None, units: float | None = None
) -> Wrapped:
    """Run a command to its end and track the machine meanwhile.

    Args:
        command: Program and arguments.
        settings: The settings in force.
        name: Name of the run; default is the program's name.
        units: Functional units that the command delivers.

    Raises:
        ConfigError: The spool or the database cannot be written; the command was not started.
        ValueError: ``units`` is negative or not finite; the command was not started.
    """
    if units is not None and not (isfinite(units) and units >= 0):
        raise ValueError(f"units: {units}")
    program = shutil.which(command[0])
    if program is None:
        return Wrapped(NOT_EXECUTABLE if Path(command[0]).exists() else NOT_FOUND, None, started=False)
    session = Session.begin(settings, name or _name(command), name_given=name is not None, in_process=True)
    window_id = f"{os.getpid()}-{time.monotonic_ns()}"  # many commands may run inside one run
    if not session.owner:
        session.mark(f.BEGIN, id=window_id, name=name or _name(command), parent=None)
    code = _execute(command, session)
    exit_code = NOT_EXECUTABLE if code is None else _AFTER_SIGNAL - code if code < 0 else code
    if units is not None:
        session.event(f.UNITS, n=units, window=None if session.owner else window_id)
    if not session.owner:
        session.mark(f.END, id=window_id)
    killed = code is not None and code < 0
    state = RunState.COMPLETED if code == 0 else RunState.KILLED if killed else RunState.FAILED
    session.end(state, exit_code)
    if session.owner and settings.ingest == "background":
        ingest_detached(session.folder, settings.db)
    return Wrapped(exit_code, _record(session, None if session.owner else window_id), code is not None)


def _execute(command: Sequence[str], session: Session) -> int | None:
    """Return what ``Popen.wait`` does: an exit code, or minus a signal; None if the command cannot be executed."""
    environ = {
        **os.environ,
        "GREENAI_RUN_ID": session.folder.name,
        "GREENAI_SPOOL": str(session.settings.spool),
        "GREENAI_DB": session.settings.db,
    }
    with _signals_forwarded() as (children, early):
        try:
            child = subprocess.Popen(list(command), env=environ)
        except OSError:  # e.g. a script without an interpreter line
            return None
        children.append(child)
        for number in early:
            child.send_signal(number)
        return child.wait()


@contextmanager
def _signals_forwarded() -> Iterator[tuple[list[subprocess.Popen[bytes]], list[int]]]:
    """Pass signals on to the command, and outlive those that come from the terminal.

    Yields:
        The commands to pass them to, and the signals that came before there was one.
    """
    children: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def forward(number: int, _frame: FrameType | None) -> None:
        for child in children:
            child.send_signal(number)
        if not children:
            early.append(number)

    def leave_to_command(_number: int, _frame: FrameType | None) -> None:
        pass

    # Handlers, not SIG_IGN: an ignored signal would stay ignored in the command.
    # One that is ignored already (nohup) stays so, here and there.
    wanted = dict.fromkeys(_FORWARDED, forward) | dict.fromkeys(_FROM_TERMINAL, leave_to_command)
    before = {
        number: signal.signal(number, handler)
        for number, handler in wanted.items()
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield children, early
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _record(session: Session, window_id: str | None) -> RunRecord | None:
    try:
        record = account(read_run(session.folder), window_id).record
    except (OSError, ValueError):
        return None
    return with_footprint(record, session.settings)


def _name(command: Sequence[str]) -> str:
    """Return ``train.py`` for ``python train.py``, else the program's name. Arguments may hold secrets."""
    program = Path(command[0]).name
    if program.startswith("python"):
        script = next((word for word in command[1:] if not word.startswith("-")), None)
        if script is not None and script.endswith(".py"):
            program = Path(script).name
    return "".join(sign if sign.isprintable() else "?" for sign in program)[:LONGEST_LABEL]
