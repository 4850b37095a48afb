"""The sampler's own small process: ``python -P -m greenai.sampler_process``, ordered by its standard input.

User code that holds the interpreter lock cannot blind it. The first line on stdin is its order (JSON).
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from greenai.core.collector import Incident
from greenai.core.text import Text
from greenai.core.units import NS_PER_HOUR, NS_PER_MS, NS_PER_S
from greenai.core.vocabulary import Role, Scope
from greenai.host import this_host
from greenai.journal.format import ORPHAN, TICK
from greenai.journal.writer import JournalWriter
from greenai.plugins import COLLECTORS, Plugin, load_collectors
from greenai.sampler import SlowSampler, UsageReader, open_sensors, sample
from greenai.sampler.leash import Leash
from greenai.sampler.order import SamplingOrder

if TYPE_CHECKING:
    from greenai.host import Host
    from greenai.sampler import Sensors

MODULE = "greenai.sampler_process"
# Heard later than this (a stopped or starved sampler), and what is read belongs to another moment.
LATE_NS = 100 * NS_PER_MS
_HOUR_CLOSES_NS = 6 * 60 * NS_PER_S  # after its end: what belongs to it has been written by then
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


def main() -> None:
    """Run until the tracked program stops or dies, then take the run into the database."""
    _be_deaf()
    order = SamplingOrder.from_line(_first_line())
    leash = Leash(order)
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


def _sample(order: SamplingOrder, leash: Leash) -> None:
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


def _write(order: SamplingOrder, host: Host, sensors: Sensors, leash: Leash) -> None:
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

    def __init__(self, order: SamplingOrder, host: Host) -> None:
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
