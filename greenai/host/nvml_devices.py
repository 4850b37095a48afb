"""What NVML knows of the GPUs of a machine: identity, MIG devices, Grace superchips, and who computes on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from greenai.core.visible_devices import GpuDevice, MigDevice
from greenai.host.machine import read_text
from greenai.host.nvml import (
    CLOCK_SM,
    ERROR_NO_PERMISSION,
    ERROR_NOT_FOUND,
    GPU_INSTANCE_PROFILES,
    MIG_ENABLED,
    MISSING,
    error_code,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from greenai.host.machine import Host
    from greenai.host.nvml import NvmlApi

_T = TypeVar("_T")

# GPUs that share one Grace, and with it one module sensor (NVIDIA's product pages).
_GPUS_PER_GRACE = {"GH200": 1, "GB200": 2, "GB300": 2}


@dataclass(frozen=True, slots=True)
class Board:
    """A GPU with its handle in this process.

    Attributes:
        device: What it is.
        handle: NVML's handle; None if the device does not answer.
        trouble: Why it does not.
        superchip: True if a Grace processor is on the same module.
        socket: The NUMA node of that Grace, None if unknown.
    """

    device: GpuDevice
    handle: Any
    trouble: str = ""
    superchip: bool = False
    socket: int | None = None

    @property
    def gpus_per_module(self) -> int | None:
        """Return how many GPUs share the module; None if the model is not known."""
        return next((count for name, count in _GPUS_PER_GRACE.items() if name in self.device.name), None)


@dataclass(frozen=True, slots=True)
class Boards:
    """The GPUs of a machine.

    Attributes:
        boards: Those that this process may open, in NVML's order.
        denied: How many others there are that it may not.
    """

    boards: tuple[Board, ...]
    denied: int


def list_boards(api: NvmlApi, host: Host) -> Boards:
    """List the GPUs.

    NVML either leaves out what a cgroup forbids, or counts it and answers "Insufficient Permissions" (its guide,
    ``nvmlDeviceGetCount_v2``). A device that fails otherwise keeps its place.

    Raises:
        NVMLError: The library does not even count.
    """
    boards: list[Board] = []
    denied = 0
    for index in range(api.nvmlDeviceGetCount()):
        try:
            boards.append(_board(api, host, index))
        except api.NVMLError as error:
            if error_code(error) == ERROR_NO_PERMISSION:
                denied += 1
            else:
                boards.append(Board(GpuDevice(index, ""), None, trouble=str(error)))
    if len({board.device.name for board in boards if board.handle is not None}) > 1:
        boards = [replace(board, device=replace(board.device, speed=_speed(api, board))) for board in boards]
    return Boards(tuple(boards), denied)


def _board(api: NvmlApi, host: Host, index: int) -> Board:
    handle = api.nvmlDeviceGetHandleByIndex(index)
    uuid, name = _text(api.nvmlDeviceGetUUID(handle)), _text(api.nvmlDeviceGetName(handle))
    pci = _ask(api, lambda: api.nvmlDeviceGetPciInfo(handle))
    place = (int(pci.domain), int(pci.bus), int(pci.device)) if pci is not None else None
    mode = _ask(api, lambda: api.nvmlDeviceGetMigMode(handle))
    cut = mode is not None and mode[0] == MIG_ENABLED
    device = GpuDevice(
        index,
        uuid,
        name,
        pci=place,
        minor=_ask(api, lambda: api.nvmlDeviceGetMinorNumber(handle)),
        mig_enabled=cut,
        mig_devices=_mig_devices(api, handle) if cut else (),
        mig_slices=_mig_slices(api, handle) if cut else 0,
    )
    c2c = _ask(api, lambda: api.nvmlDeviceGetC2cModeInfoV(handle))
    known = any(model in name for model in _GPUS_PER_GRACE)
    superchip = known or (c2c is not None and bool(c2c.isC2cEnabled))
    return Board(device, handle, superchip=superchip, socket=_socket(host, place) if superchip and place else None)


def _ask(api: NvmlApi, call: Callable[[], _T]) -> _T | None:
    try:
        return call()
    except (api.NVMLError, *MISSING):
        return None


def _text(value: str | bytes) -> str:
    """Return a string; older packages called pynvml give bytes."""
    return value.decode() if isinstance(value, bytes) else value


def _speed(api: NvmlApi, board: Board) -> float | None:
    if board.handle is None:
        return None
    cores = _ask(api, lambda: api.nvmlDeviceGetNumGpuCores(board.handle))
    clock_mhz = _ask(api, lambda: api.nvmlDeviceGetMaxClockInfo(board.handle, CLOCK_SM))
    return float(cores * clock_mhz) if cores and clock_mhz else None


def _socket(host: Host, place: tuple[int, int, int]) -> int | None:
    """Return the NUMA node of a PCI device: on a superchip its Grace (sysfs, ABI/testing/sysfs-bus-pci)."""
    domain, bus, device = place
    folder = host.sys_root / "bus" / "pci" / "devices" / f"{domain:04x}:{bus:02x}:{device:02x}.0"
    node = (read_text(folder / "numa_node") or "").strip()
    return int(node) if node.isdecimal() else None


def _mig_devices(api: NvmlApi, handle: Any) -> tuple[MigDevice, ...]:
    """Return the MIG devices that this process may use; places without one answer "Not Found"."""
    devices = []
    for index in range(_ask(api, lambda: api.nvmlDeviceGetMaxMigDeviceCount(handle)) or 0):
        try:
            mig = api.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
            attributes = api.nvmlDeviceGetAttributes_v2(mig)
            # A GPU instance may be split further; its compute instances then share its slices.
            slices = attributes.computeInstanceSliceCount or attributes.gpuInstanceSliceCount
            devices.append(
                MigDevice(
                    _text(api.nvmlDeviceGetUUID(mig)),
                    api.nvmlDeviceGetGpuInstanceId(mig),
                    api.nvmlDeviceGetComputeInstanceId(mig),
                    int(slices),
                )
            )
        except api.NVMLError:
            continue
    return tuple(devices)


def _mig_slices(api: NvmlApi, handle: Any) -> int:
    """Return the compute slices of a board: those of its largest GPU instance profile (A100, H100: 7; A30: 4).

    Where the profiles may not be asked for, the greatest number of MIG devices is the same number.
    """
    profiles = [
        _ask(api, lambda profile=profile: api.nvmlDeviceGetGpuInstanceProfileInfo(handle, profile, 1))  # type: ignore[misc]
        for profile in range(GPU_INSTANCE_PROFILES)
    ]
    largest = max((int(profile.sliceCount) for profile in profiles if profile is not None), default=0)
    return largest or _ask(api, lambda: api.nvmlDeviceGetMaxMigDeviceCount(handle)) or 0


def whole_modules(boards: Sequence[Board], own: Sequence[Board]) -> list[tuple[Board, ...]]:
    """Return the superchip modules whose GPUs are all the program's, each as its GPUs.

    A module with somebody else's GPU on it is not the program's. Where it is not known which GPUs share a module,
    nothing is returned for them.

    Args:
        boards: All GPUs in sight.
        own: Those of the program.
    """
    modules: list[tuple[Board, ...]] = [(board,) for board in own if board.gpus_per_module == 1]
    for socket in sorted({board.socket for board in own if board.socket is not None}):
        members = tuple(board for board in boards if board.socket == socket and board.gpus_per_module != 1)
        complete = len(members) >= max((board.gpus_per_module or 1 for board in members), default=1)
        if members and complete and all(board in own for board in members):
            modules.append(members)
    return modules


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """The use of a GPU's multiprocessors by one process over the driver's last sample period.

    Attributes:
        pid: Process number as the host counts; inside a container it need not be that of ``os.getpid``.
        t_us: When it was taken, microseconds since the epoch.
        sm_percent: Part of the time in which the process had work on the multiprocessors, 0 to 100.
    """

    pid: int
    t_us: int
    sm_percent: int


@dataclass(frozen=True, slots=True)
class GpuUse:
    """Who used a GPU since the last time.

    Attributes:
        samples: One per process that used it; empty if none did.
        newest_us: What to give as ``since_us`` next time.
    """

    samples: tuple[ProcessSample, ...]
    newest_us: int

    def share(self, pids: Container[int]) -> float | None:
        """Return the share (0..1) of these processes in what all computed; None if nobody did."""
        total = sum(sample.sm_percent for sample in self.samples)
        own = sum(sample.sm_percent for sample in self.samples if sample.pid in pids)
        return own / total if total else None


def gpu_process_shares(api: NvmlApi, handle: Any, since_us: int = 0) -> GpuUse | None:
    """Return what each process did on a GPU since ``since_us``, for sharing its energy out.

    The driver samples every 1/6 to 1 s, depending on the product (NVML guide, ``nvmlUtilization_t``), and keeps
    few samples, so ask about once a second.

    Args:
        api: The library.
        handle: The board; MIG devices have no such figures.
        since_us: ``newest_us`` of the answer before; 0 for all that the driver still has.

    Returns:
        None where the device does not tell (MIG, vGPU, a lost device, no permission).
    """
    try:
        found = api.nvmlDeviceGetProcessUtilization(handle, since_us)
    except api.NVMLError as error:
        # "Not Found" is the answer where nobody computed.
        return GpuUse((), since_us) if error_code(error) == ERROR_NOT_FOUND else None
    samples = tuple(
        ProcessSample(int(sample.pid), int(sample.timeStamp), int(sample.smUtil))
        for sample in found
        # Some drivers return slots that were never filled: old stamps, absurd values.
        if sample.timeStamp > since_us and sample.smUtil <= 100  # noqa: PLR2004  # per cent
    )
    return GpuUse(samples, max((sample.t_us for sample in samples), default=since_us))
