"""Real programs on a machine whose driver's library hangs: a libnvidia-ml.so.1 of our own, loaded by the real pynvml.

A call hangs for as long as there is a file of its name. The GPU draws 250 W, or with a file "waves" 400 W in the
first half of each second and 100 W in the second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.account import account
from greenai.journal.reader import read_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from greenai.core.record import RunRecord

pytestmark = pytest.mark.slow

# Without a guard it would be for ever. How long exactly is tested where nothing but the guard is measured.
IN_TIME_S = 20.0

_LIBRARY = r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
static int handle;
static void hang_in(const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", getenv("HANGS"), name);
  while (access(path, F_OK) == 0) usleep(10000);
}
int nvmlInitWithFlags(unsigned flags) { (void)flags; hang_in("init"); return 0; }
int nvmlInit_v2(void) { hang_in("init"); return 0; }
int nvmlShutdown(void) { hang_in("shutdown"); return 0; }
const char *nvmlErrorString(int code) { (void)code; return "Not Supported"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, int **device) { (void)index; *device = &handle; return 0; }
int nvmlDeviceGetHandleByUUID(const char *uuid, int **device) { (void)uuid; *device = &handle; return 0; }
int nvmlDeviceGetName(int *device, char *text, unsigned length) { (void)device; snprintf(text, length, "Sick GPU"); return 0; }
int nvmlDeviceGetUUID(int *device, char *text, unsigned length) { (void)device; snprintf(text, length, "GPU-0"); return 0; }
int nvmlDeviceGetPowerUsage(int *device, unsigned *power_mw) { (void)device; *power_mw = 250000; return 0; }
int nvmlDeviceGetTotalEnergyConsumption(int *device, unsigned long long *energy_mj) {
  struct timespec t;
  char path[4096];
  (void)device;
  hang_in("energy");
  clock_gettime(CLOCK_MONOTONIC, &t);
  double part_s = t.tv_nsec / 1e9;
  double waves_mj = t.tv_sec * 250e3 + (part_s < 0.5 ? part_s * 400e3 : 200e3 + (part_s - 0.5) * 100e3);
  snprintf(path, sizeof path, "%s/waves", getenv("HANGS"));
  *energy_mj = access(path, F_OK) == 0 ? waves_mj : (t.tv_sec + part_s) * 250e3;
  return 0;
}
"""

_STILL = """
import sys, time
import greenai
with greenai.track("still", interval_s=0.1):
    time.sleep(1)
sys.exit(3)
"""

_WINDOWS = """
import json, os, sys, time
import greenai
file = os.environ["HANGS"] + "/energy"
took = []
def windows(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        with run.window("w"):
            pass
        took.append(time.monotonic() - began)
        time.sleep(0.05)
with greenai.track("windows", interval_s=0.1) as run:
    windows(1)
    open(file, "w").close()
    windows(1.5)
    os.remove(file)
    windows(1)
print(json.dumps(sorted(took)))
"""


@pytest.fixture
def sick(tmp_path: Path) -> Callable[..., tuple[subprocess.CompletedProcess[str], float, RunRecord]]:
    """Run a program while some calls hang; return how it ended, its wall time in seconds, and the record."""
    source, hangs = tmp_path / "nvml.c", tmp_path / "hangs"
    source.write_text(_LIBRARY)
    hangs.mkdir()
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(tmp_path / "libnvidia-ml.so.1"), str(source)], check=True)
    environ = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path), "HANGS": str(hangs)}
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"):
        environ.pop(name, None)

    def run(program: str, *calls: str) -> tuple[subprocess.CompletedProcess[str], float, RunRecord]:
        for call in calls:
            (hangs / call).touch()
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False, timeout=60
        )
        took_s = time.monotonic() - began
        (folder,) = (path for path in (tmp_path / "spool").iterdir() if path.is_dir())
        time.sleep(0.6)  # the sampler writes its last lines
        record = account(read_run(folder)).record
        for file in hangs.iterdir():
            file.unlink()
        return done, took_s, record

    return run


def channels(record: RunRecord, component: str) -> list[Any]:
    return [channel for channel in record.energy.channels if channel.component.value == component]


def test_a_driver_that_never_starts_costs_two_seconds_and_the_gpu_only(sick: Callable[..., Any]) -> None:
    done, took_s, record = sick(_STILL, "init")
    assert (done.returncode, done.stderr) == (3, "")
    assert took_s < IN_TIME_S
    assert channels(record, "gpu") == []
    (cpu,) = channels(record, "cpu")
    assert cpu.energy_j > 0
    (incident,) = [incident for incident in record.incidents if incident.code == "sensor_hangs"]
    assert '"nvml"' in incident.message.en
    assert incident.remedy is not None


def test_a_driver_that_hangs_at_the_end_does_not_hold_up_the_end(sick: Callable[..., Any]) -> None:
    done, took_s, record = sick(_STILL, "shutdown")
    assert (done.returncode, done.stderr) == (3, "")
    assert took_s < IN_TIME_S
    (gpu,) = channels(record, "gpu")
    assert gpu.energy_j == pytest.approx(250 * record.duration_s, rel=0.05)


def test_a_driver_that_hangs_meanwhile_holds_up_no_window_and_is_read_again(sick: Callable[..., Any]) -> None:
    done, took_s, record = sick(_WINDOWS)
    assert (done.returncode, done.stderr) == (0, "")
    times_s = json.loads(done.stdout)
    assert times_s[-1] < 0.2
    assert took_s < IN_TIME_S
    (gpu,), (cpu,) = channels(record, "gpu"), channels(record, "cpu")
    assert gpu.lost_readings["sensor_hangs"] > 10
    assert gpu.energy_j == pytest.approx(250 * record.duration_s, rel=0.05)  # the counter went on counting
    assert cpu.lost_readings == {}
    assert [i.code for i in record.incidents].count("sensor_hangs") == 1
    assert cpu.gap_s < 0.3


_SLOW_START = """
import os, time
from pathlib import Path
import greenai
with greenai.track("slow", interval_s=0.1) as run:
    # The sampler begins its journal when it has given up.
    while len(list(Path(os.environ["GREENAI_SPOOL"], run.id).glob("*.jsonl"))) < 2:
        time.sleep(0.1)
    time.sleep(0.5)
    os.remove(os.environ["HANGS"] + "/init")
    time.sleep(2)
"""


def test_a_driver_that_takes_long_to_start_is_measured_from_then_on(sick: Callable[..., Any]) -> None:
    done, _, record = sick(_SLOW_START, "init")
    assert (done.returncode, done.stderr) == (0, "")
    (gpu,) = channels(record, "gpu")
    assert gpu.energy_j > 250
    assert gpu.gap_s > 0.4
    assert "sensor_hangs" in [incident.code for incident in record.incidents]


# The sampler beats every five seconds: what is known of a window is read because of it.
_HALVES = """
import json, os, time
from pathlib import Path
import greenai
from greenai.journal.reader import read_run
def until_half():
    time.sleep(0.5 - time.monotonic() % 0.5)
    return "first" if time.monotonic() % 1 < 0.5 else "second"
with greenai.track("halves", interval_s=5) as run:
    folder = Path(os.environ["GREENAI_SPOOL"], run.id)
    while len(read_run(folder).processes) < 2:
        time.sleep(0.1)
    time.sleep(0.2)
    half = until_half()
    for _ in range(6):
        with run.window(half):
            half = until_half()
(own,) = [log for log in read_run(folder).processes if log.role == "owner"]
print(json.dumps([len(readings) for name, readings in own.readings.items() if name.startswith("nvml")]))
"""


def test_the_sampler_reads_the_gpu_at_the_ends_of_windows(sick: Callable[..., Any]) -> None:
    done, _, record = sick(_HALVES, "waves")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [2]  # the program itself: at the ends of the run
    energy_j: dict[str, list[float]] = {"first": [], "second": []}
    for window in record.windows:
        energy_j[window.name].append(window.energy_j)
    # The GPU's and a few joules of CPU and memory. A busy machine may be late for one of them.
    assert sorted(energy_j["first"])[1] == pytest.approx(200, rel=0.05)
    assert sorted(energy_j["second"])[1] == pytest.approx(50, rel=0.1)


_ODD_PROGRAM = """
import json, os, resource, sys, time
from pathlib import Path
import greenai
from greenai.journal.reader import read_run
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
files = [os.open(os.devnull, os.O_RDONLY) for _ in range(int(sys.argv[1]))]
with greenai.track("odd", interval_s=5) as run:
    folder = Path(os.environ["GREENAI_SPOOL"], run.id)
    while len(read_run(folder).processes) < 2:
        time.sleep(0.1)
    time.sleep(0.3)
    if sys.argv[2] == "close":  # all sockets, ours among them
        for number in map(int, os.listdir("/proc/self/fd")):
            if os.path.exists(f"/proc/self/fd/{number}") and "socket" in os.readlink(f"/proc/self/fd/{number}"):
                os.close(number)
    for _ in range(5):
        time.sleep(0.1)
        with run.window("w"):
            time.sleep(0.1)
(own,) = [log for log in read_run(folder).processes if log.role == "owner"]
(readings,) = [readings for name, readings in own.readings.items() if name.startswith("nvml")]
print(len(readings))
"""


@pytest.mark.parametrize(
    ("files", "sockets", "read_here"),
    [(1500, "keep", 2), (0, "close", 12)],
    ids=["more files than select() takes", "closes our sockets"],
)
def test_the_bell_in_odd_programs(sick: Callable[..., Any], files: int, sockets: str, read_here: int) -> None:
    program = f"import sys\nsys.argv = ['x', '{files}', '{sockets}']\n{_ODD_PROGRAM}"
    done, _, record = sick(program)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == read_here
    assert [incident.code for incident in record.incidents if incident.code.startswith("sampler")] == []
    (gpu,) = channels(record, "gpu")
    assert gpu.energy_j == pytest.approx(250 * record.duration_s, rel=0.05)


_STALLED = """
import os, signal, time
from pathlib import Path
import greenai
from greenai.journal.reader import read_run
with greenai.track("stalled", interval_s=5) as run:
    folder = Path(os.environ["GREENAI_SPOOL"], run.id)
    while len(read_run(folder).processes) < 2:
        time.sleep(0.1)
    time.sleep(0.3)
    (sampler,) = [log.pid for log in read_run(folder).processes if log.pid != os.getpid()]
    os.kill(sampler, signal.SIGSTOP)
    for _ in range(4):
        with run.window("w"):
            time.sleep(0.3)
    os.kill(sampler, signal.SIGCONT)
    time.sleep(0.5)
(own,) = [log for log in read_run(folder).processes if log.pid == os.getpid()]
(readings,) = [readings for name, readings in own.readings.items() if name.startswith("nvml")]
print(len(readings))
"""


def test_a_sampler_that_does_not_hear_the_bell_is_said_and_the_program_reads_again(
    sick: Callable[..., Any],
) -> None:
    done, _, record = sick(_STALLED)
    assert (done.returncode, done.stderr) == (0, "")
    # The two ends of the run, and of the windows' ends those more than half a second after the first that was in vain.
    assert json.loads(done.stdout) == 2 + 5
    assert [incident.code for incident in record.incidents].count("window_readings_late") == 1


_LETS_GO = """
import os, time
from pathlib import Path
import greenai
from greenai.journal.reader import read_run
with greenai.track("lets go", interval_s=0.1) as run:
    folder = Path(os.environ["GREENAI_SPOOL"], run.id)
    while len(read_run(folder).processes) < 2:
        time.sleep(0.1)
    os.closerange(3, 256)
deadline = time.monotonic() + 10
while not all(log.closed for log in read_run(folder).processes) and time.monotonic() < deadline:
    time.sleep(0.1)
print([log.closed for log in read_run(folder).processes].count(False))
"""


def test_a_sampler_whose_line_is_cut_ends_with_the_run(sick: Callable[..., Any]) -> None:
    done, _, _ = sick(_LETS_GO)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
