"""Reading the end of journals without the hours before it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.vocabulary import Role
from greenai.journal import format as f
from greenai.journal import tail
from greenai.journal.reader import read_run
from greenai.journal.tail import read_tail

if TYPE_CHECKING:
    from pathlib import Path

COUNTER = "rapl:package-0"


def test_only_the_last_seconds_are_read(journals: Any) -> None:
    journals.begin("aa", seconds=3000)
    (whole,) = read_run(journals.spool / "aa").processes
    (end,) = read_tail(journals.spool / "aa", 60).processes
    assert end.channels == whole.channels
    assert (end.role, end.meta["name"], end.wall_ns) == (Role.OWNER, "fit", whole.wall_ns)
    assert end.last_ns == whole.last_ns
    assert end.readings[COUNTER] == whole.readings[COUNTER][-len(end.readings[COUNTER]) :]
    assert len(end.readings[COUNTER]) == 62  # sixty seconds, and the reading from which they begin
    assert end.bad_lines == 0


@pytest.mark.parametrize("seconds", [20, 299, 300, 5000])
def test_short_journals_are_read_whole(journals: Any, seconds: float) -> None:
    journals.begin("aa", seconds=20)
    assert read_tail(journals.spool / "aa", seconds).processes == read_run(journals.spool / "aa").processes


def test_dense_lines_shorten_the_stretch(journals: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    journals.begin("aa", seconds=3000)
    monkeypatch.setattr(tail, "MOST_BYTES", 40_000)
    (end,) = read_tail(journals.spool / "aa", 3000).processes
    assert 100 < len(end.readings[COUNTER]) < 2000
    assert end.last_ns == read_run(journals.spool / "aa").processes[0].last_ns


def test_a_torn_end_and_damage_cost_their_lines_only(journals: Any) -> None:
    journal, _ = journals.begin("aa", seconds=2000)
    path: Path = journal.path
    data = path.read_bytes()
    lines = data.split(b"\n")
    lines[-30] = b'{"k":"tick","t":12'
    lines[-31] = b"\0" * 40
    path.write_bytes(b"\n".join(lines) + b'{"k":"tick","t":99999')
    (end,) = read_tail(journals.spool / "aa", 60).processes
    assert len(end.readings[COUNTER]) in (60, 61)
    for cut in range(len(data) - 700, len(data), 7):
        path.write_bytes(data[:cut])
        assert read_tail(journals.spool / "aa", 60).processes[0].readings[COUNTER]


def test_old_files_are_left_out_all_but_the_owners_first_line(journals: Any) -> None:
    owner, machine = journals.begin("aa", seconds=10)
    folder = journals.spool / "aa"
    for number in range(3):
        part = type(owner)(folder, machine.host, Role.SAMPLER, (), 1.0, part=f"sampler-{number}")
        part.event(f.NOTE, code="x", message={"de": "x", "en": "x"}, remedy=None)
        os.utime(part.path, (1000 * number, 1000 * number))
    os.utime(owner.path, (1000, 1000))
    log = read_tail(folder, 60, now_s=2005)
    assert [(process.role, len(process.readings)) for process in log.processes] == [
        (Role.OWNER, 2),
        (Role.SAMPLER, 0),
    ]
    assert log.silent_s == 5


def test_nothing_to_read(journals: Any) -> None:
    assert read_tail(journals.spool / "nobody", 60).processes == ()
    (journals.spool / "aa").mkdir(parents=True)
    (journals.spool / "aa" / "h-1.jsonl").write_bytes(b"")
    (journals.spool / "aa" / "h-2.jsonl").write_bytes(b"no journal\n")
    assert read_tail(journals.spool / "aa", 60).processes == ()
