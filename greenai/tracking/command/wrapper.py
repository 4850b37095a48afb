"""``greenai run``: any command, tracked from outside. Its input, output, signals and exit code are its own."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.core.vocabulary import RunState
from greenai.journal import format as f
from greenai.sampler.guard import start_quietly
from greenai.settings.values import LONGEST_LABEL
from greenai.tracking.command.aftermath import Aftermath, left_running, names_of
from greenai.tracking.command.leftovers import adopt_orphans
from greenai.tracking.command.process import Command, inherited_environ, inherited_files, keep_to_ourselves
from greenai.tracking.command.signals import HeldSignals
from greenai.tracking.results import read_account
from greenai.tracking.session import Session
from greenai.tracking.session.announcement import announced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from greenai.core.record import RunRecord
    from greenai.settings import Settings
    from greenai.tracking.command.leftovers import Process

NOT_EXECUTABLE = 126
NOT_FOUND = 127
_AFTER_SIGNAL = 128
# A hanging file system or sensor keeps neither the command from starting nor us from ending.
_PATIENCE_S = 30.0

_UNTRACKED = Text(
    de="greenai: Der Befehl läuft ohne Messung: {reason}",
    en="greenai: the command runs untracked: {reason}",
)
_NO_JOURNAL = Text(
    de="In {path} lässt sich kein Journal anlegen.",
    en="no journal can be created in {path}.",
)
_SLOW = Text(
    de="Der Start der Messung dauerte länger als {seconds:.0f} s.",
    en="tracking took longer than {seconds:.0f} s to start.",
)
_WAITING = Text(
    de="greenai: Der Befehl ist beendet; es laufen noch {names} ({count}). Gemessen wird bis zu deren Ende; "
    "zweimal Strg-C beendet das Warten.",
    en="greenai: the command has ended; {names} ({count}) still running. Tracking goes on until they end; "
    "Ctrl-C twice stops waiting.",
)


@dataclass(frozen=True, slots=True)
class Wrapped:
    """How a command ended.

    Attributes:
        exit_code: Its exit code as a shell would give it.
        record: The run; None if there is none.
        started: False if the command could not be started.
        tracked: False if it ran without being tracked, which was said before it started.
        ended_by: The signal that ended it, None if it ended by itself.
        left: What it left running.
        hanging: True if there is no record because the end of the run still hangs.
    """

    exit_code: int
    record: RunRecord | None
    started: bool = True
    tracked: bool = True
    ended_by: int | None = None
    left: tuple[Process, ...] = ()
    hanging: bool = False


def run_command(
    command: Sequence[str],
    settings: Settings,
    name: str | None,
    units: float | None = None,
    *,
    wait: bool = False,
    warn: Callable[[Text], None] = lambda _text: None,
    tell: Callable[[Text], None] = lambda _text: None,
    held: HeldSignals | None = None,
) -> Wrapped:
    """Run a command to its end and track the machine meanwhile. Only in the main thread.

    Args:
        command: Program and arguments.
        settings: The settings in force.
        name: Name of the run; default is the program's name.
        units: Functional units that the command delivers.
        wait: Go on until all that the command started has ended.
        warn: Told that the command is not tracked.
        tell: Told what is waited for.
        held: What is sent to this process, held already; default is to hold it here.

    Raises:
        ConfigError: A setting is wrong; the command was not started.
        ValueError: ``units`` is negative or not finite; the command was not started.
    """
    if units is not None and not (isfinite(units) and units >= 0):
        raise ValueError(f"units: {units}")
    program = shutil.which(command[0])
    if program is None:
        # As a shell has it: a word without a slash is looked for in PATH alone.
        exists = os.sep in command[0] and Path(command[0]).exists()
        return Wrapped(NOT_EXECUTABLE if exists else NOT_FOUND, None, started=False)
    with HeldSignals() if held is None else nullcontext(held) as signals:
        inherited = inherited_files()
        session = _begin(settings, name or _name(command), name_given=name is not None, warn=warn)
        tracked = _Tracked(session, name or _name(command), units)
        adopted = wait and adopt_orphans()
        keep_to_ourselves(inherited)
        began_s = time.monotonic()
        try:
            child = Command(program, command, tracked.environ(), signals)
        except OSError:  # e.g. a script without an interpreter line
            return tracked.ended(RunState.FAILED, Wrapped(NOT_EXECUTABLE, None, started=False))
        code = child.wait()
        aftermath = Aftermath(tracked.own_run_id, child.pid, began_s, adopted)
        left = _left_by(aftermath, signals, tell, wait=wait)
        if left and session is not None:
            session.incident(left_running(left, waited=wait))
        state = RunState.COMPLETED if code == 0 else RunState.KILLED if code < 0 else RunState.FAILED
        exit_code = _AFTER_SIGNAL - code if code < 0 else code
        return tracked.ended(
            state, Wrapped(exit_code, None, ended_by=-code if code < 0 else None, left=tuple(left))
        )


def _left_by(
    aftermath: Aftermath, signals: HeldSignals, tell: Callable[[Text], None], *, wait: bool
) -> list[Process]:
    def say(found: Sequence[Process]) -> None:
        tell(_WAITING.format(count=len(found), names=names_of(found)))

    try:
        left = aftermath.find()
        return aftermath.outlast(left, signals, say) if wait else left
    except Exception:  # noqa: BLE001  # our failure never changes how the command ended
        return []


class _Tracked:
    """The run around the command; none if it could not begin."""

    def __init__(self, session: Session | None, name: str, units: float | None) -> None:
        self._session = session
        self._units = units
        self._window_id: str | None = None
        if session is not None and not session.whole:
            self._window_id = f"{os.getpid()}-{time.monotonic_ns()}"  # many commands may run inside one run
            session.mark(f.BEGIN, id=self._window_id, name=session.part_name(name), parent=None)

    @property
    def own_run_id(self) -> str | None:
        """The run, if only the command and its offspring carry it in their environment."""
        return self._session.folder.name if self._session is not None and self._session.whole else None

    def environ(self) -> dict[str, str]:
        """Return the command's environment."""
        environ = inherited_environ()
        if self._session is not None:
            environ.update(announced(self._session.folder))
            environ["GREENAI_DB"] = self._session.settings.db
        return environ

    def ended(self, state: RunState, wrapped: Wrapped) -> Wrapped:
        """End the run and return how the command ended, with the record of the run."""
        session = self._session
        if session is None:
            return replace(wrapped, tracked=False)
        found: list[RunRecord | None] = []
        thread = threading.Thread(
            target=lambda: found.append(self._end(session, state, wrapped.exit_code)),
            name="greenai-end",
            daemon=True,
        )
        if start_quietly(thread):
            thread.join(_PATIENCE_S)
        else:
            found.append(self._end(session, state, wrapped.exit_code))
        record = found[0] if found else None
        return replace(wrapped, record=record, tracked=not session.lost, hanging=thread.is_alive())

    def _end(self, session: Session, state: RunState, exit_code: int) -> RunRecord | None:
        try:
            if self._units is not None:
                session.event(f.UNITS, n=self._units, window=self._window_id)
            if self._window_id is not None:
                session.mark(f.END, id=self._window_id)
            session.end(state, exit_code)
            return read_account(session, self._window_id)[1].record
        except Exception:  # noqa: BLE001  # our failure never changes how the command ended
            return None


def _begin(settings: Settings, name: str, *, name_given: bool, warn: Callable[[Text], None]) -> Session | None:
    """Begin the run; None, and a warning, if that fails for reasons that are not the settings'.

    Raises:
        ConfigError: A setting is wrong.
    """
    begun: list[Session | Exception] = []
    late = threading.Event()

    def begin() -> None:
        try:
            session = Session.begin(settings, name, name_given=name_given, announce=False)
        except Exception as error:  # noqa: BLE001  # sorted out below
            begun.append(error)
            return
        begun.append(session)
        if late.is_set():
            session.end(RunState.LOST)

    thread = threading.Thread(target=begin, name="greenai-begin", daemon=True)
    if start_quietly(thread):
        thread.join(_PATIENCE_S)
    else:
        begin()
    if not begun:
        late.set()
        warn(_UNTRACKED.format(reason=_SLOW.format(seconds=_PATIENCE_S)))
        return None
    if isinstance(begun[0], Session):
        session = begun[0]
        if session.lost or not session.folder.is_dir():
            warn(_UNTRACKED.format(reason=_NO_JOURNAL.format(path=session.folder.parent)))
        return session
    if isinstance(begun[0], ConfigError):
        raise begun[0]
    warn(_UNTRACKED.format(reason=repr(begun[0])))
    return None


def _name(command: Sequence[str]) -> str:
    """Return ``train.py`` for ``python train.py``, else the program's name. Arguments may hold secrets."""
    program = Path(command[0]).name
    if program.startswith("python"):
        script = next((word for word in command[1:] if not word.startswith("-")), None)
        if script is not None and script.endswith(".py"):
            program = Path(script).name
    return "".join(sign if sign.isprintable() else "?" for sign in program)[:LONGEST_LABEL]
