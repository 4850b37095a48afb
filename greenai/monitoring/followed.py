"""One run, followed while it goes on: energy that only grows, and power now, channel by channel.

The database holds the energy of each channel up to the last time the run was taken in; what came since is read
from the ends of its journals, each stretch once. When the run has ended, the figures are those of the database.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from greenai.analysis.live import STEP_S, stale_s
from greenai.analysis.moment import Moment, mono_ns
from greenai.core.units import NS_PER_S
from greenai.journal.tail import read_tail

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.core.cover import Key
    from greenai.core.record import RunRecord
    from greenai.core.run_energy import ChannelEnergy

# Beside the stretch itself: readings before its start, from which the first difference begins.
_MARGIN_S = 15.0
# What is older is not read again: it comes when the run is next taken in, at the latest after ten minutes.
_LONGEST_S = 900.0


class ChannelNow(NamedTuple):
    """A counted channel of a run at this moment.

    Attributes:
        row: What it is, and how its energy came about.
        energy_j: The run's part of its energy since the run began, joules; never less than before.
        power_w: Mean over the last seconds, watts; None if unknown.
    """

    row: ChannelEnergy
    energy_j: float
    power_w: float | None


class FollowedRun:
    """Follows one run."""

    def __init__(self, folder: Path) -> None:
        """Begin to follow.

        Args:
            folder: Its journals; they may lie elsewhere.
        """
        self._folder = folder
        self._rows: dict[Key, ChannelEnergy] = {}
        self._known_j: dict[Key, float] = {}
        self._until_ns: dict[Key, int] = {}  # up to when, on the host's monotonic clock
        self._until_ms = 0.0  # the same for all that are not in there
        self._started_ms = 0
        self._shown_j: dict[Key, float] = {}

    def take(self, record: RunRecord) -> None:
        """Begin anew from what the database holds.

        A channel whose energy it does not know, or does not count, is not shown: a sum over channels counts
        nothing twice.
        """
        counted = (row for row in record.energy.channels if row.counted and row.energy_j is not None)
        self._rows = {(row.host, row.id): row for row in counted}
        self._known_j = {key: row.energy_j or 0.0 for key, row in self._rows.items()}
        self._until_ns = {}
        self._started_ms = record.started_ms
        self._until_ms = record.started_ms + record.duration_s * 1e3

    def ended(self) -> tuple[ChannelNow, ...]:
        """Return the channels of a run that is over, as the database holds them."""
        return self._now({})

    def look(self) -> tuple[ChannelNow, ...]:
        """Return the channels of a run that goes on; without power where its journals cannot be read.

        Raises:
            Exception: A damaged file may hold anything.
        """
        now_s = time.time()
        wanted_s = min(max(now_s - self._until_ms / 1e3, 0.0), _LONGEST_S) + _MARGIN_S
        log = read_tail(self._folder, wanted_s, now_s)
        if not log.processes:
            return self._now({})
        moment = Moment.of(log, self._started_ms, wanted_s)
        newest_ns = max(clock.wall_at(clock.last_ns) for clock in moment.clocks.values())
        oldest_ns = newest_ns - int(max(stale_s(log) - log.silent_s, 0.0) * NS_PER_S)
        fresh = {host for host, clock in moment.clocks.items() if clock.wall_at(clock.last_ns) >= oldest_ns}
        if log.silent_s > stale_s(log):
            fresh = set()
        power_w: dict[Key, float] = {}
        reached_ms: list[float] = []
        for key in self._rows.keys() & moment.traces.keys():
            reached_ms.append(self._advance(key, moment))
            found_w = _power_w(key, moment) if key[0] in fresh else None
            if found_w is not None:
                power_w[key] = found_w
        if len(reached_ms) == len(self._rows):  # else a silent host may still come, with what it wrote meanwhile
            self._until_ms = max(self._until_ms, min(reached_ms, default=0.0))
        return self._now(power_w)

    def _advance(self, key: Key, moment: Moment) -> float:
        """Add what a channel took since the last look; return up to when it is known now, epoch milliseconds."""
        clock, own = moment.clocks[key[0]], moment.traces[key].own
        begin_ns = self._until_ns.setdefault(key, mono_ns(clock, self._until_ms))
        end_ns = own.times_ns[-1] if own.times_ns else begin_ns
        if end_ns > begin_ns:
            self._known_j[key] += own.between(begin_ns, end_ns).energy_j or 0.0
            self._until_ns[key] = end_ns
        return clock.wall_at(max(begin_ns, end_ns)) / 1e6

    def _now(self, power_w: dict[Key, float]) -> tuple[ChannelNow, ...]:
        found = []
        for key, row in self._rows.items():
            # Readings may turn out to be worth less than was thought; a counter never falls.
            self._shown_j[key] = max(self._shown_j.get(key, 0.0), self._known_j[key])
            found.append(ChannelNow(row, self._shown_j[key], power_w.get(key)))
        return tuple(found)


def _power_w(key: Key, moment: Moment) -> float | None:
    """Return the mean over the last seconds; of a slower sensor over one renewal."""
    trace, end_ns = moment.traces[key], moment.spans[key[0]][1]
    interval_s = moment.clocks[key[0]].interval_s
    seconds = max(STEP_S, interval_s, trace.channel.update_s or 0.0)
    begin_ns = max(end_ns - int(seconds * NS_PER_S), moment.spans[key[0]][0])
    amount = trace.own_energy(begin_ns, end_ns)
    known_s = (end_ns - begin_ns) / NS_PER_S - amount.gap_s
    return None if amount.energy_j is None or known_s <= 0 else amount.energy_j / known_s
