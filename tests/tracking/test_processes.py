"""The tracked program and its sampler as real processes: kills, odd folders, a full disk, a quiet exit."""

from __future__ import annotations

import json
import os
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.account import account
from greenai.core.vocabulary import Role, RunState
from greenai.journal.reader import read_run

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from greenai.core.record import RunRecord

    Start = Callable[..., subprocess.Popen[str]]
    Program = Callable[..., tuple[int, str, str]]
    Records = Callable[..., list[RunRecord]]
    Until = Callable[..., None]

pytestmark = pytest.mark.slow  # real processes

BUSY = """
import sys, time
import greenai
with greenai.track("busy", interval_s=0.1):
    print("ready", flush=True)
    time.sleep(60)
"""


def sampler_of(folder: Path) -> int | None:
    """Return the process that samples a run."""
    for path in folder.glob("*.jsonl"):
        first = json.loads(path.read_text().partition("\n")[0])
        if first["role"] == "sampler" and alive(first["pid"]):
            return int(first["pid"])
    return None


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def only_folder(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "spool").glob("[!.]*")
    return folder


def ticks(folder: Path) -> list[int]:
    return [
        line["t"]
        for path in folder.glob("*.jsonl")
        for line in map(json.loads, path.read_text().splitlines())
        if line["k"] == "tick"
    ]


def running(start: Start, until: Until, tmp_path: Path) -> tuple[subprocess.Popen[str], int, Path]:
    process = start(BUSY)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    folder = only_folder(tmp_path)
    until(lambda: len(ticks(folder)) >= 3)
    sampler = sampler_of(folder)
    assert sampler is not None
    return process, sampler, folder


def test_a_killed_program_is_seen_and_keeps_its_energy(
    start: Start, until: Until, tmp_path: Path, records: Records
) -> None:
    process, sampler, folder = running(start, until, tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    until(lambda: not alive(sampler))
    assert b'"k":"orphan"' in b"".join(path.read_bytes() for path in folder.glob("*.jsonl"))
    (record,) = records()
    assert record.state is RunState.KILLED
    assert record.energy_j is not None
    assert record.energy_j > 0
    assert record.duration_s >= 0.2
    assert record.journal.bad_lines == 0


def test_a_killed_sampler_costs_no_result(start: Start, until: Until, tmp_path: Path) -> None:
    source = BUSY.replace("time.sleep(60)", "sys.stdin.readline()\nr = greenai.current_run()").replace(
        "interval_s=0.1)", "interval_s=0.1) as run"
    )  # fmt: skip
    source += "print(run.result.state, run.result.energy_j, run.result.duration_s)\n"
    process = start(source)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    folder = only_folder(tmp_path)
    until(lambda: len(ticks(folder)) >= 2)
    sampler = sampler_of(folder)
    assert sampler is not None
    os.kill(sampler, signal.SIGKILL)
    until(lambda: not alive(sampler))
    out, err = process.communicate("\n", timeout=20)
    state, energy_j, duration_s = out.split()
    assert (state, err, process.returncode) == ("completed", "", 0)
    assert float(energy_j) > 0
    assert float(duration_s) > 0.1


def test_a_killed_sampler_is_started_again(start: Start, until: Until, tmp_path: Path, records: Records) -> None:
    _process, sampler, folder = running(start, until, tmp_path)
    os.kill(sampler, signal.SIGKILL)
    until(lambda: sampler_of(folder) not in (None, sampler))
    before = len(ticks(folder))
    until(lambda: len(ticks(folder)) >= before + 3)
    assert "sampler_restarted" in {incident.code for incident in records()[0].incidents}


WAITING = """
import os, signal, sys, time
import greenai
signals = []
signal.signal(signal.SIGCHLD, lambda *_: signals.append(1))
with greenai.track("waiting", interval_s=0.1):
    try:
        print(os.waitpid(-1, 0))
    except ChildProcessError:
        print("no child")
    time.sleep(0.3)
time.sleep(2.5)  # the sampler takes the run into the database meanwhile
try:
    print(os.waitpid(-1, 0))
except ChildProcessError:
    print("no child")
"""


@pytest.mark.slow
def test_a_program_that_waits_for_its_children_does_not_meet_ours(program: Program, tmp_path: Path) -> None:
    environ = {**os.environ, "GREENAI_INGEST": "background"}
    assert program(WAITING, env=environ) == (0, "no child\nno child\n", "")
    assert (only_folder(tmp_path) / "ingested").exists()


FORGETFUL = """
import os, sys, time
import greenai
with greenai.track("forgetful", interval_s=0.1) as run:
    time.sleep(0.4)
    os.closerange(3, 1000)
    files = [open(f"{sys.argv[1]}/{n}", "w+b", buffering=0) for n in range(20)]
    time.sleep(0.6)
    with run.window("after"):
        time.sleep(0.1)
print([os.stat(f.fileno()).st_size for f in files] == [0] * 20, run.result.duration_s > 1.0, run.result.state)
"""


@pytest.mark.slow
def test_a_program_that_closes_what_is_not_its_own(program: Program, tmp_path: Path, records: Records) -> None:
    (tmp_path / "own").mkdir()
    code, out, err = program(FORGETFUL, str(tmp_path / "own"))
    assert (code, out, err) == (0, "True True completed\n", "")
    assert [window.name for window in records()[0].windows] == ["after"]


def test_a_run_that_is_open_when_the_program_ends(program: Program, records: Records) -> None:
    code, out, err = program("import greenai\ngreenai.track('open').__enter__()\n")
    assert (code, out, err) == (0, "", "")
    (record,) = records()
    assert (record.state, record.duration_s > 0) == (RunState.COMPLETED, True)
    assert "run_left_open" in {incident.code for incident in record.incidents}


def test_an_error_with_a_run_left_open(program: Program, records: Records) -> None:
    code, _, err = program("import greenai\ngreenai.track('open').__enter__()\n1 / 0\n")
    assert code == 1
    assert err.rstrip().endswith("ZeroDivisionError: division by zero")
    assert (records()[0].state, records()[0].error) == (RunState.FAILED, "ZeroDivisionError")


def test_both_killed_is_lost_with_its_energy(start: Start, until: Until, tmp_path: Path, records: Records) -> None:
    process, sampler, _ = running(start, until, tmp_path)
    os.kill(sampler, signal.SIGSTOP)  # so that it does not see its program die
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    os.kill(sampler, signal.SIGKILL)
    until(lambda: not alive(sampler))
    (now,) = records()
    assert now.state is RunState.RUNNING
    (record,) = records(time.time() + 3600)
    assert record.state is RunState.LOST
    assert record.energy_j is not None
    assert record.energy_j > 0
    assert record.ended_ms is not None
    assert record.duration_s < 30


def test_leaving_by_os_exit_is_seen(program: Program, until: Until, records: Records) -> None:
    source = BUSY.replace("time.sleep(60)", "time.sleep(0.5); import os; os._exit(7)")
    assert program(source)[0] == 7
    until(lambda: records()[0].state is RunState.KILLED)
    assert records()[0].energy_j is not None


def test_sys_exit_with_a_run_left_open(program: Program, records: Records) -> None:
    assert program("import sys, greenai\ngreenai.track('open').__enter__()\nsys.exit(3)\n")[0] == 3
    (incident,) = (incident for incident in records()[0].incidents if incident.code == "run_left_open")
    assert "sys.exit, and with which code, is unknown" in incident.message.en
    assert incident.remedy is not None


def test_code_that_holds_the_interpreter_does_not_blind_the_sampler(program: Program, tmp_path: Path) -> None:
    source = BUSY.replace("time.sleep(60)", "time.sleep(0.5); sum(range(90_000_000))")
    assert program(source)[0] == 0
    times = sorted(ticks(only_folder(tmp_path)))
    assert len(times) >= 10
    steps_s = [(b - a) / 1e9 for a, b in pairwise(times)]
    assert sorted(steps_s)[len(steps_s) // 2] == pytest.approx(0.1, abs=0.03)
    assert max(steps_s) < 1.0


@pytest.mark.parametrize("name", ["json.py", "random.py", "greenai.py", "select.py", "typing.py"])
def test_odd_files_in_the_working_directory_do_not_break_the_sampler(
    program: Program, tmp_path: Path, name: str
) -> None:
    Path(name).write_text("raise RuntimeError('wrong module')\n")
    source = BUSY.replace("time.sleep(60)", "time.sleep(0.7)")
    code, _, err = program(source, cwd=Path.cwd())
    assert (code, err) == (0, "")
    log = read_run(only_folder(tmp_path))
    assert {process.role for process in log.processes} == {Role.OWNER, Role.SAMPLER}


QUIET = """
import logging, os, signal, sys, threading, time
names = [n for n in signal.Signals]
before = [signal.getsignal(n) for n in names]
import greenai
heavy = ("sqlalchemy", "alembic", "pandas", "numpy", "dash", "click", "codecarbon", "psutil", "asyncio")
loaded = [name for name in heavy if name in sys.modules]
root = (list(logging.getLogger().handlers), logging.getLogger().level)
with greenai.track("quiet") as run:
    time.sleep(0.2)
    with run.window("w"):
        run.log_metric("m", 1)
    run.log_metric("nan", float("nan"))
run.result.to_dict()
loaded += [name for name in heavy if name in sys.modules]
same = before == [signal.getsignal(n) for n in names]
fine = root == (list(logging.getLogger().handlers), logging.getLogger().level)
os.write(3, repr((loaded, same, fine)).encode())
os.write(3, f"|{time.monotonic()}".encode())
"""


@pytest.mark.parametrize("ingest", ["later", "background"])
def test_a_whole_run_leaves_no_trace_in_the_program(
    program: Program, tmp_path: Path, ingest: str, until: Until
) -> None:
    read_end, write_end = os.pipe()
    work = Path.cwd()
    environ = {**os.environ, "GREENAI_INGEST": ingest, "PYTHONWARNINGS": "error"}
    script = f"import os; os.dup2({write_end}, 3) if {write_end} != 3 else None\n" + QUIET
    code, out, err = program(script, cwd=work, env=environ, pass_fds=[write_end])
    ended = time.monotonic()
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        said, _, finished = pipe.read().partition("|")
    assert (code, out, err) == (0, "", "")
    assert said == "([], True, True)"
    assert ended - float(finished) < 2.0
    assert list(work.iterdir()) == []
    if ingest == "background":
        until((only_folder(tmp_path) / "ingested").exists, 30)


def test_importing_greenai_loads_next_to_nothing(program: Program) -> None:
    code, out, _ = program(
        "import sys, greenai; print(*sorted(n for n in sys.modules if n.startswith('greenai')))"
    )
    assert (code, out.split()) == (0, ["greenai", "greenai.core", "greenai.core.version"])


def test_an_exception_ends_the_program_as_always(program: Program, records: Records) -> None:
    code, out, err = program("import greenai\n@greenai.track\ndef f(): raise ValueError('mine')\nf()\n")
    assert (code, out) == (1, "")
    assert err.rstrip().endswith("ValueError: mine")
    assert records()[0].state is RunState.FAILED


@pytest.mark.parametrize(("statement", "code"), [("sys.exit(5)", 5), ("sys.exit()", 0), ("sys.exit('x')", 1)])
def test_exit_codes_pass(program: Program, records: Records, statement: str, code: int) -> None:
    assert program(f"import sys, greenai\nwith greenai.track('x'): {statement}\n")[0] == code
    assert records()[0].exit_code == code


FULL = """
import json, os, sys, time
import greenai
spool = os.environ["GREENAI_SPOOL"]
filler = os.path.join(spool, "filler")
with greenai.track("full", interval_s=0.05) as run:
    time.sleep(0.4)
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 512)
        except OSError as error:
            assert error.errno == 28
    for n in range(400):
        run.add_units(1)
        with run.window(f"w{n}"):
            pass
    with greenai.track("nested") as nested:
        value = 42
    if sys.argv[1] == "freed":
        os.unlink(filler)
inner, outer = nested.result, run.result
print(json.dumps([value, outer.to_dict(), inner.energy_j]))
"""


@pytest.mark.parametrize("ending", ["full", "freed"])
def test_a_full_disk_does_not_harm_the_program(program: Program, tmp_path: Path, ending: str) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    unshare = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-Urm"]
    mount = f'mount -t tmpfs -o size=64k tmpfs {spool} && exec "$@"'
    code, out, err = program(FULL, ending, prefix=[*unshare, "sh", "-c", mount, "sh"])
    assert (code, err) == (0, "")
    value, record, inner_j = json.loads(out)
    assert value == 42
    assert inner_j is None
    assert record["energy"]["total_j"] > 0
    codes = {incident["code"] for incident in record["incidents"]}
    assert "journal_write_failed" in codes
    # The last page of a file may still have room for the last line.
    assert record["state"] in (["completed"] if ending == "freed" else ["completed", "running"])


FORK = """
import os, sys, time
import greenai
with greenai.track("forks") as run:
    children = []
    for n in range(3):
        pid = os.fork()
        if pid == 0:
            with run.window("in child"):
                run.add_units(1)
            sys.exit(0)
        children.append(pid)
    codes = [os.waitpid(pid, 0)[1] for pid in children]
    time.sleep(0.3)
print(codes, run.result.state, run.result.work.units, len(run.result.windows), run.result.journal.bad_lines)
"""


def test_forked_children_leave_their_parents_run_alone(program: Program, records: Records) -> None:
    code, out, err = program(FORK)
    assert (code, out, err) == (0, "[0, 0, 0] completed 3.0 3 0\n", "")
    assert len(records()) == 1


def test_workers_of_multiprocessing_take_part(program: Program, records: Records) -> None:
    source = """
import multiprocessing
import greenai
def work(n):
    with greenai.track("work") as part:
        part.add_units(1)
    return n * n
if __name__ == "__main__":
    with greenai.track("pool") as run, multiprocessing.get_context("fork").Pool(2) as pool:
        print(sum(pool.map(work, range(4))))
    print(run.result.work.units, run.result.journal.bad_lines)
"""
    code, out, err = program(source)
    assert (code, out.split(), err) == (0, ["14", "4.0", "0"], "")
    (record,) = records()
    assert [window.name for window in record.windows] == ["work"] * 4


def test_a_working_directory_that_is_gone(program: Program, records: Records) -> None:
    source = """
import os, tempfile
import greenai
folder = tempfile.mkdtemp()
os.chdir(folder)
os.rmdir(folder)
with greenai.track("x") as run:
    pass
print(run.result.state)
"""
    assert program(source) == (0, "completed\n", "")
    assert len(records()) == 1


def of_folder(folder: Path) -> Any:
    return account(read_run(folder)).record


def test_programs_side_by_side_keep_their_runs_apart(start: Start, tmp_path: Path) -> None:
    source = "import greenai, sys, time\nwith greenai.track(sys.argv[1]) as r: time.sleep(0.3); r.log_metric('n', int(sys.argv[1]))\n"
    processes = [start(source, str(number)) for number in range(4)]
    assert [process.wait(timeout=30) for process in processes] == [0] * 4
    found = {record.name: record for record in map(of_folder, (tmp_path / "spool").glob("[!.]*"))}
    assert sorted(found) == ["0", "1", "2", "3"]
    assert all(str(int(record.metrics[0].value)) == name for name, record in found.items())
