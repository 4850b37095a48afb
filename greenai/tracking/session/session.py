"""A run as it is being written: its folder, its journal, its sensors and its sampler.

Starting may raise ``ConfigError``, before any user code runs. From then on nothing raises: what goes wrong is an
incident on the record and one log line.
"""

from __future__ import annotations

import atexit
import math
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from greenai.core.collector import Incident
from greenai.core.text import Text
from greenai.core.vocabulary import Role, RunState, Scope
from greenai.host import this_host
from greenai.journal import format as f
from greenai.journal.writer import JournalWriter
from greenai.sampler import UsageReader, open_sensors, resolve_scope
from greenai.settings.checks import check_database
from greenai.tracking.meta import run_meta
from greenai.tracking.session.announcement import Announcement
from greenai.tracking.session.own_sampler import OwnSampler
from greenai.tracking.session.place import Place, find_place

if TYPE_CHECKING:
    from greenai.core.events import RunLog
    from greenai.host import Host
    from greenai.settings import Settings

_LEFT_OPEN = Incident(
    "run_left_open",
    Text(
        de="Der Lauf war noch offen, als das Programm endete; er wurde dort geschlossen.",
        en="The run was still open when the program ended; it was closed there.",
    ),
)
# The interpreter forgets a SystemExit, and its code, before it calls anybody; sys.last_value never holds one.
_LEFT_OPEN_UNSURE = Incident(
    _LEFT_OPEN.code,
    Text(
        de="Der Lauf war noch offen, als das Programm ohne Fehlermeldung endete; er wurde dort geschlossen. "
        "Ob und mit welchem Code es sys.exit rief, ist unbekannt.",
        en="The run was still open when the program ended without an error message; it was closed there. "
        "Whether it called sys.exit, and with which code, is unknown.",
    ),
    Text(
        de="Den Lauf mit „with greenai.track(...)“ enden lassen, oder das Programm mit „greenai run“ starten.",
        en='End the run by "with greenai.track(...)", or start the program with "greenai run".',
    ),
)
_WRITE_FAILED = Text(
    de="Ein Teil der Messung ging verloren: {reason}.",
    en="Part of the measurement was lost: {reason}.",
)


class Session:
    """The write side of one run in one process.

    Attributes:
        folder: The run's folder in the spool.
        settings: The settings in force.
        owner: Whether this process began the run.
        whole: Whether what this process tracks is the whole run, and not a part of it.
        host: This machine.
        sensors: Its sensors, open.
        lost: Incidents that could not be written down.
    """

    def __init__(self, place: Place, settings: Settings, host: Host) -> None:
        self.folder = place.folder
        self.settings = settings
        self.owner = place.role is Role.OWNER
        self.whole = self.owner and place.group is None
        self.host = host
        self.lost: list[Incident] = []
        self.running = True
        self._place = place
        self._pid = os.getpid()
        self._sampler: OwnSampler | None = None
        self._announcement: Announcement | None = None
        self._journal: JournalWriter | None = None

    @classmethod
    def begin(
        cls,
        settings: Settings,
        name: str,
        *,
        name_given: bool,
        announce: bool = True,
        service: bool = False,
    ) -> Session:
        """Start a run, or join the one that this process belongs to.

        Args:
            settings: The settings in force.
            name: Name of the run, or of the window if a run is joined.
            name_given: True if a person chose the name.
            announce: Let programs started from here find the run by the environment of this process.
            service: The run may go on for months, and processes of one parent share it.

        Raises:
            ConfigError: The settings name a spool or a database that cannot be written.
        """
        host = this_host(settings.knowledge)
        place = find_place(settings, host.name, name, siblings=service)
        if place.role is Role.OWNER and settings.ingest == "background":
            check_database(settings.db)
        session = cls(place, settings, host)
        session._start(name, name_given=name_given, announce=announce, service=service)
        return session

    def part_name(self, name: str) -> str:
        """Return what the part of this process is called in the run."""
        group = self._place.group
        return name if group is None or group.rank is None else f"{name} (rank {group.rank})"

    def _start(self, name: str, *, name_given: bool, announce: bool, service: bool) -> None:
        scope, trouble = resolve_scope(self.host, Scope(self.settings.scope))
        # A member's windows are cut out of what the others read.
        shared_out = self._marks_ends and scope is not Scope.MACHINE
        usage = UsageReader(self.host, scope, self._pid) if shared_out else None
        self.sensors = open_sensors(self.host, slow=False, usage=usage)
        meta = run_meta(
            self.host,
            self.settings,
            name,
            scope,
            name_given=name_given,
            service=service,
            group=self._place.group,
        )
        if self._place.writable:
            self._open_journal(meta)
        for incident in (*self._place.troubles, trouble):
            if incident is not None:
                self.incident(incident)
        for incident in self.sensors.incidents:
            if incident.code == "sensor_hangs":
                self.incident(incident)
            else:  # the machine is as it is: no reason for a line in the log of each run
                self._write(lambda journal, what=incident: journal.incident(what))
        if self._marks_ends:
            if announce:
                self._announcement = Announcement(self.folder)
            if self.settings.ingest == "background" and not self.settings.db.startswith("sqlite"):
                from greenai.tracking.session.container import outlast  # local: of use in containers alone

                outlast(self.folder, self.settings.db, _log)
            atexit.register(self._end_with_program)
            self.mark(f.START)
        if self._place.writable:  # last: a process that starts takes time from what goes on beside it
            self._sampler = OwnSampler(
                self.host, self.folder, self.settings, scope, self.sensors, self._journal, self.incident,
                service=service,
            )  # fmt: skip
            self._sampler.enter(self._place.lock, without_lock=self._place.lock < 0 and self.owner)

    @property
    def _marks_ends(self) -> bool:
        return self._place.role is not Role.MEMBER

    def _open_journal(self, meta: dict[str, Any]) -> None:
        try:
            self._journal = JournalWriter(
                self.folder, self.host, self._place.role, self.sensors.channels, self.settings.interval_s, meta
            )
        except (
            OSError
        ) as error:  # the disk is full, or the run's folder is gone: no reason to keep a job from running
            self.lost.append(Incident("journal_write_failed", _WRITE_FAILED.format(reason=repr(error))))

    def empty_log(self, name: str) -> RunLog:
        """Return what is known of a run without its journals: nothing but its name."""
        from greenai.core.events import ProcessLog, RunLog  # not while the program is being measured

        clock = self.host.clock
        process = ProcessLog(
            role=Role.OWNER,
            host=self.host.name,
            pid=self._pid,
            wall_ns=clock.wall_ns(),
            mono_ns=clock.mono_ns(),
            interval_s=self.settings.interval_s,
            meta={"name": name},
        )
        return RunLog(self.folder.name, (process,), sha256="", silent_s=math.inf)

    def mark(self, kind: str, **extra: Any) -> None:
        """Read the sensors now and write a marked line.

        At the ends of a window the sampler reads what calls a vendor's library, in its own process and at the same
        moment: the program does not wait for it. At the ends of the run the sampler may not be there.
        """
        if self._journal is None:
            return
        sampler = self._sampler if kind in (f.BEGIN, f.END) else None
        t_ns, readings = self.sensors.read(sampler.ring() if sampler is not None else None)
        usage = self.sensors.usage()
        if kind in (f.START, f.BEGIN):
            # A stretch begins after its first readings and ends before its last: they enclose it.
            t_ns = self.host.clock.mono_ns()
        self._write(lambda journal: journal.readings(kind, t_ns, readings, usage, **extra))

    def settle(self) -> None:
        """Once it has ended: wait until its sampler writes no more, so that its figures are final."""
        if not self.running and self._sampler is not None:
            self._sampler.settle()

    def event(self, kind: str, **content: Any) -> None:
        """Write a line without readings."""
        self._write(lambda journal: journal.event(kind, **content))

    def incident(self, incident: Incident) -> None:
        """Put an incident on the record, and one line into the log."""
        _log(incident.message)
        if self._journal is None:
            self.lost.append(incident)
        self._write(lambda journal: journal.incident(incident))

    def end(self, state: RunState, exit_code: int | None = None, error: str | None = None) -> None:
        """Write the stop mark and let go of everything. Waits for nobody. Calling it again does nothing."""
        if self._pid != os.getpid() or not self.running:
            return  # a forked child leaves its parent's run alone
        self.running = False
        if self._marks_ends:
            atexit.unregister(self._end_with_program)
            if self._announcement is not None:
                self._announcement.take_back()
            self.mark(f.STOP, state=state.value, exit_code=exit_code, error=error)
        if self._sampler is not None:
            self._sampler.leave()
        self.sensors.close()
        if self._journal is not None:
            self._write(JournalWriter.close)
            self._journal = None

    def _end_with_program(self) -> None:
        """End the run that the program left open."""
        if self._pid != os.getpid() or not self.running:
            return  # a forked child
        # What an interactive interpreter remembers as the last error need not be how it ends.
        error = getattr(sys, "last_value", None) if not hasattr(sys, "ps1") else None
        state = RunState.COMPLETED if error is None else RunState.FAILED
        with suppress(Exception):  # our failure never harms the tracked program
            self.incident(_LEFT_OPEN_UNSURE if error is None else _LEFT_OPEN)
            self.end(state, error=type(error).__name__ if error is not None else None)

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


def _log(message: Text) -> None:
    """Write one log line. Loading ``logging`` is left to the case that there is something to say."""
    with suppress(Exception):  # not even that may be possible: no more files, a handler that breaks
        import logging

        logger = logging.getLogger("greenai")
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())  # a program without logging gets no output from us
        logger.warning("%s", message)
