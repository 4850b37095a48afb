"""Many processes, several nodes, one run: each node's joules once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from greenai.testing import FakeClock, FakeMachine
from greenai.testing.machines.rapl import DRAM_RANGE_UJ, Zone, powercap

if TYPE_CHECKING:
    from pathlib import Path

HOUR_S = 3600.0


def node(folder: Path) -> FakeMachine:
    clock = FakeClock(mono_ns=7_000_000_000_000) if folder.name.endswith("1") else FakeClock()
    machine = FakeMachine(folder, clock=clock)
    powercap(machine, [Zone("package-0", 0, inside=(Zone("dram", 0, DRAM_RANGE_UJ),))])
    return machine


def two_nodes(play: Any) -> tuple[Any, Any]:
    """Nodes of 200 W and 300 W, each with a monotonic clock of its own; the second follows the first's time."""
    first, second = play(node, "n1"), play(node, "n2")
    for stage, watts in ((first, 180.0), (second, 280.0)):
        stage.rapl("intel-rapl:0", watts)
        stage.rapl("intel-rapl:0:0", 20.0)
    first.drive(0.0, lambda *_: second.pass_time(first.now_s - second.now_s))
    return first, second


def test_four_ranks_on_each_of_two_nodes_without_mpi(play: Any) -> None:
    """codecarbon#544: 8 ranks are 8 times the machine; perun without MPI: each rank is a node. Here: each node once."""
    first, second = two_nodes(play)
    ranks = [(stage, 2.0 + number / 10, 50.0 + number / 10) for stage in (first, second) for number in range(4)]
    run = first.run(60, ranks=ranks)
    assert run.record.hosts == ("n1", "n2")
    by_host = dict.fromkeys(run.record.hosts, 0.0)
    for row in run.record.energy.channels:
        by_host[row.host] += row.energy_j if row.counted and row.energy_j else 0.0
    assert by_host["n1"] == pytest.approx(200 * 60)
    assert by_host["n2"] == pytest.approx(300 * 48.3)  # from the first rank's begin to the last one's end
    assert run.energy_j == pytest.approx(sum(by_host.values()))
    windows = run.record.windows
    assert [window.name for window in windows] == ["rank"] * 8
    assert sorted(window.energy_j for window in windows if window.energy_j) == pytest.approx(
        [200 * 48.0] * 4 + [300 * 48.0] * 4, rel=1e-3
    )


def test_a_second_node_that_nobody_sampled_is_silently_absent(play: Any) -> None:
    """perun on one node of many. Ranks only mark; in an hour their counters wrap unseen. Then it must be said."""
    first, second = two_nodes(play)
    run = first.run(HOUR_S, interval_s=10.0, ranks=[(second, 10.0, HOUR_S - 10.0)])
    rows = {(row.host, row.id): row for row in run.record.energy.channels}
    far = rows["n2", "rapl:package-0"]
    assert far.energy_j is None
    assert far.note is not None
    assert run.energy_j == pytest.approx(200 * HOUR_S)
    assert [each for each in run.record.incidents if "package-0" in each.message.en]
