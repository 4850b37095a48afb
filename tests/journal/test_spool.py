"""The spool: who owns a run, and which runs are still to be taken in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from greenai.core.errors import ConfigError
from greenai.journal.spool import (
    create_run_folder,
    hold_run,
    is_held,
    mark_ingested,
    new_run_id,
    newest_journal_ns,
    unprocessed_runs,
)

if TYPE_CHECKING:
    from pathlib import Path

_OWNER = """
import sys, subprocess
from pathlib import Path
from greenai.journal.spool import hold_run
hold_run(Path(sys.argv[1]), "n1")
# A program that the owner starts must not inherit the lock.
subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return create_run_folder(tmp_path / "spool", "r1")


def test_a_run_is_held_until_its_owner_lets_go(run: Path) -> None:
    assert not is_held(run)
    file = hold_run(run, "n1")
    assert is_held(run)
    with pytest.raises(BlockingIOError):
        hold_run(run, "n1")
    os.close(file)
    assert not is_held(run)


def test_the_death_of_the_owner_frees_the_run(run: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"held\n"
        assert is_held(run)
        assert is_held(run)  # asking does not take it
        owner.send_signal(signal.SIGKILL)
        owner.wait(timeout=10)
        assert not is_held(run)
        os.killpg(owner.pid, signal.SIGKILL)
    os.close(hold_run(run, "n1"))


def test_a_folder_that_is_gone_is_held_by_nobody(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "nowhere")


def test_run_ids_are_unique_and_sort_by_time() -> None:
    ids = [new_run_id() for _ in range(200)]
    assert len(set(ids)) == 200
    assert [name[:12] for name in ids] == sorted(name[:12] for name in ids)


def test_changed_journals_are_unprocessed(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    assert unprocessed_runs(spool) == []
    first, second = create_run_folder(spool, "1"), create_run_folder(spool, "2")
    create_run_folder(spool, "3")  # without a journal
    (spool / "note.txt").touch()
    for folder in (second, first):
        (folder / "h-1.jsonl").write_text("x\n")
    assert unprocessed_runs(spool) == [first, second]
    mark_ingested(first, newest_journal_ns(first))
    assert unprocessed_runs(spool) == [second]
    later_ns = newest_journal_ns(first) + 1
    os.utime(first / "h-1.jsonl", ns=(later_ns, later_ns))
    assert unprocessed_runs(spool) == [first, second]


def test_what_is_written_meanwhile_is_taken_in_next_time(tmp_path: Path) -> None:
    folder = create_run_folder(tmp_path / "spool", "1")
    journal = folder / "h-1.jsonl"
    journal.write_text("x\n")
    seen_ns = newest_journal_ns(folder)
    os.utime(journal, ns=(seen_ns + 5, seen_ns + 5))
    mark_ingested(folder, seen_ns)
    assert unprocessed_runs(tmp_path / "spool") == [folder]


def test_a_spool_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as caught:
        create_run_folder(tmp_path / "file" / "spool", "1")
    assert str(tmp_path / "file" / "spool") in caught.value.message.en
    assert caught.value.remedy is not None
    assert "GREENAI_SPOOL" in caught.value.remedy.de


def test_a_run_is_its_owners_alone(run: Path) -> None:
    assert run.stat().st_mode & 0o077 == 0
