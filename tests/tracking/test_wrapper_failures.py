"""``greenai run`` where we fail: the command runs, its exit code is its own, and the lack of a measurement is said."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from greenai.core.record import RunRecord

    Records = Callable[..., list[RunRecord]]

RUN = [sys.executable, "-m", "greenai", "run"]
UNSHARE = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-Urm"]
SCRIPT = "echo ran; sleep 0.5; exit 6"


def in_own_mounts(mounts: str, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command where other file systems are mounted."""
    return subprocess.run(
        [*UNSHARE, "sh", "-c", f'{mounts} && exec "$@"', "sh", *words],
        capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "LC_ALL": "C", **environ},
    )  # fmt: skip


@pytest.mark.slow
def test_a_full_disk_keeps_no_job_from_running(tmp_path: Path) -> None:
    spool, temporary = tmp_path / "spool", tmp_path / "temporary"
    spool.mkdir()
    temporary.mkdir()
    mounts = f"mount -t tmpfs -o size=64k tmpfs {spool} && {{ head -c 1M /dev/zero > {spool}/fill 2>/dev/null || true; }}"
    done = in_own_mounts(mounts, *RUN, "--", "sh", "-c", SCRIPT, TMPDIR=str(temporary))
    assert (done.returncode, done.stdout) == (6, "ran\n")
    assert done.stderr.startswith("greenai: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("quiet", [[], ["--quiet"]], ids=["talking", "quiet"])
def test_nowhere_to_write_is_said_in_one_line_before_the_command_starts(quiet: list[str]) -> None:
    """The root file system of a node gone bad: everything is read-only."""
    mounts = (
        "mount --bind / / && mount -o remount,ro,bind / && mount --bind /tmp /tmp && mount -o remount,ro,bind /tmp"
    )
    done = in_own_mounts(mounts, *RUN, *quiet, "--", "sh", "-c", "echo ran >&2; exit 6")
    assert done.returncode == 6
    ours, ran = done.stderr.splitlines()
    assert ran == "ran"
    assert ours.startswith("greenai: the command runs untracked: ")


FAILING = """
import sys, time
from greenai.cli.main import main
from greenai.tracking.command import wrapper
from greenai.tracking.session import Session
wrapper._PATIENCE_S = 0.5
def fail(*args, **options):
    {body}
Session.{method} = fail
main()
"""


def failing(method: str, body: str, *words: str) -> subprocess.CompletedProcess[str]:
    source = FAILING.replace("{body}", body).replace("{method}", method)
    return subprocess.run(
        [sys.executable, "-c", source, "run", *words], capture_output=True, text=True, check=False, timeout=30
    )


@pytest.mark.slow
def test_a_fault_of_ours_at_the_start_is_said_in_one_line() -> None:
    done = failing("begin", "raise RuntimeError('ours')", "--quiet", "--", "sh", "-c", "echo ran; exit 6")
    assert (done.returncode, done.stdout) == (6, "ran\n")
    assert done.stderr == "greenai: the command runs untracked: RuntimeError('ours')\n"


@pytest.mark.slow
def test_a_start_that_hangs_is_not_waited_for() -> None:
    began_s = time.monotonic()
    done = failing("begin", "time.sleep(60)", "--", "sh", "-c", "echo ran; kill -9 $$")
    assert time.monotonic() - began_s < 10
    assert (done.returncode, done.stdout) == (137, "ran\n")
    assert done.stderr.startswith("greenai: the command runs untracked: tracking took longer than")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("body", ["raise RuntimeError('ours')", "time.sleep(60)"], ids=["raises", "hangs"])
def test_an_end_that_fails_changes_no_exit_code(body: str) -> None:
    began_s = time.monotonic()
    done = failing("end", body, "--", "sh", "-c", "echo ran; exit 6")
    assert time.monotonic() - began_s < 12
    assert (done.returncode, done.stdout) == (6, "ran\n")
    assert done.stderr.startswith("greenai: ")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_no_process_can_be_started(records: Records) -> None:
    """The limit of processes leaves room for us, but not for the command."""
    prepare = "import resource, os; resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))"
    source = f"{prepare}; os.execv({sys.executable!r}, {[*RUN, '--quiet', '--', 'sh', '-c', 'exit 6']!r})"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, check=False, timeout=30)
    assert done.returncode == 6
    assert records()[0].state is RunState.FAILED


@pytest.mark.parametrize(
    ("name", "value"), [("GREENAI_INTERVAL_S", "often"), ("GREENAI_SCOPE", "moon"), ("GREENAI_INTERVALS", "1")]
)
def test_what_was_typed_wrongly_starts_nothing(tmp_path: Path, name: str, value: str) -> None:
    done = subprocess.run(
        [*RUN, "--", "touch", str(tmp_path / "ran")], env={**os.environ, name: value}, capture_output=True, check=False
    )  # fmt: skip
    assert done.returncode == 2
    assert not (tmp_path / "ran").exists()
