"""The lines of a journal, version 1. Each is one JSON object; ``k`` says what it is, ``seq`` counts them.

========== =====================================================================================================
``open``   first line: role, host, pid, wall and monotonic clock, interval, channels, what the user said (meta)
``tick``   readings: ``t`` (monotonic ns), ``d`` (offset of each reading, ns), ``v`` (µJ or µW; null is a gap, its
           reason in ``g`` by position), ``c`` (numbers of the channels; without it all of them in order),
           ``u`` (use of the machine: offset ns, own and machine's CPU time µs, own and machine's memory bytes),
           ``s`` (by number of a GPU's channel: the work's share of it), ``j`` (if there, ``u`` has all batch jobs
           of the machine in place of the machine)
``start``  the owner's start mark, with readings
``stop``   the owner's stop mark, with readings: state, exit code, error
``begin``  a window opens, with readings: id, name, parent
``end``    a window closes, with readings: id
``checkpoint`` the work up to here is saved, with readings: name
``metric`` a quality figure
``units``  functional units delivered, with the window they were said in
``note``   an incident
``orphan`` a sampler saw its owner die, with readings
``requests`` what a meter's process has served so far, on some lines with readings (``core.served.ActivityMark``)
``shares`` histograms of the exclusive times of the requests of a minute (``core.served.ExclusiveTimes``)
``hour``   an hour of a service, condensed: its readings may be gone (``core.condensed.CondensedHour``)
``slept``  the machine was suspended since the line before: for how long (ns)
``suspended`` Slurm had stopped the job, and its collector, for so long before this line (ns), with readings
``close``  the process is done
========== =====================================================================================================
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 1

# A time before 0 or after this is damaged: 146 years. A sum of two fits into int64, as a database keeps it.
LAST_NS: Final = 2**62 - 1

OPEN: Final = "open"
TICK: Final = "tick"
START: Final = "start"
STOP: Final = "stop"
BEGIN: Final = "begin"
END: Final = "end"
CHECKPOINT: Final = "checkpoint"
METRIC: Final = "metric"
UNITS: Final = "units"
NOTE: Final = "note"
ORPHAN: Final = "orphan"
SLEPT: Final = "slept"
SUSPENDED: Final = "suspended"
REQUESTS: Final = "requests"
SHARES: Final = "shares"
HOUR: Final = "hour"
CLOSE: Final = "close"

SUFFIX: Final = ".jsonl"
LOCK_SUFFIX: Final = ".lock"
HOURS: Final = "hours"
PART_MARK: Final = "~"
INGESTED: Final = "ingested"
