"""The nodes of a run on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.reading import CounterReading, Gap
from greenai.core.vocabulary import Role
from greenai.journal import format as f
from greenai.journal.writer import JournalWriter
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from pathlib import Path


def test_a_node_with_a_gpu_that_nothing_is_known_of_is_a_lower_bound(
    journals: Any, cli: Any, tmp_path: Path
) -> None:
    folder = journals.spool / "aaaa0001"
    folder.mkdir(parents=True)
    machine = FakeMachine(tmp_path / "machine")
    cpu = Channel(
        "rapl:0", "rapl", Component.CPU, Kind.COUNTER, Quality.MEASURED, "cpu", "fake", "m", 0.05, 10**10
    )
    gpu = Channel(
        "nvml:0", "nvml", Component.GPU, Kind.COUNTER, Quality.MEASURED, "gpu", "fake", "m", 0.05, 10**10
    )
    meta = {"name": "job", "nodes": ["fake", "n2"], "node": "fake"}
    journal = JournalWriter(folder, machine.host, Role.NODE, [cpu, gpu], 1.0, meta)
    last_word: dict[str, Any] = {"state": "completed", "exit_code": 0, "error": None}
    for kind, extra in ((f.START, dict[str, Any]()), (f.STOP, last_word)):
        t_ns = machine.clock.mono_ns()
        energy_uj = (t_ns - 1_000_000_000_000) // 10
        journal.readings(
            kind, t_ns, [CounterReading("rapl:0", t_ns, energy_uj), Gap("nvml:0", t_ns, "lost")], **extra
        )
        machine.clock.advance(60.0)
    journal.close()
    lines = cli("runs", "show", "latest").out.splitlines()
    assert [line.split()[0] for line in lines if "≥" in line] == ["fake"]
