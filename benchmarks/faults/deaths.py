"""Deaths: of the program, of its sampler, of both, by signals, by themselves, by the kernel and by the clock."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.memory import memory_group
from benchmarks.faults.programs import plain, tracked
from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    from random import Random

    from benchmarks.faults.place import Place
    from benchmarks.faults.program import Program

LATER_S = 3600.0
_SEEN = (RunState.KILLED,)
_UNSEEN = (RunState.KILLED, RunState.LOST)


def _pause(place: Place, random: Random) -> None:
    time.sleep(random.uniform(0.0, 4 * place.interval_s))


def killed(place: Place, random: Random, number: signal.Signals, *, wrapped: bool = False) -> Outcome:
    """The tracked program gets a signal at a random moment."""
    program = place.start(plain() if wrapped else tracked(), wrapped=wrapped)
    program.wait_for("begins")
    _pause(place, random)
    os.kill(program.pid, number)
    died_ns = time.monotonic_ns()
    code = program.wait()
    return _after(place, program, died_ns, code, 128 + number if wrapped else -number)


def _after(
    place: Place, program: Program, died_ns: int, code: int, expected: int, states: tuple[RunState, ...] = _SEEN
) -> Outcome:
    place.settle()
    record = place.record()
    outcome = place.judge(program, died_ns, record, states)
    outcome.exit_code = code == expected
    outcome.ask(outcome.exit_code, f"exit code {code}, expected {expected}")
    outcome.ask(record.journal.bad_lines == 0, f"{record.journal.bad_lines} bad lines")
    place.find_in_database(outcome, record)
    outcome.ask(outcome.database == "at once", "not in the database by itself")
    outcome.ask("greenai" not in program.stderr, f"stderr: {program.stderr[-200:]}")
    return outcome


def _long_after(place: Place, program: Program, died_ns: int, code: int, expected: int) -> Outcome:
    """As ``_after``, where perhaps nobody was left to see it: the next reader finds a silent run."""
    place.settle()
    record = place.record(later_s=LATER_S)
    outcome = place.judge(program, died_ns, record, _UNSEEN)
    outcome.exit_code = code == expected
    outcome.ask(outcome.exit_code, f"exit code {code}, expected {expected}")
    if record.state is RunState.LOST:
        old_s = time.time() - LATER_S
        for journal in place.spool.glob("*/*.jsonl"):
            os.utime(journal, (old_s, old_s))
    place.find_in_database(outcome, record)
    return outcome


def interrupted(place: Place, random: Random) -> Outcome:
    """Ctrl-C with Python's own handler: the program ends with a traceback, the run is failed, not killed."""
    program = place.start(tracked())
    program.wait_for("begins")
    _pause(place, random)
    os.kill(program.pid, signal.SIGINT)
    died_ns = time.monotonic_ns()
    outcome = _after(place, program, died_ns, program.wait(), -signal.SIGINT, (RunState.FAILED,))
    outcome.ask(program.stderr.rstrip().endswith("KeyboardInterrupt"), "the traceback is another")
    return outcome


def killed_while_starting(place: Place, random: Random) -> Outcome:
    """Killed while greenai is imported, the sampler started or the first line written."""
    program = place.start(tracked())
    time.sleep(random.uniform(0.0, 0.5))
    os.kill(program.pid, signal.SIGKILL)
    died_ns = time.monotonic_ns()
    program.wait()
    outcome = Outcome()
    place.settle()
    begun_ns = program.said("begins")
    rows = place.next_reading()
    if begun_ns is not None:
        outcome = place.judge(program, died_ns, place.record(), _UNSEEN)
        outcome.ask(len(rows) == 1, "not in the database")
    outcome.ask(len(rows) <= 1, f"{len(rows)} runs on record")
    return outcome


def sampler_killed(place: Place, random: Random) -> Outcome:
    """The sampler dies; the program goes on, and its own death a while later must cost no more than ever."""
    program = place.start(tracked())
    program.wait_for("begins")
    place.until(lambda: place.ticks() >= 2, say="no sampler")
    time.sleep(random.uniform(0.0, 2 * place.interval_s))
    (sampler,) = place.samplers()
    os.kill(sampler, signal.SIGKILL)
    place.until(
        lambda: place.samplers() not in ([], [sampler]), 5 * place.interval_s + 3, say="no new sampler was started"
    )
    time.sleep(random.uniform(2.0, 4.0) * place.interval_s)
    os.kill(program.pid, signal.SIGKILL)
    died_ns = time.monotonic_ns()
    return _after(place, program, died_ns, program.wait(), -signal.SIGKILL)


def sampler_killed_before_the_end(place: Place, random: Random) -> Outcome:
    """The sampler dies at a random moment, the program ends well some time later: nothing may be missing."""
    length_s = random.uniform(3.0, 8.0) * place.interval_s
    program = place.start(tracked(f"time.sleep({length_s})"))
    program.wait_for("begins")
    place.until(place.samplers, say="no sampler")
    time.sleep(random.uniform(0.0, 0.5 * length_s))
    for sampler in place.samplers():
        os.kill(sampler, signal.SIGKILL)
    code = program.wait()
    outcome = _after(place, program, program.wait_for("done"), code, 0, (RunState.COMPLETED,))
    outcome.ask((outcome.missing_s or 0.0) < 0.01, "a counter's energy is complete without any sampler")
    return outcome


def sampler_and_program_killed(place: Place, random: Random) -> Outcome:
    """Both at once: what was written remains, and the next reader takes it in."""
    program = place.start(tracked())
    program.wait_for("begins")
    _pause(place, random)
    for pid in (*place.samplers(), program.pid):
        os.kill(pid, signal.SIGKILL)
    died_ns = time.monotonic_ns()
    code = program.wait()
    return _long_after(place, program, died_ns, code, -signal.SIGKILL)


def group_killed(place: Place, random: Random, *, wrapped: bool) -> Outcome:
    """SIGKILL of the whole process group, as batch systems do it."""
    program = place.start(plain() if wrapped else tracked(), wrapped=wrapped)
    program.wait_for("begins")
    _pause(place, random)
    os.killpg(program.pid, signal.SIGKILL)
    died_ns = time.monotonic_ns()
    return _long_after(place, program, died_ns, program.wait(), -signal.SIGKILL)


def wrapper_killed(place: Place, random: Random) -> Outcome:
    """SIGKILL of ``greenai run`` alone: the command goes on unharmed, the run is kept up to there."""
    length_s = 6 * place.interval_s
    program = place.start(plain(f"time.sleep({length_s})"), wrapped=True)
    program.wait_for("begins")
    time.sleep(random.uniform(0.2, 0.8) * length_s)
    os.kill(program.pid, signal.SIGKILL)
    died_ns = time.monotonic_ns()
    code = program.wait()
    program.wait_for("done")
    return _after(place, program, died_ns, code, -signal.SIGKILL)


def by_itself(place: Place, random: Random, deed: str, expected: int) -> Outcome:
    """The program ends itself in a way that no Python code survives."""
    length_s = random.uniform(0.0, 4 * place.interval_s)
    # A core file would land in the user's folder; that is no business of this table.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); "
    program = place.start(tracked(f"{limit}time.sleep({length_s}); say('dies'); {deed}"))
    code = program.wait()
    return _after(place, program, program.wait_for("dies"), code, expected)


def out_of_memory(place: Place, random: Random, *, wrapped: bool) -> Outcome:
    """The kernel's OOM killer takes the largest process of the control group: the training."""
    length_s = random.uniform(1.0, 4.0) * place.interval_s
    eat = (
        f"time.sleep({length_s})\nblocks = []\nwhile True:\n"
        "    blocks.append(b'x' * 10_000_000)\n    say(str(len(blocks)))"
    )
    with memory_group(place, 200_000_000) as (enter, remark):
        program = place.start(plain(eat) if wrapped else tracked(eat), wrapped=wrapped, prefix=enter)
        code = program.wait()
        program.said("")
        expected = 128 + signal.SIGKILL if wrapped else -signal.SIGKILL
        outcome = _after(place, program, program.last_ns, code, expected)
    outcome.remarks |= remark
    return outcome


def time_limit(place: Place, random: Random, *, deaf: bool, wrapped: bool) -> Outcome:
    """``timeout -s TERM -k``: SIGTERM, and SIGKILL for a program that does not listen.

    The limit is reached when we say so: on a busy machine a program takes any time to begin.
    """
    before = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if deaf else ""
    limit = ("timeout", "-s", "TERM", "-k", "0.5" if deaf else "20", "3600")
    source = before + (plain() if wrapped else tracked())
    program = place.start(source, wrapped=wrapped, prefix=limit)
    program.wait_for("begins")
    time.sleep(random.uniform(2.0, 4.0) * place.interval_s)
    os.kill(program.pid, signal.SIGALRM)  # what the clock of timeout sends to it
    code = program.wait()
    died_ns = time.monotonic_ns()
    if deaf:  # timeout kills its whole group, itself and the sampler included
        return _long_after(place, program, died_ns, code, -signal.SIGKILL)
    return _after(place, program, died_ns, code, 124)


_LIBC = "import ctypes; "
FAULTS = (
    Fault("SIGKILL of the program", "killed", partial(killed, number=signal.SIGKILL), 200),
    Fault("SIGKILL while it starts", "nothing that confuses the next reader", killed_while_starting, 30),
    Fault("SIGKILL of the sampler, later of the program", "a new sampler; killed", sampler_killed, 20),
    Fault("SIGKILL of all samplers, the program ends well", "complete", sampler_killed_before_the_end, 20),
    Fault("SIGKILL of program and sampler", "killed or lost", sampler_and_program_killed, 30),
    Fault("SIGKILL of the process group", "killed or lost", partial(group_killed, wrapped=False), 30),
    Fault("SIGKILL of the group of greenai run", "killed or lost", partial(group_killed, wrapped=True), 20),
    Fault("SIGKILL of greenai run", "the command goes on; killed", wrapper_killed, 20),
    Fault("SIGTERM", "killed", partial(killed, number=signal.SIGTERM), 20),
    Fault("SIGTERM to greenai run", "143; killed", partial(killed, number=signal.SIGTERM, wrapped=True), 20),
    Fault("SIGHUP", "killed", partial(killed, number=signal.SIGHUP), 10),
    Fault("SIGINT, Python's default", "KeyboardInterrupt; failed", interrupted, 20),
    Fault("os._exit(7)", "killed", partial(by_itself, deed="os._exit(7)", expected=7), 10),
    Fault("abort()", "killed", partial(by_itself, deed="os.abort()", expected=-signal.SIGABRT), 10),
    Fault(
        "segmentation fault in C code", "killed",
        partial(by_itself, deed=f"{_LIBC}ctypes.string_at(0)", expected=-signal.SIGSEGV), 10,
    ),
    Fault("out of memory", "killed", partial(out_of_memory, wrapped=False), 10),
    Fault("out of memory under greenai run", "137; killed", partial(out_of_memory, wrapped=True), 10),
    Fault("time limit", "124; killed", partial(time_limit, deaf=False, wrapped=False), 10),
    Fault("time limit, SIGTERM ignored", "killed or lost", partial(time_limit, deaf=True, wrapped=False), 10),
    Fault("time limit of greenai run", "124; killed", partial(time_limit, deaf=False, wrapped=True), 10),
    Fault(
        "time limit of greenai run, SIGTERM ignored", "killed or lost",
        partial(time_limit, deaf=True, wrapped=True), 10,
    ),
)  # fmt: skip
