"""Services: whether and when a run is condensed makes no difference to its figures; a kill at any moment neither."""

from __future__ import annotations

import json
import random
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenai.core.account import account
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.condensed import as_readings
from greenai.core.energy import integrate
from greenai.core.energy_curve import EnergyCurve, EnergyInterval
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.core.served import ActivityMark, ExclusiveTimes
from greenai.core.sketch import Sketch
from greenai.core.units import NS_PER_S
from greenai.core.usage import Usage
from greenai.core.vocabulary import Role
from greenai.ingest import condense as module
from greenai.ingest import ingest_folder
from greenai.ingest.condense import condense
from greenai.journal import format as f
from greenai.journal.reader import read_run
from greenai.journal.spool import unprocessed_runs
from greenai.journal.writer import JournalWriter
from greenai.settings import load_settings
from greenai.store import open_store
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.core.record import RunRecord

INTERVAL_S = 10.0
CHANNELS = (
    Channel(
        "rapl:package-0", "rapl", Component.CPU, Kind.COUNTER, Quality.MEASURED, "package-0", "fake", "rapl_powercap",
        0.05, 1_000_000_000, wrap_uj=65_712_999_613,
    ),
    Channel(
        "nvml:GPU-0", "nvml", Component.GPU, Kind.POWER, Quality.MEASURED, "GPU-0", "fake", "nvml", 0.05,
        1_000_000_000, gpu_vendor="nvidia",
    ),
)  # fmt: skip


class Service:
    """Writes the journals of a service, the same for the same seed."""

    def __init__(self, folder: Path, seed: int, scope: str, failing: float) -> None:
        self.folder = folder / "run"
        self.folder.mkdir(parents=True)
        self.machine = FakeMachine(folder / "machine")
        self.dice = random.Random(seed)
        self.failing = failing
        meta = {"name": "bot", "service": True, "scope": scope, "unit": "request"}
        self.owner = JournalWriter(self.folder, self.machine.host, Role.OWNER, CHANNELS, INTERVAL_S, meta)
        self.sampler = JournalWriter(self.folder, self.machine.host, Role.SAMPLER, CHANNELS, INTERVAL_S, part="s")
        self.meter = JournalWriter(
            self.folder, self.machine.host, Role.MEMBER, CHANNELS, INTERVAL_S, {"unit": "request"}, part="meter"
        )
        self.energy_uj = self.busy_ns = self.count = self.own_us = self.all_us = 0
        self.readings(self.owner, f.START)

    def readings(self, journal: JournalWriter, kind: str, **extra: Any) -> None:
        t_ns = self.machine.clock.mono_ns()
        wrap_uj = CHANNELS[0].wrap_uj or 1
        counter: Any = CounterReading(CHANNELS[0].id, t_ns, self.energy_uj % wrap_uj)
        gauge: Any = PowerReading(CHANNELS[1].id, t_ns, self.dice.randrange(50_000_000, 300_000_000))
        if self.dice.random() < self.failing:
            counter = Gap(CHANNELS[0].id, t_ns, "os_error_5")
        if self.dice.random() < self.failing:
            gauge = Gap(CHANNELS[1].id, t_ns, "lost")
        usage = Usage(t_ns, self.own_us, self.all_us, 1 << 30, 3 << 30, {})
        journal.readings(kind, t_ns, [counter, gauge], usage, **extra)

    def hour(self, number: int) -> None:
        """Live for an hour."""
        sketch = Sketch()
        since_ns = self.machine.clock.mono_ns()
        for beat in range(int(3600 / INTERVAL_S)):
            self.machine.clock.advance(INTERVAL_S)
            self.energy_uj += self.dice.randrange(20, 400) * int(INTERVAL_S) * 1_000_000
            self.all_us += self.dice.randrange(1_000_000, 9_000_000)
            self.own_us += self.dice.randrange(1_000_000)
            self.readings(self.sampler, f.TICK)
            t_ns = self.machine.clock.mono_ns()
            if self.dice.random() < 0.7:  # else it was idle
                self.busy_ns += self.dice.randrange(int(INTERVAL_S * NS_PER_S))
                self.count += 5
                sketch.add(self.dice.random(), 5)
                since = t_ns - int(INTERVAL_S * NS_PER_S)
                mark = ActivityMark(t_ns, self.busy_ns, self.busy_ns, self.count, 0, self.count, None, since, t_ns)
                self.meter.event(f.REQUESTS, **mark.to_json())
            if beat % 6 == 5:
                times = ExclusiveTimes(since_ns, t_ns, sketch)
                self.meter.event(f.SHARES, **times.to_json())
                sketch, since_ns = Sketch(), t_ns
        for journal in (self.sampler, self.meter):
            journal.rotate()

    def stop(self) -> None:
        self.machine.clock.advance(1.0)
        self.readings(self.owner, f.STOP, state="completed", exit_code=0, error=None)
        for journal in (self.owner, self.sampler, self.meter):
            journal.close()

    def condense(self) -> None:
        log = read_run(self.folder)
        condense(self.folder, log, account(log).over)

    def record(self) -> RunRecord:
        """Return the record, but for what says how the journals look."""
        record = account(read_run(self.folder)).record
        return replace(record, journal=replace(record.journal, lines=0, sha256=""))


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 1000),
    scope=st.sampled_from(["machine", "process"]),
    failing=st.sampled_from([0.0, 0.02, 0.6]),
    moments=st.sets(st.integers(0, 3)),
)
def test_condensed_or_not_the_figures_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, seed: int, scope: str, failing: float, moments: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("service")
    plain, other = Service(folder / "a", seed, scope, failing), Service(folder / "b", seed, scope, failing)
    for number in range(4):
        plain.hour(number)
        other.hour(number)
        if number in moments:
            other.condense()
            assert other.record().energy == plain.record().energy
    plain.stop()
    other.stop()
    expected, found = plain.record(), other.record()
    assert found.energy == expected.energy
    assert found.requests == expected.requests
    assert found.hours == expected.hours
    assert found == expected


def test_the_total_is_that_of_full_resolution(tmp_path: Path) -> None:
    service = Service(tmp_path, 1, "machine", 0.02)
    for number in range(3):
        service.hour(number)
        service.condense()
    service.stop()
    record = service.record()
    assert record.energy.channels[0].energy_j == pytest.approx(service.energy_uj / 1e6, rel=1e-3)
    assert record.requests is not None
    assert record.requests.count == service.count
    assert len(record.hours) == 4


def test_readings_are_gone_and_little_is_left(tmp_path: Path) -> None:
    service = Service(tmp_path, 1, "machine", 0.0)
    for number in range(5):
        service.hour(number)
    before = sum(path.stat().st_size for path in service.folder.glob("*.jsonl"))
    service.condense()
    after = sum(path.stat().st_size for path in service.folder.glob("*.jsonl"))
    assert after < before / 3
    once = {path.name: path.read_bytes() for path in service.folder.glob("*.jsonl")}
    service.condense()
    assert {path.name: path.read_bytes() for path in service.folder.glob("*.jsonl")} == once


@pytest.mark.parametrize(("name", "value"), [("t0_ns", -(10**22)), ("t0_ns", 0), ("t", 2**62 - 1)])
def test_an_hour_with_an_absurd_time_is_a_bad_line(tmp_path: Path, name: str, value: int) -> None:
    service = Service(tmp_path, 1, "machine", 0.0)
    for number in range(3):
        service.hour(number)
    service.condense()
    (hours,) = service.folder.glob("*-hours.jsonl")
    lines = hours.read_text().splitlines()
    damaged = next(index for index, line in enumerate(lines) if json.loads(line)["k"] == f.HOUR)
    lines[damaged] = json.dumps({**json.loads(lines[damaged]), name: value})
    hours.write_text("\n".join(lines) + "\n")
    assert account(read_run(service.folder)).record.journal.bad_lines == 1


@pytest.mark.parametrize("cut", [1, 40, 500, 3000, 20_000])
def test_a_commit_that_was_cut_is_done_again(tmp_path: Path, cut: int) -> None:
    service = Service(tmp_path, 2, "machine", 0.02)
    for number in range(3):
        service.hour(number)
    expected = service.record()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_remove_readings", lambda *_: False)
        service.condense()
    (hours,) = service.folder.glob("*-hours.jsonl")
    hours.write_bytes(hours.read_bytes()[:cut])
    service.condense()
    found = service.record()
    assert (found.energy, found.requests, found.hours) == (expected.energy, expected.requests, expected.hours)


def test_the_database_tells_of_the_journals_that_are_left(tmp_path: Path) -> None:
    service = Service(tmp_path, 4, "machine", 0.0)
    for number in range(2):
        service.hour(number)
    service.stop()
    with closing(open_store(load_settings().db)) as store:
        record = ingest_folder(store, load_settings(), service.folder)
        assert record is not None
        assert record.journal.sha256 == read_run(service.folder).sha256
        samples = list(store.samples("run"))
    assert len(list(service.folder.glob("*-hours.jsonl"))) == 1
    assert not unprocessed_runs(tmp_path)
    (cpu, _, counts), *_ = samples
    readings = [CounterReading(cpu.id, t_ns, uj) for t_ns, uj in counts if uj is not None]
    energy_uj = sum(interval.energy_uj or 0 for interval in integrate(cpu, readings).intervals)
    assert energy_uj == pytest.approx(service.energy_uj, rel=1e-4)
    assert len(counts) < 2 * 3600 / INTERVAL_S


def test_a_kill_between_two_files_costs_nothing(tmp_path: Path) -> None:
    service = Service(tmp_path, 3, "machine", 0.02)
    for number in range(4):
        service.hour(number)
    expected = service.record()
    real, left = module._Stripped.save, 3

    def dies(self: Any, **flags: bool) -> bool:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return real(self, **flags)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module._Stripped, "save", dies)
        with pytest.raises(KeyboardInterrupt):
            service.condense()
    assert service.record() == expected
    service.condense()
    assert service.record() == expected


STRETCHES = st.lists(
    st.tuples(st.sampled_from([1, 60, 7]), st.none() | st.integers(1, 900)), min_size=1, max_size=12
)


@pytest.mark.parametrize("channel", CHANNELS, ids=["counter", "gauge"])
@given(stretches=STRETCHES)
def test_samples_say_what_the_minutes_say(channel: Channel, stretches: list[tuple[int, int | None]]) -> None:
    intervals = []
    t_ns = 10**12
    for seconds, watts in stretches:
        end_ns = t_ns + seconds * NS_PER_S
        intervals.append(EnergyInterval(t_ns, end_ns, None if watts is None else watts * seconds * 1e6))
        t_ns = end_ns
    found = EnergyCurve(integrate(channel, as_readings(channel, intervals)).intervals)
    for t0_ns, t1_ns, energy_uj in intervals:
        amount = found.between(t0_ns, t1_ns)
        if energy_uj is not None:
            assert amount.energy_j == pytest.approx(energy_uj / 1e6, abs=1e-3)
        elif channel.kind is Kind.COUNTER:  # a gauge is bridged for a minute, here as everywhere
            assert amount.energy_j is None
