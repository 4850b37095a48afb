"""Counters with a zero in each process: one series, exact windows, and what a rare reader cannot know."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenai.core.account import account
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.energy import integrate
from greenai.core.energy_curve import EnergyCurve
from greenai.core.events import ProcessLog, RunLog, Stop, WindowMark
from greenai.core.reading import CounterReading, Gap, Reading
from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import Role, RunState
from greenai.core.zeros import ZERO_UNKNOWN, one_zero

WRAP_UJ = 65_536_000_000  # 32 bits of 2^-16 J
CHANNEL = Channel(
    id="rapl:package-0", collector="rapl_perf", component=Component.CPU, kind=Kind.COUNTER,
    quality=Quality.MEASURED, device="package-0", host="here", method="rapl_perf", uncertainty_rel=0.1,
    max_power_uw=1_000_000_000, wrap_uj=WRAP_UJ, per_process=True,
)  # fmt: skip


class Machine:
    """A processor whose load changes every second, and a kernel that counts it like arch/x86/events/rapl.c."""

    def __init__(self, seed: int, watts: int) -> None:
        dice = Random(seed)
        self._watts = [dice.randint(watts // 3, watts) for _ in range(4000)]

    def energy_uj(self, t_ns: int) -> int:
        second, part_ns = divmod(t_ns, NS_PER_S)
        return sum(self._watts[:second]) * 1_000_000 + self._watts[second] * part_ns // 1000

    def process(self, *times_s: float) -> list[Reading]:
        """Readings of a process that opened the counter at the first of these times."""
        times_ns = sorted({round(t_s * NS_PER_S) for t_s in times_s})
        timer_ns = range(times_ns[0], times_ns[-1], 164 * NS_PER_S)
        readings: list[Reading] = []
        count_uj, seen_uj = 0, self.energy_uj(times_ns[0])
        for t_ns in sorted({*times_ns, *timer_ns}):
            delta_uj = (self.energy_uj(t_ns) - seen_uj) % WRAP_UJ
            count_uj += delta_uj - WRAP_UJ if delta_uj >= WRAP_UJ // 2 else delta_uj
            seen_uj = self.energy_uj(t_ns)
            if t_ns in times_ns:
                readings.append(CounterReading(CHANNEL.id, t_ns, count_uj))
        return readings


def curve(by_process: list[list[Reading]]) -> EnergyCurve:
    series, _ = one_zero(CHANNEL, by_process)
    return EnergyCurve(integrate(CHANNEL, series).intervals)


def truth_j(machine: Machine, t0_s: float, t1_s: float) -> float:
    return (machine.energy_uj(round(t1_s * NS_PER_S)) - machine.energy_uj(round(t0_s * NS_PER_S))) / 1e6


def known_j(found: EnergyCurve, t0_s: float, t1_s: float) -> tuple[float | None, float]:
    amount = found.between(round(t0_s * NS_PER_S), round(t1_s * NS_PER_S))
    return amount.energy_j, amount.gap_s


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    watts=st.integers(20, 900),
    length_s=st.integers(2, 1500),
    late_s=st.floats(0.05, 0.9),
    windows=st.lists(st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)), max_size=8),
)
def test_totals_and_windows_are_exact_whoever_marked_them(
    seed: int, watts: int, length_s: int, late_s: float, windows: list[tuple[float, float]]
) -> None:
    machine = Machine(seed, watts)
    end_s = 10 + length_s
    ticks = [10 + late_s + n for n in range(length_s)]
    spans = [(10 + length_s * min(w), 10 + length_s * max(w)) for w in windows if max(w) - min(w) > 1e-6]
    owner = machine.process(10, end_s, *(t for span in spans[::2] for t in span))
    member = machine.process(*(t for span in spans[1::2] for t in span)) if spans[1:] else []
    found = curve([owner, machine.process(*ticks), member])
    energy_j, gap_s = known_j(found, 10, end_s)
    assert gap_s == 0
    assert energy_j == pytest.approx(truth_j(machine, 10, end_s), abs=1e-3)
    for span in spans:
        assert known_j(found, *span)[0] == pytest.approx(truth_j(machine, *span), abs=1e-3)


def test_a_zero_of_its_own_looks_like_a_reset() -> None:
    machine = Machine(1, 300)
    sampler = machine.process(*(10.2 + n for n in range(40)))
    owner = machine.process(10, 20, 30, 50)
    member = machine.process(25.5, 25.6)
    mixed = integrate(CHANNEL, [*owner, *sampler, *member])
    assert any(interval.energy_uj is None for interval in mixed.intervals), "what merging them plainly would give"
    series, rejected = one_zero(CHANNEL, [owner, sampler, member])
    assert not rejected
    assert len(series) == 46
    energies_uj = [reading.energy_uj for reading in series if isinstance(reading, CounterReading)]
    assert all(before <= after for before, after in pairwise(energies_uj))
    assert known_j(curve([owner, sampler, member]), 25.5, 25.6)[0] == pytest.approx(
        truth_j(machine, 25.5, 25.6), abs=1e-5
    )


def process_log(role: Role, pid: int, readings: list[Reading], *windows: tuple[float, float]) -> ProcessLog:
    marks = [
        WindowMark(f"{pid}-{n}", f"{pid}-{n}", None, round(t0_s * NS_PER_S), round(t1_s * NS_PER_S))
        for n, (t0_s, t1_s) in enumerate(windows)
    ]
    return ProcessLog(
        role=role, host="here", pid=pid, wall_ns=0, mono_ns=0, interval_s=1.0, channels=(CHANNEL,),
        readings={CHANNEL.id: readings}, windows=marks,
    )  # fmt: skip


def test_the_account_of_a_run_is_exact_in_its_total_and_in_every_window() -> None:
    machine = Machine(4, 500)
    owner = process_log(Role.OWNER, 1, machine.process(10, 310, 40.1, 40.3), (40.1, 40.3))
    owner.start_ns, owner.stop = 10 * NS_PER_S, Stop(310 * NS_PER_S, RunState.COMPLETED, 0, None)
    sampler = process_log(Role.SAMPLER, 2, machine.process(*(10.4 + n for n in range(299))))
    member = process_log(Role.MEMBER, 3, machine.process(99.6, 99.7, 250), (99.6, 99.7), (99.7, 250))
    record = account(RunLog("r", (owner, sampler, member), sha256="", silent_s=0.0)).record
    assert record.energy.total_j == pytest.approx(truth_j(machine, 10, 310), abs=1e-3)
    assert record.energy.channels[0].gap_s == 0
    assert {window.id: window.energy_j for window in record.windows} == {
        "1-0": pytest.approx(truth_j(machine, 40.1, 40.3), abs=1e-3),
        "3-0": pytest.approx(truth_j(machine, 99.6, 99.7), abs=1e-3),
        "3-1": pytest.approx(truth_j(machine, 99.7, 250), abs=1e-3),
    }
    assert account(RunLog("r", (owner, sampler, member), "", 0.0), "3-0").record.energy.total_j == pytest.approx(
        truth_j(machine, 99.6, 99.7), abs=1e-3
    )


def test_a_rare_reader_above_200_watts_is_put_right_by_the_sampler() -> None:
    machine = Machine(2, 600)
    owner = machine.process(10, 1210)
    energies_uj = [reading.energy_uj for reading in owner if isinstance(reading, CounterReading)]
    assert energies_uj[1] / 1e6 < truth_j(machine, 10, 1210) - 60_000, "the kernel's own figure"
    assert known_j(curve([owner]), 10, 1210)[0] is None, "alone, it is unknown"
    found = curve([owner, machine.process(*(10.3 + n for n in range(1199)))])
    assert known_j(found, 10, 1210)[0] == pytest.approx(truth_j(machine, 10, 1210), abs=1e-5)
    assert known_j(found, 10, 1210)[1] == 0


def test_the_stretch_that_no_sampler_saw_stays_unknown() -> None:
    machine = Machine(3, 400)
    owner = machine.process(10, 600)
    sampler = machine.process(*(10.3 + n for n in range(100)))  # and then it died
    series, rejected = one_zero(CHANNEL, [owner, sampler])
    assert rejected == {ZERO_UNKNOWN: 1}
    found = EnergyCurve(integrate(CHANNEL, series).intervals)
    assert known_j(found, 10, 109.3)[0] == pytest.approx(truth_j(machine, 10, 109.3), abs=300)
    assert known_j(found, 10, 600)[1] == pytest.approx(490.7)


def test_readings_in_the_wrong_order_by_a_little_are_put_between() -> None:
    sampler = [CounterReading(CHANNEL.id, n * NS_PER_S, 300_000_000 * n) for n in range(5)]
    late = [
        CounterReading(CHANNEL.id, NS_PER_S - 1000, 5_000),
        CounterReading(CHANNEL.id, 2 * NS_PER_S, 300_000_000),
    ]
    series, rejected = one_zero(CHANNEL, [sampler, late])
    assert not rejected
    energies_uj = [reading.energy_uj for reading in series if isinstance(reading, CounterReading)]
    assert energies_uj == sorted(energies_uj)


def test_a_contradiction_is_left_out_and_counted() -> None:
    sampler = [CounterReading(CHANNEL.id, n * NS_PER_S, 100_000_000 * n) for n in range(5)]
    wrong = [CounterReading(CHANNEL.id, NS_PER_S, 0), CounterReading(CHANNEL.id, 2 * NS_PER_S, 9_000_000_000)]
    series, rejected = one_zero(CHANNEL, [sampler, wrong])
    assert rejected == {ZERO_UNKNOWN: 2}
    assert series == tuple(sampler)


def test_a_reference_with_a_hole_stands_alone() -> None:
    sampler = [CounterReading(CHANNEL.id, t_s * NS_PER_S, 100_000_000 * t_s) for t_s in (0, 1, 2, 500, 501, 502)]
    other = [CounterReading(CHANNEL.id, NS_PER_S, 0), CounterReading(CHANNEL.id, 2 * NS_PER_S, 100_000_000)]
    series, rejected = one_zero(CHANNEL, [other, sampler])
    assert (tuple(series), rejected) == (tuple(sampler), {})


def test_gaps_stay_and_nothing_is_nothing() -> None:
    gap = Gap(CHANNEL.id, NS_PER_S // 2, "rapl_perf_enodev")
    sampler: list[Reading] = [CounterReading(CHANNEL.id, 0, 7), gap, CounterReading(CHANNEL.id, NS_PER_S, 100_007)]
    assert tuple(one_zero(CHANNEL, [sampler, []])[0]) == (
        CounterReading(CHANNEL.id, 0, 0),
        gap,
        CounterReading(CHANNEL.id, NS_PER_S, 100_000),
    )
    assert not any(one_zero(CHANNEL, []))
    assert not any(one_zero(CHANNEL, [[], [gap]]))
