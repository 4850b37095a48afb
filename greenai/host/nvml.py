"""NVIDIA's management library through ``pynvml``, and the protocol a fake must satisfy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


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

    def nvmlDeviceGetName(self, handle: Any) -> str:  # noqa: N802, D102
        ...

    def nvmlDeviceGetUUID(self, handle: Any) -> str:  # noqa: N802, D102
        ...

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any) -> int:  # noqa: N802, D102
        ...

    def nvmlDeviceGetPowerUsage(self, handle: Any) -> int:  # noqa: N802, D102
        ...


@dataclass(frozen=True, slots=True)
class NvmlLoad:
    """The library, initialised; or a short reason why there is none.

    Attributes:
        api: The library.
        reason: ``no_library`` (no NVIDIA driver here: nothing to report) or the library's own error text.
    """

    api: NvmlApi | None
    reason: str = ""


NO_LIBRARY = "no_library"


def load_nvml() -> NvmlLoad:
    """Load and initialise NVML. Never raises."""
    import ctypes

    # Asked first because it costs microseconds, and importing pynvml on a machine without a driver does not.
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return NvmlLoad(None, NO_LIBRARY)
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception as error:  # noqa: BLE001  # a broken driver must not reach the user's program
        return NvmlLoad(None, str(error))
    return NvmlLoad(pynvml)
