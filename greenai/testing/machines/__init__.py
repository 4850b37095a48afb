"""Whole machines, by sensor family: each module builds those that a collector must cope with.

``MACHINES`` names them all, ``family/machine``; a builder takes an empty folder and returns a ``FakeMachine``. The
docstring of each module names the sources of its layouts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.testing.machines import (
    amd_gpu,
    apple,
    cray,
    estimates,
    grace,
    hwmon,
    intel_gpu,
    ipmi,
    jetson,
    nvidia,
    rapl,
    redfish,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from greenai.testing.machine import FakeMachine

_FAMILIES = (amd_gpu, apple, cray, estimates, grace, hwmon, intel_gpu, ipmi, jetson, nvidia, rapl, redfish)

MACHINES: dict[str, Callable[[Path], FakeMachine]] = {
    f"{family.__name__.rpartition('.')[2]}/{name}": build
    for family in _FAMILIES
    for name, build in family.MACHINES.items()
}
