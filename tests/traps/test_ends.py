"""How runs end on real machines: signals, the time limit, no memory, broken sensors. As real processes."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from greenai.core.record import RunRecord

    Start = Callable[..., subprocess.Popen[str]]
    Records = Callable[..., list[RunRecord]]
    Until = Callable[[Callable[[], object]], None]
    Ready = Callable[[subprocess.Popen[str]], subprocess.Popen[str]]

pytestmark = pytest.mark.slow  # real processes, killed for real

WRAPPER = (sys.executable, "-m", "greenai", "run", "--quiet", "--")
BUSY = "import greenai, time\nwith greenai.track('busy', interval_s=0.1):\n    print('ready', flush=True)\n    time.sleep(60)\n"
PLAIN = "import time\nprint('ready', flush=True)\ntime.sleep(60)\n"


@pytest.fixture
def ready(tmp_path: Path, until: Until) -> Callable[[subprocess.Popen[str]], subprocess.Popen[str]]:
    """Wait until a program works and has been sampled for a while."""

    def beats() -> int:
        return sum(file.read_bytes().count(b'"k":"tick"') for file in (tmp_path / "spool").glob("*/*.jsonl"))

    def wait(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        until(lambda: beats() >= 4)
        return process

    return wait


def energetic(record: RunRecord) -> bool:
    return record.energy_j is not None and record.energy_j > 0 and record.duration_s >= 0.2


def test_sigterm_loses_everything(start: Start, ready: Ready, until: Until, records: Records) -> None:
    """codecarbon: no CSV after SIGTERM or SIGKILL; zeus, perun: the open window, or all of it."""
    process = ready(start(BUSY))
    process.terminate()
    assert process.wait(timeout=10) == -signal.SIGTERM  # the program's own way to die is untouched
    until(lambda: records()[0].state is RunState.KILLED)
    assert energetic(records()[0])


def test_the_time_limit_loses_everything(start: Start, ready: Ready, records: Records) -> None:
    """Slurm ends all processes of the job alike: SIGTERM, then SIGKILL. What the sampler wrote is on disk."""
    process = ready(start(BUSY))
    os.killpg(process.pid, signal.SIGTERM)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
    (record,) = records(time.time() + 60)
    assert record.state in (RunState.LOST, RunState.KILLED)
    assert energetic(record)
    assert record.journal.bad_lines == 0


@pytest.mark.parametrize("deaf", [False, True], ids=["ends at SIGTERM", "has to be killed"])
def test_the_time_limit_of_a_wrapped_command(
    start: Start, ready: Ready, until: Until, records: Records, deaf: bool
) -> None:
    """The same by ``greenai run``: its own SIGTERM must not end it before the command's end is written down."""
    source = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{PLAIN}" if deaf else PLAIN
    process = ready(start(source, *WRAPPER, env={**os.environ, "GREENAI_INTERVAL_S": "0.1"}))
    os.killpg(process.pid, signal.SIGTERM)
    if deaf:
        time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    code = process.wait(timeout=10)
    assert code == (-signal.SIGKILL if deaf else 128 + signal.SIGTERM)
    until(lambda: records()[0].state is RunState.KILLED)  # of its own or, if it was killed, by the sampler's word
    (record,) = records()
    assert energetic(record)


@contextmanager
def memory_group(limit_bytes: int) -> Iterator[Path]:
    """A control group with so much memory (version 1 or 2); the test is skipped where none can be made."""
    one, two = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    group = (one if one.is_dir() else two) / f"greenai-trap-{os.getpid()}"
    limits = (
        ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
        if one.is_dir()
        else ["memory.max", "memory.swap.max"]
    )
    try:
        group.mkdir()
        (group / limits[0]).write_text(str(limit_bytes))
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        pytest.skip(f"no control group for memory can be made here: {error}")
    try:
        if (group / limits[1]).exists():
            (group / limits[1]).write_text(str(limit_bytes) if one.is_dir() else "0")
        yield group
    finally:
        for _ in range(100):
            try:
                group.rmdir()
                break
            except OSError:
                time.sleep(0.05)


def test_out_of_memory_loses_everything(start: Start, ready: Ready, records: Records) -> None:
    """The kernel's OOM killer takes the largest process: the training. Exit code, energy and state stay."""
    hog = "import time\nprint('ready', flush=True)\ntime.sleep(1)\nblocks = []\nwhile True: blocks.append(b'x' * 1_000_000)\n"
    with memory_group(200_000_000) as group:
        enter = ("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh")
        process = ready(start(hog, *enter, *WRAPPER, env={**os.environ, "GREENAI_INTERVAL_S": "0.1"}))
        assert process.wait(timeout=30) == 128 + signal.SIGKILL
    (record,) = records()
    assert (record.state, record.exit_code) == (RunState.KILLED, 137)
    assert energetic(record)


def test_the_lock_of_a_killed_run_keeps_the_next_one_from_starting(
    start: Start, ready: Ready, until: Until, records: Records
) -> None:
    """codecarbon#562, #681, #702: the lock file outlives the crash, and the next run measures nothing."""
    process = ready(start(BUSY))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
    (killed,) = records()
    stale = {**os.environ, "GREENAI_RUN_ID": killed.id}  # as in a shell or notebook that had it exported
    again = start(BUSY.replace("60", "0.3"), env=stale)
    assert again.communicate(timeout=20) == ("ready\n", "")
    second = records()[-1]
    assert second.id != killed.id
    assert second.state is RunState.COMPLETED
    assert energetic(second)


# --- sensors of others that break; the tracked program must not notice

PLUGIN = """
import time
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Available

class Broken:
    name = "broken"
    slow = {slow}
    verified_on = None
    def __init__(self, host):
        self._host = host
    def probe(self):
        return Available((Channel(
            id="broken:0", collector="broken", component=Component.GPU, kind=Kind.COUNTER, quality=Quality.MEASURED,
            device="broken", host=self._host.name, method="broken", uncertainty_rel=0.1, max_power_uw=10**9,
        ),))
    def open(self, channels):
        pass
    def read(self):
        {read}
    def close(self):
        {read}
"""


@pytest.mark.parametrize("wrapped", [False, True], ids=["track", "greenai run"])
@pytest.mark.parametrize(
    ("slow", "read"),
    [
        (False, "raise RuntimeError('sensor')"),
        (False, "raise SystemExit(3)"),
        (False, "return None"),
        (True, "time.sleep(600)"),
    ],
    ids=["raises", "exits", "returns nonsense", "hangs"],
)
def test_a_broken_sensor_ends_the_training_or_keeps_it_from_ending(
    start: Start, records: Records, tmp_path: Path, wrapped: bool, slow: bool, read: str
) -> None:
    """carbontracker: ``os._exit(70)``; codecarbon#305: after an exception the job does not end, for three days."""
    plugin = tmp_path / "plugin"
    (plugin / "broken-1.dist-info").mkdir(parents=True)
    (plugin / "broken.py").write_text(PLUGIN.format(slow=slow, read=read))
    (plugin / "broken-1.dist-info/entry_points.txt").write_text("[greenai.collectors]\nbroken = broken:Broken\n")
    body = "import time, greenai\ntime.sleep(0.4)\nraise ValueError('mine')\n"
    source = body if wrapped else f"import greenai\nwith greenai.track('x', interval_s=0.1):\n exec({body!r})\n"
    environ = {**os.environ, "PYTHONPATH": str(plugin), "GREENAI_INTERVAL_S": "0.1"}
    began_s = time.monotonic()
    process = start(source, *(WRAPPER if wrapped else ()), env=environ)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err.rstrip().endswith("ValueError: mine")
    assert time.monotonic() - began_s < 8
    (record,) = records()
    assert record.state is RunState.FAILED
    assert record.energy_j is not None
    assert [row.energy_j for row in record.energy.channels if row.id == "broken:0"] == [None]


def test_a_working_directory_that_is_read_only(start: Start, records: Records, tmp_path: Path) -> None:
    """codecarbon writes ``emissions.csv`` and a lock there, perun its results: neither can, nor may we want to."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    unshare = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-Urm"]
    mount = f'mount -t tmpfs -o ro tmpfs {folder} && cd {folder} && ! touch x 2>/dev/null && exec "$@"'
    process = start(BUSY.replace("60", "0.3"), *unshare, "sh", "-c", mount, "sh")
    assert process.communicate(timeout=20) == ("ready\n", "")
    assert process.returncode == 0
    assert energetic(records()[0])


RANK = """
import greenai, os, sys, time
with greenai.track("rank") as run:
    time.sleep(0.5)
    run.add_units(1)
"""
LAUNCHER = """
import greenai, os, subprocess, sys, time
rank = [sys.executable, sys.argv[0].replace("program-0", "rank")]
there = ["unshare", "-u" if os.getuid() == 0 else "-Uru", "sh", "-c", 'hostname n2; exec "$@"', "sh"]
with greenai.track("job", interval_s=0.2) as run:
    ranks = [subprocess.Popen([*place, *rank]) for place in ([], there) for _ in range(4)]
    codes = [rank.wait() for rank in ranks]
    time.sleep(0.3)
print(*codes)
"""


def test_eight_ranks_on_two_nodes_write_eight_files(start: Start, records: Records, tmp_path: Path) -> None:
    """codecarbon#544: "8 processes, 8 CSVs", and nobody knows whether to add them. One run, each node's CPU once."""
    (tmp_path / "rank.py").write_text(RANK)
    process = start(LAUNCHER)
    assert process.communicate(timeout=60) == ("0 0 0 0 0 0 0 0\n", "")
    (record,) = records()
    assert len(record.hosts) == 2
    assert [window.name for window in record.windows] == ["rank"] * 8
    assert record.work.units == 8
    counted = [(row.host, row.component) for row in record.energy.channels if row.counted]
    assert len(counted) == len(set(counted))
    assert {host for host, _ in counted} == set(record.hosts)
