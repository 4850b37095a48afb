"""Exclusive times: whatever overlaps, nothing is counted twice and nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.share_clock import ShareClock

# (begin, length, requests executed together)
PATTERN = st.lists(
    st.tuples(st.integers(0, 10**12), st.integers(0, 10**11), st.integers(1, 9)), min_size=1, max_size=30
)


def play(pattern: list[tuple[int, int, int]]) -> tuple[ShareClock, list[float]]:
    """Play a pattern; return the clock and the exclusive time of each entry."""
    events = sorted(
        [(begin, 1, i) for i, (begin, _, _) in enumerate(pattern)]
        + [(begin + length, 2, i) for i, (begin, length, _) in enumerate(pattern)]
    )
    clock = ShareClock(0)
    begun: dict[int, float] = {}
    exclusive = [0.0] * len(pattern)
    for t_ns, kind, i in events:
        if kind == 1:
            begun[i] = clock.begin(t_ns, pattern[i][2])
        else:
            exclusive[i] = clock.end(t_ns, begun[i], pattern[i][2])
    return clock, exclusive


def union_ns(pattern: list[tuple[int, int, int]]) -> int:
    total, until = 0, -1
    for begin, length, _ in sorted(pattern):
        start = max(begin, until)
        total += max(begin + length - start, 0)
        until = max(until, begin + length)
    return total


@given(PATTERN)
def test_exclusive_times_add_up_to_the_busy_time(pattern: list[tuple[int, int, int]]) -> None:
    clock, exclusive = play(pattern)
    assert clock.busy_ns == union_ns(pattern)
    assert clock.active_ns == sum(length * requests for _, length, requests in pattern)
    assert sum(s * requests for s, (_, _, requests) in zip(exclusive, pattern, strict=True)) == pytest.approx(
        clock.busy_ns, rel=1e-9, abs=1
    )
    assert clock.active == 0


@given(PATTERN)
def test_nobody_gets_more_than_the_time_it_was_active(pattern: list[tuple[int, int, int]]) -> None:
    _, exclusive = play(pattern)
    for s, (_, length, _) in zip(exclusive, pattern, strict=True):
        assert -1e-3 <= s <= length * (1 + 1e-9) + 1e-3


def test_two_halves() -> None:
    _, exclusive = play([(0, 100, 1), (50, 100, 1)])
    assert exclusive == [75.0, 75.0]


def test_a_batch_beside_a_single_request() -> None:
    """Eight executed together and one beside them: nine that share."""
    _, exclusive = play([(0, 90, 8), (0, 90, 1)])
    assert exclusive == [10.0, 10.0]
