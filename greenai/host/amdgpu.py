"""AMD GPUs as the kernel shows them: cards, their power sensors, and which of their dies the program may use.

Layout (drivers/gpu/drm/amd/pm/amdgpu_pm.c, "DOC: hwmon"; amdkfd/kfd_topology.c)::

    /sys/bus/pci/drivers/amdgpu/0000:c1:00.0/device                         0x7408
    /sys/bus/pci/drivers/amdgpu/0000:c1:00.0/product_name                   boards with a FRU memory only
    /sys/bus/pci/drivers/amdgpu/0000:c1:00.0/unique_id                      16 hexadecimal digits, Vega and newer
    /sys/bus/pci/drivers/amdgpu/0000:c1:00.0/hwmon/hwmon4/name              amdgpu
    /sys/bus/pci/drivers/amdgpu/0000:c1:00.0/hwmon/hwmon4/power1_average    **µW**
    /sys/bus/pci/drivers/amdgpu/0000:c1:00.0/hwmon/hwmon4/power1_input      **µW**; not every GPU has both
    /sys/bus/pci/drivers/amdgpu/0000:c1:00.0/hwmon/hwmon4/power1_cap        **µW**; 0 on the second die of a MI250
    /sys/bus/pci/drivers/amdgpu/0000:c1:00.0/hwmon/hwmon4/in1_input         the north bridge: integrated GPUs only
    /sys/class/kfd/kfd/topology/nodes/4/properties                          "name value" lines; CPUs: simd_count 0

ROCm numbers its devices in the order of the KFD nodes. A node that a cgroup (Slurm's ConstrainDevices) withholds
is listed and cannot be read; ROCm does not number it.

A card may be several nodes: the two dies of a MI250 or MI250X are PCI devices of their own, but only one of them
reports, for both (rocm-smi: "N/A (Secondary die)"; ROCm/rocm_smi_lib#160, codecarbon#1097). They are neighbours on
the bus. The partitions of a MI300 (CPX, DPX) are nodes of one PCI device.
"""

from __future__ import annotations

import os
from errno import EPERM
from typing import TYPE_CHECKING, NamedTuple

from greenai.host.hwmon import SensorFile, power_fault
from greenai.host.machine import read_text
from greenai.host.pci import PciDevice, pci_devices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from greenai.host.hwmon import HwmonChip
    from greenai.host.machine import Host

# pci.ids: "Aldebaran/MI200 [Instinct MI250X]" and "[Instinct MI250X/MI250]". 0x740f is the MI210, with one die.
_TWO_DIES = frozenset({"0x7408", "0x740c"})
_LAYERS = (("ROCR_VISIBLE_DEVICES",), ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"))
_SHORTEST_UUID = len("GPU-0")


class ComputeNode(NamedTuple):
    """A device that ROCm numbers: a GPU, a die or a partition of one.

    Attributes:
        address: PCI address of the GPU, function 0.
        uuid: ``GPU-`` and 16 hexadecimal digits; empty if it has none.
    """

    address: str
    uuid: str


class AmdCard(NamedTuple):
    """What one power sensor speaks of.

    Attributes:
        device: The PCI device with the sensor.
        chip: Its hwmon chip, None if it has none (virtual functions).
        nodes: How many devices ROCm makes of it.
        visible: How many of those the program may use.
        dies: How many PCI devices it is.
        integrated: It is part of a processor, and its power is that of the whole processor.
        reports: False for a second die whose first is not in this machine.
    """

    device: PciDevice
    chip: HwmonChip | None
    nodes: int
    visible: int
    dies: int = 1
    integrated: bool = False
    reports: bool = True

    @property
    def power_file(self) -> Path | None:
        """Return the file with its power in µW, None if it has none. An average misses less than a moment."""
        if self.chip is None:
            return None
        names = [name for name in ("power1_average", "power1_input") if name in self.chip.files]
        return self.chip.folder / names[0] if names else None


class AmdCards(NamedTuple):
    """The cards of a machine.

    Attributes:
        cards: In the order of the bus, also those of which nothing is visible.
        unknown: Pairs (variable, entry) that name no device.
    """

    cards: tuple[AmdCard, ...]
    unknown: tuple[tuple[str, str], ...] = ()


class AmdPowerFile:
    """A power file, kept open.

    A GPU that sleeps or is being reset answers EPERM (``amdgpu_pm_get_access_if_active``); it is not woken.
    """

    def __init__(self, path: Path, max_power_uw: int) -> None:
        self._file = SensorFile(path)
        self._max_power_uw = max_power_uw

    def read(self, _t_ns: int) -> int | str:
        """Return the power in µW, or a reason why there is none."""
        try:
            power_uw = self._file.number()
        except OSError as error:
            return "amd_gpu_asleep" if error.errno == EPERM else f"amd_gpu_{type(error).__name__}"
        except ValueError:
            return "amd_gpu_no_number"
        return power_fault(power_uw, self._max_power_uw) or power_uw

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def has_amd_gpu(host: Host) -> bool:
    """Say whether the driver holds a GPU; one system call."""
    return bool(pci_devices(host, "amdgpu"))


def amd_cards(host: Host) -> AmdCards:
    """Return the AMD GPUs of a machine, and what of them the program may use."""
    devices = pci_devices(host, "amdgpu")
    if not devices:
        return AmdCards(())
    nodes, withheld = _compute_nodes(host)
    if not withheld:  # what ROCm does not number it may not use, but others may
        numbered = {node.address for node in nodes}
        nodes += [ComputeNode(d.address, _uuid(d)) for d in devices if _function_0(d.address) not in numbered]
    visible, unknown = visible_nodes(nodes, host.environ)
    cards: list[AmdCard] = []
    for dies, chip in _cards(devices):
        addresses = {_function_0(die.address) for die in dies}
        here = sum(node.address in addresses for node in nodes)
        two = dies[0].text("device") in _TWO_DIES
        cards.append(
            AmdCard(
                device=dies[0],
                chip=chip,
                nodes=max(here, 2 if two else 1),
                visible=sum(node.address in addresses for node in visible),
                dies=len(dies),
                integrated=chip is not None and "in1_input" in chip.files,
                reports=not two or (chip is not None and _is_first_die(chip)),
            )
        )
    return AmdCards(tuple(cards), tuple(unknown))


def visible_nodes(
    nodes: Sequence[ComputeNode], environ: Mapping[str, str]
) -> tuple[list[ComputeNode], list[tuple[str, str]]]:
    """Return the devices that a ROCm program may use, and the entries (variable, entry) that name none.

    ``ROCR_VISIBLE_DEVICES`` takes indices and UUIDs or their beginnings; if it is empty, nothing is visible
    (amd_filter_device.cpp). One more list counts among the devices that are left: HIP_VISIBLE_DEVICES, or else
    CUDA_VISIBLE_DEVICES (rocdevice.cpp, ``Device::init``), or else GPU_DEVICE_ORDINAL (ROCm documentation, "GPU
    isolation techniques"); if it is empty, it does not count. Nothing after an invalid entry is visible; ``-1`` is
    a usual one.
    """
    chosen = list(nodes)
    unknown: list[tuple[str, str]] = []
    for variables in _LAYERS:
        for variable in variables:
            wanted = environ.get(variable)
            if wanted is None or (wanted == "" and variable != "ROCR_VISIBLE_DEVICES"):
                continue
            chosen, bad = _select(chosen, wanted)
            unknown += [] if bad in (None, "", "-1") else [(variable, str(bad))]
            break
    return chosen, unknown


def _select(nodes: Sequence[ComputeNode], wanted: str) -> tuple[list[ComputeNode], str | None]:
    chosen: list[ComputeNode] = []
    taken: set[int] = set()
    for entry in (part.strip() for part in wanted.split(",")):
        uuid = entry.casefold() if entry.startswith("GPU-") and len(entry) >= _SHORTEST_UUID else None
        matches = [
            index
            for index, node in enumerate(nodes)
            if (entry.isdecimal() and int(entry) == index)
            or (uuid is not None and node.uuid.casefold().startswith(uuid))
        ]
        if len(matches) != 1:
            return chosen, entry
        if matches[0] not in taken:
            taken.add(matches[0])
            chosen.append(nodes[matches[0]])
    return chosen, None


def _compute_nodes(host: Host) -> tuple[list[ComputeNode], bool]:
    """Return the GPU nodes in ROCm's order, and whether a cgroup withholds others."""
    root = host.sys_root / "class" / "kfd" / "kfd" / "topology" / "nodes"
    try:
        numbers = sorted(int(name) for name in os.listdir(root) if name.isdecimal())  # noqa: PTH208  # names
    except OSError:
        return [], False
    nodes: list[ComputeNode] = []
    withheld = False
    for number in numbers:
        text = read_text(root / str(number) / "properties")
        fields = [line.split() for line in (text or "").splitlines()]
        values = {line[0]: int(line[1]) for line in fields if len(line) == 2 and line[1].isdecimal()}  # noqa: PLR2004
        if not values:
            withheld = True
        elif values.get("simd_count", 0) > 0:
            # Bits 15..8: bus, 7..3: device. A partition has its number in the function's place, or above.
            location = values.get("location_id", 0)
            address = f"{values.get('domain', 0):04x}:{location >> 8 & 0xFF:02x}:{location >> 3 & 0x1F:02x}.0"
            unique = values.get("unique_id", 0)
            nodes.append(ComputeNode(address, f"GPU-{unique:016x}" if unique else ""))
    return nodes, withheld


def _cards(devices: Sequence[PciDevice]) -> list[tuple[tuple[PciDevice, ...], HwmonChip | None]]:
    """Put the two dies of a card together, the one with the sensor first."""
    cards: list[tuple[tuple[PciDevice, ...], HwmonChip | None]] = []
    single: tuple[PciDevice, HwmonChip | None] | None = None  # a die that still lacks its neighbour
    for device in devices:
        chip = next((chip for chip in device.hwmon_chips() if chip.name == "amdgpu"), None)
        if device.text("device") not in _TWO_DIES or chip is None:
            cards.append(((device,), chip))
        elif single is None:
            single = device, chip
        elif single[1] is not None and _is_first_die(single[1]) != _is_first_die(chip):
            pair = [single, (device, chip)] if _is_first_die(single[1]) else [(device, chip), single]
            cards.append(((pair[0][0], pair[1][0]), pair[0][1]))
            single = None
        else:
            cards.append(((single[0],), single[1]))
            single = device, chip
    if single is not None:
        cards.append(((single[0],), single[1]))
    return sorted(cards, key=lambda card: (len(card[0][0].address), card[0][0].address))


def _is_first_die(chip: HwmonChip) -> bool:
    """Say whether a die of a MI250 is the one that reports; the other has 0 for every power (rocm_smi.py)."""
    return any((chip.text(file) or "0") not in ("0", "") for file in ("power1_cap", "power1_average"))


def _function_0(address: str) -> str:
    return f"{address[:-1]}0"


def _uuid(device: PciDevice) -> str:
    unique = device.text("unique_id")
    return f"GPU-{unique}" if unique else ""
