"""What a run has taken and is going to take, computed from its journals when somebody asks."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from greenai.core.collector import Incident
from greenai.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from greenai.core.account import Account
    from greenai.core.events import RunLog
    from greenai.core.forecast import Forecast
    from greenai.core.record import RunRecord
    from greenai.tracking.session import Session

# Looking ahead takes at most this part of one CPU: 1 %.
PAUSE_PER_WORK = 100

_JOURNAL_LOST = Incident(
    "journal_lost",
    Text(
        de="Das Journal dieses Laufs ist verloren; seine Energie ist unbekannt.",
        en="The journal of this run is lost; its energy is unknown.",
    ),
)


def account_of(session: Session, name: str, part: str | None) -> tuple[RunLog, Account]:
    """Read the journals of a run and do its account, footprint included. Journals that are gone are an incident.

    Args:
        session: The run's write side.
        name: What the run is called if its journals are gone.
        part: The window to confine the figures to, None for the whole run.
    """
    account, read_run, with_footprint = _accounting()
    incidents = session.lost[:1]
    try:
        log = read_run(session.folder)
        found = account(log, part)
    except (OSError, ValueError):
        log = session.empty_log(name)
        found = account(log)
        incidents = [_JOURNAL_LOST, *incidents]
    record = replace(found.record, incidents=(*found.record.incidents, *incidents))
    return log, replace(found, record=with_footprint(record, session.settings))


def _accounting() -> tuple[Callable[..., Account], Callable[..., RunLog], Callable[..., RunRecord]]:
    """Load what does an account: when somebody asks for a record, not while the program is being measured."""
    from greenai.carbon.footprint import with_footprint
    from greenai.core.account import account
    from greenai.journal.reader import read_run

    return account, read_run, with_footprint


class Outlook:
    """A running run's record and forecast, made anew at most as often as ``PAUSE_PER_WORK`` allows."""

    def __init__(
        self, session: Session, name: str, part: str | None, plans: Callable[[], Mapping[str, int]]
    ) -> None:
        self._session = session
        self._name = name
        self._part = part
        self._plans = plans
        self._busy = threading.Lock()
        self._last: tuple[RunRecord | None, Forecast | None] = (None, None)
        self._not_before_s = 0.0

    @property
    def due_in_s(self) -> float:
        """How long until it may be computed anew, seconds."""
        return max(self._not_before_s - time.monotonic(), 0.0)

    def look(self) -> tuple[RunRecord | None, Forecast | None]:
        """Return both, as they were when last computed; no record if that is being done for the first time."""
        # Never waits: the lock may have been held when this process was forked.
        if time.monotonic() >= self._not_before_s and self._busy.acquire(blocking=False):
            try:
                self._last = self._compute()
            finally:
                self._busy.release()
        return self._last

    def _compute(self) -> tuple[RunRecord, Forecast | None]:
        from greenai.core.forecast import forecast

        _accounting()  # loading it is no measure of what comes later
        began_s = time.thread_time()
        log, found = account_of(self._session, self._name, self._part)
        here, now_ns = self._session.host, self._session.host.clock.mono_ns()
        plans = self._plans()
        ahead = forecast(log, found, (here.name, os.getpid()), plans, now_ns, self._part) if plans else None
        self._not_before_s = time.monotonic() + PAUSE_PER_WORK * (time.thread_time() - began_s)
        return found.record, ahead
