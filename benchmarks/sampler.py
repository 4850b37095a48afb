"""What sampling at 1 Hz costs in CPU time, while the tracked program sleeps; against codecarbon at 1 Hz."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.table import show

SECONDS = 60

_GREENAI = """
import os, sys, time, pathlib
import greenai
def finer(pid):
    # schedstat counts nanoseconds; ticks of 10 ms are too coarse here
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
with greenai.track("benchmark") as run:
    time.sleep(3)
    children = pathlib.Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    sampler = int(children[0])
    start_up = finer(sampler)
    rss = int(pathlib.Path(f"/proc/{sampler}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    time.sleep(int(sys.argv[1]))
    print(start_up, finer(sampler) - start_up, rss)
"""
_CODECARBON = """
import sys, time
from codecarbon import OfflineEmissionsTracker
tracker = OfflineEmissionsTracker(
    country_iso_code="DEU", save_to_file=False, log_level="error", measure_power_secs=1)
tracker.start()
time.sleep(3)
began = time.process_time()
time.sleep(int(sys.argv[1]))
print(0, time.process_time() - began, 0)
tracker.stop()
"""


def main() -> None:
    """Print CPU seconds per minute at 1 Hz."""
    programs = [
        subprocess.Popen([sys.executable, "-c", code, str(SECONDS)], stdout=subprocess.PIPE, text=True)
        for code in (_GREENAI, _CODECARBON)
    ]
    ours, theirs = ([float(n) for n in program.communicate()[0].split()] for program in programs)
    rows = [
        ("greenai, steady", "0.05", f"{ours[1]:.4f}", f"{ours[2]:.0f} MiB"),
        ("greenai, starting up (once)", "-", f"{ours[0]:.4f}", "-"),
        ("codecarbon at 1 Hz, steady", "-", f"{theirs[1]:.4f}", f"ratio {theirs[1] / ours[1]:.0f} x"),
    ]
    show(f"Sampling at 1 Hz for {SECONDS} s", ("what", "asked", "CPU s", "note"), rows)
