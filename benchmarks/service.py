"""A service of thirty days: what its journals and its rows take, and how long it takes to take it in at the end.

Some hours are written as the sampler and the meter write them, with a clock that obeys, and condensed as they
pass. The hours before them are theirs again with other figures: 26 million lines would take longer than they tell.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.ingest import Sensors
from benchmarks.table import show
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.served import ActivityMark, ExclusiveTimes
from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import Role
from greenai.ingest import ingest_folder
from greenai.journal import format as f
from greenai.journal.writer import JournalWriter
from greenai.settings import load_settings
from greenai.store import open_store
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Iterator

DAYS = 30
HOURS_WRITTEN = 3
REQUESTS_PER_S = 100
GAUGE_HZ = 10


def main() -> None:
    """Print megabytes and seconds."""
    with tempfile.TemporaryDirectory() as name:
        run, database = Path(name, "run"), Path(name, "greenai.db")
        raw_bytes, condense_s = _live(run, database)
        hours = _repeat_hours(run)
        began_s = time.perf_counter()
        _ingest(run, database)
        took_s = time.perf_counter() - began_s
        journals_mb = _megabytes(run)
        database_mb = sum(path.stat().st_size for path in Path(name).glob("greenai.db*")) / 1e6
    rows = [
        ("journals, MB", "-", f"{journals_mb:.1f}"),
        ("database, MB", "-", f"{database_mb:.1f}"),
        ("together, MB", "50", f"{journals_mb + database_mb:.1f}"),
        ("not condensed, MB (extrapolated)", "-", f"{raw_bytes / HOURS_WRITTEN * hours / 1e6:.0f}"),
        ("condensing an hour, s", "-", f"{condense_s:.2f}"),
        ("taking the run in at the end, s", "-", f"{took_s:.2f}"),
    ]
    show(
        f"A service of {hours / 24:.0f} days, {REQUESTS_PER_S} requests/s, 4 channels",
        ("what", "asked", "value"),
        rows,
    )


def _live(run: Path, database: Path) -> tuple[int, float]:
    """Write the last hours of a service and condense them; return bytes written, and seconds to condense one."""
    run.mkdir()
    written = 0
    times_s = []
    with tempfile.TemporaryDirectory() as root:
        service = _Service(run, FakeMachine(Path(root)))
        for _ in range(HOURS_WRITTEN):
            before = sum(path.stat().st_size for path in run.glob(f"*{f.SUFFIX}"))
            service.hour()
            written += sum(path.stat().st_size for path in run.glob(f"*{f.SUFFIX}")) - before
            began_s = time.perf_counter()
            _ingest(run, database)
            times_s.append(time.perf_counter() - began_s)
    return written, max(times_s)


class _Service:
    """Writes what sampler and meter of a service write."""

    def __init__(self, run: Path, machine: FakeMachine) -> None:
        self._machine, self._host = machine, machine.host
        channels = _channels()
        self._sensors = Sensors(channels)
        self._dice = random.Random(1)
        meta = {"name": "bot", "service": True, "unit": "request"}
        owner = JournalWriter(run, self._host, Role.OWNER, channels, 1.0, meta)
        owner.readings(f.START, self._host.clock.mono_ns(), self._sensors.read(self._host.clock.mono_ns()))
        self._sampler = JournalWriter(run, self._host, Role.SAMPLER, channels, 1.0, part="sampler")
        self._meter = JournalWriter(run, self._host, Role.MEMBER, channels, 1.0, {"unit": "request"}, part="meter")
        self._busy_ns = self._count = 0
        self._times = ExclusiveTimes(0, 0)

    def hour(self) -> None:
        """Live for an hour."""
        for second in range(3600):
            for beat in range(GAUGE_HZ):
                self._machine.clock.advance(1 / GAUGE_HZ)
                t_ns = self._host.clock.mono_ns()
                readings = self._sensors.read(t_ns)
                self._sampler.readings(f.TICK, t_ns, readings if beat == 0 else readings[-1:])
            self._serve(self._host.clock.mono_ns())
            if second % 60 == 59:
                self._minute(self._host.clock.mono_ns())
        for journal in (self._sampler, self._meter):
            journal.rotate()

    def _serve(self, t_ns: int) -> None:
        for _ in range(REQUESTS_PER_S):
            exclusive_s = self._dice.expovariate(200)
            self._busy_ns += int(exclusive_s * NS_PER_S)
            self._times.per_request.add(exclusive_s)
            self._times.per_unit.add(exclusive_s)
        self._count += REQUESTS_PER_S
        mark = ActivityMark(
            t_ns, self._busy_ns, self._busy_ns, self._count, 0, self._count, None, t_ns - NS_PER_S, t_ns
        )
        self._meter.event(f.REQUESTS, **mark.to_json())

    def _minute(self, t_ns: int) -> None:
        times = ExclusiveTimes(t_ns - 60 * NS_PER_S, t_ns, self._times.per_request, self._times.per_unit)
        self._meter.event(f.SHARES, **times.to_json())
        self._times = ExclusiveTimes(t_ns, t_ns)


def _repeat_hours(run: Path) -> int:
    """Put as many hours before those of a run as thirty days have; return how many there are."""
    (path,) = run.glob(f"*-{f.HOURS}{f.SUFFIX}")
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    whole = [line for line in lines if line["k"] == f.HOUR]
    earlier = list(_earlier(whole[-1], whole[0]["t0_ns"], DAYS * 24 - len(whole)))
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines + earlier))
    for journal in run.glob(f"*{f.SUFFIX}"):  # the run began so much earlier
        _begin_earlier(journal, earlier[-1]["t0_ns"])
    return DAYS * 24


def _earlier(hour: dict[str, Any], end_ns: int, count: int) -> Iterator[dict[str, Any]]:
    dice = random.Random(2)
    length_ns = hour["t"] - hour["t0_ns"]
    for number in range(1, count + 1):
        channels = {
            name: {**channel, "machine": [[int(uj * dice.uniform(0.8, 1.2)), ns] for uj, ns in channel["machine"]]}
            for name, channel in hour["channels"].items()
        }
        t1_ns = end_ns - (number - 1) * length_ns
        yield {
            **hour,
            "number": hour["number"] - number,
            "t": t1_ns,
            "t0_ns": t1_ns - length_ns,
            "channels": channels,
        }


def _begin_earlier(journal: Path, start_ns: int) -> None:
    """Move the start mark of a run."""
    lines = [json.loads(line) for line in journal.read_bytes().splitlines()]
    for line in lines:
        if line["k"] == f.START:
            line["t"] = start_ns
    journal.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


def _ingest(run: Path, database: Path) -> None:
    with closing(open_store(f"sqlite:///{database}")) as store:
        ingest_folder(store, load_settings(), run)


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _channels() -> tuple[Channel, ...]:
    """Return a socket with its memory, a GPU with a counter and one without."""
    named = [
        ("rapl:package-0", Component.CPU, Kind.COUNTER), ("rapl:dram-0", Component.DRAM, Kind.COUNTER),
        ("nvml:GPU-0", Component.GPU, Kind.COUNTER), ("nvml:GPU-1", Component.GPU, Kind.POWER),
    ]  # fmt: skip
    return tuple(
        Channel(
            name, name.partition(":")[0], component, kind, Quality.MEASURED, name.partition(":")[2], "fake", "m",
            0.05, 2_000_000_000, update_s=0.2 if kind is Kind.POWER else None,
        )
        for name, component, kind in named
    )  # fmt: skip
