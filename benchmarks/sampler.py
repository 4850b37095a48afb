"""What the sampler's process takes at 1 Hz while the tracked program sleeps: CPU time and memory.

Memory is the proportional set size (PSS): pages that several processes map count in part. How many others map the
interpreter's pages is not ours to say, so the resident set is printed beside it: what it were if nobody did.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import counters
from benchmarks.table import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SETTLED_S = 3
SECONDS = 30

_PYTHON = "import sys, time, greenai\nwith greenai.track('benchmark'): time.sleep(float(sys.argv[1]))"
_CODECARBON = """
import sys, time
from codecarbon import OfflineEmissionsTracker
tracker = OfflineEmissionsTracker(
    country_iso_code="DEU", save_to_file=False, log_level="error", measure_power_secs=1)
tracker.start()
time.sleep(3)
began = time.process_time()
time.sleep(float(sys.argv[1]))
print(time.process_time() - began)
tracker.stop()
"""


def main() -> None:
    """Print CPU seconds per minute, and MiB."""
    slept = str(SETTLED_S + SECONDS + 2)
    programs = {
        "a C program under greenai run": ["-m", "greenai", "run", "--quiet", "--", "sleep", slept],
        "a Python program": ["-c", _PYTHON, slept],
    }
    rows = []
    with tempfile.TemporaryDirectory() as name:
        machines = {"": {}, ", with a GPU": counters.build(Path(name))}
        for machine, environ in machines.items():
            for program, arguments in programs.items():
                start_s, minute_s, pss_mib, rss_mib = _measure(arguments, environ)
                rows.append(
                    (program + machine, f"{minute_s:.4f}", f"{start_s:.3f}", f"{pss_mib:.1f}", f"{rss_mib:.1f}")
                )
    done = subprocess.run(
        [sys.executable, "-c", _CODECARBON, str(SECONDS)], check=True, capture_output=True, text=True
    )
    rows.append(("codecarbon at 1 Hz", f"{float(done.stdout) * 60 / SECONDS:.4f}", "-", "-", "-"))
    rows.append(("asked", "0.05", "-", "20", "-"))
    headings = ("tracked", "CPU s per minute", "CPU s to start", "PSS, MiB", "RSS, MiB")
    show(f"The sampler at 1 Hz, after {SECONDS} s", headings, rows)


def _measure(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[float, float, float, float]:
    """Return CPU seconds to start and per minute, and MiB, proportional and resident."""
    with tempfile.TemporaryDirectory() as spool:
        program = subprocess.Popen(
            [sys.executable, *arguments], env={**os.environ, **environ, "GREENAI_SPOOL": spool}
        )
        time.sleep(SETTLED_S)
        sampler = _sampler(spool)
        start_s = _cpu_s(sampler)
        time.sleep(SECONDS)
        minute_s = (_cpu_s(sampler) - start_s) * 60 / SECONDS
        sizes_kib = dict(line.split()[:2] for line in (sampler / "smaps_rollup").read_text().splitlines()[1:])
        program.wait()
    return start_s, minute_s, int(sizes_kib["Pss:"]) / 1024, int(sizes_kib["Rss:"]) / 1024


def _sampler(spool: str) -> Path:
    """Return the /proc folder of the sampler that writes into a spool. It is nobody's child."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            environ = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"greenai.sampler_process" in command[:5] and f"GREENAI_SPOOL={spool}".encode() in environ:
            return process
    sys.exit("benchmarks: no sampler process was found")


def _cpu_s(process: Path) -> float:
    # schedstat counts nanoseconds; ticks of 10 ms are too coarse here
    return int((process / "schedstat").read_text().split()[0]) / 1e9
