"""End to end: a library of our own called libnvidia-ml.so.1, loaded by the real pynvml in a tracked program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

_SOURCE = r"""
#include <stdio.h>
#include <string.h>
#include <time.h>
typedef struct { int number; int mig; } device;
static device devices[2] = {{0, 0}, {1, 0}};
static device slices[2] = {{0, 1}, {1, 1}};  /* 2g and 1g of the first device */
static int started = 0;
static double now_s(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
int nvmlInitWithFlags(unsigned flags) { (void)flags; started++; return 0; }
int nvmlInit_v2(void) { started++; return 0; }
int nvmlShutdown(void) { if (!started) return 1; started--; return 0; }
const char *nvmlErrorString(int code) { (void)code; return "Not Supported"; }
int nvmlSystemGetDriverVersion(char *text, unsigned length) { snprintf(text, length, "999.0"); return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = GPUS; return started ? 0 : 1; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device **handle) {
  if (index >= GPUS) return 2;
  *handle = &devices[index];
  return 0;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, device **handle) { *handle = &devices[strlen(uuid) && uuid[9] == '1']; return 0; }
int nvmlDeviceGetName(device *d, char *text, unsigned length) { (void)d; snprintf(text, length, "Test GPU"); return 0; }
int nvmlDeviceGetUUID(device *d, char *text, unsigned length) {
  snprintf(text, length, d->mig ? "MIG-0000-%d" : "GPU-0000-%d", d->number);
  return 0;
}
int nvmlDeviceGetTotalEnergyConsumption(device *d, unsigned long long *mj) {
  if (!started) return 1;
  if (!COUNTS) return 3;
  *mj = (unsigned long long)(now_s() * 250.0 * 1000.0) + 7u * d->number;
  return 0;
}
int nvmlDeviceGetPowerUsage(device *d, unsigned *mw) { (void)d; *mw = 200000; return started ? 0 : 1; }
/* nvmlFieldValue_t: 186 is the power now, scope 0 the GPU; the value is an unsigned int (type 1). */
typedef struct {
  unsigned field, scope; long long stamp, latency; unsigned type, code;
  union { double d; unsigned u; unsigned long long ull; } value;
} field;
int nvmlDeviceGetFieldValues(device *d, int count, field *values) {
  (void)d;
  for (int i = 0; i < count; i++) {
    values[i].code = INSTANT && values[i].field == 186 && values[i].scope == 0 ? 0 : 3;
    values[i].type = 1;
    values[i].value.ull = 0xdeadbeef00000000ull;
    values[i].value.u = 250000;
  }
  return started ? 0 : 1;
}
int nvmlDeviceGetMigMode(device *d, unsigned *now, unsigned *next) { *now = *next = MIG && !d->number; return 0; }
int nvmlDeviceGetMaxMigDeviceCount(device *d, unsigned *count) { (void)d; *count = 7; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(device *d, unsigned index, device **handle) {
  (void)d;
  if (index >= 2) return 6;
  *handle = &slices[index];
  return 0;
}
int nvmlDeviceGetGpuInstanceId(device *d, unsigned *id) { *id = 5 + d->number; return 0; }
int nvmlDeviceGetComputeInstanceId(device *d, unsigned *id) { (void)d; *id = 0; return 0; }
typedef struct { unsigned sms, copy, decoder, encoder, jpeg, ofa, gi_slices, ci_slices; unsigned long long mb; } attributes;
int nvmlDeviceGetAttributes_v2(device *d, attributes *a) { a->gi_slices = a->ci_slices = 2 - d->number; return 0; }
typedef struct { unsigned id, p2p, slices, instances, sms, copy, decoder, encoder, jpeg, ofa; unsigned long long mb; } profile;
int nvmlDeviceGetGpuInstanceProfileInfo(device *d, unsigned number, profile *p) {
  (void)d;
  static const unsigned slices_of[5] = {1, 2, 3, 4, 7};
  if (number >= 5) return 3;
  p->slices = slices_of[number];
  return 0;
}
typedef struct { unsigned pid; unsigned long long stamp; unsigned sm, memory, encoder, decoder; } sample;
int nvmlDeviceGetProcessUtilization(device *d, sample *samples, unsigned *count, unsigned long long since) {
  (void)d;
  if (since >= 2000) return 6;
  if (!samples || *count < 2) { *count = 2; return 7; }
  samples[0] = (sample){11, 1500, 75, 1, 0, 0};
  samples[1] = (sample){12, 2000, 25, 1, 0, 0};
  *count = 2;
  return 0;
}
"""

_PROGRAM = """
import json, time
import greenai
with greenai.track("gpu", interval_s=0.1) as run:
    time.sleep(1.2)
print(json.dumps(run.result.to_dict()))
"""


_STOPPED = """
import json, time
import pynvml
import greenai
with greenai.track("gpu", interval_s=0.1) as run:
    pynvml.nvmlShutdown()
    time.sleep(0.6)
print(json.dumps(run.result.to_dict()))
"""

_SHARES = """
import json
import pynvml
from greenai.host.nvml_devices import gpu_process_shares
pynvml.nvmlInit()
handle = pynvml.nvmlDeviceGetHandleByIndex(0)
use = gpu_process_shares(pynvml, handle)
print(json.dumps([use.share({11}), use.newest_us, len(gpu_process_shares(pynvml, handle, use.newest_us).samples)]))
"""


def run_program(
    folder: Path,
    program: str = _PROGRAM,
    *,
    gpus: int,
    counts: bool = True,
    instant: bool = False,
    mig: bool = False,
    visible: str | None = None,
) -> Any:
    source = folder / "nvml.c"
    source.write_text(_SOURCE)
    library = folder / "lib"
    library.mkdir()
    flags = {"GPUS": gpus, "COUNTS": int(counts), "INSTANT": int(instant), "MIG": int(mig)}
    subprocess.run(
        ["gcc", "-shared", "-fPIC", *(f"-D{name}={value}" for name, value in flags.items()),
         "-o", str(library / "libnvidia-ml.so.1"), str(source)],
        check=True,
    )  # fmt: skip
    environ = {**os.environ, "LD_LIBRARY_PATH": str(library)}
    environ.pop("CUDA_VISIBLE_DEVICES", None)
    if visible is not None:
        environ["CUDA_VISIBLE_DEVICES"] = visible
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def tracked(folder: Path, **machine: Any) -> dict[str, Any]:
    record: dict[str, Any] = run_program(folder, **machine)
    return record


def of(record: dict[str, Any], component: str) -> list[dict[str, Any]]:
    return [channel for channel in record["energy"]["channels"] if channel["component"] == component]


@pytest.mark.parametrize(
    ("counts", "instant", "method", "power_w"),
    [
        (True, True, "nvml_energy_counter", 250),
        (False, True, "nvml_power_instant", 250),
        (False, False, "nvml_power_average", 200),
    ],
)
def test_two_gpus_are_measured_beside_the_estimated_cpu(
    tmp_path: Path, counts: bool, instant: bool, method: str, power_w: int
) -> None:
    record = tracked(tmp_path, gpus=2, counts=counts, instant=instant)
    gpus, cpus = of(record, "gpu"), of(record, "cpu")
    assert [gpu["device"] for gpu in gpus] == ["0 Test GPU", "1 Test GPU"]
    for gpu in gpus:
        assert (gpu["quality"], gpu["method"], gpu["counted"]) == ("measured", method, True)
        assert gpu["energy_j"] == pytest.approx(power_w * record["duration_s"], rel=0.03)
        assert gpu["low_j"] < gpu["energy_j"] < gpu["high_j"]
    assert cpus
    assert cpus[0]["counted"]
    counted = [c["energy_j"] for c in record["energy"]["channels"] if c["counted"]]
    assert record["energy"]["total_j"] == pytest.approx(sum(counted))
    measured = [c["energy_j"] for c in record["energy"]["channels"] if c["counted"] and c["quality"] == "measured"]
    assert record["energy"]["measured_share"] == pytest.approx(sum(measured) / sum(counted))
    assert not [incident for incident in record["incidents"] if incident["code"].startswith("nvml")]


def test_only_the_visible_gpu_counts(tmp_path: Path) -> None:
    record = tracked(tmp_path, gpus=2, counts=True, visible="1")
    (gpu,) = of(record, "gpu")
    assert gpu["device"] == "1 Test GPU"
    assert gpu["energy_j"] == pytest.approx(250 * record["duration_s"], rel=0.03)


@pytest.mark.parametrize("counts", [True, False])
def test_two_slices_of_a_board_get_their_part_of_it(tmp_path: Path, counts: bool) -> None:
    record = tracked(tmp_path, gpus=2, counts=counts, instant=True, mig=True, visible="MIG-0000-1,MIG-0000-0")
    (gpu,) = of(record, "gpu")
    assert gpu["device"] == "0 Test GPU MIG 3/7"
    assert (gpu["quality"], gpu["policy"], gpu["counted"]) == ("allocated", "mig_slice_share", True)
    assert gpu["energy_j"] == pytest.approx(3 / 7 * 250 * record["duration_s"], rel=0.03)


def test_nvml_ended_by_the_tracked_program_does_not_end_the_measurement(tmp_path: Path) -> None:
    record = run_program(tmp_path, _STOPPED, gpus=1)
    (gpu,) = of(record, "gpu")
    assert gpu["energy_j"] == pytest.approx(250 * record["duration_s"], rel=0.05)
    assert not [incident for incident in record["incidents"] if incident["code"].startswith("nvml")]


def test_shares_of_processes_by_the_real_structures(tmp_path: Path) -> None:
    assert run_program(tmp_path, _SHARES, gpus=1) == [0.75, 2000, 0]


def test_a_driver_without_devices_is_no_incident(tmp_path: Path) -> None:
    record = tracked(tmp_path, gpus=0, counts=True)
    assert of(record, "gpu") == []
    assert not [incident for incident in record["incidents"] if incident["code"].startswith("nvml")]
