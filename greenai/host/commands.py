"""Starting a vendor's program and reading what it prints. Never raises, never waits longer than told."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence


class CommandResult(NamedTuple):
    """What a program said.

    Attributes:
        output: Its standard output; empty if it failed.
        reason: None if it ended with 0; else ``not_found``, ``timeout``, or its error text or exit code.
    """

    output: str
    reason: str | None = None


NOT_FOUND = "not_found"
TIMEOUT = "timeout"
_ENVIRON = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin:/opt/rocm/bin", "LC_ALL": "C"}


class RunCommand(Protocol):
    """Runs a program; see ``run_command``."""

    def __call__(
        self, command: Sequence[str], timeout_s: float, environ: Mapping[str, str] | None = None, /
    ) -> CommandResult:
        """Run it to its end."""


def run_command(
    command: Sequence[str], timeout_s: float, environ: Mapping[str, str] | None = None, /
) -> CommandResult:
    """Run a program to its end.

    It gets no input, and a session of its own: a Ctrl-C meant for the tracked program does not reach it.

    Args:
        command: Program and arguments; no shell is involved.
        timeout_s: It is killed after this many seconds, with everything it started.
        environ: Its environment variables; by default only a fixed PATH and the language C.
    """
    import subprocess

    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_ENVIRON if environ is None else environ,
            start_new_session=True,
        )
    except (FileNotFoundError, NotADirectoryError):
        return CommandResult("", NOT_FOUND)
    except (OSError, ValueError, IndexError) as error:
        return CommandResult("", getattr(error, "strerror", None) or str(error))
    try:
        output, errors = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        _end(process)
        return CommandResult("", TIMEOUT)
    if process.returncode != 0:
        lines = errors.decode(errors="replace").strip().splitlines()
        return CommandResult("", lines[-1] if lines else f"exit code {process.returncode}")
    return CommandResult(output.decode(errors="replace"))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a program and its children, and do not wait for one that cannot be killed."""
    import os
    import signal
    import subprocess
    from contextlib import suppress

    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        process.returncode = -signal.SIGKILL  # nobody will wait for it, and Popen need not complain
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
