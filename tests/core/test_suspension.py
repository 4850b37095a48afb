"""How much of what a node takes while its job is suspended is the job's, nobody knows."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.energy_curve import EnergyCurve, EnergyInterval
from greenai.core.suspension import without

S = 1_000_000_000


def test_the_energy_of_a_suspension_is_unknown() -> None:
    intervals = [EnergyInterval(i * S, (i + 1) * S, 100e6) for i in range(10)]
    cut = EnergyCurve(without(intervals, [(int(2.5 * S), int(6.25 * S)), (9 * S, 20 * S)]))
    amount = cut.between(0, 10 * S)
    assert amount.energy_j == pytest.approx(100 * (10 - 3.75 - 1))
    assert amount.gap_s == pytest.approx(4.75)


@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=4),
)
def test_what_is_left_is_adjacent_and_adds_up(lengths: list[int], stops: list[tuple[int, int]]) -> None:
    times = [0]
    for length in lengths:
        times.append(times[-1] + length)
    intervals = [EnergyInterval(a, b, 7.0 * (b - a)) for a, b in itertools.pairwise(times)]
    stopped: list[tuple[int, int]] = []
    for begin, length in sorted(stops):
        if not stopped or begin > stopped[-1][1]:
            stopped.append((begin, begin + length))
    cut = without(intervals, stopped)
    assert [i.t1_ns for i in cut[:-1]] == [i.t0_ns for i in cut[1:]]
    assert (cut[0].t0_ns, cut[-1].t1_ns) == (0, times[-1])
    running = sum(not any(a <= t < b for a, b in stopped) for t in range(times[-1]))
    assert sum(i.energy_uj or 0.0 for i in cut) == pytest.approx(7.0 * running)
