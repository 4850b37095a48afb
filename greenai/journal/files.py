"""The files of a run's folder: opened once, and what is open is judged.

What a path leads to may be another file, a pipe or a link the next moment, where others can write; what is open
stays what it is.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from greenai.host import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    Fits = Callable[[os.stat_result], bool]
    """Says of an open file whether it is one of the run."""

# Of a link that is not followed, of a socket, and of what is gone meanwhile.
_NO_FILE = frozenset({errno.ELOOP, errno.ENXIO, errno.ENOENT})


def open_regular(path: Path, fits: Fits | None = None) -> BinaryIO | None:
    """Open a file to read it; None if it is none, or none of the run. A pipe keeps nobody waiting.

    Args:
        path: Where it should be.
        fits: Where it is asked for, no link is followed; by default every file is one of the run.

    Raises:
        OSError: It cannot be read.
    """
    try:
        file = files.open_regular(path, follow=fits is None)
    except files.NotAFileError:
        return None
    except OSError as error:
        if error.errno in _NO_FILE:
            return None
        raise
    if fits is not None and not fits(os.fstat(file.fileno())):
        file.close()
        return None
    return file
