"""Batch jobs told by the collectors of their nodes: what is missing, late or silent is said, and nothing invented."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from greenai.core.account import account
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.events import ProcessLog, RunLog, Stop, WindowMark
from greenai.core.incidents import MOST_NAMED
from greenai.core.reading import CounterReading
from greenai.core.units import NS_PER_S as S
from greenai.core.vocabulary import Role, RunState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from greenai.core.record import RunRecord
    from greenai.core.run_energy import ChannelEnergy

POWER_W = 100
WALL_S = 1_790_000_000
CPU = Channel(
    "rapl:package-0", "rapl", Component.CPU, Kind.COUNTER, Quality.MEASURED, "package-0", "n1", "rapl_powercap", 0.05,
    2_000_000_000,
)  # fmt: skip


def node(
    name: str,
    start_s: float = 0,
    last_s: float = 60,
    *,
    state: RunState | None = RunState.COMPLETED,
    boot_s: int = 1000,
    steps: tuple[tuple[str, float, float | None], ...] = (),
    meta: Mapping[str, object] | None = None,
) -> ProcessLog:
    """Return the journal of a collector that reads once a second; times are seconds since the job's begin.

    The monotonic clock of a node showed ``boot_s`` when the job began.
    """
    at = [boot_s * S + round((start_s + second) * S) for second in range(round(last_s - start_s) + 1)]
    channel = replace(CPU, host=name)
    log = ProcessLog(Role.NODE, name, 1, WALL_S * S, boot_s * S, 1.0, dict(meta or {"name": "job"}), (channel,))
    log.readings = {CPU.id: [CounterReading(CPU.id, t_ns, 7 + (t_ns - at[0]) * POWER_W // 1000) for t_ns in at]}
    log.start_ns, log.last_ns, log.lines = at[0], at[-1], len(at)
    log.closed = state is not None
    log.stop = None if state is None else Stop(at[-1], state, 0 if state is RunState.COMPLETED else 1, None)
    log.windows = [
        WindowMark(f"step-{step}", f"step {step}", None, boot_s * S + round(t0_s * S), _end_ns(boot_s, t1_s))
        for step, t0_s, t1_s in steps
    ]
    return log


def _end_ns(boot_s: int, t1_s: float | None) -> int | None:
    return None if t1_s is None else boot_s * S + round(t1_s * S)


def job(*nodes: ProcessLog, silent_s: float = 1000) -> RunRecord:
    return account(RunLog("r", nodes, "", silent_s)).record


def codes(record: RunRecord) -> list[str]:
    return [incident.code for incident in record.incidents]


def test_nodes_add_up_and_need_no_owner() -> None:
    record = job(node("n1"), node("n2", boot_s=5))
    assert record.energy_j == pytest.approx(2 * 60 * POWER_W)
    assert (record.state, record.hosts, record.duration_s) == (RunState.COMPLETED, ("n1", "n2"), 60)
    assert (record.started_ms, record.ended_ms) == (WALL_S * 1000, WALL_S * 1000 + 60_000)
    assert record.incidents == ()
    assert not record.incomplete


def test_the_first_collector_by_the_wall_clock_describes_the_job() -> None:
    late, first = node("n1", start_s=1, meta={"name": "late"}), node("n2", meta={"name": "first"})
    late.wall_ns += S
    late.mono_ns += S
    assert job(late, first).name == "first"


def test_the_worst_of_the_collectors_last_words_counts() -> None:
    assert job(node("n1"), node("n2", state=RunState.FAILED)).state is RunState.FAILED
    assert job(node("n1"), node("n2", state=None)).state is RunState.KILLED
    assert job(node("n1", state=None), node("n2", state=None)).state is RunState.LOST
    assert job(node("n1"), node("n2", state=None), silent_s=1).state is RunState.RUNNING


def test_a_node_without_a_journal_is_named_and_has_no_energy() -> None:
    meta = {"name": "job", "nodes": ["N1.cluster.example", "n2", "n3.cluster.example"]}
    record = job(node("n1", meta=meta), node("n2.cluster.example", meta=meta))
    assert codes(record) == ["node_missing"]
    assert "n3.cluster.example" in record.incidents[0].message.en
    assert record.incomplete
    assert record.energy_j == pytest.approx(2 * 60 * POWER_W)
    row = record.energy.channels[-1]
    assert (row.host, row.component, row.device) == ("n3.cluster.example", Component.NODE, "node")
    assert (row.energy_j, row.counted, row.gap_s) == (None, False, 60)
    assert row.note is not None


def test_a_nodes_name_in_the_cluster_need_not_be_its_host_name() -> None:
    meta = {"nodes": ["n1", "n2", "n3"]}
    record = job(node("rack7", meta={**meta, "node": "n1"}), node("rack8", meta={**meta, "node": "N2.example"}))
    assert codes(record) == ["node_missing"]
    assert "n3" in record.incidents[0].message.en


@pytest.mark.parametrize("nodes", ["n1", None, 5, [5, None, ""], {"n": 1}])
def test_a_damaged_list_of_nodes_names_nobody(nodes: object) -> None:
    assert job(node("n1", meta={"nodes": nodes})).incidents == ()


def test_of_many_missing_nodes_only_some_are_named() -> None:
    record = job(node("n0", meta={"nodes": [f"n{number}" for number in range(501)]}))
    assert codes(record) == ["node_missing"] * (MOST_NAMED + 1)
    assert str(500 - MOST_NAMED) in record.incidents[-1].message.en
    assert len(record.energy.channels) == 502  # the node's CPU and rest, and those that are missing


@pytest.mark.parametrize(("start_s", "late"), [(1.9, False), (2.1, True)])
def test_a_node_that_began_late_is_named(start_s: float, *, late: bool) -> None:
    record = job(node("n1", last_s=600), node("n2", start_s=start_s, last_s=600))
    assert codes(record) == ["node_late"] * late
    assert not record.incomplete
    if late:
        assert "n2" in record.incidents[0].message.en
        assert "2.10\N{NARROW NO-BREAK SPACE}s" in record.incidents[0].message.en


def test_a_node_that_missed_much_makes_the_energy_incomplete() -> None:
    record = job(node("n1"), node("n2", start_s=30))
    assert codes(record) == ["node_late", "energy_incomplete"]
    assert record.incomplete
    assert record.energy_j == pytest.approx(90 * POWER_W)


@pytest.mark.parametrize(("last_s", "silent"), [(55, False), (54, True)])
def test_a_node_that_fell_silent_is_named(last_s: float, *, silent: bool) -> None:
    record = job(node("n1"), node("n2", last_s=last_s, state=None))
    assert codes(record) == ["node_silent"] * silent
    assert record.incomplete is silent
    assert record.energy_j == pytest.approx((60 + last_s) * POWER_W)
    assert record.duration_s == 60


def cpu_of(record: RunRecord, host: str) -> ChannelEnergy:
    return next(row for row in record.energy.channels if (row.host, row.id) == (host, CPU.id))


@pytest.mark.parametrize(("start_s", "last_s", "unseen_s"), [(0, 40, 20), (15, 60, 15), (15, 40, 35)])
def test_what_a_node_may_have_taken_unseen_is_a_gap_within_the_bounds(
    start_s: float, last_s: float, unseen_s: float
) -> None:
    record = job(node("n1"), node("n2", start_s, last_s, state=RunState.COMPLETED if last_s == 60 else None))
    row, whole = cpu_of(record, "n2"), cpu_of(record, "n1")
    assert (row.gap_s, whole.gap_s) == (unseen_s, 0)
    read_j = (60 - unseen_s) * POWER_W
    assert row.energy_j == pytest.approx(read_j)
    assert row.low_j == pytest.approx(read_j * 0.95)
    assert row.high_j == pytest.approx(read_j * 1.05 + unseen_s * POWER_W)
    assert record.energy.high_j is not None
    assert record.energy.high_j >= 2 * 60 * POWER_W
    assert record.mean_power_w == pytest.approx(2 * POWER_W)
    assert record.unseen_s == unseen_s


def test_what_channels_of_a_node_may_have_taken_unseen_adds_up() -> None:
    """They were blind together: the truth is no less likely at the top for one of them than for all."""
    dead = [node(name, last_s=30, state=None) for name in ("n2", "n3")]
    for process in dead:
        process.channels += (replace(process.channels[0], id="rapl:package-1", device="package-1"),)
        process.readings["rapl:package-1"] = process.readings[CPU.id]
    energy = job(node("n1"), *dead).energy
    truth_j = (1 + 2 + 2) * 60 * POWER_W
    assert energy.total_j == pytest.approx(truth_j - 4 * 30 * POWER_W)
    assert energy.high_j is not None
    assert truth_j < energy.high_j < 1.1 * truth_j


def test_a_node_that_said_stop_early_is_not_silent() -> None:
    record = job(node("n1"), node("n2", last_s=20))
    assert record.incidents == ()
    assert cpu_of(record, "n2").gap_s == 0


def test_a_node_is_unseen_for_no_longer_than_the_job_lasts() -> None:
    record = job(node("n1", last_s=20, state=None), node("n2", start_s=1))
    assert (record.duration_s, cpu_of(record, "n1").gap_s) == (59, 39)


def test_figures_of_a_step_know_nothing_of_what_was_unseen_after_it() -> None:
    log = RunLog("r", (node("n1", steps=(("0", 10, 20),)), node("n2", last_s=30, state=None)), "", 1000)
    assert account(log, "step-0").record.energy.channels[0].gap_s == 0


def test_of_many_blind_channels_only_some_are_named_and_each_with_its_node() -> None:
    blind = [node(f"n{number:02}") for number in range(MOST_NAMED + 5)]
    for process in blind:
        process.readings = {CPU.id: [*process.readings[CPU.id][:1], *process.readings[CPU.id][30:]][1:]}
    record = job(node("n99"), *blind)
    partial = [
        i.message.en for i in record.incidents if i.code == "energy_incomplete" and "package" in i.message.en
    ]
    assert len(partial) == MOST_NAMED
    assert partial[0].startswith("n00: package-0")
    assert record.incomplete


def test_a_job_whose_first_node_died_ends_with_its_last() -> None:
    record = job(node("n1", last_s=20, state=None), node("n2", start_s=1))
    assert record.ended_ms == WALL_S * 1000 + 59_000  # as long as the longest of them


def test_a_step_is_one_row_whatever_its_nodes() -> None:
    one = node("n1", steps=(("0", 10, 20), ("1", 30, 40)))
    two = node("n2", boot_s=77, steps=(("0", 11, 25),))
    record = job(one, two)
    assert [(row.id, row.name) for row in record.windows] == [("step-0", "step 0"), ("step-1", "step 1")]
    assert [row.energy_j for row in record.windows] == pytest.approx([24 * POWER_W, 10 * POWER_W])
    assert (record.windows[0].started_ms, record.windows[0].duration_s) == ((WALL_S + 10) * 1000, 14)


def test_figures_of_a_step_are_those_of_all_its_nodes() -> None:
    log = RunLog(
        "r", (node("n1", steps=(("0", 10, 20),)), node("n2", steps=(("0", 10, 30),)), node("n3")), "", 1000
    )
    record = account(log, "step-0").record
    assert record.hosts == ("n1", "n2")
    assert record.energy_j == pytest.approx(30 * POWER_W)


def test_a_step_ends_with_a_node_that_died() -> None:
    record = job(node("n1", steps=(("0", 10, 50),)), node("n2", last_s=30, state=None, steps=(("0", 10, None),)))
    assert record.windows[0].energy_j == pytest.approx((40 + 20) * POWER_W)
    assert record.windows[0].duration_s == 40


def test_a_step_of_which_a_part_is_unknown_is_unknown() -> None:
    torn = node("n2", steps=(("0", 10, None),))
    torn.bad_lines = 1
    assert job(node("n1", steps=(("0", 10, 50),)), torn).windows[0].energy_j is None


def test_the_line_a_node_wrote_when_it_died_costs_no_step_its_energy() -> None:
    dead = node("n2", last_s=30, state=None, steps=(("0", 10, None),))
    dead.bad_lines, dead.torn = 1, True
    assert job(node("n1", steps=(("0", 10, 50),)), dead).windows[0].energy_j == pytest.approx(60 * POWER_W)
    dead.bad_lines = 2
    assert job(node("n1", steps=(("0", 10, 50),)), dead).windows[0].energy_j is None


def test_windows_of_members_on_two_hosts_stay_two_though_their_ids_agree() -> None:
    members = [replace(node(name), role=Role.MEMBER, start_ns=None, stop=None) for name in ("n1", "n2")]
    for member in members:
        member.windows = [WindowMark("1-0", "mine", None, 1010 * S, 1020 * S)]
    assert len(job(*members).windows) == 2
