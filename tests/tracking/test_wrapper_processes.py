"""``greenai run`` and process trees: what outlives the command, what leaves its group, what kills us."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.vocabulary import RunState
from greenai.tracking.command import aftermath, leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from greenai.core.record import RunRecord

    Records = Callable[..., list[RunRecord]]
    Until = Callable[..., None]

RUN = [sys.executable, "-m", "greenai", "run"]


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """End what a test has left running: whatever was told this test's spool."""
    yield
    mark = f"GREENAI_SPOOL={os.environ['GREENAI_SPOOL']}".encode()
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            others = folder.name.isdigit() and int(folder.name) != os.getpid()
            if others and mark in (folder / "environ").read_bytes().split(b"\0"):
                os.kill(int(folder.name), signal.SIGKILL)


def run(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RUN, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60, check=False, **options
    )  # fmt: skip


@contextlib.contextmanager
def running(*words: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([*RUN, *words], stderr=subprocess.PIPE, text=True, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()  # what is left running may hold the other end


def codes(record: RunRecord) -> list[str]:
    # Of runs shorter than its start the sampler knows nothing.
    return [incident.code for incident in record.incidents if incident.code != "sampler_missing"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "2 processes of the command go on untracked (sleep, cat); --wait"),
        ("de", "2 Prozesse des Befehls laufen"),
    ],
)
def test_what_outlives_the_command_is_said(records: Records, language: str, words: str) -> None:
    script = "setsid sleep 40 2>/dev/null & mkfifo f; cat <> f 2>/dev/null & sleep 0.1; exit 3"
    began_s = time.monotonic()
    done = run("--", "sh", "-c", script, env={**os.environ, "GREENAI_LANGUAGE": language})
    assert time.monotonic() - began_s < 8
    assert done.returncode == 3
    assert words in done.stderr
    assert done.stderr.count("\n") == 2
    (record,) = records()
    assert codes(record) == ["processes_left"]
    assert (record.state, record.exit_code) == (RunState.FAILED, 3)
    message = record.incidents[0].message
    assert "(2: sleep, cat)" in message.en
    assert "(2: sleep, cat)" in message.de
    assert record.incidents[0].remedy is not None
    assert "--wait" in record.incidents[0].remedy.de


@pytest.mark.slow
def test_helpers_that_end_with_the_command_are_not_left(records: Records) -> None:
    """The resource tracker of multiprocessing, the rest of a pipe: they need a moment."""
    done = run("--", "sh", "-c", "sleep 0.1 2>/dev/null & exit 0")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert codes(records()[0]) == []


@pytest.mark.slow
def test_quiet_says_nothing_of_them(records: Records) -> None:
    done = run("--quiet", "--", "sh", "-c", "sleep 40 2>/dev/null & exit 0")
    assert (done.returncode, done.stderr) == (0, "")
    assert codes(records()[0]) == ["processes_left"]


@pytest.mark.slow
def test_wait_tracks_to_the_end_of_the_last(records: Records) -> None:
    """Also those in a session of their own, those that dropped their environment, and those they start."""
    script = (
        "setsid sh -c 'sleep 0.7; setsid sleep 0.8 & exit 0' 2>/dev/null & "
        "env -i setsid sleep 2.2 2>/dev/null & exit 3"
    )
    began_s = time.monotonic()
    done = run("--wait", "--", "sh", "-c", script)
    assert time.monotonic() - began_s > 2.2
    assert done.returncode == 3
    waiting, summary = done.stderr.splitlines()
    assert re.search(r"the command has ended; .*sleep.* \(\d\) still running", waiting)
    assert summary.startswith("greenai: ")
    (record,) = records()
    assert 2.2 <= record.duration_s < 3.5
    assert (record.state, record.exit_code, codes(record)) == (RunState.FAILED, 3, [])


@pytest.mark.slow
def test_wait_where_nothing_is_left_waits_for_nothing(records: Records) -> None:
    done = run("--wait", "--", "sh", "-c", "exit 4")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert codes(records()[0]) == []


TRAP = "trap 'echo got >> got; exit 0' USR1 TERM INT; echo ready >> got; while :; do sleep 0.05; done"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM, signal.SIGINT])
def test_while_waiting_signals_go_to_all_that_is_left(until: Until, records: Records, number: int) -> None:
    # A shell starts background commands with Ctrl-C ignored; Python does not.
    source = f"import subprocess; [subprocess.Popen(['bash', '-c', {TRAP!r}], start_new_session=n > 0) for n in range(2)]"
    got = Path("got")
    with running("--wait", "--", sys.executable, "-c", source) as process:
        assert process.stderr is not None
        assert re.search(r"bash.* still running", process.stderr.readline())
        until(lambda: got.exists() and got.read_text().count("ready") == 2)
        process.send_signal(number)
        assert process.wait(timeout=15) == 0
    assert got.read_text().count("got") == 2
    assert codes(records()[0]) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", r"greenai: stopped waiting; .* go(es)? on untracked \(sh(, sleep)?\)\.\n"),
        ("de", r"greenai: Nicht länger gewartet; .* ohne Messung weiter \(sh(, sleep)?\)\.\n"),
    ],
)
def test_a_second_request_ends_the_waiting(records: Records, language: str, words: str) -> None:
    source = "import subprocess; subprocess.Popen(['sh', '-c', 'trap : INT TERM; while :; do sleep 1; done'])"
    environ = {**os.environ, "GREENAI_LANGUAGE": language}
    with running("--wait", "--", sys.executable, "-c", source, env=environ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        time.sleep(0.8)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
        process.stderr.readline()  # the summary
        assert re.fullmatch(words, process.stderr.readline())  # and not that --wait would help
    assert codes(records()[0]) == ["processes_left"]


def test_the_record_says_what_was_given_up_on_otherwise_than_what_was_left() -> None:
    left = [leftovers.Process(7, 1, "sh")]
    told = aftermath.left_running(left, waited=False)
    assert told.remedy is not None
    assert "--wait" in told.remedy.en
    given_up = aftermath.left_running(left, waited=True)
    assert (given_up.code, given_up.remedy) == ("processes_left", None)
    assert "(1: sh)" in given_up.message.de
    assert "waited for no longer (1: sh)" in given_up.message.en


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        "os.closerange(0, 4096)",
        "os.setpgid(0, 0)",
        "os.execvp('sh', ['sh', '-c', 'sleep 0.5; exit 7'])",
        "os.chdir('/'); os.umask(0)",
        "[os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0) for _ in range(500)]",
        "[os._exit(0) for _ in range(300) if os.fork() == 0]",
    ],
    ids=["closes all", "own group", "executes", "moves", "many children", "many orphans"],
)
def test_whatever_the_command_does_to_itself(records: Records, body: str) -> None:
    done = run("--quiet", "--", sys.executable, "-c", f"import os, time\n{body}\ntime.sleep(0.5)\nos._exit(7)")
    assert (done.returncode, done.stderr) == (7, "")
    (record,) = records()
    assert (record.state, record.exit_code, codes(record)) == (RunState.FAILED, 7, [])
    assert record.duration_s >= 0.5
    assert record.energy_j is not None


@pytest.mark.slow
def test_a_command_in_a_session_of_its_own_gets_its_signals(until: Until, records: Records) -> None:
    source = f"import os; os.setsid(); os.execvp('bash', ['bash', '-c', {TRAP!r}])"
    with running("--quiet", "--", sys.executable, "-c", source) as process:
        until(lambda: Path("got").exists())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert Path("got").read_text() == "ready\ngot\n"
    assert records()[0].state is RunState.COMPLETED


@pytest.mark.slow
def test_a_killed_wrapper_leaves_the_command_alone_and_the_run_killed(until: Until, records: Records) -> None:
    script = "echo ready > got; sleep 1.5; echo done >> got"
    environ = {**os.environ, "GREENAI_INTERVAL_S": "0.1"}
    with running("--quiet", "--", "sh", "-c", script, env=environ) as process:
        until(lambda: Path("got").exists())
        time.sleep(0.5)
        process.kill()
        assert process.wait(timeout=10) == -signal.SIGKILL
    until(lambda: records()[0].state is RunState.KILLED)
    (record,) = records()
    assert record.energy_j is not None
    assert record.energy_j > 0
    assert 0.4 <= record.duration_s < 1.4
    until(lambda: Path("got").read_text() == "ready\ndone\n")


def test_processes_are_found_by_the_run_they_carry(until: Until) -> None:
    carrier = subprocess.Popen(["sleep", "30"], env={**os.environ, "GREENAI_RUN_ID": "run-of-this-test"})
    other = subprocess.Popen(["sleep", "30"], env={**os.environ, "GREENAI_RUN_ID": "run-of-this-test-2"})
    try:
        until(lambda: [p.pid for p in leftovers.carriers("run-of-this-test")] == [carrier.pid])
        (found,) = leftovers.carriers("run-of-this-test", os.getpid())
        assert (found.pid, found.name, found.lives) == (carrier.pid, "sleep", True)
        assert leftovers.carriers("run-of-this-test", other.pid) == []
        assert {p.pid for p in leftovers.descendants()} >= {carrier.pid, other.pid}
        found.send(signal.SIGKILL)
        until(lambda: not found.lives)
        assert leftovers.carriers("run-of-this-test") == []
    finally:
        for process in (carrier, other):
            process.kill()
            process.wait()


@pytest.mark.parametrize(("last", "expected"), [("7", [6, 7]), ("3", [6, 7, 9, 2, 3])])
def test_process_numbers_go_round(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, last: str, expected: list[int]
) -> None:
    (tmp_path / "loadavg").write_text(f"0.0 0.0 0.0 1/100 {last}\n")
    monkeypatch.setattr(leftovers, "_LOAD", tmp_path / "loadavg")
    monkeypatch.setattr(leftovers, "_all_pids", lambda: [1, 2, 3, 4, 5, 6, 7, 9])
    found = leftovers._born_after(5)
    assert sorted(found) == sorted(expected + ([1] if last == "3" else []))
