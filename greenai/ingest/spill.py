"""Samples on their way into the database: a thousand hosts' do not fit into memory."""

from __future__ import annotations

import pickle
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from greenai.core.cover import Key
    from greenai.store.chunks import Chunk

# Beyond this they go into a temporary file.
_IN_MEMORY_BYTES = 32 * 1024 * 1024


class Spill:
    """Keeps the samples of channels until they are asked for."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115  # closed by ``close``
        self._begins: dict[Key, int] = {}

    def put(self, key: Key, samples: list[Chunk]) -> None:
        """Keep the samples of a channel.

        Raises:
            OSError: The folder for temporary files is full.
        """
        if samples:
            self._begins[key] = self._file.tell()
            pickle.dump(samples, self._file, pickle.HIGHEST_PROTOCOL)

    def of(self, key: Key) -> Iterator[Chunk]:
        """Return the samples of a channel; nothing if there are none. To be asked for when all have been put."""
        if key in self._begins:
            self._file.seek(self._begins[key])
            yield from pickle.load(self._file)  # noqa: S301  # our own file

    def close(self) -> None:
        """Forget them all."""
        self._file.close()
