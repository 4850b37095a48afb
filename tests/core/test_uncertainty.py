"""Independent errors in quadrature, shared ones linearly, and no interval below zero."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.uncertainty import Bounds, channel_bounds, total_bounds

MEASURED = Channel(
    id="m",
    collector="m",
    component=Component.GPU,
    kind=Kind.COUNTER,
    quality=Quality.MEASURED,
    device="GPU-0",
    host="n1",
    method="nvml_counter",
    uncertainty_rel=0.1,
    max_power_uw=10**9,
)
ESTIMATED = replace(MEASURED, quality=Quality.ESTIMATED, method="cpu_estimate_tdp", uncertainty_rel=0.4)


def part(channel: Channel, energy_j: float) -> tuple[Channel, Bounds]:
    return channel, channel_bounds(channel, energy_j, 100)


def test_measurements_add_in_quadrature() -> None:
    total = total_bounds([part(MEASURED, 300), part(MEASURED, 400)])
    assert (total.value_j, total.low_j, total.high_j) == pytest.approx((700, 650, 750))


def test_one_method_on_several_hosts_errs_alike() -> None:
    parts = [part(replace(MEASURED, host=f"n{number}"), 500) for number in range(4)]
    total = total_bounds(parts)
    assert (total.value_j, total.low_j, total.high_j) == pytest.approx((2000, 1800, 2200))
    other = part(replace(MEASURED, host="n9", method="rapl_powercap"), 1500)
    assert total_bounds([*parts, other]).low_j == pytest.approx(3500 - sqrt(200**2 + 150**2))


def test_an_allocation_is_independent_too() -> None:
    allocated = replace(MEASURED, quality=Quality.ALLOCATED)
    assert total_bounds([part(allocated, 300), part(MEASURED, 400)]).high_j == pytest.approx(750)


def test_estimates_of_one_method_add_linearly() -> None:
    total = total_bounds([part(ESTIMATED, 300), part(ESTIMATED, 400)])
    assert (total.low_j, total.high_j) == pytest.approx((420, 980))


def test_estimates_of_different_methods_add_in_quadrature() -> None:
    other = replace(ESTIMATED, method="memory_estimate")
    assert total_bounds([part(ESTIMATED, 300), part(other, 400)]).high_j == pytest.approx(700 + 0.4 * 500)


def test_measured_and_estimated_together() -> None:
    total = total_bounds([part(MEASURED, 1000), part(ESTIMATED, 100), part(ESTIMATED, 100)])
    assert total.high_j - total.value_j == pytest.approx(sqrt(100**2 + 80**2))


def test_a_skewed_interval_keeps_its_sides() -> None:
    skewed = replace(ESTIMATED, uncertainty_rel=1.0, uncertainty_low_rel=0.5)
    assert channel_bounds(skewed, 200, 100) == Bounds(200, 100, 400)
    total = total_bounds([part(skewed, 200), part(skewed, 100)])
    assert (total.low_j, total.high_j) == pytest.approx((150, 600))


@pytest.mark.parametrize("high_rel", [1.0, 4.0])
def test_the_lower_bound_is_never_negative(high_rel: float) -> None:
    wide = replace(ESTIMATED, uncertainty_rel=high_rel)
    assert channel_bounds(wide, 100, 100).low_j == 0
    assert total_bounds([part(wide, 100), part(wide, 100)]).low_j == 0


@pytest.mark.parametrize(("seconds", "expected"), [(0, 0.4), (4.99, 0.4), (5, 0.1), (59.9, 0.1), (60, 0.05)])
def test_short_measurements_are_less_certain(seconds: float, expected: float) -> None:
    gpu = replace(MEASURED, uncertainty_rel=0.05, uncertainty_short=((5, 0.4), (60, 0.1)))
    assert gpu.uncertainty_at(seconds) == (expected, expected)
    assert channel_bounds(gpu, 100, seconds).high_j == pytest.approx(100 * (1 + expected))


def test_nothing_sums_to_nothing() -> None:
    assert total_bounds([]) == Bounds(0, 0, 0)


CHANNELS = st.builds(
    lambda quality, method, high, low: replace(
        MEASURED, quality=quality, method=method, uncertainty_rel=high, uncertainty_low_rel=low
    ),
    st.sampled_from(list(Quality)),
    st.sampled_from(["a", "b"]),
    st.floats(0, 5),
    st.none() | st.floats(0, 5),
)


@given(found=st.lists(st.tuples(CHANNELS, st.floats(0, 1e12)), min_size=1, max_size=10))
def test_bounds_enclose_the_sum_and_are_no_wider_than_linear(found: list[tuple[Channel, float]]) -> None:
    parts = [part(channel, energy_j) for channel, energy_j in found]
    total = total_bounds(parts)
    slack = 1e-9 * max(total.high_j, 1)
    assert 0 <= total.low_j <= total.value_j <= total.high_j
    assert total.value_j == pytest.approx(sum(energy_j for _, energy_j in found))
    assert total.high_j <= sum(bounds.high_j for _, bounds in parts) + slack
    assert total.low_j >= sum(bounds.low_j for _, bounds in parts) - slack
    widest = max(bounds.high_j - bounds.value_j for _, bounds in parts)
    assert total.high_j - total.value_j >= widest - slack


@given(found=st.lists(st.tuples(CHANNELS, st.floats(0, 1e9)), min_size=1, max_size=6), data=st.data())
def test_the_order_of_the_parts_is_irrelevant(found: list[tuple[Channel, float]], data: st.DataObject) -> None:
    one = total_bounds([part(*pair) for pair in found])
    two = total_bounds([part(*pair) for pair in data.draw(st.permutations(found))])
    assert (one.low_j, one.high_j) == pytest.approx((two.low_j, two.high_j), abs=1e-3)


def test_a_counter_is_known_to_one_step_at_best() -> None:
    channel = Channel(
        id="e", collector="e", component=Component.CPU, kind=Kind.COUNTER, quality=Quality.ESTIMATED, device="d",
        host="h", method="m", uncertainty_rel=1.0, uncertainty_low_rel=0.5, max_power_uw=1, resolution_uj=48_000,
    )  # fmt: skip
    short, long = channel_bounds(channel, 0.001, 0.0001), channel_bounds(channel, 100.0, 60.0)
    assert (short.low_j, short.high_j) == pytest.approx((0.0, 0.05))
    assert (long.low_j, long.high_j) == pytest.approx((49.952, 200.048))
    assert Channel.from_json(channel.to_json()) == channel
