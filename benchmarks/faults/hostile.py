"""User code that does what it likes: it waits for all children, closes all files, moves, limits itself."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.faults.disks import unharmed
from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.programs import plain, tracked
from benchmarks.faults.trees import completed
from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    from random import Random

    from benchmarks.faults.place import Place

# A user without privileges who can read where this interpreter is installed, be it in root's home.
_ORDINARY = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")

# Inside the run and after it there is no child but one's own.
_WAITS = """
def nobody_else():
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return
    say(f"foreign-{pid}")
def mine():
    pid = os.fork()
    if pid == 0:
        time.sleep(0.05)
        os._exit(5)
    if os.wait() != (pid, 5 << 8):
        say("foreign-wait")
"""
_WAITS_INSIDE = "nobody_else(); mine(); time.sleep(LENGTH); nobody_else(); mine()"
_WAITS_AFTER = "nobody_else(); mine(); time.sleep(1.5); nobody_else(); mine()"
_HANDLER = """
heard = []
signal.signal(signal.SIGCHLD, lambda number, frame: heard.append(number))
def count(word):
    if heard: say(f"{word}-{len(heard)}")
"""
_CLOSES = """
os.closerange(3, 1000)
theirs = open("theirs", "w+")
others = [open(f"other{n}", "w+") for n in range(8)]
theirs.write("mine\\n"); theirs.flush()
time.sleep(LENGTH)
with run.window("after"):
    theirs.write("mine too\\n"); theirs.flush()
    time.sleep(LENGTH)
"""
_CLOSED_AFTER = """
time.sleep(1.0)
theirs.write("still mine\\n"); theirs.flush()
assert open("theirs").read() == "mine\\nmine too\\nstill mine\\n", open("theirs").read()
assert all(open(f"other{n}").read() == "" for n in range(8)), "we wrote into the user's files"
[os.fstat(file.fileno()) for file in others]
"""


def waits(place: Place, random: Random) -> Outcome:
    """``os.wait`` and ``os.waitpid(-1)`` in the run and after it never meet a process of ours."""
    return _ends(place, random, _WAITS_INSIDE, before=_WAITS, after=_WAITS_AFTER)


def child_signals(place: Place, random: Random) -> Outcome:
    """A handler of SIGCHLD hears of the program's own children only."""
    return _ends(
        place, random, "time.sleep(LENGTH); count('foreign-inside')", before=_HANDLER,
        after="time.sleep(2.5); count('foreign-after')",
    )  # fmt: skip


def _ends(place: Place, random: Random, body: str, **parts: str) -> Outcome:
    length_s = random.uniform(1.0, 2.0) * place.interval_s
    program = place.start(tracked(body.replace("LENGTH", f"{length_s:.3f}"), **parts))
    outcome = completed(place, program)
    program.said("")
    foreign = [word for word in program.words if word.startswith("foreign")]
    outcome.ask(not foreign, f"met a process of ours: {foreign}")
    return outcome


def closes_files(place: Place, random: Random) -> Outcome:
    """``os.closerange``: our files are closed as well, and their numbers become those of the user's own files."""
    length_s = random.uniform(1.0, 2.0) * place.interval_s
    program = place.start(tracked(_CLOSES.replace("LENGTH", f"{length_s:.3f}"), after=_CLOSED_AFTER))
    code = program.wait()
    ended_ns = time.monotonic_ns()
    place.settle()
    record = place.record(later_s=3600.0)
    states = (RunState.COMPLETED, RunState.KILLED)  # as a stop that can or cannot be written any more
    outcome = place.judge(program, program.wait_for("done"), record, states, ended_ns=ended_ns)
    outcome.exit_code = code == 0
    outcome.ask(code == 0, f"exit code {code}: {program.stderr[-200:]}")
    return outcome


def odd(place: Place, random: Random, body: str, *, before: str = "", after: str = "") -> Outcome:
    """Something unusual; the run is complete all the same."""
    return _ends(place, random, body, before=before, after=after)


def relative_spool(place: Place, random: Random) -> Outcome:
    """The spool is given as a relative path, and the program goes elsewhere."""
    place.spool = place.work / "journals"
    body = "os.mkdir('elsewhere'); os.chdir('elsewhere'); time.sleep(LENGTH)\nwith run.window('w'): pass"
    length_s = random.uniform(1.0, 2.0) * place.interval_s
    program = place.start(
        tracked(body.replace("LENGTH", f"{length_s:.3f}"), after="run.result.to_dict()"),
        environ={"GREENAI_SPOOL": "journals"},
    )
    return completed(place, program)


def limited(place: Place, random: Random, limit: str, prefix: tuple[str, ...] = _ORDINARY) -> Outcome:
    """An ordinary user at the end of a resource limit: whatever cannot be started, the program can."""
    length_s = random.uniform(1.0, 3.0) * place.interval_s
    before = f"import resource\n{limit}\n"
    program = place.start(tracked(f"time.sleep({length_s})", before=before), prefix=prefix)
    return completed(place, program)


def nothing_goes(place: Place, random: Random, limit: str) -> Outcome:
    """A limit that leaves no room for a journal: the program must not notice, and there may be no record."""
    length_s = random.uniform(1.0, 3.0) * place.interval_s
    source = tracked(f"time.sleep({length_s})", before=f"import resource, greenai.tracking.track\n{limit}\n")
    program = place.start(source, prefix=_ORDINARY)
    return unharmed(place, program, program.wait())


def umask(place: Place, random: Random, *, wrapped: bool) -> Outcome:
    """An ordinary user with umask 0777: what is created has no permissions at all, ours must."""
    length_s = random.uniform(1.0, 3.0) * place.interval_s
    if wrapped:
        program = place.start(
            plain(f"time.sleep({length_s})"),
            wrapped=True,
            prefix=(*_ORDINARY, "sh", "-c", 'umask 0777; exec "$@"', "sh"),
        )
    else:
        program = place.start(tracked(f"time.sleep({length_s})", before="os.umask(0o777)"), prefix=_ORDINARY)
    return completed(place, program)


_PROCESSES = """resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))"""
_FILES = """resource.setrlimit(resource.RLIMIT_NOFILE, ({count}, {count}))"""
_SIZE = """resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"""
# The limit counts processes of the real user id; root has none.
# What the interpreter has now, and a little more.
_MEMORY = """
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + {more}, pages * 4096 + {more}))
"""
_MOVES = """
import tempfile
folder = tempfile.mkdtemp(); os.chdir(folder); os.rmdir(folder)
time.sleep(LENGTH)
with run.window("nowhere"): pass
"""
_ENVIRON = "os.environ.clear(); time.sleep(LENGTH)\nwith run.window('w'): pass"
FAULTS = (
    Fault("os.wait() and waitpid(-1), inside and after", "never a process of ours", waits),
    Fault("a handler of SIGCHLD", "never a signal of ours", child_signals),
    Fault("os.closerange(3, 1000)", "the user's files untouched", closes_files),
    Fault("working directory deleted", "completed", partial(odd, body=_MOVES, after="run.result.to_dict()")),
    Fault("relative spool, os.chdir", "completed", relative_spool),
    Fault("environment emptied", "completed", partial(odd, body=_ENVIRON)),
    Fault("umask 0777", "completed", partial(umask, wrapped=False)),
    Fault("umask 0777, greenai run", "completed", partial(umask, wrapped=True)),
    Fault(
        "no more processes (RLIMIT_NPROC)",
        "completed",
        partial(limited, limit=_PROCESSES, prefix=(*_ORDINARY, "--ruid", "65534")),
    ),
    Fault("few files (RLIMIT_NOFILE 12)", "completed", partial(limited, limit=_FILES.format(count=12))),
    Fault("no files (RLIMIT_NOFILE 3)", "the program runs", partial(nothing_goes, limit=_FILES.format(count=3))),
    Fault(
        "no file may grow (RLIMIT_FSIZE 0)", "the program runs", partial(nothing_goes, limit=_SIZE.format(size=0))
    ),
    Fault(
        "files may grow to 2 KB (RLIMIT_FSIZE)",
        "the program runs",
        partial(nothing_goes, limit=_SIZE.format(size=2000)),
    ),
    Fault(
        "little memory (RLIMIT_AS + 30 MB)", "completed", partial(limited, limit=_MEMORY.format(more=30_000_000))
    ),
    Fault(
        "hardly any memory (RLIMIT_AS + 3 MB)",
        "the program runs",
        partial(nothing_goes, limit=_MEMORY.format(more=3_000_000)),
    ),
)
