"""What a command left running when it ended: said on the record, or waited for."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.collector import Incident
from greenai.core.text import Text
from greenai.tracking.command.leftovers import Process, carriers, descendants, reap
from greenai.tracking.command.signals import STOPS, take_effect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from greenai.tracking.command.signals import Arrived, HeldSignals

# Helpers of a program that ends (pools, pipes) need a moment to notice.
_GRACE_S = 0.2
_LOOK_AGAIN_S = 0.02
_WAIT_POLL_S = 0.5
# In a run this short the search for processes must not be what is measured.
_SHORT_S = 10.0
_MOST_NAMES = 5
_ENDS_WAITING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})

_LEFT = Text(
    de="Der Befehl hinterließ laufende Prozesse ({count}: {names}); was sie nach seinem Ende brauchen, ist nicht "
    "enthalten.",
    en="The command left processes running ({count}: {names}); what they use after its end is not included.",
)
_GIVEN_UP = Text(
    de="Auf Prozesse des Befehls wurde nicht länger gewartet ({count}: {names}); was sie danach brauchen, ist "
    "nicht enthalten.",
    en="Processes of the command were waited for no longer ({count}: {names}); what they use from then on is not "
    "included.",
)
_WAIT_FOR_THEM = Text(
    de="Bis zu deren Ende messen: greenai run --wait -- ...",
    en="Track until they have ended: greenai run --wait -- ...",
)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """Finds and outlasts what a command left running.

    Attributes:
        run_id: The run that only this command and its offspring carry; None if others carry it too.
        command_pid: The command.
        began_s: When it began (``time.monotonic``).
        adopted: Whether orphans become our children.
    """

    run_id: str | None
    command_pid: int
    began_s: float
    adopted: bool

    def find(self) -> list[Process]:
        """Return the processes that still run, after a moment of grace."""
        deadline = time.monotonic() + _GRACE_S
        while (found := self._now()) and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN_S)
        return found

    def outlast(
        self, processes: list[Process], signals: HeldSignals, tell: Callable[[list[Process]], None]
    ) -> list[Process]:
        """Wait until nothing runs any more. Signals go to all; a second request to end gives up.

        Args:
            processes: What was found.
            signals: What is sent to us.
            tell: Told what is waited for.

        Returns:
            What was given up on.
        """
        if processes:
            tell(processes)
        asked = False
        while processes:
            arrived = signals.wait(_WAIT_POLL_S)
            if arrived is not None and arrived.number != signal.SIGCHLD:
                if asked and arrived.number in _ENDS_WAITING:
                    return self._now()
                asked = asked or arrived.number in _ENDS_WAITING
                processes = self._now()
                _pass_on(arrived, processes)
                continue
            reap(processes)
            # One that ends while it starts another may hide it from one look, not from two.
            processes = [process for process in processes if process.lives] or self._now() or self._now()
        return []

    def _now(self) -> list[Process]:
        found = descendants() if self.adopted else []
        if self.run_id is not None:
            short = time.monotonic() - self.began_s < _SHORT_S
            found += carriers(self.run_id, self.command_pid if short else None)
        return list({process.pid: process for process in found}.values())


def left_running(processes: list[Process], *, waited: bool) -> Incident:
    """Return what a reader of the record must know about processes that were left running.

    Args:
        processes: Which.
        waited: Whether they were waited for until somebody gave up on them.
    """
    message = (_GIVEN_UP if waited else _LEFT).format(count=len(processes), names=names_of(processes))
    return Incident("processes_left", message, None if waited else _WAIT_FOR_THEM)


def names_of(processes: Sequence[Process]) -> str:
    """Return the names of processes, each once, not more than a few."""
    names = list(dict.fromkeys(process.name for process in processes))
    return ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")


def _pass_on(arrived: Arrived, processes: list[Process]) -> None:
    for process in processes:
        if not arrived.by_kernel or _group(process.pid) != os.getpgrp():  # a terminal signals the whole group
            process.send(arrived.number)
    if arrived.number in STOPS:
        take_effect(arrived.number)


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except OSError:
        return None
