"""The spool's file system: full, over quota, read-only, away, deleted."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from functools import partial
from typing import TYPE_CHECKING, Literal

from benchmarks.faults.fault import GRACE_S, Fault, Outcome
from benchmarks.faults.mounts import Ext4, Faulty, Tmpfs
from benchmarks.faults.plugin.constant_power import POWER_W
from benchmarks.faults.programs import plain, tracked
from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from benchmarks.faults.place import Place
    from benchmarks.faults.program import Program

When = Literal["start", "middle", "freed"]
_NO_QUOTA = "no quota can be enforced here: a file system of our own answered EDQUOT"
_NO_NFS = "no NFS client here: a file system of our own (FUSE) answered as NFS does"
_WINDOWS = """
for n in range(20):
    with run.window(f"w{{n}}"):
        time.sleep({length_s} / 20)
    run.add_units(1)
"""


def unharmed(place: Place, program: Program, code: int) -> Outcome:
    """Check what the user sees: nothing."""
    outcome = Outcome(exit_code=code == 0)
    outcome.ask(code == 0, f"exit code {code}: {program.stderr[-200:]}")
    outcome.ask(program.said("done"), "the program did not come to its end")
    outcome.ask(len(program.stderr.splitlines()) <= 1, f"stderr: {program.stderr[-200:]}")
    place.settle()
    return outcome


def from_the_start(place: Place, program: Program) -> Outcome:
    """Check a program whose run cannot be written to the spool at all: it runs, and its journal lies elsewhere."""
    outcome = unharmed(place, program, program.wait())
    at_once = {record.id for record in place.in_database()}
    rows = place.next_reading()
    outcome.ask(len(rows) == 1, f"{len(rows)} runs on record")
    if rows:
        life_s = ((program.said("done") or 0) - program.wait_for("begins", 0)) / NS_PER_S
        outcome.missing_s = life_s - (rows[0]["total_j"] or 0.0) / POWER_W
        outcome.state = rows[0]["state"]
        outcome.database = "at once" if rows[0]["id"] in at_once else "next"
        outcome.ask(outcome.missing_s <= place.interval_s + GRACE_S, f"{outcome.missing_s:.3f} s are missing")
        outcome.ask(outcome.state == "completed", f"state {outcome.state}")
    return outcome


def full_from_the_start(place: Place, random: Random, *, wrapped: bool) -> Outcome:
    """There is not one byte left in the spool."""
    disk = Tmpfs(place)
    disk.fill()
    return from_the_start(place, _short(place, random, wrapped=wrapped))


def read_only_from_the_start(place: Place, random: Random, *, wrapped: bool) -> Outcome:
    """The spool's file system is mounted read-only."""
    Ext4(place).read_only()
    return from_the_start(place, _short(place, random, wrapped=wrapped))


def broken_from_the_start(place: Place, random: Random, *, error: int, wrapped: bool) -> Outcome:
    """Every operation in the spool is an error."""
    Faulty(place).says(error)
    outcome = from_the_start(place, _short(place, random, wrapped=wrapped))
    outcome.remarks.add(_NO_QUOTA if error == errno.EDQUOT else _NO_NFS)
    return outcome


def _short(place: Place, random: Random, *, wrapped: bool) -> Program:
    length_s = random.uniform(0.3, 1.0)
    return place.start(
        plain(f"time.sleep({length_s})") if wrapped else tracked(f"time.sleep({length_s})"), wrapped=wrapped
    )


def full_in_the_middle(place: Place, random: Random, *, freed: bool, killed: bool = False) -> Outcome:
    """The disk fills up; later there is room again, or not. Counters lose nothing where there is."""
    disk = Tmpfs(place)
    return _troubled(place, random, disk.fill, disk.free if freed else None, killed=killed)


def over_quota(place: Place, random: Random, *, freed: bool) -> Outcome:
    """The user's quota is used up: EDQUOT."""
    disk = Faulty(place)
    outcome = _troubled(
        place, random, lambda: disk.says(errno.EDQUOT), disk.says if freed else None, heal=disk.says
    )
    outcome.remarks.add(_NO_QUOTA)
    return outcome


def read_only_in_the_middle(place: Place, random: Random) -> Outcome:
    """The kernel mounts the file system read-only, because the disk fails."""
    disk = Ext4(place)
    return _troubled(place, random, disk.abort, None)


def away(place: Place, random: Random, *, error: int, comes_back: bool) -> Outcome:
    """The network file system's server is away: ESTALE, EIO."""
    disk = Faulty(place)
    outcome = _troubled(place, random, lambda: disk.says(error), disk.says if comes_back else None, heal=disk.says)
    outcome.remarks.add(_NO_NFS)
    return outcome


def hangs(place: Place, random: Random) -> Outcome:
    """The server does not answer for 5 s, each time it is asked; then it does."""
    disk = Faulty(place)
    outcome = _troubled(place, random, lambda: disk.says(0, 5.0), disk.says, hangs_s=15.0)
    outcome.remarks.add(_NO_NFS)
    return outcome


def _troubled(
    place: Place,
    random: Random,
    trouble: Callable[[], None],
    relief: Callable[[], None] | None,
    *,
    heal: Callable[[], None] | None = None,
    killed: bool = False,
    hangs_s: float = 0.0,
) -> Outcome:
    """Run a program with windows, bring trouble in the middle, and relief a while later, or not before its end."""
    length_s = 8 * place.interval_s
    program = place.start(tracked(_WINDOWS.format(length_s=length_s)))
    program.wait_for("begins")
    place.until(lambda: place.ticks() >= 2, say="no sampler")
    time.sleep(random.uniform(0.0, 0.3) * length_s)
    trouble_ns = time.monotonic_ns()
    trouble()
    if relief is not None:
        time.sleep(random.uniform(0.2, 0.3) * length_s)
        relief()
    if killed:
        os.kill(program.pid, signal.SIGKILL)
    code = program.wait()
    ended_ns = time.monotonic_ns()
    died_ns = program.said("done") or ended_ns
    outcome = unharmed(place, program, code)
    if relief is None and heal is not None:
        heal()  # only so that we can read what is there
    whole = relief is not None
    record = place.record(later_s=0.0 if whole else 3600.0)
    states = (RunState.COMPLETED,) if whole else (RunState.COMPLETED, RunState.LOST, RunState.KILLED)
    judged = place.judge(program, died_ns if whole else trouble_ns, record, states, ended_ns=ended_ns)
    judged.exit_code = outcome.exit_code
    judged.complaints = outcome.complaints + judged.complaints
    overslept_s = (died_ns - program.wait_for("begins")) / 1e9 - length_s
    judged.ask(overslept_s < 1.0 + hangs_s, f"the program was held up for {overslept_s:.1f} s")
    if hangs_s:
        judged.remarks.add("the program waits for a mark that hangs, as for any file of its own there")
    return judged


def deleted(place: Place, random: Random, *, whole_spool: bool) -> Outcome:
    """Somebody cleans up: the run's folder is deleted while it runs."""
    length_s = 6 * place.interval_s
    program = place.start(tracked(_WINDOWS.format(length_s=length_s), after="run.result.to_dict(); say('result')"))
    program.wait_for("begins")
    time.sleep(random.uniform(0.1, 0.8) * length_s)
    shutil.rmtree(place.spool if whole_spool else place.folders()[0])
    outcome = unharmed(place, program, program.wait())
    outcome.ask(program.said("result"), "run.result raised")
    outcome.ask(not any(row["state"] == "running" for row in place.next_reading()), "for ever running")
    return outcome


FAULTS = (
    Fault("disk full from the start", "the program runs; completed", partial(full_from_the_start, wrapped=False)),
    Fault(
        "disk full from the start, greenai run",
        "the command runs; completed",
        partial(full_from_the_start, wrapped=True),
    ),
    Fault("disk full in the middle, to the end", "kept up to there", partial(full_in_the_middle, freed=False), 10),
    Fault(
        "disk full in the middle, freed again", "complete; completed", partial(full_in_the_middle, freed=True), 10
    ),
    Fault(
        "over quota from the start",
        "the program runs; completed",
        partial(broken_from_the_start, error=errno.EDQUOT, wrapped=False),
    ),
    Fault("over quota in the middle, to the end", "kept up to there", partial(over_quota, freed=False)),
    Fault("over quota in the middle, freed again", "complete; completed", partial(over_quota, freed=True)),
    Fault(
        "read-only from the start", "the program runs; completed", partial(read_only_from_the_start, wrapped=False)
    ),
    Fault(
        "read-only from the start, greenai run",
        "the command runs; completed",
        partial(read_only_from_the_start, wrapped=True),
    ),
    Fault("read-only in the middle, disk fails", "kept up to there", read_only_in_the_middle),
    Fault(
        "network spool: stale from the start",
        "the program runs; completed",
        partial(broken_from_the_start, error=errno.ESTALE, wrapped=False),
    ),
    Fault(
        "network spool: EIO from the start, greenai run",
        "the command runs; completed",
        partial(broken_from_the_start, error=errno.EIO, wrapped=True),
    ),
    Fault(
        "network spool: stale to the end", "kept up to there", partial(away, error=errno.ESTALE, comes_back=False)
    ),
    Fault(
        "network spool: EIO for a while", "complete; completed", partial(away, error=errno.EIO, comes_back=True)
    ),
    Fault("network spool: hangs for 5 s", "complete; completed", hangs),
    Fault("run's folder deleted", "the program goes on", partial(deleted, whole_spool=False)),
    Fault("spool deleted", "the program goes on", partial(deleted, whole_spool=True)),
)
