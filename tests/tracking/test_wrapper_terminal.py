"""``greenai run`` on a terminal: Ctrl-C, Ctrl-Z, fg, bg, the window's size, hanging up; as a person does it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

import pytest

from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from greenai.core.record import RunRecord

    Records = Callable[..., list[RunRecord]]

pytestmark = pytest.mark.slow

RUN = [sys.executable, "-m", "greenai", "run"]
QUIET = [*RUN, "--quiet", "--"]
SUMMARY = re.compile(r"greenai: (Energie unbekannt|energy unknown|[\d.,]+\sm?J)\s")


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A terminal with one program on it, which leads its session."""

    def __init__(self, *command: str, **environ: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
        self.seen = ""
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=_take_terminal, env={**os.environ, **environ},  # noqa: PLW1509
        )  # fmt: skip
        os.close(slave)

    def type(self, keys: str) -> None:
        """Type."""
        os.write(self.master, keys.encode())

    def read(self, wanted: str, seconds: float = 15) -> str:
        """Read until something is on the screen; return what came since the last call, that included."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(wanted, self.seen, re.MULTILINE)):
            assert time.monotonic() < deadline, f"{wanted!r} not in {self.seen!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 65536).decode()
        text, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return text

    def rest(self) -> str:
        """Return what is on the screen when the program has ended."""
        self.process.wait(timeout=20)
        while select.select([self.master], [], [], 0.2)[0]:
            try:
                self.seen += os.read(self.master, 65536).decode()
            except OSError:  # nobody has it open any more
                break
        return self.seen

    def close(self) -> None:
        """Hang up, and end what is left."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*command: str, **options: str) -> Terminal:
        opened.append(Terminal(*command, **options))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def shell(terminal: Callable[..., Terminal]) -> Terminal:
    """An interactive shell with job control; ``g`` is ``greenai run --quiet --``."""
    one = terminal("bash", "--norc", "--noprofile", "-i", PS1="$ ", LC_ALL="C", TERM="dumb")
    one.type(f'stty -echo; g() {{ {" ".join(QUIET)} "$@"; }}; echo go\n')
    one.read(r"^go\r\n\$ ")
    return one


LOOK = (
    "import os, sys; size = os.get_terminal_size(0);"
    "print([os.isatty(n) for n in range(3)], size.columns, size.lines, os.tcgetpgrp(0) == os.getpgrp(),"
    " os.ttyname(0) == os.ttyname(2), os.getsid(0) == os.getsid(os.getppid()), os.getpgrp() == os.getpgid(os.getppid()))"
)


def test_the_command_is_on_the_terminal(terminal: Callable[..., Terminal]) -> None:
    one = terminal(*QUIET, sys.executable, "-c", LOOK)
    assert one.rest() == "[True, True, True] 99 33 True True True True\r\n"
    assert one.process.returncode == 0


def test_the_command_reads_what_is_typed(terminal: Callable[..., Terminal]) -> None:
    one = terminal(*QUIET, "sh", "-c", 'stty -echo; echo ask; read a; read -r b; echo "<$a|$b>"; exit 4')
    one.read("ask")
    one.type("one two\n\x04")
    assert one.rest().strip() == "<one two|>"
    assert one.process.returncode == 4


COUNT = """
import signal, sys
got = []
signal.signal(int(sys.argv[1]), lambda number, frame: got.append(number))
print("ready", flush=True)
sys.stdin.readline()
print("got", len(got), *map(repr, sys.argv[2:]))
sys.exit(3)
"""


@pytest.mark.parametrize(("key", "number"), [("\x03", signal.SIGINT), ("\x1c", signal.SIGQUIT)])
def test_a_key_reaches_the_command_once(terminal: Callable[..., Terminal], key: str, number: int) -> None:
    one = terminal(*QUIET, sys.executable, "-c", COUNT, str(int(number)))
    one.read("ready")
    for _ in range(3):
        one.type(key)
        time.sleep(0.15)
    one.type("\n")
    assert "got 3" in one.rest()
    assert one.process.returncode == 3


def test_an_interrupt_sent_to_the_wrapper_alone_goes_on(terminal: Callable[..., Terminal]) -> None:
    one = terminal(*QUIET, sys.executable, "-c", COUNT, str(int(signal.SIGINT)))
    one.read("ready")
    for pause_s in (0.1, 0.5):  # soon after a key, and later
        one.process.send_signal(signal.SIGINT)
        time.sleep(0.15)
        one.type("\x03")
        time.sleep(pause_s)
        one.process.send_signal(signal.SIGINT)
        time.sleep(0.15)
    one.type("\n")
    assert "got 6" in one.rest()


def test_a_new_window_size_is_told_once(terminal: Callable[..., Terminal]) -> None:
    one = terminal(*QUIET, sys.executable, "-c", COUNT, str(int(signal.SIGWINCH)))
    one.read("ready")
    fcntl.ioctl(one.master, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 60, 0, 0))
    time.sleep(0.2)
    one.type("\n")
    assert "got 1" in one.rest()


@pytest.mark.parametrize(("language", "words"), [("de", "geschätzt"), ("en", "estimated")])
def test_ctrl_c_ends_the_command_and_then_us(
    terminal: Callable[..., Terminal], records: Records, language: str, words: str
) -> None:
    one = terminal(*RUN, "--", "sh", "-c", "echo ready; exec sleep 30", GREENAI_LANGUAGE=language)
    one.read("ready")
    one.type("\x03")
    screen = one.rest()
    assert one.process.returncode == -signal.SIGINT  # a shell's loop ends; $? is 130
    assert SUMMARY.search(screen)
    assert words in screen or "mess" in screen or "meas" in screen
    assert "Traceback" not in screen
    assert (records()[0].state, records()[0].exit_code) == (RunState.KILLED, 130)


def test_ctrl_c_ends_a_loop_of_the_shell(shell: Terminal) -> None:
    shell.type("for n in 1 2 3; do echo turn $n; g sh -c 'echo on; exec sleep 20'; done; echo over $?\n")
    shell.read("turn 1\r\non")
    shell.type("\x03")
    assert "turn 2" not in shell.read(r"\$ $")
    shell.type("echo $?\n")
    shell.read("^130\r\n")


def test_ctrl_z_fg_and_bg(shell: Terminal, records: Records) -> None:
    shell.type("g sh -c 'echo ready; read line; echo got $line; sleep 3; exit 5'\n")
    shell.read("^ready\r\n")
    shell.type("\x1a")
    shell.read(r"Stopped.*\r\n\$ ")
    shell.type("jobs\n")
    shell.read(r"\[1\]\+ +Stopped")
    shell.type("bg\n")
    time.sleep(0.3)  # it wants to read, in the background
    shell.type("jobs\n")
    shell.read(r"\[1\]\+ +Stopped")
    shell.type("fg\n")
    shell.read("greenai")
    time.sleep(0.3)
    shell.type("hello\n")
    shell.read("^got hello\r\n")
    time.sleep(1)  # a shell that is just starting its sleep (vfork) cannot be stopped, with or without us
    shell.type("\x1a")
    shell.read(r"Stopped.*\r\n\$ ")
    shell.type("bg; wait %1; echo code $?\n")
    shell.read("^code 5|Exit 5")
    (record,) = records()
    assert (record.state, record.exit_code) == (RunState.FAILED, 5)
    assert record.incidents == ()


def test_a_shell_with_its_own_jobs_runs_inside(terminal: Callable[..., Terminal]) -> None:
    one = terminal(*QUIET, "bash", "--norc", "--noprofile", "-i", PS1="% ", LC_ALL="C", TERM="dumb")
    one.read("% $")
    one.type("stty -echo; sleep 30\n")
    time.sleep(0.7)
    one.type("\x1a")
    one.read(r"Stopped.*\r\n.*% ")
    one.type("fg\n")
    time.sleep(0.3)
    one.type("\x03")
    one.read("% $")
    one.type("kill %1 2>/dev/null; exit 9\n")
    one.rest()
    assert one.process.returncode == 9


def test_hanging_up_reaches_the_command(terminal: Callable[..., Terminal], records: Records) -> None:
    """The kernel tells the leader of the session alone, which the command would be without us."""
    one = terminal(*QUIET, "sh", "-c", "echo ready; exec sleep 30")
    one.read("ready")
    os.close(one.master)
    one.master = -1
    assert one.process.wait(timeout=10) == 128 + signal.SIGHUP
    (record,) = records()
    assert (record.state, record.exit_code) == (RunState.KILLED, 129)
