"""The sampler's own small process: ``python -P -m greenai.sampler_process``, ordered by its standard input.

User code that holds the interpreter lock cannot blind it. The first line on stdin is its order (JSON).
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.collector import Incident
from greenai.core.text import Text
from greenai.core.units import NS_PER_HOUR, NS_PER_MS, NS_PER_S
from greenai.core.vocabulary import Role, Scope
from greenai.host import SiteKnowledge, this_host
from greenai.host.processes import program_image, start_ticks
from greenai.journal.format import ORPHAN, SUFFIX, TICK
from greenai.journal.writer import JournalWriter
from greenai.plugins import COLLECTORS, Plugin, load_collectors
from greenai.sampler import SlowSampler, UsageReader, open_sensors, sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from greenai.host import Host
    from greenai.sampler import Sensors

MODULE = "greenai.sampler_process"
STOP_WORD = b"stop\n"
BELL_BYTES = 8  # whoever rings says when, on the monotonic clock in nanoseconds
# Heard later than this (a stopped or starved sampler), and what is read belongs to another moment.
LATE_NS = 100 * NS_PER_MS
# A vendor's counters renew their value every 20 to 100 ms: whoever rings more often learns nothing more.
_REST_S = 0.005
_HOUR_CLOSES_NS = 6 * 60 * NS_PER_S  # after its end: what belongs to it has been written by then
SIGN_OF_LIFE = b"."
SIGN_EVERY_S = 5.0
# Slurm sends SIGTERM to every process of a job at its time limit, a terminal SIGINT to all of its group.
_NOT_FOR_US = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTSTP,
)  # fmt: skip


_LATE = Text(
    de="Der Messprozess las zeitweise zu spät an den Enden von Fenstern; deren GPU-Energie ist ein Mittel über "
    "längere Zeit. Die Summe des Laufs stimmt.",
    en="The sampling process was late for a while at the ends of windows; their GPU energy is a mean over a "
    "longer time. The total of the run is right.",
)


class Order(NamedTuple):
    """What the sampler is to do.

    Attributes:
        folder: The run's folder in the spool.
        interval_s: Sampling interval.
        knowledge: What the settings say about the machine.
        scope: Whose energy the run is.
        database: Where to take the run when it is over; None leaves that to the next reader.
        service: Whether the run may go on for months.
        pid: The tracked program.
        started_ticks: When that started, as procfs says; None if unknown.
        bell: File descriptor of the sampler; what comes there asks it to read at once.
        plugins: Names and values of the entry points to load collectors from; None for all that are installed.
            The tracked program has found out which of them are of use here: the others need no time any more.
    """

    folder: str
    interval_s: float
    knowledge: SiteKnowledge
    scope: Scope
    database: str | None
    service: bool
    pid: int
    started_ticks: int | None
    bell: int = -1
    plugins: tuple[tuple[str, str], ...] | None = None

    def to_line(self) -> bytes:
        """Return the order as the first line on the sampler's stdin."""
        return json.dumps({**self._asdict(), "knowledge": asdict(self.knowledge)}).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Order:
        """Read what ``to_line`` wrote."""
        fields = json.loads(line)
        return cls(
            **{**fields, "knowledge": SiteKnowledge(**fields["knowledge"]), "scope": Scope(fields["scope"])}
        )


class _Leash:
    """Waits for the stop word, or for the end of the tracked program.

    A program may close the other end of our stdin without knowing (``os.closerange``); then its life decides. One
    that has executed another program has forgotten the run: that is its end.
    """

    def __init__(self, order: Order) -> None:
        self._pid = order.pid
        self._image = program_image(order.pid)
        host_name = this_host(order.knowledge).name.replace("/", "_")
        self._journal = Path(order.folder) / f"{host_name}-{order.pid}{SUFFIX}"
        self._line = [0]
        self._bell: list[int] = []
        if order.bell >= 0:
            self._bell = [os.dup(order.bell)]  # a low number: select() takes none above 1023
            os.close(order.bell)
        try:
            self._life = [os.pidfd_open(order.pid)]
        except OSError:  # it is dead, or the kernel is older than 5.3
            self._life = []
        self._sign_s = 0.0
        # Its number may be another's by now.
        self.orphaned = self._image is None or start_ticks(order.pid) != order.started_ticks

    def say(self, names: Iterable[str]) -> None:
        """Tell the tracked program which collectors are read when it rings."""
        with suppress(OSError):
            os.write(0, " ".join(names).encode() + b"\n")

    def pause(self, seconds: float, rung: Callable[[int], None] | None = None) -> bool:
        """Wait; True when the tracked program said stop or is gone.

        Args:
            seconds: How long.
            rung: Called when the program rings; told when it first rang, nanoseconds on the monotonic clock.
        """
        self._give_sign_of_life()
        # A program that said stop and ended at once is no orphan: the word is still there.
        end_s = time.monotonic() + (0.0 if self.orphaned else seconds)
        while True:
            left_s = max(end_s - time.monotonic(), 0.0)
            bell = self._bell if rung is not None else []
            readable, _, _ = select.select(self._line + self._life + bell, [], [], left_s)
            if 0 in readable:
                if self._heard(0, len(STOP_WORD)) == STOP_WORD:
                    self.orphaned = False
                    return True
                self._line = []
            if not self._line and self._has_closed():
                return True
            self.orphaned = self.orphaned or not self._lives(readable)
            if self.orphaned or rung is None or not set(bell) & set(readable):
                return self.orphaned
            self._answer_bell(rung)

    def _answer_bell(self, rung: Callable[[int], None]) -> None:
        words = self._heard(self._bell[0], 4096)
        if not words:
            self._bell = []  # closed over there
            return
        rung(int.from_bytes(words[:BELL_BYTES], "little"))
        time.sleep(_REST_S)

    @staticmethod
    def _heard(end: int, most: int) -> bytes:
        """Return what has come; nothing if the other end is closed."""
        try:
            return os.read(end, most)
        except ConnectionResetError:  # closed before it had read all that we said
            return b""

    def _has_closed(self) -> bool:
        """Say whether the program has closed its journal: where the line is gone, no other word can come."""
        with suppress(OSError), self._journal.open("rb") as file:
            file.seek(-min(self._journal.stat().st_size, 200), os.SEEK_END)
            return file.read().rstrip().rpartition(b"\n")[2].startswith(b'{"k":"close"')
        return False

    def _give_sign_of_life(self) -> None:
        now_s = time.monotonic()
        if self._line and now_s - self._sign_s >= SIGN_EVERY_S:
            self._sign_s = now_s
            with suppress(OSError):
                os.write(0, SIGN_OF_LIFE)

    def _lives(self, readable: list[int]) -> bool:
        if self._life and self._life[0] in readable:
            return False
        if self._line and self._life:
            return True
        return program_image(self._pid) == self._image


def main() -> None:
    """Run until the tracked program stops or dies, then take the run into the database."""
    _be_deaf()
    order = Order.from_line(_first_line())
    leash = _Leash(order)
    if not leash.pause(0.0) or leash.orphaned:  # a program that is over already has nothing more to measure
        _sample(order, leash)
    _hang_up()
    if order.database is not None:
        os.nice(19)
        start_ingest(order.folder, order.database)


def _be_deaf() -> None:
    """Ignore what is meant for the tracked program: the end of that is ours, whatever it makes of a signal."""
    for number in _NOT_FOR_US:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _sample(order: Order, leash: _Leash) -> None:
    host = this_host(order.knowledge)
    usage = UsageReader(host, order.scope, order.pid) if order.scope is not Scope.MACHINE else None
    plugins = None if order.plugins is None else [Plugin(COLLECTORS, *plugin) for plugin in order.plugins]
    apart = partial(
        SlowSampler, host, Path(order.folder), order.interval_s, service=order.service, plugins=plugins
    )
    slow = apart()
    sensors = open_sensors(host, load_collectors(host, plugins), slow=False, usage=usage)
    late = apart(sensors.late) if sensors.late else None
    sensors.watch_gpus()
    _write(order, host, sensors, leash)
    for sampler in (slow, late):
        if sampler is not None:
            sampler.stop()
    sensors.close()


def _write(order: Order, host: Host, sensors: Sensors, leash: _Leash) -> None:
    journal = JournalWriter(
        Path(order.folder), host, Role.SAMPLER, sensors.channels, order.interval_s, rotates=order.service
    )
    for incident in sensors.incidents:
        journal.incident(incident)
    hourly = _Hourly(order, host)
    native = sensors.native()
    told = late = False

    def read_native(rung_ns: int) -> None:
        nonlocal late
        t_ns, readings = sensors.read(native)
        with suppress(OSError):  # a full disk costs this reading
            journal.readings(TICK, t_ns, readings)
            if t_ns - rung_ns > LATE_NS and not late:
                late = True
                journal.incident(Incident("window_readings_late", _LATE))

    def pause(seconds: float) -> bool:
        nonlocal told
        hourly.look()
        if native and not told:
            told = True
            leash.say(native.values())
        return leash.pause(seconds, read_native if native else None)

    sample(host, sensors, journal, order.interval_s, pause)
    t_ns, readings = sensors.read()
    if leash.orphaned:
        journal.readings(ORPHAN, t_ns, readings, sensors.usage())
    journal.sync()
    journal.close()


def _hang_up() -> None:
    """Close stdin: the tracked program learns that we are done, and has a thread less."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit(0)  # the program died before it gave an order
        line += byte
    return line


def start_ingest(folder: str, database: str | None) -> int:
    """Start a process that takes the run into a database, or without one condenses the past of a service.

    Not in place of this one: a thread that hangs in a driver would hold that up.

    Returns:
        Its number.
    """
    options = ["--condense"] if database is None else []
    environ = {**os.environ, **({} if database is None else {"GREENAI_DB": database})}
    command = [sys.executable, "-P", "-m", "greenai.ingest", *options, folder]
    return os.posix_spawn(sys.executable, command, environ, setsigdef=_NOT_FOR_US)


class _Hourly:
    """Has the past of a service condensed, and taken into the database, once an hour."""

    def __init__(self, order: Order, host: Host) -> None:
        self._order = order
        self._now_ns = host.clock.wall_ns
        self._done = self._hour()
        self._child = 0

    def look(self) -> None:
        """Do what is due."""
        hour = self._hour()
        if not self._order.service or hour == self._done:
            return
        with suppress(OSError):  # the next hour takes this one with it
            if self._child:
                os.waitpid(self._child, os.WNOHANG)
            self._child = start_ingest(self._order.folder, self._order.database)
        self._done = hour

    def _hour(self) -> int:
        return (self._now_ns() - _HOUR_CLOSES_NS) // NS_PER_HOUR


if __name__ == "__main__":
    main()
