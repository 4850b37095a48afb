"""A program of its own: lets the power counters of the nodes grow by constant watts, for whoever has to be right.

``counters.py FOLDER=WATTS ...``: each folder gets ``powercap/intel-rapl:0`` and ``cray/pm_counters``. The numbers are
overwritten in place by a single write, 50 times a second, and always have the same length: nobody reads half of one.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

INTERVAL_S = 0.02
WRAP_UJ = 262_143_328_850
START_UJ = 100_000_000_000  # as long as any that follows up to the wrap


class Counters:
    """The counters of one node."""

    def __init__(self, folder: Path, watts: float) -> None:
        self._watts = watts
        zone = folder / "powercap" / "intel-rapl:0"
        cray = folder / "cray" / "pm_counters"
        for path in (zone, cray):
            path.mkdir(parents=True, exist_ok=True)
        (zone / "name").write_text("package-0\n")
        (zone / "max_energy_range_uj").write_text(f"{WRAP_UJ}\n")
        (zone / "enabled").write_text("1\n")
        self._zone = self._open(zone / "energy_uj")
        self._energy = self._open(cray / "energy")
        self._power = self._open(cray / "power")

    def write(self, elapsed_ns: int, now_us: int) -> None:
        """Say what has been used by now."""
        energy_uj = START_UJ + int(self._watts * elapsed_ns / 1_000)
        os.pwrite(self._zone, f"{energy_uj % WRAP_UJ}\n".ljust(13, "\n").encode(), 0)
        os.pwrite(self._energy, f"{energy_uj // 1_000_000} J {now_us} us\n".encode(), 0)
        os.pwrite(self._power, f"{round(self._watts)} W {now_us} us\n".encode(), 0)

    def _open(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT, 0o444)


def main(arguments: list[str]) -> None:
    """Write until killed."""
    os.nice(-10)  # a busy machine must not hold up the truth
    nodes = []
    for argument in arguments:
        folder, _, watts = argument.rpartition("=")
        nodes.append(Counters(Path(folder), float(watts)))
    start_ns = time.monotonic_ns()
    while True:
        for node in nodes:
            node.write(time.monotonic_ns() - start_ns, time.time_ns() // 1_000)
        time.sleep(INTERVAL_S)


if __name__ == "__main__":
    main(sys.argv[1:])
