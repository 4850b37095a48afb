"""Taking journals into the database: one run of ten hours, and a thousand runs that nobody ended."""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.table import show
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.reading import CounterReading, PowerReading
from greenai.core.units import NS_PER_S, UJ_PER_MJ, UW_PER_MW
from greenai.core.vocabulary import Role
from greenai.ingest import ingest_folder, ingest_spool
from greenai.journal import format as f
from greenai.journal.writer import JournalWriter
from greenai.settings import load_settings
from greenai.store import open_store
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.reading import Reading

HOURS = 10
ABANDONED_RUNS = 1_000
ABANDONED_S = 60
_RAPL_WRAP_UJ = 262_143_328_850


def main() -> None:
    """Print seconds, beside those that only reading the same lines as JSON takes."""
    with tempfile.TemporaryDirectory() as name:
        rows = [*_one_long_run(Path(name, "long")), *_abandoned_runs(Path(name, "abandoned"))]
    show("Taking journals in, s (fresh SQLite file each)", ("what", "asked", "s", "x json.loads"), rows)


def _one_long_run(folder: Path) -> list[Sequence[str]]:
    lines = HOURS * 3600
    write_run(folder / "run", lines, _channels())
    write_run(folder / "short", 1, _channels())
    _ingest_s(folder / "short", folder / "short.db")  # imports what is imported late
    json_s, times_s = [], []
    for number in range(3):
        json_s.append(_json_s(folder / "run"))
        times_s.append(_ingest_s(folder / "run", folder / f"greenai-{number}.db"))
    what = f"{HOURS} h at 1 Hz, 12 channels, {lines} lines (median of 3)"
    return [
        (what, "2", f"{median(times_s):.2f}", f"{median(times_s) / median(json_s):.1f}"),
        ("  json.loads of its lines", "-", f"{median(json_s):.2f}", "1.0"),
    ]


def _ingest_s(run: Path, database: Path) -> float:
    """Return how long it takes to take one run into a new database, seconds."""
    with closing(open_store(f"sqlite:///{database}")) as store:
        began_s = time.perf_counter()
        ingest_folder(store, load_settings(), run)
        return time.perf_counter() - began_s


def _abandoned_runs(folder: Path) -> list[Sequence[str]]:
    for number in range(ABANDONED_RUNS):
        run = folder / f"{number:012x}"
        write_run(run, ABANDONED_S, _channels(), killed=True)
    json_s = _json_s(folder)
    with closing(open_store(f"sqlite:///{folder}/greenai.db")) as store:
        began_s = time.perf_counter()
        report = ingest_spool(store, load_settings(), folder)
        took_s = time.perf_counter() - began_s
    what = f"{len(report.taken)} abandoned runs of {ABANDONED_S} s"
    return [
        (what, "30", f"{took_s:.1f}", f"{took_s / json_s:.1f}"),
        ("  json.loads of their lines", "-", f"{json_s:.1f}", "1.0"),
    ]


def write_run(folder: Path, seconds: int, channels: Sequence[Channel], *, killed: bool = False) -> None:
    """Write the journals of a run at 1 Hz: its owner's and its sampler's.

    Args:
        folder: The run's folder.
        seconds: The run's length.
        channels: What is read.
        killed: Whether the owner died without a word, some days ago.
    """
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as root:
        machine = FakeMachine(Path(root))
        host = machine.host
        owner = JournalWriter(folder, host, Role.OWNER, channels, 1.0, {"name": "fit"})
        sampler = JournalWriter(folder, host, Role.SAMPLER, channels, 1.0, part="sampler")
        sensors = Sensors(channels)
        owner.readings(f.START, host.clock.mono_ns(), sensors.read(host.clock.mono_ns()))
        for _ in range(seconds):
            sampler.readings(f.TICK, host.clock.mono_ns(), sensors.read(host.clock.mono_ns()))
            machine.clock.advance(1 + sensors.noise.uniform(-0.003, 0.003))
        if killed:
            sampler.readings(f.ORPHAN, host.clock.mono_ns(), sensors.read(host.clock.mono_ns()))
        else:
            readings = sensors.read(host.clock.mono_ns())
            owner.readings(f.STOP, host.clock.mono_ns(), readings, state="completed", exit_code=0, error=None)
            owner.close()
        sampler.close()
    if killed:
        for path in folder.iterdir():
            os.utime(path, (time.time() - 86_400,) * 2)


class Sensors:
    """Noisy sensors: every channel near 100 W."""

    def __init__(self, channels: Sequence[Channel], seed: int = 1) -> None:
        self.noise = random.Random(seed)
        self._channels = channels
        self._energy_uj = [self.noise.randrange(10**11) for _ in channels]
        self._read_ns = 0

    def read(self, t_ns: int) -> list[Reading]:
        """Return a reading of each channel, some microseconds apart."""
        found: list[Reading] = []
        length_ns, self._read_ns = (t_ns - self._read_ns if self._read_ns else 0), t_ns
        for number, channel in enumerate(self._channels):
            power_mw = round(self.noise.gauss(100e3, 4e3))
            at_ns = t_ns + 4_000 * number + self.noise.randrange(1_000)
            if channel.kind is Kind.POWER:
                found.append(PowerReading(channel.id, at_ns, power_mw * UW_PER_MW))
                continue
            self._energy_uj[number] += power_mw * UJ_PER_MJ * length_ns // NS_PER_S
            energy_uj = self._energy_uj[number]
            found.append(CounterReading(channel.id, at_ns, energy_uj % (channel.wrap_uj or energy_uj + 1)))
        return found


def _channels() -> tuple[Channel, ...]:
    """Return two sockets with memory, as RAPL counts them, and eight GPUs, half of them without a counter."""
    cpu = [rapl(Component.CPU, f"package-{number}") for number in range(2)]
    memory = [rapl(Component.DRAM, f"dram-{number}") for number in range(2)]
    gpus = [gpu(number, Kind.COUNTER if number < 4 else Kind.POWER) for number in range(8)]
    return (*cpu, *memory, *gpus)


def rapl(component: Component, device: str) -> Channel:
    """Return a counter of RAPL."""
    return Channel(
        f"rapl:{device}", "rapl", component, Kind.COUNTER, Quality.MEASURED, device, "fake", "rapl_powercap", 0.05,
        2_000_000_000, update_s=0.001, wrap_uj=_RAPL_WRAP_UJ,
    )  # fmt: skip


def gpu(number: int, kind: Kind) -> Channel:
    """Return a GPU of NVIDIA's."""
    return Channel(
        f"nvml:GPU-{number}", "nvml", Component.GPU, kind, Quality.MEASURED, f"GPU-{number}", "fake", "nvml", 0.05,
        2_000_000_000, update_s=0.1, gpu_vendor="nvidia",
    )  # fmt: skip


def _json_s(folder: Path) -> float:
    """Return how long it takes only to read all lines as JSON, seconds."""
    began_s = time.perf_counter()
    for path in folder.rglob(f"*{f.SUFFIX}"):
        for line in path.read_bytes().splitlines():
            json.loads(line)
    return time.perf_counter() - began_s
