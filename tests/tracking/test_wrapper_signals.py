"""``greenai run`` and signals: each reaches the command once, as often as without us, and none of them ends us."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.vocabulary import RunState
from greenai.tracking.command import neighbour, signals
from greenai.tracking.command.signals import HELD, Arrived, HeldSignals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from greenai.core.record import RunRecord

    Records = Callable[..., list[RunRecord]]
    Until = Callable[..., None]
    Begin = Callable[..., subprocess.Popen[bytes]]

GREENAI = [sys.executable, "-m", "greenai", "run", "--quiet", "--"]

# Counts signals until a line on stdin ends it.
COUNT = """
import json, os, signal, sys
got = {}
def count(number, frame):
    got[number] = got.get(number, 0) + 1
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, *map(int, sys.argv[1:])}:
    signal.signal(number, count)
print("ready", os.getpid(), flush=True)
sys.stdin.readline()
print(json.dumps(got), flush=True)
"""


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Start something under the wrapper, in a group of its own; it has said ``ready``."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(*command: str, wrapper: list[str] = GREENAI, **options: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*wrapper, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            **{"process_group": 0, **options},
        )  # fmt: skip
        begun.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(b"ready"), (line, process.stderr.read() if process.stderr else b"")
        return process

    yield start
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGCONT)
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def counted(process: subprocess.Popen[bytes]) -> dict[int, int]:
    time.sleep(0.1)
    out, err = process.communicate(b"\n", timeout=20)
    assert (process.returncode, err) == (0, b"")
    return {int(number): count for number, count in json.loads(out).items()}


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def child_of(pid: int, name: str) -> int:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if Path(f"/proc/{child}/comm").read_text().strip().startswith(name):
            return int(child)
    raise AssertionError(f"no {name}")


@pytest.mark.slow
def test_every_signal_sent_to_the_wrapper_reaches_the_command_once(begin: Begin) -> None:
    process = begin(sys.executable, "-c", COUNT)
    sent = sorted(HELD - {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
    assert {signal.SIGINT, signal.SIGQUIT, signal.SIGALRM, signal.SIGWINCH, signal.SIGRTMIN + 5} <= set(sent)
    for number in sent:
        process.send_signal(number)
    time.sleep(0.5)
    assert counted(process) == dict.fromkeys(sent, 1)


@pytest.mark.slow
def test_what_is_sent_to_the_group_or_to_all_is_not_doubled(begin: Begin) -> None:
    """Slurm at the time limit signals all processes of a step, a shell script its group."""
    process = begin(sys.executable, "-c", COUNT)
    command = child_of(process.pid, "python")
    for _ in range(3):
        os.killpg(process.pid, signal.SIGUSR1)
        time.sleep(0.1)
    everybody = [
        process.pid,
        *map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()),
    ]
    for pid in everybody:
        os.kill(pid, signal.SIGTERM)
    time.sleep(0.1)
    process.send_signal(signal.SIGUSR2)
    os.kill(command, signal.SIGHUP)
    assert counted(process) == {signal.SIGUSR1: 3, signal.SIGTERM: 1, signal.SIGUSR2: 1, signal.SIGHUP: 1}


@pytest.mark.slow
def test_what_the_command_sends_does_not_come_back(begin: Begin) -> None:
    source = COUNT.replace(
        'print("ready"',
        "os.kill(0, signal.SIGUSR1)\nos.kill(os.getppid(), signal.SIGUSR2)\nprint('ready'",
    ).replace('print("ready', "print('ready")
    process = begin(sys.executable, "-c", source)
    assert counted(process) == {signal.SIGUSR1: 1}


OF_THE_C_LIBRARY = 0b11 << 31  # 32 and 33, which posix_spawn leaves ignored and threads set as they need


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGUSR1])
def test_the_command_starts_with_the_mask_and_the_ignored_signals_that_we_were_given(number: int) -> None:
    def prepare() -> None:
        signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGTERM, signal.SIGRTMIN})

    bare, wrapped = (
        subprocess.run(
            [*prefix, "grep", "^Sig[BI]", "/proc/self/status"],  # Python would change its own
            capture_output=True, preexec_fn=prepare, check=True,
        ).stdout.split()[1::2]
        for prefix in ([], GREENAI)
    )  # fmt: skip
    held, ignored = (int(mask, 16) & ~OF_THE_C_LIBRARY for mask in wrapped)
    assert [held, ignored] == [int(mask, 16) & ~OF_THE_C_LIBRARY for mask in bare]
    assert held == sum(1 << (each - 1) for each in (signal.SIGUSR2, signal.SIGTERM, signal.SIGRTMIN))
    assert ignored == 1 << (number - 1)


@pytest.mark.slow
def test_the_exit_code_is_kept_where_children_are_ignored(records: Records) -> None:
    def prepare() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    done = subprocess.run([*GREENAI, "sh", "-c", "exit 7"], preexec_fn=prepare, check=False)
    assert done.returncode == 7
    assert records()[0].exit_code == 7


TERM_IN_BEGIN = """
import os, signal, sys
from greenai.cli.main import main
from greenai.tracking.session import Session
begin = Session.begin
def late(*args, **options):
    session = begin(*args, **options)
    os.kill(os.getpid(), signal.{signal})
    return session
Session.begin = late
main()
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_signal_before_the_command_starts_reaches_it(records: Records, name: str) -> None:
    source = TERM_IN_BEGIN.replace("{signal}", name)
    done = subprocess.run(
        [sys.executable, "-c", source, "run", "--quiet", "--", "sleep", "20"], check=False, timeout=20
    )
    assert done.returncode == 128 + signal.Signals[name]
    assert records()[0].state is RunState.KILLED


SLOW_END = """
import sys, time
from greenai.cli.main import main
from greenai.tracking.session import Session
end = Session.end
def slow(*args, **options):
    print("ending", file=sys.stderr, flush=True)
    time.sleep(0.5)
    end(*args, **options)
Session.end = slow
main()
"""


@pytest.mark.slow
def test_impatience_at_the_end_loses_nothing(begin: Begin, records: Records) -> None:
    wrapper = [sys.executable, "-c", SLOW_END, "run", "--"]
    process = begin("sh", "-c", "echo ready; exit 5", wrapper=wrapper)
    assert process.stderr is not None
    assert process.stderr.readline() == b"ending\n"
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 5
    assert err.startswith(b"greenai: ")
    assert err.count(b"\n") == 1
    assert (records()[0].state, records()[0].exit_code) == (RunState.FAILED, 5)


@pytest.mark.slow
def test_a_stop_is_no_end(begin: Begin, until: Until, tmp_path: Path, records: Records) -> None:
    """SIGTSTP goes on to the command, then we stop as it does; sampling goes on; SIGCONT continues both."""
    process = begin(sys.executable, "-c", COUNT, str(int(signal.SIGTSTP)), env={**os.environ, "GREENAI_INTERVAL_S": "0.1"})  # fmt: skip
    command = child_of(process.pid, "python")
    process.send_signal(signal.SIGTSTP)
    until(lambda: (state_of(process.pid), state_of(command)) == ("T", "T"))
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WSTOPSIG(status) == signal.SIGTSTP
    beats = [sum(file.read_bytes().count(b'"k":"tick"') for file in (tmp_path / "spool").glob("*/*.jsonl"))]
    time.sleep(0.5)
    beats += [sum(file.read_bytes().count(b'"k":"tick"') for file in (tmp_path / "spool").glob("*/*.jsonl"))]
    assert beats[1] - beats[0] >= 3
    process.send_signal(signal.SIGCONT)
    until(lambda: state_of(process.pid) != "T" and state_of(command) != "T")
    assert counted(process) == {signal.SIGCONT: 1}
    assert records()[0].state is RunState.COMPLETED
    assert [incident.code for incident in records()[0].incidents] == []


@pytest.mark.slow
def test_a_command_that_does_not_stop_leaves_us_running(begin: Begin) -> None:
    process = begin(sys.executable, "-c", COUNT)
    process.send_signal(signal.SIGTSTP)
    time.sleep(0.3)
    assert state_of(process.pid) == "S"
    assert counted(process) == {signal.SIGTSTP: 1}


@pytest.mark.slow
def test_a_command_stopped_by_somebody_else_leaves_us_waiting(begin: Begin, until: Until) -> None:
    """Nobody but who stopped the command would continue us."""
    process = begin("sh", "-c", "echo ready; read line; exit 6")
    command = child_of(process.pid, "sh")
    os.kill(command, signal.SIGSTOP)
    until(lambda: state_of(command) == "T")
    time.sleep(0.2)
    assert state_of(process.pid) == "S"
    os.kill(command, signal.SIGCONT)
    process.communicate(b"\n", timeout=20)
    assert process.returncode == 6


def test_what_arrived_says_who_sent_it() -> None:
    with HeldSignals() as held:
        signal.raise_signal(signal.SIGUSR1)
        assert held.pending() == [Arrived(signal.SIGUSR1, os.getpid())]
        assert held.wait(0.01) is None
    assert signal.SIGUSR1 not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_where_the_sender_is_unknown_the_keys_of_a_terminal_count_as_its_own() -> None:
    """As on macOS."""
    awaited = frozenset({signal.SIGUSR1, signal.SIGINT})
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    try:
        assert signals._wait_without_sender(awaited, 0.1) is None
        for number in sorted(awaited):
            signal.raise_signal(number)
        found = [signals._wait_without_sender(awaited, 1), signals._wait_without_sender(awaited, None)]
        assert found == [Arrived(signal.SIGINT, by_kernel=True), Arrived(signal.SIGUSR1)]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_without_a_neighbour_everything_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    alone = neighbour.Neighbour()
    assert not alone.got_too(signal.SIGUSR1)
    alone.close()


@pytest.mark.slow
def test_the_neighbour_ends_with_us() -> None:
    source = "import os; from greenai.tracking.command.neighbour import Neighbour; print(Neighbour()._pid, flush=True); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, check=False, timeout=20)
    assert done.returncode == -signal.SIGKILL  # and the pipe of its output has no other end any more
    pid = int(done.stdout)
    deadline = time.monotonic() + 10
    while (
        Path(f"/proc/{pid}/comm").exists()
        and Path(f"/proc/{pid}/comm").read_text() == "cat\n"
        and state_of(pid) != "Z"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_a_stop_before_the_command_starts_stops_both(until: Until) -> None:
    source = TERM_IN_BEGIN.replace("{signal}", "SIGTSTP")
    process = subprocess.Popen(
        [sys.executable, "-c", source, "run", "--quiet", "--", "sleep", "0.3"], process_group=0
    )
    try:
        until(lambda: state_of(process.pid) == "T" and state_of(child_of(process.pid, "sleep")) == "T")
        process.send_signal(signal.SIGCONT)
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()
