"""Builds the sensors of the simulated machine and runs programs on it.

``lab/powercap.c`` serves /sys/class/powercap through FUSE inside private namespaces, ``lab/nvml.c`` stands for the
NVIDIA driver's library. That needs Linux, root, /dev/fuse, gcc and libfuse3, hence no run in CI.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.accuracy.machines import Simulation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from benchmarks.accuracy.machines import Machine

CACHE = Path("~/.cache/greenai-benchmarks").expanduser()
SOURCES = Path(__file__).with_name("lab")
PROGRAMS = Path(__file__).with_name("programs")
BUILT = CACHE / "lab"

_UNSHARE = (
    "unshare",
    "--mount",
    "--net",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "private",
)
_NEEDED = (
    (Path("/dev/fuse"), "FUSE: modprobe fuse"),
    (Path("/usr/include/fuse3/fuse.h"), "apt-get install libfuse3-dev"),
)
_GCC = ("gcc", "-O2", "-D_FILE_OFFSET_BITS=64", "-I/usr/include/fuse3")
_TARGETS = (
    ("powercap", "powercap.c", ("-lfuse3", "-lm")),
    ("libnvidia-ml.so.1", "nvml.c", ("-shared", "-fPIC", "-lm")),
    ("work", "work.c", ()),
)
# codecarbon asks this program whether there is a GPU, not the library.
_NVIDIA_SMI = "#!/bin/sh\nexit 0\n"
# In a virtual machine RAPL would be the hypervisor's: the simulated machine is none, whatever this one is.
_CPU = """processor\t: {number}
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 106
model name\t: Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz
stepping\t: 6
physical id\t: 0
siblings\t: {count}
core id\t\t: {number}
cpu cores\t: {count}
flags\t\t: fpu tsc msr sse sse2 ht syscall nx rdtscp lm constant_tsc nonstop_tsc avx avx2 avx512f

"""
# A setting of the caller must not reach the tools under test.
_EXCEPTION = re.compile(r"^\s*((?:\w+\.)*[A-Z]\w+(?:Error|Exception)\b.*)$", re.MULTILINE)
_NOT_INHERITED = (
    "CUDA_",
    "NVIDIA_",
    "SLURM",
    "GREENAI_",
    "CODECARBON_",
    "PERUN_",
    "ZEUS",
    "VIRTUAL_ENV",
    "PYTHON",
)


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that ran on the simulated machine.

    Attributes:
        simulation: The machine, with the time of the work filled in.
        result: What it wrote as its result, JSON; None if it wrote nothing.
        complaint: How it ended if it wrote nothing, else "".
        late_s: By how much the work overslept: how busy this computer was.
    """

    simulation: Simulation
    result: str | None
    complaint: str
    late_s: float


def build() -> None:
    """Compile the sensors.

    Raises:
        SystemExit: Something is missing; the message says what.
    """
    if os.geteuid() != 0:
        sys.exit("accuracy: the simulated machine is mounted over /sys/class/powercap: run this as root")
    for path, remedy in _NEEDED:
        if not path.exists():
            sys.exit(f"accuracy: {path} is missing: {remedy}")
    (BUILT / "bin").mkdir(parents=True, exist_ok=True)
    for target, source, options in _TARGETS:
        subprocess.run([*_GCC, "-o", str(BUILT / target), str(SOURCES / source), *options], check=True)
    stub = BUILT / "bin" / "nvidia-smi"
    stub.write_text(_NVIDIA_SMI)
    stub.chmod(0o755)


def run_on(machine: Machine, random: Random, command: Sequence[str], seconds: float) -> Ran:
    """Run a program on a machine.

    Args:
        machine: The machine.
        random: Draws its phases.
        command: The program. "{result}" in it stands for the file to write the result to.
        seconds: Length of its work; it may take a minute more.
    """
    with tempfile.TemporaryDirectory(prefix="accuracy-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        work, result, specification = folder / "work", folder / "result.json", folder / "machine"
        work.write_bytes(bytes(16))
        simulation = Simulation(machine, random, time.monotonic_ns())
        specification.write_text(simulation.specification(work))
        count = os.cpu_count() or 1
        (folder / "cpuinfo").write_text("".join(_CPU.format(number=n, count=count) for n in range(count)))
        words = [word.replace("{result}", str(result)) for word in command]
        environ = _environ(folder, specification, work, result)
        if machine.cuda_visible is not None:
            environ["CUDA_VISIBLE_DEVICES"] = machine.cuda_visible
        complaint = _run([*_enter(specification), *words], environ, folder, seconds + 60)
        begin_ns, end_ns = struct.unpack("qq", work.read_bytes())
        simulation.work_ns = (begin_ns, end_ns)
        text = result.read_text() if result.exists() else None
        late_s = (end_ns - begin_ns) / 1e9 - seconds if end_ns else 0.0
        return Ran(simulation, text, complaint if text is None else "", late_s)


def _enter(specification: Path) -> list[str]:
    return [*_UNSHARE, "sh", str(SOURCES / "enter.sh"), str(BUILT / "powercap"), str(specification)]


def _environ(folder: Path, specification: Path, work: Path, result: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
    return {
        **inherited,
        "PATH": f"{BUILT / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LD_LIBRARY_PATH": str(BUILT),
        "SIMULATED_MACHINE": str(specification),
        "SIMULATED_WORK": str(work),
        "SIMULATED_RESULT": str(result),
        "GREENAI_SPOOL": str(folder / "spool"),
        "GREENAI_DB": f"sqlite:///{folder}/greenai.db",
        "GREENAI_INGEST": "later",
    }


def _run(command: Sequence[str], environ: Mapping[str, str], folder: Path, timeout_s: float) -> str:
    """Return how it ended, with the exception that its output names last, if any."""
    try:
        done = subprocess.run(
            command, env=environ, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=timeout_s,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "hung"
    errors = _EXCEPTION.findall(done.stdout + done.stderr)
    return ": ".join((f"exit code {done.returncode}", *errors[-1:]))
