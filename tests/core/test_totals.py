"""From traces to a total: what is counted, what it adds up to, and how sure that is."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenai.core.account import account
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.energy_curve import EnergyCurve, EnergyInterval
from greenai.core.events import ProcessLog, RunLog, Stop, WindowMark
from greenai.core.reading import CounterReading
from greenai.core.series import Series
from greenai.core.totals import energy_of, with_rest
from greenai.core.traces import ChannelTrace
from greenai.core.usage import Usage
from greenai.core.vocabulary import Role, RunState, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from greenai.core.record import RunRecord
    from greenai.core.run_energy import ChannelEnergy, Energy

S = 1_000_000_000
J = 1_000_000
CPU = Channel(
    id="rapl:0", collector="rapl", component=Component.CPU, kind=Kind.COUNTER, quality=Quality.MEASURED,
    device="package-0", host="n1", method="rapl_powercap", uncertainty_rel=0.05, max_power_uw=1000 * J,
)  # fmt: skip
CPU_1 = replace(CPU, id="rapl:1")
DRAM = replace(CPU, id="rapl:0/dram", component=Component.DRAM, uncertainty_rel=0.2)
GPU = replace(CPU, id="nvml:GPU-a", collector="nvml", component=Component.GPU)
NODE = replace(CPU, id="ipmi:node", collector="ipmi", component=Component.NODE, uncertainty_rel=0.1)
GUESS = replace(CPU, id="guess:0", collector="guess", quality=Quality.ESTIMATED, uncertainty_rel=0.4)
SLICE = replace(
    GPU, id="nvml:GPU-a/3/0", quality=Quality.ALLOCATED, share=3 / 7, policy="mig_slice_share",
    uncertainty_rel=1.33, uncertainty_low_rel=0.85,
)  # fmt: skip
TEN = {"n1": (0, 10 * S)}
Part = tuple[Channel, float | None, float | None, str | None]


def steady(energy_j: float | None, t0_s: float = 0, t1_s: float = 10) -> EnergyCurve:
    uj = None if energy_j is None else energy_j * J
    return EnergyCurve([EnergyInterval(round(t0_s * S), round(t1_s * S), uj)])


def trace(
    channel: Channel, machine_j: float | None, own_j: float | None = None, policy: str | None = None, **lost: int
) -> ChannelTrace:
    """Return ten seconds of a channel; without a policy all of it is the run's."""
    machine = steady(machine_j)
    return ChannelTrace(
        channel, Series(channel), machine, machine if policy is None else steady(own_j), policy, lost
    )


def total(*found: ChannelTrace, scope: Scope = Scope.CGROUP, count_rest: bool = False) -> Energy:
    traces = with_rest({(t.channel.host, t.channel.id): t for t in found}, TEN, is_counted=count_rest)
    return energy_of(traces, TEN, scope, count_rest=count_rest)[0]


def row(energy: Energy, channel: Channel | str) -> ChannelEnergy:
    name = channel if isinstance(channel, str) else channel.id
    return next(r for r in energy.channels if r.id == name)


REST = "rest_of_node:rest"


# --- what it adds up to


def test_the_run_and_the_machine_are_both_added_up() -> None:
    energy = total(trace(CPU, 1000, 250, "cpu_time_share"), trace(GPU, 3000))
    assert (energy.total_j, energy.machine_total_j, energy.scope) == (3250, 4000, "cgroup")
    assert energy.measured_share == 1
    cpu = row(energy, CPU)
    assert (cpu.energy_j, cpu.machine_energy_j, cpu.policy, cpu.quality) == (
        250, 1000, "cpu_time_share", Quality.ALLOCATED,
    )  # fmt: skip
    assert (row(energy, GPU).quality, energy.quality) == (Quality.MEASURED, Quality.ALLOCATED)


def test_without_sharing_out_run_and_machine_are_the_same() -> None:
    energy = total(trace(CPU, 1000), trace(DRAM, 100), scope=Scope.MACHINE)
    assert energy.total_j == energy.machine_total_j == 1100
    assert (energy.low_j, energy.high_j) == pytest.approx((1100 - sqrt(50**2 + 20**2), 1100 + sqrt(50**2 + 20**2)))
    assert {r.policy for r in energy.channels} == {None}


def test_an_estimate_stays_one_when_it_is_shared_out() -> None:
    energy = total(trace(GUESS, 1000, 250, "cpu_time_share"), trace(GPU, 750))
    assert row(energy, GUESS).quality is energy.quality is Quality.ESTIMATED
    assert energy.measured_share == pytest.approx(0.75)


def test_a_share_that_is_unknown_is_not_0_and_says_so() -> None:
    energy = total(trace(CPU, 1000, None, "cpu_time_share"), trace(GPU, 300))
    cpu = row(energy, CPU)
    assert (cpu.energy_j, cpu.low_j, cpu.high_j, cpu.counted, cpu.gap_s) == (None, None, None, False, 10)
    assert cpu.machine_energy_j == 1000
    assert cpu.note is not None
    assert "share_unknown" in cpu.note.de
    assert "share_unknown" in cpu.note.en
    assert (energy.total_j, energy.machine_total_j) == (300, 300)


def test_nothing_known_is_none() -> None:
    energy = total(trace(CPU, 1000, None, "cpu_time_share"))
    assert (energy.total_j, energy.low_j, energy.high_j, energy.machine_total_j, energy.measured_share) == (
        None,
    ) * 5
    assert total().total_j is None


def test_the_reason_named_is_the_most_frequent_one() -> None:
    note = row(total(trace(CPU, None, eio=2, eperm=5, ebusy=5)), CPU).note
    assert note is not None
    assert "ebusy" in note.en
    silent = row(total(trace(CPU, None)), CPU).note
    assert silent is not None
    assert "no_reading" in silent.de
    assert row(total(trace(CPU, 5, eio=2)), CPU).lost_readings == {"eio": 2}


# --- how sure that is


def test_a_run_that_is_alone_is_as_sure_as_the_sensor() -> None:
    shared, alone = row(total(trace(CPU, 1000, 1000, "cpu_time_share")), CPU), row(total(trace(CPU, 1000)), CPU)
    assert (shared.low_j, shared.high_j) == (alone.low_j, alone.high_j) == (950, 1050)


@pytest.mark.parametrize(
    ("share", "low_rel", "high_rel"),
    [(1.0, 0.05, 0.05), (0.5, 1 / 3, 1 / 3), (1e-9, 0.5, 1.0), (0.25, 3 / 7, 0.6)],
)
def test_the_less_of_the_machine_the_less_sure(share: float, low_rel: float, high_rel: float) -> None:
    """Sensor and sharing out err independently of each other."""
    found = row(total(trace(CPU, 1000, 1000 * share, "cpu_time_share")), CPU)
    low, high = (0.0, 0.0) if share == 1 else (low_rel, high_rel)
    assert found.low_j == pytest.approx(1000 * share * (1 - sqrt(0.05**2 + low**2)))
    assert found.high_j == pytest.approx(1000 * share * (1 + sqrt(0.05**2 + high**2)))
    assert found.uncertainty_rel == pytest.approx(sqrt(0.05**2 + high**2))


def test_two_sockets_err_alike_when_they_are_shared_out_alike() -> None:
    """A program that draws twice its share of the CPU time does so on both: 40 and 40 J are 80 J, not 57."""
    energy = total(trace(CPU, 1000, 100, "cpu_time_share"), trace(CPU_1, 1000, 100, "cpu_time_share"))
    high_rel, low_rel = 2 / 1.1 - 1, 1 - 1 / 1.9
    assert energy.high_j == pytest.approx(200 + sqrt((200 * high_rel) ** 2 + 2 * 5**2))
    assert energy.low_j == pytest.approx(200 - sqrt((200 * low_rel) ** 2 + 2 * 5**2))


def test_the_collectors_own_share_is_as_sure_as_the_collector_says() -> None:
    """Its channel's uncertainty contains the sharing out by slices; it is not added a second time."""
    found = row(total(trace(SLICE, 700, 300, "mig_slice_share"), scope=Scope.MACHINE), SLICE)
    assert (found.low_j, found.high_j) == pytest.approx((45, 699))
    assert found.uncertainty_rel == pytest.approx(1.33)
    assert found.quality is Quality.ALLOCATED


def test_a_share_of_a_share_is_less_sure_than_either() -> None:
    """Of a slice's 300 J the run has the half: as sure as the slice, and as a half."""
    found = row(total(trace(SLICE, 700, 150, "sm_share")), SLICE)
    assert found.high_j == pytest.approx(150 * (1 + sqrt(1.33**2 + (1 / 3) ** 2)))
    assert found.low_j == pytest.approx(150 * (1 - sqrt(0.85**2 + (1 / 3) ** 2)))


RULES = {
    CPU: "cpu_time_share",
    CPU_1: "cpu_time_share",
    DRAM: "memory_share",
    GPU: "sm_share",
    NODE: "parts_share",
}


@settings(deadline=None)
@given(
    energies=st.lists(
        st.tuples(st.none() | st.floats(0, 1e9), st.none() | st.floats(0, 1)), min_size=7, max_size=7
    ),
    count_rest=st.booleans(),
    short=st.booleans(),
)
def test_low_value_and_high_are_in_order(
    energies: list[tuple[float | None, float | None]], count_rest: bool, short: bool
) -> None:
    channels = [*RULES, GUESS, SLICE]
    if short:
        channels = [replace(c, uncertainty_short=((60.0, 1.5),), resolution_uj=10**9) for c in channels]
    found = []
    for channel, (machine_j, share) in zip(channels, energies, strict=True):
        own_j = None if machine_j is None or share is None else machine_j * share
        policy = RULES.get(
            replace(channel, uncertainty_short=(), resolution_uj=0), channel.policy or "cpu_time_share"
        )
        found.append(trace(channel, machine_j, own_j, policy))
    energy = total(*found, count_rest=count_rest)
    ends = [(r.energy_j, r.low_j, r.high_j) for r in energy.channels]
    for value_j, low_j, high_j in [*ends, (energy.total_j, energy.low_j, energy.high_j)]:
        if value_j is None or low_j is None or high_j is None:
            assert value_j is low_j is high_j is None
        else:
            assert 0 <= low_j <= value_j <= high_j
    counted = [r for r in energy.channels if r.counted]
    assert energy.total_j == (pytest.approx(sum(r.energy_j or 0 for r in counted)) if counted else None)
    assert (
        energy.machine_total_j is None
        or energy.total_j is None
        or energy.total_j <= energy.machine_total_j * 1.001
    )
    assert energy.measured_share is None or 0 <= energy.measured_share <= 1 + 1e-9


# --- the rest of the node


def test_the_rest_is_shown_but_not_counted_unless_asked_for() -> None:
    parts = trace(CPU, 900), trace(DRAM, 100), trace(GPU, 2000)
    shown, counted = total(*parts), total(*parts, count_rest=True)
    assert row(shown, REST).energy_j == pytest.approx(630)
    assert not row(shown, REST).counted
    assert (shown.total_j, shown.measured_share) == (3000, 1)
    assert row(counted, REST).counted
    assert (counted.total_j, counted.measured_share) == pytest.approx((3630, 3000 / 3630))
    assert counted.quality is Quality.ESTIMATED
    bounds = row(counted, REST)
    assert (bounds.low_j, bounds.high_j) == pytest.approx((300, 1200))


def test_the_rest_of_a_run_follows_its_part_and_that_of_the_machine_the_machine() -> None:
    energy = total(trace(CPU, 1000, 250, "cpu_time_share"), trace(GPU, 2000), count_rest=True)
    rest = row(energy, REST)
    assert (rest.energy_j, rest.machine_energy_j) == pytest.approx((82.5 + 300, 330 + 300))
    assert energy.machine_total_j == pytest.approx(3630)


@pytest.mark.parametrize("count_rest", [True, False])
def test_where_the_node_is_measured_there_is_no_rest(count_rest: bool) -> None:
    energy = total(trace(NODE, 5000), trace(CPU, 900), trace(GPU, 2000), count_rest=count_rest)
    assert [r.id for r in energy.channels] == [NODE.id, CPU.id, GPU.id]
    assert energy.total_j == 5000
    assert [r.part_of for r in energy.channels] == [None, NODE.id, NODE.id]


def test_a_node_that_was_blind_for_long_is_no_measurement_of_the_node() -> None:
    """A battery that was charged most of the time: its parts count, and their rest is estimated."""
    blind = ChannelTrace(NODE, Series(NODE), steady(300, 0, 1), steady(300, 0, 1))
    energy = total(blind, trace(CPU, 1000), count_rest=True)
    assert energy.total_j == pytest.approx(1330)
    assert not row(energy, NODE).counted


def test_each_host_has_its_own_rest() -> None:
    far_cpu, far_node = replace(CPU, host="n2"), replace(NODE, host="n3")
    found = [trace(CPU, 1000), trace(far_cpu, 100), trace(far_node, 5000)]
    spans = dict.fromkeys(("n1", "n2", "n3"), (0, 10 * S))
    traces = with_rest({(t.channel.host, t.channel.id): t for t in found}, spans, is_counted=True)
    energy, chosen = energy_of(traces, spans, Scope.MACHINE, count_rest=True)
    assert energy.total_j == pytest.approx(1330 + 133 + 5000)
    assert {key for key in chosen if key[1] == REST} == {("n1", REST), ("n2", REST)}


def test_the_note_of_the_rest_does_not_lie() -> None:
    for count_rest, word in ((True, "Included"), (False, "Not in the total")):
        for parts in ([trace(CPU, 10)], [trace(CPU, 10), trace(GPU, 10)], [trace(GUESS, 10)]):
            rest = row(total(*parts, count_rest=count_rest), REST)
            assert rest.note is not None
            assert word in rest.note.en
            assert rest.counted is count_rest


# --- with journals: windows, hosts, settings


def worked(t_s: float) -> float:
    """Return the run's CPU time: it works on one of two busy CPUs for the first half only."""
    return min(t_s, 5.0)


def journal(host: str = "n1", start_s: int = 0, **meta: Any) -> ProcessLog:
    cpu, gpu = replace(CPU, host=host), replace(GPU, host=host)
    seconds = range(11)
    log = ProcessLog(
        role=Role.OWNER if host == "n1" else Role.MEMBER, host=host, pid=1, wall_ns=0, mono_ns=start_s * S,
        interval_s=1.0, meta={"name": "x", **meta}, channels=(cpu, gpu), start_ns=start_s * S,
        last_ns=(start_s + 10) * S,
        readings={
            cpu.id: [CounterReading(cpu.id, (start_s + t) * S, t * 100 * J) for t in seconds],
            gpu.id: [CounterReading(gpu.id, (start_s + t) * S, t * 40 * J) for t in seconds],
        },
        usages=[Usage((start_s + t) * S, round(worked(t) * J), 2 * t * J) for t in seconds],
    )  # fmt: skip
    log.stop = Stop((start_s + 10) * S, RunState.COMPLETED, 0, None)
    return log


def record(*logs: ProcessLog, window_id: str | None = None) -> RunRecord:
    return account(RunLog("r", logs, "", 0.0), window_id).record


def test_the_windows_of_a_shared_run_are_shared_out_as_well() -> None:
    log = journal(scope="cgroup")
    log.windows = [
        WindowMark("work", "work", None, 0, 5 * S), WindowMark("wait", "wait", None, 5 * S, 10 * S),
        WindowMark("step", "step", "work", S, round(1.25 * S)),
    ]  # fmt: skip
    found = record(log)
    windows = {window.id: window.energy_j for window in found.windows}
    assert windows == {"work": pytest.approx(250 + 200), "wait": pytest.approx(200), "step": pytest.approx(22.5)}
    assert found.energy.total_j == pytest.approx(650)
    assert found.energy.machine_total_j == pytest.approx(1400)
    alone = record(log, window_id="work")
    assert alone.energy.total_j == pytest.approx(450)
    assert alone.energy.machine_total_j == pytest.approx(700)


@settings(deadline=None)
@given(cuts=st.lists(st.integers(1, 10 * S - 1), max_size=6, unique=True), count_rest=st.booleans())
def test_the_windows_of_a_partition_add_up_to_the_run(cuts: list[int], count_rest: bool) -> None:
    edges = [0, *sorted(cuts), 10 * S]
    log = journal(scope="cgroup", rest_of_node=count_rest)
    log.windows = [WindowMark(str(n), "part", None, a, b) for n, (a, b) in enumerate(pairwise(edges))]
    found = record(log)
    assert found.energy.total_j == pytest.approx(650 + count_rest * (0.33 * 250 + 0.15 * 400))
    assert sum(window.energy_j or 0 for window in found.windows) == pytest.approx(found.energy.total_j)


def test_two_hosts_are_each_shared_out_by_their_own_use() -> None:
    near, far = journal(scope="cgroup"), journal("n2", 5_000_000)
    far.usages = [replace(look, own_cpu_us=look.machine_cpu_us) for look in far.usages]
    found = record(near, far)
    assert found.energy.total_j == pytest.approx(650 + 1400)
    assert found.energy.machine_total_j == pytest.approx(2800)
    assert found.hosts == ("n1", "n2")


@pytest.mark.parametrize("scope", [None, "machine", "of a later version"])
def test_the_scope_of_the_whole_machine_leaves_all_as_it_was(scope: str | None) -> None:
    found = record(journal(scope=scope))
    assert found.energy.total_j == found.energy.machine_total_j == pytest.approx(1400)
    assert found.energy.scope == "machine"
    assert {r.policy for r in found.energy.channels} == {None}


@pytest.mark.parametrize("setting", [True, False, None])
def test_the_setting_decides_whether_the_rest_counts(setting: bool | None) -> None:
    meta: Mapping[str, Any] = {} if setting is None else {"rest_of_node": setting}
    found = record(journal(**meta))
    assert found.energy.total_j == pytest.approx(1400 + (0.33 * 1000 + 0.15 * 400 if setting else 0))
    assert row(found.energy, REST).counted is bool(setting)
