"""Counters: the energy equals the truth, or the interval is unknown. Never anything else."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from greenai.core import counter
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.energy import integrate
from greenai.core.energy_curve import EnergyCurve, EnergyInterval
from greenai.core.reading import READ_JITTER_NS, CounterReading, Gap, Reading
from greenai.core.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterable


def intervals(channel: Channel, readings: Iterable[Reading], max_gap_s: float = 60.0) -> list[EnergyInterval]:
    return list(integrate(channel, readings, max_gap_s).intervals)


S = 1_000_000_000
MS = 1_000_000
J = 1_000_000
MAX_W = 300
MAX_UW = MAX_W * J
LEAST_UW = J // 1000
RAPL_RANGE_UJ = 262_143_328_850
SENTINELS = (0, 0xFFFFFFFF, 0xFFFFFFFF * 1000, 2**64 - 1)
JITTER_NS = 40 * MS

COUNTER = Channel(
    id="rapl:package-0",
    collector="rapl",
    component=Component.CPU,
    kind=Kind.COUNTER,
    quality=Quality.MEASURED,
    device="package-0",
    host="n1",
    method="rapl_powercap",
    uncertainty_rel=0.05,
    max_power_uw=MAX_UW,
    wrap_uj=RAPL_RANGE_UJ,
)
ENDLESS = replace(COUNTER, wrap_uj=None)


def read(t_s: float, energy_j: float) -> CounterReading:
    return CounterReading(COUNTER.id, round(t_s * S), round(energy_j * J))


def gap(t_s: float) -> Gap:
    return Gap(COUNTER.id, round(t_s * S), "os_error_5")


def known_j(result: list[EnergyInterval]) -> float:
    return sum(i.energy_uj for i in result if i.energy_uj is not None) / J


def unknown(result: list[EnergyInterval]) -> list[EnergyInterval]:
    return [i for i in result if i.energy_uj is None]


@dataclass(frozen=True)
class Power:
    """A piecewise-constant power; the last level goes on for ever."""

    steps: tuple[tuple[int, int], ...]  # (duration in ns, microwatts)

    def energy_uj(self, t_ns: int) -> int:
        left, total = t_ns, 0
        for number, (length_ns, power_uw) in enumerate(self.steps):
            part = left if number == len(self.steps) - 1 else min(left, length_ns)
            total += part * power_uw
            left -= part
        return total // S


POWERS = st.lists(
    # Nothing that is switched on takes less than a milliwatt; a counter that stands still is dead, see below.
    st.tuples(st.integers(1, 120 * S), st.sampled_from([LEAST_UW, MAX_UW]) | st.integers(LEAST_UW, MAX_UW)),
    min_size=1,
    max_size=8,
).map(lambda steps: Power(tuple(steps)))
PAUSES = st.lists(st.sampled_from([1, MS, S]) | st.integers(1, 30 * S), min_size=1, max_size=20)


def times(pauses: list[int], first_ns: int = 7 * S) -> list[int]:
    result = [first_ns]
    for pause in pauses:
        result.append(result[-1] + pause)
    return result


def assert_true_or_unknown(result: list[EnergyInterval], power: Power, tolerance_uj: float = 1) -> None:
    for interval in result:
        assert interval.t1_ns >= interval.t0_ns
        if interval.energy_uj is None:
            continue
        assert interval.energy_uj >= 0
        truth = power.energy_uj(interval.t1_ns) - power.energy_uj(interval.t0_ns)
        assert abs(interval.energy_uj - truth) <= tolerance_uj, interval
    for before, after in itertools.pairwise(result):
        assert before.t1_ns == after.t0_ns


@given(power=POWERS, pauses=PAUSES, data=st.data())
def test_every_joule_is_found_over_wraps_and_failed_reads(
    power: Power, pauses: list[int], data: st.DataObject
) -> None:
    moments = times(pauses)
    failed = data.draw(st.sets(st.sampled_from(moments), max_size=len(moments) - 1))
    good = [t for t in moments if t not in failed]
    longest_ns = max((b - a for a, b in itertools.pairwise(good)), default=0)
    wrap = data.draw(st.integers(MAX_UW * (longest_ns + 2 * READ_JITTER_NS) // S + 2, 4 * RAPL_RANGE_UJ))
    start = data.draw(st.integers(0, wrap - 1) | st.integers(max(wrap - 100, 0), wrap - 1))
    readings: list[Reading] = [
        Gap(COUNTER.id, t, "os_error_5") if t in failed
        else CounterReading(COUNTER.id, t, (start + power.energy_uj(t)) % wrap)
        for t in moments
    ]  # fmt: skip
    assume(power.energy_uj(good[-1]) > power.energy_uj(good[0]))  # else it is dead, see below
    result = intervals(replace(COUNTER, wrap_uj=wrap), data.draw(st.permutations(readings)))
    assert_true_or_unknown(result, power)
    assert not unknown(result)
    assert len(result) == len(good) - 1
    truth = power.energy_uj(good[-1]) - power.energy_uj(good[0])
    assert sum(i.energy_uj or 0 for i in result) == truth


@given(power=POWERS, pauses=PAUSES, wrap=st.integers(1, 20 * MAX_UW), start=st.integers(0, 20 * MAX_UW))
def test_a_wrap_that_could_be_several_is_unknown(power: Power, pauses: list[int], wrap: int, start: int) -> None:
    readings = [CounterReading(COUNTER.id, t, (start + power.energy_uj(t)) % wrap) for t in times(pauses)]
    result = intervals(replace(COUNTER, wrap_uj=wrap), readings)
    for interval in result:
        if MAX_UW * (interval.t1_ns - interval.t0_ns) // S >= wrap:
            assert interval.energy_uj is None
    # Timestamps of two readers may be off: what is decided must hold for the longest possible true pause.
    decided = [i for i in result if MAX_UW * (i.t1_ns - i.t0_ns + READ_JITTER_NS) // S < wrap]
    for interval in decided:
        if interval.energy_uj is not None:
            truth = power.energy_uj(interval.t1_ns) - power.energy_uj(interval.t0_ns)
            assert abs(interval.energy_uj - truth) <= 1


def test_a_wrap_that_only_the_jitter_makes_ambiguous_is_unknown() -> None:
    # 50 ms of scheduling between clock and counter at full power: the counter went once around and 1 J further.
    channel = replace(COUNTER, wrap_uj=3000 * J)
    result = intervals(channel, [read(100.0, 0), read(109.999, 1), read(111, 300)])
    assert result[0].energy_uj is None


@given(
    power=POWERS,
    first=st.lists(st.integers(100 * MS, 5 * S), min_size=2, max_size=12),
    second=st.lists(st.integers(100 * MS, 5 * S), min_size=2, max_size=12),
    offset=st.integers(0, 60 * MS),
    start=st.integers(0, RAPL_RANGE_UJ - 1) | st.integers(RAPL_RANGE_UJ - 3000 * J, RAPL_RANGE_UJ - 1),
    data=st.data(),
)
def test_two_interleaved_readers_with_jitter(
    power: Power, first: list[int], second: list[int], offset: int, start: int, data: st.DataObject
) -> None:
    readings = []
    for moments in (times(first), times(second, 7 * S + offset)):
        for t in moments:
            delay_ns = data.draw(st.integers(0, JITTER_NS))
            value = (start + power.energy_uj(t + delay_ns)) % RAPL_RANGE_UJ
            readings.append(CounterReading(COUNTER.id, t, value))
    assume(len({reading.energy_uj for reading in readings}) > 1)  # else it is dead, see below
    result = intervals(COUNTER, readings)
    assert_true_or_unknown(result, power, tolerance_uj=MAX_UW * JITTER_NS // S + 2)
    assert sum(i.t1_ns - i.t0_ns for i in unknown(result)) <= 2 * READ_JITTER_NS
    ends = power.energy_uj(result[-1].t1_ns) - power.energy_uj(result[0].t0_ns)
    assert abs(known_j(result) * J - ends) <= 3 * MAX_UW * READ_JITTER_NS / S + 2


def _could_follow(before: CounterReading, after: CounterReading, wrap: int | None) -> bool:
    step = after.energy_uj - before.energy_uj
    if wrap is not None and step < 0:
        step += wrap
    return 0 <= step <= MAX_UW * (after.t_mono_ns - before.t_mono_ns + READ_JITTER_NS) // S


@given(
    power=POWERS,
    pauses=st.lists(st.integers(MS, 10 * S), min_size=4, max_size=20),
    wrap=st.sampled_from([None, RAPL_RANGE_UJ, 2 * 65_532_610_987]),
    data=st.data(),
)
def test_one_off_sentinels_never_become_energy(
    power: Power, pauses: list[int], wrap: int | None, data: st.DataObject
) -> None:
    top = wrap or 10**15
    start = data.draw(st.integers(0, top - 1))
    clean = [
        CounterReading(COUNTER.id, t, (start + power.energy_uj(t)) % top if wrap else start + power.energy_uj(t))
        for t in times(pauses)
    ]
    readings = list(clean)
    for place in range(data.draw(st.integers(0, 2)), len(clean), 4):
        bad = replace(clean[place], energy_uj=data.draw(st.sampled_from(SENTINELS)))
        # A sentinel that no arithmetic can tell from a load is the collector's to recognise.
        assume(place == 0 or not _could_follow(clean[place - 1], bad, wrap))
        assume(place == len(clean) - 1 or not _could_follow(bad, clean[place + 1], wrap))
        readings[place] = bad
    result = intervals(replace(COUNTER, wrap_uj=wrap), readings)
    assert_true_or_unknown(result, power)


@given(
    power=POWERS,
    pauses=st.lists(st.integers(MS, 10 * S), min_size=2, max_size=12),
    before_j=st.integers(16, 300) | st.integers(0, 200_000),
    new_start_j=st.just(0) | st.integers(0, 1000),
    data=st.data(),
)
def test_a_reset_is_never_bridged(
    power: Power, pauses: list[int], before_j: int, new_start_j: int, data: st.DataObject
) -> None:
    """Whatever the counter shows after a reset, no known interval may span it."""
    moments = times(pauses)
    place = data.draw(st.integers(1, len(moments) - 1))
    reset_ns = moments[place - 1] + 1
    readings = [
        CounterReading(
            COUNTER.id,
            t,
            (before_j * J + power.energy_uj(t))
            if t < reset_ns
            else new_start_j * J + power.energy_uj(t) - power.energy_uj(reset_ns),
        )
        for t in moments
    ]
    # A reset to a higher value looks like a load; a tiny step back looks like two readers.
    step_back = readings[place - 1].energy_uj - readings[place].energy_uj
    assume(step_back > MAX_UW * READ_JITTER_NS // S)
    result = intervals(ENDLESS, readings)
    spanning = [i for i in result if i.t0_ns < reset_ns <= i.t1_ns]
    assert [i.energy_uj for i in spanning] == [None]
    assert_true_or_unknown([i for i in result if i.t1_ns < reset_ns], power)
    assert_true_or_unknown([i for i in result if i.t0_ns >= reset_ns], power)


@pytest.mark.parametrize("channel", [COUNTER, ENDLESS], ids=["wrap known", "wrap unknown"])
def test_a_reset_costs_exactly_one_unknown_interval(channel: Channel) -> None:
    readings = [read(t, 50_000 + 100 * t) for t in range(5)] + [read(t, 100 * (t - 5)) for t in range(5, 10)]
    result = intervals(channel, readings)
    assert [(i.t0_ns // S, i.t1_ns // S) for i in unknown(result)] == [(4, 5)]
    assert known_j(result) == 800
    amount = EnergyCurve(result).between(0, 9 * S)
    assert amount.energy_j == pytest.approx(800)
    assert amount.gap_s == 1


def test_a_reset_at_the_very_end_is_unknown() -> None:
    result = intervals(ENDLESS, [read(0, 50_000), read(1, 50_100), read(2, 3)])
    assert [i.energy_uj for i in result] == [100 * J, None]


def test_a_reset_of_a_low_counter_does_not_pass_as_a_glitch() -> None:
    # 100 J, driver reset, 5 J, 100.5 J: at least 95 J flowed after the reset, so 0.5 J would be wrong.
    result = intervals(ENDLESS, [read(0, 50), read(1, 100), read(2, 5), read(3, 100.5), read(4, 200)])
    spanning = [i for i in result if i.t0_ns <= S and i.t1_ns >= 3 * S]
    assert all(i.energy_uj is None for i in spanning)
    assert known_j(result) in (pytest.approx(50 + 95.5 + 99.5), pytest.approx(50 + 99.5))


def test_one_failed_read_costs_nothing() -> None:
    """Elsewhere a failed read was taken as 0 and turned 200 J into 262 344 J."""
    readings: list[Reading] = [read(0, 1000), read(1, 1100), gap(2), read(3, 1300)]
    result = intervals(COUNTER, readings)
    assert not unknown(result)
    assert known_j(result) == 300
    assert EnergyCurve(result).between(S, 3 * S).energy_j == 200


def test_a_failed_read_delivered_as_zero_costs_nothing() -> None:
    result = intervals(COUNTER, [read(0, 1000), read(1, 1100), read(2, 0), read(3, 1300), read(4, 1400)])
    assert not unknown(result)
    assert known_j(result) == 400


def test_three_hours_between_two_reads_are_unknown() -> None:
    """150 W for 3 h on a range of 262 kJ came out as 0.0131 kWh elsewhere; the truth is 0.45 kWh."""
    end_uj = 150 * J * 3 * 3600 % RAPL_RANGE_UJ
    readings = [read(0, 0), CounterReading(COUNTER.id, 3 * 3600 * S, end_uj)]
    result = intervals(COUNTER, readings)
    assert known_j(result) == 0
    amount = EnergyCurve(result).between(0, 3 * 3600 * S)
    assert amount.energy_j is None
    assert amount.gap_s == 3 * 3600


def test_an_unreadable_range_never_gives_negative_energy() -> None:
    readings = [read(t, (262_100 + 100 * t) % 262_143) for t in range(6)]
    result = intervals(ENDLESS, readings)
    assert all(i.energy_uj is None or i.energy_uj >= 0 for i in result)
    assert len(unknown(result)) == 1
    assert known_j(result) == 400


@pytest.mark.parametrize("sentinel_uj", SENTINELS)
def test_a_sentinel_at_each_place_of_a_run(sentinel_uj: int) -> None:
    clean = [read(t, 100_000 + 100 * t) for t in range(8)]
    for place in range(8):
        readings = [replace(r, energy_uj=sentinel_uj) if i == place else r for i, r in enumerate(clean)]
        result = intervals(COUNTER, readings)
        for interval in result:
            if interval.energy_uj is not None:
                assert interval.energy_uj == 100 * J * (interval.t1_ns - interval.t0_ns) // S
        assert sum(i.t1_ns - i.t0_ns for i in unknown(result)) <= S


def test_a_zero_just_below_the_wrap_is_not_a_wrap() -> None:
    """The zero could be a wrap after 150 J; the readings that follow show it was none."""
    top_j = RAPL_RANGE_UJ / J
    clean = [read(t, top_j - 1150 + 100 * t) for t in range(9)]
    readings = [replace(r, energy_uj=0) if i == 5 else r for i, r in enumerate(clean)]
    readings = [
        replace(r, energy_uj=clean[4].energy_uj + 10 * J * (i - 4)) if i > 5 else r for i, r in enumerate(readings)
    ]
    result = intervals(replace(COUNTER, max_power_uw=1000 * J), readings)
    touching = [i for i in result if i.t0_ns < 6 * S and i.t1_ns > 4 * S]
    # From 4 s to 6 s the counter really gained 20 J.
    assert sum(i.energy_uj or 0 for i in touching) in (0, 20 * J)


@pytest.mark.parametrize("sentinel_uj", SENTINELS)
def test_a_sentinel_seen_by_two_readers_is_no_energy_of_zero(sentinel_uj: int) -> None:
    clean = [read(t, 100_000 + 100 * t) for t in range(8)]
    readings = [
        *clean[:4],
        replace(clean[4], energy_uj=sentinel_uj),
        replace(read(4.003, 0), energy_uj=sentinel_uj),
    ]
    readings += clean[5:]
    result = intervals(COUNTER, readings)
    for interval in result:
        if interval.energy_uj is not None:
            assert interval.energy_uj == 100 * J * (interval.t1_ns - interval.t0_ns) // S
    assert known_j(result) >= 400


def test_alternating_sentinels_leave_the_good_readings() -> None:
    readings = [read(t, 100_000 + 100 * t) if t % 2 == 0 else read(t, 0) for t in range(9)]
    result = intervals(COUNTER, readings)
    assert known_j(result) == 800


def test_the_first_reading_may_be_the_sentinel() -> None:
    readings = [read(0, 4_000_000), *[read(t, 1000 + 100 * t) for t in range(1, 6)]]
    result = intervals(ENDLESS, readings)
    assert known_j(result) == 400
    assert [(i.t0_ns, i.t1_ns) for i in unknown(result)] == [(0, S)]


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_readings_give_nothing(count: int) -> None:
    assert intervals(COUNTER, [read(0, 5)][:count]) == []


def test_only_gaps_give_nothing() -> None:
    assert intervals(COUNTER, [gap(t) for t in range(5)]) == []


@pytest.mark.parametrize("energies_j", [(100, 101), (101, 100)])
def test_two_values_at_the_same_instant_do_not_depend_on_their_order(energies_j: tuple[float, float]) -> None:
    readings = [read(0, 0), *(read(1, value) for value in energies_j)]
    expected = intervals(COUNTER, [read(0, 0), read(1, 100), read(1, 101)])
    assert intervals(COUNTER, readings) == expected


def test_a_counter_that_never_moves_is_dead_and_not_idle() -> None:
    """Nothing that is switched on takes no energy: five renewals and half a second are patience enough."""
    result = integrate(COUNTER, [read(0, 7), read(1, 7), read(2, 7)])
    assert (result.intervals, result.rejected) == ((), {"counter_stands_still": 3})
    slow = replace(COUNTER, update_s=1.0)
    assert [i.energy_uj for i in integrate(slow, [read(0, 7), read(2, 7)]).intervals] == [0]
    assert integrate(slow, [read(0, 7), gap(6)]).intervals == ()
    frozen = integrate(COUNTER, [read(0, 7), read(0.4, 7), read(1, 8), read(6, 8), read(7, 9)])
    assert [i.energy_uj for i in frozen.intervals] == [0, J, None, J]
    assert frozen.rejected == {"counter_stands_still": 1}


def test_an_estimate_may_stand_still() -> None:
    model = replace(COUNTER, quality=Quality.ESTIMATED)
    assert [i.energy_uj for i in integrate(model, [read(0, 7), read(9, 7)]).intervals] == [0]


@given(
    steps=st.lists(st.tuples(st.integers(-2, 3 * S), st.integers(-10, 400 * J)), max_size=12),
    wrap_uj=st.sampled_from([None, 350 * J, 1000 * J]),
    max_w=st.sampled_from([0, 1, MAX_W]),
)
def test_the_fast_way_does_the_same_wherever_it_does_anything(
    steps: list[tuple[int, int]], wrap_uj: int | None, max_w: int
) -> None:
    channel = replace(COUNTER, wrap_uj=wrap_uj, max_power_uw=max_w * J)
    counts = [(0, 7)]
    for length_ns, energy_uj in steps:
        counts.append((counts[-1][0] + length_ns, (counts[-1][1] + energy_uj) % (wrap_uj or 10**15)))
    counts.sort()
    fast = counter._plain_differences(channel, Series(channel, counts))
    assert fast is None or list(fast) == counter._differences(channel, counts, Counter())


def test_the_fast_way_is_taken_by_what_counters_do() -> None:
    wrapping = [(second * S, second * 100 * J % 950 * J) for second in range(100)]
    channel = replace(COUNTER, wrap_uj=950 * J)
    assert counter._plain_differences(channel, Series(channel, wrapping)) is not None


@given(st.lists(st.tuples(st.integers(1, S), st.integers(0, 2)), min_size=1, max_size=12))
def test_a_counter_that_stands_still_is_found_in_either_form(steps: list[tuple[int, int]]) -> None:
    counts = [(0, 7)]
    for length_ns, energy_uj in steps:
        counts.append((counts[-1][0] + length_ns, counts[-1][1] + energy_uj))
    even = counter._plain_differences(COUNTER, Series(COUNTER, counts))
    assert even is not None
    rejected: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    fast = counter._without_standstill(COUNTER, even, rejected[0])
    assert list(fast) == list(counter._without_standstill(COUNTER, list(even), rejected[1]))
    assert rejected[0] == rejected[1]


@given(st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=6), max_size=3))
def test_what_several_processes_read_is_in_order(parts: list[list[tuple[int, int]]]) -> None:
    merged = Series.merged(COUNTER, [Series(COUNTER, numbers) for numbers in parts])
    assert merged.numbers == sorted(number for numbers in parts for number in numbers)
