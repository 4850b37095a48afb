"""Time: the clock is set, the machine sleeps."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.mounts import built
from benchmarks.faults.plugin.constant_power import POWER_W
from benchmarks.faults.programs import plain, tracked
from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from benchmarks.faults.place import Place

_FREEZER = Path("/sys/fs/cgroup/freezer")
_NO_FREEZER = "no freezer control group here: SIGSTOP and SIGCONT of all processes of the run instead"
_ASLEEP_S = 3.0


def stepped(place: Place, random: Random, *, seconds: int, killed: bool) -> Outcome:
    """The wall clock is set back or forth in the middle of the run."""
    library = built("clock", "-shared", "-fPIC")
    offset = place.root / "offset"
    offset.write_text("0")
    length_s = 6 * place.interval_s
    began_s = time.time()
    program = place.start(
        tracked(f"time.sleep({3 * length_s if killed else length_s})"),
        environ={"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)},
    )
    program.wait_for("begins")
    time.sleep(random.uniform(0.2, 0.7) * length_s)
    offset.write_text(str(seconds))
    if killed:
        time.sleep(random.uniform(0.0, 2.0) * place.interval_s)
        os.kill(program.pid, signal.SIGKILL)
    died_ns = time.monotonic_ns()
    code = program.wait()
    died_ns = died_ns if killed else program.wait_for("done")
    place.settle()
    record = place.record()
    states = (RunState.KILLED,) if killed else (RunState.COMPLETED,)
    outcome = place.judge(program, died_ns, record, states)
    outcome.exit_code = code == (-signal.SIGKILL if killed else 0)
    outcome.ask(outcome.exit_code, f"exit code {code}: {program.stderr[-200:]}")
    outcome.ask(record.duration_s < 2 * length_s + 5, f"it is said to have taken {record.duration_s:.0f} s")
    outcome.ask(abs(record.started_ms / 1e3 - began_s) < 5, "it is said to have started at another time")
    place.find_in_database(outcome, record)
    return outcome


def asleep(place: Place, random: Random, *, wrapped: bool, killed: bool = False) -> Outcome:
    """All processes of the run are stopped for 3 s and go on: nothing was lost, nobody died."""
    length_s = 5 * place.interval_s + _ASLEEP_S
    source = plain(f"time.sleep({length_s})") if wrapped else tracked(f"time.sleep({length_s})")
    program = place.start(source, wrapped=wrapped)
    program.wait_for("begins")
    time.sleep(random.uniform(1.0, 3.0) * place.interval_s)
    with _frozen(place) as freezes:
        time.sleep(_ASLEEP_S)
        if killed:
            os.kill(program.pid, signal.SIGKILL)
        died_ns = time.monotonic_ns()
    code = program.wait()
    if not killed:
        died_ns = program.wait_for("done")
    place.settle()
    record = place.record()
    outcome = place.judge(program, died_ns, record, (RunState.KILLED,) if killed else (RunState.COMPLETED,))
    outcome.exit_code = code == (-signal.SIGKILL if killed else 0)
    outcome.ask(outcome.exit_code, f"exit code {code}")
    incidents = [incident.code for incident in record.incidents]
    outcome.ask(not any("sampler" in code for code in incidents), f"incidents {incidents}")
    if not freezes:
        outcome.remarks.add(_NO_FREEZER)
    place.find_in_database(outcome, record)
    return outcome


@contextmanager
def _frozen(place: Place) -> Iterator[bool]:
    """Stop all processes of a place for a while; gives whether the kernel's freezer did it."""
    everyone = place.processes()
    group = _FREEZER / f"greenai-{place.root.name}"
    try:
        group.mkdir()
    except OSError:
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        yield False
        for pid in everyone:
            os.kill(pid, signal.SIGCONT)
        return
    for pid in everyone:
        (group / "cgroup.procs").write_text(str(pid))
    (group / "freezer.state").write_text("FROZEN")
    yield True
    (group / "freezer.state").write_text("THAWED")
    for pid in place.processes():
        with contextlib.suppress(OSError):  # it has just ended
            (_FREEZER / "cgroup.procs").write_text(str(pid))
    place.until(lambda: _removed(group))


def _removed(group: Path) -> bool:
    with contextlib.suppress(OSError):
        group.rmdir()
    return not group.exists()


def sampler_hangs(place: Place, random: Random) -> Outcome:
    """The sampler is stopped and never goes on (a driver that hangs): the program's own readings are complete."""
    length_s = 6 * place.interval_s
    program = place.start(tracked(f"time.sleep({length_s})"))
    program.wait_for("begins")
    place.until(lambda: place.ticks() >= 1, say="no sampler")
    time.sleep(random.uniform(0.0, 0.4) * length_s)
    stopped = place.samplers()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    code = program.wait()
    life_s = (time.monotonic_ns() - program.wait_for("done")) / 1e9
    record = place.record()
    outcome = place.judge(program, program.wait_for("done"), record, (RunState.COMPLETED,))
    outcome.exit_code = code == 0
    outcome.ask(code == 0, f"exit code {code}")
    outcome.ask(life_s < 1.0, f"the end took {life_s:.1f} s")
    outcome.ask((record.energy_j or 0) > 0.9 * length_s * POWER_W, "energy is missing")
    for pid in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    place.settle()
    place.find_in_database(outcome, record)
    return outcome


def sampler_hangs_then_killed(place: Place, random: Random) -> Outcome:
    """The sampler is stopped and never goes on; 15 s without a sign of life, and another takes its place."""
    program = place.start(tracked())
    program.wait_for("begins")
    place.until(lambda: place.ticks() >= 1, say="no sampler")
    for pid in place.samplers():
        os.kill(pid, signal.SIGSTOP)
    time.sleep(random.uniform(18.0, 22.0))
    os.kill(program.pid, signal.SIGKILL)
    died_ns = time.monotonic_ns()
    code = program.wait()
    time.sleep(place.interval_s + 0.5)
    outcome = place.judge(program, died_ns, place.record(later_s=3600.0), (RunState.KILLED, RunState.LOST))
    outcome.exit_code = code == -signal.SIGKILL
    return outcome


FAULTS = (
    Fault("clock set forth by an hour", "completed", partial(stepped, seconds=3600, killed=False)),
    Fault("clock set back by an hour", "completed", partial(stepped, seconds=-3600, killed=False)),
    Fault("clock set back by an hour, then SIGKILL", "killed", partial(stepped, seconds=-3600, killed=True)),
    Fault("all processes frozen for 3 s", "completed", partial(asleep, wrapped=False)),
    Fault("all processes of greenai run frozen for 3 s", "completed", partial(asleep, wrapped=True)),
    Fault("frozen, SIGKILL while frozen", "killed", partial(asleep, wrapped=False, killed=True)),
    Fault("sampler stopped for good", "complete; completed", sampler_hangs),
    Fault("sampler stopped for good, SIGKILL 18 s later", "killed or lost", sampler_hangs_then_killed),
)
