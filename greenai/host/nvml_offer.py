"""Everything that NVML offers to a program on this machine: channels, and where their readings come from.

Apart from the collector so that machines without the driver do not even load it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from greenai.core.collector import Incident
from greenai.core.device_doubts import device_doubt
from greenai.core.text import Text
from greenai.core.visible_devices import Doubt, visible_devices
from greenai.host.nvml_channels import gpu_channel, module_channel
from greenai.host.nvml_devices import list_boards, whole_modules
from greenai.host.nvml_meters import Source, find_meters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.core.channel import Channel
    from greenai.core.visible_devices import GpuDevice, Visible
    from greenai.host.machine import Host
    from greenai.host.nvml import NvmlApi
    from greenai.host.nvml_devices import Board, Boards
    from greenai.host.nvml_meters import Meter, Meters

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
class Offer:
    """What can be read.

    Attributes:
        channels: The channels.
        sources: By channel id, how it is read.
        incidents: What is wrong beside that.
        all_denied: True if there are GPUs, but this process may open none.
    """

    channels: list[Channel] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)
    incidents: list[Incident] = field(default_factory=list)
    all_denied: bool = False

    def add(self, channel: Channel, board: Board, meter: Meter) -> None:
        """Offer a channel that is read by this meter of the board."""
        self.channels.append(channel)
        self.sources[channel.id] = Source(board.device.uuid, board.handle, meter)


def nvml_offer(api: NvmlApi, host: Host) -> Offer:
    """Find the program's GPUs and their best meters.

    Raises:
        NVMLError: The library does not answer at all.
    """
    found = list_boards(api, host)
    selection = visible_devices(host.environ, [board.device for board in found.boards])
    boards = {board.device: board for board in found.boards}
    own = [(visible, boards[visible.device]) for visible in selection.visible]
    offer = Offer(all_denied=bool(found.denied and not found.boards))
    doubt = device_doubt(selection)
    if doubt is not None:
        offer.incidents.append(doubt)
    # What was not found may be one of those that do not answer.
    silent = found.boards if selection.doubt is Doubt.NOT_FOUND else [board for _, board in own]
    offer.incidents += [_unreachable(board) for board in silent if board.handle is None]
    own = [(visible, board) for visible, board in own if board.handle is not None]
    meters = {board.device: find_meters(api, board) for _, board in own}
    modules = _modules(found, own, meters)
    for board, meter in modules:
        offer.add(module_channel(host.name, board, meter), board, meter)
    for visible, board in own:
        device, of_board = board.device, meters[board.device]
        if of_board.gpu is not None:
            offer.add(gpu_channel(host.name, board, visible, of_board, of_board.gpu), board, of_board.gpu)
        elif not modules:
            name = f"{device.name} ({device.uuid})"
            message = _NO_ENERGY.format(device=name, reason=of_board.reason)
            offer.incidents.append(Incident("nvml_no_energy", message))
    return offer


def _modules(
    found: Boards, own: Sequence[tuple[Visible, Board]], meters: Mapping[GpuDevice, Meters]
) -> list[tuple[Board, Meter]]:
    """Return the superchip modules: all or none, for where they are counted no GPU beside them is."""
    modules: list[tuple[Board, Meter]] = []
    covered = 0
    for members in whole_modules(found.boards, [board for visible, board in own if not visible.mig_devices]):
        first = min(members, key=lambda board: board.device.uuid)
        meter = meters[first.device].module
        if meter is not None:
            modules.append((first, meter))
            covered += len(members)
    return modules if covered == len(own) else []


def _unreachable(board: Board) -> Incident:
    index = board.device.index
    message = _UNREACHABLE.format(index=index, reason=board.trouble)
    return Incident("nvml_device_unreachable", message, _CHECK_DEVICE.format(index=index))
