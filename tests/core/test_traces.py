"""From journals to curves: what the machine took, what of it was the run's, and every reading that was lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.events import ProcessLog
from greenai.core.reading import CounterReading, Gap, PowerReading, Reading
from greenai.core.traces import ChannelTrace, traces
from greenai.core.usage import Usage
from greenai.core.vocabulary import Role, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

S = 1_000_000_000
J = 1_000_000
CPU = Channel(
    id="rapl:0", collector="rapl", component=Component.CPU, kind=Kind.COUNTER, quality=Quality.MEASURED,
    device="package-0", host="n1", method="rapl_powercap", uncertainty_rel=0.05, max_power_uw=1000 * J,
)  # fmt: skip
DRAM = replace(CPU, id="rapl:0/dram", component=Component.DRAM)
GPU = replace(CPU, id="nvml:GPU-a", collector="nvml", component=Component.GPU, gpu_vendor="nvidia")
GAUGE = replace(GPU, id="gauge:0", kind=Kind.POWER)
NODE = replace(CPU, id="ipmi:node", collector="ipmi", component=Component.NODE, kind=Kind.POWER, update_s=2.0)
MODULE = replace(CPU, id="grace:module", collector="grace", component=Component.MODULE)
SLICE = replace(
    GPU, id="nvml:GPU-a/3/0", quality=Quality.ALLOCATED, share=3 / 7, policy="mig_slice_share", uncertainty_rel=1.3
)


def counter(channel: Channel, watts: float, seconds: Iterable[float]) -> list[Reading]:
    return [CounterReading(channel.id, round(t * S), round((7 + watts * t) * J)) for t in seconds]


def gauge(channel: Channel, watts: float, seconds: Iterable[float]) -> list[Reading]:
    return [PowerReading(channel.id, round(t * S), round(watts * J)) for t in seconds]


def steady(channel: Channel, watts: float, seconds: Iterable[float] = range(11)) -> list[Reading]:
    return (counter if channel.kind is Kind.COUNTER else gauge)(channel, watts, seconds)


def used(
    share: float | Callable[[float], float], seconds: Iterable[float] = range(11), memory: float = 0.5
) -> list[Usage]:
    """A run that works some of the machine's two busy CPUs."""
    own = share if callable(share) else lambda t: 2 * share * t
    return [Usage(round(t * S), round(own(t) * J), round((50 + 2 * t) * J), round(memory * J), J) for t in seconds]


def process(
    readings: Mapping[Channel, Sequence[Reading]],
    usages: Sequence[Usage] = (),
    *,
    host: str = "n1",
    pid: int = 1,
    interval_s: float = 1.0,
) -> ProcessLog:
    return ProcessLog(
        role=Role.OWNER, host=host, pid=pid, wall_ns=0, mono_ns=0, interval_s=interval_s, channels=tuple(readings),
        readings={channel.id: list(found) for channel, found in readings.items()}, usages=list(usages),
    )  # fmt: skip


def find(scope: Scope, *processes: ProcessLog) -> dict[str, ChannelTrace]:
    return {key[1]: trace for key, trace in traces(processes, (0, 0), scope).items()}


def joules(trace: ChannelTrace, t0_s: float = 0, t1_s: float = 10) -> tuple[Any, Any]:
    """Return what the machine and what the run took between two times."""
    span = round(t0_s * S), round(t1_s * S)
    return trace.machine.between(*span).energy_j, trace.own.between(*span).energy_j


# --- whose energy it is


@pytest.mark.parametrize("channel", [CPU, DRAM, GPU, GAUGE, NODE, MODULE], ids=lambda channel: channel.id)
def test_the_whole_machine_stays_as_it_is(channel: Channel) -> None:
    """Whatever was used: only where the run is a process tree or a cgroup is anything shared out."""
    trace = find(Scope.MACHINE, process({channel: steady(channel, 100)}, used(0.25)))[channel.id]
    assert (trace.policy, trace.own, joules(trace)) == (None, trace.machine, (1000, 1000))


@pytest.mark.parametrize("scope", [Scope.PROCESS, Scope.CGROUP])
def test_each_component_has_its_rule(scope: Scope) -> None:
    channels = (CPU, DRAM, GPU, NODE)
    log = process({channel: steady(channel, 100) for channel in channels}, used(0.25, memory=0.1))
    found = find(scope, log)
    assert {name: trace.policy for name, trace in found.items()} == {
        CPU.id: "cpu_time_share", DRAM.id: "memory_share", GPU.id: None, NODE.id: "parts_share",
    }  # fmt: skip
    assert {name: joules(trace) for name, trace in found.items()} == {
        CPU.id: (1000, pytest.approx(250)), DRAM.id: (1000, pytest.approx(100)), GPU.id: (1000, 1000),
        NODE.id: (1000, pytest.approx(1000 * (250 + 100 + 1000) / 3000)),
    }  # fmt: skip


@settings(deadline=None)
@given(
    watts=st.lists(st.integers(0, 500), min_size=5, max_size=5),
    looks=st.lists(st.tuples(st.integers(0, 20 * S), st.integers(0, 5 * J), st.integers(0, 5 * J)), max_size=12),
    memory=st.integers(0, 2 * J),
    scope=st.sampled_from([Scope.PROCESS, Scope.CGROUP]),
)
def test_a_run_never_takes_more_than_its_machine(
    watts: list[int], looks: list[tuple[int, int, int]], memory: int, scope: Scope
) -> None:
    usages, own_us, machine_us = [], 0, 0
    for t_ns, own, others in sorted(looks):
        own_us, machine_us = own_us + own, machine_us + own + others
        usages.append(Usage(t_ns, own_us, machine_us, memory, J))
    channels = (CPU, DRAM, GAUGE, SLICE, NODE)
    readings = {c: steady(c, w, range(0, 21, 2)) for c, w in zip(channels, watts, strict=True)}
    for trace in find(scope, process(readings, usages)).values():
        for a in range(0, 20, 3):
            whole, part = trace.machine.between(a * S, (a + 3) * S), trace.own.between(a * S, (a + 3) * S)
            assert part.gap_s >= whole.gap_s - 1e-9
            if part.energy_j is not None:
                assert whole.energy_j is not None
                assert 0 <= part.energy_j <= whole.energy_j * (1 + 1e-9) + 1e-9


@settings(deadline=None)
@given(shares=st.lists(st.integers(0, 100), min_size=1, max_size=5))
def test_the_runs_of_a_machine_add_up_to_it_at_most(shares: list[int]) -> None:
    """CPU, memory and wall of one machine, several runs on it: each has its own journal."""
    whole = max(sum(shares), 1)
    readings = {channel: steady(channel, 100) for channel in (CPU, DRAM, NODE)}
    runs = [find(Scope.CGROUP, process(readings, used(s / whole, memory=s / whole))) for s in shares]
    for channel in readings:
        paid_j = sum(joules(found[channel.id])[1] or 0 for found in runs)
        assert paid_j <= 1000 * (1 + 1e-5)
        if sum(shares):
            assert paid_j == pytest.approx(1000, rel=1e-4)


def test_without_a_look_at_the_machine_the_runs_part_is_unknown_and_not_0() -> None:
    found = find(Scope.CGROUP, process({CPU: steady(CPU, 100), NODE: steady(NODE, 300), GPU: steady(GPU, 50)}))
    assert joules(found[CPU.id]) == (1000, None)
    assert joules(found[NODE.id]) == (3000, None)
    assert joules(found[GPU.id]) == (500, 500)
    assert found[CPU.id].policy == "cpu_time_share"


def test_owner_and_sampler_look_at_one_machine() -> None:
    one = process({CPU: steady(CPU, 100, [0, 4.2, 10])}, used(0.25, [0, 4.2, 10]))
    two = process({CPU: steady(CPU, 100, range(1, 10))}, used(0.25, [1, 2, 3, 5, 8]), pid=2)
    trace = find(Scope.PROCESS, one, two)[CPU.id]
    assert joules(trace) == (1000, pytest.approx(250))
    assert len(trace.readings) == 12


# --- shares of a device


@pytest.mark.parametrize("scope", list(Scope))
def test_a_mig_slice_is_its_share_of_the_board_whatever_the_scope(scope: Scope) -> None:
    trace = find(scope, process({SLICE: steady(SLICE, 70)}, used(0.25)))[SLICE.id]
    assert trace.policy == "mig_slice_share"
    assert joules(trace) == (700, pytest.approx(300))
    assert trace.own.between(0, 12 * S).gap_s == trace.machine.between(0, 12 * S).gap_s == 2


@pytest.mark.parametrize("kind", list(Kind))
def test_what_of_a_board_is_unknown_is_unknown_of_its_slice(kind: Kind) -> None:
    channel = replace(SLICE, kind=kind)
    readings = steady(channel, 70, [0, 1, 2, 9, 10])
    if kind is Kind.COUNTER:  # reset in the pause
        readings[3:] = [CounterReading(channel.id, t * S, (t - 9) * 70 * J) for t in (9, 10)]
    trace = find(Scope.MACHINE, process({channel: readings}))[channel.id]
    assert joules(trace) == (210, pytest.approx(90))
    assert joules(trace, 3, 8) == (None, None)


def test_the_share_that_a_virtual_machine_got_is_shared_out_among_its_programs() -> None:
    """RAPL that a hypervisor hands down: allocated to the machine, not to one of its processes."""
    virtual = replace(CPU, quality=Quality.ALLOCATED, policy="hypervisor")
    log = process({virtual: steady(virtual, 100)}, used(0.25))
    assert joules(find(Scope.MACHINE, log)[CPU.id]) == (1000, 1000)
    trace = find(Scope.PROCESS, log)[CPU.id]
    assert (trace.policy, joules(trace)) == ("cpu_time_share", (1000, pytest.approx(250)))


@pytest.mark.parametrize("scope", list(Scope))
def test_an_allotment_is_the_runs_and_no_part_of_the_node(scope: Scope) -> None:
    """It is estimated from the job's own CPU time: to share it out by CPU time once more would be a square."""
    guess = replace(CPU, id="cpu_estimate:allotted", quality=Quality.ESTIMATED, policy="allotment")
    found = find(scope, process({NODE: steady(NODE, 1000), guess: steady(guess, 80)}, used(0.25)))
    assert joules(found[guess.id]) == (800, 800)
    assert found[guess.id].policy == "allotment"
    assert joules(found[NODE.id])[1] == (10_000 if scope is Scope.MACHINE else pytest.approx(2500))


def test_a_gpu_that_others_use_too_is_shared_out() -> None:
    usages = [replace(look, gpu_shares={GPU.id: 0.4} if t > 5 else {}) for t, look in enumerate(used(0.5))]
    trace = find(Scope.CGROUP, process({GPU: steady(GPU, 100)}, usages))[GPU.id]
    assert (trace.policy, joules(trace)) == ("sm_share", (1000, pytest.approx(500 + 200)))


# --- what contains the parts


def test_a_node_measured_at_the_wall_goes_by_its_parts() -> None:
    """Wall 1000 W: GPU 600 W, all the run's; CPU 200 W, a quarter of it. (600 + 50) / 800 of the wall."""
    log = process(
        {NODE: steady(NODE, 1000), CPU: steady(CPU, 200), GPU: steady(GPU, 600)}, used(0.25)
    )  # the node comes first on purpose
    trace = find(Scope.CGROUP, log)[NODE.id]
    assert trace.policy == "parts_share"
    assert joules(trace) == (10_000, pytest.approx(10_000 * 650 / 800))


def test_a_node_goes_by_its_parts_second_by_second() -> None:
    """First the run computes alone on the GPU, then others on the CPU: the node's second half is theirs."""
    readings: dict[Channel, list[Reading]] = {
        NODE: gauge(NODE, 1000, range(11)),
        CPU: [CounterReading(CPU.id, t * S, max(t - 5, 0) * 400 * J) for t in range(11)],
        GPU: [CounterReading(GPU.id, t * S, min(t, 5) * 400 * J) for t in range(11)],
    }
    trace = find(Scope.CGROUP, process(readings, used(lambda _: 0)))[NODE.id]
    assert joules(trace, 0, 5) == (5000, pytest.approx(5000))
    assert joules(trace, 5, 10) == (5000, pytest.approx(0))


def test_a_gpu_that_two_sensors_see_weighs_once() -> None:
    """Cray counters and NVML see the same GPU: 100 W of it and 100 W of CPU, not 200 W and 100 W."""
    twin = replace(GPU, id="cray:accel0", collector="cray", gpu_vendor="", uncertainty_rel=0.03)
    readings = {c: steady(c, 100) for c in (CPU, GPU, twin, NODE)}
    found = find(Scope.CGROUP, process(readings, used(0.0)))
    assert joules(found[NODE.id]) == (1000, pytest.approx(500))


def test_parts_that_nobody_can_read_leave_the_node_to_cpu_time() -> None:
    readings: dict[Channel, list[Reading]] = {
        NODE: steady(NODE, 100),
        GPU: [Gap(GPU.id, t * S, "nvml_lost") for t in range(11)],
    }
    trace = find(Scope.CGROUP, process(readings, used(0.25)))[NODE.id]
    assert (trace.policy, joules(trace)) == ("cpu_time_share", (1000, pytest.approx(250)))


def test_a_module_goes_by_the_parts_that_are_known() -> None:
    log = process({MODULE: steady(MODULE, 500), CPU: steady(CPU, 100), GPU: steady(GPU, 300)}, used(0.5))
    assert joules(find(Scope.PROCESS, log)[MODULE.id]) == (5000, pytest.approx(5000 * 350 / 400))


def test_the_parts_of_another_host_do_not_weigh() -> None:
    far_gpu, far_node = replace(GPU, host="n2"), replace(NODE, host="n2")
    here = process({NODE: steady(NODE, 100), CPU: steady(CPU, 50)}, used(0.25))
    there = process({far_gpu: steady(far_gpu, 900), far_node: steady(far_node, 1000)}, used(1.0), host="n2", pid=2)
    assert joules(find(Scope.CGROUP, here)[NODE.id]) == (1000, pytest.approx(250))
    assert joules(find(Scope.CGROUP, there)[NODE.id]) == (10_000, pytest.approx(10_000))


def test_each_host_has_its_own_clock_and_its_own_use() -> None:
    far = replace(CPU, host="n2")
    start = 5_000_000
    there = process(
        {far: steady(far, 50, range(start, start + 11))}, used(0.5, range(start, start + 11)), host="n2", pid=2
    )
    here = process({CPU: steady(CPU, 100)}, used(0.25))
    assert joules(find(Scope.CGROUP, here)[CPU.id]) == (1000, pytest.approx(250))
    assert joules(find(Scope.CGROUP, there)[CPU.id], start, start + 10) == (500, pytest.approx(250))
    assert set(traces([there], (0, 0), Scope.CGROUP)) == {("n2", CPU.id)}


# --- gauges: what is bridged, and what is not


@pytest.mark.parametrize(
    ("update_s", "interval_s", "bridged_s"),
    [
        (None, 1.0, 3.0), (None, 0.1, 2.0), (None, 10.0, 30.0), (0.1, 1.0, 2.0), (0.02, 0.05, 2.0), (1.0, 1.0, 3.0),
        (2.0, 1.0, 6.0), (5.0, 1.0, 15.0),
    ],
)  # fmt: skip
def test_a_gauge_is_bridged_over_two_seconds_or_three_beats_and_no_longer(
    update_s: float | None, interval_s: float, bridged_s: float
) -> None:
    """The beats of a controller that renews its value every 5 s are 5 s long, however often it is asked."""
    channel = replace(GAUGE, update_s=update_s)
    for pause_s, known in ((bridged_s, True), (bridged_s + 0.001, False)):
        log = process({channel: steady(channel, 100, [0, pause_s])}, interval_s=interval_s)
        trace = find(Scope.MACHINE, log)[channel.id]
        amount = trace.machine.between(0, round(pause_s * S))
        assert amount.energy_j == (pytest.approx(100 * pause_s) if known else None)
        assert amount.gap_s == (0 if known else pytest.approx(pause_s))
        assert trace.lost == ({} if known else {"pause_too_long": 1})


def test_failed_reads_of_a_gauge_are_bridged_by_a_straight_line() -> None:
    readings: list[Reading] = [
        PowerReading(GAUGE.id, 0, 100 * J), Gap(GAUGE.id, S, "busy"), Gap(GAUGE.id, 2 * S, "busy"),
        PowerReading(GAUGE.id, 3 * S, 200 * J), Gap(GAUGE.id, 4 * S, "gone"), Gap(GAUGE.id, 5 * S, "gone"),
        Gap(GAUGE.id, 6 * S, "gone"), PowerReading(GAUGE.id, 7 * S, 200 * J), PowerReading(GAUGE.id, 8 * S, 0),
    ]  # fmt: skip
    trace = find(Scope.MACHINE, process({GAUGE: readings}))[GAUGE.id]
    assert [(i, joules(trace, i, i + 1)[0]) for i in range(8)] == [
        (0, pytest.approx(150)), (1, pytest.approx(150)), (2, pytest.approx(150)), (3, None), (4, None), (5, None),
        (6, None), (7, pytest.approx(100)),
    ]  # fmt: skip
    assert trace.lost == {"busy": 2, "gone": 3, "pause_too_long": 1}


def test_the_slow_beat_of_one_host_does_not_bridge_the_pauses_of_another() -> None:
    far = replace(GAUGE, host="n2")
    here = process({GAUGE: steady(GAUGE, 100, [0, 2.9, 6])}, interval_s=1.0)
    there = process({far: steady(far, 100, [0, 29.0])}, host="n2", pid=2, interval_s=10.0)
    assert joules(find(Scope.MACHINE, here)[GAUGE.id], 0, 6)[0] == pytest.approx(290)
    assert joules(find(Scope.MACHINE, there)[GAUGE.id], 0, 29)[0] == pytest.approx(2900)


# --- no reading is lost without a word


@st.composite
def gauge_readings(draw: st.DrawFn) -> list[Reading]:
    readings: list[Reading] = []
    t_ns = 0
    for kind in draw(st.lists(st.sampled_from(["good", "high", "negative", "busy", "gone"]), max_size=20)):
        t_ns += draw(st.integers(1, 5 * S))
        watts = {"good": draw(st.integers(0, 1000)), "high": 1001, "negative": -1}.get(kind)
        if watts is None:
            readings.append(Gap(GAUGE.id, t_ns, kind))
        else:
            readings.append(PowerReading(GAUGE.id, t_ns, watts * J))
    return readings


@settings(deadline=None)
@given(readings=gauge_readings())
def test_every_reading_of_a_gauge_is_used_or_said(readings: list[Reading]) -> None:
    trace = find(Scope.MACHINE, process({GAUGE: readings}))[GAUGE.id]
    expected = Counter(r.reason for r in readings if isinstance(r, Gap))
    powers = [r for r in readings if isinstance(r, PowerReading)]
    good = [r for r in powers if 0 <= r.power_uw <= GAUGE.max_power_uw]
    expected["implausible_power"] = len(powers) - len(good)
    expected["pause_too_long"] = sum(b.t_mono_ns - a.t_mono_ns > 3 * S for a, b in pairwise(good))
    assert trace.lost == +expected


@settings(deadline=None)
@given(
    states=st.lists(st.tuples(st.integers(S // 10, 4 * S), st.none() | st.integers(0, 2**40)), max_size=20),
    wrap=st.sampled_from([None, 500 * J, 2**32 * 61]),
)
def test_time_of_a_counter_that_is_unknown_has_a_reason(
    states: list[tuple[int, int | None]], wrap: int | None
) -> None:
    channel, t_ns = replace(CPU, wrap_uj=wrap), 0
    readings: list[Reading] = []
    for pause, value in states:
        t_ns += pause
        broken = value is None
        readings.append(Gap(CPU.id, t_ns, "eio") if broken else CounterReading(CPU.id, t_ns, value or 0))
    trace = find(Scope.MACHINE, process({channel: readings}))[CPU.id]
    failed = sum(isinstance(r, Gap) for r in readings)
    good = [r for r in readings if isinstance(r, CounterReading)]
    assert trace.lost.get("eio", 0) == failed
    rejected = sum(trace.lost.values()) - failed
    assert rejected <= len(good)
    if len(good) > 1:
        whole = trace.machine.between(good[0].t_mono_ns, good[-1].t_mono_ns)
        assert (whole.gap_s > 0) <= (rejected > 0)
        assert rejected > 0 or whole.gap_s == 0


@pytest.mark.parametrize(
    ("values_j", "wrap_j", "lost"),
    [
        ([5000, 5100, 3, 103, 203], None, {"counter_reset": 1}),
        ([5000, 5100, 4e9, 5300, 5400], None, {"implausible_step": 1}),
        ([5000, 5100, 0, 5300, 0, 5500], None, {"implausible_step": 2}),
        ([5000, 5100, 5200, 4e9], None, {"implausible_step": 1}),
        ([5000, 5100, 5200, 1], None, {"counter_reset": 1}),
        ([10, 20, 30, 40], 900, {"wrap_ambiguous": 3}),
        ([890, 20, 50], 1100, {}),
    ],
)  # fmt: skip
def test_why_a_counter_was_not_believed(
    values_j: list[float], wrap_j: int | None, lost: Mapping[str, int]
) -> None:
    channel = replace(CPU, wrap_uj=None if wrap_j is None else wrap_j * J)
    readings = [CounterReading(CPU.id, t * S, round(value * J)) for t, value in enumerate(values_j)]
    assert find(Scope.MACHINE, process({channel: readings}))[CPU.id].lost == lost


def test_a_counter_that_hangs_in_a_sentinel_takes_no_0_joules() -> None:
    """A GPU falls off the bus and its counter stays at 2^32-1 mJ: the time is unknown until it counts again."""
    values = [5000, 5100, *[4_294_967.295] * 6, 5800, 5900]
    readings = [CounterReading(GPU.id, t * S, round(value * J)) for t, value in enumerate(values)]
    trace = find(Scope.MACHINE, process({GPU: readings}))[GPU.id]
    assert joules(trace, 0, 1)[0] == 100
    assert joules(trace, 1, 7)[0] is None
    assert joules(trace, 8, 9)[0] == 100


def test_a_failure_that_is_handed_out_again_is_one_failure() -> None:
    """A slow sensor's last word stands until there is another one."""
    readings = [Gap(NODE.id, 3 * S, "timeout")] * 5 + [Gap(NODE.id, 8 * S, "timeout"), Gap(NODE.id, 8 * S, "busy")]
    assert find(Scope.MACHINE, process({NODE: readings}))[NODE.id].lost == {"timeout": 2, "busy": 1}


def test_a_reading_that_is_handed_out_again_is_one_reading() -> None:
    readings = [r for r in steady(NODE, 100, [0, 2, 4]) for _ in range(3)]
    trace = find(Scope.MACHINE, process({NODE: readings}))[NODE.id]
    assert (joules(trace, 0, 4)[0], trace.lost) == (400, {})


def test_failures_of_all_processes_are_counted() -> None:
    one = process({CPU: [*steady(CPU, 100), Gap(CPU.id, S // 2, "eio")]})
    two = process({CPU: [Gap(CPU.id, S // 3, "eio"), Gap(CPU.id, S // 4, "eperm")]}, pid=2)
    assert find(Scope.MACHINE, one, two)[CPU.id].lost == {"eio": 2, "eperm": 1}


def test_a_channel_that_said_nothing_is_there_all_the_same() -> None:
    trace = find(Scope.PROCESS, process({CPU: []}, used(0.5)))[CPU.id]
    assert (list(trace.readings), trace.lost, joules(trace)) == ([], {}, (None, None))
