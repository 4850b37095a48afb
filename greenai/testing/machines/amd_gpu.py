"""Machines with AMD GPUs.

Sources of the layouts:

* files of hwmon: drivers/gpu/drm/amd/pm/amdgpu_pm.c (``hwmon_attributes_visible``: which GPU has which file); the
  laptop after ``sensors`` on a Ryzen 6850U (vddgfx, vddnb, edge, PPT; gnome-shell-extension-freon#249)
* KFD nodes: amdkfd/kfd_topology.c (``node_show``); eight dies of four MI250X at the PCI addresses of LUMI and
  Frontier (their user guides), values of the second dies as in ROCm/rocm_smi_lib#160 and ml-energy/zeus#203
* dictionaries of the library: py-interface/amdsmi_interface.py of ROCm/amdsmi, 6.1.2, 6.4.3, 7.0.2
* device ids: pci.ids
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.testing.amdsmi import FakeAmdGpu, FakeAmdSmi
from greenai.testing.machine import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_NO_VALUE = 0xFFFF
_MI250X_ADDRESSES = ("c1", "c6", "c9", "ce", "d1", "d6", "d9", "de")

_DISCRETE = {
    "name": "amdgpu",
    "in0_input": "850",
    "in0_label": "vddgfx",
    "temp1_input": "45000",
    "temp1_label": "edge",
    "power1_label": "PPT",
}
_INTEGRATED = {
    **{key: _DISCRETE[key] for key in ("name", "in0_input", "in0_label", "temp1_input", "temp1_label")},
    "in1_input": "724",
    "in1_label": "vddnb",
    "power1_label": "PPT",
}


def add_gpu(
    machine: FakeMachine,
    address: str,
    device_id: str,
    files: Mapping[str, str],
    *,
    number: int = 0,
    uuid: str = "",
) -> Path:
    """Add a GPU that the driver ``amdgpu`` holds; return the folder of its hwmon chip.

    Args:
        machine: The machine.
        address: PCI address.
        device_id: PCI device id, e.g. ``0x744c``.
        files: Its hwmon files.
        number: The N of its ``hwmonN``.
        uuid: Content of its ``unique_id``.
    """
    folder = f"sys/bus/pci/devices/{address}"
    machine.write(f"{folder}/vendor", "0x1002\n")
    machine.write(f"{folder}/device", f"{device_id}\n")
    if uuid:
        machine.write(f"{folder}/unique_id", f"{uuid}\n")
    for name, text in files.items():
        machine.write(f"{folder}/hwmon/hwmon{number}/{name}", f"{text}\n")
    driver = machine.root / "sys/bus/pci/drivers/amdgpu"
    driver.mkdir(parents=True, exist_ok=True)
    (driver / address).symlink_to(machine.root / folder, target_is_directory=True)
    chips = machine.root / "sys/class/hwmon"
    chips.mkdir(parents=True, exist_ok=True)
    if files:
        (chips / f"hwmon{number}").symlink_to(machine.root / folder / f"hwmon/hwmon{number}")
    return machine.root / folder / f"hwmon/hwmon{number}"


def add_node(machine: FakeMachine, number: int, address: str | None, *, uuid: int = 0, partition: int = 0) -> Path:
    """Add a KFD node, a CPU if it has no address; return its file ``properties``."""
    location = 0
    if address is not None:
        _, bus, rest = address.split(":")
        location = int(bus, 16) << 8 | int(rest.split(".")[0], 16) << 3 | partition
    lines = {
        "cpu_cores_count": 0 if address else 16,
        "simd_count": 440 if address else 0,
        "vendor_id": 4098 if address else 0,
        "location_id": location,
        "domain": 0,
        "unique_id": uuid,
    }
    text = "".join(f"{name} {value}\n" for name, value in lines.items())
    return machine.write(f"sys/class/kfd/kfd/topology/nodes/{number}/properties", text)


def four_mi250x(root: Path) -> FakeMachine:
    """Return a node with four MI250X: eight dies, of which every second says 0 W. 560 W at most per card."""
    machine = FakeMachine(root)
    machine.cpu("AMD EPYC 7A53 64-Core Processor", vendor="AuthenticAMD")
    gpus = []
    for numa in range(4):
        add_node(machine, numa, None)
    for die, bus in enumerate(_MI250X_ADDRESSES):
        first = die % 2 == 0
        address, uuid = f"0000:{bus}:00.0", 0xA0B0C0D0E0F00000 + die
        powers = {"power1_average": "90000000", "power1_cap": "560000000"}
        files = {**_DISCRETE, **(powers if first else dict.fromkeys(powers, "0"))}
        add_gpu(machine, address, "0x7408", files, number=die + 2, uuid=f"{uuid:016x}")
        add_node(machine, die + 4, address, uuid=uuid)
        power_w = {"current_socket_power": _NO_VALUE, "average_socket_power": 90 if first else 0}
        count = 3_000_000_000 if first else 0
        gpus.append(FakeAmdGpu(address, "AMD Instinct MI250X", count, 15.300000190734863, power_w))
    machine.amdsmi = FakeAmdSmi(gpus)
    return machine


def eight_mi300x(root: Path) -> FakeMachine:
    """Return a node with eight MI300X and ROCm 7: momentary power only, and a counter."""
    machine = FakeMachine(root)
    machine.cpu("AMD EPYC 9654 96-Core Processor", vendor="AuthenticAMD")
    add_node(machine, 0, None)
    add_node(machine, 1, None)
    gpus = []
    for card, bus in enumerate(("05", "26", "46", "65", "85", "a6", "c6", "e5")):
        address, uuid = f"0000:{bus}:00.0", 0x1122334455660000 + card
        add_gpu(
            machine,
            address,
            "0x74a1",
            {"name": "amdgpu", "power1_input": "140000000", "power1_cap": "750000000", "power1_label": "PPT"},
            number=card,
            uuid=f"{uuid:016x}",
        )
        add_node(machine, card + 2, address, uuid=uuid)
        power_w = {"socket_power": 140, "current_socket_power": 140, "average_socket_power": _NO_VALUE}
        gpus.append(FakeAmdGpu(address, "AMD Instinct MI300X", 8_000_000_000, 15.258789, power_w))
    machine.amdsmi = FakeAmdSmi(gpus)
    return machine


def four_mi300a(root: Path) -> FakeMachine:
    """Return a node with four MI300A, each a whole socket, without ROCm's Python module."""
    machine = FakeMachine(root)
    machine.cpu("AMD Instinct MI300A Accelerator", vendor="AuthenticAMD", cpus=8, sockets=4)
    for socket in range(4):
        add_node(machine, socket, None)
    for socket in range(4):
        address = f"000{socket}:01:00.0"
        files = {"name": "amdgpu", "power1_input": f"{120 + socket}000000", "power1_label": "PPT"}
        add_gpu(machine, address, "0x74a0", files, number=socket)
    return machine


def mi100_with_rocm_6_0(root: Path) -> FakeMachine:
    """Return a machine with a MI100 and an old library, whose counter stands still."""
    machine = FakeMachine(root)
    files = {**_DISCRETE, "power1_average": "36000000", "power1_cap": "290000000"}
    add_gpu(machine, "0000:83:00.0", "0x738c", files, number=3, uuid="d1c2b3a495867768")
    add_node(machine, 0, None)
    add_node(machine, 1, "0000:83:00.0", uuid=0xD1C2B3A495867768)
    power_w = {"current_socket_power": _NO_VALUE, "average_socket_power": 36}
    gpu = FakeAmdGpu("0000:83:00.0", "AMD Instinct MI100", 8_152_136, 15.300000190734863, power_w)
    machine.amdsmi = FakeAmdSmi([gpu], energy_key="power")
    return machine


def desktop_with_rx_7900_xtx(root: Path) -> FakeMachine:
    """Return a desktop: a discrete card, a processor with a small integrated GPU, no ROCm."""
    machine = FakeMachine(root)
    machine.cpu("AMD Ryzen 9 7950X 16-Core Processor", vendor="AuthenticAMD")
    files = {**_DISCRETE, "power1_average": "21000000", "power1_cap": "339000000", "fan1_input": "0"}
    add_gpu(machine, "0000:03:00.0", "0x744c", files, number=1, uuid="7c6d1f0e2a3b4c5d")
    add_gpu(machine, "0000:13:00.0", "0x164e", {**_INTEGRATED, "power1_average": "34104000"}, number=5)
    add_node(machine, 0, None)
    add_node(machine, 1, "0000:03:00.0", uuid=0x7C6D1F0E2A3B4C5D)
    add_node(machine, 2, "0000:13:00.0")
    return machine


def laptop_with_integrated_gpu(root: Path) -> FakeMachine:
    """Return a laptop whose only GPU is in its processor."""
    machine = FakeMachine(root)
    machine.cpu("AMD Ryzen 7 PRO 6850U with Radeon Graphics", vendor="AuthenticAMD")
    add_gpu(machine, "0000:33:00.0", "0x1681", {**_INTEGRATED, "power1_average": "17080000"}, number=4)
    return machine


MACHINES: dict[str, Callable[[Path], FakeMachine]] = {
    "amd_four_mi250x": four_mi250x,
    "amd_eight_mi300x": eight_mi300x,
    "amd_four_mi300a": four_mi300a,
    "amd_mi100_rocm_6_0": mi100_with_rocm_6_0,
    "amd_desktop_rx_7900_xtx": desktop_with_rx_7900_xtx,
    "amd_laptop_integrated_gpu": laptop_with_integrated_gpu,
}
