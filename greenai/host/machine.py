"""``Host``: everything the measuring path may know of a machine, in one object that tests can replace."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from greenai.host.amdsmi import AmdSmiLoad, load_amdsmi
from greenai.host.commands import RunCommand, run_command
from greenai.host.nvml import NvmlLoad, load_nvml
from greenai.host.perf import PerfCounter, open_perf_counter
from greenai.host.web import JsonAnswer, fetch_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_T = TypeVar("_T")


class Clock(Protocol):
    """Time: monotonic for intervals, wall clock only to say when something was."""

    def mono_ns(self) -> int:
        """Return monotonic nanoseconds, comparable between processes of one host."""

    def wall_ns(self) -> int:
        """Return nanoseconds since the epoch."""

    def asleep_ns(self) -> int:
        """Return for how long the machine was suspended since it booted; the monotonic clock stood still then."""


class SystemClock:
    """The machine's own clocks."""

    # Not wrapped: marks of the tracked program wait for them.
    mono_ns = staticmethod(time.monotonic_ns)
    wall_ns = staticmethod(time.time_ns)

    def asleep_ns(self) -> int:
        """Return CLOCK_BOOTTIME less CLOCK_MONOTONIC; 0 where there is no such clock."""
        if not hasattr(time, "CLOCK_BOOTTIME"):
            return 0
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()


@dataclass(frozen=True, slots=True)
class SiteKnowledge:
    """What the settings say about the machine that it does not say itself.

    Attributes:
        cpu_tdp_w: Thermal design power of all CPUs (in a virtual machine: of its share), watts.
        redfish_url: Address of the management controller, e.g. ``https://10.0.0.5``.
        redfish_user: Its user.
        redfish_password: The password.
        redfish_verify_tls: False accepts a self-signed certificate.
    """

    cpu_tdp_w: float | None = None
    redfish_url: str | None = None
    redfish_user: str | None = None
    redfish_password: str | None = field(default=None, repr=False)
    redfish_verify_tls: bool = True


@dataclass(frozen=True)
class Host:
    """One machine.

    Attributes:
        name: Host name.
        sys_root: Where sysfs is mounted.
        proc_root: Where procfs is mounted.
        dev_root: Where the device files are.
        run_root: Where sockets of services are (``/run``).
        environ: Environment variables.
        clock: Its clocks.
        load_nvml: Loads NVIDIA's library, or says why not.
        load_amdsmi: Loads AMD's library, or says why not.
        run_command: Runs a program: (command, timeout in seconds, environment variables).
        open_perf_counter: Opens a kernel counter: (PMU type, config, CPU); raises OSError.
        fetch_json: Asks a management controller: (url, user, password, timeout in seconds, verify TLS).
        platform: As ``sys.platform`` says.
        knowledge: What the settings say about it.
        memo: What was already found out, see ``once_per_host``.
    """

    name: str
    sys_root: Path
    proc_root: Path
    environ: Mapping[str, str]
    clock: Clock
    load_nvml: Callable[[], NvmlLoad]
    dev_root: Path = Path("/dev")
    run_root: Path = Path("/run")
    load_amdsmi: Callable[[], AmdSmiLoad] = load_amdsmi
    run_command: RunCommand = run_command
    open_perf_counter: Callable[[int, int, int], PerfCounter] = open_perf_counter
    fetch_json: Callable[[str, str | None, str | None, float, bool], JsonAnswer] = fetch_json
    platform: str = sys.platform
    knowledge: SiteKnowledge = SiteKnowledge()
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def cpu_info(self) -> str:
        """Content of /proc/cpuinfo, empty where there is none."""
        return read_text(self.proc_root / "cpuinfo") or ""


def once_per_host(find: Callable[[Host], _T]) -> Callable[[Host], _T]:
    """Make a function of a host remember its answer there: several sensors ask the same before each run."""

    @wraps(find)
    def remembered(host: Host) -> _T:
        key = f"{find.__module__}.{find.__qualname__}"
        if key not in host.memo:
            host.memo[key] = find(host)
        found: _T = host.memo[key]
        return found

    return remembered


def this_host(knowledge: SiteKnowledge | None = None) -> Host:
    """Return the machine this program runs on."""
    return Host(
        name=os.uname().nodename,
        sys_root=Path("/sys"),
        proc_root=Path("/proc"),
        environ=os.environ,
        clock=SystemClock(),
        load_nvml=load_nvml,
        knowledge=knowledge or SiteKnowledge(),
    )


def read_text(path: Path) -> str | None:
    """Return the content of a small file, or None if it cannot be read for whatever reason."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
