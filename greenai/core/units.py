"""Conversions. Raw readings are integers in micro-units; computed values are floats in SI units."""

from __future__ import annotations

UJ_PER_J = 1_000_000
UJ_PER_MJ = 1_000  # millijoules, as NVML counts
UW_PER_W = 1_000_000
UW_PER_MW = 1_000  # milliwatts, as NVML reports
J_PER_KWH = 3_600_000.0
NS_PER_S = 1_000_000_000
NS_PER_HOUR = 3600 * NS_PER_S
NS_PER_MS = 1_000_000
BYTES_PER_GB = 1_000_000_000


def kwh(energy_j: float) -> float:
    """Convert joules to kilowatt-hours (1 kWh = 3.6e6 J)."""
    return energy_j / J_PER_KWH
