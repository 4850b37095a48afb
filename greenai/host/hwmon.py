"""Linux hwmon: the folders of ``/sys/class/hwmon`` and their small files (Documentation/hwmon/sysfs-interface)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.host.machine import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.host.machine import Host


@dataclass(frozen=True, slots=True)
class HwmonChip:
    """One hwmon device.

    Attributes:
        folder: Its folder, e.g. ``/sys/class/hwmon/hwmon3``.
        name: Name of the driver's chip, e.g. ``amdgpu``.
        files: Names of the files in the folder.
    """

    folder: Path
    name: str
    files: frozenset[str]

    def text(self, file: str) -> str | None:
        """Return the stripped content of one of its files, None if it cannot be read."""
        content = read_text(self.folder / file)
        return content.strip() if content is not None else None


def hwmon_chips(host: Host) -> list[HwmonChip]:
    """Return all hwmon devices in the order of their numbers; empty where there are none.

    Older drivers keep their files in a subfolder ``device``; those chips are given with that folder.
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
        try:
            files = frozenset(os.listdir(folder))  # noqa: PTH208
        except OSError:
            continue
        chips.append(HwmonChip(folder, (chip_name or "").strip(), files))
    return chips
