"""zeus: one window, without torch to synchronise; with ``best`` short windows are approximated by power."""

from __future__ import annotations

import sys

from work import report, work  # type: ignore[import-not-found]
from zeus.monitor import ZeusMonitor  # type: ignore[import-not-found,unused-ignore]

if __name__ == "__main__":  # its processes import this file again
    monitor = ZeusMonitor(approx_instant_energy=sys.argv[2] == "best")
    monitor.begin_window("work", sync_execution=False)
    work(float(sys.argv[1]))
    found = monitor.end_window("work", sync_execution=False)
    report(
        cpu_j=sum(found.cpu_energy.values()) if found.cpu_energy else None,
        dram_j=sum(found.dram_energy.values()) if found.dram_energy else None,
        gpu_j=sum(found.gpu_energy.values()) if found.gpu_energy else None,
    )
