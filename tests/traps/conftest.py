"""A machine that follows a script: powers over time, faults at given moments, and what it truly took.

Everything between the machine's files and the record is the product's own: ``open_sensors``, the sampling loop,
the journals, their reader, the account. Only the clock is scripted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.account import account
from greenai.core.units import UJ_PER_J, UW_PER_W
from greenai.core.vocabulary import Role, Scope
from greenai.journal import format as f
from greenai.journal.reader import read_run
from greenai.journal.spool import create_run_folder, new_run_id
from greenai.journal.writer import JournalWriter
from greenai.plugins import load_collectors
from greenai.sampler import UsageReader, open_sensors, resolve_scope, sample
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from greenai.core.channel import Component
    from greenai.core.collector import Incident
    from greenai.core.events import RunLog
    from greenai.core.record import RunRecord
    from greenai.core.run_energy import ChannelEnergy
    from greenai.host import Host
    from greenai.testing import FakeGpu

    Power = float | Callable[[float], float]
    Action = Callable[[], object]

# The sampler's process needs this long to its first reading; until then there is the owner's start mark.
_SAMPLER_STARTS_S = 0.1
_LONGEST_STEP_S = 0.5  # of the true energy's integral; constant powers are exact with any
_NOISE_S = 1e-9


def overwrite(file: Path, text: str) -> None:
    """Write a sensor's file in place. Opening it anew and empty costs milliseconds on a disk with a journal."""
    with file.open("r+b") as stream:
        before = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        stream.write(text.encode())
        if len(text) < before:
            stream.truncate()


@dataclass
class Source:
    """Something that takes power and shows it in a sensor.

    Attributes:
        watts: Its power at a time of the script.
        show: Writes the sensor: (joules since the script began, watts now).
        joules: What it took so far.
        faults: (from, to, what the sensor does meanwhile instead), seconds of the script.
    """

    watts: Callable[[float], float]
    show: Callable[[float, float], object]
    joules: float = 0.0
    faults: list[tuple[float, float, Action]] = field(default_factory=list)

    def fails(self, start_s: float, end_s: float, action: Action) -> None:
        """Let the sensor do something else for a while."""
        self.faults.append((start_s, end_s, action))

    def update(self, now_s: float) -> None:
        """Bring the sensor up to date."""
        wrong = [action for start_s, end_s, action in self.faults if start_s <= now_s < end_s]
        if wrong:
            wrong[-1]()
        else:
            self.show(self.joules, self.watts(now_s))


@dataclass(frozen=True)
class Played:
    """What came of a run.

    Attributes:
        record: The record, as every reader of results gets it.
        log: The journals.
        truth_j: The true energy of each source, in the order they were added.
    """

    record: RunRecord
    log: RunLog
    truth_j: tuple[float, ...]

    @property
    def energy_j(self) -> float | None:
        return self.record.energy_j

    @property
    def counted(self) -> set[str]:
        """The channels that the total is made of."""
        return {row.id for row in self.record.energy.channels if row.counted}

    @property
    def lost(self) -> dict[str, int]:
        """Lost readings of all channels together, by reason."""
        reasons: dict[str, int] = {}
        for row in self.record.energy.channels:
            for reason, count in row.lost_readings.items():
                reasons[reason] = reasons.get(reason, 0) + count
        return reasons

    @property
    def incidents(self) -> dict[str, Incident]:
        return {incident.code: incident for incident in self.record.incidents}

    def row(self, channel_id: str) -> ChannelEnergy:
        (row,) = (row for row in self.record.energy.channels if row.id == channel_id)
        return row

    def joules(self, component: Component) -> float | None:
        """The counted energy of a component; None if nothing of it is known."""
        rows = [row for row in self.record.energy.channels if row.counted and row.component is component]
        return sum(row.energy_j or 0.0 for row in rows) if rows else None

    def window(self, name: str) -> float | None:
        (window,) = (window for window in self.record.windows if window.name == name)
        return window.energy_j


class Process:
    """A process of a run: its own sensors, its own journal."""

    def __init__(self, play: Play, folder: Path, role: Role, part: str, scope: Scope, **options: Any) -> None:
        self._host = play.host
        loaded = load_collectors(self._host)
        for collector in loaded.collectors:
            collector.slow = False  # threads do not obey a scripted clock
        self.usage = None if scope is Scope.MACHINE else UsageReader(self._host, scope, 1)
        self.sensors = open_sensors(self._host, loaded, usage=self.usage)
        channels = self.sensors.channels
        self.journal = JournalWriter(
            folder, self._host, role, channels, options["interval_s"], options["meta"], part
        )
        for incident in self.sensors.incidents:
            self.journal.incident(incident)

    def mark(self, kind: str, **extra: Any) -> None:
        t_ns, readings = self.sensors.read()
        self.journal.readings(kind, t_ns, readings, self.sensors.usage(), **extra)

    def close(self) -> None:
        self.sensors.close()
        self.journal.close()


class Play:
    """A machine and its script.

    Attributes:
        machine: Its files.
        now_s: Time of the script, seconds.
    """

    def __init__(self, machine: FakeMachine, spool: Path, name: str = "fake") -> None:
        self.machine = machine
        self.now_s = 0.0
        self._spool = spool
        self._name = name
        self._sources: list[Source] = []
        self._events: list[tuple[float, Action]] = []

    @property
    def host(self) -> Host:
        return replace(self.machine.host, name=self._name)

    # --- the script

    def drive(self, watts: Power, show: Callable[[float, float], object]) -> Source:
        """Add something that takes power; ``show`` gets (joules, watts) and writes the sensor."""
        source = Source(watts if callable(watts) else lambda _: watts, show)
        self._sources.append(source)
        source.update(self.now_s)
        return source

    def rapl(self, zone: str, watts: Power, start_j: float = 1000.0, wrap_uj: int | None = None) -> Source:
        """Let a powercap zone count: 32 bits of its unit, then 0 again."""
        folder = f"sys/class/powercap/{zone}"
        if wrap_uj is None:
            range_uj = int((self.machine.root / folder / "max_energy_range_uj").read_text())
            wrap_uj = round(range_uj / (2**32 - 1) * 2**32)

        def show(joules: float, _watts: float) -> None:
            overwrite(
                self.machine.root / folder / "energy_uj", f"{round((start_j + joules) * UJ_PER_J) % wrap_uj}\n"
            )

        return self.drive(watts, show)

    def gpu(self, gpu: FakeGpu, watts: Power) -> Source:
        """Let a GPU draw power, by all the meters it has."""
        first_mj = gpu.energy_mj

        def show(joules: float, now_w: float) -> None:
            gpu.energy_mj = None if first_mj is None else first_mj + round(joules * 1000)
            gpu.power_mw = None if gpu.power_mw is None else round(now_w * 1000)
            gpu.instant_mw = {scope: round(now_w * 1000) for scope in gpu.instant_mw}

        return self.drive(watts, show)

    def gauge(self, path: str, watts: Power) -> Source:
        """Let a file tell its power in microwatts, as hwmon does."""
        return self.drive(
            watts, lambda _, now_w: overwrite(self.machine.root / path, f"{round(now_w * UW_PER_W)}\n")
        )

    def at(self, when_s: float, action: Action) -> None:
        """Do something at a moment of the script."""
        self._events.append((when_s, action))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, events happen and sensors follow."""
        end_s = self.now_s + seconds
        due = sorted((event for event in self._events if event[0] <= end_s + _NOISE_S), key=lambda event: event[0])
        self._events = [event for event in self._events if event not in due]
        for when_s, action in due:
            self._flow(when_s)
            action()
        self._flow(end_s)

    def _flow(self, end_s: float) -> None:
        while self.now_s < end_s - _NOISE_S:
            step_s = min(end_s - self.now_s, _LONGEST_STEP_S)
            for source in self._sources:
                source.joules += source.watts(self.now_s + step_s / 2) * step_s
            self.now_s += step_s
            self.machine.clock.advance(step_s)
        for source in self._sources:
            source.update(self.now_s)

    # --- the run

    def run(
        self,
        seconds: float,
        *,
        interval_s: float = 1.0,
        sampler: bool = True,
        windows: dict[str, tuple[float, float]] | None = None,
        meta: dict[str, Any] | None = None,
        scope: Scope = Scope.AUTO,
        ranks: Sequence[tuple[Play, float, float]] = (),
    ) -> Played:
        """Play a run from now on.

        Args:
            seconds: Its length.
            interval_s: The sampling interval.
            sampler: False leaves only what the program itself reads at its marks.
            windows: Start and end of named windows, seconds of the script.
            meta: What the user said.
            scope: Whose energy it is.
            ranks: Processes that join the run: their machine, start and end. They mark a window and nothing else.
        """
        folder = create_run_folder(self._spool, new_run_id())
        scope, trouble = resolve_scope(self.host, scope)
        options = {"interval_s": interval_s, "meta": {"name": "play", "scope": scope.value, **(meta or {})}}
        owner = Process(self, folder, Role.OWNER, "", scope, **options)
        if trouble is not None:
            owner.journal.incident(trouble)
        for number, (name, (start_s, end_s)) in enumerate((windows or {}).items()):
            self.window(owner, name, start_s, end_s, number)
        for number, rank in enumerate(ranks):
            self._join(folder, interval_s, number, *rank)
        end_s = self.now_s + seconds
        before_j = [source.joules for source in self._sources]
        owner.mark(f.START)
        if sampler:
            self.pass_time(_SAMPLER_STARTS_S)
            beside = Process(self, folder, Role.SAMPLER, "sampler", scope, interval_s=interval_s, meta={})
            if beside.usage is not None:
                beside.usage.watch_gpus(beside.sensors.channels)

            def pause(seconds: float) -> bool:
                self.pass_time(min(seconds, end_s - self.now_s))
                return self.now_s >= end_s - _NOISE_S

            sample(self.host, beside.sensors, beside.journal, interval_s, pause)
            beside.close()
        self.pass_time(end_s - self.now_s)
        owner.mark(f.STOP, state="completed", exit_code=0, error=None)
        owner.close()
        truth_j = tuple(s.joules - j for s, j in zip(self._sources, before_j, strict=True))
        log = read_run(folder)
        return Played(account(log).record, log, truth_j)

    def window(self, process: Process, name: str, start_s: float, end_s: float, number: int) -> None:
        """Let a process mark a window."""
        self.at(start_s, lambda: process.mark(f.BEGIN, id=f"{name}-{number}", name=name, parent=None))
        self.at(end_s, lambda: process.mark(f.END, id=f"{name}-{number}"))

    def _join(
        self, folder: Path, interval_s: float, number: int, where: Play, start_s: float, end_s: float
    ) -> None:
        def live() -> None:
            meta = {"name": "rank", "name_given": True}
            options = {"interval_s": interval_s, "meta": meta}
            rank = Process(where, folder, Role.MEMBER, f"rank{number}", Scope.MACHINE, **options)
            rank.mark(f.BEGIN, id=f"rank-{number}", name="rank", parent=None)

            def die() -> None:
                rank.mark(f.END, id=f"rank-{number}")
                rank.close()

            self.at(end_s, die)

        self.at(start_s, live)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The firmware of Grace needs time between two meters, and disks need time; a script has none to lose."""
    monkeypatch.setattr("greenai_collectors.grace._APART_S", 0.0)
    monkeypatch.setattr(JournalWriter, "sync", lambda _self: None)


@pytest.fixture
def play() -> Iterator[Callable[..., Play]]:
    """Put a machine on the stage, by its builder and under a name; without a builder a bare machine."""
    stages = iter(range(1000))
    memory = Path("/dev/shm")  # a machine is a thousand small files
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="greenai-trap-") as folder:

        def build(builder: Callable[[Path], FakeMachine] = FakeMachine, name: str = "fake") -> Play:
            return Play(builder(Path(folder) / f"machine-{next(stages)}"), Path(folder) / "spool", name)

        yield build


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python program of these lines in a session of its own; what is left of it is ended after the test."""
    begun: list[subprocess.Popen[str]] = []

    def popen(source: str, *prefix: str, **options: Any) -> subprocess.Popen[str]:
        script = tmp_path / f"program-{len(begun)}.py"
        script.write_text(source, encoding="utf-8")
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": tmp_path, **options}
        command = [*prefix, sys.executable, str(script)]
        begun.append(subprocess.Popen(command, text=True, start_new_session=True, **options))
        return begun[-1]

    yield popen
    for process in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def records(tmp_path: Path) -> Callable[..., list[RunRecord]]:
    """Give the records of all runs in the spool, oldest first."""

    def read(now_s: float | None = None) -> list[RunRecord]:
        return [account(read_run(folder, now_s)).record for folder in sorted((tmp_path / "spool").glob("[!.]*"))]

    return read


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait for something to come true, not longer than ten seconds."""

    def wait(what: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + 10
        while not what():
            assert time.monotonic() < deadline_s, "it did not happen in time"
            time.sleep(0.01)

    return wait
