"""A control group with little memory."""

from __future__ import annotations

import contextlib
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.faults.place import Place

_ONE, _TWO = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
_INSTEAD = "no control group can be made here: the program kills itself where the kernel would have done it"


@contextmanager
def memory_group(place: Place, limit_bytes: int) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Make a control group (version 1 or 2) with so much memory and no swap.

    Gives the command that enters it, and what was done instead where none can be made.
    """
    group = (_ONE if _ONE.is_dir() else _TWO) / f"greenai-{place.root.name}"
    limits = {"memory.limit_in_bytes": limit_bytes, "memory.memsw.limit_in_bytes": limit_bytes}
    if not _ONE.is_dir():
        limits = {"memory.max": limit_bytes, "memory.swap.max": 0}
    try:
        group.mkdir()
        for name, value in limits.items():
            if (group / name).exists():
                (group / name).write_text(str(value))
        yield ("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"), set()
    except OSError:
        if group.is_dir():
            raise
        yield (), {_INSTEAD}
    finally:
        for _ in range(100 * group.is_dir()):
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.05)
