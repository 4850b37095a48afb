"""A program of one try, and what it says about itself."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 30.0


class Program:
    """A program at work, which says on stdout what it is about to do, with the time (``programs.py``)."""

    def __init__(self, process: subprocess.Popen[bytes], asked_ns: int, errors: Path) -> None:
        self.process = process
        self.asked_ns = asked_ns
        self._errors = errors
        self.last_ns = 0  # when it said anything last
        self._said: dict[str, int] = {}
        self._rest = b""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def said(self, word: str) -> int | None:
        """Return when it said a word, monotonic ns; None if it did not."""
        with contextlib.suppress(TimeoutError):
            while True:  # reads what there is
                self.wait_for("\0", 0.0)
        return self._said.get(word)

    def wait_for(self, word: str, seconds: float = PATIENCE_S) -> int:
        """Wait until it says a word; return the time it names.

        Raises:
            TimeoutError: It did not.
        """
        assert self.process.stdout is not None
        file, until_s = self.process.stdout.fileno(), time.monotonic() + seconds
        while word not in self._said:
            ready, _, _ = select.select([file], [], [], max(until_s - time.monotonic(), 0.0))
            data = os.read(file, 65536) if ready else b""
            if not data:
                raise TimeoutError(
                    f"the program did not say {word!r}, only {sorted(self._said)}; {self.stderr[-300:]}"
                )
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                said, _, t_ns = line.decode().partition(" ")
                self._said.setdefault(said, int(t_ns))
                self.last_ns = int(t_ns)
        return self._said[word]

    def wait(self, seconds: float = PATIENCE_S) -> int:
        """Wait for its end; return the exit code.

        Raises:
            TimeoutError: It goes on.
        """
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError("the program does not end") from error

    @property
    def words(self) -> list[str]:
        """Everything it said, in order."""
        return list(self._said)

    @property
    def stderr(self) -> str:
        """What it wrote to stderr so far."""
        return self._errors.read_text(errors="replace")
