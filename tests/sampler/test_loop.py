"""The sampling loop: a steady beat on a grid, each sensor at its own rate, and nothing that ends it but its owner."""

from __future__ import annotations

import errno
import os
import threading
import time
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenai.core.account import account
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.core.usage import Usage
from greenai.core.vocabulary import Role
from greenai.journal.format import TICK
from greenai.journal.lines import read_process
from greenai.journal.reader import read_run
from greenai.journal.writer import JournalWriter
from greenai.plugins import LoadedCollectors
from greenai.sampler import SamplerThread, Sensors, open_sensors, sample
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from greenai.core.events import ProcessLog
    from greenai.core.reading import Reading
    from greenai.host import Host

J = 1_000_000
S = 1_000_000_000
MS = 1_000_000
COUNTER = Channel(
    id="cpu:0", collector="cpu", component=Component.CPU, kind=Kind.COUNTER, quality=Quality.MEASURED, device="d",
    host="fake", method="m", uncertainty_rel=0.05, max_power_uw=100 * J,
)  # fmt: skip
GAUGE = replace(COUNTER, id="gpu:0", collector="gpu", component=Component.GPU, kind=Kind.POWER, update_s=0.5)


@dataclass
class Timed:
    """A collector that takes its time, in milliseconds of the machine's clock."""

    host: Host
    channel: Channel
    took_ms: Callable[[], float] = lambda: 0.01
    slow: bool = False
    verified_on: str | None = None
    times: list[int] = field(default_factory=list)
    name: str = ""

    def __post_init__(self) -> None:
        self.name = self.channel.collector

    def probe(self) -> Available:
        return Available((self.channel,))

    def open(self, channels: Any) -> None:
        pass

    def read(self) -> list[Reading]:
        t_ns = self.host.clock.mono_ns()
        self.times.append(t_ns)
        self.host.clock.advance(self.took_ms() / 1000)  # type: ignore[attr-defined]
        if self.channel.kind is Kind.COUNTER:
            return [CounterReading(self.channel.id, t_ns, t_ns // 1000)]
        return [PowerReading(self.channel.id, t_ns, 5 * J)]

    def close(self) -> None:
        pass


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine")


class Clockwork:
    """Runs the loop on a fake clock; waiting takes as long as it was asked for, and now and then a little less."""

    def __init__(self, machine: FakeMachine, *collectors: Timed, early_ns: int = 0, late_ns: int = 0) -> None:
        self.machine = machine
        self.sensors = open_sensors(machine.host, LoadedCollectors(collectors, ()))
        self.journal = JournalWriter(machine.root, machine.host, Role.SAMPLER, self.sensors.channels, 1.0)
        self.start_ns = machine.clock.mono_ns()
        self.pauses: list[float] = []
        self._off_ns = late_ns - early_ns

    def run(self, seconds: float, interval_s: float = 1.0) -> ProcessLog:
        end_ns = self.start_ns + round(seconds * S)

        def pause(seconds: float) -> bool:
            self.pauses.append(seconds)
            self.machine.clock.advance(max(seconds + self._off_ns / S, 0))
            return self.machine.clock.mono_ns() >= end_ns

        sample(self.machine.host, self.sensors, self.journal, interval_s, pause)
        return self.log()

    def log(self) -> ProcessLog:
        log = read_process(self.journal.path.read_bytes().split(b"\n"))
        assert log is not None
        return log

    def at_ms(self, times: list[int]) -> list[int]:
        return [round((t_ns - self.start_ns) / MS) for t_ns in times]


def test_each_sensor_beats_at_its_own_rate_and_lines_coincide(machine: FakeMachine) -> None:
    cpu, gpu = Timed(machine.host, COUNTER), Timed(machine.host, GAUGE)
    work = Clockwork(machine, cpu, gpu)
    log = work.run(3.1)
    assert work.at_ms(cpu.times) == [0, 1000, 2000, 3000]
    assert work.at_ms(gpu.times) == [0, *range(250, 3001, 250)]
    assert log.lines == 1 + 13
    assert [len(log.readings[name]) for name in ("cpu:0", "gpu:0")] == [4, 13]
    assert log.bad_lines == 0


def test_late_beats_do_not_shift_those_after_them(machine: FakeMachine) -> None:
    """A sensor takes 400 ms every third time: beats on the grid, missed ones are left out."""
    rounds = iter(range(1000))
    gpu = Timed(machine.host, GAUGE, lambda: 400 if next(rounds) % 3 == 2 else 0.01)
    work = Clockwork(machine, gpu)
    work.run(2.0)
    assert work.at_ms(gpu.times) == [0, 250, 500, 1000, 1250, 1500]


def test_a_slow_round_of_one_sensor_leaves_the_grid_of_the_others(machine: FakeMachine) -> None:
    cpu = Timed(machine.host, COUNTER, lambda: 300)
    gpu = Timed(machine.host, GAUGE)
    work = Clockwork(machine, cpu, gpu)
    work.run(2.2)
    assert work.at_ms(gpu.times) == [300, 500, 750, 1300, 1500, 1750, 2300][: len(gpu.times)]
    assert work.at_ms(cpu.times) == [0, 1000, 2000]


def test_without_sensors_the_heart_beats_on(machine: FakeMachine) -> None:
    """Lines say that the sampler lives, also where there is nothing to read: a run without them would be lost."""
    work = Clockwork(machine)
    log = work.run(3.5)
    assert (log.lines, log.bad_lines) == (1 + 4, 0)
    assert work.at_ms([log.last_ns]) == [3000]


@pytest.mark.parametrize("early_ns", [0, 1, 50_000, 900_000])
@pytest.mark.parametrize("took_ms", [0.0, 0.02, 3.0])
def test_a_beat_that_comes_a_little_early_comes_once(machine: FakeMachine, early_ns: int, took_ms: float) -> None:
    """Beats of a seventh of a second drift by nanoseconds against the interval, and timers may fire early."""
    gauge = replace(GAUGE, update_s=0.3)  # 7 beats a second, 142.857142 ms
    cpu, gpu = Timed(machine.host, COUNTER, lambda: took_ms), Timed(machine.host, gauge, lambda: took_ms)
    work = Clockwork(machine, cpu, gpu, early_ns=early_ns)
    log = work.run(20.5)
    assert len(cpu.times) == 21
    assert len(gpu.times) == pytest.approx(20.5 * 7, abs=1)
    assert log.lines == pytest.approx(1 + 20.5 * 7, abs=2)


@settings(max_examples=30, deadline=None)
@given(
    beats=st.lists(st.sampled_from([None, 0.1, 0.3, 0.5, 1.2, 5.0]), min_size=1, max_size=3),
    interval_s=st.sampled_from([0.05, 0.3, 1.0, 2.0]),
    took_ms=st.floats(0, 20),
    late_ns=st.integers(-900_000, 5 * MS),
)
def test_whatever_the_rates_every_sensor_is_read_as_often_as_it_needs(
    tmp_path_factory: pytest.TempPathFactory,
    beats: list[float | None],
    interval_s: float,
    took_ms: float,
    late_ns: int,
) -> None:
    machine = FakeMachine(tmp_path_factory.mktemp("loop"))
    collectors = [
        Timed(machine.host, replace(GAUGE, id=f"c{n}:0", collector=f"c{n}", update_s=update_s), lambda: took_ms)
        for n, update_s in enumerate(beats)
    ]
    work = Clockwork(machine, *collectors, early_ns=max(-late_ns, 0), late_ns=max(late_ns, 0))
    work.run(8 * interval_s, interval_s)
    work.journal.close()
    round_ns = round(len(beats) * took_ms * MS) + 5 * MS
    for collector, own_beat_s in zip(collectors, work.sensors.beats_s(interval_s), strict=True):
        longest_ns = max(b - a for a, b in pairwise(collector.times))
        beat_ns = collector.channel.poll_s(interval_s) * S
        # Late by one round at most; a beat that fell into a round is left out.
        assert longest_ns <= beat_ns * (1 + round_ns // beat_ns) + 2 * round_ns
        assert len(collector.times) <= 8 * interval_s / own_beat_s + 2
    assert all(seconds <= interval_s + 0.001 for seconds in work.pauses)


# --- use of the machine


class Looks:
    """Says how much of the machine is used, and how often it was asked."""

    def __init__(self, machine: FakeMachine) -> None:
        self.machine = machine
        self.asked = 0

    def read(self) -> Usage:
        self.asked += 1
        return Usage(self.machine.clock.mono_ns(), self.asked, 10 * self.asked, 3, 4, {"gpu:0": 0.5})


def test_the_use_of_the_machine_is_read_once_per_interval(machine: FakeMachine) -> None:
    work = Clockwork(machine, Timed(machine.host, GAUGE))
    looks = Looks(machine)
    work.sensors._usage = looks  # type: ignore[assignment]
    log = work.run(3.1)
    assert looks.asked == len(log.usages) == 4
    assert work.at_ms([usage.t_mono_ns for usage in log.usages]) == [0, 1000, 2000, 3000]
    assert log.usages[2] == Usage(log.usages[2].t_mono_ns, 3, 30, 3, 4, {"gpu:0": 0.5})


# --- trouble


def test_a_broken_sensor_does_not_end_the_loop(machine: FakeMachine) -> None:
    """A reading of a channel that nobody knows would end it in the writer."""

    class Mad(Timed):
        def read(self) -> list[Reading]:
            return [CounterReading("nobody:0", 1, 1)]

    mad = Mad(machine.host, replace(COUNTER, id="mad:0", collector="mad", component=Component.REST))
    log = Clockwork(machine, mad, Timed(machine.host, COUNTER)).run(2.5)
    assert [type(r) for r in log.readings["mad:0"]] == [Gap] * 3
    assert [type(r) for r in log.readings["cpu:0"]] == [CounterReading] * 3


def test_what_could_not_be_written_is_said_when_it_can_be_again(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Clockwork(machine, Timed(machine.host, COUNTER))
    real, full = os.write, [False, True, True, True, False, False]

    def write(file: int, data: bytes) -> int:
        if full and full.pop(0):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data)

    monkeypatch.setattr("greenai.journal.writer.os.write", write)
    log = work.run(6.5)
    monkeypatch.undo()
    assert [i.code for i in log.incidents] == ["beats_lost"]
    assert "3" in log.incidents[0].message.de
    assert len(log.readings["cpu:0"]) == 7 - 3


def test_a_thread_samples_until_it_is_told_to_stop(machine: FakeMachine) -> None:
    """On the real clock: in a thread of the program, for the wrapper and where no process can be started."""
    host = replace(machine.host, clock=_Real())
    sensors = open_sensors(host, LoadedCollectors((_Instant(host),), ()))
    journal = JournalWriter(machine.root, host, Role.OWNER, sensors.channels, 0.05)
    thread = SamplerThread(host, sensors, journal, 0.05)
    time.sleep(0.4)
    began = time.monotonic()
    thread.stop()
    assert time.monotonic() - began < 0.5
    assert not [t for t in threading.enumerate() if t.name == "greenai-sampler"]
    journal.close()
    log = read_process(journal.path.read_bytes().split(b"\n"))
    assert log is not None
    assert 5 <= len(log.readings["cpu:0"]) <= 10


@pytest.mark.slow
def test_a_sensor_that_hangs_does_not_hold_up_the_end(machine: FakeMachine) -> None:
    host = replace(machine.host, clock=_Real())
    hanging = _Instant(host)
    released = threading.Event()
    hanging.read = lambda: released.wait(30) and []  # type: ignore[method-assign,assignment,return-value]
    sensors = open_sensors(host, LoadedCollectors((hanging,), ()))
    journal = JournalWriter(machine.root, host, Role.OWNER, sensors.channels, 0.05)
    thread = SamplerThread(host, sensors, journal, 0.05)
    began = time.monotonic()
    thread.stop()
    assert 0.9 < time.monotonic() - began < 2
    released.set()


class _Real:
    def mono_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns()

    def asleep_ns(self) -> int:
        return 0


class _Instant(Timed):
    def __init__(self, host: Host) -> None:
        super().__init__(host, COUNTER)

    def read(self) -> list[Reading]:
        return [CounterReading("cpu:0", time.monotonic_ns(), time.monotonic_ns() // 1000)]


def test_the_line_of_a_beat_has_the_time_of_its_round(machine: FakeMachine) -> None:
    work = Clockwork(machine, Timed(machine.host, COUNTER, lambda: 5))
    t_ns, readings = work.sensors.read()
    assert isinstance(work.sensors, Sensors)
    work.journal.readings(TICK, t_ns, readings)
    assert work.log().readings["cpu:0"] == readings


def test_a_machine_that_sleeps(tmp_path: Path) -> None:
    """Suspend: the monotonic clock stands still, the wall clock does not."""
    machine = FakeMachine(tmp_path)
    host = machine.host
    sensors = open_sensors(host, LoadedCollectors((Timed(host, COUNTER),), ()))
    journal = JournalWriter(tmp_path, host, Role.OWNER, sensors.channels, 1.0)
    beats = iter(range(6))

    def pause(seconds: float) -> bool:
        machine.clock.advance(seconds)
        beat = next(beats)
        if beat == 2:
            machine.clock.sleep(3600.0)
        return beat == 5

    sample(host, sensors, journal, 1.0, pause)
    journal.close()
    log = read_run(tmp_path)
    assert [process.slept_ns for process in log.processes] == [3600 * S]
    record = account(log).record
    assert record.duration_s == pytest.approx(6.0, abs=0.1)
    (slept,) = [incident for incident in record.incidents if incident.code == "machine_slept"]
    assert slept.message.en.replace("\u202f", " ").startswith("The machine fake was suspended for 1 h")
