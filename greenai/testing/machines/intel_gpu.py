"""Machines with discrete Intel GPUs.

Sources of the layouts: Documentation/ABI/testing/sysfs-driver-intel-i915-hwmon and sysfs-driver-intel-xe-hwmon;
drivers/gpu/drm/i915/i915_hwmon.c (a chip for the device, one per tile), drivers/gpu/drm/xe/xe_hwmon.c (labels
"card" and "pkg"; DG2 has the package only); the chip of an Arc Pro B70 as printed in aristocratos/btop#1457.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.testing.machine import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

INTEGRATED = "0000:00:02.0"


def add_device(
    machine: FakeMachine,
    driver: str,
    address: str,
    device_id: str,
    chips: Mapping[int, Mapping[str, str]],
    *,
    control: str = "on",
) -> None:
    """Add a GPU.

    Args:
        machine: The machine.
        driver: ``i915`` or ``xe``.
        address: PCI address.
        device_id: PCI device id, e.g. ``0x56a0``.
        chips: Files of its hwmon chips, by the N of ``hwmonN``.
        control: Content of ``power/control``: ``auto`` lets it sleep.
    """
    folder = f"sys/bus/pci/devices/{address}"
    machine.write(f"{folder}/vendor", "0x8086\n")
    machine.write(f"{folder}/device", f"{device_id}\n")
    machine.write(f"{folder}/power/control", f"{control}\n")
    class_folder = machine.root / "sys/class/hwmon"
    class_folder.mkdir(parents=True, exist_ok=True)
    for number, files in chips.items():
        for name, text in files.items():
            machine.write(f"{folder}/hwmon/hwmon{number}/{name}", f"{text}\n")
        (class_folder / f"hwmon{number}").symlink_to(machine.root / folder / f"hwmon/hwmon{number}")
    bound = machine.root / "sys/bus/pci/drivers" / driver
    bound.mkdir(parents=True, exist_ok=True)
    (bound / address).symlink_to(machine.root / folder, target_is_directory=True)


def arc_a770_with_i915(root: Path) -> FakeMachine:
    """Return a desktop with an integrated GPU and an Arc A770, both held by i915."""
    machine = FakeMachine(root)
    machine.cpu("13th Gen Intel(R) Core(TM) i7-13700K")
    add_device(machine, "i915", INTEGRATED, "0xa780", {})
    chip = {"name": "i915", "energy1_input": "9417383050", "in0_input": "575", "power1_rated_max": "228000000"}
    add_device(machine, "i915", "0000:03:00.0", "0x56a0", {3: chip})
    return machine


def arc_a770_with_xe(root: Path) -> FakeMachine:
    """Return a machine with an Arc A770 held by xe: the counter of the package only."""
    machine = FakeMachine(root)
    chip = {"name": "xe", "energy2_input": "120000000", "energy2_label": "pkg", "power2_max": "190000000"}
    add_device(machine, "xe", "0000:03:00.0", "0x56a0", {2: chip}, control="auto")
    return machine


def two_arc_b70(root: Path) -> FakeMachine:
    """Return a machine with two Arc Pro B70 held by xe: card and package."""
    machine = FakeMachine(root)
    add_device(machine, "xe", INTEGRATED, "0x7d67", {})
    for card in range(2):
        chip = {
            "name": "xe",
            "energy1_input": f"{22_543_283_000_000 + card}",
            "energy1_label": "card",
            "energy2_input": "15000000000000",
            "energy2_label": "pkg",
            "power1_cap": "275000000",
            "power1_label": "card",
        }
        add_device(machine, "xe", f"0000:{card + 3:02x}:00.0", "0xe223", {card + 7: chip}, control="auto")
    return machine


def two_max_1550(root: Path) -> FakeMachine:
    """Return a node with two Max 1550 of two tiles each, held by Intel's i915 of the data centre."""
    machine = FakeMachine(root)
    machine.cpu("Intel(R) Xeon(R) CPU Max 9470C", sockets=2)
    for card, bus in enumerate(("18", "42")):
        chips = {
            4 * card: {
                "name": "i915",
                "energy1_input": f"{500_000_000_000 + card}",
                "power1_rated_max": "600000000",
            },
            4 * card + 1: {"name": "i915_gt0", "energy1_input": "230000000000"},
            4 * card + 2: {"name": "i915_gt1", "energy1_input": "220000000000"},
        }
        add_device(machine, "i915", f"0000:{bus}:00.0", "0x0bd5", chips)
    return machine


MACHINES: dict[str, Callable[[Path], FakeMachine]] = {
    "intel_arc_a770_i915": arc_a770_with_i915,
    "intel_arc_a770_xe": arc_a770_with_xe,
    "intel_two_arc_b70": two_arc_b70,
    "intel_two_max_1550": two_max_1550,
}
