"""Which steps of a job run here: by their control groups, else by the titles of their managers."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

import pytest

from greenai.host.folder_events import FolderEvents
from greenai.slurm.steps import StepWatch
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine", environ={"SLURM_JOB_ID": "5"})


def process(machine: FakeMachine, pid: int, title: str) -> None:
    folder = machine.host.proc_root / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cmdline").write_bytes(title.encode() + b"\0")


def test_steps_are_the_titles_of_their_managers(machine: FakeMachine) -> None:
    watch = StepWatch(machine.host, "5", "0")
    titles = ["init", "slurmstepd: [5.batch]", "slurmstepd: [5.0]", "slurmstepd: [5.extern]", "slurmstepd: [55.7]"]
    for number, title in enumerate(titles):
        process(machine, number + 1, title)
    assert watch.look() == {"batch"}
    process(machine, 9, "slurmstepd: [5.3]    ")
    assert watch.look() == {"batch", "3"}
    for file in (machine.host.proc_root / "2").iterdir():
        file.unlink()
    (machine.host.proc_root / "2").rmdir()
    assert watch.look() == {"3"}


def test_a_manager_that_has_no_title_yet_is_looked_at_again(machine: FakeMachine) -> None:
    watch = StepWatch(machine.host, "5", None)
    process(machine, 7, "/usr/sbin/slurmstepd")
    for _ in range(5):
        assert not watch.look()
    process(machine, 7, "slurmstepd: [5.1]")
    assert watch.look() == {"1"}


def test_the_parts_of_a_heterogeneous_job_are_named_with_a_plus(machine: FakeMachine) -> None:
    watch = StepWatch(machine.host, "5", None)
    process(machine, 7, "slurmstepd: [5+1.2]")
    assert watch.look() == {"2"}


def test_without_any_processes_to_see_there_are_none(machine: FakeMachine) -> None:
    assert StepWatch(machine.host, "5", None).look() == frozenset()


def test_a_folder_tells_what_comes_and_goes(tmp_path: Path) -> None:
    events = FolderEvents(tmp_path)
    assert select.select([events], [], [], 0) == ([], [], [])
    (tmp_path / "step_0").mkdir()
    assert select.select([events], [], [], 5)[0] == [events]
    events.forget()
    assert select.select([events], [], [], 0)[0] == []
    (tmp_path / "step_0").rmdir()
    assert select.select([events], [], [], 5)[0] == [events]
    number = events.fileno()
    events.close()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(number)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FolderEvents(tmp_path / "nothing")
