"""Sharing out: nobody pays for more than there was, nobody's unknown becomes a 0, and chance is not billed."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenai.core.allocation import (
    CPU_TIME_SHARE,
    JOB_CPU_TIME_SHARE,
    JOB_MEMORY_SHARE,
    MEMORY_SHARE,
    PARTS_SHARE,
    SM_SHARE,
    ShareStep,
    allocated,
    allocation_bounds,
    parts_steps,
    share_steps,
)
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.energy_curve import EnergyCurve, EnergyInterval
from greenai.core.units import NS_PER_S
from greenai.core.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

S = 1_000_000_000
J = 1_000_000
CPU = Channel(
    id="rapl:0", collector="rapl", component=Component.CPU, kind=Kind.COUNTER, quality=Quality.MEASURED,
    device="package-0", host="n1", method="rapl_powercap", uncertainty_rel=0.05, max_power_uw=1000 * J,
)  # fmt: skip
DRAM = replace(CPU, id="rapl:0/dram", component=Component.DRAM)
GPU = replace(CPU, id="nvml:GPU-a", collector="nvml", component=Component.GPU)


def usage(
    t_s: float,
    own_s: float | None = None,
    machine_s: float | None = None,
    *,
    memory: tuple[int | None, int | None] = (None, None),
    gpus: Mapping[str, float] | None = None,
) -> Usage:
    own_us = None if own_s is None else round(own_s * 1e6)
    machine_us = None if machine_s is None else round(machine_s * 1e6)
    return Usage(round(t_s * S), own_us, machine_us, *memory, gpus)


def interval(t0_s: float, t1_s: float, energy_j: float | None) -> EnergyInterval:
    return EnergyInterval(round(t0_s * S), round(t1_s * S), None if energy_j is None else energy_j * J)


def curve(*intervals: EnergyInterval) -> EnergyCurve:
    return EnergyCurve(intervals)


def energy_j(intervals: Sequence[EnergyInterval]) -> float:
    return sum(i.energy_uj for i in intervals if i.energy_uj is not None) / J


def unknown_s(intervals: Sequence[EnergyInterval]) -> float:
    return sum(i.t1_ns - i.t0_ns for i in intervals if i.energy_uj is None) / S


def shares(steps: Sequence[ShareStep]) -> list[float | None]:
    return [step.share for step in steps]


# --- how far it may be off


@pytest.mark.parametrize(("share", "low", "high"), [(0, 0.5, 1.0), (0.5, 1 / 3, 1 / 3), (1, 0.0, 0.0)])
def test_the_bounds_at_the_ends_and_in_the_middle(share: float, low: float, high: float) -> None:
    assert allocation_bounds(share) == pytest.approx((low, high))


@settings(deadline=None)
@given(share=st.floats(0, 1), power_ratio=st.floats(0.5, 2))
def test_the_bounds_hold_for_every_program_of_half_to_twice_the_power(share: float, power_ratio: float) -> None:
    truth = power_ratio * share / (power_ratio * share + 1 - share)
    low, high = allocation_bounds(share)
    assert share * (1 - low) - 1e-12 <= truth <= share * (1 + high) + 1e-12


@settings(deadline=None)
@given(one=st.floats(0, 1), other=st.floats(0, 1))
def test_the_more_of_the_machine_is_the_runs_the_surer_it_is(one: float, other: float) -> None:
    less, more = sorted((one, other))
    for wide, narrow in zip(allocation_bounds(less), allocation_bounds(more), strict=True):
        assert wide >= narrow >= 0


# --- from shares to energies


@st.composite
def timelines(draw: st.DrawFn, most: int = 12) -> list[int]:
    pauses = draw(st.lists(st.integers(1, 5 * S), min_size=1, max_size=most))
    return list(accumulate(pauses, initial=draw(st.integers(0, 5 * S))))


ENERGIES = st.none() | st.floats(0, 1e9)
SHARES = st.none() | st.floats(0, 1)


@settings(deadline=None)
@given(energy_times=timelines(), share_times=timelines(), data=st.data())
def test_a_part_is_never_more_than_the_whole_and_never_invented(
    energy_times: list[int], share_times: list[int], data: st.DataObject
) -> None:
    intervals = [EnergyInterval(a, b, data.draw(ENERGIES)) for a, b in pairwise(energy_times)]
    steps = [ShareStep(a, b, data.draw(SHARES)) for a, b in pairwise(share_times)]
    found = allocated(intervals, steps)
    assert (found[0].t0_ns, found[-1].t1_ns) == (energy_times[0], energy_times[-1])
    for before, after in pairwise(found):
        assert before.t1_ns == after.t0_ns
        assert before.t0_ns < before.t1_ns
    for part in found:
        around = next(i for i in intervals if i.t0_ns <= part.t0_ns < i.t1_ns)
        step = next((s for s in steps if s.t0_ns <= part.t0_ns < s.t1_ns), None)
        assert part.t1_ns <= around.t1_ns
        if around.energy_uj is None or step is None or step.share is None:
            assert part.energy_uj is None
        else:
            assert part.t1_ns <= step.t1_ns
            fraction = (part.t1_ns - part.t0_ns) / (around.t1_ns - around.t0_ns)
            assert part.energy_uj == pytest.approx(around.energy_uj * fraction * step.share)


@settings(deadline=None)
@given(energy_times=timelines(), share_times=timelines(), data=st.data())
def test_the_shares_of_all_add_up_to_the_machine(
    energy_times: list[int], share_times: list[int], data: st.DataObject
) -> None:
    intervals = [EnergyInterval(a, b, data.draw(st.floats(0, 1e9))) for a, b in pairwise(energy_times)]
    one = [ShareStep(a, b, data.draw(st.floats(0, 1))) for a, b in pairwise(share_times)]
    other = [replace(step, share=1 - (step.share or 0)) for step in one]
    machine = EnergyCurve(intervals)
    parts = [EnergyCurve(allocated(intervals, steps)) for steps in (one, other)]
    for a, b in pairwise(sorted({*energy_times, *share_times})):
        whole = machine.between(a, b).energy_j
        pieces = [part.between(a, b).energy_j for part in parts]
        if whole is None or not share_times[0] <= a < share_times[-1]:
            assert pieces == [None, None]
        else:
            assert sum(piece or 0 for piece in pieces) == pytest.approx(whole, abs=1e-6)


@settings(deadline=None)
@given(energy_times=timelines(), cut=st.integers(0, 60 * S), data=st.data())
def test_where_an_interval_is_cut_changes_nothing(energy_times: list[int], cut: int, data: st.DataObject) -> None:
    intervals = [EnergyInterval(a, b, data.draw(st.floats(0, 1e9))) for a, b in pairwise(energy_times)]
    steps = [ShareStep(0, 30 * S, 0.25), ShareStep(30 * S, 90 * S, 1.0)]
    finer = []
    for i in intervals:
        if i.t0_ns < cut < i.t1_ns and i.energy_uj is not None:
            first = (cut - i.t0_ns) / (i.t1_ns - i.t0_ns)
            finer.append(EnergyInterval(i.t0_ns, cut, i.energy_uj * first))
            finer.append(EnergyInterval(cut, i.t1_ns, i.energy_uj * (1 - first)))
        else:
            finer.append(i)
    assert energy_j(allocated(finer, steps)) == pytest.approx(energy_j(allocated(intervals, steps)))


def test_before_the_first_and_after_the_last_look_at_the_machine_nothing_is_known() -> None:
    steps = [ShareStep(2 * S, 4 * S, 0.5), ShareStep(4 * S, 6 * S, 1.0)]
    found = allocated([interval(0, 10, 100)], steps)
    assert [(i.t0_ns // S, i.t1_ns // S, i.energy_uj) for i in found] == [
        (0, 2, None), (2, 4, 10 * J), (4, 6, 20 * J), (6, 10, None),
    ]  # fmt: skip


def test_without_any_look_at_the_machine_nothing_is_known() -> None:
    found = allocated([interval(0, 1, 5), interval(1, 2, 7)], [])
    assert [(i.t0_ns, i.t1_ns, i.energy_uj) for i in found] == [(0, S, None), (S, 2 * S, None)]
    assert allocated([], [ShareStep(0, S, 1.0)]) == []


# --- CPU time


def cpu_share(usages: Sequence[Usage], t0_s: float, t1_s: float, watts: float = 100) -> tuple[Any, Any]:
    """Return the run's share of a steady power between two times, and for how long it is unknown."""
    rule, steps = share_steps(CPU, usages)
    assert rule == CPU_TIME_SHARE
    found = allocated([interval(t0_s, t1_s, watts * (t1_s - t0_s))], steps)
    return energy_j(found) / (watts * (t1_s - t0_s)), unknown_s(found)


def test_cpu_energy_goes_by_cpu_time_interval_by_interval() -> None:
    usages = [usage(0, 0, 50), usage(1, 1, 52), usage(2, 1, 56), usage(3, 3, 58)]
    _, steps = share_steps(CPU, usages)
    assert shares(steps) == [0.5, 0, 1]
    found = allocated([interval(0, 1, 100), interval(1, 2, 400), interval(2, 3, 100)], steps)
    assert energy_j(found) == pytest.approx(150)


@settings(deadline=None)
@given(
    work=st.lists(
        st.tuples(st.lists(st.integers(0, 3 * J), min_size=3, max_size=3), st.integers(0, 3 * J)),
        min_size=1, max_size=12,
    ),
    pauses=st.lists(st.integers(1, 3 * S), min_size=12, max_size=12),
)  # fmt: skip
def test_several_runs_never_pay_for_more_than_the_machine_took(
    work: list[tuple[list[int], int]], pauses: list[int]
) -> None:
    """Three runs and other programs beside them, looked at in the same moments."""
    times = list(accumulate(pauses[: len(work)], initial=0))
    machine_us = list(accumulate((sum(mine) + others for mine, others in work), initial=77 * J))
    intervals = [EnergyInterval(a, b, 90 * J * (b - a) / S) for a, b in pairwise(times)]
    whole_j = energy_j(intervals)
    paid_j = 0.0
    for run in range(3):
        own_us = accumulate((mine[run] for mine, _ in work), initial=run * J)
        usages = [Usage(t, own, machine) for t, own, machine in zip(times, own_us, machine_us, strict=True)]
        part_j = energy_j(allocated(intervals, share_steps(CPU, usages)[1]))
        assert 0 <= part_j <= whole_j * (1 + 1e-9)
        paid_j += part_j
    assert paid_j <= whole_j * (1 + 1e-9)


@pytest.mark.parametrize("pause_s", [0.001, 0.003, 0.007, 0.05, 0.2])
@pytest.mark.parametrize("own_step_us", [1, 10_000])
def test_looking_often_does_not_change_the_share(pause_s: float, own_step_us: int) -> None:
    """Two programs, a CPU each. The machine is counted in ticks of 10 ms, the run finely (cgroup) or in ticks, too.

    Step by step their ratio is chance: without a tick the run is alone on the machine, with one it is hardly there.
    Marks of windows make such steps, as many as there are windows.
    """
    count = round(20 / pause_s)
    times_s = [number * pause_s for number in range(count + 1)]
    usages = [
        Usage(round(t * S), round(t * J) // own_step_us * own_step_us, round(2 * t * J) // 10_000 * 10_000)
        for t in times_s
    ]
    share, _ = cpu_share(usages, 0, times_s[-1])
    assert share == pytest.approx(0.5, abs=0.02)


def test_looking_at_random_moments_bills_two_runs_for_one_machine() -> None:
    rng = random.Random(7)
    times_s = sorted({0.0, 30.0, *(rng.uniform(0, 30) for _ in range(3000))})
    machine = [round(2 * t * J) // 10_000 * 10_000 for t in times_s]
    quarter = [Usage(round(t * S), round(0.5 * t * J), work) for t, work in zip(times_s, machine, strict=True)]
    rest = [Usage(round(t * S), round(1.5 * t * J), work) for t, work in zip(times_s, machine, strict=True)]
    (one, _), (other, _) = cpu_share(quarter, 0, 30), cpu_share(rest, 0, 30)
    assert one == pytest.approx(0.25, abs=0.01)
    assert one + other == pytest.approx(1, abs=0.01)


def test_who_worked_in_the_first_half_does_not_pay_for_the_second() -> None:
    usages = [usage(t, min(t, 50), 2 * min(t, 50) + max(t - 50, 0)) for t in range(101)]
    assert cpu_share(usages, 0, 50)[0] == pytest.approx(0.5)
    assert cpu_share(usages, 50, 100)[0] == pytest.approx(0)


def test_one_failed_look_costs_nothing() -> None:
    """CPU time is cumulated, like a counter's energy."""
    usages = [usage(0, 0, 0), usage(1, 1, 2), usage(2), usage(3, None, 6), usage(4, 4, None), usage(5, 5, 10)]
    assert cpu_share(usages, 0, 5) == (pytest.approx(0.5), 0)


def test_a_program_that_is_gone_leaves_its_end_unknown() -> None:
    usages = [usage(0, 0, 0), usage(2, 2, 4), usage(4, None, 8)]
    assert cpu_share(usages, 0, 4) == (pytest.approx(0.25), 2)


@pytest.mark.parametrize(
    "known", [[], [usage(0, 1, 1)], [usage(0), usage(1)], [usage(0, 1, None), usage(1, 1, None)]]
)
def test_too_little_is_unknown_and_not_0(known: list[Usage]) -> None:
    rule, steps = share_steps(CPU, known)
    assert (rule, steps) == (CPU_TIME_SHARE, [])
    assert [i.energy_uj for i in allocated([interval(0, 1, 5)], steps)] == [None]


def test_a_run_shorter_than_a_tick_is_unknown_and_not_0() -> None:
    usages = [usage(0, 3.0, 50), usage(0.004, 3.0, 50)]
    found = allocated([interval(0, 0.004, 1)], share_steps(CPU, usages)[1])
    assert [i.energy_uj for i in found] == [None]


def test_a_tick_that_comes_late_makes_no_share_above_1() -> None:
    usages = [usage(0, 0, 50), usage(1, 1.005, 51), usage(2, 2.0, 52)]
    assert shares(share_steps(CPU, usages)[1]) == [1, pytest.approx(0.995)]


def test_idle_power_is_paid_by_who_works_next() -> None:
    """Nothing was worked for a minute, so that minute has no share of its own; it is no gap and it is not free."""
    usages = [usage(0, 0, 50), usage(1, 1, 52), usage(61, 1, 52), usage(62, 2, 52 + 4)]
    assert cpu_share(usages, 0, 62) == (pytest.approx((0.5 + 61 * 0.25) / 62), 0)


def test_a_daemon_that_leaves_the_tree_takes_no_energy_back() -> None:
    """Its 40 s leave with it: what the others used meanwhile is unknown, neither 0 nor negative."""
    usages = [usage(0, 50, 100), usage(1, 51, 102), usage(2, 12, 104), usage(3, 13, 106)]
    assert shares(share_steps(CPU, usages)[1]) == [0.5, None, 0.5]


def test_a_machine_whose_clock_of_work_falls_is_unknown() -> None:
    """A container was moved to another machine: its /proc/stat is another one."""
    usages = [usage(0, 50, 10_000), usage(1, 51, 10_002), usage(2, 52, 300), usage(3, 53, 302)]
    assert shares(share_steps(CPU, usages)[1]) == [0.5, None, 0.5]


@settings(deadline=None)
@given(
    looks=st.lists(
        st.tuples(st.integers(0, 3 * S), st.none() | st.integers(0, 50 * J), st.none() | st.integers(0, 50 * J)),
        max_size=15,
    )
)
def test_whatever_was_seen_a_share_is_a_part_and_steps_adjoin(
    looks: list[tuple[int, int | None, int | None]],
) -> None:
    times = list(accumulate(pause for pause, _, _ in looks))
    usages = [Usage(t, own, machine) for t, (_, own, machine) in zip(times, looks, strict=True)]
    _, steps = share_steps(CPU, usages)
    for step in steps:
        assert step.share is None or 0 <= step.share <= 1
    for before, after in pairwise(steps):
        assert before.t1_ns == after.t0_ns


# --- memory


def test_memory_goes_by_memory_in_use() -> None:
    usages = [usage(0, memory=(1, 4)), usage(1, memory=(3, 4)), usage(2, memory=(None, 4))]
    rule, steps = share_steps(DRAM, usages)
    assert rule == MEMORY_SHARE
    assert shares(steps) == [0.5, 0.75]


def test_of_a_batch_job_only_looks_at_all_jobs_of_the_node_count_and_the_rules_say_so() -> None:
    """The program sees the node's jobs, its sampler only the machine: the two kinds are no differences of one."""
    machine = [usage(t, t, 100 + 4 * t, memory=(1, 8)) for t in range(4)]
    jobs = [replace(usage(t + 0.1, t, 900 + 2 * t, memory=(1, 4)), of_jobs=True) for t in range(3)]
    mixed = sorted([*machine, *jobs], key=lambda look: look.t_mono_ns)
    rule, steps = share_steps(CPU, mixed)
    assert (rule, shares(steps)) == (JOB_CPU_TIME_SHARE, [0.5, 0.5])
    rule, steps = share_steps(DRAM, mixed)
    assert (rule, shares(steps)) == (JOB_MEMORY_SHARE, [0.25, 0.25])
    assert parts_steps(mixed, {})[0] == JOB_CPU_TIME_SHARE


@pytest.mark.parametrize("memory", [(None, 4), (1, None), (None, None), (1, 0)])
def test_unknown_memory_is_unknown(memory: tuple[int | None, int | None]) -> None:
    steps = share_steps(DRAM, [usage(0, memory=memory), usage(1, memory=memory)])[1]
    assert shares(steps) == [None]


def test_memory_that_is_counted_twice_is_no_share_above_1() -> None:
    assert shares(share_steps(DRAM, [usage(0, memory=(9, 4)), usage(1, memory=(2, 4))])[1]) == [0.75]


# --- GPUs


def test_a_gpu_that_nobody_else_uses_is_the_runs() -> None:
    assert share_steps(GPU, [usage(0, gpus={}), usage(1, gpus={}), usage(2)]) == (None, [])
    assert share_steps(GPU, [usage(0, 0, 0), usage(1, 1, 1)]) == (None, [])
    assert share_steps(GPU, [usage(0, gpus={"nvml:GPU-b": 0.5}), usage(1, gpus={})]) == (None, [])


def test_a_gpu_that_others_use_too_goes_by_their_work() -> None:
    usages = [
        usage(0),
        usage(1, gpus={}),
        usage(1.5),
        usage(2, gpus={GPU.id: 0.25}),
        usage(3, gpus={}),
        usage(3.5),
    ]
    rule, steps = share_steps(GPU, usages)
    assert rule == SM_SHARE
    found = [(step.t0_ns / S, step.t1_ns / S, step.share) for step in steps]
    assert found == [(0, 1, 1.0), (1, 2, 0.25), (2, 3, 1.0), (3, 3.5, 1.0)]


# --- what contains the parts


def test_a_node_goes_by_the_energy_of_its_parts() -> None:
    """300 W of GPUs that are all the run's, 100 W of CPU of which it has a quarter: 325 of 400."""
    usages = [usage(0), usage(10)]
    cpu = (curve(interval(0, 10, 1000)), curve(interval(0, 10, 250)))
    gpu = (curve(interval(0, 10, 3000)), curve(interval(0, 10, 3000)))
    rule, steps = parts_steps(usages, {CPU: cpu, GPU: gpu})
    assert rule == PARTS_SHARE
    assert shares(steps) == [pytest.approx(0.8125)]


def test_without_parts_a_node_goes_by_cpu_time() -> None:
    rule, steps = parts_steps([usage(0, 0, 0), usage(1, 1, 4)], {})
    assert (rule, shares(steps)) == (CPU_TIME_SHARE, [0.25])


def test_a_part_whose_share_is_unknown_is_not_taken_for_nothing() -> None:
    """The CPU's energy is known, how much of it was the run's is not: neither is the node's."""
    usages = [usage(0), usage(1), usage(2)]
    cpu = (curve(interval(0, 2, 200)), curve(interval(0, 1, None), interval(1, 2, 50)))
    gpu = (curve(interval(0, 2, 100)), curve(interval(0, 2, 100)))
    assert shares(parts_steps(usages, {CPU: cpu, GPU: gpu})[1]) == [None, pytest.approx(100 / 150)]


def test_a_part_of_a_step_that_is_unknown_makes_it_unknown() -> None:
    cpu = (curve(interval(0, 2, 200)), curve(interval(0, 1, None), interval(1, 2, 50)))
    assert shares(parts_steps([usage(0), usage(2)], {CPU: cpu})[1]) == [None]


def test_a_part_that_nobody_could_read_does_not_hide_the_others() -> None:
    lost = curve(interval(0, 2, None))
    cpu = (curve(interval(0, 2, 200)), curve(interval(0, 2, 50)))
    assert shares(parts_steps([usage(0), usage(2)], {CPU: cpu, GPU: (lost, lost)})[1]) == [0.25]


def test_parts_without_any_energy_have_no_share() -> None:
    nothing = curve(interval(0, 2, 0))
    assert shares(parts_steps([usage(0), usage(2)], {CPU: (nothing, nothing)})[1]) == [None]


def test_a_count_that_began_anew_costs_the_time_between_and_nothing_else() -> None:
    counts = [(0, 100_000), (1, 400_000), (2, 700_000), (3, 50_000), (4, 350_000), (5, 650_000)]
    usages = [Usage(t * NS_PER_S, own, own * 2) for t, own in counts]
    _, steps = share_steps(CPU, usages)
    known = [(step.t0_ns // NS_PER_S, step.t1_ns // NS_PER_S, step.share) for step in steps]
    assert [part for part in known if part[2] is None] == [(2, 3, None)]
    assert {part[2] for part in known} == {None, 0.5}


def test_a_count_that_began_anew_on_an_idle_node_is_known_on_both_sides() -> None:
    counts = [(0, 90_000), (1, 91_000), (2, 92_000), (3, 1_000), (4, 2_000), (5, 3_000)]
    usages = [Usage(t * NS_PER_S, own, own * 2) for t, own in counts]
    _, steps = share_steps(CPU, usages)
    assert [(s.t0_ns // NS_PER_S, s.t1_ns // NS_PER_S, s.share) for s in steps] == [
        (0, 2, 0.5), (2, 3, None), (3, 5, 0.5),
    ]  # fmt: skip
