"""codecarbon, offline: every 15 s (its default), or with ``best`` every second and with RAPL's DRAM."""

from __future__ import annotations

import sys
from typing import Any

from codecarbon import OfflineEmissionsTracker
from work import report, work  # type: ignore[import-not-found]

J_PER_KWH = 3.6e6

best: dict[str, Any] = {"measure_power_secs": 1, "rapl_include_dram": True} if sys.argv[2] == "best" else {}
tracker = OfflineEmissionsTracker(country_iso_code="DEU", log_level="error", **best)
tracker.start()
work(float(sys.argv[1]))
tracker.stop()
data = tracker.final_emissions_data
report(
    cpu_j=data.cpu_energy * J_PER_KWH,
    dram_j=data.ram_energy * J_PER_KWH,
    gpu_j=data.gpu_energy * J_PER_KWH,
)
