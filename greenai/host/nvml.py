"""NVIDIA's management library by ``pynvml`` (the official nvidia-ml-py), and the protocol a fake must satisfy.

Names, numbers and structures are those of ``pynvml.py`` 12.560 and newer; meanings are those of NVIDIA's "NVML API
Reference Guide".
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Protocol

NO_LIBRARY = "no_library"
# nvmlReturn_t
ERROR_UNINITIALIZED = 1
ERROR_NOT_SUPPORTED = 3
ERROR_NO_PERMISSION = 4
ERROR_NOT_FOUND = 6
ERROR_DRIVER_NOT_LOADED = 9

# Field identifiers, and what a power field may speak of (``scopeId``).
FIELD_POWER_AVERAGE = 185
FIELD_POWER_INSTANT = 186
SCOPE_GPU = 0
SCOPE_MODULE = 1

CLOCK_SM = 1
MIG_ENABLED = 1
GPU_INSTANCE_PROFILES = 18

# nvmlValueType_t: the member of the union that holds the value.
VALUE_MEMBERS = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")


class NvmlApi(Protocol):
    """The functions of ``pynvml`` that greenai calls. A test holds names and arity against the real module."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None:  # noqa: N802, D102
        ...

    def nvmlShutdown(self) -> None:  # noqa: N802, D102
        ...

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802, D102
        ...

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802, D102
        ...

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:  # noqa: N802, D102
        ...

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Any:  # noqa: N802, D102
        ...

    def nvmlDeviceGetName(self, handle: Any) -> str:  # noqa: N802, D102
        ...

    def nvmlDeviceGetUUID(self, handle: Any) -> str:  # noqa: N802, D102
        ...

    def nvmlDeviceGetPciInfo(self, handle: Any) -> Any:  # noqa: N802, D102
        ...

    def nvmlDeviceGetMinorNumber(self, handle: Any) -> int:  # noqa: N802, D102
        ...

    def nvmlDeviceGetCudaComputeCapability(self, handle: Any) -> tuple[int, int]:  # noqa: N802, D102
        ...

    def nvmlDeviceGetNumGpuCores(self, device: Any) -> int:  # noqa: N802, D102
        ...

    def nvmlDeviceGetMaxClockInfo(self, handle: Any, type: int) -> int:  # noqa: A002, N802, D102
        ...

    def nvmlDeviceGetC2cModeInfoV(self, handle: Any) -> Any:  # noqa: N802, D102
        ...

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any) -> int:  # noqa: N802, D102
        ...

    def nvmlDeviceGetPowerUsage(self, handle: Any) -> int:  # noqa: N802, D102
        ...

    def nvmlDeviceGetFieldValues(self, handle: Any, fieldIds: Any) -> Any:  # noqa: N802, N803, D102
        ...

    def nvmlDeviceGetProcessUtilization(self, handle: Any, timeStamp: int) -> Any:  # noqa: N802, N803, D102
        ...

    def nvmlDeviceGetMigMode(self, device: Any) -> Any:  # noqa: N802, D102
        ...

    def nvmlDeviceGetMaxMigDeviceCount(self, device: Any) -> int:  # noqa: N802, D102
        ...

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: Any, index: int) -> Any:  # noqa: N802, D102
        ...

    def nvmlDeviceGetGpuInstanceId(self, device: Any) -> int:  # noqa: N802, D102
        ...

    def nvmlDeviceGetComputeInstanceId(self, device: Any) -> int:  # noqa: N802, D102
        ...

    def nvmlDeviceGetAttributes_v2(self, device: Any) -> Any:  # noqa: N802, D102
        ...

    def nvmlDeviceGetGpuInstanceProfileInfo(self, device: Any, profile: int, version: int) -> Any:  # noqa: N802, D102
        ...


class NvmlLoad(NamedTuple):
    """The library, not yet started (``nvmlInit``); or a short reason why there is none.

    Attributes:
        api: The library.
        reason: ``no_library`` (no NVIDIA driver here: nothing to report) or an error text.
    """

    api: NvmlApi | None
    reason: str = ""


LIBRARY = "libnvidia-ml.so.1"
# Where the dynamic linker looks without being told (ld.so(8)), and where NixOS and WSL keep their drivers.
_LINKER_CACHE = "/etc/ld.so.cache"
_FOLDERS = ("/usr/lib64", "/usr/lib", "/lib64", "/lib", "/run/opengl-driver/lib", "/usr/lib/wsl/lib")
_DEVICES = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-ctrl", "/dev/nvgpu", "/proc/driver/nvidia")


def _certainly_absent() -> bool:
    """Say whether there is surely no library. Loading it to find out costs 3 ms before each first run."""
    try:
        with open(_LINKER_CACHE, "rb") as stream:  # noqa: PTH123  # hot
            if LIBRARY.encode() in stream.read():
                return False
    except OSError:  # another linker (musl): ask it
        return False
    named = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    return not any(os.path.exists(path) for path in (*_DEVICES, *(f"{d}/{LIBRARY}" for d in (*named, *_FOLDERS))))  # noqa: PTH110


def load_nvml() -> NvmlLoad:
    """Load NVML. Never raises. Who starts it (``nvmlInit``) ends it too: it counts its starts."""
    if _certainly_absent():
        return NvmlLoad(None, NO_LIBRARY)
    import ctypes

    # Asked first because it costs microseconds, and importing pynvml on a machine without a driver does not.
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return NvmlLoad(None, NO_LIBRARY)
    try:
        import pynvml
    except Exception as error:  # noqa: BLE001  # a broken driver must not reach the user's program
        return NvmlLoad(None, str(error))
    return NvmlLoad(pynvml)


# An older package that also calls itself pynvml may shadow the official one; what it lacks is not supported.
MISSING = (AttributeError, TypeError)


class BadValueError(Exception):
    """A meter answered, but not with a measurement. The message is a short reason."""


def error_code(error: Exception) -> int | None:
    """Return the number of an NVML error (``nvmlReturn_t``), None if it has none."""
    code = getattr(error, "value", None)
    return code if isinstance(code, int) else None
