"""Slow sensors in threads of their own: they hold up nobody, and what they said last has the time it was said."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.account import account
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available
from greenai.core.events import RunLog
from greenai.core.reading import Gap, PowerReading
from greenai.core.vocabulary import Role
from greenai.journal.lines import read_process
from greenai.journal.writer import JournalWriter
from greenai.plugins import LoadedCollectors
from greenai.sampler import background, open_sensors, sample
from greenai.sampler.background import BackgroundReader
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from greenai.core.reading import Reading
    from greenai.host import Host

J = 1_000_000
S = 1_000_000_000
NODE = Channel(
    id="bmc:node", collector="bmc", component=Component.NODE, kind=Kind.POWER, quality=Quality.MEASURED,
    device="node", host="fake", method="m", uncertainty_rel=0.1, max_power_uw=10_000 * J, update_s=0.1,
)  # fmt: skip


class RealClock:
    def mono_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns()

    def asleep_ns(self) -> int:
        return 0


@dataclass
class Bmc:
    """A management controller that takes its time."""

    host: Host
    channels: tuple[Channel, ...] = (NODE,)
    took_s: float = 0.0
    fails: Exception | None = None
    hangs: threading.Event | None = None
    name: str = "bmc"
    slow: bool = True
    verified_on: str | None = None
    times: list[int] = field(default_factory=list)
    closed: int = 0

    def probe(self) -> Available:
        return Available(self.channels)

    def open(self, channels: Any) -> None:
        pass

    def read(self) -> list[Reading]:
        t_ns = self.host.clock.mono_ns()
        self.times.append(t_ns)
        if self.hangs is not None:
            self.hangs.wait(30)
        if self.fails is not None:
            raise self.fails
        time.sleep(self.took_s)
        return [PowerReading(channel.id, t_ns, 300 * J) for channel in self.channels]

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return replace(FakeMachine(tmp_path / "machine").host, clock=RealClock())


@pytest.fixture
def begin() -> Iterator[Callable[[Bmc], BackgroundReader]]:
    """Start readers; they are ended after the test."""
    begun: list[BackgroundReader] = []

    def start(collector: Bmc) -> BackgroundReader:
        begun.append(BackgroundReader(collector.host, collector, collector.channels))
        return begun[-1]

    yield start
    for reader in begun:
        reader.close()


def until(what: Callable[[], object], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.002)


def reasons(readings: list[Reading]) -> list[str | None]:
    return [reading.reason if isinstance(reading, Gap) else None for reading in readings]


def test_nobody_waits_for_it(host: Host, begin: Callable[[Bmc], BackgroundReader]) -> None:
    bmc = Bmc(host, took_s=0.2)
    reader = begin(bmc)
    began = time.monotonic()
    first = reader.read()
    assert time.monotonic() - began < 0.05
    assert reasons(first) == ["not_read_yet"]
    until(lambda: reasons(reader.read()) == [None])
    began = time.monotonic()
    for _ in range(100):
        reader.read()
    assert time.monotonic() - began < 0.1


def test_what_it_said_last_has_the_time_it_was_said(host: Host, begin: Callable[[Bmc], BackgroundReader]) -> None:
    bmc = Bmc(host)
    reader = begin(bmc)
    until(lambda: bmc.times and reasons(reader.read()) == [None])
    (reading,) = reader.read()
    assert reader.read() == [reading]
    assert reading.t_mono_ns in bmc.times


def test_it_is_read_at_the_pace_of_its_renewals(host: Host, begin: Callable[[Bmc], BackgroundReader]) -> None:
    bmc = Bmc(host)
    begin(bmc)
    until(lambda: len(bmc.times) >= 5)
    pauses_s = [(b - a) / S for a, b in pairwise(bmc.times)]
    assert min(pauses_s) >= 0.099
    assert sorted(pauses_s)[len(pauses_s) // 2] < 0.15


def test_it_is_asked_no_more_than_half_of_the_time(host: Host, begin: Callable[[Bmc], BackgroundReader]) -> None:
    bmc = Bmc(host, took_s=0.15)
    begin(bmc)
    until(lambda: len(bmc.times) >= 3)
    assert min((b - a) / S for a, b in pairwise(bmc.times)) >= 0.29


@pytest.mark.parametrize(
    ("updates", "pause_s"), [((None,), 1.0), ((5.0, 2.0), 2.0), ((0.001,), 0.1), ((None, 0.5), 0.5), ((0.0,), 1.0)]
)
def test_the_pause_between_two_rounds(
    host: Host, begin: Callable[[Bmc], BackgroundReader], updates: tuple[float | None, ...], pause_s: float
) -> None:
    channels = tuple(replace(NODE, id=f"bmc:{n}", update_s=update_s) for n, update_s in enumerate(updates))
    assert begin(Bmc(host, channels)).pause_s == pause_s


def test_a_failure_is_a_gap_and_the_next_round_may_be_good(
    host: Host, begin: Callable[[Bmc], BackgroundReader]
) -> None:
    bmc = Bmc(host, fails=ConnectionError("no route"))
    reader = begin(bmc)
    until(lambda: reasons(reader.read()) == ["ConnectionError"])
    (gap,) = reader.read()
    assert abs(gap.t_mono_ns - bmc.times[0]) < S // 100
    assert reader.read() == [gap], "the same failure, not another one"
    bmc.fails = None
    until(lambda: reasons(reader.read()) == [None])


def test_one_that_hangs_says_nothing_and_holds_up_nobody(
    host: Host, begin: Callable[[Bmc], BackgroundReader]
) -> None:
    bmc = Bmc(host)
    reader = begin(bmc)
    until(lambda: reasons(reader.read()) == [None])
    bmc.hangs = threading.Event()
    until(lambda: reasons(reader.read()) == ["sensor_hangs"])
    began = time.monotonic()
    reader.close()
    assert time.monotonic() - began < 0.5
    assert bmc.closed == 0, "its thread still uses it"
    bmc.hangs.set()


def test_one_that_hangs_from_the_start_was_never_read(
    host: Host, begin: Callable[[Bmc], BackgroundReader]
) -> None:
    bmc = Bmc(host, hangs=threading.Event())
    reader = begin(bmc)
    until(lambda: bmc.times)
    time.sleep(0.4)
    assert reasons(reader.read()) == ["not_read_yet"]
    assert bmc.hangs is not None
    bmc.hangs.set()


def test_a_slow_answer_is_not_a_hanging_one(host: Host, begin: Callable[[Bmc], BackgroundReader]) -> None:
    """A controller that takes longer than it pauses is slow, not gone: no gap between two good answers."""
    bmc = Bmc(host, took_s=0.2)
    reader = begin(bmc)
    until(lambda: reasons(reader.read()) == [None])
    seen: set[str | None] = set()
    end = time.monotonic() + 0.9
    while time.monotonic() < end:
        seen.add(*reasons(reader.read()))
        time.sleep(0.01)
    assert seen == {None}


def test_closing_ends_the_thread_and_the_collector(host: Host) -> None:
    bmc = Bmc(host)
    reader = BackgroundReader(host, bmc, bmc.channels)
    until(lambda: bmc.times)
    reader.close()
    reader.close()
    assert bmc.closed == 2
    assert not [thread for thread in threading.enumerate() if thread.name == "greenai-bmc"]
    count = len(bmc.times)
    time.sleep(0.15)
    assert len(bmc.times) == count


@pytest.mark.parametrize("garbage", [None, 5, [1, 2], [None], "reading"])
def test_what_is_no_reading_is_a_gap(host: Host, garbage: Any) -> None:
    bmc = Bmc(host)
    bmc.read = lambda: garbage  # type: ignore[method-assign]
    sensors = open_sensors(host, LoadedCollectors((bmc,), ()))
    time.sleep(0.05)
    _, readings = sensors.read()
    assert [(type(r), r.channel_id) for r in readings] == [(Gap, "bmc:node")]
    sensors.close()


def test_in_a_run_it_is_asked_once_per_round_and_each_failure_counts_once(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounds of 0.2 s, the second of which fails. However often it is asked, that is one failed reading."""
    monkeypatch.setattr(background, "_FASTEST_S", 0.2)
    bmc = Bmc(host)
    rounds: list[int] = []

    def read() -> list[Reading]:
        rounds.append(host.clock.mono_ns())
        if len(rounds) == 2:
            raise TimeoutError
        return [PowerReading("bmc:node", rounds[-1], 300 * J)]

    bmc.read = read  # type: ignore[method-assign]
    sensors = open_sensors(host, LoadedCollectors((bmc,), ()))
    assert sensors.beats_s(1.0) == [pytest.approx(0.2)]
    until(lambda: len(rounds) == 1)
    time.sleep(0.02)
    journal = JournalWriter(tmp_path, host, Role.SAMPLER, sensors.channels, 0.05)
    end_ns = host.clock.mono_ns() + round(0.7 * S)

    def pause(seconds: float) -> bool:
        time.sleep(max(seconds, 0))
        return host.clock.mono_ns() >= end_ns

    sample(host, sensors, journal, 0.05, pause)  # asked four times per round
    sensors.close()
    journal.close()
    log = read_process(journal.path.read_bytes().split(b"\n"))
    assert log is not None
    failures = [r for r in log.readings["bmc:node"] if isinstance(r, Gap)]
    assert len(failures) > 1
    (row,) = account(RunLog("r", (log,), "", 0.0)).record.energy.channels
    assert row.lost_readings == {"TimeoutError": 1, "pause_too_long": 1}
    assert row.energy_j is not None
    assert row.energy_j / 300 == pytest.approx((rounds[-1] - rounds[0]) / S, abs=0.3)
