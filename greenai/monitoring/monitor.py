"""What monitoring systems are told: live power and energy of runs, sums by project, and how greenai itself fares.

A look is made when somebody asks, and is good for a moment: however many ask, the work is done once.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.errors import NotFoundError, StoreError
from greenai.core.views import RunQuery
from greenai.core.vocabulary import RunState
from greenai.monitoring.families import LiveRunNow, families_of_runs
from greenai.monitoring.followed import FollowedRun
from greenai.monitoring.sums import Overview, families_of_overview

if TYPE_CHECKING:
    from greenai.analysis import Analysis
    from greenai.core.exposition import Family
    from greenai.core.record import RunRecord
    from greenai.core.views import RunRow
    from greenai.monitoring.followed import ChannelNow

KEPT_S = 300
"""So many seconds after its end a run's energy is still shown, with its last joule: nobody looks less often."""

MOST_RUNS = 1_000
MOST_CHANNELS = 20_000
"""No more series of either kind are shown; the newest runs come first, and those left out are counted."""

_FRESH_S = 0.4  # less than anybody waits between looks: the same figure twice would be a false standstill
# A look that takes long is good for so many times as long as it took.
_GOOD_FOR = 2
_PATIENCE_S = 1.0  # with runs that are being taken in; their figures come from the journals meanwhile
# Sums over all runs are made anew so often, seconds; less often if they take long (of a million runs two seconds).
_OVERVIEW_S = 60.0
_OVERVIEW_PATIENCE = 30


@dataclass(slots=True)
class _Known:
    """A run that is shown.

    Attributes:
        followed: Its channels.
        record: As the database held it last.
        ended_s: When its end was seen, monotonic seconds; None while it goes on.
    """

    followed: FollowedRun
    record: RunRecord
    ended_s: float | None = None

    def is_as_in(self, row: RunRow) -> bool:
        """Say whether the database holds nothing newer."""
        return self.record.duration_s == row.duration_s and self.record.state is row.state

    def take(self, record: RunRecord, now_s: float) -> None:
        """Take what the database holds now (monotonic seconds). One that was taken for lost may go on."""
        self.record = record
        self.followed.take(record)
        self.ended_s = None if record.state is RunState.RUNNING else now_s


class Monitor:
    """Looks at the runs. Safe to share between threads."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self._known: dict[str, _Known] = {}
        self._overview: Overview | None = None
        self._overview_due_s = 0.0
        self._looked: tuple[Family, ...] = ()
        self._good_until_s = 0.0
        self._lock = threading.Lock()
        self._intake: threading.Thread | None = None
        self._problems = 0
        self._refused: StoreError | None = None

    def look(self) -> tuple[Family, ...]:
        """Return all families as they stand now.

        Raises:
            StoreError: The database cannot be read or written.
        """
        with self._lock:
            began_s = time.monotonic()
            if began_s >= self._good_until_s:
                found = self._look(began_s)
                took_s = time.monotonic() - began_s
                self._looked = found
                self._good_until_s = began_s + max(_FRESH_S, took_s * (1 + _GOOD_FOR))
            return self._looked

    def _look(self, began_s: float) -> tuple[Family, ...]:
        self._refresh()
        left_out = self._meet_runs(began_s)
        runs: list[LiveRunNow] = []
        channels = 0
        for known in sorted(self._known.values(), key=lambda known: known.record.started_ms, reverse=True):
            found = _channels(known)
            channels += len(found)
            if channels > MOST_CHANNELS and runs:
                left_out += 1
                continue
            runs.append(LiveRunNow(known.record, found))
        if self._overview is None or began_s >= self._overview_due_s:
            asked_s = time.monotonic()
            self._overview = Overview.of(self._analysis)
            took_s = time.monotonic() - asked_s
            self._overview_due_s = asked_s + max(_OVERVIEW_S, _OVERVIEW_PATIENCE * took_s)
        return (
            *families_of_runs(runs, left_out),
            *families_of_overview(self._overview, self._problems, time.monotonic() - began_s),
        )

    def _refresh(self) -> None:
        """Have what is new taken into the database; a run on a thousand nodes takes longer than anybody waits.

        Raises:
            StoreError: The database refused, now or the last time.
        """
        if self._intake is None or not self._intake.is_alive():
            self._intake = threading.Thread(target=self._take_in, name="greenai-intake", daemon=True)
            self._intake.start()
        self._intake.join(_PATIENCE_S)
        if self._refused is not None:
            raise self._refused

    def _take_in(self) -> None:
        try:
            self._problems = len(self._analysis.refresh().problems)
            self._refused = None
        except StoreError as error:
            self._refused = error

    def _meet_runs(self, began_s: float) -> int:
        """Begin to follow new runs and forget those that ended long ago; return how many are too many."""
        running = self._analysis.run_page(RunQuery(state=RunState.RUNNING.value, limit=MOST_RUNS))
        # A short run may begin and end between two looks.
        since_ms = int((time.time() - KEPT_S) * 1e3)
        begun = self._analysis.run_page(RunQuery(from_ms=since_ms, limit=MOST_RUNS))
        rows = {row.id: row for row in (*running.rows, *begun.rows)}
        for run_id in self._known.keys() | rows.keys():
            known, row = self._known.get(run_id), rows.get(run_id)
            if known is not None and (known.is_as_in(row) if row is not None else known.ended_s is not None):
                continue
            record = self._record(run_id)
            if record is None or (row is None and record.state is RunState.RUNNING):
                self._known.pop(run_id, None)  # deleted meanwhile, or one too many
                continue
            if known is None:
                known = self._known[run_id] = _Known(FollowedRun(self._analysis.settings.spool / run_id), record)
            known.take(record, began_s)
        gone = {
            run_id
            for run_id, known in self._known.items()
            if known.ended_s is not None and known.ended_s + KEPT_S < began_s and run_id not in rows
        }
        for run_id in gone:
            del self._known[run_id]
        return max(running.total - len(running.rows), 0)

    def _record(self, run_id: str) -> RunRecord | None:
        try:
            return self._analysis.run(run_id)
        except NotFoundError:
            return None


def _channels(known: _Known) -> tuple[ChannelNow, ...]:
    if known.ended_s is not None:
        return known.followed.ended()
    try:
        return known.followed.look()
    except Exception:  # noqa: BLE001  # a damaged file may hold anything; the other runs are shown
        return known.followed.ended()
