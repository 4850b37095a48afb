"""Reads every sensor of the simulated machine for some seconds, with the times around each read."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pynvml
from work import report, work  # type: ignore[import-not-found]

if TYPE_CHECKING:
    from collections.abc import Callable

work(0)
pynvml.nvmlInit()
gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
zone = Path("/sys/class/powercap/intel-rapl:0/energy_uj")
rows: list[tuple[str, int, int, Any]] = []
end_ns = time.monotonic_ns() + int(float(sys.argv[1]) * 1e9)
sensors: dict[str, Callable[[], Any]] = {
    "zone_uj": lambda: int(zone.read_text()),
    "energy_mj": lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(gpu),
    "power_mw": lambda: pynvml.nvmlDeviceGetPowerUsage(gpu),
}
while time.monotonic_ns() < end_ns:
    for name, read in sensors.items():
        before_ns = time.monotonic_ns()
        value = read()
        rows.append((name, before_ns, time.monotonic_ns(), value))
    time.sleep(0.0037)
report(rows=rows)
