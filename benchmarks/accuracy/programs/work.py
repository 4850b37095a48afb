"""The tracked work: it writes down when it began and ended, and sleeps in between. Standard library only."""

from __future__ import annotations

import json
import mmap
import os
import struct
import time
from pathlib import Path
from typing import Any

with Path(os.environ["SIMULATED_WORK"]).open("r+b") as _file:
    _window = mmap.mmap(_file.fileno(), 16)


def work(seconds: float) -> None:
    """Be the work; call it right after the tool was started and right before it is stopped."""
    begin_ns = time.monotonic_ns()
    struct.pack_into("q", _window, 0, begin_ns)
    while (left_s := seconds - (time.monotonic_ns() - begin_ns) / 1e9) > 0:
        time.sleep(left_s)
    struct.pack_into("q", _window, 8, time.monotonic_ns())


def report(**figures: Any) -> None:
    """Write what the tool says: ``cpu_j``, ``dram_j``, ``gpu_j``; None is "unknown"."""
    Path(os.environ["SIMULATED_RESULT"]).write_text(json.dumps(figures))
