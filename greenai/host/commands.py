"""Starting a vendor's program and reading what it prints. Never raises, never waits longer than told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a program said.

    Attributes:
        output: Its standard output; empty if it failed.
        reason: None if it ended with 0; else ``not_found``, ``timeout``, or its error text or exit code.
    """

    output: str
    reason: str | None = None


NOT_FOUND = "not_found"
TIMEOUT = "timeout"


def run_command(command: Sequence[str], timeout_s: float) -> CommandResult:
    """Run a program to its end.

    Args:
        command: Program and arguments; no shell is involved.
        timeout_s: It is killed after this many seconds.
    """
    import subprocess

    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin:/opt/rocm/bin", "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        return CommandResult("", TIMEOUT)
    except OSError:
        return CommandResult("", NOT_FOUND)
    if done.returncode != 0:
        error = done.stderr.decode(errors="replace").strip().splitlines()
        return CommandResult("", error[-1] if error else f"exit code {done.returncode}")
    return CommandResult(done.stdout.decode(errors="replace"))
