"""``greenai run`` and descriptors: bytes, pipes, closed and full ones, those beyond standard error, the environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.record import RunRecord

    Records = Callable[..., list[RunRecord]]

pytestmark = pytest.mark.slow

RUN = [sys.executable, "-m", "greenai", "run"]
QUIET = [*RUN, "--quiet", "--"]
WORDS = " ".join(QUIET)


def bash(script: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a script in which ``$G`` is ``greenai run --quiet --``, ``$T`` talks, and ``$R`` gives the record."""
    environ = {**os.environ, "G": WORDS, "T": " ".join([*RUN, "--"]), "R": " ".join([*RUN, "--record", "-", "--"])}
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, env=environ, timeout=60, check=False, **options
    )


def test_a_big_binary_output_is_byte_for_byte_the_same() -> None:
    command = ["head", "-c", "20000000", "/dev/urandom"]
    source = "import hashlib, sys; data = open(sys.argv[1], 'rb').read(); sys.stdout.buffer.write(data); sys.stderr.buffer.write(data[:70000])"
    data = subprocess.run(command, capture_output=True, check=True).stdout
    file = Path("data.bin")
    file.write_bytes(data)
    done = subprocess.run(
        [*QUIET, sys.executable, "-c", source, str(file)], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, len(done.stdout), len(done.stderr)) == (0, len(data), 70_000)
    assert done.stdout == data
    assert done.stderr == data[:70_000]


def test_standard_input_from_a_file_and_from_a_pipe() -> None:
    Path("in").write_bytes(b"\0\xff\r\n" * 50_000)
    done = bash("$G cat < in; cat in | $G cat | cmp - in && echo same; $G wc -c < /dev/null")
    assert done.stdout == b"\0\xff\r\n" * 50_000 + b"same\n0\n"


def test_input_that_the_command_leaves_is_left_to_the_next() -> None:
    done = bash("printf 'one\\ntwo\\n' | { $G bash -c 'read -r a; echo $a'; cat; }")
    assert done.stdout == b"one\ntwo\n"


def test_pipes_break_as_they_do_without_us(records: Records) -> None:
    done = bash("yes | $G head -1; echo ${PIPESTATUS[*]}; $G yes | head -1; echo ${PIPESTATUS[*]}")
    assert done.stdout.split() == [b"y", b"141", b"0", b"y", b"141", b"0"]
    assert done.stderr == b""
    assert [record.exit_code for record in records()] == [0, 128 + signal.SIGPIPE]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors_stay_closed(records: Records, closed: str) -> None:
    """And no file of ours takes their place: a library that writes to standard error would write into it."""
    Path("look").write_text("for n in 0 1 2; do [ -e /proc/self/fd/$n ] && printf $n; done > seen; exit 3\n")
    bare = bash(f"sh look {closed}; cat seen")
    done = bash(f"$T sh look {closed}; code=$?; cat seen; echo; echo $code")
    assert done.stdout.decode().split("\n") == [bare.stdout.decode(), "3", ""]
    assert (records()[0].exit_code, records()[0].journal.bad_lines) == (3, 0)
    if "2>&-" in closed:
        assert done.stderr == b""


@pytest.mark.parametrize("full", [">/dev/full", "2>/dev/full", ">/dev/full 2>&1"])
def test_a_full_disk_behind_the_output_changes_no_exit_code(full: str) -> None:
    assert bash(f"$T sh -c 'exit 6' {full}").returncode == 6
    assert bash(f"$R sh -c 'exit 6' {full}").returncode == 6


def test_a_reader_that_left_changes_no_exit_code() -> None:
    script = "($T sh -c 'sleep 0.3; exit 6'; echo $? > code) 2>&1 | true; cat code"
    assert bash(script).stdout == b"6\n"
    done = bash(script.replace("$T", "$R").replace("2>&1", ""))
    assert done.stdout == b"6\n"
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


def test_descriptors_beyond_standard_error_are_the_commands() -> None:
    """Process substitution, make's job server, sockets of a service manager."""
    done = bash("$G diff <(echo a) <(echo b); echo $?; exec 7<<<seven; $G cat /dev/fd/7")
    assert done.stdout == b"1c1\n< a\n---\n> b\n1\nseven\n"


def test_the_command_gets_no_descriptor_of_ours() -> None:
    look = [sys.executable, "-c", "import os; print(sorted(os.listdir('/proc/self/fd')))"]
    bare, wrapped = (
        subprocess.run([*prefix, *look], capture_output=True, check=True).stdout for prefix in ([], QUIET)
    )
    assert wrapped == bare


def test_the_command_gets_the_environment_that_we_were_given() -> None:
    """Under LANG=C Python sets LC_CTYPE for itself; the command's sort order and encoding are not our business."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    given["ODD"] = "b\udcffd"
    bare, wrapped = (
        subprocess.run([*prefix, "env", "-0"], capture_output=True, check=True, env=given).stdout.split(b"\0")
        for prefix in ([], QUIET)
    )
    added = {entry.partition(b"=")[0] for entry in set(wrapped) - set(bare)}
    assert added == {b"GREENAI_RUN_ID"}
    assert set(bare) <= set(wrapped)


def test_the_name_the_folder_and_the_limits_are_the_commands() -> None:
    script = "umask 027; ulimit -n 333; {} bash -c 'echo $0 $PWD; umask; ulimit -n; nice; echo $$ $PPID > pids'"
    bare, wrapped = (bash(script.format(prefix)).stdout for prefix in ("", "$G"))
    assert wrapped == bare


def test_the_summary_goes_to_standard_error_alone() -> None:
    done = bash("$T echo hi")
    assert done.stdout == b"hi\n"
    assert done.stderr.startswith(b"greenai: ")
    assert done.stderr.count(b"\n") == 1
    done = bash("$G sh -c 'echo hi; echo ho >&2; exit 3'")
    assert (done.stdout, done.stderr, done.returncode) == (b"hi\n", b"ho\n", 3)


def test_the_record_on_standard_output_follows_the_commands() -> None:
    done = subprocess.run([*RUN, "--quiet", "--record", "-", "--", "echo", "hi"], capture_output=True, check=True)
    assert done.stdout.startswith(b"hi\n{")
    assert json.loads(done.stdout[3:])["exit_code"] == 0


def test_nothing_can_be_said_in_ascii(records: Records) -> None:
    done = bash("LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 GREENAI_LANGUAGE=de $T sh -c 'exit 2'")
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
