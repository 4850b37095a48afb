"""Journals as the tracking writes them, and a place of their own."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from greenai.cli.main import run
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import Role
from greenai.journal import format as f
from greenai.journal.writer import JournalWriter
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("GREENAI_", "XDG_", "SLURM_", "LC_", "LANG")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("GREENAI_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("GREENAI_DB", f"sqlite:///{tmp_path / 'greenai.db'}")
    monkeypatch.chdir(tmp_path)


CHANNELS = (
    Channel(
        id="rapl:package-0", collector="rapl", component=Component.CPU, kind=Kind.COUNTER, quality=Quality.MEASURED,
        device="package-0", host="fake", method="rapl_powercap", uncertainty_rel=0.05, max_power_uw=2_000_000_000,
    ),
    Channel(
        id="est:memory", collector="memory_estimate", component=Component.DRAM, kind=Kind.POWER,
        quality=Quality.ESTIMATED, device="memory", host="fake", method="memory_per_gigabyte", uncertainty_rel=0.5,
        max_power_uw=100_000_000,
    ),
)  # fmt: skip


@dataclass
class Journals:
    """Writes runs into the spool: 100 W of CPU and 5 W of memory, a reading each second."""

    spool: Path
    root: Path

    def begin(self, run_id: str, seconds: int = 10, **meta: Any) -> tuple[JournalWriter, FakeMachine]:
        """Write a run that still goes on."""
        folder = self.spool / run_id
        folder.mkdir(parents=True)
        machine = FakeMachine(self.root / run_id)
        journal = JournalWriter(folder, machine.host, Role.OWNER, CHANNELS, 1.0, {"name": "fit", **meta})
        self.mark(journal, machine, f.START)
        for _ in range(seconds):
            machine.clock.advance(1.0)
            self.mark(journal, machine, f.TICK)
        return journal, machine

    def mark(self, journal: JournalWriter, machine: FakeMachine, kind: str, **extra: Any) -> None:
        """Write a line with readings."""
        t_ns = machine.clock.mono_ns()
        elapsed_s = t_ns // NS_PER_S - 1_000
        memory = Gap("est:memory", t_ns, "busy") if elapsed_s == 3 else PowerReading("est:memory", t_ns, 5_000_000)
        readings = [CounterReading("rapl:package-0", t_ns, 7 + elapsed_s * 100_000_000), memory]
        journal.readings(kind, t_ns, readings, **extra)

    def end(self, journal: JournalWriter, machine: FakeMachine, state: str = "completed", code: int = 0) -> None:
        """Write a run's end."""
        self.mark(journal, machine, f.STOP, state=state, exit_code=code, error=None)
        journal.close()

    def run(self, run_id: str, seconds: int = 10, **meta: Any) -> Path:
        """Write a whole run; return its folder."""
        journal, machine = self.begin(run_id, seconds, **meta)
        journal.event(f.METRIC, name="accuracy", value=0.9, higher_is_better=True)
        journal.event(f.UNITS, n=10)
        self.end(journal, machine)
        return self.spool / run_id


@pytest.fixture
def journals(tmp_path: Path) -> Journals:
    """Writes journals."""
    return Journals(tmp_path / "spool", tmp_path / "machines")


@dataclass(frozen=True)
class Answer:
    """What a call of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Its standard output as JSON."""
        return json.loads(self.out)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Runs the command line."""

    def call(*arguments: str) -> Answer:
        capsys.readouterr()
        code = run(list(arguments))
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return call


@pytest.fixture
def runs(journals: Journals) -> Journals:
    """A task with an AI and a classical solution, two runs each."""
    for number, (name, approach, quality, seconds) in enumerate(
        (
            ("net", "ai", 0.95, 30),
            ("net", "ai", 0.951, 31),
            ("forest", "classical", 0.94, 5),
            ("forest", "classical", 0.941, 6),
        )
    ):
        journal, machine = journals.begin(
            f"aa0{number}beef",
            seconds,
            name=name,
            project="churn",
            task="t",
            approach=approach,
            phase="training",
            zone="DE",
        )
        journal.event(f.METRIC, name="accuracy", value=quality, higher_is_better=True)
        journals.end(journal, machine)
    return journals
