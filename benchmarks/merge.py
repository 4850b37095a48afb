"""Merging the journals of a batch job on many nodes into the database: time, memory, size.

The journals are simulated. A few nodes are written reading by reading with noisy sensors; the others are theirs
under another name, for a thousand nodes' readings are 36 million lines.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.ingest import Sensors, gpu, rapl
from benchmarks.table import show
from greenai.core.channel import Component, Kind
from greenai.core.vocabulary import Role
from greenai.journal import format as f
from greenai.journal.writer import JournalWriter
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.channel import Channel

NODES = (100, 1_000)
HOURS = 10
# So many nodes have readings of their own.
_TEMPLATES = 8
_BYTES_PER_READING = 32
_WATCH_S = 0.1

_MERGE = """
import os, sys, time
from pathlib import Path
from greenai.ingest import ingest_folder
from greenai.settings import load_settings
from greenai.store import open_store
store = open_store(sys.argv[2])
began_s = time.perf_counter()
record = ingest_folder(store, load_settings(), Path(sys.argv[1]))
took_s = time.perf_counter() - began_s
store.close()
print(took_s, sum(os.times()[:4]), record.journal.lines)
"""


def main(arguments: Sequence[str] = ()) -> None:
    """Print seconds, memory and size for each number of nodes.

    Args:
        arguments: Numbers of nodes, by default ``NODES``.
    """
    rows = []
    for channels in (_cpus(), (*_cpus(), *_gpus())):
        for nodes in [int(argument) for argument in arguments] or NODES:
            with tempfile.TemporaryDirectory() as name:
                rows.append(_merged(Path(name), nodes, channels))
    headings = (
        "nodes",
        "h at 1 Hz",
        "channels each",
        "lines",
        "journals GB",
        "s",
        "CPU s",
        "peak RSS MiB",
        "database MB",
    )
    show(f"Merging a job of many nodes into SQLite, samples included ({os.cpu_count()} CPUs)", headings, rows)


def _merged(folder: Path, nodes: int, channels: Sequence[Channel]) -> Sequence[str]:
    run = folder / "run"
    needed = nodes * HOURS * 3600 * len(channels) * _BYTES_PER_READING * 2
    if shutil.disk_usage(folder).free < needed:
        return (f"{nodes:,}", str(HOURS), str(len(channels)), f"needs {needed / 1e9:.0f} GB on the disk", *"-----")
    write_job(run, nodes, HOURS * 3600, channels)
    database = folder / "greenai.db"
    merging = subprocess.Popen(
        [sys.executable, "-c", _MERGE, str(run), f"sqlite:///{database}"], stdout=subprocess.PIPE, text=True
    )
    watch = _Watch(merging.pid)
    said, _ = merging.communicate()
    watch.stop()
    seconds, cpu_s, lines = said.split()
    size = sum(path.stat().st_size for path in run.iterdir())
    return (
        f"{nodes:,}", str(HOURS), str(len(channels)), f"{int(lines):,}", f"{size / 1e9:.2f}",
        f"{float(seconds):.1f}", f"{float(cpu_s):.1f}", f"{watch.peak_bytes / 2**20:.0f}",
        f"{database.stat().st_size / 1e6:.0f}",
    )  # fmt: skip


def write_job(folder: Path, nodes: int, seconds: int, channels: Sequence[Channel]) -> None:
    """Write the journals of a job's collectors at 1 Hz.

    Args:
        folder: The run's folder.
        nodes: How many.
        seconds: The job's length.
        channels: What is read on each node.
    """
    folder.mkdir(parents=True)
    names = [f"node{number:04}" for number in range(nodes)]
    templates: list[tuple[dict[str, Any], bytes]] = []
    for number, name in enumerate(names):
        if number < _TEMPLATES:
            templates.append(_template(folder.parent, number, seconds, channels))
        first, rest = templates[number % _TEMPLATES]
        mine = [{**channel, "host": name} for channel in first["channels"]]
        meta = {**first["meta"], "nodes": names}
        line = json.dumps({**first, "host": name, "channels": mine, "meta": meta}, separators=(",", ":"))
        (folder / f"{name}-{4000 + number}{f.SUFFIX}").write_bytes(line.encode() + b"\n" + rest)


def _template(
    folder: Path, number: int, seconds: int, channels: Sequence[Channel]
) -> tuple[dict[str, Any], bytes]:
    """Return the first line of a node's journal, and the others."""
    with tempfile.TemporaryDirectory(dir=folder) as root:
        machine = FakeMachine(Path(root))
        host = machine.host
        machine.clock.advance(number * 0.1)
        meta = {"name": "job", "scope": "machine", "slurm": {"job_id": "17", "cluster": "simulated"}}
        journal = JournalWriter(Path(root), host, Role.NODE, channels, 1.0, meta)
        sensors = Sensors(channels, seed=number)
        journal.readings(f.START, host.clock.mono_ns(), sensors.read(host.clock.mono_ns()))
        for _ in range(seconds):
            machine.clock.advance(1 + sensors.noise.uniform(-0.003, 0.003))
            journal.readings(f.TICK, host.clock.mono_ns(), sensors.read(host.clock.mono_ns()))
        machine.clock.advance(0.5)
        last = sensors.read(host.clock.mono_ns())
        journal.readings(f.STOP, host.clock.mono_ns(), last, state="completed", exit_code=0, error=None)
        journal.close()
        first, _, rest = journal.path.read_bytes().partition(b"\n")
    return json.loads(first), rest


def _cpus() -> tuple[Channel, ...]:
    """Return two sockets with their memory, as RAPL counts them."""
    packages = [rapl(Component.CPU, f"package-{number}") for number in range(2)]
    return (*packages, *(rapl(Component.DRAM, f"dram-{number}") for number in range(2)))


def _gpus() -> tuple[Channel, ...]:
    """Return four GPUs with a counter."""
    return tuple(replace(gpu(number, Kind.COUNTER), max_power_uw=1_000_000_000) for number in range(4))


class _Watch:
    """Adds up the resident memory of a process and its children, every now and then."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_WATCH_S):
            self.peak_bytes = max(self.peak_bytes, self._now_bytes())

    def _now_bytes(self) -> int:
        total = 0
        try:
            for process in (self._process, *self._process.children(recursive=True)):
                total += process.memory_info().rss
        except psutil.Error:  # it has just ended
            return 0
        return total
