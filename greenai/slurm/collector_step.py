"""One ``srun`` that has collectors on some nodes of a job: the step, and the line to and from its tasks."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from greenai.core.batch_job import COLLECTOR_PREFIX
from greenai.core.errors import ConfigError
from greenai.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_WRITING_S = 0.5
_LOOK_AGAIN_S = 0.01
_MOST_STARTS = 4
_PAUSE_S = 1.0

# What srun takes as options from its environment (man srun, INPUT ENVIRONMENT VARIABLES) was said for the job's
# own steps. These say which job it is.
_KEPT = (
    "SLURM_CONF", "SLURM_JOB", "SLURM_ARRAY_", "SLURM_HET_", "SLURM_CLUSTER", "SLURM_SUBMIT_", "SLURM_RESTART",
)  # fmt: skip
_OF_THE_SCRIPT = ("SLURM_", "SRUN_", "SLURMD_", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")

_NO_SRUN = Text(de="srun gibt es hier nicht.", en="there is no srun here.")


class CollectorStep:
    """A running step. Should ``srun`` end before it is to, it is started again."""

    def __init__(self, where: Sequence[str], task: Sequence[str], log: Path, hear: Callable[[str], None]) -> None:
        """Prepare it.

        Args:
            where: Where the tasks run, as ``srun`` takes it.
            task: The program.
            log: File for what Slurm has to say.
            hear: Told each line of each task, in a thread.

        Raises:
            ConfigError: There is no ``srun``.
        """
        srun = shutil.which("srun")
        if srun is None:
            raise ConfigError(_NO_SRUN)
        # It overlaps the job's own steps, takes nothing from them, and does them no harm if a task of it fails.
        self._command = [
            srun, *where, "--ntasks-per-node=1", "--overlap", "--mem=0", "--cpus-per-task=1", "--cpu-bind=none",
            "--kill-on-bad-exit=0", "--mpi=none", "--unbuffered", f"--job-name={COLLECTOR_PREFIX}",
            "--export=ALL", *task,
        ]  # fmt: skip
        self._log = log
        self._hear = hear
        self._changing = threading.Lock()  # who starts srun, and who writes to it, are not one thread
        self._first_line = b""
        self._to_them = -1
        self._ending = False
        self._over = threading.Event()

    def start(self) -> None:
        """Start it.

        Raises:
            OSError: ``srun`` cannot be started.
        """
        with self._changing:
            self._start()
        threading.Thread(target=self._listen, name="greenai-collectors", daemon=True).start()

    def order(self, first_line: bytes) -> None:
        """Tell every task a first thing."""
        with self._changing:
            self._first_line = first_line
            self._write(first_line)

    def tell(self, line: bytes) -> None:
        """Tell every task that runs now something."""
        with self._changing:
            self._write(line)

    def end(self, last_line: bytes) -> None:
        """Tell all tasks a last thing; they are to end."""
        with self._changing:
            self._ending = True
            self._write(last_line)
            self._hang_up()

    def wait(self, seconds: float) -> None:
        """Wait until all of it has ended, not longer than this."""
        self._over.wait(seconds)

    def abandon(self) -> None:
        """Wait for it no longer."""
        self._over.set()

    def _start(self) -> None:
        theirs, self._to_them = os.pipe()
        self._from_them, their_words = os.pipe()
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        actions = [(os.POSIX_SPAWN_DUP2, file, number) for number, file in enumerate((theirs, their_words, log))]
        try:
            self._pid = os.posix_spawn(
                self._command[0],
                self._command,
                _environ(os.environ),
                file_actions=actions,
                setsigmask=(),
                setsid=True,  # a script that signals its process group (kill 0) does not mean the collectors
            )
        finally:
            for file in (theirs, their_words, log):
                os.close(file)
        os.set_blocking(self._to_them, False)
        if self._first_line:
            self._write(self._first_line)

    def _write(self, line: bytes) -> None:
        """Write a line; not all of it to an srun that does not read for a while, or has ended."""
        end_s = time.monotonic() + _WRITING_S
        with suppress(OSError):
            while line and time.monotonic() < end_s:
                try:
                    line = line[os.write(self._to_them, line) :]
                except BlockingIOError:
                    time.sleep(_LOOK_AGAIN_S)

    def _hang_up(self) -> None:
        if self._to_them >= 0:
            os.close(self._to_them)
            self._to_them = -1

    def _listen(self) -> None:
        for start in range(_MOST_STARTS):
            if start:
                time.sleep(_PAUSE_S)
                with self._changing:
                    if self._ending:
                        break
                    self._hang_up()
                    try:
                        self._start()
                    except OSError:
                        break
            with os.fdopen(self._from_them, "rb") as words:
                for line in words:
                    self._hear(line.decode(errors="replace").strip())
            with suppress(OSError):
                os.waitpid(self._pid, 0)
            if self._ending:
                break
        self._over.set()


def _environ(environ: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in environ.items() if k.startswith(_KEPT) or not k.startswith(_OF_THE_SCRIPT)}
