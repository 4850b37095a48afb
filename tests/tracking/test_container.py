"""Containers, in a PID namespace as they have: with the first process all others die at once, and orphans are its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from greenai.core.collector import SAMPLER_IN_THREAD
from greenai.core.views import RunQuery
from greenai.core.vocabulary import RunState
from greenai.store import open_store
from greenai.tracking.session import container

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from greenai.core.record import RunRecord

    Records = Callable[..., list[RunRecord]]
    InContainer = Callable[..., "Ended"]

INSTALL = "PostgreSQL's server is not installed: apt-get install -y --no-install-recommends postgresql"
UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc"]
if os.getuid() != 0:
    UNSHARE.insert(1, "-Ur")
RUN = [sys.executable, "-P", "-m", "greenai", "run"]
# Nobody waits for a database longer; a test does not want to wait so long.
SHORT_S = 1.5
HURRY = f"from greenai.tracking.session import container; container.PATIENCE_S = {SHORT_S}\n"
TRACKED = """
import os, sys, time, greenai
with greenai.track("train"):
    time.sleep(0.3)
sys.exit(5)
"""


class Ended:
    """A container that has ended.

    Attributes:
        code: The exit code of its first process.
        out: What it wrote to stdout.
        err: What it wrote to stderr.
        last_s: How long it went on after its last line on stdout, the time as ``time.monotonic`` gives it.
    """

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        ended_s = time.monotonic()
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        last = self.out.split()[-1] if self.out.split() else ""
        self.last_s = ended_s - float(last) if last.replace(".", "").isdecimal() else None


@pytest.fixture
def in_container(tmp_path: Path) -> InContainer:
    """Run a program in a container; ``first`` is its first process, which gets the program as its arguments."""

    def run(source: str, *first: str, **environ: str) -> Ended:
        script = tmp_path / "program.py"
        script.write_text(source, encoding="utf-8")
        environ = {"GREENAI_INGEST": "background", "GREENAI_INTERVAL_S": "0.2", "LC_ALL": "C", **environ}
        command = [*UNSHARE, *first, sys.executable, str(script)]
        return Ended(
            subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **environ}
            )
        )

    return run


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL server on a Unix socket; gives its URL up to the name of the database."""
    found = shutil.which("initdb") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), None)
    if found is None:
        pytest.fail(INSTALL)
    programs = Path(found).resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="greenai-pg-", dir="/tmp"))
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "postgres")
    data = f"{folder}/data"

    def call(program: str, *options: str) -> None:
        words = [*user, str(programs / program), "-D", data, *options]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    call("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
    call("pg_ctl", "-w", "-l", f"{folder}/log", "-o", f"-k {folder} -c listen_addresses= -F", "start")
    try:
        yield f"postgresql://postgres@/{{name}}?host={folder}"
    finally:
        call("pg_ctl", "-w", "-m", "fast", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def database(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """An empty database on the server, which the environment names."""
    name = f"t{abs(hash(request.node.name))}"
    folder = server.rpartition("=")[2]
    subprocess.run(["createdb", "-h", folder, "-U", "postgres", name], check=True)
    url = server.format(name=name)
    monkeypatch.setenv("GREENAI_DB", url)
    return url


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a database server that takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"postgresql://127.0.0.1:{listening.getsockname()[1]}/greenai"


def stored(url: str) -> list[RunRecord]:
    """Return the runs in the database, without taking anything in."""
    with closing(open_store(url)) as store:
        return store.records(RunQuery())


WAITS = """
import os, time, greenai
assert os.getpid() == 1
with greenai.track("train"):
    own = {os.posix_spawnp("sleep", ["sleep", str(s)], os.environ) for s in (0.1, 0.2, 0.6)}
    met = set()
    try:
        while True:
            met.add(os.wait()[0])
    except ChildProcessError:
        pass
    assert met == own, (met, own)
"""


@pytest.mark.slow
def test_a_first_process_that_waits_for_its_children_meets_none_of_ours(
    in_container: InContainer, records: Records
) -> None:
    ended = in_container(WAITS)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    (record,) = records()
    assert record.state is RunState.COMPLETED
    assert record.energy.total_j is not None
    assert record.energy.total_j > 0
    assert [i.code for i in record.incidents].count(SAMPLER_IN_THREAD) == 1
    (why,) = (i.message for i in record.incidents if i.code == SAMPLER_IN_THREAD)
    assert "PID 1" in why.de
    assert "PID 1" in why.en


SEVERAL = """
import os, time, greenai
for n in range(3):
    with greenai.track(f"run {n}"):
        time.sleep(0.3)
time.sleep(0.5)
print([entry for entry in os.listdir("/proc") if entry.isdigit()])
"""


@pytest.mark.slow
def test_several_runs_leave_no_processes_and_are_in_the_database(in_container: InContainer, database: str) -> None:
    ended = in_container(SEVERAL)
    assert (ended.code, ended.out, ended.err) == (0, "['1']\n", "")
    found = {record.name: record for record in stored(database)}
    assert sorted(found) == ["run 0", "run 1", "run 2"]
    assert {record.state for record in found.values()} == {RunState.COMPLETED}
    assert all(record.duration_s > 0.25 for record in found.values())


FIRST = {
    "python": [],
    "sh": ["sh", "-c", '"$@"; exit $?', "sh"],
    "greenai run": [*RUN, "--quiet", "--name", "train", "--"],
    "sh, greenai run": ["sh", "-c", '"$@"; exit $?', "sh", *RUN, "--quiet", "--name", "train", "--"],
}


@pytest.mark.slow
@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize(
    "source", [TRACKED, TRACKED.replace("sys.exit(5)", "raise KeyError")], ids=["exit", "error"]
)
def test_the_run_is_in_the_database_when_the_first_process_ends(
    first: str, source: str, in_container: InContainer, database: str, records: Records
) -> None:
    ended = in_container(source, *FIRST[first])
    assert ended.code == (5 if "sys.exit" in source else 1), ended.err
    (record,) = stored(database)
    (written,) = records()
    assert (record.name, record.state) == ("train", written.state)
    assert record.energy.total_j == pytest.approx(written.energy.total_j)


LEFT_OPEN = """
import time, greenai
greenai.track("train").__enter__()
time.sleep(0.3)
"""
WORKER = """
import multiprocessing, time, greenai
def work():
    with greenai.track("train"):
        time.sleep(0.3)
if __name__ == "__main__":
    worker = multiprocessing.get_context("{method}").Process(target=work)
    worker.start()
    worker.join()
    assert worker.exitcode == 0
"""


@pytest.mark.slow
@pytest.mark.parametrize("first", ["python", "sh"])
@pytest.mark.parametrize(
    "source",
    [LEFT_OPEN, WORKER.replace("{method}", "fork"), WORKER.replace("{method}", "spawn")],
    ids=["left open", "forked worker", "spawned worker"],
)
def test_a_run_that_ends_with_its_process(
    first: str, source: str, in_container: InContainer, database: str
) -> None:
    ended = in_container(source, *FIRST[first])
    assert ended.code == 0, ended.err
    assert [(record.name, record.state) for record in stored(database)] == [("train", RunState.COMPLETED)]


LAST_WORD = """
import sys, time
import greenai
with greenai.track("train"):
    time.sleep(0.3)
print("greenai.tracking.session.container" in sys.modules, time.monotonic(), flush=True)
"""


@pytest.mark.slow
def test_nobody_waits_for_sqlite(in_container: InContainer, records: Records) -> None:
    ended = in_container(LAST_WORD, *FIRST["sh"])
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("False ")
    assert ended.last_s is not None
    assert ended.last_s < 0.5
    assert records()[0].state is RunState.COMPLETED


@pytest.mark.slow
def test_nobody_waits_where_later_readers_take_the_runs_in(in_container: InContainer, silent: str) -> None:
    ended = in_container(LAST_WORD, *FIRST["sh"], GREENAI_DB=silent, GREENAI_INGEST="later")
    assert (ended.code, ended.err) == (0, "")
    assert ended.last_s is not None
    assert ended.last_s < 0.5


def test_nobody_waits_longer_than_docker_does() -> None:
    assert container.PATIENCE_S == 10.0


@pytest.mark.slow
@pytest.mark.parametrize("first", ["python", "sh"])
def test_a_database_that_is_away_costs_no_more_than_the_limit(
    first: str, in_container: InContainer, silent: str, records: Records
) -> None:
    tell = HURRY + "import logging; logging.basicConfig(format='%(name)s: %(message)s')\n"
    last = "print(time.monotonic(), flush=True)\nsys.exit(5)"
    ended = in_container(tell + TRACKED.replace("sys.exit(5)", last), *FIRST[first], GREENAI_DB=silent)
    assert ended.code == 5
    assert ended.last_s is not None
    assert SHORT_S <= ended.last_s < SHORT_S + 1.0
    (record,) = records()
    assert record.state is RunState.COMPLETED
    (line,) = (line for line in ended.err.splitlines() if "database" in line)
    spool = os.environ["GREENAI_SPOOL"]
    assert line == (
        f'greenai: Not in the database yet: run {record.id}. The journal is in {spool}; "greenai ingest {spool}" takes '
        "it in later, provided that this folder outlives the container."
    )


@pytest.mark.slow
@pytest.mark.parametrize("quiet", [[], ["--quiet"]], ids=["talking", "quiet"])
@pytest.mark.parametrize("first", ["python", "sh"])
def test_greenai_run_keeps_the_exit_code_while_the_database_is_away(
    first: str, quiet: list[str], in_container: InContainer, silent: str, records: Records
) -> None:
    hurried = f"{HURRY}from greenai.cli.main import main; main()"
    wrapper = [*FIRST[first], sys.executable, "-c", hurried, "run", *quiet, "--"]
    source = "import sys, time; time.sleep(0.3); print(time.monotonic(), flush=True); sys.exit(6)"
    ended = in_container(source, *wrapper, GREENAI_DB=silent)
    assert ended.code == 6
    assert ended.last_s is not None
    assert SHORT_S <= ended.last_s < SHORT_S + 2.0
    assert records()[0].exit_code == 6
    assert ("Not in the database yet" in ended.err) is not bool(quiet)


@pytest.mark.slow
def test_the_journal_is_taken_in_later(
    in_container: InContainer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = in_container(TRACKED, GREENAI_DB="postgresql://127.0.0.1:1/greenai")
    assert ended.code == 5
    done = subprocess.run(
        [sys.executable, "-P", "-m", "greenai", "ingest", os.environ["GREENAI_SPOOL"]], check=False, timeout=60
    )
    assert done.returncode == 0
    assert [record.name for record in stored(database)] == ["train"]


def test_where_namespaces_cannot_be_read_there_is_no_container(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> os.stat_result:
        raise PermissionError(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", refuse)
        assert not container.in_container()


def test_a_process_without_runs_waits_for_nothing() -> None:
    assert container.wait_for_database() is None
