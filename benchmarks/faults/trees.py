"""More processes than one: two runs at once, forks, workers, other programs, orphans, threads."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.faults import bodies
from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.plugin.constant_power import POWER_W
from benchmarks.faults.programs import guarded, tracked
from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    from random import Random

    from benchmarks.faults.place import Place
    from benchmarks.faults.program import Program

_DONE = (RunState.COMPLETED,)


def completed(
    place: Place, program: Program, code: int = 0, states: tuple[RunState, ...] = _DONE, word: str = "done"
) -> Outcome:
    """Check a program that ends as it should, with its only run in good order.

    Args:
        place: Where.
        program: The program.
        code: Its exit code.
        states: How the run may end.
        word: What it says when its energy ends.
    """
    ended = program.wait()
    died_ns = program.said(word)
    place.settle()
    records = place.records(later_s=3600.0)
    outcome = Outcome(state=records[0].state.value if records else "no run")
    outcome.exit_code = ended == code
    outcome.ask(ended == code, f"exit code {ended}, expected {code}: {program.stderr[-300:]}")
    outcome.ask(died_ns, f"the program did not come to {word!r}")
    outcome.ask(len(records) == 1, f"{len(records)} runs: {[record.name for record in records]}")
    outcome.ask(not program.stderr or code, f"stderr: {program.stderr[-300:]}")
    if died_ns and len(records) == 1:
        judged = place.judge(program, died_ns, records[0], states)
        judged.exit_code = outcome.exit_code
        judged.complaints = outcome.complaints + judged.complaints
        judged.ask(records[0].journal.bad_lines == 0, f"{records[0].journal.bad_lines} bad lines")
        place.find_in_database(judged, records[0])
        return judged
    return outcome


def ends(place: Place, random: Random, body: str) -> Outcome:
    """A program that does something unusual ends well, with its energy and its exit code."""
    length_s = random.uniform(1.0, 3.0) * place.interval_s
    return completed(place, place.start(guarded(tracked(body.replace("LENGTH", f"{length_s:.3f}")))))


def killed_with_workers(place: Place, random: Random, body: str) -> Outcome:
    """The program is killed, and what it started lives on with everything it inherited: the death must be seen."""
    program = place.start(tracked(f"{body}\nsay('works')\ntime.sleep(120)"))
    program.wait_for("works")
    time.sleep(random.uniform(0.0, 4 * place.interval_s))
    os.kill(program.pid, signal.SIGKILL)
    died_ns = time.monotonic_ns()
    code = program.process.wait(10)
    place.until(
        lambda: place.record().state is RunState.KILLED, 3 * place.interval_s + 3, say="its death was not noticed"
    )
    place.settle()
    record = place.record()
    outcome = place.judge(program, died_ns, record, (RunState.KILLED,))
    outcome.exit_code = code == -signal.SIGKILL
    outcome.ask(len(place.processes()) > 0, "the worker did not live on: this try says nothing")
    place.find_in_database(outcome, record)
    return outcome


def two_programs(place: Place, random: Random) -> Outcome:
    """Two programs at once: two runs, each with the energy of its own life."""
    lengths_s = [random.uniform(2.0, 4.0) * place.interval_s for _ in range(2)]
    programs = [place.start(tracked(f"time.sleep({length_s})")) for length_s in lengths_s]
    codes = [program.wait() for program in programs]
    place.settle()
    records = place.records()
    outcome = Outcome(exit_code=codes == [0, 0])
    outcome.ask(len(records) == 2, f"{len(records)} runs")
    for program in programs:
        life_s = (program.wait_for("done") - program.wait_for("begins")) / 1e9
        record = min(records, key=lambda record: abs((record.energy_j or 0.0) / POWER_W - life_s))
        judged = place.judge(program, program.wait_for("done"), record, _DONE)
        outcome.complaints += judged.complaints
        outcome.missing_s = max(outcome.missing_s or 0.0, judged.missing_s or 0.0)
        outcome.state = judged.state
        place.find_in_database(outcome, record)
    return outcome


def two_threads(place: Place, random: Random) -> Outcome:
    """Two threads track at once: two runs, each with the energy of the machine while it went on."""
    length_s = random.uniform(2.0, 4.0) * place.interval_s
    source = tracked("pass").partition('say("asks")')[0] + (
        "import threading\n"
        "def work(name, seconds):\n"
        "    with greenai.track(name):\n"
        "        say('begins'); time.sleep(seconds)\n"
        f"threads = [threading.Thread(target=work, args=(f't{{n}}', {length_s} * (1 + n))) for n in range(2)]\n"
        "[thread.start() for thread in threads]\n[thread.join() for thread in threads]\nsay('done')\n"
    )
    program = place.start(source)
    code = program.wait()
    place.settle()
    energies_j = {record.name: record.energy_j for record in place.records()}
    outcome = Outcome(exit_code=code == 0, state="completed")
    outcome.ask(sorted(energies_j) == ["t0", "t1"], f"runs {sorted(energies_j)}: {program.stderr[-200:]}")
    for number in range(2):
        expected_s = length_s * (1 + number)
        missing_s = expected_s - (energies_j.get(f"t{number}") or 0.0) / POWER_W
        outcome.missing_s = max(outcome.missing_s or 0.0, missing_s)
        outcome.ask(-1 < missing_s < place.interval_s + 0.1, f"t{number}: {missing_s:.2f} s missing")
    return outcome


def exec_of_another(place: Place, random: Random) -> Outcome:
    """The tracked process becomes another program, which goes on unharmed; the run ends there."""
    length_s = random.uniform(1.0, 3.0) * place.interval_s
    other = "import os, sys, time; time.sleep(1.5); os.write(1, b'other %d\\n' % time.monotonic_ns()); sys.exit(3)"
    body = f"time.sleep({length_s}); say('dies'); os.execv(sys.executable, [sys.executable, '-c', {other!r}])"
    program = place.start(tracked(body))
    outcome = completed(place, program, 3, (RunState.KILLED,), "dies")
    outcome.ask(program.said("other"), "the other program was harmed")
    return outcome


def fifty_starts(place: Place, random: Random) -> Outcome:
    """Fifty runs one after the other in one process: all there, nothing left open, no zombies."""
    body = """
before = len(os.listdir("/proc/self/fd"))
for n in range(50):
    with greenai.track("again"):
        pass
say("begins")
time.sleep(8)
say("done")
after = len(os.listdir("/proc/self/fd"))
zombies = [p for p in os.listdir("/proc") if p.isdigit() and _zombie(p)]
os.write(2, f"{before} {after} {len(zombies)}".encode())
"""
    zombie = """
def _zombie(pid):
    try:
        fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] == "Z" and int(fields[1]) == os.getpid()
"""
    program = place.start(tracked("pass").partition('say("asks")')[0] + zombie + body)
    code = program.wait(90)
    place.settle(120)
    before, after, zombies = map(int, program.stderr.split())
    outcome = Outcome(exit_code=code == 0)
    records = place.records()
    outcome.state = ", ".join(sorted({record.state.value for record in records}))
    outcome.ask(code == 0, f"exit code {code}")
    outcome.ask(len(records) == 50, f"{len(records)} runs")
    outcome.ask(outcome.state == "completed", f"states {outcome.state}")
    outcome.ask(after <= before + 1, f"{after - before} files left open")
    outcome.ask(zombies == 0, f"{zombies} zombies")
    found = {record.id for record in place.in_database()}
    outcome.database = "at once" if len(found) == 50 else "next"
    place.next_reading()
    outcome.ask(len(place.in_database()) == 50, f"{len(place.in_database())} in the database")
    del random
    return outcome


def marks_and_forks(place: Place, random: Random) -> Outcome:
    """Forks while threads write marks: no child gets stuck on a lock, no line is torn."""
    program = place.start(tracked(bodies.MARKS_AND_FORKS))
    outcome = completed(place, program)
    outcome.ask(not program.said("stuck"), "a forked child got stuck")
    outcome.ask(place.record().work.units == 40, f"{place.record().work.units} of 40 units")
    del random
    return outcome


def left_open(place: Place, random: Random, ending: str, code: int, states: tuple[RunState, ...]) -> Outcome:
    """The interpreter ends while the run is still open."""
    length_s = random.uniform(1.0, 3.0) * place.interval_s
    source = tracked("pass").partition('say("asks")')[0] + (
        "say('asks')\nt = greenai.track('fault')\nrun = t.__enter__()\nsay('begins')\n"
        f"time.sleep({length_s})\nsay('done')\n{ending}\n"
    )
    return completed(place, place.start(source), code, states)


_OPEN = (RunState.COMPLETED, RunState.KILLED)
FAULTS = (
    Fault("two programs at once", "each its own", two_programs),
    Fault("two threads track at once", "each its own", two_threads),
    Fault("fork", "completed", partial(ends, body=bodies.FORK)),
    Fault("fork while threads write marks", "no child stuck, no line torn", marks_and_forks),
    *(
        Fault(f"multiprocessing, {method}", "completed", partial(ends, body=bodies.POOL.format(method=method)))
        for method in ("fork", "spawn", "forkserver")
    ),
    Fault("threads with windows", "completed", partial(ends, body=bodies.THREADS)),
    Fault(
        "a daemon that outlives the program", "completed", partial(ends, body=bodies.DAEMON + "time.sleep(LENGTH)")
    ),
    Fault(
        "SIGKILL, forked workers live on",
        "killed, at once",
        partial(killed_with_workers, body=bodies.WORKERS.format(method="fork")),
        20,
    ),
    Fault(
        "SIGKILL, a forked daemon lives on",
        "killed, at once",
        partial(killed_with_workers, body=bodies.DAEMON),
        10,
    ),
    Fault(
        "SIGKILL, a program with close_fds=False lives on",
        "killed, at once",
        partial(killed_with_workers, body=bodies.INHERITS),
        10,
    ),
    Fault("os.execv", "the other program goes on; killed", exec_of_another),
    Fault("50 starts in a row", "50 runs, no zombies", fifty_starts, 2),
    Fault("script ends with the run open", "exit code 0", partial(left_open, ending="", code=0, states=_OPEN)),
    Fault(
        "exception with the run open",
        "exit code 1",
        partial(left_open, ending="raise ValueError('mine')", code=1, states=(*_OPEN, RunState.FAILED)),
    ),
    Fault(
        "sys.exit(4) with the run open",
        "exit code 4",
        partial(left_open, ending="sys.exit(4)", code=4, states=(*_OPEN, RunState.FAILED)),
    ),
    Fault("sys.exit in a thread", "completed", partial(ends, body=bodies.THREAD_EXIT)),
    Fault("a busy daemon thread at the end", "completed", partial(ends, body=bodies.BUSY)),
)
