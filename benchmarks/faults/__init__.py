"""Every fault really done: processes killed, disks filled, clocks moved; what was kept, and was that as asked?

``python -m benchmarks faults`` takes an hour and needs Linux and root: it mounts file systems, in a mount
namespace of its own. A sensor whose power is known (``plugin/``) gives the truth. Rule of all faults: at most one
sampling interval and 0.1 s of the program's energy may be missing.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from benchmarks.faults.catalogue import FAULTS
from benchmarks.faults.fault import Outcome
from benchmarks.faults.mounts import own_mounts
from benchmarks.faults.place import Place
from benchmarks.faults.tables import markdown, show_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.faults.fault import Fault

INTERVAL_S = 0.5


def main(arguments: Sequence[str] = ()) -> None:
    """Do the faults, print the table.

    Raises:
        SystemExit: Something was not as asked.
    """
    options = _options(arguments)
    chosen = [fault for fault in FAULTS if not options.only or any(part in fault.name for part in options.only)]
    if not chosen:
        sys.exit("faults: no fault is called like that")
    own_mounts()
    began_s = time.monotonic()
    tries = [
        (fault, number)
        for fault in chosen
        for number in range(fault.times if options.times is None else options.times)
    ]
    outcomes: dict[str, list[Outcome]] = {fault.name: [] for fault in chosen}

    def play(order: tuple[Fault, int]) -> None:
        fault, number = order
        outcome = once(fault, Random(f"{options.seed}/{fault.name}/{number}"))
        outcomes[fault.name].append(outcome)
        done = sum(map(len, outcomes.values()))
        print(f"  {done}/{len(tries)} {fault.name}: {'; '.join(outcome.complaints) or 'ok'}", file=sys.stderr)

    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(play, tries))
    minutes = (time.monotonic() - began_s) / 60
    show_all(chosen, outcomes)
    print(f"{len(tries)} tries in {minutes:.0f} min, seed {options.seed}, load average {os.getloadavg()[0]:.1f}\n")
    if options.write:
        Path(options.write).write_text(markdown(chosen, outcomes), encoding="utf-8")
    if any(outcome.complaints for found in outcomes.values() for outcome in found):
        sys.exit("faults: not everything was as asked")


def once(fault: Fault, random: Random, interval_s: float = INTERVAL_S) -> Outcome:
    """Do a fault once, in a place of its own; whatever goes wrong is a complaint."""
    with Place(interval_s) as place:
        try:
            return fault.play(place, random)
        except Exception as error:  # noqa: BLE001  # one that cannot be done is one that failed
            outcome = Outcome()
            outcome.ask(fulfilled=False, what=f"{type(error).__name__}: {error}")
            return outcome


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks faults", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="only faults with this in their name")
    parser.add_argument(
        "--times", type=int, metavar="N", help="tries of each fault (default: each its own number)"
    )
    parser.add_argument("--jobs", type=int, default=3, metavar="N", help="tries at a time (3)")
    parser.add_argument("--write", metavar="FILE", help="write the table as Markdown, e.g. to docs/faults.md")
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 1_000_000, metavar="N", help="of the random moments"
    )
    return parser.parse_args(arguments)
