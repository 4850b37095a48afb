"""Programs of others: what they say, and that none of them holds us up."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from greenai.host.commands import NOT_FOUND, TIMEOUT, CommandResult, run_command


def script(folder: Path, text: str) -> str:
    file = folder / "tool"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_what_it_prints() -> None:
    assert run_command(["echo", "Current Power : 220 Watts"], 5) == CommandResult("Current Power : 220 Watts\n")


def test_a_program_that_is_not_there() -> None:
    assert run_command(["no-such-vendor-tool", "--power"], 5) == CommandResult("", NOT_FOUND)
    assert run_command(["/etc/passwd/tool"], 5) == CommandResult("", NOT_FOUND)


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("text")
    assert run_command([str(tool)], 5) == CommandResult("", "Permission denied")
    tool.chmod(0o755)
    assert run_command([str(tool)], 5) == CommandResult("", "Exec format error")


@pytest.mark.parametrize("command", [[], [""], ["echo", "a\0b"]])
def test_what_is_no_command(command: list[str]) -> None:
    result = run_command(command, 5)
    assert result.output == ""
    assert result.reason


def test_a_failure_gives_its_last_words(tmp_path: Path) -> None:
    tool = script(tmp_path, "echo half a figure; echo first >&2; echo 'Could not open device' >&2; exit 3")
    assert run_command([tool], 5) == CommandResult("", "Could not open device")


@pytest.mark.parametrize(("end", "reason"), [("exit 7", "exit code 7"), ("kill -9 $$", "exit code -9")])
def test_a_silent_failure_gives_its_code(tmp_path: Path, end: str, reason: str) -> None:
    assert run_command([script(tmp_path, f"echo half a figure; {end}")], 5) == CommandResult("", reason)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    assert run_command([script(tmp_path, "printf '\\377 W'")], 5) == CommandResult("\ufffd W")


def test_its_environment_is_ours_not_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LD_PRELOAD_FREE", "1")
    monkeypatch.setenv("PATH", str(tmp_path))
    script(tmp_path, "echo of the user").replace("tool", "env")
    (tmp_path / "tool").rename(tmp_path / "env")
    said = run_command(["env"], 5).output.splitlines()
    assert "LC_ALL=C" in said
    assert not [line for line in said if line.startswith("LD_PRELOAD_FREE")]


def test_it_gets_no_input(tmp_path: Path) -> None:
    assert run_command(["cat"], 5) == CommandResult("")


def test_a_program_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    tool = script(tmp_path, f"sleep 60 & echo $! >{pids}; echo $$ >>{pids}; wait")
    start_s = time.monotonic()
    assert run_command([tool], 0.3) == CommandResult("", TIMEOUT)
    assert time.monotonic() - start_s < 1.5
    deadline_s = time.monotonic() + 5
    children = [int(line) for line in pids.read_text().split()]
    while not all(gone(pid) for pid in children) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert len(children) == 2
    assert all(gone(pid) for pid in children)


def test_a_child_that_fled_and_holds_the_pipe_does_not_hold_us(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    tool = script(tmp_path, f"setsid sh -c 'echo $$ >{pid}; exec sleep 30' & sleep 60")
    start_s = time.monotonic()
    assert run_command([tool], 0.5) == CommandResult("", TIMEOUT)
    assert time.monotonic() - start_s < 3
    os.kill(int(pid.read_text()), 9)


def test_a_program_that_cannot_be_killed_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_group: int, _signal: int) -> None:
        raise PermissionError

    pid = tmp_path / "pid"
    monkeypatch.setattr(os, "killpg", refuse)
    start_s = time.monotonic()
    assert run_command([script(tmp_path, f"echo $$ >{pid}; exec sleep 2")], 0.2) == CommandResult("", TIMEOUT)
    assert time.monotonic() - start_s < 1.9
    os.waitpid(int(pid.read_text()), 0)


def test_much_output_does_not_block(tmp_path: Path) -> None:
    tool = script(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero | tr '\\0' e >&2")
    assert len(run_command([tool], 20).output) == 3_000_000


def test_an_interrupt_of_the_job_does_not_reach_it(tmp_path: Path) -> None:
    code = "from greenai.host.commands import run_command; print(run_command(['sh', '-c', 'ps -o pgid= $$'], 5).output)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) != os.getpgid(0)
