"""Which of a GPU's meters can be trusted, and how each is read.

==================================  =====================================================================
``nvmlDeviceGetTotalEnergyConsum-   mJ since the driver was loaded; Volta and newer; renewed about every
ption``                             100 ms (Zeus's documentation). On GH200 it counts the whole module
                                    (zeus#172).
``NVML_FI_DEV_POWER_INSTANT``       mW now: mean of 10 to 100 ms, on A100 and H100 of 25 of each 100 ms
                                    (Yang, Adamek, Armour, SC24, arXiv:2312.02741). ``scopeId``: GPU, module.
``NVML_FI_DEV_POWER_AVERAGE``       mW, mean of the last second.
``nvmlDeviceGetPowerUsage``         mW; the mean of the last second on Ampere and newer, but now on GA100
                                    (compute capability 8.0) and older (NVML API Reference Guide).
==================================  =====================================================================

A counter that stands at 0 while the GPU draws power does not count: the driver has just spent longer on its own
start than the 100 ms after which it must have moved. Then the power is polled. One that stops later is a gap.

Both GPUs of a GB200 superchip report the same module (NVIDIA/srt-slurm, its exporter of CPU power), and what their
energy counter contains is not documented: there only the power fields, which name their scope, are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from greenai.core.units import NS_PER_S, UJ_PER_MJ, UW_PER_MW
from greenai.host.nvml import (
    FIELD_POWER_AVERAGE,
    FIELD_POWER_INSTANT,
    MISSING,
    SCOPE_GPU,
    SCOPE_MODULE,
    VALUE_MEMBERS,
    BadValueError,
)

if TYPE_CHECKING:
    from greenai.host.nvml import NvmlApi
    from greenai.host.nvml_devices import Board

COUNTER = "nvml_energy_counter"
INSTANT = "nvml_power_instant"
AVERAGE = "nvml_power_average"

_NEWEST_INSTANT_CAPABILITY = (8, 0)  # GA100; GA102 is 8.6
_SENTINELS = frozenset({2**32 - 1, 2**63 - 1, 2**64 - 1})
_STANDSTILL_NS = NS_PER_S // 2  # five renewals
_IDLE_MW = 1_000  # nothing that answers draws less; in 0.5 s it must have moved the counter by 500 mJ


@dataclass(frozen=True, slots=True)
class Meter:
    """A way to read a GPU.

    Attributes:
        method: Counter, instantaneous or averaged power.
        scope: What the power field speaks of; None for the functions that have no scope.
    """

    method: str
    scope: int | None = None


@dataclass(frozen=True, slots=True)
class Meters:
    """The best meters of one GPU.

    Attributes:
        gpu: For the GPU alone.
        module: For the whole superchip.
        dead_counter: True if there is a counter, but it does not count.
        reason: Why there is no meter at all.
    """

    gpu: Meter | None = None
    module: Meter | None = None
    dead_counter: bool = False
    reason: str = ""


def find_meters(api: NvmlApi, board: Board) -> Meters:
    """Find the best meters of a GPU; each is read once."""
    counter, reason = _works(api, board.handle, Meter(COUNTER))
    dead = reason == "nvml_counter_dead"
    if board.superchip:
        module = _power_meter(api, board.handle, SCOPE_MODULE)
        if module is not None or board.gpus_per_module is not None:
            gpu = _power_meter(api, board.handle, SCOPE_GPU)
            if board.gpus_per_module == 1:
                module = Meter(COUNTER) if counter else module
                gpu = gpu or _plain_meter(api, board.handle)
            return Meters(gpu, module, dead, "" if gpu or module else reason or "nvml_scope_unknown")
    if counter:
        return Meters(Meter(COUNTER))
    gpu = _power_meter(api, board.handle, SCOPE_GPU) or _plain_meter(api, board.handle)
    return Meters(gpu, None, dead, "" if gpu else reason)


def _power_meter(api: NvmlApi, handle: Any, scope: int) -> Meter | None:
    meters = (Meter(INSTANT, scope), Meter(AVERAGE, scope))
    return next((meter for meter in meters if _works(api, handle, meter)[0]), None)


def _plain_meter(api: NvmlApi, handle: Any) -> Meter | None:
    try:
        instant = tuple(api.nvmlDeviceGetCudaComputeCapability(handle)) <= _NEWEST_INSTANT_CAPABILITY
    except (api.NVMLError, *MISSING):
        instant = False
    meter = Meter(INSTANT if instant else AVERAGE)
    return meter if _works(api, handle, meter)[0] else None


def _works(api: NvmlApi, handle: Any, meter: Meter) -> tuple[bool, str]:
    try:
        value = read_meter(api, handle, meter)
        if meter.method == COUNTER and value == 0 and draws_power(api, handle):
            return False, "nvml_counter_dead"
    except (api.NVMLError, BadValueError, *MISSING) as error:
        return False, str(error)
    return True, ""


def read_meter(api: NvmlApi, handle: Any, meter: Meter) -> int:
    """Return microjoules (counter) or microwatts (power).

    Raises:
        BadValueError: A sentinel, or a power of 0, which nothing that answers draws.
        NVMLError: The library says no.
    """
    if meter.method == COUNTER:
        return _sound(int(api.nvmlDeviceGetTotalEnergyConsumption(handle))) * UJ_PER_MJ
    power_mw = _usage_mw(api, handle) if meter.scope is None else _field_mw(api, handle, meter)
    if power_mw == 0:
        raise BadValueError("nvml_zero_power")
    return _sound(power_mw) * UW_PER_MW


def _usage_mw(api: NvmlApi, handle: Any) -> int:
    return int(api.nvmlDeviceGetPowerUsage(handle))


def _field_mw(api: NvmlApi, handle: Any, meter: Meter) -> int:
    field_id = FIELD_POWER_INSTANT if meter.method == INSTANT else FIELD_POWER_AVERAGE
    field = api.nvmlDeviceGetFieldValues(handle, [(field_id, meter.scope)])[0]
    if field.nvmlReturn != 0:
        raise api.NVMLError(field.nvmlReturn)
    if not 0 <= field.valueType < len(VALUE_MEMBERS):
        raise BadValueError("nvml_value_type")
    return int(getattr(field.value, VALUE_MEMBERS[field.valueType]))


def _sound(value: int) -> int:
    if value in _SENTINELS or value < 0:
        raise BadValueError("nvml_sentinel")
    return value


def draws_power(api: NvmlApi, handle: Any) -> bool:
    """Return True if the GPU certainly draws power."""
    try:
        return _sound(_usage_mw(api, handle)) > _IDLE_MW
    except (api.NVMLError, BadValueError):
        return False


class Source:
    """A meter of one GPU, read again and again.

    Attributes:
        uuid: The GPU.
        handle: Its handle; None once the GPU is gone.
    """

    def __init__(self, uuid: str, handle: Any, meter: Meter) -> None:
        self.uuid = uuid
        self.handle = handle
        self._meter = meter
        self._energy_uj = -1
        self._since_ns = 0

    def read(self, api: NvmlApi, t_ns: int) -> int:
        """Return microjoules (counter) or microwatts (power).

        Args:
            api: The library.
            t_ns: Now, monotonic nanoseconds.

        Raises:
            BadValueError: No measurement; also if the counter has stood still while the GPU drew power.
            NVMLError: The library says no.
        """
        if self.handle is None:
            raise BadValueError("nvml_device_gone")
        value = read_meter(api, self.handle, self._meter)
        if self._meter.method == COUNTER:
            if value != self._energy_uj:
                self._energy_uj, self._since_ns = value, t_ns
            elif t_ns - self._since_ns >= _STANDSTILL_NS and draws_power(api, self.handle):
                raise BadValueError("nvml_counter_stands_still")
        return value
