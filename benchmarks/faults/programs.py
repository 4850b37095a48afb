"""The programs that things happen to."""

from __future__ import annotations

from textwrap import indent

_SAY = """import os, signal, sys, time
def say(word):
    os.write(1, f"{word} {time.monotonic_ns()}\\n".encode())
"""
_TRACKED = """{before}
import greenai
say("asks")
with greenai.track("fault") as run:
    say("begins")
{body}
    say("done")
say("left")
{after}
"""
WAIT = "time.sleep(120)"


def tracked(body: str = WAIT, *, before: str = "", after: str = "") -> str:
    """Return a program that tracks itself.

    Args:
        body: What it does meanwhile.
        before: What it does before it imports greenai.
        after: What it does when the run is over.
    """
    return _SAY + _TRACKED.format(before=before, body=indent(body, "    "), after=after)


def plain(body: str = WAIT) -> str:
    """Return a program that knows nothing of greenai, to be run by ``greenai run``."""
    return f'{_SAY}say("begins")\n{body}\nsay("done")\n'


def guarded(source: str) -> str:
    """Return the program with its statements under ``if __name__ == "__main__"``, as spawned workers need it."""
    return f'if __name__ == "__main__":\n{indent(source, "    ")}'
