"""The power of many nodes together: a sum of those that were read, and how far they lie apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenai.analysis.nodes_trace import STEPS, nodes_trace
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.energy_curve import EnergyInterval
from greenai.core.units import NS_PER_S

BEGIN_S = 1_795_000_000
SPAN_MS = (BEGIN_S * 1e3, (BEGIN_S + STEPS) * 1e3)  # one step is a second
GPU = Channel("g", "c", Component.GPU, Kind.COUNTER, Quality.MEASURED, "GPU 0", "n1", "m", 0.05, 10**9)
CPU = replace(GPU, id="p", component=Component.CPU)


def constant(power_w: float, begin_s: int = 0, end_s: int = STEPS) -> list[EnergyInterval]:
    times_ns = [(BEGIN_S + second) * NS_PER_S for second in range(begin_s, end_s + 1)]
    return [EnergyInterval(t_ns, t_ns + NS_PER_S, power_w * 1e6) for t_ns in times_ns[:-1]]


def test_nodes_are_added_up_and_the_least_and_the_greatest_are_named() -> None:
    channels = [
        (GPU, constant(300.0)),
        (replace(GPU, id="g2"), constant(200.0)),
        (CPU, constant(100.0)),
        (replace(GPU, host="n2"), constant(350.0)),
        (replace(CPU, host="n2"), constant(50.0)),
    ]
    trace = nodes_trace(channels, SPAN_MS, of=2)
    assert trace is not None
    assert (trace.nodes, trace.of, len(trace.t_ms)) == (2, 2, STEPS)
    assert trace.t_ms[-1] == SPAN_MS[1]
    assert set(trace.there) == {2}
    assert trace.sum_w == pytest.approx([1000.0] * STEPS)
    assert trace.least_w == pytest.approx([400.0] * STEPS)
    assert trace.greatest_w == pytest.approx([600.0] * STEPS)
    assert {component: power_w[7] for component, power_w in trace.parts_w.items()} == {
        Component.CPU: pytest.approx(150.0),
        Component.GPU: pytest.approx(850.0),
    }


def test_a_node_that_was_not_read_is_missing_from_the_sum_with_all_its_parts() -> None:
    channels = [
        (GPU, constant(300.0)),
        (replace(GPU, host="n2"), constant(400.0, end_s=100)),  # falls silent
        (replace(CPU, host="n2"), constant(50.0)),
    ]
    trace = nodes_trace(channels, SPAN_MS, of=3)
    assert trace is not None
    assert (trace.nodes, trace.of) == (2, 3)
    assert (trace.there[99], trace.there[101]) == (2, 1)
    assert trace.sum_w[99] == pytest.approx(750.0)
    assert trace.sum_w[101] == pytest.approx(300.0)
    assert trace.parts_w[Component.CPU][101] is None


def test_a_node_of_whose_sensor_nothing_is_known_is_left_out() -> None:
    one, two = [(GPU, constant(300.0)), (CPU, constant(100.0))], replace(CPU, host="n2")
    rest = replace(CPU, id="rest", component=Component.REST)
    trace = nodes_trace([*one, (rest, []), (two, constant(100.0)), (replace(GPU, host="n2"), [])], SPAN_MS, of=2)
    assert trace is not None
    assert (trace.nodes, trace.of) == (1, 2)
    assert trace.least_w[7] == pytest.approx(400.0)


def test_what_nobody_read_is_unknown_and_not_zero() -> None:
    trace = nodes_trace([(GPU, constant(300.0, begin_s=10))], SPAN_MS, of=1)
    assert trace is not None
    assert (trace.there[5], trace.sum_w[5], trace.least_w[5], trace.greatest_w[5]) == (0, None, None, None)
    assert trace.parts_w[Component.GPU][5] is None
    gap = EnergyInterval(BEGIN_S * NS_PER_S, (BEGIN_S + STEPS) * NS_PER_S, None)
    unknown = nodes_trace([(GPU, [gap])], SPAN_MS, of=1)
    assert unknown is not None
    assert set(unknown.sum_w) == {None}
    assert nodes_trace([(GPU, [])], SPAN_MS, of=1) is None
