"""Slow and late sensors are found and read apart: a sick controller must not delay the others' first reading."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from greenai.core.vocabulary import Role
from greenai.journal.writer import JournalWriter
from greenai.plugins import load_collectors
from greenai.sampler.guard import start_quietly
from greenai.sampler.loop import sample
from greenai.sampler.opening import open_sensors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from greenai.host import Host
    from greenai.plugins import Plugin
    from greenai.sampler.sensors import Sensors

PART = "slow"
LATE_PART = "late"


class SlowSampler:
    """A thread that finds slow sensors and samples them into a journal of its own."""

    def __init__(
        self,
        host: Host,
        folder: Path,
        interval_s: float,
        late: Sequence[str] = (),
        *,
        service: bool = False,
        plugins: Sequence[Plugin] | None = None,
    ) -> None:
        """Start; where there are no such sensors the thread ends at once and leaves no file.

        Args:
            host: The machine.
            folder: The run's folder.
            interval_s: Sampling interval.
            late: Names of the collectors to wait for, as ``Sensors.late`` gives them, instead of the slow ones: a
                driver that takes long to start is measured from then on.
            service: Whether the run may go on for months.
            plugins: Where to look for them; default is everywhere.
        """
        self._host = host
        self._late = late
        self._service = service
        self._plugins = plugins
        self._folder = folder
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="greenai-slow", daemon=True)
        start_quietly(self._thread)

    def _pause(self, seconds: float) -> bool:
        return self._stop.wait(seconds)

    def stop(self) -> None:
        """End it; one that hangs in its sensor is left behind (a daemon), its journal is whole."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=0.5)

    def _run(self) -> None:
        loaded = load_collectors(self._host, self._plugins)
        late = self._late or None
        sensors = open_sensors(self._host, loaded, slow=None if late else True, late=late)
        try:
            if sensors.channels or sensors.incidents:
                self._sample(sensors)
        finally:
            sensors.close()

    def _sample(self, sensors: Sensors) -> None:
        try:
            journal = JournalWriter(
                self._folder,
                self._host,
                Role.SAMPLER,
                sensors.channels,
                self._interval_s,
                part=LATE_PART if self._late else PART,
                rotates=self._service,
            )
        except OSError:  # the disk is full, or the run's folder is gone: the other journals say so
            return
        for incident in sensors.incidents:
            journal.incident(incident)
        if sensors.channels:
            sample(self._host, sensors, journal, self._interval_s, self._pause)
        journal.close()
