"""A fake of NVIDIA's library with the names and arities of ``pynvml``."""

from __future__ import annotations

from dataclasses import dataclass


class FakeNvmlError(Exception):
    """What the fake raises."""


@dataclass
class FakeGpu:
    """One GPU. Set ``energy_mj`` or ``power_mw`` to None where the device does not support it.

    Attributes:
        uuid: E.g. ``GPU-4e81...``.
        name: Product name.
        energy_mj: Energy counter, millijoules.
        power_mw: Power, milliwatts.
        lost: True once the device has fallen off the bus.
    """

    uuid: str
    name: str = "NVIDIA A100-SXM4-40GB"
    energy_mj: int | None = 0
    power_mw: int | None = 100_000
    lost: bool = False


class FakeNvml:
    """The library over a list of GPUs; a handle is the GPU itself."""

    NVMLError: type[Exception] = FakeNvmlError

    def __init__(self, gpus: list[FakeGpu]) -> None:
        self.gpus = gpus
        self.started = 1

    def nvmlInit(self) -> None:  # noqa: N802, D102
        self.started += 1

    def nvmlShutdown(self) -> None:  # noqa: N802, D102
        self.started -= 1

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802, D102
        return "580.0"

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802, D102
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:  # noqa: N802, D102
        return self.gpus[index]

    def nvmlDeviceGetName(self, handle: FakeGpu) -> str:  # noqa: N802, D102
        return handle.name

    def nvmlDeviceGetUUID(self, handle: FakeGpu) -> str:  # noqa: N802, D102
        return handle.uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: FakeGpu) -> int:  # noqa: N802, D102
        return self._answer(handle, handle.energy_mj)

    def nvmlDeviceGetPowerUsage(self, handle: FakeGpu) -> int:  # noqa: N802, D102
        return self._answer(handle, handle.power_mw)

    @staticmethod
    def _answer(gpu: FakeGpu, value: int | None) -> int:
        if gpu.lost:
            raise FakeNvmlError("GPU is lost")
        if value is None:
            raise FakeNvmlError("Not Supported")
        return value
