"""Is the laboratory right? Every sensor is read for some seconds and held against the curves' own arithmetic."""

from __future__ import annotations

import json
import sys
from random import Random
from typing import TYPE_CHECKING

from benchmarks.accuracy.curves import bursts, square
from benchmarks.accuracy.lab import PROGRAMS, run_on
from benchmarks.accuracy.machines import UNIT_UJ, Gpu, Machine, Zone

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.accuracy.machines import Simulation

SECONDS = 3.0
_TOLERANCE = {"zone_uj": UNIT_UJ + 1, "energy_mj": 1.0, "power_mw": 1.0}


def main(seed: int) -> None:
    """Print how many reads show what the sensor must show at that moment.

    Raises:
        SystemExit: A sensor is wrong; its figures would be worth nothing.
    """
    random = Random(f"{seed}/check")
    machine = Machine(
        (Zone("0", "package-0", square(40, 180, 0.2, 0.73, random), range_uj=1e8),),
        (Gpu(bursts(60, 400, random)),),
    )
    ran = run_on(machine, random, [sys.executable, str(PROGRAMS / "read_sensors.py"), repr(SECONDS)], SECONDS)
    if ran.result is None:
        sys.exit(f"accuracy: the simulated machine does not run: {ran.complaint}")
    rows = json.loads(ran.result)["rows"]
    expected = _sensors(ran.simulation)
    wrong = [row for row in rows if not _right(expected[row[0]], row)]
    renewals = len({value for name, _, _, value in rows if name == "energy_mj"})
    print(f"check: {len(rows)} reads in {SECONDS:g} s, {renewals} states of the GPU counter, {len(wrong)} wrong\n")
    if wrong:
        sys.exit(f"accuracy: the simulated sensors are wrong, first: {wrong[0]}")


def _sensors(simulation: Simulation) -> dict[str, Callable[[int], float]]:
    return {
        "zone_uj": lambda t_ns: simulation.zone_uj(0, t_ns),
        "energy_mj": lambda t_ns: simulation.energy_counter_j(0, t_ns) * 1e3,
        "power_mw": lambda t_ns: simulation.power_w(0, t_ns) * 1e3,
    }


def _right(sensor: Callable[[int], float], row: tuple[str, int, int, float]) -> bool:
    """Whether the value is a state of the sensor during the read (it may be renewed meanwhile)."""
    name, before_ns, after_ns, value = row
    states = [sensor(t_ns) for t_ns in range(before_ns, after_ns, 500_000)] + [sensor(after_ns)]
    return any(abs(value - state) <= _TOLERANCE[name] for state in states)
