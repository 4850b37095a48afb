"""The kernel's ``perf_event_open``, for counters of a whole machine (the ``power`` PMU)."""

from __future__ import annotations

import errno
import os
import struct
import sys
from typing import Protocol

from greenai.host.descriptors import Descriptor

# perf_event_open(2), by architecture; other machines have no power PMU.
_SYSCALL = {"x86_64": 298, "aarch64": 241}
_ATTR_SIZE = 128
_FLAG_FD_CLOEXEC = 8


class PerfCounter(Protocol):
    """An open counter."""

    def read(self) -> int:
        """Return the count since the opening. It is signed: what a kernel's driver adds may be.

        Raises:
            OSError, ValueError: It gives none.
        """

    def close(self) -> None:
        """Give it back."""


class _KernelCounter:
    """A counter behind a file descriptor: eight bytes, native order (perf_event_open(2))."""

    def __init__(self, file: int) -> None:
        self._file = Descriptor(file)

    def read(self) -> int:
        if not self._file.ours:  # reading what is somebody else's by now would move its position
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return int.from_bytes(_eight(os.read(self._file.number, 8)), sys.byteorder, signed=True)

    def close(self) -> None:
        self._file.close()


def _eight(data: bytes) -> bytes:
    if len(data) != 8:  # noqa: PLR2004
        raise ValueError(f"a counter of {len(data)} bytes")
    return data


def open_perf_counter(pmu_type: int, config: int, cpu: int) -> PerfCounter:
    """Open a counting event on one CPU, for all processes.

    Args:
        pmu_type: Content of ``/sys/bus/event_source/devices/<pmu>/type``.
        config: The event's number within the PMU.
        cpu: The CPU to open it on, from the PMU's ``cpumask``.

    Raises:
        OSError: The kernel refuses (EACCES: neither CAP_PERFMON nor perf_event_paranoid <= 0), or knows no such
            event.
    """
    import ctypes

    number = _SYSCALL.get(os.uname().machine)
    if not sys.platform.startswith("linux") or number is None:
        raise OSError("no perf_event_open on this machine")
    # struct perf_event_attr: u32 type, u32 size, u64 config; all else 0.
    attributes = struct.pack("=IIQ", pmu_type, _ATTR_SIZE, config).ljust(_ATTR_SIZE, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    file = libc.syscall(
        ctypes.c_long(number), attributes, ctypes.c_int(-1), ctypes.c_int(cpu), ctypes.c_int(-1),
        ctypes.c_ulong(_FLAG_FD_CLOEXEC),
    )  # fmt: skip
    if file < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return _KernelCounter(int(file))
