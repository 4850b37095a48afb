"""Writing a journal: forks, full disks, and what a half-written line costs."""

from __future__ import annotations

import json
import os
from errno import ENOSPC
from typing import TYPE_CHECKING

import pytest

from greenai.core.vocabulary import Role
from greenai.journal import format as f
from greenai.journal.lines import read_process
from greenai.journal.reader import read_run
from greenai.journal.writer import JournalWriter
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def journal(tmp_path: Path) -> JournalWriter:
    folder = tmp_path / "run"
    folder.mkdir()
    return JournalWriter(folder, FakeMachine(tmp_path / "machine").host, Role.OWNER, [], 1.0, {"name": "x"})


def in_child(action: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            action()
        except BaseException:  # noqa: BLE001  # the child must not run the rest of the test session
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return pid


def units(path: Path) -> float:
    log = read_process(path.read_bytes().split(b"\n"))
    assert log is not None
    assert log.bad_lines == 0
    return log.units_in(None)


def test_a_forked_child_writes_to_a_file_of_its_own(journal: JournalWriter) -> None:
    journal.event(f.UNITS, n=1)
    parents = journal.path

    def child() -> None:
        journal.event(f.UNITS, n=10)
        journal.event(f.UNITS, n=100)
        journal.close()

    pid = in_child(child)
    journal.event(f.UNITS, n=2)
    journal.close()
    childs = parents.with_name(f"fake-{pid}.jsonl")
    assert (units(parents), units(childs)) == (3, 110)
    log = read_run(parents.parent)
    assert sorted(process.role for process in log.processes) == [Role.MEMBER, Role.OWNER]
    assert [process.meta for process in log.processes if process.role is Role.MEMBER] == [{}]
    assert json.loads(parents.read_bytes().splitlines()[-1])["k"] == "close"


def test_a_forked_child_never_ends_its_parents_journal(journal: JournalWriter) -> None:
    in_child(journal.close)
    assert b'"close"' not in journal.path.read_bytes()
    journal.event(f.UNITS, n=4)
    assert units(journal.path) == 4
    assert len(list(journal.path.parent.glob("*.jsonl"))) == 1
    journal.close()


def test_a_child_that_cannot_have_a_file_leaves_its_parents_alone(journal: JournalWriter) -> None:
    before = journal.path.read_bytes()

    def child() -> None:
        journal.path.with_name(f"fake-{os.getpid()}.jsonl").mkdir()
        for _ in range(3):
            with pytest.raises(OSError, match="Errno"):
                journal.event(f.UNITS, n=1)

    in_child(child)
    assert journal.path.read_bytes() == before
    journal.close()


def test_a_line_after_half_a_line_is_whole(journal: JournalWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    room = 20

    def full_disk(file: int, data: bytes) -> int:
        nonlocal room
        if room == 0:
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        written = real(file, data[:room])
        room -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full_disk)
        for _ in range(3):
            try:
                journal.event(f.UNITS, n=1)
            except OSError:
                continue
    journal.event(f.UNITS, n=7)
    journal.close()
    log = read_process(journal.path.read_bytes().split(b"\n"))
    assert log is not None
    assert (log.units_in(None), log.bad_lines) == (7, 1)


def test_every_line_is_numbered(journal: JournalWriter) -> None:
    for _ in range(5):
        journal.event(f.UNITS, n=1)
    journal.close()
    assert [json.loads(line)["seq"] for line in journal.path.read_bytes().splitlines()] == list(range(7))


def test_nobody_else_may_read_it(journal: JournalWriter) -> None:
    assert journal.path.stat().st_mode & 0o077 == 0
    journal.close()


def test_closing_twice_is_once(journal: JournalWriter) -> None:
    journal.close()
    journal.close()
    assert journal.path.read_bytes().count(b'"close"') == 1
