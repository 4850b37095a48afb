"""From the journals of a run to its record."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.account import account
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Incident
from greenai.core.events import Metric, ProcessLog, RunLog, Stop, WindowMark
from greenai.core.reading import CounterReading, Gap, Reading
from greenai.core.text import Text
from greenai.core.vocabulary import Role, RunState

if TYPE_CHECKING:
    from greenai.core.record import RunRecord
    from greenai.core.run_energy import ChannelEnergy

S = 1_000_000_000
J = 1_000_000
WALL = 1_795_262_400 * S
CPU = Channel(
    id="rapl:0", collector="rapl", component=Component.CPU, kind=Kind.COUNTER, quality=Quality.MEASURED,
    device="package-0", host="n1", method="rapl_powercap", uncertainty_rel=0.05, max_power_uw=1000 * J,
)  # fmt: skip
GPU = replace(CPU, id="nvml:0", collector="nvml", component=Component.GPU, device="GPU-0", method="nvml_counter")
GUESS = replace(
    CPU, id="guess:0", collector="guess", quality=Quality.ESTIMATED, method="guess", uncertainty_rel=0.4
)


def counts(channel: Channel, watts: float, seconds: list[float], base_j: float = 1000) -> list[Reading]:
    return [CounterReading(channel.id, round(t * S), round((base_j + watts * t) * J)) for t in seconds]


def process(
    role: Role = Role.OWNER, host: str = "n1", *, pid: int = 1, mono_s: float = 0, last_s: float = 10
) -> ProcessLog:
    return ProcessLog(
        role=role, host=host, pid=pid, wall_ns=WALL + round(mono_s * S), mono_ns=round(mono_s * S), interval_s=1.0,
        last_ns=round(last_s * S), lines=5,
    )  # fmt: skip


def owner(*, stopped: bool = True, channels: tuple[Channel, ...] = (CPU,)) -> ProcessLog:
    log = process()
    log.meta = {"name": "train", "project": "p", "approach": "ai", "phase": "training", "unit": "document"}
    log.start_ns = 0
    log.stop = Stop(10 * S, RunState.COMPLETED, 0, None) if stopped else None
    log.channels = channels
    log.readings = {c.id: counts(c, 100, [0, 10]) for c in channels}
    return log


def sampler(channels: tuple[Channel, ...] = (CPU,)) -> ProcessLog:
    log = process(Role.SAMPLER, pid=2)
    log.channels = channels
    log.readings = {c.id: counts(c, 100, [0.5, 1.5, 2.5, 5, 9.5]) for c in channels}
    return log


def run_of(*processes: ProcessLog, silent_s: float = 0, unreadable_files: int = 0) -> RunLog:
    return RunLog("r1", processes, "sha", silent_s, unreadable_files)


def row(record: RunRecord, channel: Channel) -> ChannelEnergy:
    return next(r for r in record.energy.channels if (r.host, r.id) == (channel.host, channel.id))


def test_owner_and_sampler_make_one_curve() -> None:
    result = account(run_of(owner(), sampler()))
    record = result.record
    assert record.energy_j == pytest.approx(1000)
    assert (record.energy.low_j, record.energy.high_j) == pytest.approx((950, 1050))
    assert record.energy.measured_share == 1
    assert (record.state, record.exit_code, record.duration_s, record.hosts) == (
        RunState.COMPLETED,
        0,
        10,
        ("n1",),
    )
    assert (record.started_ms, record.ended_ms) == (WALL // J, WALL // J + 10_000)
    assert record.mean_power_w == pytest.approx(100)
    assert len(result.traces[0].readings) == 7
    assert row(record, CPU).gap_s == 0
    assert record.incidents == ()
    assert record.journal.lines == 10


def test_no_process_is_no_run() -> None:
    with pytest.raises(ValueError, match="journal"):
        account(run_of())


def test_a_failed_run_keeps_its_energy_and_its_error() -> None:
    log = owner()
    log.stop = Stop(10 * S, RunState.FAILED, 3, "ValueError: x")
    record = account(run_of(log)).record
    assert (record.state, record.exit_code, record.error) == (RunState.FAILED, 3, "ValueError: x")
    assert record.energy_j == pytest.approx(1000)


def test_a_killed_run_keeps_the_energy_up_to_its_last_line() -> None:
    log, beside = owner(stopped=False), sampler()
    log.readings = {CPU.id: counts(CPU, 100, [0])}
    log.last_ns = 0
    beside.last_ns = beside.orphaned_ns = round(9.5 * S)
    record = account(run_of(log, beside)).record
    assert (record.state, record.exit_code) == (RunState.KILLED, None)
    assert record.energy_j == pytest.approx(950)
    assert record.ended_ms == WALL // J + 9500


@pytest.mark.parametrize(
    ("silent_s", "state"), [(0, RunState.RUNNING), (29, RunState.RUNNING), (31, RunState.LOST)]
)
def test_a_silent_run_is_lost(silent_s: float, state: RunState) -> None:
    record = account(run_of(owner(stopped=False), silent_s=silent_s)).record
    assert record.state is state
    assert (record.ended_ms is None) == (state is RunState.RUNNING)
    assert record.energy_j == pytest.approx(1000)


def test_slow_sampling_is_no_silence() -> None:
    log = owner(stopped=False)
    log.interval_s = 60
    assert account(run_of(log, silent_s=299)).record.state is RunState.RUNNING
    assert account(run_of(log, silent_s=301)).record.state is RunState.LOST


def test_a_channel_that_never_read_is_unknown_and_says_why() -> None:
    log = owner(channels=(CPU, GPU))
    log.readings[GPU.id] = [Gap(GPU.id, t * S, "nvml_lost") for t in range(10)]
    record = account(run_of(log)).record
    gpu = row(record, GPU)
    assert (gpu.energy_j, gpu.low_j, gpu.high_j, gpu.counted, gpu.gap_s) == (None, None, None, False, 10)
    assert gpu.note is not None
    assert "nvml_lost" in gpu.note.de
    assert "nvml_lost" in gpu.note.en
    assert record.energy_j == pytest.approx(1000)


def test_a_channel_without_energy_does_not_displace_an_estimate() -> None:
    log = owner(channels=(CPU, GUESS))
    log.readings[CPU.id] = []
    record = account(run_of(log)).record
    assert row(record, GUESS).counted
    assert record.energy.measured_share == 0
    assert record.quality is Quality.ESTIMATED
    assert record.energy_j == pytest.approx(1000)


def test_nothing_known_is_none_everywhere() -> None:
    log = owner()
    log.readings = {}
    log.units = [(None, 5.0)]
    log.windows = [WindowMark("w", "w", None, 0, S)]
    record = account(run_of(log)).record
    energy = record.energy
    assert (energy.total_j, energy.low_j, energy.high_j, energy.measured_share) == (None, None, None, None)
    assert (record.quality, record.mean_power_w, record.work.energy_per_unit_j) == (None, None, None)
    assert record.windows[0].energy_j is None


def test_a_mixed_run_says_how_much_was_measured() -> None:
    log = owner(channels=(GPU, GUESS))
    record = account(run_of(log)).record
    assert record.energy_j == pytest.approx(2000)
    assert record.energy.measured_share == pytest.approx(0.5)
    assert record.quality is Quality.ESTIMATED


def test_windows_of_members_and_nested_windows() -> None:
    member = process(Role.MEMBER, pid=3, last_s=9)
    member.closed = True
    member.windows = [
        WindowMark("a", "epoch", None, 2 * S, 8 * S),
        WindowMark("b", "step", "a", 3 * S, 4 * S),
        WindowMark("c", "open", None, 7 * S, None),
        WindowMark("d", "empty", None, 5 * S, 5 * S),
    ]
    record = account(run_of(owner(), sampler(), member)).record
    found = {w.id: w for w in record.windows}
    assert {k: w.energy_j for k, w in found.items()} == {
        "a": pytest.approx(600), "b": pytest.approx(100), "c": pytest.approx(300), "d": None,
    }  # fmt: skip
    assert (found["a"].parent, found["b"].parent) == (None, "epoch")
    assert [w.duration_s for w in record.windows] == [6, 1, 0, 3]
    assert found["b"].started_ms == WALL // J + 3000


@given(cuts=st.lists(st.integers(1, 10 * S - 1), max_size=8, unique=True))
def test_the_windows_of_a_partition_sum_to_the_total(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), 10 * S]
    log = owner(channels=(CPU, GPU))
    log.windows = [WindowMark(str(n), "part", None, a, b) for n, (a, b) in enumerate(itertools.pairwise(edges))]
    record = account(run_of(log, sampler((CPU, GPU)))).record
    assert sum(w.energy_j or 0 for w in record.windows) == pytest.approx(record.energy_j)


def test_units_of_all_processes_give_the_energy_per_unit() -> None:
    log, member = owner(), process(Role.MEMBER, pid=3)
    log.units, member.units = [(None, 30.0)], [(None, 20.0)]
    work = account(run_of(log, member)).record.work
    assert (work.units, work.energy_per_unit_j) == pytest.approx((50, 20))
    assert work.unit == "document"
    assert account(run_of(owner())).record.work.energy_per_unit_j is None


def test_each_host_has_its_own_clock() -> None:
    log = owner()
    far = replace(CPU, host="n2")
    other = process(Role.MEMBER, "n2", pid=4, mono_s=5_000_000, last_s=5_000_008)
    other.channels = (far,)
    other.readings = {CPU.id: counts(far, 50, [5_000_000, 5_000_004, 5_000_008])}
    other.windows = [WindowMark("w", "there", None, 5_000_002 * S, 5_000_004 * S)]
    other.wall_ns = WALL + S
    record = account(run_of(log, other)).record
    assert record.hosts == ("n1", "n2")
    assert row(record, CPU).energy_j == pytest.approx(1000)
    assert row(record, far).energy_j == pytest.approx(400)
    assert row(record, far).gap_s == 0
    assert record.energy_j == pytest.approx(1400)
    assert record.windows[0].energy_j == pytest.approx(100)
    assert record.windows[0].started_ms == WALL // J + 3000
    assert record.duration_s == 10


def test_damaged_lines_become_an_incident() -> None:
    log = owner()
    log.bad_lines = 2
    record = account(run_of(log, unreadable_files=1)).record
    assert [i.code for i in record.incidents] == ["journal_damaged"]
    assert record.incidents[0].message.de.startswith("3 ")
    assert record.incidents[0].message.en.startswith("3 ")
    assert record.journal.bad_lines == 2


def test_incidents_of_two_processes_appear_once() -> None:
    log, beside = owner(), sampler()
    for each in (log, beside):
        each.incidents = [Incident("rapl_unreadable", Text(de="zu", en="closed"))]
    assert [i.code for i in account(run_of(log, beside)).record.incidents] == ["rapl_unreadable", "energy_unknown"]


def test_a_missing_sampler_or_owner_is_said() -> None:
    log = owner()
    log.meta["sampler_process"] = True
    assert [i.code for i in account(run_of(log)).record.incidents] == ["sampler_missing"]
    assert account(run_of(log, sampler())).record.incidents == ()
    record = account(run_of(sampler())).record
    assert "owner_journal_missing" in [i.code for i in record.incidents]
    assert record.name == "r1"


def test_the_last_value_of_a_metric_wins() -> None:
    log = owner()
    log.metrics = [Metric("accuracy", 0.5), Metric("loss", 1.0), Metric("accuracy", 0.9)]
    metrics = account(run_of(log)).record.metrics
    assert [(m.name, m.value) for m in metrics] == [("accuracy", 0.9), ("loss", 1.0)]


@given(data=st.data())
def test_the_order_of_processes_and_readings_changes_nothing(data: st.DataObject) -> None:
    member = process(Role.MEMBER, pid=3)
    member.windows = [WindowMark("a", "epoch", None, 2 * S, 8 * S)]
    processes = [owner(channels=(CPU, GPU)), sampler((CPU, GPU)), member]
    expected = account(run_of(*processes)).record
    for each in processes:
        each.readings = {key: data.draw(st.permutations(found)) for key, found in each.readings.items()}
    record = account(run_of(*data.draw(st.permutations(processes)))).record
    assert (record.energy_j, record.windows, record.state) == (expected.energy_j, expected.windows, expected.state)
    assert {r.id: r for r in record.energy.channels} == {r.id: r for r in expected.energy.channels}


def test_two_readings_at_the_same_instant_do_not_depend_on_the_order_of_processes() -> None:
    log, beside = owner(), sampler()
    beside.readings = {CPU.id: [CounterReading(CPU.id, 10 * S, 2007 * J)]}
    one, two = account(run_of(log, beside)).record, account(run_of(beside, log)).record
    assert one.energy_j == two.energy_j


_TWO_REASONS = """
from greenai.core.account import account
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.events import ProcessLog, RunLog
from greenai.core.vocabulary import Role
from greenai.core.reading import Gap
c = Channel("a", "a", Component.CPU, Kind.COUNTER, Quality.MEASURED, "a", "n1", "a", 0.1, 1)
p = ProcessLog(Role.OWNER, "n1", 1, 0, 0, 1.0, channels=(c,))
p.readings = {"a": [Gap("a", 1, "first"), Gap("a", 2, "second"), Gap("a", 3, "third")]}
print(account(RunLog("r", (p,), "", 0.0)).record.energy.channels[0].note.en)
"""


def test_the_same_journals_give_the_same_reason_in_every_process() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", _TWO_REASONS],
            env={**os.environ, "PYTHONHASHSEED": str(seed)}, capture_output=True, text=True, check=True,
        ).stdout
        for seed in range(6)
    }  # fmt: skip
    assert len(said) == 1


def test_figures_of_one_window() -> None:
    log = owner()
    log.windows = [WindowMark("w", "epoch", None, 2 * S, 5 * S)]
    record = account(run_of(log, sampler()), "w").record
    assert (record.energy_j, record.duration_s) == pytest.approx((300, 3))


def test_figures_of_a_window_on_another_host_than_the_owner() -> None:
    far = replace(CPU, host="n2")
    other = process(Role.MEMBER, "n2", pid=4, mono_s=5000, last_s=5008)
    other.channels = (far,)
    other.readings = {CPU.id: counts(far, 50, [5000, 5004, 5008])}
    other.windows = [WindowMark("w", "there", None, 5002 * S, 5004 * S)]
    record = account(run_of(owner(), other), "w").record
    assert record.energy_j == pytest.approx(100)
    assert record.hosts == ("n2",)
    assert record.started_ms == other.wall_at(5002 * S) // J


def test_an_unknown_window_is_not_the_whole_run() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        account(run_of(owner()), "nowhere")


def test_an_open_window_ends_where_the_run_ends() -> None:
    log, member = owner(), process(Role.MEMBER, pid=3, last_s=7)
    member.closed = True
    member.windows = [WindowMark("w", "open", None, 6 * S, None)]
    whole = account(run_of(log, member)).record.windows[0]
    alone = account(run_of(log, member), "w").record
    assert alone.duration_s == whole.duration_s
    assert alone.energy_j == whole.energy_j


@pytest.mark.parametrize("how", ["killed", "line lost"])
def test_a_window_whose_end_nobody_knows_has_no_energy(how: str) -> None:
    member = process(Role.MEMBER, pid=3, last_s=7)
    member.closed = how == "line lost"
    member.bad_lines = int(how == "line lost")
    member.windows = [WindowMark("v", "over", None, 2 * S, 3 * S), WindowMark("w", "open", None, 6 * S, None)]
    record = account(run_of(owner(), sampler(), member)).record
    assert [window.energy_j for window in record.windows] == [pytest.approx(100), None]


def test_one_of_several_killed_is_killed_though_the_others_ended_well() -> None:
    dead = process(Role.RANK, pid=3, last_s=4)
    dead.start_ns = 1 * S
    log = run_of(owner(), sampler(), dead)
    assert account(replace(log, silent_s=2.0, abandoned=True)).record.state is RunState.RUNNING
    for silent_s, abandoned in ((10.0, True), (100.0, False)):
        assert account(replace(log, silent_s=silent_s, abandoned=abandoned)).record.state is RunState.KILLED


def test_a_member_fills_in_what_the_owner_left_open() -> None:
    log, member = owner(), process(Role.MEMBER, pid=3)
    log.meta = {"name": "python train.py", "project": "mine", "tags": {"a": "owner"}}
    member.meta = {
        "name": "fine-tune", "name_given": True, "project": "other", "task": "t", "tags": {"a": "member", "b": "x"}
    }  # fmt: skip
    record = account(run_of(log, member)).record
    assert (record.name, record.project, record.task) == ("fine-tune", "mine", "t")
    assert record.tags == {"a": "owner", "b": "x"}


def test_a_sampler_that_died_is_said() -> None:
    log = owner()
    log.meta["sampler_process"] = True
    assert log.stop is not None
    early = sampler()
    early.last_ns = log.stop.t_ns - 3 * S
    assert "sampler_died" in [i.code for i in account(run_of(log, early)).record.incidents]
    late = sampler()
    late.last_ns = log.stop.t_ns - S
    assert "sampler_died" not in [i.code for i in account(run_of(log, late)).record.incidents]


def test_units_without_end_are_unknown() -> None:
    log = owner()
    log.units = [(None, 1e308)] * 3
    record = account(run_of(log)).record
    assert (record.work.units, record.work.energy_per_unit_j) == (0.0, None)
    assert "units_unknown" in [incident.code for incident in record.incidents]
