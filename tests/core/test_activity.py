"""The joules of a service: busy and idle, requests and processes, hours that add up."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.activity import Activity, Meter, activity, rising
from greenai.core.energy_curve import EnergyCurve, EnergyInterval
from greenai.core.served import ActivityMark, ExclusiveTimes
from greenai.core.share_clock import ShareClock
from greenai.core.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

S = NS_PER_S
START = 1_000 * S  # some time after the machine was switched on
LENGTH_S = 40

POWERS = st.lists(st.one_of(st.none(), st.floats(0, 500)), min_size=LENGTH_S, max_size=LENGTH_S)
# (begin ms, length ms, requests executed together)
REQUESTS = st.lists(st.tuples(st.integers(0, 30_000), st.integers(1, 9_000), st.integers(1, 4)), max_size=12)
MARKS_MS = st.lists(st.integers(0, LENGTH_S * 1000), max_size=20)


def curve(powers_w: Sequence[float | None]) -> EnergyCurve:
    """Return the energy of a device that is read each second; None is a gap."""
    return EnergyCurve(
        [
            EnergyInterval(START + i * S, START + (i + 1) * S, None if power_w is None else power_w * 1e6)
            for i, power_w in enumerate(powers_w)
        ]
    )


def meter(requests: list[tuple[int, int, int]], marks_ms: list[int]) -> tuple[Meter, list[float]]:
    """Return what a meter writes down that serves these; and the exclusive seconds of each entry."""
    events = sorted(
        [(START + begin * NS_PER_MS, 1, i) for i, (begin, _, _) in enumerate(requests)]
        + [(START + (begin + length) * NS_PER_MS, 2, i) for i, (begin, length, _) in enumerate(requests)]
        + [(START + at * NS_PER_MS, 3, 0) for at in {*marks_ms, LENGTH_S * 1000}]
    )
    clock = ShareClock(START)
    begun: dict[int, float] = {}
    exclusive = [0.0] * len(requests)
    marks: list[ActivityMark] = []
    times: list[ExclusiveTimes] = []
    new = ExclusiveTimes(START, START)
    count, since_ns, until_ns = 0, None, START
    for t_ns, kind, i in events:
        if kind == 1:
            begun[i] = clock.begin(t_ns, requests[i][2])
            since_ns = since_ns or t_ns
        elif kind == 2:
            exclusive[i] = clock.end(t_ns, begun[i], requests[i][2]) / S
            new.per_request.add(exclusive[i], requests[i][2])
            count += requests[i][2]
            until_ns = t_ns
        elif t_ns > new.t0_ns:
            clock.advance(t_ns)
            marks.append(
                ActivityMark(
                    t_ns, clock.busy_ns, clock.active_ns, count, 0, float(count), None,
                    since_ns, None if clock.active else until_ns,
                )
            )  # fmt: skip
            since_ns = t_ns if clock.active else None
            times.append(replace(new, t1_ns=t_ns))
            new = ExclusiveTimes(t_ns, t_ns)
    return Meter(rising(marks), times), exclusive


def whole(end_s: float = LENGTH_S) -> tuple[int, int]:
    return START, START + int(end_s * S)


@given(POWERS, st.lists(st.tuples(REQUESTS, MARKS_MS), max_size=3))
def test_busy_and_idle_are_the_energy(
    powers: list[float | None], processes: list[tuple[list[tuple[int, int, int]], list[int]]]
) -> None:
    made = curve(powers)
    found = activity([made], [meter(*process)[0] for process in processes], whole())
    expected_j = made.between(*whole()).energy_j
    assert found.energy_j == (None if expected_j is None else pytest.approx(expected_j))
    if found.busy_j is None or found.idle_j is None or found.energy_j is None:
        assert expected_j is None
    else:
        assert found.busy_j >= 0
        assert found.busy_j + found.idle_j == pytest.approx(found.energy_j)
    assert found.busy_s + found.idle_s == pytest.approx(LENGTH_S)
    assert found.count == sum(together for requests, _ in processes for _, _, together in requests)


@given(st.floats(1, 500), REQUESTS, MARKS_MS)
def test_requests_add_up_to_the_busy_energy(
    power_w: float, requests: list[tuple[int, int, int]], marks_ms: list[int]
) -> None:
    """With one process nothing is estimated: every busy joule belongs to one request."""
    written, exclusive = meter(requests, marks_ms)
    found = activity([curve([power_w] * LENGTH_S)], [written], whole())
    each_j = [s * power_w for s in exclusive]
    together = [n for _, _, n in requests]
    sum_j = sum(joules * n for joules, n in zip(each_j, together, strict=True))
    assert found.busy_j == pytest.approx(sum_j, rel=1e-6, abs=1e-6)
    assert found.per_request.count == sum(together)
    for share in (0.5, 0.95):
        expected = sorted(j for j, n in zip(each_j, together, strict=True) for _ in range(n))
        if expected:
            position = int(share * (len(expected) - 1))
            assert found.per_request.quantile(share) == pytest.approx(expected[position], rel=0.0205, abs=1e-6)


@given(POWERS, REQUESTS, st.lists(st.integers(1, LENGTH_S * 1000 - 1), max_size=4))
def test_any_power_within_an_interval_of_readings(
    powers: list[float | None], requests: list[tuple[int, int, int]], marks_ms: list[int]
) -> None:
    """Marked at each border, the busy energy is what the device took while a request was active."""
    borders = [at for begin, length, _ in requests for at in (begin, begin + length)]
    made = curve(powers)
    found = activity([made], [meter(requests, [*borders, *marks_ms])[0]], whole())
    stretches: list[list[int]] = []
    for begin, length, _ in sorted(requests):
        if stretches and begin <= stretches[-1][1]:
            stretches[-1][1] = max(stretches[-1][1], begin + length)
        else:
            stretches.append([begin, begin + length])
    if found.busy_j is not None:
        truth_j = sum(
            made.between(START + a * NS_PER_MS, START + b * NS_PER_MS).energy_j or 0.0 for a, b in stretches
        )
        assert found.busy_j == pytest.approx(truth_j, rel=1e-6, abs=1e-6)


@given(POWERS, st.lists(st.tuples(REQUESTS, MARKS_MS), max_size=2), st.integers(1, LENGTH_S - 1))
def test_parts_add_up(
    powers: list[float | None], processes: list[tuple[list[tuple[int, int, int]], list[int]]], cut_s: int
) -> None:
    meters = [meter(*process)[0] for process in processes]
    first = activity([curve(powers)], meters, whole(cut_s))
    second = activity([curve(powers)], meters, (whole(cut_s)[1], whole()[1]))
    together, at_once = first.plus(second), activity([curve(powers)], meters, whole())
    assert (together.count, together.units) == (at_once.count, at_once.units)
    assert together.busy_s == pytest.approx(at_once.busy_s, abs=1e-6)
    for name in ("energy_j", "busy_j"):
        found, expected = getattr(together, name), getattr(at_once, name)
        assert found == (None if expected is None else pytest.approx(expected, rel=1e-6, abs=1e-6))


@given(POWERS, REQUESTS, MARKS_MS)
def test_activity_survives_json(
    powers: list[float | None], requests: list[tuple[int, int, int]], marks_ms: list[int]
) -> None:
    written, _ = meter(requests, marks_ms)
    found = activity([curve(powers)], [written], whole())
    assert Activity.from_json(json.loads(json.dumps(found.to_json()))) == found
    for mark in written.marks:
        assert ActivityMark.from_json(json.loads(json.dumps(mark.to_json()))) == mark
    for times in written.times:
        assert ExclusiveTimes.from_json(json.loads(json.dumps(times.to_json()))) == times


def test_a_short_request_in_a_long_pause() -> None:
    """Where it was is written down; the pause around it is idle though no line was written meanwhile."""
    powers = [100.0] * 20 + [300.0] + [100.0] * 19
    written, _ = meter([(20_000, 1_000, 1)], [])
    found = activity([curve(powers)], [written], whole())
    assert found.busy_j == pytest.approx(300)
    assert found.idle_j == pytest.approx(3900)
    assert found.busy_s == pytest.approx(1)
    assert found.idle_s == pytest.approx(39)


def test_workers_share_by_their_request_seconds() -> None:
    """Both are busy for half of the time, independently: 75 % of it anybody is."""
    marks = [ActivityMark(START + 40 * S, 20 * S, n * 20 * S, n, 0, n, None, START, None) for n in (1, 3)]
    per_request = [ExclusiveTimes(START, START + 40 * S) for _ in marks]
    for times, n in zip(per_request, (1, 3), strict=True):
        times.per_request.add(20.0 / n, n)
    meters = [Meter([mark], [times]) for mark, times in zip(marks, per_request, strict=True)]
    found = activity([curve([100.0] * LENGTH_S)], meters, whole())
    assert found.busy_j == pytest.approx(3000)
    assert found.idle_j == pytest.approx(1000)
    assert found.count == 4
    # 3,000 J by 1 : 3 request-seconds: 750 J for the one of the first, 2,250 J for the three of the second.
    assert found.per_request.quantile(0) == pytest.approx(750, rel=0.03)
    assert found.per_request.quantile(1) == pytest.approx(750, rel=0.03)


def test_nothing_is_known_without_energy() -> None:
    written, _ = meter([(1_000, 2_000, 1)], [])
    found = activity([], [written], whole())
    assert (found.energy_j, found.busy_j, found.idle_j) == (None, None, None)
    assert found.count == 1
    assert found.busy_s == pytest.approx(2)
    assert found.per_request.quantile(0.5) is None


def test_a_request_while_nothing_was_read_has_no_energy() -> None:
    powers = [100.0] * 10 + [None] * 10 + [100.0] * 20
    written, _ = meter([(12_000, 2_000, 1)], [])
    found = activity([curve(powers)], [written], whole())
    assert found.count == 1
    assert found.busy_j == pytest.approx(0)
    assert found.per_request.count == 0


def test_damaged_sums_are_left_out() -> None:
    good = [ActivityMark(START + i * S, i * S, i * S, i, 0, i, float(i), START, None) for i in range(1, 5)]
    bad = replace(good[1], t_ns=good[1].t_ns + 5, count=0)
    again = replace(good[3], count=9)
    assert rising([*good, bad]) == good
    assert rising([good[1], good[0]]) == good[:2]
    assert rising([*good, again]) == good


def test_a_process_that_was_killed_is_idle_from_its_last_word() -> None:
    mark = ActivityMark(START + 10 * S, 10 * S, 10 * S, 1, 0, 1, None, START, None)
    found = activity([curve([100.0] * LENGTH_S)], [Meter([mark], [])], whole())
    assert found.busy_j == pytest.approx(1000)
    assert found.idle_j == pytest.approx(3000)
    assert (found.count, found.per_request.count) == (1, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"busy_ns": -1},
        {"busy_ns": None},
        {"count": float("nan")},
        {"units": float("inf")},
        {"t": "x"},
        {"tokens": -2},
    ],
)
def test_a_damaged_mark_is_refused(wrong: dict[str, object]) -> None:
    data = ActivityMark(1, 2, 3, 4, 0, 5.0, None, None, 1).to_json()
    with pytest.raises((ValueError, TypeError)):
        ActivityMark.from_json({**data, **wrong})
