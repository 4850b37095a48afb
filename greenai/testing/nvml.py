"""A fake of NVIDIA's library with the names, arities and error numbers of ``pynvml``."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from greenai.host import nvml

if TYPE_CHECKING:
    from collections.abc import Sequence

_T = TypeVar("_T")

INVALID_ARGUMENT = 2
DRIVER_NOT_LOADED = nvml.ERROR_DRIVER_NOT_LOADED
GPU_IS_LOST = 15
UNKNOWN_ERROR = 999

_WORDS = {
    nvml.ERROR_UNINITIALIZED: "Uninitialized",
    INVALID_ARGUMENT: "Invalid Argument",
    nvml.ERROR_NOT_SUPPORTED: "Not Supported",
    nvml.ERROR_NO_PERMISSION: "Insufficient Permissions",
    nvml.ERROR_NOT_FOUND: "Not Found",
    DRIVER_NOT_LOADED: "Driver Not Loaded",
    GPU_IS_LOST: "GPU is lost",
    UNKNOWN_ERROR: "Unknown Error",
}
_UNSIGNED_INT = 1


class FakeNvmlError(Exception):
    """What the fake raises; ``value`` is the number of the error, as in ``pynvml``."""

    def __init__(self, value: int) -> None:
        super().__init__(_WORDS.get(value, f"NVML Error with code {value}"))
        self.value = value


@dataclass(eq=False)
class FakeMig:
    """A MIG device.

    Attributes:
        uuid: ``MIG-<uuid>``.
        slices: Compute slices of its GPU instance.
        gpu_instance: Number of the GPU instance.
        compute_instance: Number of the compute instance.
        compute_slices: Compute slices of its own; None if it has all of the GPU instance.
        permitted: False if this process may not use it: then it is not there.
    """

    uuid: str
    slices: int
    gpu_instance: int
    compute_instance: int = 0
    compute_slices: int | None = None
    permitted: bool = True


@dataclass(eq=False)
class FakeGpu:
    """One GPU. None stands where the device does not support something.

    Attributes:
        uuid: E.g. ``GPU-4e81...``.
        name: Product name.
        energy_mj: Energy counter, millijoules.
        power_mw: What ``nvmlDeviceGetPowerUsage`` says, milliwatts.
        instant_mw: The power fields by scope (0 GPU, 1 module): power now, milliwatts.
        average_mw: The same: mean of the last second.
        lost: True once the device has fallen off the bus.
        permitted: False if this process may not open it.
        pci: PCI domain, bus and device; None: by its place.
        minor: The N of /dev/nvidiaN; None: by its place.
        capability: CUDA compute capability.
        cores: CUDA cores.
        clock_mhz: Greatest clock of the multiprocessors.
        c2c: True if it is joined with a Grace processor.
        mig: Its MIG devices; None while MIG is off.
        mig_slices: Compute slices of the board.
        mig_profiles: False if nobody may ask for the profiles.
        processes: (process number, microseconds since the epoch, per cent of the multiprocessors).
    """

    uuid: str
    name: str = "NVIDIA A100-SXM4-40GB"
    energy_mj: int | None = 1_000_000
    power_mw: int | None = 100_000
    instant_mw: dict[int, int] = field(default_factory=dict)
    average_mw: dict[int, int] = field(default_factory=dict)
    lost: bool = False
    permitted: bool = True
    pci: tuple[int, int, int] | None = None
    minor: int | None = None
    capability: tuple[int, int] = (8, 0)
    cores: int | None = 6912
    clock_mhz: int = 1410
    c2c: bool = False
    mig: list[FakeMig] | None = None
    mig_slices: int = 7
    mig_profiles: bool = True
    processes: list[tuple[int, int, int]] = field(default_factory=list)


class FakeNvml:
    """The library over a list of GPUs; a handle is the GPU or MIG device itself.

    Attributes:
        gpus: The GPUs in the order of the bus.
        started: How often it was started and not ended; without a start nothing answers.
        counts_denied: True if GPUs that may not be opened are counted (drivers differ).
    """

    NVMLError: type[Exception] = FakeNvmlError

    def __init__(self, gpus: list[FakeGpu], *, counts_denied: bool = True) -> None:
        self.gpus = gpus
        self.started = 0
        self.counts_denied = counts_denied

    def nvmlInit(self) -> None:  # noqa: N802, D102
        self.started += 1

    def nvmlShutdown(self) -> None:  # noqa: N802, D102
        self._awake()
        self.started -= 1

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802, D102
        return "580.0"

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802, D102
        self._awake()
        return len(self._listed())

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:  # noqa: N802, D102
        self._awake()
        gpu = self._listed()[index]
        if not gpu.permitted:
            raise FakeNvmlError(nvml.ERROR_NO_PERMISSION)
        return self._alive(gpu)

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> FakeGpu:  # noqa: N802, D102
        self._awake()
        found = [gpu for gpu in self._listed() if gpu.uuid == uuid]
        return self._alive(self._given(found[0] if found else None, nvml.ERROR_NOT_FOUND))

    def nvmlDeviceGetName(self, handle: FakeGpu) -> str:  # noqa: N802, D102
        return self._alive(handle).name

    def nvmlDeviceGetUUID(self, handle: FakeGpu | FakeMig) -> str:  # noqa: N802, D102
        self._awake()
        return handle.uuid

    def nvmlDeviceGetPciInfo(self, handle: FakeGpu) -> Any:  # noqa: N802, D102
        domain, bus, device = self._alive(handle).pci or (0, self.gpus.index(handle) + 1, 0)
        return SimpleNamespace(domain=domain, bus=bus, device=device)

    def nvmlDeviceGetMinorNumber(self, handle: FakeGpu) -> int:  # noqa: N802, D102
        minor = self._alive(handle).minor
        return self.gpus.index(handle) if minor is None else minor

    def nvmlDeviceGetCudaComputeCapability(self, handle: FakeGpu) -> tuple[int, int]:  # noqa: N802, D102
        return self._alive(handle).capability

    def nvmlDeviceGetNumGpuCores(self, device: FakeGpu) -> int:  # noqa: N802, D102
        return self._given(self._alive(device).cores)

    def nvmlDeviceGetMaxClockInfo(self, handle: FakeGpu, type: int) -> int:  # noqa: A002, N802, D102
        if type != nvml.CLOCK_SM:
            raise FakeNvmlError(INVALID_ARGUMENT)
        return self._alive(handle).clock_mhz

    def nvmlDeviceGetC2cModeInfoV(self, handle: FakeGpu) -> Any:  # noqa: N802, D102
        self._given(self._alive(handle).c2c or None)
        return SimpleNamespace(isC2cEnabled=1)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: FakeGpu) -> int:  # noqa: N802, D102
        return self._given(self._alive(handle).energy_mj)

    def nvmlDeviceGetPowerUsage(self, handle: FakeGpu) -> int:  # noqa: N802, D102
        return self._given(self._alive(handle).power_mw)

    def nvmlDeviceGetFieldValues(self, handle: FakeGpu, fieldIds: Sequence[tuple[int, int]]) -> Any:  # noqa: N802, N803, D102
        gpu = self._alive(handle)
        known = {nvml.FIELD_POWER_INSTANT: gpu.instant_mw, nvml.FIELD_POWER_AVERAGE: gpu.average_mw}
        values = []
        for field_id, scope in fieldIds:
            power_mw = known.get(field_id, {}).get(scope)
            trouble = nvml.ERROR_NOT_SUPPORTED if power_mw is None else 0
            value = SimpleNamespace(uiVal=power_mw or 0)
            values.append(SimpleNamespace(nvmlReturn=trouble, valueType=_UNSIGNED_INT, value=value))
        return values

    def nvmlDeviceGetProcessUtilization(self, handle: FakeGpu, timeStamp: int) -> Any:  # noqa: N802, N803, D102
        gpu = self._alive(handle)
        if gpu.mig is not None:
            raise FakeNvmlError(nvml.ERROR_NOT_SUPPORTED)
        if not any(t_us > timeStamp for _, t_us, _ in gpu.processes):
            raise FakeNvmlError(nvml.ERROR_NOT_FOUND)
        return [SimpleNamespace(pid=pid, timeStamp=t_us, smUtil=percent) for pid, t_us, percent in gpu.processes]

    def nvmlDeviceGetMigMode(self, device: FakeGpu) -> list[int]:  # noqa: N802, D102
        return [int(self._alive(device).mig is not None)] * 2

    def nvmlDeviceGetMaxMigDeviceCount(self, device: FakeGpu) -> int:  # noqa: N802, D102
        return self._alive(device).mig_slices if device.mig is not None else 0

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: FakeGpu, index: int) -> FakeMig:  # noqa: N802, D102
        permitted = [mig for mig in self._alive(device).mig or [] if mig.permitted]
        return self._given(permitted[index] if index < len(permitted) else None, nvml.ERROR_NOT_FOUND)

    def nvmlDeviceGetGpuInstanceId(self, device: FakeMig) -> int:  # noqa: N802, D102
        self._awake()
        return device.gpu_instance

    def nvmlDeviceGetComputeInstanceId(self, device: FakeMig) -> int:  # noqa: N802, D102
        self._awake()
        return device.compute_instance

    def nvmlDeviceGetAttributes_v2(self, device: FakeMig) -> Any:  # noqa: N802, D102
        self._awake()
        own = device.slices if device.compute_slices is None else device.compute_slices
        return SimpleNamespace(gpuInstanceSliceCount=device.slices, computeInstanceSliceCount=own)

    def nvmlDeviceGetGpuInstanceProfileInfo(self, device: FakeGpu, profile: int, version: int = 2) -> Any:  # noqa: N802, D102
        # Profiles 0 to 4 have 1, 2, 3, 4 and 7 slices (NVML_GPU_INSTANCE_PROFILE_*).
        slices = dict(enumerate((1, 2, 3, 4, 7))).get(profile, 0)
        if version not in (1, 2) or not 0 < slices <= self._alive(device).mig_slices:
            raise FakeNvmlError(nvml.ERROR_NOT_SUPPORTED)
        if not device.mig_profiles:
            raise FakeNvmlError(nvml.ERROR_NO_PERMISSION)
        return SimpleNamespace(sliceCount=slices)

    def _listed(self) -> list[FakeGpu]:
        return [gpu for gpu in self.gpus if gpu.permitted or self.counts_denied]

    def _awake(self) -> None:
        if self.started <= 0:
            raise FakeNvmlError(nvml.ERROR_UNINITIALIZED)

    def _alive(self, gpu: FakeGpu) -> FakeGpu:
        self._awake()
        if gpu.lost:
            raise FakeNvmlError(GPU_IS_LOST)
        return gpu

    @staticmethod
    def _given(value: _T | None, error: int = nvml.ERROR_NOT_SUPPORTED) -> _T:
        if value is None:
            raise FakeNvmlError(error)
        return value
