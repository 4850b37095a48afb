"""Linux hwmon: the folders of ``/sys/class/hwmon`` and their small files (Documentation/hwmon/sysfs-interface).

Beside the chips: a file kept open, and the test that a power can be true. Both serve every sensor that is a small
file of sysfs.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from greenai.host.descriptors import Descriptor
from greenai.host.machine import read_text

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from greenai.host.machine import Host

# "No value" in 32 bits (all bits set, ACPI 6.0 section 10.4.3; INT_MAX) and in 64, as drivers pass it on: plain,
# scaled from milli- to micro-units (acpi_power_meter: 4294967295000), scaled from whole units.
_NO_VALUE = frozenset(
    {top * scale for top in (2**32 - 1, 2**31 - 1) for scale in (1, 1000, 1_000_000)} | {2**64 - 1, 2**63 - 1}
)
_READ_BYTES = 64


class HwmonChip(NamedTuple):
    """One hwmon device.

    Attributes:
        folder: Its folder, e.g. ``/sys/class/hwmon/hwmon3``.
        name: Name of the driver's chip, e.g. ``amdgpu``.
        files: Names of the files in the folder.
    """

    folder: Path
    name: str
    files: frozenset[str]

    def path(self, file: str) -> Path:
        """Return the path of a file: in the chip's folder, else in that of its device.

        Some drivers register a named chip and leave their files with the device.
        """
        return self.folder / file if file in self.files else self.folder / "device" / file

    def text(self, file: str) -> str | None:
        """Return the stripped content of one of its files, None if it cannot be read."""
        content = read_text(self.folder / file)
        return content.strip() if content is not None else None


def hwmon_chips(host: Host, drivers: Container[str] | None = None) -> list[HwmonChip]:
    """Return the hwmon devices in the order of their numbers; empty where there are none.

    Older drivers keep their files in a subfolder ``device``; those chips are given with that folder.

    Args:
        host: The machine.
        drivers: Only chips of these names; default is all. Servers have dozens of others.
    """
    root = host.sys_root / "class" / "hwmon"
    try:
        names = os.listdir(root)  # noqa: PTH208  # names, not paths
    except OSError:
        return []
    chips = []
    for name in sorted(names, key=lambda name: (len(name), name)):
        folder = root / name
        chip_name = read_text(folder / "name")
        if chip_name is None:
            folder = folder / "device"
            chip_name = read_text(folder / "name")
        chip_name = (chip_name or "").strip()
        if drivers is not None and chip_name not in drivers:
            continue
        try:
            files = frozenset(os.listdir(folder))  # noqa: PTH208
        except OSError:
            continue
        chips.append(HwmonChip(folder, chip_name, files))
    return chips


class SensorFile:
    """A small file of sysfs, kept open: reading it is one system call.

    A driver that is reloaded or reconfigured takes its files away and makes new ones under the same names
    (acpi_power_meter does whenever its averaging interval is written); the old descriptor then fails for ever. So
    after a failure the file is opened anew.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = Descriptor()

    def text(self) -> str:
        """Return its content, stripped.

        Raises:
            OSError: It cannot be read now.
        """
        if self._file.number < 0:
            self._file = Descriptor(os.open(self.path, os.O_RDONLY | os.O_CLOEXEC))
        try:
            return os.pread(self._file.number, _READ_BYTES, 0).decode("ascii", errors="replace").strip()
        except OSError:
            self.close()
            raise

    def number(self) -> int:
        """Return its content.

        Raises:
            OSError: It cannot be read now.
            ValueError: That is no integer.
        """
        return int(self.text())

    def close(self) -> None:
        """Close it; a later read opens it again."""
        self._file.close()


def readable(path: Path) -> bool:
    """Say whether a file is there and may be read, without reading it: that may take the firmware 100 ms."""
    return path.is_file() and os.access(path, os.R_OK)


def no_value(number: int) -> bool:
    """Say whether a driver means "no value" by this number (kepler#1049, lm-sensors#460: 4.29 MW)."""
    return number in _NO_VALUE


def power_fault(power_uw: int, max_power_uw: int, *, zero_is_true: bool = False) -> str | None:
    """Return why a power cannot be true, None if it can.

    Args:
        power_uw: What the sensor says, microwatts.
        max_power_uw: More than this is a fault of the sensor.
        zero_is_true: The device may really take nothing, such as a GPU whose supply is cut while it idles. What
            runs this program takes something.
    """
    if no_value(power_uw):
        return "hwmon_sentinel"
    if power_uw < 0:
        return "hwmon_negative"
    if power_uw == 0 and not zero_is_true:
        return "hwmon_zero"
    return "hwmon_implausible" if power_uw > max_power_uw else None
