"""Standard output and standard error that may be full, closed, or a pipe whose reader has gone."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import Any

from greenai.core.errors import GreenAIError
from greenai.core.text import Text

_STDOUT = 1
_CLOSED = -1

_NOT_WRITTEN = Text(de="Die Ausgabe ließ sich nicht schreiben: {reason}", en="write error: {reason}")


class OutputError(GreenAIError):
    """What was to go to standard output could not be written.

    Attributes:
        reason: What the system said.
        reader_gone: It is a pipe, and its reader has seen enough (``greenai runs | head``).
    """

    def __init__(self, error: OSError) -> None:
        # No OSError itself: click would take a broken pipe for its own affair.
        self.reason = error.strerror or str(error)
        super().__init__(_NOT_WRITTEN.format(reason=self.reason))
        self.reader_gone = error.errno == errno.EPIPE


class _Stdout(io.RawIOBase):
    """Fails once; what comes after is thrown away, so that it does not fail once more at exit."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._failed = False

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: Any, /) -> int:
        if self._failed:
            return len(data)
        try:
            return os.write(self._descriptor, data)
        except OSError as error:
            self._failed = True
            raise OutputError(error) from error


def watch_stdout() -> None:
    """Let standard output raise ``OutputError``, whoever writes to it."""
    before = sys.stdout
    # Where our caller closed it, its number may by now be that of a file of ours.
    raw = _Stdout(_STDOUT if before is not None else _CLOSED)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before is not None else "utf-8",
        errors=before.errors if before is not None else "strict",
        line_buffering=raw.isatty(),
    )


def flush_stdout() -> None:
    """Write what is still held back.

    Raises:
        OutputError: It cannot be written.
    """
    sys.stdout.flush()


def tell(line: str) -> None:
    """Write a line to stderr. One that cannot be written is left out: it must not change the exit code."""
    if sys.stderr is None:
        return  # closed by our caller; print() would take stdout instead
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # flushed once more at exit
