"""What ``InferenceMeter`` costs a request: the same function with and without it, taking turns in one process."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.table import show

CALLS = 10_000
# Medians beyond a 1 ms function, measured on a quiet machine of the same kind, each with its own bare function.
PEERS_US = {"zeus window": 49, "codecarbon start_task/stop_task": 513}

_CODE = """
import resource, sys, time
import greenai

meter = greenai.InferenceMeter("benchmark")
clock = time.perf_counter_ns

def work():
    total = 0
    for i in range(steps):
        total += i
    return total

steps = 1000
def once():
    began = clock(); work(); return clock() - began
for _ in range(200): once()
steps = int(steps * 1e6 / min(once() for _ in range(200)))

@meter
def metered():
    return work()

@meter
def nothing():
    pass

def bare_nothing():
    pass

def timed(function):
    began = clock()
    function()
    return clock() - began

bare, beyond = [], []
for _ in range(int(sys.argv[1])):
    bare.append(timed(work))
    beyond.append(timed(metered) - bare[-1])
bare.sort(); beyond.sort()
half, tenth = len(bare) // 2, len(bare) // 10
middle = beyond[tenth:-tenth]
began = clock()
for _ in range(100_000): bare_nothing()
between = clock()
for _ in range(100_000): nothing()
busy_us = ((clock() - between) - (between - began)) / 1e8
before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(300_000): nothing()
grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
path = meter.books._journal.path
size, began = path.stat().st_size, time.monotonic()
while time.monotonic() - began < 5:
    nothing(); time.sleep(0.01)
per_hour_mb = (path.stat().st_size - size) / 5 * 3600 / 1e6
meter.close()
print(bare[half] / 1e3, beyond[half] / 1e3, sum(middle) / len(middle) / 1e3, busy_us, grown_kib, per_hour_mb)
"""


def main() -> None:
    """Print microseconds of a call, memory and the journal's growth."""
    command = [sys.executable, "-c", _CODE, str(CALLS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    bare_us, median_us, mean_us, empty_us, grown_kib, per_hour_mb = map(float, done.stdout.split())
    rows = [
        (what, "10", f"{bare_us:.0f}", f"{us:.1f}", f"{1 + us / bare_us:.4f}")
        for what, us in (
            ("median of the differences", median_us),
            ("their mean without the outer tenths", mean_us),
        )
    ]
    title = f"A function of 1 ms, {CALLS:,} calls with and without the meter in turns, us"
    show(title, ("what", "asked", "bare", "beyond", "ratio"), rows)
    peers = [(name, str(us), f"{us / median_us:.0f} x") for name, us in PEERS_US.items()]
    show("Peers beyond a 1 ms function, us (measured apart)", ("what", "us", "of ours"), peers)
    more = [
        ("an empty function, back to back, us beyond (mean)", "10", f"{empty_us:.1f}"),
        ("memory grown in 300,000 requests, KiB", "0", f"{grown_kib:.0f}"),
        ("journal at 100 requests/s, before condensing, MB/h", "-", f"{per_hour_mb:.1f}"),
    ]
    show("The meter otherwise", ("what", "asked", "measured"), more)
