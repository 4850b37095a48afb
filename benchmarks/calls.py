"""Starting and stopping a run, and marking a window, in the caller; against codecarbon and against bare reads."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import counters
from benchmarks.table import show

if TYPE_CHECKING:
    from collections.abc import Mapping

_GREENAI = """
import sys, time
import greenai
tracker = greenai.track("benchmark")
starts, stops = [], []
for _ in range(int(sys.argv[1])):
    a = time.perf_counter(); run = tracker.__enter__(); b = time.perf_counter()
    with run.window("w"): pass
    c = time.perf_counter(); tracker.__exit__(None, None, None); d = time.perf_counter()
    starts.append(b - a); stops.append(d - c)
    time.sleep(0.3)
print(starts[0] * 1000, sorted(starts)[len(starts) // 2] * 1000, max(stops) * 1000,
      sorted(stops)[len(stops) // 2] * 1000)
"""
_CODECARBON = """
import time
from codecarbon import OfflineEmissionsTracker
a = time.perf_counter()
tracker = OfflineEmissionsTracker(country_iso_code="DEU", save_to_file=False, log_level="error")
tracker.start(); b = time.perf_counter(); tracker.stop(); c = time.perf_counter()
print((b - a) * 1000, (c - b) * 1000)
"""
# Twice: each file once, the GPU's counter once, one line of the same length into a file.
_WINDOWS = """
import os, sys, time
import greenai
from greenai.host import this_host
from greenai.sampler import open_sensors

def microseconds(what):
    took = []
    for _ in range(2000):
        a = time.perf_counter_ns(); what(); took.append(time.perf_counter_ns() - a)
    return sorted(took)[1000] / 1000

def window():
    with run.window("w"):
        pass

def bare():
    for _ in range(2):
        for file in files:
            os.pread(file, 128, 0)
        for gpu in gpus:
            pynvml.nvmlDeviceGetTotalEnergyConsumption(gpu)
        os.write(journal, line)

sensors = open_sensors(this_host(), slow=False)
files = [os.open(path, os.O_RDONLY) for path in sensors.sources.values() if path.startswith("/")]
gpus = []
if len(files) < len(sensors.channels):
    import pynvml
    pynvml.nvmlInit()
    gpus = [pynvml.nvmlDeviceGetHandleByIndex(0)]
sensors.close()
journal, line = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND), b"x" * 159 + b"\\n"
with greenai.track("benchmark") as run:
    time.sleep(1)
    print(microseconds(window), microseconds(bare))
"""


def main() -> None:
    """Print milliseconds, and microseconds of a window, in the caller."""
    ours = [_run(_GREENAI, "20") for _ in range(5)]
    first, warm, worst_stop, stop = (median(values) for values in zip(*ours, strict=True))
    start_cc, stop_cc = (median(values) for values in zip(*[_run(_CODECARBON) for _ in range(5)], strict=True))
    rows = [
        ("start, first in the process", "10", f"{first:.1f}", f"{start_cc:.0f}", f"{start_cc / first:.0f} x"),
        ("start, later ones (median)", "10", f"{warm:.1f}", "-", "-"),
        ("stop (median)", "20", f"{stop:.2f}", f"{stop_cc:.0f}", f"{stop_cc / stop:.0f} x"),
        ("stop (worst of 20)", "20", f"{worst_stop:.1f}", "-", "-"),
    ]
    show("In the caller, ms (5 processes of 20 runs)", ("what", "asked", "greenai", "codecarbon", "ratio"), rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = counters.build(folder)
        windows = [
            _window_row("this machine's sensors", _WINDOWS, folder / "bare.1", {}),
            _window_row("3 energy_uj files, 1 GPU", counters.THERE + _WINDOWS, folder / "bare.2", environ),
        ]
    show(
        "One window (two marks), us (best median of 5 processes of 2,000)",
        ("sensors", "asked", "greenai", "bare reads and writes", "ratio"),
        windows,
    )


def _window_row(name: str, code: str, file: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    window_us, bare_us = min(_run(code, str(file), **environ) for _ in range(5))
    return name, "40", f"{window_us:.0f}", f"{bare_us:.0f}", f"{window_us / bare_us:.1f}"


def _run(code: str, *arguments: str, **environ: str) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True, capture_output=True, text=True, env={**os.environ, **environ},
    )  # fmt: skip
    return [float(number) for number in done.stdout.split()]
