"""How a site's collector stops being root: in its own process, and before it opens anything of his.

A process that executes a program as the user can be taken over by him through a debugger, until it forbids that.
One that only changes its user cannot: from then on the kernel lets nobody debug it (PR_SET_DUMPABLE of prctl(2)).
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4  # linux/prctl.h


def become(user: int, group: int, groups: Sequence[int]) -> None:
    """Become a user for good, one whose other processes can neither look into this one nor work through it.

    Args:
        user: Number of the user.
        group: Number of the group.
        groups: Numbers of all groups.

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
