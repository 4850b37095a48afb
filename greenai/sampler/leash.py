"""The line between the tracked program and a sampler in its own process: the words on it, and the sampler's end.

The program's end is ``greenai.tracking.session.line``.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from greenai.host import this_host
from greenai.host.processes import program_image, start_ticks
from greenai.journal.format import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from greenai.sampler.order import SamplingOrder

STOP_WORD = b"stop\n"
BELL_BYTES = 8  # whoever rings says when, on the monotonic clock in nanoseconds
SIGN_OF_LIFE = b"."
SIGN_EVERY_S = 5.0
# A vendor's counters renew their value every 20 to 100 ms: whoever rings more often learns nothing more.
_REST_S = 0.005


class Leash:
    """Waits for the stop word, or for the end of the tracked program.

    A program may close the other end of our stdin without knowing (``os.closerange``); then its life decides. One
    that has executed another program has forgotten the run: that is its end.
    """

    def __init__(self, order: SamplingOrder) -> None:
        self._pid = order.pid
        self._image = program_image(order.pid)
        host_name = this_host(order.knowledge).name.replace("/", "_")
        self._journal = Path(order.folder) / f"{host_name}-{order.pid}{SUFFIX}"
        self._line = [0]
        self._bell: list[int] = []
        if order.bell >= 0:
            self._bell = [os.dup(order.bell)]  # a low number: select() takes none above 1023
            os.close(order.bell)
        try:
            self._life = [os.pidfd_open(order.pid)]
        except OSError:  # it is dead, or the kernel is older than 5.3
            self._life = []
        self._sign_s = 0.0
        # Its number may be another's by now.
        self.orphaned = self._image is None or start_ticks(order.pid) != order.started_ticks

    def say(self, names: Iterable[str]) -> None:
        """Tell the tracked program which collectors are read when it rings."""
        with suppress(OSError):
            os.write(0, " ".join(names).encode() + b"\n")

    def pause(self, seconds: float, rung: Callable[[int], None] | None = None) -> bool:
        """Wait; True when the tracked program said stop or is gone.

        Args:
            seconds: How long.
            rung: Called when the program rings; told when it first rang, nanoseconds on the monotonic clock.
        """
        self._give_sign_of_life()
        # A program that said stop and ended at once is no orphan: the word is still there.
        end_s = time.monotonic() + (0.0 if self.orphaned else seconds)
        while True:
            left_s = max(end_s - time.monotonic(), 0.0)
            bell = self._bell if rung is not None else []
            readable, _, _ = select.select(self._line + self._life + bell, [], [], left_s)
            if 0 in readable:
                if self._heard(0, len(STOP_WORD)) == STOP_WORD:
                    self.orphaned = False
                    return True
                self._line = []
            if not self._line and self._has_closed():
                return True
            self.orphaned = self.orphaned or not self._lives(readable)
            if self.orphaned or rung is None or not set(bell) & set(readable):
                return self.orphaned
            self._answer_bell(rung)

    def _answer_bell(self, rung: Callable[[int], None]) -> None:
        words = self._heard(self._bell[0], 4096)
        if not words:
            self._bell = []  # closed over there
            return
        rung(int.from_bytes(words[:BELL_BYTES], "little"))
        time.sleep(_REST_S)

    @staticmethod
    def _heard(end: int, most: int) -> bytes:
        """Return what has come; nothing if the other end is closed."""
        try:
            return os.read(end, most)
        except ConnectionResetError:  # closed before it had read all that we said
            return b""

    def _has_closed(self) -> bool:
        """Say whether the program has closed its journal: where the line is gone, no other word can come."""
        with suppress(OSError), self._journal.open("rb") as file:
            file.seek(-min(self._journal.stat().st_size, 200), os.SEEK_END)
            return file.read().rstrip().rpartition(b"\n")[2].startswith(b'{"k":"close"')
        return False

    def _give_sign_of_life(self) -> None:
        now_s = time.monotonic()
        if self._line and now_s - self._sign_s >= SIGN_EVERY_S:
            self._sign_s = now_s
            with suppress(OSError):
                os.write(0, SIGN_OF_LIFE)

    def _lives(self, readable: list[int]) -> bool:
        if self._life and self._life[0] in readable:
            return False
        if self._line and self._life:
            return True
        return program_image(self._pid) == self._image
