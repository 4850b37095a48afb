"""PCI devices by the driver that holds them (Documentation/ABI/testing/sysfs-bus-pci).

::

    /sys/bus/pci/drivers/amdgpu/0000:03:00.0         -> the device's folder; one link per device of this driver
    /sys/bus/pci/drivers/amdgpu/0000:03:00.0/hwmon/hwmon4/name

Asking the driver's folder costs one system call on a machine without such a device. ``/sys/module/<driver>`` would
not do: it is there wherever the driver is built into the kernel.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from greenai.host.hwmon import HwmonChip
from greenai.host.machine import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.host.machine import Host

_ADDRESS = re.compile(r"^[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$")


class PciDevice(NamedTuple):
    """One PCI device.

    Attributes:
        address: Domain, bus, device and function, e.g. ``0000:03:00.0``.
        folder: Its folder in sysfs.
    """

    address: str
    folder: Path

    def text(self, file: str) -> str:
        """Return the stripped content of one of its files, empty if it cannot be read."""
        return (read_text(self.folder / file) or "").strip()

    def hwmon_chips(self) -> list[HwmonChip]:
        """Return its hwmon chips in the order of their numbers; empty where it has none."""
        chips = []
        for folder in sorted(self.folder.glob("hwmon/hwmon*"), key=lambda path: (len(path.name), path.name)):
            try:
                files = frozenset(os.listdir(folder))  # noqa: PTH208  # names, not paths
            except OSError:
                continue
            chips.append(HwmonChip(folder, (read_text(folder / "name") or "").strip(), files))
        return chips


def pci_devices(host: Host, driver: str) -> list[PciDevice]:
    """Return the devices that a driver holds, in the order of the bus; empty where there is no such driver."""
    root = host.sys_root / "bus" / "pci" / "drivers" / driver
    try:
        names = os.listdir(root)  # noqa: PTH208  # names, not paths
    except OSError:
        return []
    addresses = sorted((name for name in names if _ADDRESS.match(name)), key=lambda name: (len(name), name))
    return [PciDevice(address, root / address) for address in addresses]
