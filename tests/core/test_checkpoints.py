"""What a run had taken up to its checkpoints, and what was lost since the last one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.account import account
from greenai.core.checkpoints import CheckpointEnergy, checkpoints, lost_work_j
from greenai.core.vocabulary import RunState
from greenai.journal import format as f
from greenai.journal.reader import read_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.events import RunLog

# The journals of tests draw 100 W and 5 W.
POWER_W = 105.0


def rows_of(log: RunLog) -> tuple[CheckpointEnergy, ...]:
    return account(log).record.checkpoints


@pytest.fixture
def lines(journals: Any) -> Callable[..., RunLog]:
    """Write a run of so many seconds with checkpoints at these seconds; it does not end."""

    def write(seconds: int, **at_s: int) -> RunLog:
        journal, machine = journals.begin("run", 0)
        journals.mark(journal, machine, f.CHECKPOINT, name="at once")
        for second in range(1, seconds + 1):
            machine.clock.advance(1.0)
            journals.mark(journal, machine, f.TICK)
            for name in [name for name, when_s in at_s.items() if when_s == second]:
                journals.mark(journal, machine, f.CHECKPOINT, name=name)
        return read_run(journals.spool / "run")

    return write


def test_what_was_taken_up_to_each(lines: Callable[..., RunLog]) -> None:
    log = lines(20, late=17, early=8)
    rows = rows_of(log)
    assert [(row.name, row.duration_s) for row in rows] == [("at once", 0), ("early", 8), ("late", 17)]
    assert rows[0].energy_j is None
    assert [row.energy_j for row in rows[1:]] == pytest.approx([8 * POWER_W, 17 * POWER_W], rel=0.02)
    assert rows[1].started_ms == log.processes[0].wall_at((log.processes[0].start_ns or 0) + 8 * 10**9) // 10**6
    total_j = account(log).record.energy_j
    assert lost_work_j(RunState.KILLED, total_j, rows) == pytest.approx(3 * POWER_W, rel=0.02)


def test_a_checkpoint_outside_what_is_looked_at_is_left_out(lines: Callable[..., RunLog]) -> None:
    log = lines(20, late=17)
    start_ns = log.processes[0].start_ns or 0
    rows = checkpoints(log.processes, {"fake": (start_ns, start_ns + 10**9)}, [])
    assert [row.name for row in rows] == ["at once"]
    assert checkpoints(log.processes, {"other": (0, 10**18)}, []) == ()


def test_a_damaged_checkpoint_costs_itself_only(journals: Any) -> None:
    folder = journals.run("run")
    (path,) = folder.glob("*.jsonl")
    data = path.read_bytes()
    path.write_bytes(data + b'{"k":"checkpoint","t":"x"}\n{"k":"checkpoint","t":1000000000000,"seq":3}\n')
    (process,) = read_run(folder).processes
    assert process.bad_lines == 1
    assert process.checkpoints == [(None, 1000 * 10**9)]


@given(
    st.sampled_from(RunState), st.none() | st.floats(0, 1e9), st.lists(st.none() | st.floats(0, 1e9), max_size=3)
)
def test_lost_work(state: RunState, total_j: float | None, energies_j: list[float | None]) -> None:
    row = CheckpointEnergy(None, 0, 1.0, None)
    rows = tuple(replace(row, energy_j=energy_j) for energy_j in energies_j)
    lost_j = lost_work_j(state, total_j, rows)
    ended_well = state in (RunState.COMPLETED, RunState.RUNNING)
    if ended_well or total_j is None or not energies_j or energies_j[-1] is None:
        assert lost_j is None
    else:
        assert lost_j == max(total_j - energies_j[-1], 0)
