"""carbontracker: one epoch, every second (its default), or with ``best`` each 0.1 s. Energies without its PUE."""

from __future__ import annotations

import sys

from carbontracker.tracker import CarbonTracker  # type: ignore[import-not-found,unused-ignore]
from work import report, work  # type: ignore[import-not-found]

J_PER_KWH = 3.6e6

tracker = CarbonTracker(epochs=1, update_interval=0.1 if sys.argv[2] == "best" else 1)
thread = tracker.tracker  # with the last epoch the tracker forgets it, and what was measured
tracker.epoch_start()
work(float(sys.argv[1]))
tracker.epoch_end()
energies = {
    component.name: float(sum(component.energy_usage(thread.epoch_times))) * J_PER_KWH
    for component in thread.components
}
report(cpu_j=energies.get("cpu"), dram_j=None, gpu_j=energies.get("gpu"))
