"""The batch step of a wrapped job: has a collector started on every node, runs the script, says how it ended.

``main``, called as ``PROGRAM [--SETTING=VALUE ...] -- FOLDER INTERPRETER ... SCRIPT [ARGUMENT ...]``

The script is our child and gets every signal that Slurm sends to the batch step; this process ends as the script
did. Whatever goes wrong with the measurement, the script runs.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from greenai.slurm.collectors import Measured, start_collectors
from greenai.tracking.command.process import Command, inherited_environ, inherited_files, keep_to_ourselves
from greenai.tracking.command.signals import HeldSignals, take_effect

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOT_FOUND = 127
_NOT_EXECUTABLE = 126


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job's script and end as it does."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options, (folder, *command) = words[: words.index("--")], words[words.index("--") + 1 :]
    inherited = inherited_files()
    with HeldSignals() as signals:
        collectors = _start(options, folder)
        keep_to_ourselves(inherited)
        code = _run(command, collectors, signals)
        if collectors is not None:
            with suppress(Exception):  # our failure never changes how the job ended
                collectors.end(code)
        shutil.rmtree(folder, ignore_errors=True)
        # Held until this process ends: a signal that comes now must not change how the script ended.
        _leave(code)


def _start(options: Sequence[str], folder: str) -> Measured | None:
    try:
        return start_collectors(options, folder)
    except Exception as error:  # noqa: BLE001  # our failure never endangers the job
        sys.stderr.write(f"greenai: this job is not measured: {error}\n")
        return None


def _run(command: Sequence[str], collectors: Measured | None, signals: HeldSignals) -> int:
    environ = inherited_environ()
    if collectors is not None:
        environ.update(collectors.environ)
    program = shutil.which(command[0])
    if program is None:
        sys.stderr.write(f"{command[0]}: not found\n")
        return _NOT_FOUND
    try:
        return Command(program, command, environ, signals, leads=True).wait()
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return _NOT_EXECUTABLE


def _leave(code: int) -> None:
    """End as the script did, by the same signal if it was one: Slurm's accounting is to say the same."""
    sys.stdout.flush()
    if code < 0:
        with suppress(OSError, ValueError):  # SIGKILL has no handler
            signal.signal(-code, signal.SIG_DFL)
        import resource

        with suppress(OSError, ValueError):  # a core dump of the script is enough
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        take_effect(-code) if -code != signal.SIGKILL else os.kill(os.getpid(), signal.SIGKILL)
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
