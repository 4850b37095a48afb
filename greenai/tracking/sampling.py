"""Starting and ending the sampler beside the tracked program."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Protocol

from greenai.sampler_process import STOP_WORD, Order, ingest_command

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.core.vocabulary import Scope
    from greenai.settings import Settings


class Sampling(Protocol):
    """A sampler at work."""

    def stop(self) -> None:
        """End it, without waiting for it."""


class SamplerChild:
    """The sampler as a child process. It dies with this one, however this one dies."""

    def __init__(self, folder: Path, settings: Settings, scope: Scope) -> None:
        """Start it; nobody waits until it is ready.

        Args:
            folder: The run's folder in the spool.
            settings: The settings in force.
            scope: Whose energy the run is, resolved for this machine.

        Raises:
            OSError: No process can be started here.
        """
        database = settings.db if settings.ingest == "background" else None
        order = Order(str(folder), settings.interval_s, settings.knowledge, scope, database)
        # -P: a file named like a standard module in the user's folder must not be imported.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "greenai.sampler_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._pid = os.getpid()
        self._stdin = self._process.stdin
        self._tell(order.to_line())

    def stop(self) -> None:
        """Say stop, and leave it to a thread to collect the exit status."""
        if self._pid != os.getpid():
            return  # a forked child: the sampler is its parent's
        self._tell(STOP_WORD)
        if self._stdin is not None:
            with contextlib.suppress(OSError):
                self._stdin.close()
        try:
            threading.Thread(target=self._process.wait, name="greenai-reaper", daemon=True).start()
        except RuntimeError:  # no more threads: then nobody collects it, and Popen need not complain
            self._process.returncode = 0

    def _tell(self, line: bytes) -> None:
        if self._stdin is not None:
            with contextlib.suppress(OSError):
                os.write(self._stdin.fileno(), line)


def ingest_detached(folder: Path, database: str) -> None:
    """Take a finished run into the database in a process that outlives this one. Failing is no harm."""
    with contextlib.suppress(OSError):
        process = subprocess.Popen(
            ingest_command(str(folder)),
            env={**os.environ, "GREENAI_DB": database},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        process.returncode = 0  # it outlives this process; nobody waits for it, and Popen need not complain
