"""Which GPUs of a machine a CUDA program may use: environment variables against a list of devices. Pure.

``CUDA_VISIBLE_DEVICES`` (CUDA C++ Programming Guide, "CUDA Environment Variables"; where that is silent, what the
unit tests of PyTorch's ``torch.cuda._parse_visible_devices``, held against driver 525, and the documentation of
nvitop's parser say):

* unset: every device; empty: none; an entry that names no device ends the list, ``-1`` on purpose
* an index is read like C's ``strtoul``: ``1gpu`` is 1, ``+3`` is 3; it counts the devices that **this process**
  may open. Slurm with ``ConstrainDevices`` numbers them so too; without it a process may open all, and both agree.
* ``GPU-<uuid>``, ``MIG-<uuid>`` or any beginning of one that fits a single device; ``MIG-GPU-<uuid>/<gpu
  instance>/<compute instance>`` before driver 470
* the first entry sets the form (index, GPU or MIG); one of another form ends the list
* a device named twice makes CUDA see none at all

``CUDA_DEVICE_ORDER``: by default CUDA numbers the fastest device first by a rule that it does not publish; with
equal models that is PCI order. With different ones the rule here is cores times clock, and ``Doubt.ORDER`` says
so.

``SLURM_STEP_GPUS`` or ``SLURM_JOB_GPUS`` name the job's devices: numbers of ``/dev/nvidiaN``, never relative to a
cgroup (man srun, sbatch). They count where ``CUDA_VISIBLE_DEVICES`` is not set, and where the process is one of
several tasks of its step on this node: then that variable names this task's devices, and the one task that reads
the sensors speaks for all. Where the other tasks' devices cannot be known or opened, ``Doubt.TASKS`` says so.
``GPU_DEVICE_ORDINAL`` and ``ROCR_VISIBLE_DEVICES`` are for other makers' devices; CUDA does not read them.

``NVIDIA_VISIBLE_DEVICES`` is an order to the container runtime, numbered as on the host. Inside the container only
the devices it let in can be opened, numbered anew, so it is never applied: ``2,3`` would hide both devices, 0 and
1, and ``void`` stands in containers that got theirs by CDI. It tells one thing that NVML does not: whether the MIG
devices in sight are the whole board, or one tenant's part of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_INDEX = re.compile(r"[+-]?[0-9]{1,9}")
_LEGACY_MIG = re.compile(r"MIG-(GPU-[^/]*)/([0-9]{1,9})/([0-9]{1,9})")
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_CONTAINER_MIG = re.compile(r"MIG-|[0-9]+:[0-9]+")
_TASKS = re.compile(r"([0-9]{1,5})(?:\(x([0-9]{1,5})\))?")
# How many processes of a group run on this node: torchrun, Open MPI, Intel MPI and MPICH, MVAPICH.
_LOCAL_SIZES = ("LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "MV2_COMM_WORLD_LOCAL_SIZE")
_HIDDEN = frozenset({"", "NoDevFiles"})  # the latter is Slurm's word for none


@dataclass(frozen=True, slots=True)
class MigDevice:
    """A part of a board that CUDA can use like a device of its own.

    Attributes:
        uuid: ``MIG-<uuid>``.
        gpu_instance: Number of its GPU instance on the board.
        compute_instance: Number of its compute instance in that.
        slices: Compute slices it has.
    """

    uuid: str
    gpu_instance: int
    compute_instance: int
    slices: int


@dataclass(frozen=True, slots=True)
class GpuDevice:
    """A GPU that this process may open.

    Attributes:
        index: NVML's number of it.
        uuid: ``GPU-<uuid>``; empty if the device does not answer (it keeps its place in the numbering).
        name: Product name.
        pci: PCI domain, bus and device; None if unknown.
        minor: The N of ``/dev/nvidiaN``; None if unknown.
        speed: Cores times clock, for the order of unequal devices; None if unknown.
        mig_enabled: True while it is cut into MIG devices.
        mig_devices: Those that this process may use.
        mig_slices: Compute slices of the whole board; at least 1 where there are MIG devices.
    """

    index: int
    uuid: str
    name: str = ""
    pci: tuple[int, int, int] | None = None
    minor: int | None = None
    speed: float | None = None
    mig_enabled: bool = False
    mig_devices: tuple[MigDevice, ...] = ()
    mig_slices: int = 0


class Doubt(StrEnum):
    """What is wrong with an entry of ``CUDA_VISIBLE_DEVICES``."""

    NOT_FOUND = "not_found"
    AMBIGUOUS = "ambiguous"
    MIXED = "mixed"
    REPEATED = "repeated"
    ORDER = "order"
    TASKS = "tasks"


@dataclass(frozen=True, slots=True)
class Visible:
    """A device that may be used.

    Attributes:
        device: The device.
        mig_devices: The parts of it that may be used; empty if it is the whole device.
    """

    device: GpuDevice
    mig_devices: tuple[MigDevice, ...] = ()

    @property
    def share(self) -> float:
        """Return the part of the board's slices that may be used."""
        if not self.mig_devices:
            return 1.0
        return sum(mig.slices for mig in self.mig_devices) / self.device.mig_slices


@dataclass(frozen=True, slots=True)
class Selection:
    """The devices that may be used, in CUDA's order.

    Attributes:
        visible: The devices.
        doubt: What was wrong, if anything.
        entry: The entry that it is about.
    """

    visible: tuple[Visible, ...]
    doubt: Doubt | None = None
    entry: str = ""


def visible_devices(environ: Mapping[str, str], devices: Sequence[GpuDevice]) -> Selection:
    """Choose the devices that a program with these variables may use.

    Args:
        environ: The environment variables.
        devices: All devices that this process may open, in NVML's order.
    """
    by_pci = _pci_order(devices)
    slurm = environ.get("SLURM_STEP_GPUS") or environ.get("SLURM_JOB_GPUS")
    of_job = _of_slurm(slurm, by_pci) if slurm else None
    named = environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return Selection(_boards(environ, by_pci if of_job is None else of_job))
    selection = _named(environ, by_pci, [entry.strip() for entry in named.split(",")])
    parts = any(visible.mig_devices for visible in selection.visible)
    tasks = _tasks_here(environ)
    if not selection.visible or parts or len(selection.visible) >= tasks:
        return selection
    if of_job is not None and len(of_job) > len(selection.visible):
        return Selection(_boards(environ, of_job))
    return selection if selection.doubt else Selection(selection.visible, Doubt.TASKS, str(tasks))


def _pci_order(devices: Sequence[GpuDevice]) -> list[GpuDevice]:
    if any(device.pci is None for device in devices):
        return list(devices)  # NVML's order is that of the bus
    return sorted(devices, key=lambda device: device.pci or (0, 0, 0))


def _named(environ: Mapping[str, str], by_pci: list[GpuDevice], entries: list[str]) -> Selection:
    form = _form(entries[0])
    order, guessed = by_pci, False
    if form == "index" and environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
        order, guessed = _fastest_first(by_pci)
    chosen: list[tuple[GpuDevice, MigDevice | None]] = []
    for entry in entries:
        if entry in _HIDDEN or (form == "index" and entry.startswith("-") and _index(entry) != 0):
            break
        if _form(entry) != form:
            return Selection(_grouped(environ, chosen), Doubt.MIXED, entry)
        found = _find(entry, form, order)
        if len(found) != 1:
            doubt = Doubt.AMBIGUOUS if found else Doubt.NOT_FOUND
            return Selection(_grouped(environ, chosen), doubt, entry)
        if found[0] in chosen:
            return Selection((), Doubt.REPEATED, entry)
        chosen.append(found[0])
    doubtful = guessed and 0 < len(chosen) < len(by_pci)
    return Selection(_grouped(environ, chosen), Doubt.ORDER if doubtful else None)


def _form(entry: str) -> str:
    if _INDEX.match(entry):
        return "index"
    return next((prefix for prefix in ("GPU-", "MIG-") if entry.startswith(prefix)), "")


def _index(entry: str) -> int:
    match = _INDEX.match(entry)
    return int(match[0]) if match else -1


def _fastest_first(by_pci: list[GpuDevice]) -> tuple[list[GpuDevice], bool]:
    """Return CUDA's default order as far as it can be told, and whether it is a guess."""
    models = {device.name for device in by_pci if device.uuid}
    if len(models) < 2:  # noqa: PLR2004  # equal models keep their order
        return by_pci, False
    if any(device.speed is None for device in by_pci):
        return by_pci, True
    return sorted(by_pci, key=lambda device: -(device.speed or 0.0)), True


def _find(entry: str, form: str, order: list[GpuDevice]) -> list[tuple[GpuDevice, MigDevice | None]]:
    if form == "index":
        index = _index(entry)
        return [(order[index], None)] if index < len(order) else []
    if form == "GPU-":
        return [(device, None) for device in order if device.uuid.startswith(entry)]
    legacy = _LEGACY_MIG.fullmatch(entry)
    if legacy is None:
        return [(device, mig) for device in order for mig in device.mig_devices if mig.uuid.startswith(entry)]
    instance = int(legacy[2]), int(legacy[3])
    return [
        (device, mig)
        for device in order
        for mig in device.mig_devices
        if device.uuid.startswith(legacy[1]) and (mig.gpu_instance, mig.compute_instance) == instance
    ]


def _grouped(
    environ: Mapping[str, str], chosen: Iterable[tuple[GpuDevice, MigDevice | None]]
) -> tuple[Visible, ...]:
    """Put the parts of one board together: it has one meter, and that must be read once."""
    parts: dict[GpuDevice, list[MigDevice]] = {}
    for device, mig in chosen:
        parts.setdefault(device, []).extend([] if mig is None else [mig])
    visible: list[Visible] = []
    for device, migs in parts.items():
        visible += [_part(device, migs)] if migs else _boards(environ, [device])
    return tuple(visible)


def _part(device: GpuDevice, migs: Sequence[MigDevice]) -> Visible:
    whole = sum(mig.slices for mig in migs) >= device.mig_slices
    ordered = sorted(migs, key=lambda mig: (mig.gpu_instance, mig.compute_instance))
    return Visible(device, () if whole else tuple(ordered))


def _boards(environ: Mapping[str, str], devices: Iterable[GpuDevice]) -> tuple[Visible, ...]:
    """Return whole devices; of one cut by MIG the part in sight, where a container was given only that."""
    tenant = _is_tenant(environ.get("NVIDIA_VISIBLE_DEVICES"))
    visible = []
    for device in devices:
        if not (tenant and device.mig_enabled):
            visible.append(Visible(device))
        elif device.mig_devices:
            visible.append(_part(device, device.mig_devices))
    return tuple(visible)


def _is_tenant(ordered: str | None) -> bool:
    if ordered is None:
        return False
    entries = [entry.strip() for entry in ordered.split(",")]
    return entries[0] in {"", "void", "none"} or any(_CONTAINER_MIG.match(entry) for entry in entries)


def _tasks_here(environ: Mapping[str, str]) -> int:
    """Return how many processes of the group run on this node, as far as the environment tells."""
    sizes = [environ.get(name, "") for name in _LOCAL_SIZES]
    counts = [int(size) for size in sizes if size.isdecimal() and size.isascii() and len(size) < len("100000")]
    per_node: list[int] = []  # e.g. 4(x2),3
    for entry in environ.get("SLURM_STEP_TASKS_PER_NODE", "").split(","):
        match = _TASKS.fullmatch(entry)
        per_node += [int(match[1])] * int(match[2] or 1) if match else []
    node = _index(environ.get("SLURM_NODEID", "0"))
    return max([*counts, *per_node[node : node + 1], 1])


def _of_slurm(gpus: str, by_pci: list[GpuDevice]) -> list[GpuDevice]:
    ranges: list[range] = []
    for entry in gpus.split(","):
        match = _RANGE.fullmatch(entry.strip())
        if match is None:
            return by_pci  # not a list of devices
        ranges.append(range(int(match[1]), int(match[2] or match[1]) + 1))
    if len(by_pci) <= sum(len(numbers) for numbers in ranges):
        return by_pci  # a cgroup already lets in no others
    minors = [place if device.minor is None else device.minor for place, device in enumerate(by_pci)]
    own = [d for d, minor in zip(by_pci, minors, strict=True) if any(minor in numbers for numbers in ranges)]
    return own or by_pci
