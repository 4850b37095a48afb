"""Damage to the journals themselves: cut at every byte, bytes flipped, lines of a newer version."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.plugin.constant_power import POWER_W
from benchmarks.faults.programs import tracked
from greenai.core.account import account
from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import RunState
from greenai.journal.reader import read_run

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from benchmarks.faults.place import Place
    from greenai.core.record import RunRecord

_STATES = (RunState.COMPLETED, RunState.LOST, RunState.KILLED, RunState.FAILED)
_BODY = """
with run.window("w"):
    time.sleep(0.3)
run.add_units(2)
run.log_metric("accuracy", 0.9)
time.sleep(0.5)
"""
FLIPS = 300


def _copy(place: Place) -> tuple[Path, RunRecord]:
    """Make a real run; return a copy of its folder, and its record."""
    place.interval_s, place.ingest = 0.1, "later"
    program = place.start(tracked(_BODY))
    program.wait()
    place.settle()
    copy = place.root / "damaged" / place.folders()[0].name
    shutil.copytree(place.folders()[0], copy)
    return copy, place.record()


def _read(folder: Path) -> RunRecord | None:
    log = read_run(folder, 4e9)
    return account(log).record if log.processes else None


def cut(place: Place, random: Random) -> Outcome:
    """Every file is cut at every byte: what was written before that is there, and never more."""
    folder, whole = _copy(place)
    outcome = Outcome(state="completed or lost", missing_s=0.0)
    journals = sorted(folder.glob("*.jsonl"))
    times_ns = [json.loads(line)["t"] for journal in journals for line in journal.read_bytes().splitlines()]
    most_j = (max(times_ns) - min(times_ns)) / NS_PER_S * POWER_W  # the sampler sees a little more than the run
    for journal in journals:
        data = journal.read_bytes()
        before_j, before_lines = 0.0, 0
        for size in range(len(data) + 1):
            journal.write_bytes(data[:size])
            record = _read(folder)
            if record is None:
                continue
            energy_j, lines = record.energy_j or 0.0, data[:size].count(b"\n")
            outcome.ask(energy_j <= most_j + 0.01, f"{journal.name}[:{size}]: {energy_j} J are too much")
            outcome.ask(record.state in _STATES, f"{journal.name}[:{size}]: {record.state}")
            outcome.ask(
                record.journal.bad_lines <= 1, f"{journal.name}[:{size}]: {record.journal.bad_lines} bad lines"
            )
            if lines == before_lines:  # a part of a line neither gives nor takes
                outcome.ask(energy_j >= before_j - 0.01, f"{journal.name}[:{size}]: {before_j - energy_j} J less")
            before_j, before_lines = energy_j, lines
        journal.write_bytes(data)
    restored = _read(folder)
    outcome.ask(restored is not None and restored.energy_j == whole.energy_j, "whole again, another energy")
    del random
    return outcome


def flipped(place: Place, random: Random) -> Outcome:
    """Bytes are flipped, zeroed, lost or doubled: nothing raises, and no impossible power is claimed."""
    folder, whole = _copy(place)
    outcome = Outcome(state="any")
    journals = sorted(folder.glob("*.jsonl"))
    for _ in range(FLIPS):
        journal = random.choice(journals)
        good = journal.read_bytes()
        data = bytearray(good)
        for _ in range(random.choice((1, 1, 2, 8, 64))):
            at = random.randrange(len(data))
            match random.randrange(4):
                case 0:
                    data[at] ^= 1 << random.randrange(8)
                case 1:
                    data[at : at + random.randrange(64)] = b""
                case 2:
                    data[at:at] = data[at : at + random.randrange(64)]
                case _:
                    length = min(random.randrange(64), len(data) - at)
                    data[at : at + length] = bytes(length)
        journal.write_bytes(data)
        try:
            record = _read(folder)
        except Exception as error:  # noqa: BLE001  # that is the complaint
            outcome.ask(fulfilled=False, what=f"{type(error).__name__}: {error}")
        else:
            power_w = (record.energy_j or 0.0) / record.duration_s if record and record.duration_s > 0.1 else 0.0
            outcome.ask(power_w <= 11 * POWER_W, f"{power_w:.0f} W on the average")
        journal.write_bytes(good)
    restored = _read(folder)
    outcome.ask(restored is not None and restored.energy_j == whole.energy_j, "whole again, another energy")
    return outcome


FAULTS = (
    Fault("journal cut at every byte", "what was written before it", cut, 1),
    Fault("journal with damaged bytes, 300 times", "nothing raises", flipped, 5),
)
