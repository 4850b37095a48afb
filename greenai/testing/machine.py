"""A fake machine: sysfs and procfs as small text files in a folder, and a clock that obeys."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from greenai.core.units import NS_PER_S
from greenai.host.amdsmi import NO_LIBRARY as NO_AMDSMI
from greenai.host.amdsmi import AmdSmiLoad
from greenai.host.commands import NOT_FOUND, CommandResult
from greenai.host.machine import Host, SiteKnowledge
from greenai.host.nvml import NO_LIBRARY, NvmlLoad
from greenai.host.web import JsonAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from greenai.host.amdsmi import AmdSmiApi
    from greenai.host.nvml import NvmlApi
    from greenai.host.perf import PerfCounter

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
        self._asleep_ns = 0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._mono_ns += round(seconds * NS_PER_S)
        self._wall_ns += round(seconds * NS_PER_S)

    def sleep(self, seconds: float) -> None:
        """Suspend the machine for a while."""
        self._wall_ns += round(seconds * NS_PER_S)
        self._asleep_ns += round(seconds * NS_PER_S)

    def mono_ns(self) -> int:
        """Return the monotonic time."""
        return self._mono_ns

    def wall_ns(self) -> int:
        """Return the wall clock."""
        return self._wall_ns

    def asleep_ns(self) -> int:
        """Return for how long it was suspended."""
        return self._asleep_ns


class FakePerfCounter:
    """A kernel counter whose count a test sets."""

    def __init__(self, machine: FakeMachine, key: tuple[int, int, int]) -> None:
        self._machine = machine
        self._key = key
        self._start = machine.perf[key]

    def read(self) -> int:
        """Return the count since the opening."""
        if self._machine.silent:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return self._machine.perf[self._key] - self._start

    def close(self) -> None:
        """Do nothing."""


@dataclass
class FakeMachine:
    """Builds the files of a machine under ``root``.

    Attributes:
        root: An empty folder.
        clock: Its clock.
        environ: Its environment variables.
        nvml: Its NVIDIA library, if any.
        amdsmi: Its AMD library, if any.
        knowledge: What the settings say about it.
        platform: As ``sys.platform`` says.
        commands: What its programs print, by their whole command line joined with blanks.
        perf: Counts of its kernel counters by (PMU type, config, CPU).
        perf_denied: True if the kernel lets nobody open them.
        web: JSON documents by address.
        silent: True while every sensor fails; see ``silenced``.
    """

    root: Path
    clock: FakeClock = field(default_factory=FakeClock)
    environ: Mapping[str, str] = field(default_factory=dict)
    nvml: NvmlApi | None = None
    amdsmi: AmdSmiApi | None = None
    knowledge: SiteKnowledge = field(default_factory=SiteKnowledge)
    platform: str = "linux"
    commands: dict[str, str] = field(default_factory=dict)
    perf: dict[tuple[int, int, int], int] = field(default_factory=dict)
    perf_denied: bool = False
    web: dict[str, Any] = field(default_factory=dict)
    silent: bool = False

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
            dev_root=self.root / "dev",
            run_root=self.root / "run",
            environ=self.environ,
            clock=self.clock,
            load_nvml=lambda: NvmlLoad(self.nvml) if self.nvml else NvmlLoad(None, NO_LIBRARY),
            load_amdsmi=lambda: AmdSmiLoad(self.amdsmi) if self.amdsmi else AmdSmiLoad(None, NO_AMDSMI),
            run_command=self._run_command,
            open_perf_counter=self._open_perf_counter,
            fetch_json=self._fetch_json,
            platform=self.platform,
            knowledge=self.knowledge,
        )

    @contextmanager
    def silenced(self) -> Iterator[None]:
        """Let every sensor fail for a while: files are empty, programs and services say nothing, GPUs are lost."""
        files = [path for part in ("sys", "proc") for path in (self.root / part).rglob("*") if path.is_file()]
        contents = [(path, path.read_text()) for path in files if not path.is_symlink()]
        gpus = [*getattr(self.nvml, "gpus", []), *getattr(self.amdsmi, "gpus", [])]
        for path, _ in contents:
            os.truncate(path, 0)
        for gpu in gpus:
            gpu.lost = True
        self.silent = True
        try:
            yield
        finally:
            self.silent = False
            for gpu in gpus:
                gpu.lost = False
            for path, text in contents:
                with path.open("r+") as stream:
                    stream.write(text)

    def _run_command(
        self, command: Sequence[str], _timeout_s: float, _environ: Mapping[str, str] | None = None, /
    ) -> CommandResult:
        output = self.commands.get(" ".join(command))
        if output is None or self.silent:
            known = any(line.split(" ")[0] == command[0] for line in self.commands)
            return CommandResult("", "exit code 1" if known else NOT_FOUND)
        return CommandResult(output)

    def _open_perf_counter(self, pmu_type: int, config: int, cpu: int) -> PerfCounter:
        if self.perf_denied:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if (pmu_type, config, cpu) not in self.perf:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        return FakePerfCounter(self, (pmu_type, config, cpu))

    def _fetch_json(
        self, url: str, _user: str | None, _password: str | None, _timeout_s: float, _verify_tls: bool
    ) -> JsonAnswer:
        if self.silent:
            return JsonAnswer(None, "unreachable")
        return JsonAnswer(self.web[url]) if url in self.web else JsonAnswer(None, "http_404")

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
