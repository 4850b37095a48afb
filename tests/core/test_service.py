"""Hours of a service, over several hosts whose clocks began at different times."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.events import ProcessLog
from greenai.core.served import ActivityMark
from greenai.core.service import hours_of, of_host, served_units, service
from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import Role

HOUR_NS = 3600 * NS_PER_S
MIDNIGHT_NS = 1_795_219_200 * NS_PER_S  # 2026-11-21 00:00 UTC


def process(
    host: str, mono_ns: int, wall_ns: int, marks: list[ActivityMark], unit: str | None = None
) -> ProcessLog:
    return ProcessLog(Role.MEMBER, host, 1, wall_ns, mono_ns, 1.0, {"unit": unit}, activity=marks)


def mark(t_ns: int, busy_s: int, count: int) -> ActivityMark:
    return ActivityMark(
        t_ns, busy_s * NS_PER_S, busy_s * NS_PER_S, count, 0, float(count), None, t_ns - busy_s * NS_PER_S, None
    )


@given(st.integers(0, 10**15), st.integers(0, 10**19), st.integers(1, 10**14))
def test_hours_are_adjacent_and_end_at_full_hours(mono_ns: int, wall_ns: int, length_ns: int) -> None:
    log = process("a", mono_ns, wall_ns, [])
    parts = list(hours_of(log, (mono_ns, mono_ns + length_ns)))
    assert parts[0][1][0] == mono_ns
    assert parts[-1][1][1] == mono_ns + length_ns
    for (number, (t0_ns, t1_ns)), (after, (next_ns, _)) in pairwise(parts):
        assert t1_ns == next_ns
        assert after == number + 1
        assert log.wall_at(t1_ns) == after * HOUR_NS
        assert number * HOUR_NS <= log.wall_at(t0_ns) < log.wall_at(t1_ns)


def test_two_hosts_whose_hours_are_put_together() -> None:
    first = process("a", 0, MIDNIGHT_NS - HOUR_NS // 2, [mark(HOUR_NS // 4, 60, 3), mark(HOUR_NS, 120, 10)])
    second = process("b", 7 * HOUR_NS, MIDNIGHT_NS, [mark(7 * HOUR_NS + 100 * NS_PER_S, 50, 5)])
    hosts = [of_host([first], [], (0, HOUR_NS)), of_host([second], [], (7 * HOUR_NS, 8 * HOUR_NS))]
    found, hours = service(hosts)
    assert found is not None
    assert (found.count, found.units) == (15, 15)
    assert found.busy_s == pytest.approx(170)
    assert found.idle_s == pytest.approx(7200 - 170)
    assert (found.busy_j, found.idle_j, found.energy_per_request_p50_j) == (None, None, None)
    assert [hour.requests for hour in hours] == [3, 12]
    assert [hour.started_ms for hour in hours] == [
        (MIDNIGHT_NS - HOUR_NS // 2) // 10**6, MIDNIGHT_NS // 10**6,
    ]  # fmt: skip
    assert [hour.duration_s for hour in hours] == [1800, 3600]


def test_a_run_without_a_meter_serves_nothing() -> None:
    hosts = [of_host([process("a", 0, 0, [])], [], (0, HOUR_NS))]
    assert service(hosts) == (None, ())
    assert served_units(hosts, None, None) == 0


def test_units_of_another_kind_are_not_the_runs() -> None:
    hosts = [of_host([process("a", 0, MIDNIGHT_NS, [mark(NS_PER_S, 1, 3)], "answer")], [], (0, HOUR_NS))]
    found, _ = service(hosts)
    assert served_units(hosts, found, "answer") == 3
    assert served_units(hosts, found, "epoch") == 0
