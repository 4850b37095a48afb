"""A run that goes on is not read over and over; one that ended, or fell silent, is taken in at once."""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import RunState
from greenai.ingest import ingest_spool
from greenai.ingest.pace import goes_on, is_due
from greenai.journal import format as f
from greenai.settings import load_settings
from greenai.store import open_store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def running(journals: Any) -> tuple[Path, Any, Any]:
    """A run that was just taken in, which took a minute."""
    journal, machine = journals.begin("aaaa0001")
    folder = journal.path.parent
    goes_on(folder, 60.0)
    return folder, journal, machine


def test_a_run_that_goes_on_waits(running: Any, journals: Any) -> None:
    folder, journal, machine = running
    assert not is_due(folder)
    journals.mark(journal, machine, f.TICK)
    assert not is_due(folder)
    with closing(open_store(load_settings().db)) as store:
        assert ingest_spool(store, load_settings()).taken == ()


def test_it_waits_ten_times_as_long_as_it_took(journals: Any) -> None:
    journal, _ = journals.begin("aaaa0001")
    folder = journal.path.parent
    goes_on(folder, 0.01)
    assert not is_due(folder)
    time.sleep(0.15)
    assert is_due(folder)


def test_one_that_ended_is_due(running: Any, journals: Any) -> None:
    folder, journal, machine = running
    journals.end(journal, machine)
    assert is_due(folder)
    with closing(open_store(load_settings().db)) as store:
        assert ingest_spool(store, load_settings()).taken == ("aaaa0001",)
        assert store.record("aaaa0001").state is RunState.COMPLETED
    assert not (folder / "running").exists()


def test_one_that_fell_silent_is_due(running: Any) -> None:
    folder, journal, _ = running
    long_ago = time.time() - 60
    os.utime(journal.path, (long_ago, long_ago))
    assert is_due(folder)


def test_a_clock_that_was_set_back_does_not_make_it_wait_for_ever(running: Any) -> None:
    folder, _, _ = running
    tomorrow_ns = time.time_ns() + 86_400 * NS_PER_S
    os.utime(folder / "running", ns=(tomorrow_ns, tomorrow_ns))
    assert is_due(folder)


def test_a_worker_that_comes_back_may_end_again(running: Any, journals: Any) -> None:
    folder, journal, machine = running
    journals.end(journal, machine)
    goes_on(folder, 60.0)  # others went on
    assert not is_due(folder)


def test_a_pipe_in_place_of_a_journal_or_the_marker_keeps_nobody_waiting(running: Any) -> None:
    folder, journal, _ = running
    os.mkfifo(folder / "pipe-1.jsonl")
    assert not is_due(folder)
    (folder / "running").unlink()
    os.mkfifo(folder / "running")
    assert is_due(folder)
    journal.close()
