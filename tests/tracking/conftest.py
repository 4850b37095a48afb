"""Every test gets folders of its own and an environment that says nothing about greenai."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.account import account
from greenai.journal.reader import read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from greenai.core.record import RunRecord


@pytest.fixture
def records(tmp_path: Path) -> Callable[..., list[RunRecord]]:
    """Give the records of all runs in the spool, oldest first."""

    def read(now_s: float | None = None) -> list[RunRecord]:
        folders = sorted((tmp_path / "spool").glob("[!.]*"))
        return [account(read_run(folder, now_s)).record for folder in folders]

    return read


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait for something to come true, not longer than ten seconds."""

    def wait(what: Callable[[], object], seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.01)

    return wait


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start programs in a session of their own; whatever is left of them is ended after the test."""
    begun: list[subprocess.Popen[str]] = []

    def popen(source: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        script = tmp_path / f"program_{len(begun)}.py"
        script.write_text(source, encoding="utf-8")
        for name in ("stdin", "stdout", "stderr"):
            options.setdefault(name, subprocess.PIPE)
        command = options.pop("prefix", [])
        process = subprocess.Popen(
            [*command, sys.executable, str(script), *arguments], text=True, start_new_session=True, **options
        )
        begun.append(process)
        return process

    yield popen
    for process in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def program(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., tuple[int, str, str]]:
    """Run a program to its end: exit code, stdout, stderr."""

    def run(source: str, *arguments: str, **options: Any) -> tuple[int, str, str]:
        process = start(source, *arguments, **options)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    return run
