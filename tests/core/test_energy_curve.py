"""Momentary power, and the curve that answers how much energy fell into a window."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.energy import integrate
from greenai.core.energy_curve import EnergyAmount, EnergyCurve, EnergyInterval, EvenIntervals
from greenai.core.reading import READ_JITTER_NS, CounterReading, Gap, PowerReading, Reading

if TYPE_CHECKING:
    from collections.abc import Iterable


def intervals(channel: Channel, readings: Iterable[Reading], max_gap_s: float = 60.0) -> list[EnergyInterval]:
    return list(integrate(channel, readings, max_gap_s).intervals)


S = 1_000_000_000
W = 1_000_000
POWER = Channel(
    id="nvml:0",
    collector="nvml",
    component=Component.GPU,
    kind=Kind.POWER,
    quality=Quality.MEASURED,
    device="GPU-0",
    host="n1",
    method="nvml_power",
    uncertainty_rel=0.1,
    max_power_uw=1400 * W,
)


def watts(t_s: float, power_w: float) -> PowerReading:
    return PowerReading(POWER.id, round(t_s * S), round(power_w * W))


@given(
    offset_uw=st.integers(0, 400 * W),
    slope_uw_per_s=st.integers(0, 2 * W),
    pauses=st.lists(st.integers(1, 50), min_size=1, max_size=10),
    data=st.data(),
)
def test_linear_power_is_integrated_exactly(
    offset_uw: int, slope_uw_per_s: int, pauses: list[int], data: st.DataObject
) -> None:
    seconds = [sum(pauses[:n]) for n in range(len(pauses) + 1)]
    readings = [PowerReading(POWER.id, t * S, offset_uw + slope_uw_per_s * t) for t in seconds]
    result = intervals(POWER, data.draw(st.permutations(readings)))
    end = seconds[-1]
    truth_uj = offset_uw * end + slope_uw_per_s * end**2 / 2
    assert sum(i.energy_uj or 0 for i in result) == pytest.approx(truth_uj, rel=1e-12)
    assert all(i.energy_uj is not None for i in result)


def test_a_long_pause_is_unknown() -> None:
    result = intervals(POWER, [watts(0, 100), watts(60, 100), watts(121, 100), watts(122, 100)])
    assert [i.energy_uj for i in result] == [6000 * W, None, 100 * W]
    assert EnergyCurve(result).between(0, 122 * S) == EnergyAmount(6100, 61)


def test_the_longest_bridged_pause_can_be_chosen() -> None:
    readings = [watts(0, 100), watts(90, 100)]
    assert intervals(POWER, readings, max_gap_s=100)[0].energy_uj == 9000 * W
    assert intervals(POWER, readings, max_gap_s=89)[0].energy_uj is None


@pytest.mark.parametrize("bad_uw", [0xFFFFFFFF, 2**64 - 1, -1, 1400 * W + 1])
def test_a_sentinel_power_is_dropped(bad_uw: int) -> None:
    readings = [watts(0, 100), watts(1, 100), PowerReading(POWER.id, 2 * S, bad_uw), watts(3, 100)]
    result = intervals(POWER, readings)
    assert sum(i.energy_uj or 0 for i in result) == 300 * W


def test_a_pause_made_of_sentinels_and_failed_reads_is_unknown() -> None:
    bad: list[Reading] = [PowerReading(POWER.id, t * S, 2**64 - 1) for t in range(1, 60)]
    lost: list[Reading] = [Gap(POWER.id, t * S, "lost") for t in range(60, 100)]
    result = intervals(POWER, [watts(0, 100), *bad, *lost, watts(100, 100)])
    assert [i.energy_uj for i in result] == [None]


def test_zero_power_is_a_value() -> None:
    assert [i.energy_uj for i in intervals(POWER, [watts(0, 0), watts(1, 0)])] == [0]


def test_readings_of_the_other_kind_do_not_count() -> None:
    assert intervals(POWER, [CounterReading(POWER.id, 0, 1), CounterReading(POWER.id, S, 2)]) == []


@st.composite
def curves(draw: st.DrawFn) -> list[EnergyInterval]:
    t = draw(st.integers(0, 10**15))
    result = []
    for _ in range(draw(st.integers(1, 12))):
        end = t + draw(st.integers(1, 100 * S))
        result.append(EnergyInterval(t, end, draw(st.none() | st.floats(0, 1e11))))
        t = end
    return result


@given(parts=curves(), data=st.data())
def test_adjacent_windows_add_up(parts: list[EnergyInterval], data: st.DataObject) -> None:
    first, last = parts[0].t0_ns, parts[-1].t1_ns
    inside = st.integers(max(first - 5 * S, 0), last + 5 * S)
    cuts = sorted(
        data.draw(st.lists(inside | st.sampled_from([first, last]), min_size=3, max_size=6, unique=True))
    )
    curve = EnergyCurve(parts)
    pieces = [curve.between(a, b) for a, b in pairwise(cuts)]
    whole = curve.between(cuts[0], cuts[-1])
    assert sum(p.energy_j or 0 for p in pieces) == pytest.approx(whole.energy_j or 0, rel=1e-9, abs=1e-6)
    # Each window may forgive the little time between a mark and its readings.
    forgiven_s = READ_JITTER_NS / S * (len(pieces) + 1)
    assert sum(p.gap_s for p in pieces) == pytest.approx(whole.gap_s, abs=forgiven_s)
    assert (whole.energy_j is None) == all(p.energy_j is None for p in pieces)
    for piece in pieces:
        assert piece.energy_j is None or piece.energy_j >= 0
        assert piece.gap_s >= 0


@given(parts=curves())
def test_each_interval_comes_back_as_it_went_in(parts: list[EnergyInterval]) -> None:
    curve = EnergyCurve(parts)
    for part in parts:
        amount = curve.between(part.t0_ns, part.t1_ns)
        if part.energy_uj is None:
            assert amount.energy_j is None
            assert amount.gap_s == pytest.approx((part.t1_ns - part.t0_ns) / S)
        else:
            assert amount.energy_j == pytest.approx(part.energy_uj / 1e6, rel=1e-9, abs=1e-3)
            assert amount.gap_s == 0


@given(parts=curves(), data=st.data())
def test_a_window_without_length_is_unknown(parts: list[EnergyInterval], data: st.DataObject) -> None:
    t = data.draw(st.integers(parts[0].t0_ns - S, parts[-1].t1_ns + S))
    assert EnergyCurve(parts).between(t, t) == EnergyAmount(None, 0)


def test_time_outside_of_the_readings_is_a_gap() -> None:
    curve = EnergyCurve([EnergyInterval(10 * S, 20 * S, 1000 * W)])
    assert curve.between(5 * S, 25 * S) == EnergyAmount(1000, 10)
    assert curve.between(15 * S, 25 * S) == EnergyAmount(500, 5)
    assert curve.between(0, 10 * S) == EnergyAmount(None, 10)
    assert curve.between(20 * S, 30 * S) == EnergyAmount(None, 10)


def test_an_empty_curve_knows_nothing() -> None:
    assert EnergyCurve([]).between(0, 5 * S) == EnergyAmount(None, 5)


def test_a_short_window_that_is_mostly_unknown_says_so() -> None:
    ms = S // 1000
    curve = EnergyCurve([EnergyInterval(0, 11 * ms, 1 * W), EnergyInterval(11 * ms, 200 * ms, None)])
    assert curve.between(0, 60 * ms).gap_s == pytest.approx(0.049)


def test_microseconds_between_a_mark_and_its_readings_are_no_gap() -> None:
    curve = EnergyCurve([EnergyInterval(20_000, 10 * S, 1000 * W)])
    assert curve.between(0, 10 * S + 30_000).gap_s == 0


def test_a_gauge_holds_at_the_edges_of_a_run_if_they_are_near() -> None:
    readings = [watts(1, 100), watts(9, 200)]
    whole = integrate(POWER, readings, 10, (0, 10 * S))
    assert sum(i.energy_uj or 0 for i in whole.intervals) == pytest.approx((100 + 8 * 150 + 200) * W)
    far = integrate(POWER, readings, 10, (-20 * S, 30 * S))
    assert sum(i.energy_uj or 0 for i in far.intervals) == pytest.approx(8 * 150 * W)


def test_the_peak_is_of_stretches_not_of_moments() -> None:
    second = EnergyInterval(0, S, 100 * W)
    spike = EnergyInterval(S, S + 1_000_000, 10 * W)  # 10 kW for a millisecond
    rest = EnergyInterval(S + 1_000_000, 2 * S, 50 * W)
    curve = EnergyCurve([second, spike, rest])
    assert curve.peak_w(0, 2 * S) == pytest.approx(100)
    assert curve.peak_w(3 * S, 4 * S) == 0


def test_over_failed_readings_a_gauge_is_bridged_for_a_few_beats_only() -> None:
    late: list[Reading] = [watts(0, 100), watts(1.5, 100)]
    failed: list[Reading] = [watts(0, 100), Gap(POWER.id, S // 2, "x"), watts(1.5, 100)]
    for readings, known in ((late, True), (failed, False)):
        (only,) = integrate(POWER, readings, 2.0, None, 0.3).intervals
        assert (only.energy_uj is not None) is known
    glitch = integrate(POWER, [watts(0, 100), watts(0.5, 10**7), watts(1.5, 100)], 2.0, None, 0.3)
    assert glitch.rejected == {"implausible_power": 1, "pause_too_long": 1}


@given(st.lists(st.tuples(st.integers(1, 10**10), st.integers(0, 10**12)), min_size=1, max_size=20), st.data())
def test_even_intervals_make_the_same_curve(steps: list[tuple[int, int]], data: st.DataObject) -> None:
    times_ns = [7]
    for length_ns, _ in steps:
        times_ns.append(times_ns[-1] + length_ns)
    even = EvenIntervals(times_ns, [energy_uj for _, energy_uj in steps])
    assert (len(even), list(even[1:]), even[:1]) == (len(steps), list(even)[1:], list(even)[:1])
    t0_ns, t1_ns = sorted(data.draw(st.tuples(*[st.integers(0, times_ns[-1] + 10)] * 2)))
    fast, slow = EnergyCurve(even), EnergyCurve(list(even))
    assert fast.between(t0_ns, t1_ns) == slow.between(t0_ns, t1_ns)
    assert fast.peak_w(t0_ns, t1_ns) == slow.peak_w(t0_ns, t1_ns)
    assert fast.since(t0_ns) == slow.since(t0_ns)
