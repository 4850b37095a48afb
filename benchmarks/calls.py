"""Starting and stopping a run, and marking a window, in the caller; against codecarbon in its fastest setting."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from benchmarks.table import show

_GREENAI = """
import sys, time
import greenai
tracker = greenai.track("benchmark")
starts, stops, windows = [], [], []
for _ in range(int(sys.argv[1])):
    a = time.perf_counter(); run = tracker.__enter__(); b = time.perf_counter()
    w = time.perf_counter()
    with run.window("w"): pass
    windows.append(time.perf_counter() - w)
    c = time.perf_counter(); tracker.__exit__(None, None, None); d = time.perf_counter()
    starts.append(b - a); stops.append(d - c)
    time.sleep(0.3)
print(starts[0] * 1000, sorted(starts)[len(starts) // 2] * 1000, max(stops) * 1000,
      sorted(stops)[len(stops) // 2] * 1000, sorted(windows)[len(windows) // 2] * 1000)
"""
_CODECARBON = """
import time
from codecarbon import OfflineEmissionsTracker
a = time.perf_counter()
tracker = OfflineEmissionsTracker(country_iso_code="DEU", save_to_file=False, log_level="error")
tracker.start(); b = time.perf_counter(); tracker.stop(); c = time.perf_counter()
print((b - a) * 1000, (c - b) * 1000)
"""


def main() -> None:
    """Print milliseconds in the caller."""
    ours = [_run(_GREENAI, "20") for _ in range(5)]
    first, warm, worst_stop, stop, window = (median(values) for values in zip(*ours, strict=True))
    start_cc, stop_cc = (median(values) for values in zip(*[_run(_CODECARBON) for _ in range(5)], strict=True))
    rows = [
        ("start, first in the process", "10", f"{first:.1f}", f"{start_cc:.0f}", f"{start_cc / first:.0f} x"),
        ("start, later ones (median)", "10", f"{warm:.1f}", "-", "-"),
        ("stop (median)", "20", f"{stop:.2f}", f"{stop_cc:.0f}", f"{stop_cc / stop:.0f} x"),
        ("stop (worst of 20)", "20", f"{worst_stop:.1f}", "-", "-"),
        ("one window, begin and end", "-", f"{window:.2f}", "-", "-"),
    ]
    show("In the caller, ms (5 processes of 20 runs)", ("what", "asked", "greenai", "codecarbon", "ratio"), rows)


def _run(code: str, *arguments: str) -> list[float]:
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    return [float(number) for number in done.stdout.split()]
