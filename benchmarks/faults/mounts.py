"""File systems that are full, broken or away, in a mount namespace of this process."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.faults.place import Place

SOURCES = Path(__file__).with_name("lab")
BUILT = Path("~/.cache/greenai-benchmarks/faults").expanduser()
_CLONE_NEWNS = 0x00020000
_building = threading.Lock()


@lru_cache
def own_mounts() -> None:
    """Leave the machine's mounts: what is mounted from now on, nobody else sees, and it ends with this process.

    Raises:
        OSError: That needs root.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())}: the table of faults needs root")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def built(name: str, *options: str) -> Path:
    """Compile a source of ``lab/``; return the result."""
    source = SOURCES / f"{name}.c"
    target = BUILT / name
    with _building:
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            BUILT.mkdir(parents=True, exist_ok=True)
            new = target.with_suffix(f".{os.getpid()}")
            command = ["gcc", "-O2", "-D_FILE_OFFSET_BITS=64", "-I/usr/include/fuse3", "-o", str(new), str(source)]
            subprocess.run([*command, *options], check=True)
            new.rename(target)
    return target


class Tmpfs:
    """A small file system in memory, as the place's spool; it can be filled."""

    def __init__(self, place: Place, size_kib: int = 256) -> None:
        self._filler = place.spool / "filler"
        place.spool.mkdir()
        options = f"size={size_kib}k,mode=777"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place.spool)], check=True)

    def fill(self) -> None:
        """Leave no byte free; the file that was written to last has room up to the end of its page."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self) -> None:
        """Give the space back."""
        self._filler.unlink()


class Ext4:
    """A real file system on a loop device, as the place's spool; it can break."""

    def __init__(self, place: Place) -> None:
        self._spool = place.spool
        image = place.root / "ext4"
        place.spool.mkdir()
        with image.open("wb") as file:
            file.truncate(8 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True, capture_output=True)
        self._mount("-o", "loop", str(image))

    def read_only(self) -> None:
        """Mount it read-only, before anything is written."""
        self._mount("-o", "remount,ro")

    def abort(self) -> None:
        """Do what the kernel does when the disk fails under it: everything written from now on is EROFS.

        What was written so far has reached the disk: otherwise the kernel would throw that away too.
        """
        subprocess.run(["sync", "-f", str(self._spool)], check=True)
        self._mount("-o", "remount,abort")

    def _mount(self, *words: str) -> None:
        subprocess.run(["mount", *words, str(self._spool)], check=True, capture_output=True)


class Faulty:
    """A file system of our own (``lab/faulty.c``), as the place's spool; it answers errors, or hangs."""

    def __init__(self, place: Place) -> None:
        self.behind = place.root / "behind"
        self._control = place.root / "control"
        self.behind.mkdir(mode=0o777)
        place.spool.mkdir()
        self._control.write_text("0 0")
        program = built("faulty", "-lfuse3")
        place.run_beside([str(program), str(self.behind), str(self._control), str(place.spool)])
        place.until(lambda: os.path.ismount(place.spool), say="FUSE does not mount")

    def says(self, error: int = 0, hangs_s: float = 0.0) -> None:
        """Answer every operation by this errno (0: as it should), after so many seconds."""
        new = self._control.with_suffix(".new")
        new.write_text(f"{error} {hangs_s}")
        new.rename(self._control)
        time.sleep(0.01)
