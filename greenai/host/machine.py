"""``Host``: everything the measuring path may know of a machine, in one object that tests can replace."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from greenai.host.nvml import NvmlLoad, load_nvml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Clock(Protocol):
    """Time: monotonic for intervals, wall clock only to say when something was."""

    def mono_ns(self) -> int:
        """Return monotonic nanoseconds, comparable between processes of one host."""

    def wall_ns(self) -> int:
        """Return nanoseconds since the epoch."""


class SystemClock:
    """The machine's own clocks."""

    def mono_ns(self) -> int:
        """Return CLOCK_MONOTONIC."""
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        """Return CLOCK_REALTIME."""
        return time.time_ns()


@dataclass(frozen=True)
class Host:
    """One machine.

    Attributes:
        name: Host name.
        sys_root: Where sysfs is mounted.
        proc_root: Where procfs is mounted.
        environ: Environment variables.
        clock: Its clocks.
        load_nvml: Loads NVIDIA's library, or says why not.
        cpu_tdp_w: What the user knows about the CPU's thermal design power (whole machine), watts.
    """

    name: str
    sys_root: Path
    proc_root: Path
    environ: Mapping[str, str]
    clock: Clock
    load_nvml: Callable[[], NvmlLoad]
    cpu_tdp_w: float | None = None

    @cached_property
    def cpu_info(self) -> str:
        """Content of /proc/cpuinfo, empty where there is none."""
        return read_text(self.proc_root / "cpuinfo") or ""


def this_host(cpu_tdp_w: float | None = None) -> Host:
    """Return the machine this program runs on."""
    return Host(
        name=os.uname().nodename,
        sys_root=Path("/sys"),
        proc_root=Path("/proc"),
        environ=os.environ,
        clock=SystemClock(),
        load_nvml=load_nvml,
        cpu_tdp_w=cpu_tdp_w,
    )


def read_text(path: Path) -> str | None:
    """Return the content of a small file, or None if it cannot be read for whatever reason."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
