"""Starting a process beside the tracked program that is no child of it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# The shell puts the process behind itself and ends: so it is no child of the tracked program, and one that waits
# for its children (os.wait) does not wait for it. A background command reads /dev/null unless told otherwise.
LEAST_BELL = 4  # the shell uses the numbers below
_DETACHED = ("sh", "-c", 'exec 3<&0; "$@" <&3 3<&- &', "sh")


def start_detached(module: str, stdin: int, bell: int) -> subprocess.Popen[bytes] | None:
    """Start a Python module behind a shell that ends at once; where there is no shell, as a child, and return it.

    The end of the shell is waited for, a millisecond: the program must not meet it when it waits for its own.

    Args:
        module: What to start; a name by which it is known in the list of processes.
        stdin: File descriptor that becomes its standard input.
        bell: Another one that it gets, with the same number, ``LEAST_BELL`` or higher.

    Raises:
        OSError: No process can be started.
    """
    # A session of its own: what is meant for the program's group (Ctrl-C, a kill of all of it) passes it by.
    options: Any = {
        "stdin": stdin,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "start_new_session": True,
        "pass_fds": (bell,),
    }
    # -P: a file named like a standard module in the user's folder must not be imported.
    command = (interpreter(), "-P", "-m", module)
    listens = callable(signal.getsignal(signal.SIGCHLD))
    try:
        with _no_news_of_children() if listens else nullcontext():
            code = subprocess.call([*_DETACHED, *command], **options)
    except FileNotFoundError:
        return subprocess.Popen(command, **options)
    if code != 0:
        raise OSError(code, "the shell could start no process")
    return None


@contextmanager
def _no_news_of_children() -> Iterator[None]:
    """Keep the death of the shell from a program that listens for the deaths of its own children."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    try:
        yield
    finally:
        came = signal.sigtimedwait({signal.SIGCHLD}, 0) is not None
        with suppress(ChildProcessError):
            if came and os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                signal.raise_signal(signal.SIGCHLD)  # one of the program's own ended meanwhile
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def interpreter() -> str:
    """Return the Python interpreter; inside another program (a web server) that is not ``sys.executable``.

    Raises:
        FileNotFoundError: There is none.
    """
    for path in (sys.executable or "", f"{sys.prefix}/bin/python3"):
        if os.path.basename(path).startswith(("python", "pypy")) and os.access(path, os.X_OK):  # noqa: PTH119  # hot
            return path
    raise FileNotFoundError(errno.ENOENT, "no Python interpreter", sys.executable)
