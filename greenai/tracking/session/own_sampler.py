"""How one process samples a run, if it is the one to do so: by a process of its own, else in threads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from greenai.core.collector import SAMPLER_IN_THREAD, Incident
from greenai.core.text import Text
from greenai.sampler import SamplerThread, SlowSampler
from greenai.tracking.session.duty import duty_of
from greenai.tracking.session.sampling import MOST_RESTARTS, SamplerChild, Sampling

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from greenai.core.vocabulary import Scope
    from greenai.host import Host
    from greenai.journal.writer import JournalWriter
    from greenai.sampler import Sensors
    from greenai.settings import Settings

_NO_CHILD = Text(
    de="Der Messprozess ließ sich nicht starten ({reason}); gemessen wird in einem Thread des Programms.",
    en="The sampling process could not be started ({reason}); a thread of the program samples instead.",
)
_RESTARTED = Text(
    de="Der Messprozess starb oder hing und wurde neu gestartet (zum {count}. Mal).",
    en="The sampling process died or hung and was started again (time {count}).",
)
_GONE = Text(
    de="Der Messprozess starb {count}-mal; gemessen wird nun in einem Thread des Programms.",
    en="The sampling process died {count} times; a thread of the program samples from now on.",
)
_TAKEN_OVER = Incident(
    "sampling_taken_over",
    Text(
        de="Der Prozess, der hier maß, ist zu Ende; dieser misst weiter.",
        en="The process that sampled here has ended; this one goes on.",
    ),
)

# The sampler makes a last reading and writes its journal through to the disk.
_PATIENCE_S = 1.0


class OwnSampler:
    """What this process does to have a run sampled on this host."""

    def __init__(
        self,
        host: Host,
        folder: Path,
        settings: Settings,
        scope: Scope,
        sensors: Sensors,
        journal: JournalWriter | None,
        note: Callable[[Incident], None],
        *,
        service: bool,
    ) -> None:
        """Prepare it; nothing is sampled yet.

        Args:
            host: The machine.
            folder: The run's folder in the spool.
            settings: The settings in force.
            scope: Whose energy the run is, resolved for this machine.
            sensors: The open sensors of this process.
            journal: Where threads of this process write; None if there is none.
            note: Puts an incident on the record.
            service: Whether the run may go on for months.
        """
        self._host = host
        self._folder = folder
        self._settings = settings
        self._scope = scope
        self._sensors = sensors
        self._journal = journal
        self._note = note
        self._service = service
        self._duty = duty_of(folder, host.name)
        self._child: SamplerChild | None = None
        self._left_to_us: tuple[frozenset[str], list[int]] = (frozenset(), [])

    def enter(self, lock: int, *, without_lock: bool) -> None:
        """Sample from now on, or wait until the process that does so ends.

        Args:
            lock: File descriptor that holds the lock of the run; -1 if another process has it.
            without_lock: The file system has no locks, and the run is ours.
        """
        if without_lock:
            self._duty.sample_without_lock(self)
        else:
            self._duty.enter(self, lock)

    def leave(self) -> None:
        """Sample no longer. Waits for nobody."""
        self._duty.leave(self)

    def settle(self) -> None:
        """Once that was said: wait until nothing more is written."""
        if self._child is not None:
            self._child.settle(_PATIENCE_S)

    def ring(self) -> list[int] | None:
        """Have the sampler read what it can; return the collectors left to this process, None for all."""
        if self._child is None or not (there := self._child.reads) or not self._child.ring():
            return None
        if self._left_to_us[0] is not there:
            self._left_to_us = (there, self._sensors.all_but(there))
        return self._left_to_us[1]

    def start_sampling(self, *, taken_over: bool) -> list[Sampling]:
        """Sample, because the duty to do so is ours."""
        if taken_over:
            self._note(_TAKEN_OVER)
        if os.getpid() == 1:
            from greenai.tracking.session.container import FIRST_PROCESS, without_programs  # local: seldom needed

            self._host = without_programs(self._host)
            return self._in_threads(FIRST_PROCESS)
        try:
            self._child = SamplerChild(
                self._folder,
                self._settings,
                self._scope,
                service=self._service,
                plugins=self._sensors.plugins,
                died=self._died,
            )
        except OSError as error:
            return self._in_threads(_NO_CHILD.format(reason=error.strerror))
        return [self._child]

    def _died(self, count: int) -> None:
        if count <= MOST_RESTARTS:
            self._note(Incident("sampler_restarted", _RESTARTED.format(count=count)))
        else:
            self._duty.sample_by(self._in_threads(_GONE.format(count=count)))

    def _in_threads(self, why: Text) -> list[Sampling]:
        self._note(Incident(SAMPLER_IN_THREAD, why))
        if self._journal is None:
            return []
        self._sensors.watch_gpus()
        interval_s = self._settings.interval_s
        samplers: list[Sampling] = [SlowSampler(self._host, self._folder, interval_s, service=self._service)]
        if self._sensors.late:
            late = self._sensors.late
            samplers.append(SlowSampler(self._host, self._folder, interval_s, late, service=self._service))
        return [*samplers, SamplerThread(self._host, self._sensors, self._journal, interval_s)]
