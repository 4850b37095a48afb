"""What a run has taken and is going to take, computed from its journals when somebody asks."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from greenai.core.collector import Incident
from greenai.core.text import Text
from greenai.core.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from greenai.core.account import Account
    from greenai.core.events import RunLog
    from greenai.core.forecast import Forecast
    from greenai.core.record import RunRecord
    from greenai.tracking.session import Session

# Looking ahead takes at most this part of one CPU: 1 %.
PAUSE_PER_WORK = 100
# For it, windows need not be read at each of their ends: in the whole run this often, or as often as is sampled.
_READINGS = 400

_JOURNAL_LOST = Incident(
    "journal_lost",
    Text(
        de="Das Journal dieses Laufs ist verloren; seine Energie ist unbekannt.",
        en="The journal of this run is lost; its energy is unknown.",
    ),
)


def read_account(session: Session, part: str | None, apart_ns: int | None = None) -> tuple[RunLog, Account]:
    """Read the journals of a run and do its account, footprint included. One that has ended is final.

    Args:
        session: The run's write side.
        part: The window to confine the figures to, None for the whole run.
        apart_ns: Do without the windows' energies, and with readings that are this far apart, see ``read_run``.

    Raises:
        OSError, ValueError: There are no journals that can be read.
    """
    account, read_run, _ = _accounting()
    session.settle()
    log = read_run(session.folder, apart_ns=apart_ns or 0)
    return log, _finished(account(log, part, windows=apart_ns is None), session)


def account_of(
    session: Session, name: str, part: str | None, apart_ns: int | None = None
) -> tuple[RunLog, Account]:
    """Do as ``read_account``; journals that are gone are an incident.

    Args:
        session: The run's write side.
        name: What the run is called if its journals are gone.
        part: The window to confine the figures to, None for the whole run.
        apart_ns: See ``read_account``.
    """
    try:
        return read_account(session, part, apart_ns)
    except (OSError, ValueError):
        account, _, _ = _accounting()
        log = session.empty_log(name)
        return log, _finished(account(log), session, _JOURNAL_LOST)


def _finished(found: Account, session: Session, *incidents: Incident) -> Account:
    """Add what could not be written down, and the footprint."""
    _, _, with_footprint = _accounting()
    told = (*found.record.incidents, *incidents, *session.lost[:1])
    return replace(found, record=with_footprint(replace(found.record, incidents=told), session.settings))


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
        self._began_ns = session.host.clock.mono_ns()
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
        here, now_ns = self._session.host, self._session.host.clock.mono_ns()
        interval_ns = round(self._session.settings.interval_s * NS_PER_S)
        apart_ns = min((now_ns - self._began_ns) // _READINGS, interval_ns)
        log, found = account_of(self._session, self._name, self._part, apart_ns)
        plans = self._plans()
        ahead = forecast(log, found, (here.name, os.getpid()), plans, now_ns, self._part) if plans else None
        self._not_before_s = time.monotonic() + PAUSE_PER_WORK * (time.thread_time() - began_s)
        return found.record, ahead
