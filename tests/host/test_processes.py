"""What a process and all that it started use: real processes, and a procfs that changes while it is read."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from greenai.host import this_host
from greenai.host.processes import cpu_time_us, memory_bytes, process_tree
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Start = Callable[[str], subprocess.Popen[str]]

HOST = this_host()
TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
MIB = 1 << 20


@pytest.fixture
def start() -> Iterator[Start]:
    """Start programs that say something when they are ready; whatever is left of them is ended after the test."""
    begun: list[subprocess.Popen[str]] = []

    def popen(source: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        begun.append(process)
        return process

    yield popen
    for process in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def used_us(pid: int) -> int:
    found = cpu_time_us(HOST, process_tree(HOST, pid))
    assert found is not None
    return found


# --- real processes

BURN = """
import os, sys, time
def burn(seconds):
    while time.process_time() < seconds: pass
"""


def test_a_tree_uses_what_its_processes_use(start: Start) -> None:
    """A burning child and a burning grandchild: each says how much it used."""
    process = start(
        BURN
        + """
from_child, to_parent = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        burn(0.15)
        os.write(to_parent, b"x")
        time.sleep(60)
    burn(0.1)
    os.write(to_parent, b"x")
    time.sleep(60)
burn(0.2)
os.read(from_child, 1), os.read(from_child, 1)
print(time.process_time(), flush=True)
time.sleep(60)
"""
    )
    own_us = float(line(process)) * 1e6
    tree = process_tree(HOST, process.pid)
    assert len(tree) == 3
    assert tree[0] == process.pid
    assert cpu_time_us(HOST, tree[:1]) == pytest.approx(own_us, abs=3 * TICK_US)
    assert used_us(process.pid) == pytest.approx(own_us + 250_000, abs=8 * TICK_US)


def test_a_child_that_was_waited_for_leaves_its_time_to_its_parent(start: Start) -> None:
    process = start(
        BURN
        + """
pid = os.fork()
if pid == 0:
    burn(0.25)
    print("burnt", flush=True)
    sys.stdin.readline()
    os._exit(0)
os.waitpid(pid, 0)
print("waited", flush=True)
time.sleep(60)
"""
    )
    assert line(process) == "burnt"
    before_us = used_us(process.pid)
    assert before_us >= 240_000
    tell(process)
    assert line(process) == "waited"
    assert process_tree(HOST, process.pid) == [process.pid]
    assert used_us(process.pid) >= before_us


def test_a_child_that_nobody_waits_for_still_counts(start: Start) -> None:
    """A zombie keeps its time until somebody asks for it."""
    process = start(
        BURN
        + """
from_child, to_parent = os.pipe()
if os.fork() == 0:
    burn(0.2)
    os._exit(0)
os.close(to_parent)
os.read(from_child, 1)
print("ended", flush=True)
time.sleep(60)
"""
    )
    assert line(process) == "ended"
    deadline = time.monotonic() + 5
    while len(process_tree(HOST, process.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(process_tree(HOST, process.pid)) == 2
    assert used_us(process.pid) >= 190_000


def test_children_of_threads_are_found(start: Start) -> None:
    process = start("""
import subprocess, threading, time
begun = threading.Event()
def work():
    subprocess.Popen(["sleep", "60"])
    begun.set()
    time.sleep(60)
threading.Thread(target=work, daemon=True).start()
begun.wait()
print("ready", flush=True)
time.sleep(60)
""")
    assert line(process) == "ready"
    assert len(process_tree(HOST, process.pid)) == 2


def test_a_daemon_that_detached_itself_is_not_found(start: Start) -> None:
    process = start("""
import os, time
if os.fork() == 0:
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
os.wait()
print("ready", flush=True)
time.sleep(60)
""")
    assert line(process) == "ready"
    assert process_tree(HOST, process.pid) == [process.pid]


def test_hundreds_of_children_are_all_found(start: Start) -> None:
    """The kernel hands the list out page by page: the first has room for fewer than 700."""
    process = start("""
import os, signal
for _ in range(900):
    if os.fork() == 0:
        signal.pause()
print("ready", flush=True)
signal.pause()
""")
    assert line(process) == "ready"
    assert len(process_tree(HOST, process.pid)) == 901


def test_a_process_that_is_gone_has_no_tree(start: Start) -> None:
    process = start("pass")
    process.wait(timeout=20)
    assert process_tree(HOST, process.pid) == []


def test_memory_is_what_is_held_and_not_what_is_cached(start: Start, tmp_path: Path) -> None:
    """The pages of a file are free to be taken; MemAvailable counts them as such."""
    file = tmp_path / "weights"
    file.write_bytes(b"\0" * 48 * MIB)
    process = start(f"""
import mmap, sys
def say(what):
    print(what, flush=True)
    sys.stdin.readline()
say("start")
with open({str(file)!r}, "rb") as stream:
    mapped = mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ)
total = sum(mapped[n] for n in range(0, len(mapped), 4096))
say("file")
shared = mmap.mmap(-1, 16 << 20)
for n in range(0, len(shared), 4096): shared[n] = 1
say("shared")
own = b"1" * (32 << 20)
say("own")
""")
    held = {}
    for _ in range(4):
        stage = line(process)
        held[stage] = memory_bytes(HOST, [process.pid])
        tell(process)
    assert held["start"] > MIB
    assert held["file"] - held["start"] < 4 * MIB
    assert held["shared"] - held["file"] == pytest.approx(16 * MIB, abs=2 * MIB)
    assert held["own"] - held["shared"] == pytest.approx(32 * MIB, abs=4 * MIB)


# --- a procfs of our own


def write(machine: FakeMachine, pid: int, *children: int, ticks: str = "1 2 3 4", name: str = "x") -> None:
    folder = f"proc/{pid}"
    machine.write(f"{folder}/task/{pid}/children", "".join(f"{child} " for child in children))
    before = "S 1 1 1 0 -1 4194560 100 0 0 0"
    machine.write(f"{folder}/stat", f"{pid} ({name}) {before} {ticks} 20 0 1 0 9 9 9\n")
    machine.write(
        f"{folder}/status", "Name:\tx\nVmRSS:\t  99 kB\nRssAnon:\t  20 kB\nRssFile:\t  70 kB\nRssShmem:\t  9 kB\n"
    )


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine")


def test_parents_come_before_their_children(machine: FakeMachine) -> None:
    """Read in this order, a process that ends meanwhile is missed or seen twice by nobody."""
    write(machine, 10, 11, 12)
    write(machine, 11, 13)
    write(machine, 12)
    write(machine, 13)
    tree = process_tree(machine.host, 10)
    assert sorted(tree) == [10, 11, 12, 13]
    assert tree.index(10) < tree.index(11) < tree.index(13)
    assert cpu_time_us(machine.host, tree) == 4 * 10 * TICK_US
    assert memory_bytes(machine.host, tree) == 4 * 29 * 1024


@pytest.mark.parametrize("name", ["a b", ") 9 9 9 9 9 9 9 9 9 9 9 9 9 9", "((", "\u00fc\U0001f600", "a\nb"])
def test_a_name_may_be_anything(machine: FakeMachine, name: str) -> None:
    write(machine, 10, name=name)
    assert cpu_time_us(machine.host, [10]) == 10 * TICK_US


def test_what_ends_while_it_is_read_makes_the_sum_unknown(machine: FakeMachine) -> None:
    """Its time may be its parent's by now, which was read before: 100 s less, and 100 s more a second later."""
    write(machine, 10, 11, ticks="100 0 0 0")
    write(machine, 11, ticks="10000 0 0 0")
    tree = process_tree(machine.host, 10)
    (machine.root / "proc/11/stat").unlink()
    assert cpu_time_us(machine.host, tree) is None
    assert memory_bytes(machine.host, [10, 11, 12]) == 2 * 29 * 1024


@pytest.mark.parametrize(
    "stat", ["", "10", "10 (x) S 1", "10 (x) S 1 1 1 0 -1 4194560 1 0 0 0 a b c d", "\0" * 50]
)
def test_damaged_figures_are_unknown_and_not_0(machine: FakeMachine, stat: str) -> None:
    write(machine, 10)
    machine.write("proc/10/stat", stat)
    assert cpu_time_us(machine.host, [10]) is None


def test_a_child_that_ended_before_it_was_looked_at_is_no_matter(machine: FakeMachine) -> None:
    write(machine, 10, 11, 12)
    write(machine, 12)
    assert process_tree(machine.host, 10) == [10, 12]


def test_of_nobody_nothing_is_used(machine: FakeMachine) -> None:
    assert process_tree(machine.host, 77) == []
    assert (cpu_time_us(machine.host, []), memory_bytes(machine.host, [])) == (0, 0)
