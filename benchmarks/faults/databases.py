"""The database: away at the end, for hours, or locked. The journals wait for it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.programs import plain, tracked
from greenai.core.vocabulary import RunState
from greenai.settings.checks import sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from benchmarks.faults.place import Place
    from benchmarks.faults.program import Program

HOURS_S = 3 * 3600
_CONTAINER = ("unshare", "--pid", "--fork", "--mount-proc")
_SHELL = ("sh", "-c", '"$@"; exit $?', "sh")
_NO_SERVER = "no PostgreSQL server is installed here: the address of one that does not answer was used throughout"


def _program(place: Place, random: Random) -> Program:
    return place.start(tracked(f"time.sleep({random.uniform(2.0, 4.0) * place.interval_s})"))


def _ended(place: Place, program: Program) -> Outcome:
    code = program.wait()
    place.settle()
    outcome = place.judge(program, program.wait_for("done"), place.record(), (RunState.COMPLETED,))
    outcome.exit_code = code == 0
    outcome.ask(code == 0, f"exit code {code}: {program.stderr[-200:]}")
    return outcome


def _much_later(place: Place, outcome: Outcome) -> Outcome:
    for file in place.spool.glob("*/*"):
        os.utime(file, (time.time() - HOURS_S,) * 2)
    rows = place.next_reading()
    record = place.record()
    outcome.database = "next"
    outcome.ask([row["id"] for row in rows] == [record.id], "greenai runs does not have it")
    outcome.ask(rows and abs(rows[0]["total_j"] - (record.energy_j or 0.0)) < 0.01, "another energy")
    outcome.ask(rows and rows[0]["state"] == record.state.value, "another state")
    return outcome


def _database_folder(place: Place) -> str:
    path = sqlite_file(place.database)
    assert path is not None
    path.parent.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(path.parent)], check=True)
    return str(path.parent)


def folder_read_only(place: Place, random: Random) -> Outcome:
    """The database's file system becomes read-only before the run is over, and writable hours later."""
    folder = _database_folder(place)
    program = _program(place, random)
    program.wait_for("begins")
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    outcome = _ended(place, program)
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
    return _much_later(place, outcome)


def read_only_from_the_start(place: Place, random: Random, *, wrapped: bool) -> Outcome:
    """The database's file system is mounted read-only already: no user's mistake, so the program runs."""
    folder = _database_folder(place)
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    length_s = random.uniform(2.0, 4.0) * place.interval_s
    source = plain(f"time.sleep({length_s})") if wrapped else tracked(f"time.sleep({length_s})")
    outcome = _ended(place, place.start(source, wrapped=wrapped))
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
    return _much_later(place, outcome)


def locked(place: Place, random: Random, *, hours: bool) -> Outcome:
    """Somebody else writes into the database while the run ends, for some seconds or much longer."""
    path = sqlite_file(place.database)
    assert path is not None
    place.next_reading()  # makes the tables
    program = _program(place, random)
    program.wait_for("begins")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        outcome_at_s = time.monotonic() + 4.0
        if hours:
            outcome = _ended(place, program)
        else:
            program.wait()
            time.sleep(max(outcome_at_s - time.monotonic(), 0.0))
        other.execute("ROLLBACK")
    if hours:
        return _much_later(place, outcome)
    outcome = _ended(place, program)
    place.find_in_database(outcome, place.record())
    return outcome


@contextmanager
def _postgres(place: Place) -> Iterator[_Server | None]:
    found = shutil.which("postgres") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/postgres")), None)
    if found is None:
        yield None
        return
    server = _Server(place, Path(found).resolve().parent)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class _Server:
    """A PostgreSQL server on a Unix socket."""

    def __init__(self, place: Place, programs: Path) -> None:
        self._folder = place.root / "pg"
        self._folder.mkdir()
        shutil.chown(self._folder, "postgres")
        self._data = self._folder / "data"
        self._user = ["runuser", "-u", "postgres", "--"]
        initdb = [str(programs / "initdb"), "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        subprocess.run([*self._user, *initdb, "--no-locale", "-N"], check=True, capture_output=True, cwd="/")
        self._ctl = [str(programs / "pg_ctl"), "-D", str(self._data), "-w", "-t", "30"]
        self.url = f"postgresql://postgres@/postgres?host={self._folder}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-k {self._folder} -c listen_addresses= -F"
        quiet = subprocess.DEVNULL
        command = [*self._user, *self._ctl, "-l", str(self._folder / "log"), "-o", options, "start"]
        subprocess.run(command, check=True, stdout=quiet, stderr=quiet, cwd="/")

    def stop(self) -> None:
        """Stop it, whoever is connected."""
        quiet = subprocess.DEVNULL
        subprocess.run(
            [*self._user, *self._ctl, "-m", "fast", "stop"], check=False, stdout=quiet, stderr=quiet, cwd="/"
        )


def server_stopped(place: Place, random: Random, *, from_the_start: bool) -> Outcome:
    """PostgreSQL is stopped before the run is over (or before it starts), and back hours later."""
    with _postgres(place) as server:
        if server is None:
            place.database = f"postgresql://nobody@/nothing?host={place.root}"
            outcome = _ended(place, _program(place, random))
            outcome.remarks.add(_NO_SERVER)
            return outcome
        place.database = server.url
        if from_the_start:
            server.stop()
            outcome = _ended(place, _program(place, random))
        else:
            place.next_reading()
            program = _program(place, random)
            program.wait_for("begins")
            server.stop()
            outcome = _ended(place, program)
        server.start()
        return _much_later(place, outcome)


def container_ends(place: Place, random: Random, *, first: Sequence[str]) -> Outcome:
    """All processes of a container die when its first one does: the run is in PostgreSQL by then."""
    with _postgres(place) as server:
        if server is None:
            return Outcome(remarks={"no PostgreSQL server is installed here: not tried"})
        place.database = server.url
        length_s = random.uniform(2.0, 4.0) * place.interval_s
        outcome = _ended(place, place.start(tracked(f"time.sleep({length_s})"), prefix=(*_CONTAINER, *first)))
        place.find_in_database(outcome, place.record())
        outcome.ask(outcome.database == "at once", "not in the database when the container ended")
        return outcome


def intake_killed(place: Place, random: Random) -> Outcome:
    """The intake is killed in the middle of its work: the next one does all of it."""
    program = _program(place, random)
    program.wait_for("done")
    intake: list[int] = []

    def found() -> bool:
        intake[:] = place.processes("greenai.ingest")
        return bool(intake)

    place.until(found, say="no intake")
    time.sleep(random.uniform(0.0, 0.5))
    for pid in place.processes("greenai.ingest"):
        os.kill(pid, 9)
    outcome = _ended(place, program)
    return _much_later(place, outcome)


def taken_in_twice(place: Place, random: Random) -> Outcome:
    """Several readers take in the same runs at the same moment: each run is there once, with its energy."""
    place.ingest = "later"
    outcome = _ended(place, _program(place, random))
    command = [sys.executable, "-m", "greenai", "runs", "--json"]
    readers = [
        subprocess.Popen(command, env=place.environ, cwd=place.work, stdout=-3, stderr=-3) for _ in range(3)
    ]
    codes = [reader.wait(60) for reader in readers]
    outcome.ask(codes == [0, 0, 0], f"exit codes {codes}")
    return _much_later(place, outcome)


FAULTS = (
    Fault("database read-only at the end, for hours", "completed, with the next reading", folder_read_only),
    Fault(
        "database read-only from the start",
        "the program runs; next",
        partial(read_only_from_the_start, wrapped=False),
    ),
    Fault(
        "database read-only from the start, greenai run",
        "the command runs; next",
        partial(read_only_from_the_start, wrapped=True),
    ),
    Fault("database locked for 4 s", "at once", partial(locked, hours=False)),
    Fault("database locked for hours", "next", partial(locked, hours=True)),
    Fault("PostgreSQL stopped at the end, for hours", "next", partial(server_stopped, from_the_start=False)),
    Fault(
        "PostgreSQL away from the start", "the program runs; next", partial(server_stopped, from_the_start=True)
    ),
    Fault("container ends, the program its PID 1", "at once", partial(container_ends, first=())),
    Fault("container ends, a shell its PID 1", "at once", partial(container_ends, first=_SHELL)),
    Fault("SIGKILL of the intake", "next", intake_killed, 10),
    Fault("three readers at the same moment", "once", taken_in_twice),
)
