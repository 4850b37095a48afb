"""Every test gets folders of its own and an environment that says nothing about greenai; and journals to read."""

from __future__ import annotations

import os
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import Role
from greenai.journal import format as f
from greenai.journal.writer import JournalWriter
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Iterator

# On a busy machine any example may take long; pytest-timeout ends one that hangs.
settings.register_profile("greenai", deadline=None)
settings.load_profile("greenai")

_FOREIGN = ("GREENAI_", "SLURM_", "CUDA_", "XDG_", "LC_", "LANG")


@pytest.fixture(autouse=True, scope="session")
def ordinary_signals() -> None:
    """Under nohup or in the background the tests would hand ignored signals down to every program they start."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GREENAI_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("GREENAI_DB", f"sqlite:///{tmp_path / 'greenai.db'}")
    monkeypatch.setenv("GREENAI_INGEST", "later")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home" / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))
    # What stands in for a spool that is full lies among the temporary files.
    # Not below tmp_path: names of sockets must be short.
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    with tempfile.TemporaryDirectory(prefix="g", ignore_cleanup_errors=True) as temporary:
        Path(temporary).chmod(0o755)  # some tests use it as another user
        monkeypatch.setenv("TMPDIR", temporary)
        monkeypatch.setattr(tempfile, "tempdir", temporary)
        yield


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
