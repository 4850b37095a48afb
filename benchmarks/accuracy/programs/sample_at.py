"""The sampler's CPU time, beside a bare loop that reads the same counters: sample_at.py INTERVAL_S SECONDS."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from work import report, work  # type: ignore[import-not-found]

from greenai.core.vocabulary import Scope
from greenai.settings import load_settings
from greenai.tracking.session.sampling import SamplerChild

SETTLING_S = 2.0


def cpu_s(pid: int) -> float:
    """Return the CPU time of all threads, seconds (schedstat counts nanoseconds)."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def sampler_of(folder: Path) -> int:
    """Wait for the sampler's journal; its name ends with the process number."""
    while not (journals := list(folder.glob("*.jsonl"))):
        time.sleep(0.01)
    return int(journals[0].stem.rpartition("-")[2])


interval_s, seconds = float(sys.argv[1]), float(sys.argv[2])
work(0)
folder = Path("run")
folder.mkdir()
# Started as track() does, but for the interval: the settings take none below 50 ms.
settings = replace(load_settings({}), interval_s=interval_s)
child = SamplerChild(folder.absolute(), settings, Scope.MACHINE, service=False, plugins=None, died=print)
sampler = sampler_of(folder)
loop = subprocess.Popen([sys.executable, str(Path(__file__).with_name("bare_loop.py")), sys.argv[1]])
time.sleep(SETTLING_S)
before = [cpu_s(sampler), cpu_s(loop.pid)]
time.sleep(seconds)
after = [cpu_s(sampler), cpu_s(loop.pid)]
loop.kill()
loop.wait()
child.stop()
report(sampler_s=after[0] - before[0], loop_s=after[1] - before[1])
