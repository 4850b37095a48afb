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

_SOURCE = r"""
#include <stdio.h>
#include <string.h>
#include <time.h>
typedef struct { int number; } device;
static device devices[2] = {{0}, {1}};
static double now_s(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
int nvmlInitWithFlags(unsigned flags) { (void)flags; return 0; }
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { (void)code; return "Not Supported"; }
int nvmlSystemGetDriverVersion(char *text, unsigned length) { snprintf(text, length, "999.0"); return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = GPUS; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device **handle) {
  if (index >= GPUS) return 2;
  *handle = &devices[index];
  return 0;
}
int nvmlDeviceGetName(device *d, char *text, unsigned length) { (void)d; snprintf(text, length, "Test GPU"); return 0; }
int nvmlDeviceGetUUID(device *d, char *text, unsigned length) {
  snprintf(text, length, "GPU-0000-%d", d->number);
  return 0;
}
int nvmlDeviceGetTotalEnergyConsumption(device *d, unsigned long long *mj) {
  if (!COUNTS) return 3;
  *mj = (unsigned long long)(now_s() * 250.0 * 1000.0) + 7u * d->number;
  return 0;
}
int nvmlDeviceGetPowerUsage(device *d, unsigned *mw) { (void)d; *mw = 250000; return 0; }
"""

_PROGRAM = """
import json, time
import greenai
with greenai.track("gpu", interval_s=0.1) as run:
    time.sleep(1.2)
print(json.dumps(run.result.to_dict()))
"""


def tracked(folder: Path, *, gpus: int, counts: bool, visible: str | None = None) -> dict[str, Any]:
    source = folder / "nvml.c"
    source.write_text(_SOURCE)
    library = folder / "lib"
    library.mkdir()
    subprocess.run(
        ["gcc", "-shared", "-fPIC", f"-DGPUS={gpus}", f"-DCOUNTS={int(counts)}",
         "-o", str(library / "libnvidia-ml.so.1"), str(source)],
        check=True,
    )  # fmt: skip
    environ = {**os.environ, "LD_LIBRARY_PATH": str(library)}
    if visible is not None:
        environ["CUDA_VISIBLE_DEVICES"] = visible
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    record: dict[str, Any] = json.loads(done.stdout)
    return record


def of(record: dict[str, Any], component: str) -> list[dict[str, Any]]:
    return [channel for channel in record["energy"]["channels"] if channel["component"] == component]


@pytest.mark.parametrize(("counts", "method"), [(True, "nvml_energy_counter"), (False, "nvml_power_polled")])
def test_two_gpus_are_measured_beside_the_estimated_cpu(tmp_path: Path, counts: bool, method: str) -> None:
    record = tracked(tmp_path, gpus=2, counts=counts)
    gpus, cpus = of(record, "gpu"), of(record, "cpu")
    assert [gpu["device"] for gpu in gpus] == ["0 Test GPU", "1 Test GPU"]
    for gpu in gpus:
        assert (gpu["quality"], gpu["method"], gpu["counted"]) == ("measured", method, True)
        assert gpu["energy_j"] == pytest.approx(250 * record["duration_s"], rel=0.03)
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


def test_a_driver_without_devices_is_no_incident(tmp_path: Path) -> None:
    record = tracked(tmp_path, gpus=0, counts=True)
    assert of(record, "gpu") == []
    assert not [incident for incident in record["incidents"] if incident["code"].startswith("nvml")]
