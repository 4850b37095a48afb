"""The sampler's own small process: ``python -P -m greenai.sampler_process``, ordered by its standard input.

User code that holds the interpreter lock cannot blind it. The first line on stdin is its order (JSON); the end of
stdin, or a new parent, means that the tracked program is gone.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from greenai.core.vocabulary import Role, Scope
from greenai.host import SiteKnowledge, this_host
from greenai.journal.format import ORPHAN
from greenai.journal.writer import JournalWriter
from greenai.sampler import SlowSampler, UsageReader, open_sensors, sample

if TYPE_CHECKING:
    from greenai.host import Host
    from greenai.sampler import Sensors

STOP_WORD = b"stop\n"


@dataclass(frozen=True, slots=True)
class Order:
    """What the sampler is to do.

    Attributes:
        folder: The run's folder in the spool.
        interval_s: Sampling interval.
        knowledge: What the settings say about the machine.
        scope: Whose energy the run is.
        database: Where to take the run when it is over; None leaves that to the next reader.
    """

    folder: str
    interval_s: float
    knowledge: SiteKnowledge
    scope: Scope
    database: str | None

    def to_line(self) -> bytes:
        """Return the order as the first line on the sampler's stdin."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Order:
        """Read what ``to_line`` wrote."""
        fields = json.loads(line)
        return cls(
            **{**fields, "knowledge": SiteKnowledge(**fields["knowledge"]), "scope": Scope(fields["scope"])}
        )


class _Leash:
    """Waits on stdin: the stop word, its end, or the death of the parent."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self.orphaned = False

    def pause(self, seconds: float) -> bool:
        """Wait; True when the tracked program said stop or is gone."""
        readable, _, _ = select.select([0], [], [], max(seconds, 0.0))
        if readable:
            self.orphaned = os.read(0, len(STOP_WORD)) != STOP_WORD
            return True
        if os.getppid() != self._parent:
            # A forked child of the program may still hold our stdin open.
            self.orphaned = True
            return True
        return False


def main() -> int:
    """Run until the tracked program stops or dies, then take the run into the database."""
    # Ctrl-C reaches the whole terminal group; the tracked program decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leash = _Leash()
    order = Order.from_line(_first_line())
    host = this_host(order.knowledge)
    usage = UsageReader(host, order.scope, os.getppid()) if order.scope is not Scope.MACHINE else None
    slow = SlowSampler(host, Path(order.folder), order.interval_s)
    sensors = open_sensors(host, slow=False, usage=usage)
    if usage is not None:
        usage.watch_gpus(sensors.channels)
    _sample(order, host, sensors, leash)
    slow.stop()
    sensors.close()
    if order.database is not None:
        become_ingest(order.folder, order.database)
    return 0


def _sample(order: Order, host: Host, sensors: Sensors, leash: _Leash) -> None:
    journal = JournalWriter(Path(order.folder), host, Role.SAMPLER, sensors.channels, order.interval_s)
    for incident in sensors.incidents:
        journal.incident(incident)
    sample(host, sensors, journal, order.interval_s, leash.pause)
    t_ns, readings = sensors.read()
    if leash.orphaned:
        journal.readings(ORPHAN, t_ns, readings, sensors.usage())
    journal.sync()
    journal.close()


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit(0)  # the program died before it gave an order
        line += byte
    return line


def ingest_command(folder: str) -> list[str]:
    """Return the command that takes one run into the database named by GREENAI_DB."""
    return [sys.executable, "-P", "-m", "greenai.ingest", folder]


def become_ingest(folder: str, database: str) -> None:
    """Replace this process by one that takes the run into the database, at the lowest priority."""
    os.nice(19)
    os.execve(sys.executable, ingest_command(folder), {**os.environ, "GREENAI_DB": database})  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
