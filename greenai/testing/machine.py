"""A fake machine: sysfs and procfs as small text files in a folder, and a clock that obeys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from greenai.core.units import NS_PER_S
from greenai.host.machine import Host
from greenai.host.nvml import NO_LIBRARY, NvmlLoad

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from greenai.host.nvml import NvmlApi

_CPU = """processor\t: {number}
vendor_id\t: {vendor}
model name\t: {model}
physical id\t: {socket}
flags\t\t: fpu{flags}
"""


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, mono_ns: int = 1_000 * NS_PER_S, wall_ns: int = 1_790_000_000 * NS_PER_S) -> None:
        self._mono_ns = mono_ns
        self._wall_ns = wall_ns

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._mono_ns += round(seconds * NS_PER_S)
        self._wall_ns += round(seconds * NS_PER_S)

    def mono_ns(self) -> int:
        """Return the monotonic time."""
        return self._mono_ns

    def wall_ns(self) -> int:
        """Return the wall clock."""
        return self._wall_ns


@dataclass
class FakeMachine:
    """Builds the files of a machine under ``root``.

    Attributes:
        root: An empty folder.
        clock: Its clock.
        environ: Its environment variables.
        nvml: Its NVIDIA library, if any.
        cpu_tdp_w: What the user said about the CPU.
    """

    root: Path
    clock: FakeClock = field(default_factory=FakeClock)
    environ: Mapping[str, str] = field(default_factory=dict)
    nvml: NvmlApi | None = None
    cpu_tdp_w: float | None = None

    def __post_init__(self) -> None:
        self.write("proc/stat", "cpu 0 0 0 0 0 0 0 0 0 0\n")
        self.write("proc/meminfo", "MemTotal: 16000000 kB\nMemFree: 1 kB\nMemAvailable: 8000000 kB\n")
        self.cpu("Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz")

    @property
    def host(self) -> Host:
        """The machine as collectors see it."""
        return Host(
            name="fake",
            sys_root=self.root / "sys",
            proc_root=self.root / "proc",
            environ=self.environ,
            clock=self.clock,
            load_nvml=lambda: NvmlLoad(self.nvml) if self.nvml else NvmlLoad(None, NO_LIBRARY),
            cpu_tdp_w=self.cpu_tdp_w,
        )

    def write(self, path: str, text: str) -> Path:
        """Write a file, in place, so that whoever holds it open reads the new content."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w") as stream:
            stream.write(text)
        return file

    def cpu(
        self, model: str, *, vendor: str = "GenuineIntel", cpus: int = 4, sockets: int = 1, virtual: bool = False
    ) -> None:
        """Describe the processors."""
        flags = " hypervisor" if virtual else ""
        blocks = [
            _CPU.format(number=n, vendor=vendor, model=model, socket=n * sockets // cpus, flags=flags)
            for n in range(cpus)
        ]
        self.write("proc/cpuinfo", "\n".join(blocks))

    def busy(self, ticks: int, idle: int = 0) -> None:
        """Set the busy time of all CPUs since boot, in ticks of 10 ms."""
        self.write("proc/stat", f"cpu {ticks} 0 0 {idle} 0 0 0 0 0 0\ncpu0 {ticks} 0 0 {idle} 0 0 0 0 0 0\n")

    def rapl(self, zone: str, name: str, energy_uj: int, range_uj: int | None = 262_143_328_850) -> Path:
        """Add a powercap zone, e.g. ``rapl("intel-rapl:0:1", "dram", 5)``; return its energy file."""
        folder = f"sys/class/powercap/{zone}"
        self.write(f"{folder}/name", f"{name}\n")
        if range_uj is not None:
            self.write(f"{folder}/max_energy_range_uj", f"{range_uj}\n")
        return self.write(f"{folder}/energy_uj", f"{energy_uj}\n")
