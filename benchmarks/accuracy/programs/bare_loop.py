"""The least that Python can do: three kept-open counter files and one GPU counter each interval, nothing kept."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pynvml

interval_s = float(sys.argv[1])
paths = sorted(Path("/sys/class/powercap").glob("intel-rapl:*/energy_uj"))
files = [os.open(path, os.O_RDONLY) for path in paths]
pynvml.nvmlInit()
gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
beat_s = time.monotonic()
while True:
    values = [int(os.pread(file, 32, 0)) for file in files]
    values.append(pynvml.nvmlDeviceGetTotalEnergyConsumption(gpu))
    beat_s += interval_s
    time.sleep(max(beat_s - time.monotonic(), 0))
