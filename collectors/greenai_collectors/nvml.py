"""NVIDIA GPUs by NVML (``pynvml``, the official nvidia-ml-py): the energy counter, else polled power.

Which meters there are and what they mean: ``greenai.host.nvml_meters``. Which GPUs are the program's:
``greenai.core.visible_devices``. Channels::

    nvml:GPU-<uuid>                 a GPU: its counter, else its power
    nvml:GPU-<uuid>/<gi>/<ci>+...   MIG devices of one board: the whole board's meter, allocated by slices
    nvml:module:GPU-<uuid>          a Grace superchip: GPUs, Grace and memories; the GPU alone is offered beside it

A superchip's module contains its GPU, so the cover rule counts one of the two. A module is offered only where all
its GPUs are the program's. MIG devices have no meter of their own (NVML API Reference Guide).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from greenai.core.channel import Channel, Kind
from greenai.core.collector import Available, Incident, Probe, Unavailable
from greenai.core.device_doubts import device_doubt
from greenai.core.reading import CounterReading, Gap, PowerReading, Reading
from greenai.core.text import Text
from greenai.core.visible_devices import Doubt, visible_devices
from greenai.host.nvml import ERROR_DRIVER_NOT_LOADED, ERROR_UNINITIALIZED, NO_LIBRARY, error_code
from greenai.host.nvml_channels import gpu_channel, module_channel
from greenai.host.nvml_devices import list_boards, whole_modules
from greenai.host.nvml_meters import BadValueError, Standstill, find_meters, read_meter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.core.visible_devices import GpuDevice, Selection, Visible
    from greenai.host import Host
    from greenai.host.nvml import NvmlApi
    from greenai.host.nvml_devices import Board, Boards
    from greenai.host.nvml_meters import Meter, Meters

LIBRARY = "libnvidia-ml.so.1"

_ABSENT = Incident(
    "nvml_absent",
    Text(de="Kein NVIDIA-Treiber auf dieser Maschine.", en="No NVIDIA driver on this machine."),
)
_FAILED = Text(
    de="Der NVIDIA-Treiber antwortet nicht: {reason}.",
    en="The NVIDIA driver does not answer: {reason}.",
)
_CHECK_DRIVER = Text(de="Prüfen mit: nvidia-smi", en="Check with: nvidia-smi")
_NONE_VISIBLE = Incident(
    "nvml_no_device",
    Text(
        de="Keine GPU sichtbar (CUDA_VISIBLE_DEVICES schließt alle aus, oder es gibt keine).",
        en="No GPU is visible (CUDA_VISIBLE_DEVICES excludes all, or there is none).",
    ),
)
_DENIED = Incident(
    "nvml_no_permission",
    Text(
        de="Es gibt NVIDIA-GPUs, aber dieser Benutzer darf keine davon öffnen.",
        en="There are NVIDIA GPUs, but this user may open none of them.",
    ),
    Text(
        de='sudo usermod -aG "$(stat -c %G /dev/nvidia0)" "$USER" (danach neu anmelden)',
        en='sudo usermod -aG "$(stat -c %G /dev/nvidia0)" "$USER" (then log in again)',
    ),
)
_UNREACHABLE = Text(
    de="GPU {index} antwortet nicht ({reason}); sie wird nicht gemessen.",
    en="GPU {index} does not answer ({reason}); it is not measured.",
)
_CHECK_DEVICE = Text(de="Prüfen mit: nvidia-smi -q -i {index}", en="Check with: nvidia-smi -q -i {index}")
_NO_ENERGY = Text(
    de="{device} gibt weder Energie noch Leistung an ({reason}); ihre Energie ist unbekannt.",
    en="{device} reports neither energy nor power ({reason}); its energy is unknown.",
)


@dataclass(slots=True)
class _Source:
    """Where the readings of a channel come from."""

    uuid: str
    handle: Any
    meter: Meter
    standstill: Standstill = field(default_factory=Standstill)


class NvmlCollector:
    """Energy of the GPUs that the program may use."""

    name = "nvml"
    slow = False
    verified_on: str | None = None

    def __init__(self, host: Host) -> None:
        self._host = host
        self._api: NvmlApi | None = None
        self._holds = False  # a nvmlInit of ours is not yet paid back
        self._sources: dict[str, _Source] = {}
        self._opened: tuple[Channel, ...] = ()

    def probe(self) -> Probe:
        """List the visible GPUs and find out which of them count energy."""
        if self._api is None:
            load = self._host.load_nvml()
            if load.api is None:
                return Unavailable(_ABSENT, expected=True) if load.reason == NO_LIBRARY else _failed(load.reason)
            self._api = load.api
        try:
            if not self._holds:
                self._api.nvmlInit()
                self._holds = True
            found = list_boards(self._api, self._host)
        except self._api.NVMLError as error:
            # Without a loaded driver no program can use a GPU.
            no_driver = error_code(error) == ERROR_DRIVER_NOT_LOADED
            return Unavailable(_ABSENT, expected=True) if no_driver else _failed(error)
        selection = visible_devices(self._host.environ, [board.device for board in found.boards])
        channels, incidents = self._offer(self._api, found, selection)
        if channels:
            return Available(tuple(channels), tuple(incidents), {channel.id: LIBRARY for channel in channels})
        if incidents:
            return Unavailable(incidents[0])
        if found.denied and not found.boards and "SLURM_JOB_ID" not in self._host.environ:
            return Unavailable(_DENIED)
        return Unavailable(_NONE_VISIBLE, expected=True)

    def open(self, channels: Sequence[Channel]) -> None:
        """Remember what to read; the handles of the probe belong to this process and stay valid."""
        self._opened = tuple(channels)

    def read(self) -> list[Reading]:
        """Read every GPU once."""
        readings = [self._read(channel) for channel in self._opened]
        if not self._holds and self._start_again():
            readings = [self._read(channel) for channel in self._opened]
        return readings

    def close(self) -> None:
        """Leave NVML as it was found: it counts its starts, and the last end ends it."""
        if self._api is not None and self._holds:
            with contextlib.suppress(self._api.NVMLError):
                self._api.nvmlShutdown()
        self._api, self._holds = None, False
        self._sources, self._opened = {}, ()

    def _read(self, channel: Channel) -> Reading:
        source = self._sources.get(channel.id)
        t_ns = self._host.clock.mono_ns()
        if self._api is None or source is None or source.handle is None:
            return Gap(channel.id, t_ns, "nvml_device_gone")
        try:
            value = read_meter(self._api, source.handle, source.meter)
        except self._api.NVMLError as error:
            if error_code(error) == ERROR_UNINITIALIZED:
                self._holds = False  # somebody in this process ended NVML once too often: it was our start
            return Gap(channel.id, t_ns, f"nvml_{_slug(error)}")
        except BadValueError as error:
            return Gap(channel.id, t_ns, str(error))
        if channel.kind is Kind.POWER:
            return PowerReading(channel.id, t_ns, value)
        if source.standstill.seen(self._api, source.handle, value, t_ns):
            return Gap(channel.id, t_ns, "nvml_counter_stands_still")
        return CounterReading(channel.id, t_ns, value)

    def _start_again(self) -> bool:
        """Start NVML anew, once per round; the handles from before are void."""
        if self._api is None:
            return False
        try:
            self._api.nvmlInit()
        except self._api.NVMLError:
            return False
        self._holds = True
        for source in self._sources.values():
            try:
                source.handle = self._api.nvmlDeviceGetHandleByUUID(source.uuid)
            except self._api.NVMLError:
                source.handle = None
        return True

    def _offer(self, api: NvmlApi, found: Boards, selection: Selection) -> tuple[list[Channel], list[Incident]]:
        doubt = device_doubt(selection)
        incidents = [doubt] if doubt else []
        boards = {board.device: board for board in found.boards}
        own = [(visible, boards[visible.device]) for visible in selection.visible]
        # What was not found may be one of those that do not answer.
        silent = found.boards if selection.doubt is Doubt.NOT_FOUND else [board for _, board in own]
        incidents += [_unreachable(board) for board in silent if board.handle is None]
        meters = {board.device: find_meters(api, board) for _, board in own if board.handle is not None}
        modules = self._modules(found, own, meters)
        channels = list(modules)
        for visible, board in own:
            if board.handle is None:
                continue
            device, of_board = board.device, meters[board.device]
            if of_board.gpu is not None:
                channel = gpu_channel(self._host.name, board, visible, of_board, of_board.gpu)
                channels.append(self._source(channel, board, of_board.gpu))
            elif not modules:
                name = f"{device.name} ({device.uuid})"
                incidents.append(
                    Incident("nvml_no_energy", _NO_ENERGY.format(device=name, reason=of_board.reason))
                )
        return channels, incidents

    def _modules(
        self, found: Boards, own: Sequence[tuple[Visible, Board]], meters: Mapping[GpuDevice, Meters]
    ) -> list[Channel]:
        """Return the superchip modules: all or none, for where they are counted no GPU beside them is."""
        answering = [(visible, board) for visible, board in own if board.handle is not None]
        whole = [board for visible, board in answering if not visible.mig_devices]
        channels: list[Channel] = []
        covered = 0
        for members in whole_modules(found.boards, whole):
            first = min(members, key=lambda board: board.device.uuid)
            meter = meters[first.device].module
            if meter is not None:
                channels.append(self._source(module_channel(self._host.name, first, meter), first, meter))
                covered += len(members)
        return channels if covered == len(answering) else []

    def _source(self, channel: Channel, board: Board, meter: Meter) -> Channel:
        self._sources[channel.id] = _Source(board.device.uuid, board.handle, meter)
        return channel


def _failed(reason: object) -> Unavailable:
    return Unavailable(Incident("nvml_failed", _FAILED.format(reason=reason), _CHECK_DRIVER))


def _unreachable(board: Board) -> Incident:
    index = board.device.index
    message = _UNREACHABLE.format(index=index, reason=board.trouble)
    return Incident("nvml_device_unreachable", message, _CHECK_DEVICE.format(index=index))


def _slug(error: Exception) -> str:
    return "_".join(str(error).casefold().split()) or type(error).__name__
