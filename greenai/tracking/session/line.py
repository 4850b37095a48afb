"""What passes between the tracked program and its sampler: sockets of ours in somebody else's program."""

from __future__ import annotations

import fcntl
import select
import socket
import termios
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from greenai.core.units import NS_PER_MS
from greenai.host.descriptors import Descriptor
from greenai.sampler.leash import BELL_BYTES, SIGN_OF_LIFE

if TYPE_CHECKING:
    from collections.abc import Callable

_NOTHING = bytes(4)
# A driver that hangs holds the sampler up for a quarter of a second, once.
_GIVEN_UP_NS = 500 * NS_PER_MS
_FLAGS = socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT


class _End:
    """Our end of a socket to the sampler. Writing to a pipe that nobody reads would raise a signal."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._descriptor = Descriptor(end.fileno())

    @property
    def number(self) -> int:
        """Its file descriptor."""
        return self._end.fileno()

    @property
    def ours(self) -> bool:
        """Whether it is still the socket it was, and not a file of the program's."""
        return self._descriptor.ours

    def write(self, words: bytes) -> bool:
        """Write, if somebody reads. Waits for nobody. False if the end is no longer ours."""
        if not self._descriptor.ours:
            return False
        with suppress(OSError):
            self._end.send(words, _FLAGS)
        return True

    def read(self) -> bytes:
        """Return what has come; nothing if the other end is closed.

        Raises:
            OSError: Nothing has come.
        """
        return self._end.recv(256, socket.MSG_DONTWAIT)

    def unread(self) -> bool:
        """Say whether the other end has not read all that was written, as far as that is known."""
        try:
            return self._descriptor.ours and fcntl.ioctl(self.number, termios.TIOCOUTQ, _NOTHING) != _NOTHING
        except OSError:
            return False

    def close(self) -> None:
        """Close it, if it is still ours."""
        self._descriptor.close()
        self._end.detach()


class Line:
    """The line to a sampler: its stdin, which speaks both ways, and a bell.

    The bell is apart, since whoever rings often fills it up; the word to stop must always get through.
    """

    def __init__(self, end: socket.socket, bell: socket.socket, learn: Callable[[frozenset[str]], None]) -> None:
        self._end = _End(end)
        self._bell = _End(bell)
        self.write = self._end.write
        self._learn = learn
        self._spoke = False
        self._heard = b""
        self._unheard_ns = 0  # since when somebody rings in vain

    @property
    def ours(self) -> bool:
        """Whether the sampler can still be reached."""
        return self._end.ours

    def ring(self) -> bool:
        """Ring, and say when; False if the bell is no longer ours, or nobody has heard it for a while."""
        now_ns = time.monotonic_ns()
        if not self._bell.unread():
            self._unheard_ns = now_ns
        elif now_ns - self._unheard_ns > _GIVEN_UP_NS:
            return False
        return self._bell.write(now_ns.to_bytes(BELL_BYTES, "little"))

    def has_spoken(self) -> bool:
        """Say whether anything has ever come from the other end."""
        poll = select.poll()
        with suppress(OSError, ValueError):
            poll.register(self._end.number, select.POLLIN)
            # In this order: what was taken out of the socket meanwhile is in the flag.
            return bool(poll.poll(0)) or self._spoke
        return self._spoke

    def close(self) -> None:
        """Close both, if they are still ours."""
        self._end.close()
        self._bell.close()

    def wait_for_reader_to_go(self, patience_s: float) -> None:
        """Return when the other end is closed, or has given no sign of life for this long: it hangs."""
        poll = select.poll()
        try:
            poll.register(self._end.number, select.POLLIN)
            # Twice: after a stop of the whole machine time is up for this end before the other one can speak.
            while poll.poll(patience_s * 1000) or poll.poll(patience_s * 1000):
                self._spoke = True
                if not self.ours or not self._hear(self._end.read()):
                    return
        except (OSError, ValueError):
            return

    def _hear(self, words: bytes) -> bool:
        """Take in signs of life, and the line that says what is read there; False if the other end is closed."""
        if b"\n" in self._heard + words:
            names = (self._heard + words).lstrip(SIGN_OF_LIFE).partition(b"\n")[0]
            self._learn(frozenset(names.decode().split()))
            words = SIGN_OF_LIFE
        self._heard = (self._heard + words).lstrip(SIGN_OF_LIFE)
        return bool(words)
