"""A run as it is being written: its folder, its journal, its sensors and its sampler.

Starting may raise ``ConfigError``, before any user code runs. From then on nothing raises: what goes wrong is an
incident on the record and one log line.
"""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from greenai.core.collector import Incident
from greenai.core.errors import ConfigError
from greenai.core.events import ProcessLog, RunLog
from greenai.core.text import Text
from greenai.core.vocabulary import Role, RunState, Scope
from greenai.host import this_host
from greenai.journal import format as f
from greenai.journal.spool import create_run_folder, hold_run, is_held, new_run_id, release_run
from greenai.journal.writer import JournalWriter
from greenai.sampler import SamplerThread, SlowSampler, UsageReader, open_sensors, resolve_scope
from greenai.settings.checks import check_database
from greenai.tracking.meta import run_meta
from greenai.tracking.sampling import SamplerChild, Sampling

if TYPE_CHECKING:
    from greenai.settings import Settings

_NO_CHILD = Text(
    de="Der Messprozess ließ sich nicht starten ({reason}); gemessen wird in einem Thread des Programms.",
    en="The sampling process could not be started ({reason}); a thread of the program samples instead.",
)
_NO_JOURNAL = Text(
    de="Im Journalordner {path} lässt sich nichts anlegen ({reason}).",
    en="Nothing can be created in the journal folder {path} ({reason}).",
)
_WRITE_FAILED = Text(
    de="Ein Teil der Messung ging verloren: {reason}.",
    en="Part of the measurement was lost: {reason}.",
)


# Runs that this process owns, and announces to those that it starts.
_OWNED: dict[str, int] = {}
_ENDED = -1


class Session:
    """The write side of one run in one process."""

    def __init__(self, folder: Path, settings: Settings, *, owner: bool) -> None:
        self.folder = folder
        self.settings = settings
        self.owner = owner
        self.lost: list[Incident] = []  # incidents that could not be written down
        self._host = this_host(settings.knowledge)
        self._pid = os.getpid()
        self._lock = -1
        self._sampling: list[Sampling] = []
        self._before: dict[str, str | None] = {}  # environment before the run was announced
        self._journal: JournalWriter | None = None

    @classmethod
    def begin(cls, settings: Settings, name: str, *, name_given: bool, in_process: bool = False) -> Session:
        """Start a run, or join the one that this process was started in.

        Args:
            settings: The settings in force.
            name: Name of the run, or of the window if a run is joined.
            name_given: True if a person chose the name.
            in_process: Sample in a thread instead of a child process (for the command wrapper).

        Raises:
            ConfigError: The spool or the database cannot be written.
        """
        joined = running_run(settings)
        if joined is not None:
            session = cls(joined, settings, owner=False)
        else:
            if settings.ingest == "background":
                check_database(settings.db)
            session = cls(create_run_folder(settings.spool, new_run_id()), settings, owner=True)
        session._start(name, name_given=name_given, in_process=in_process)
        return session

    def _start(self, name: str, *, name_given: bool, in_process: bool) -> None:
        scope, trouble = resolve_scope(self._host, Scope(self.settings.scope))
        if self.owner:
            with contextlib.suppress(OSError):  # a file system without locks: nobody can join, nothing else
                self._lock = hold_run(self.folder)
            if not in_process:
                try:
                    self._sampling.append(SamplerChild(self.folder, self.settings, scope))
                except OSError as error:
                    trouble = Incident("sampler_in_thread", _NO_CHILD.format(reason=error.strerror))
        child = bool(self._sampling)
        # A member's windows are cut out of what owner and sampler read.
        shared_out = self.owner and scope is not Scope.MACHINE
        usage = UsageReader(self._host, scope, self._pid) if shared_out else None
        self._sensors = open_sensors(self._host, slow=False, usage=usage)
        meta = run_meta(self._host, self.settings, name, scope, name_given=name_given, sampler_process=child)
        role = Role.OWNER if self.owner else Role.MEMBER
        try:
            self._journal = JournalWriter(
                self.folder, self._host, role, self._sensors.channels, self.settings.interval_s, meta
            )
        except OSError as error:
            self._stop_sampling()
            self._sensors.close()
            self._release()
            raise ConfigError(_NO_JOURNAL.format(path=self.folder, reason=error.strerror)) from error
        if self.owner and not child:
            self._sample_here(self._journal, usage)
        if trouble:
            self.incident(trouble)
        if self.owner:
            if not in_process:
                self._announce()
            self.mark(f.START)

    def _sample_here(self, journal: JournalWriter, usage: UsageReader | None) -> None:
        """Sample in threads of this process."""
        for incident in self._sensors.incidents:
            self.incident(incident)
        if usage is not None:
            usage.watch_gpus(self._sensors.channels)
        interval_s = self.settings.interval_s
        self._sampling.append(SlowSampler(self._host, self.folder, interval_s))
        self._sampling.append(SamplerThread(self._host, self._sensors, journal, interval_s))

    def _announce(self) -> None:
        """Let programs and workers that are started from here find the run, so that they become part of it."""
        _OWNED[self.folder.name] = self._pid
        values = {"GREENAI_RUN_ID": self.folder.name, "GREENAI_SPOOL": str(self.settings.spool)}
        self._before = {name: os.environ.get(name) for name in values}
        os.environ.update(values)

    def _renounce(self) -> None:
        _OWNED[self.folder.name] = _ENDED
        if self._before and os.environ.get("GREENAI_RUN_ID") == self.folder.name:
            for name, value in self._before.items():
                # Runs in threads need not end in the order they began: one that is over is not announced again.
                if value is None or _OWNED.get(self._before["GREENAI_RUN_ID"] or "") == _ENDED:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
        self._before = {}

    @property
    def running(self) -> bool:
        """Whether the run still goes on."""
        return self._journal is not None

    def empty_log(self, name: str) -> RunLog:
        """Return what is known of a run without its journals: nothing but its name."""
        clock = self._host.clock
        process = ProcessLog(
            role=Role.OWNER,
            host=self._host.name,
            pid=self._pid,
            wall_ns=clock.wall_ns(),
            mono_ns=clock.mono_ns(),
            interval_s=self.settings.interval_s,
            meta={"name": name},
        )
        return RunLog(self.folder.name, (process,), sha256="", silent_s=math.inf)

    def mark(self, kind: str, **extra: Any) -> None:
        """Read all sensors now and write a marked line."""
        t_ns, readings = self._sensors.read()
        usage = self._sensors.usage()
        if kind in (f.START, f.BEGIN):
            # A stretch begins after its first readings and ends before its last: they enclose it.
            t_ns = self._host.clock.mono_ns()
        self._write(lambda journal: journal.readings(kind, t_ns, readings, usage, **extra))

    def event(self, kind: str, **content: Any) -> None:
        """Write a line without readings."""
        self._write(lambda journal: journal.event(kind, **content))

    def incident(self, incident: Incident) -> None:
        """Put an incident on the record, and one line into the log."""
        _log(incident.message)
        self._write(lambda journal: journal.incident(incident))

    def end(self, state: RunState, exit_code: int | None = None, error: str | None = None) -> None:
        """Write the stop mark (owner) and let go of everything. Waits for nobody."""
        if self._pid != os.getpid():
            return  # a forked child leaves its parent's run alone
        if self.owner:
            self._renounce()
            self.mark(f.STOP, state=state.value, exit_code=exit_code, error=error)
        self._stop_sampling()
        self._sensors.close()
        if self._journal is not None:
            self._write(JournalWriter.close)
            self._journal = None
        self._release()

    def _release(self) -> None:
        if self._lock >= 0:
            release_run(self._lock)
            self._lock = -1

    def _stop_sampling(self) -> None:
        while self._sampling:
            self._sampling.pop().stop()

    def _write(self, action: Any) -> None:
        if self._journal is None:
            return
        try:
            action(self._journal)
            if self.lost:
                self._journal.incident(self.lost[0])
                self.lost.clear()
        except Exception as error:  # noqa: BLE001  # our failure never harms the tracked program
            if not self.lost:
                _log(_WRITE_FAILED.format(reason=error))
            self.lost.append(Incident("journal_write_failed", _WRITE_FAILED.format(reason=repr(error))))


def running_run(settings: Settings) -> Path | None:
    """Return the folder of the living run that this process was started in (``GREENAI_RUN_ID``), if any."""
    run_id = os.environ.get("GREENAI_RUN_ID", "")
    if run_id in ("", "..") or Path(run_id).name != run_id:
        return None
    if _OWNED.get(run_id) in (os.getpid(), _ENDED):
        return None  # another run of this very program, not one around it; or one that is ending
    folder = settings.spool / run_id
    return folder if folder.is_dir() and is_held(folder) else None


def _log(message: Text) -> None:
    """Write one log line. Loading ``logging`` is left to the case that there is something to say."""
    import logging

    logger = logging.getLogger("greenai")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())  # a program without logging gets no output from us
    logger.warning("%s", message)
