"""A fake of AMD's library with the names, arities and dictionaries of ``amdsmi``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_UINT16_MAX = 0xFFFF


class FakeAmdSmiError(Exception):
    """What the fake raises, worded like ``AmdSmiLibraryException``."""

    def __init__(self, status: str = "AMDSMI_STATUS_NOT_SUPPORTED - Feature not supported") -> None:
        super().__init__(f"Error code:\n\t2 | {status}")


@dataclass
class FakeAmdGpu:
    """One GPU or die.

    Attributes:
        bdf: PCI address.
        name: Product name, ``N/A`` if the library knows none.
        energy_count: Energy counter in steps of ``resolution_uj``; None if it is not supported.
        resolution_uj: Step of the counter, microjoules.
        power_w: What ``amdsmi_get_power_info`` says; 0xFFFF becomes ``N/A``, as in the library.
        lost: True once the device has fallen off the bus.
    """

    bdf: str
    name: str = "AMD Instinct MI300X"
    energy_count: int | None = 1_000_000
    resolution_uj: float = 15.300000190734863
    power_w: dict[str, int] = field(
        default_factory=lambda: {"current_socket_power": 100, "average_socket_power": _UINT16_MAX}
    )
    lost: bool = False

    def use(self, energy_j: float) -> None:
        """Let the counter count."""
        self.energy_count = (self.energy_count or 0) + round(energy_j * 1e6 / self.resolution_uj)


class FakeAmdSmi:
    """The library over a list of GPUs; a handle is the GPU itself.

    Attributes:
        gpus: The GPUs.
        energy_key: ``power`` before version 6.2.1, ``energy_accumulator`` since.
    """

    def __init__(self, gpus: list[FakeAmdGpu], energy_key: str = "energy_accumulator") -> None:
        self.gpus = gpus
        self.energy_key = energy_key

    def amdsmi_init(self) -> None:
        """Do nothing."""

    def amdsmi_get_processor_handles(self) -> list[FakeAmdGpu]:
        """Return the GPUs."""
        return list(self.gpus)

    def amdsmi_get_gpu_device_bdf(self, processor_handle: FakeAmdGpu) -> str:
        """Return the PCI address."""
        return processor_handle.bdf

    def amdsmi_get_gpu_asic_info(self, processor_handle: FakeAmdGpu) -> dict[str, Any]:
        """Return the product's name."""
        return {"market_name": processor_handle.name, "vendor_id": "0x1002"}

    def amdsmi_get_energy_count(self, processor_handle: FakeAmdGpu) -> dict[str, Any]:
        """Return the counter."""
        if processor_handle.lost or processor_handle.energy_count is None:
            raise FakeAmdSmiError
        return {
            self.energy_key: processor_handle.energy_count,
            "counter_resolution": processor_handle.resolution_uj,
            "timestamp": 0,
        }

    def amdsmi_get_power_info(self, processor_handle: FakeAmdGpu) -> dict[str, Any]:
        """Return the powers in W."""
        if processor_handle.lost:
            raise FakeAmdSmiError("AMDSMI_STATUS_NO_DATA - No data was found for a given input")
        return {key: "N/A" if power == _UINT16_MAX else power for key, power in processor_handle.power_w.items()}
