"""The rest of the node: an estimate from what is measured, never beside something that contains it."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.energy_curve import EnergyCurve, EnergyInterval
from greenai.core.rest import factor, rest_channel, rest_intervals
from greenai.core.uncertainty import channel_bounds

S = 1_000_000_000
J = 1_000_000
CPU = Channel(
    id="rapl:0", collector="rapl", component=Component.CPU, kind=Kind.COUNTER, quality=Quality.MEASURED,
    device="package-0", host="n1", method="rapl_powercap", uncertainty_rel=0.05, max_power_uw=1000 * J,
)  # fmt: skip
DRAM = replace(CPU, id="rapl:0/dram", component=Component.DRAM)
GPU = replace(CPU, id="nvml:GPU-a", component=Component.GPU)
MODULE = replace(CPU, id="grace:module", component=Component.MODULE)
NODE = replace(CPU, id="ipmi:node", component=Component.NODE)
REST = replace(CPU, id="x:rest", component=Component.REST)


def steady(watts: float, seconds: list[float]) -> EnergyCurve:
    return EnergyCurve(
        [EnergyInterval(round(a * S), round(b * S), watts * (b - a) * J) for a, b in pairwise(seconds)]
    )


def joules(intervals: list[EnergyInterval]) -> float | None:
    known = [i.energy_uj for i in intervals if i.energy_uj is not None]
    return sum(known) / J if known else None


def test_what_a_joule_of_each_component_adds() -> None:
    assert {c: factor(c) for c in Component} == {
        Component.CPU: 0.33, Component.DRAM: 0.33, Component.GPU: 0.15, Component.MODULE: 0.15,
        Component.NODE: 0.0, Component.REST: 0.0,
    }  # fmt: skip


def test_the_channel_is_an_estimate_and_says_so() -> None:
    channel = rest_channel("n1", {CPU: 80.0, DRAM: 20.0, GPU: 200.0}, is_counted=False)
    assert channel is not None
    assert (channel.host, channel.component, channel.quality) == ("n1", Component.REST, Quality.ESTIMATED)
    assert channel.method == "rest_of_node_factor"
    # 33 + 30 J, between 20 + 10 and 60 + 60.
    bounds = channel_bounds(channel, 63.0, 1000)
    assert (bounds.low_j, bounds.high_j) == pytest.approx((30, 120))
    assert Channel.from_json(channel.to_json()) == channel


@pytest.mark.parametrize(
    ("is_counted", "words"), [(True, ("enthalten", "Included")), (False, ("Nicht", "Not in"))]
)
def test_the_note_says_whether_it_counts(is_counted: bool, words: tuple[str, str]) -> None:
    channel = rest_channel("n1", {CPU: 1.0}, is_counted=is_counted)
    assert channel is not None
    assert channel.note is not None
    assert words[0] in channel.note.de
    assert words[1] in channel.note.en
    assert ("rest_of_node true" in channel.note.en) is not is_counted


@pytest.mark.parametrize(
    "measured", [NODE, REST, replace(CPU, includes=frozenset({Component.DRAM, Component.REST}))]
)
def test_what_is_measured_is_not_estimated(measured: Channel) -> None:
    """Also where a socket's sensor says that it contains what else is on the board."""
    assert rest_channel("n1", {CPU: 10.0, measured: 100.0}, is_counted=True) is None


@pytest.mark.parametrize("energies", [{}, {CPU: 0.0}, {CPU: 0.0, GPU: 0.0}])
def test_from_nothing_follows_nothing(energies: dict[Channel, float]) -> None:
    assert rest_channel("n1", energies, is_counted=True) is None


@settings(deadline=None)
@given(host_j=st.floats(0, 1e9), accelerator_j=st.floats(0, 1e9))
def test_the_interval_holds_both_ends_of_both_factors(host_j: float, accelerator_j: float) -> None:
    channel = rest_channel("n1", {CPU: host_j, MODULE: accelerator_j}, is_counted=True)
    if channel is None:
        return
    value_j = 0.33 * host_j + 0.15 * accelerator_j
    bounds = channel_bounds(channel, value_j, 1000)
    assert bounds.low_j <= value_j <= bounds.high_j
    assert bounds.low_j == pytest.approx(0.2 * host_j + 0.05 * accelerator_j)
    assert bounds.high_j == pytest.approx(0.6 * host_j + 0.3 * accelerator_j)


CURVES = st.lists(
    st.tuples(
        st.sampled_from([Component.CPU, Component.DRAM, Component.GPU, Component.MODULE]),
        st.lists(
            st.tuples(st.integers(1, 3 * S), st.none() | st.floats(0, 1e9)), min_size=1, max_size=10,
        ),
        st.integers(0, S),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


def built(steps: list[tuple[int, float | None]], start_ns: int) -> EnergyCurve:
    intervals = []
    for length_ns, energy_uj in steps:
        intervals.append(EnergyInterval(start_ns, start_ns + length_ns, energy_uj))
        start_ns += length_ns
    return EnergyCurve(intervals)


@settings(deadline=None)
@given(described=CURVES)
def test_every_joule_of_the_parts_counts_once(
    described: list[tuple[Component, list[tuple[int, float | None]], int]],
) -> None:
    curves = [(component, built(steps, start)) for component, steps, start in described]
    found = rest_intervals(curves)
    expected = [factor(c) * uj for c, steps, _ in described for _, uj in steps if uj is not None]
    assert joules(found) == (pytest.approx(sum(expected) / J) if expected else None)
    assert found[0].t0_ns == min(start for _, _, start in described)
    for before, after in pairwise(found):
        assert before.t1_ns == after.t0_ns
        assert before.t0_ns < before.t1_ns


def test_it_follows_the_parts_over_time() -> None:
    curves = [
        (Component.CPU, steady(100, [0, 2, 4, 6])),
        (Component.GPU, EnergyCurve([EnergyInterval(0, 3 * S, 0), EnergyInterval(3 * S, 6 * S, 3000 * J)])),
        (Component.NODE, steady(1e6, [0, 6])),
    ]
    curve = EnergyCurve(rest_intervals(curves))
    assert curve.between(0, 3 * S).energy_j == pytest.approx(99)
    assert curve.between(3 * S, 6 * S).energy_j == pytest.approx(99 + 450)


def test_what_is_unknown_of_all_parts_is_unknown_of_the_rest() -> None:
    holes = EnergyCurve(
        [EnergyInterval(0, S, 10 * J), EnergyInterval(S, 5 * S, None), EnergyInterval(5 * S, 6 * S, 0)]
    )
    curve = EnergyCurve(rest_intervals([(Component.CPU, holes), (Component.DRAM, holes)]))
    assert curve.between(S, 5 * S).energy_j is None
    assert curve.between(0, 6 * S).gap_s == 4
    assert rest_intervals([]) == rest_intervals([(Component.NODE, holes)]) == []


def test_many_readings_of_many_gpus_are_no_long_work() -> None:
    """Gauges are read 20 times a second: the times of all, times all curves, would be a minute for each hour."""
    seconds = [number * 0.05 for number in range(20 * 300)]
    curves = [(Component.GPU, steady(300, [t + gpu * 0.003 for t in seconds])) for gpu in range(8)]
    began = time.process_time()
    found = rest_intervals(curves)
    assert time.process_time() - began < 1.0
    assert joules(found) == pytest.approx(0.15 * 8 * 300 * seconds[-1])
