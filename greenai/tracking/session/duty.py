"""Who samples a run on this host: one process has the duty; when it ends, however, the next one takes over."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from greenai.host.descriptors import Descriptor
from greenai.journal.spool import open_lock, release_run, wait_for_run
from greenai.sampler.guard import start_quietly

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.tracking.session.sampling import Sampling


class Sampler(Protocol):
    """Somebody who can sample the run: a session."""

    def start_sampling(self, *, taken_over: bool) -> list[Sampling]:
        """Begin; the duty is ours."""


class Duty:
    """The duty to sample one run on this host, as far as this process is concerned.

    All sessions of the run in this process share it: it ends with the last of them.
    """

    def __init__(self, folder: Path, host_name: str) -> None:
        self._folder = folder
        self._host_name = host_name
        self._changing = threading.Lock()
        self._sessions: list[Sampler] = []
        self._sampling: list[Sampling] = []
        self._held: Descriptor | None = None  # holds the lock
        self._awaited: Descriptor | None = None  # waits for it, in a thread

    def enter(self, session: Sampler, held: int) -> None:
        """Take part.

        Args:
            session: Samples, now or later, if the duty is ours.
            held: File descriptor that holds the lock already; -1 if another process has it.
        """
        with self._changing:
            self._sessions.append(session)
            if held >= 0:
                self._held = Descriptor(held)
                self._sampling = session.start_sampling(taken_over=False)
            elif self._held is None and self._awaited is None:
                self._wait()

    def sample_without_lock(self, session: Sampler) -> None:
        """Sample where the file system has no locks: nobody else can take over, nothing else is lost."""
        with self._changing:
            self._sessions.append(session)
            self._sampling = session.start_sampling(taken_over=False)

    def sample_by(self, sampling: list[Sampling]) -> None:
        """Take note of a sampler that began later than the duty."""
        with self._changing:
            self._sampling += sampling

    def leave(self, session: Sampler) -> None:
        """Take part no longer; the last one stops sampling, and another process may go on."""
        with self._changing:
            if session in self._sessions:
                self._sessions.remove(session)
            if self._sessions:
                return
            _DUTIES.pop(self._folder, None)
            while self._sampling:
                self._sampling.pop().stop()
            self._release()

    def forget(self) -> None:
        """Let go, in a forked child: a lock that it kept would outlive the parent."""
        for file in (self._held, self._awaited):
            if file is not None:
                file.close()

    def _wait(self) -> None:
        with suppress(OSError):  # no locks here: then nobody takes over
            self._awaited = Descriptor(open_lock(self._folder, self._host_name))
            waiting = threading.Thread(
                target=self._take_over, args=(self._awaited,), name="greenai-duty", daemon=True
            )
            start_quietly(waiting)

    def _release(self) -> None:
        if self._held is not None and self._held.ours:
            release_run(self._held.number)
        self._held = None

    def _take_over(self, awaited: Descriptor) -> None:
        try:
            wait_for_run(awaited.number)
        except OSError:
            return
        with self._changing:
            self._held, self._awaited = awaited, None
            if not self._sessions:
                self._release()
                return
            with suppress(Exception):  # our failure never harms the tracked program
                self._sampling = self._sessions[0].start_sampling(taken_over=True)


_DUTIES: dict[Path, Duty] = {}


def duty_of(folder: Path, host_name: str) -> Duty:
    """Return this process's duty towards a run."""
    return _DUTIES.setdefault(folder, Duty(folder, host_name))


def _after_fork_in_child() -> None:
    for duty in _DUTIES.values():
        duty.forget()
    _DUTIES.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
