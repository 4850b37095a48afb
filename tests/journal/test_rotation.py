"""A journal that goes on in a new file is one journal to its reader."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.reading import CounterReading
from greenai.core.vocabulary import Role
from greenai.journal import format as f
from greenai.journal.reader import journals, read_run
from greenai.journal.writer import JournalWriter
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from pathlib import Path

COUNTER = Channel("a:cpu", "a", Component.CPU, Kind.COUNTER, Quality.MEASURED, "cpu", "fake", "m", 0.05, 10**9)


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def tick(journal: JournalWriter, machine: FakeMachine) -> CounterReading:
    machine.clock.advance(1)
    t_ns = machine.clock.mono_ns()
    reading = CounterReading("a:cpu", t_ns, t_ns // 100)
    journal.readings(f.TICK, t_ns, [reading])
    return reading


def test_its_parts_are_read_as_one(machine: FakeMachine, folder: Path) -> None:
    journal = JournalWriter(folder, machine.host, Role.SAMPLER, [COUNTER], 1.0, {"name": "x"}, part="s")
    other = JournalWriter(folder, machine.host, Role.OWNER, [COUNTER], 1.0)
    expected = []
    for _ in range(12):
        expected.append(tick(journal, machine))
        journal.rotate()
    expected.append(tick(journal, machine))
    log = read_run(folder)
    assert [len(parts) for parts in journals(folder)] == [1, 13]
    sampler = next(process for process in log.processes if process.role is Role.SAMPLER)
    assert (list(sampler.readings["a:cpu"]), sampler.bad_lines, sampler.closed) == (expected, 0, False)
    assert sampler.meta == {"name": "x"}
    journal.close()
    assert next(p for p in read_run(folder).processes if p.role is Role.SAMPLER).closed
    other.close()


def test_a_part_that_others_followed_is_never_written_again(machine: FakeMachine, folder: Path) -> None:
    journal = JournalWriter(folder, machine.host, Role.SAMPLER, [COUNTER], 1.0)
    first = journal.path
    tick(journal, machine)
    journal.rotate()
    before = first.read_bytes()
    tick(journal, machine)
    journal.close()
    journal.rotate()  # after its end it does nothing
    assert first.read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == [
        f"fake-{os.getpid()}.jsonl",
        f"fake-{os.getpid()}~000001.jsonl",
    ]


def test_a_part_without_a_good_line_costs_itself_only(machine: FakeMachine, folder: Path) -> None:
    journal = JournalWriter(folder, machine.host, Role.SAMPLER, [COUNTER], 1.0)
    tick(journal, machine)
    journal.rotate()
    torn = journal.path
    journal.rotate()
    last = tick(journal, machine)
    journal.close()
    torn.write_bytes(b"no line")
    (process,) = read_run(folder).processes
    assert process.bad_lines == 1
    assert len(process.readings["a:cpu"]) == 2
    assert process.readings["a:cpu"][-1] == last


def test_a_full_disk_at_the_change_loses_no_later_line(
    machine: FakeMachine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = JournalWriter(folder, machine.host, Role.SAMPLER, [COUNTER], 1.0)
    tick(journal, machine)
    real = os.open

    def full(path: object, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(28, "No space left on device")
        return real(path, flags, *mode)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", full)
        with pytest.raises(OSError, match="space"):
            journal.rotate()
    last = tick(journal, machine)
    journal.close()
    (process,) = read_run(folder).processes
    assert process.readings["a:cpu"][-1] == last
    assert len(process.readings["a:cpu"]) == 2
