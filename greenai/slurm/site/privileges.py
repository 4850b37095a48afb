"""How a site's collector stops being root: in its own process, and before it opens anything of his.

A process that executes a program as the user can be taken over by him through a debugger, until it forbids that.
One that only changes its user cannot: from then on the kernel lets nobody debug it (PR_SET_DUMPABLE of prctl(2)).
For the same reason it starts no program once it is the user's: those could be debugged.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

# Slurm's own daemons go further (-1000); the job's programs stay at 0.
_OOM_SCORE = "-500"
# As what is spared must not grow: nobody is to fill a node with a process outside of his job's limits.
_MOST_MEMORY_BYTES = 1 << 30
_STARTS_A_PROGRAM = frozenset(
    {"subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}
)
_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4  # linux/prctl.h


def spare_from_want_of_memory() -> None:
    """As root, have the kernel end the job's programs before this process when memory is short (proc(5)).

    In return it gets no more than 1 GiB, whatever it reads.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY_BYTES, _MOST_MEMORY_BYTES))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")


def become(user: int, group: int, *groups: int) -> None:
    """Become a user for good, one whose other processes can neither look into this one nor work through it.

    Args:
        user: Number of the user.
        group: Number of the group.
        *groups: Numbers of all groups.

    Raises:
        PermissionError: This process is not entirely his, or could be debugged.
    """
    os.setgroups(groups)
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    if os.getresuid() != (user,) * 3 or os.getresgid() != (group,) * 3 or set(os.getgroups()) != set(groups):
        raise PermissionError(f"not user {user}, group {group}")
    if user != 0 and _can_return():
        raise PermissionError(f"user {user} could become root again")
    _keep_debuggers_out()
    sys.addaudithook(_start_no_program)  # can never be removed


def _start_no_program(event: str, _arguments: tuple[object, ...]) -> None:
    """Refuse what would start a program; a sensor that needs one is said to be missing.

    Raises:
        PermissionError: Always, of such an event.
    """
    if event in _STARTS_A_PROGRAM:
        raise PermissionError(f"{event}: a site's collector starts no programs")


def _can_return() -> bool:
    try:
        os.setuid(0)
    except OSError:
        return False
    return True


def _keep_debuggers_out() -> None:
    """Say once more what the change of user said: a system may be set (fs.suid_dumpable=1) not to hear that.

    Raises:
        PermissionError: The kernel does not do it.
    """
    library = ctypes.CDLL(None)
    library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if library.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise PermissionError("a debugger could look into the collector")
