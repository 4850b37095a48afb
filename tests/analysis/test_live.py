"""Runs that go on: power now, the curve of the last minutes, energy up to the last reading."""

from __future__ import annotations

import itertools
import os
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from greenai.analysis import Analysis, live
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.reading import CounterReading, Gap
from greenai.core.units import NS_PER_S
from greenai.core.views import RunQuery
from greenai.core.vocabulary import Role, RunState
from greenai.journal import format as f
from greenai.journal.tail import read_tail
from greenai.journal.writer import JournalWriter
from greenai.settings import load_settings
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from greenai.core.views import LiveRun


@pytest.fixture
def analysis() -> Iterator[Analysis]:
    """Reads the spool."""
    opened = Analysis.open(load_settings())
    yield opened
    opened.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets the reader's wall clock be that of the machine that writes."""

    def follow(machine: Any) -> None:
        monkeypatch.setattr(time, "time", lambda: machine.clock.wall_ns() / NS_PER_S)

    return follow


def look(analysis: Analysis) -> LiveRun:
    (found,) = analysis.live(RunQuery()).runs
    return found


def test_power_now_and_the_curve(journals: Any, analysis: Analysis, clock: Any) -> None:
    _, machine = journals.begin("aaaa0001", seconds=400)
    clock(machine)
    analysis.refresh()
    run = look(analysis)
    assert run.power_w == pytest.approx(105)
    assert (run.quality, run.row.quality) == (Quality.ESTIMATED, Quality.ESTIMATED)
    assert run.methods == ("memory_per_gigabyte", "rapl_powercap")
    assert run.hosts == ("fake",)
    assert len(run.t_ms) == len(run.curve_w) == 60
    assert {after - before for before, after in zip(run.t_ms, run.t_ms[1:], strict=False)} == {5000}
    assert [power_w for power_w in run.curve_w if power_w is not None] == pytest.approx([105] * 60)
    assert 0 <= machine.clock.wall_ns() / 1e6 - run.t_ms[-1] < 5000


def test_energy_goes_on_between_two_intakes(journals: Any, analysis: Analysis, clock: Any) -> None:
    journal, machine = journals.begin("aaaa0001", seconds=100)
    clock(machine)
    analysis.refresh()
    before = look(analysis)
    assert before.row.total_j == pytest.approx(10_500, rel=1e-3)
    for _ in range(20):
        machine.clock.advance(1.0)
        journals.mark(journal, machine, f.TICK)
    after = look(analysis)
    assert after.row.total_j == pytest.approx(12_600, rel=1e-3)
    assert after.row.duration_s == pytest.approx(120, abs=0.01)
    assert len(after.t_ms) == len(before.t_ms) + 4
    assert after.t_ms[: len(before.t_ms)] == before.t_ms
    stored = analysis.run_page(RunQuery()).rows[0]
    assert stored.total_j is not None
    assert before.row.low_j == pytest.approx(stored.low_j)
    assert after.row.low_j == pytest.approx((stored.low_j or 0) * 1.2, rel=1e-3)


def test_a_stretch_nobody_read_is_a_gap_and_not_0(journals: Any, analysis: Analysis, clock: Any) -> None:
    journal, machine = journals.begin("aaaa0001", seconds=60)
    machine.clock.advance(60.0)  # the gauge of the memory is blind meanwhile
    for _ in range(20):
        journals.mark(journal, machine, f.TICK)
        machine.clock.advance(1.0)
    clock(machine)
    analysis.refresh()
    curve_w = look(analysis).curve_w
    assert None in curve_w
    assert all(power_w is None or power_w > 90 for power_w in curve_w)


def test_silence_is_no_power(journals: Any, analysis: Analysis) -> None:
    journal, _ = journals.begin("aaaa0001", seconds=60)
    analysis.refresh()
    now_s = time.time()
    os.utime(journal.path, (now_s - 12, now_s - 12))
    run = look(analysis)
    assert run.power_w is None
    assert run.silent_s == pytest.approx(12, abs=1)


def test_what_has_ended_is_gone_before_it_is_taken_in(journals: Any, analysis: Analysis) -> None:
    journal, machine = journals.begin("aaaa0001", seconds=60)
    journals.begin("aaaa0002", seconds=60)
    analysis.refresh()
    assert analysis.live(RunQuery()).total == 2
    journals.end(journal, machine)
    page = analysis.live(RunQuery())
    assert [run.row.id for run in page.runs] == ["aaaa0002"]
    assert page.total == 1


def test_a_run_whose_program_died_without_a_word_is_lost_by_itself(journals: Any, analysis: Analysis) -> None:
    journal, _ = journals.begin("aaaa0001", seconds=60)
    analysis.refresh()
    assert analysis.run("latest").state is RunState.RUNNING
    long_ago_s = time.time() - 40
    for path in journal.path.parent.iterdir():
        os.utime(path, (long_ago_s, long_ago_s))
    analysis.refresh()
    assert analysis.live(RunQuery()).runs == ()
    record = analysis.run("latest")
    assert record.state is RunState.LOST
    assert record.energy_j == pytest.approx(6300, rel=0.01)


def test_journals_out_of_reach_leave_what_is_stored(journals: Any, analysis: Analysis) -> None:
    journal, _ = journals.begin("aaaa0001", seconds=60)
    analysis.refresh()
    stored = analysis.run_page(RunQuery()).rows[0]
    journal.path.unlink()
    run = look(analysis)
    assert (run.row, run.power_w, run.silent_s, run.hosts) == (stored, None, None, ())
    assert analysis.live_trace("aaaa0001", 600) == ()


def test_damage_in_one_run_leaves_the_others(
    journals: Any, analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run_id in ("aaaa0001", "aaaa0002"):
        journals.begin(run_id, seconds=30)
    analysis.refresh()
    read = read_tail

    def fail(folder: Any, seconds: float, **_: Any) -> Any:
        if folder.name == "aaaa0001":
            raise RecursionError
        return read(folder, seconds)

    monkeypatch.setattr(live, "read_tail", fail)
    power_w = {run.row.id: run.power_w for run in analysis.live(RunQuery()).runs}
    assert power_w == {"aaaa0001": None, "aaaa0002": pytest.approx(105)}


def test_the_trace_of_the_last_minutes(journals: Any, analysis: Analysis) -> None:
    journals.begin("aaaa0001", seconds=900)
    analysis.refresh()
    cpu, memory = analysis.live_trace("aaaa0001", 600)
    stored = analysis.trace("aaaa0001", max_points=None)
    assert (cpu.channel_id, cpu.counted, memory.quality) == ("rapl:package-0", True, Quality.ESTIMATED)
    assert cpu.t_ms[-1] - cpu.t_ms[0] == pytest.approx(600_000, abs=1500)
    assert cpu.t_ms == pytest.approx(stored[0].t_ms[-len(cpu.t_ms) :])
    assert list(cpu.power_w) == pytest.approx([100] * len(cpu.power_w))
    assert analysis.live_trace("aaaa0001", 600, max_channels=1) == (cpu,)


def test_a_look_that_took_long_is_good_for_a_while(
    journals: Any, analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals.begin("aaaa0001", seconds=60)
    analysis.refresh()
    assert look(analysis) is not look(analysis)
    seconds = itertools.count(0, 2)  # each look takes 2 s
    monkeypatch.setattr(live, "time", SimpleNamespace(time=time.time, monotonic=lambda: next(seconds)))
    slow = look(analysis)
    assert [look(analysis) is slow for _ in range(4)] == [True, True, True, False]


def test_memory_of_ended_runs_is_let_go(
    journals: Any, analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_MOST_CURVES", 2)
    for number in range(4):
        journals.begin(f"aaaa000{number}", seconds=10)
    analysis.refresh()
    for _ in range(2):
        assert len(analysis.live(RunQuery()).runs) == 4


def test_the_nodes_of_the_last_minutes_together(journals: Any, analysis: Analysis) -> None:
    journals.begin("aaaa0001", seconds=900)
    analysis.refresh()
    live_nodes = analysis.live_nodes_trace("aaaa0001", 600)
    assert live_nodes is not None
    assert (live_nodes.nodes, live_nodes.of) == (1, 1)
    assert live_nodes.sum_w == pytest.approx([105.0] * len(live_nodes.t_ms))
    stored = analysis.nodes_trace("aaaa0001")
    assert stored is not None
    assert stored.sum_w == pytest.approx([105.0] * len(stored.t_ms))
    assert stored.t_ms[-1] - stored.t_ms[0] == pytest.approx(900_000, rel=0.01)
    assert live_nodes.t_ms[-1] == pytest.approx(stored.t_ms[-1], abs=1)


def test_nodes_without_a_journal_are_counted_live_as_stored(journals: Any, analysis: Analysis) -> None:
    meta = {"nodes": ["fake", "n2", "n3"], "node": "fake"}
    write_node(journals.spool / "aaaa0001", "fake", meta, knows_gpu=True)
    analysis.refresh()
    live_nodes, stored = analysis.live_nodes_trace("aaaa0001", 60), analysis.nodes_trace("aaaa0001")
    assert live_nodes is not None
    assert stored is not None
    assert (live_nodes.nodes, live_nodes.of) == (stored.nodes, stored.of) == (1, 3)


@pytest.mark.parametrize(("knows_gpu", "nodes", "sum_w"), [((True, False), 1, 300.0), ((False, False), 2, 200.0)])
def test_a_node_with_a_gpu_that_nothing_is_known_of_does_not_look_like_less(
    journals: Any, analysis: Analysis, knows_gpu: tuple[bool, bool], nodes: int, sum_w: float
) -> None:
    for name, knows in zip(("n1", "n2"), knows_gpu, strict=True):
        write_node(journals.spool / "aaaa0001", name, {"nodes": ["n1", "n2"], "node": name}, knows_gpu=knows)
    analysis.refresh()
    for trace in (analysis.live_nodes_trace("aaaa0001", 30), analysis.nodes_trace("aaaa0001")):
        assert trace is not None
        assert (trace.nodes, trace.of) == (nodes, 2)
        assert [power_w for power_w in trace.sum_w if power_w is not None] == pytest.approx(
            [sum_w] * sum(1 for power_w in trace.sum_w if power_w is not None)
        )


def write_node(folder: Path, name: str, meta: dict[str, Any], *, knows_gpu: bool) -> None:
    """Write a minute of a node that goes on: 100 W of CPU, and of a GPU 200 W or failures."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = FakeMachine(folder.parent.parent / name)
    host = replace(machine.host, name=name)
    cpu = Channel("rapl:0", "rapl", Component.CPU, Kind.COUNTER, Quality.MEASURED, "cpu", name, "m", 0.05, 10**10)
    gpu = replace(cpu, id="nvml:0", collector="nvml", component=Component.GPU, device="gpu")
    journal = JournalWriter(folder, host, Role.NODE, [cpu, gpu], 1.0, {"name": "job", **meta})
    for second in range(60):
        t_ns = machine.clock.mono_ns()
        of_gpu = CounterReading("nvml:0", t_ns, second * 200_000_000) if knows_gpu else Gap("nvml:0", t_ns, "lost")
        readings = [CounterReading("rapl:0", t_ns, second * 100_000_000), of_gpu]
        journal.readings(f.TICK if second else f.START, t_ns, readings)
        machine.clock.advance(1.0)


def test_of_too_many_samples_only_some_nodes_are_added_up_and_it_says_so(
    journals: Any, analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals.run("aaaa0001", seconds=60)
    analysis.refresh()
    record = analysis.run("latest")
    twins = tuple(replace(channel, host="twin") for channel in record.energy.channels)
    several = replace(record, energy=replace(record.energy, channels=(*record.energy.channels, *twins)))
    monkeypatch.setattr(analysis, "run", lambda _: several)
    monkeypatch.setattr("greenai.analysis.analysis._MOST_SAMPLES", 70)
    trace = analysis.nodes_trace("aaaa0001")
    assert trace is not None
    assert (trace.nodes, trace.of) == (1, 2)


def test_journals_out_of_reach_have_no_nodes(journals: Any, analysis: Analysis) -> None:
    journal, _ = journals.begin("aaaa0001", seconds=60)
    analysis.refresh()
    journal.path.unlink()
    assert analysis.live_nodes_trace("aaaa0001", 600) is None
