"""NVML's meters as channels: what each contains, how uncertain it is, and what to say beside it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.text import Text
from greenai.core.units import UJ_PER_MJ, UW_PER_W
from greenai.host.nvml_meters import AVERAGE, COUNTER, INSTANT

if TYPE_CHECKING:
    from greenai.core.visible_devices import Visible
    from greenai.host.nvml_devices import Board
    from greenai.host.nvml_meters import Meter, Meters

COLLECTOR = "nvml"
MIG_POLICY = "mig_slice_share"
_VENDOR = "nvidia"
_UPDATE_S = 0.1

# Above the greatest limits: B300 1400 W; GB300 module 2900 W.
_MAX_POWER_UW = {Component.GPU: 3000 * UW_PER_W, Component.MODULE: 6000 * UW_PER_W}
# Grace has its input and output (SysIO) on the module too: the same claim as that of the kernel's module meter.
_MODULE_PARTS = frozenset({Component.CPU, Component.DRAM, Component.GPU, Component.REST})

# ~95 % half-widths after Yang et al. (see nvml_meters). The mean of the last second lags: up to a second of a
# changed power at each end of a window. What exactly a module's counter covers rests on one report (zeus#172).
_UNCERTAINTY = {COUNTER: 0.05, INSTANT: 0.10, AVERAGE: 0.10}
_UNCERTAINTY_MODULE = 0.10
_UNCERTAINTY_SHORT = {
    COUNTER: ((5.0, 0.40), (60.0, 0.10)),
    INSTANT: ((5.0, 0.40), (60.0, 0.20)),
    AVERAGE: ((5.0, 0.60), (60.0, 0.20)),
}

# By slices: at worst the others were idle, and the board's energy was all ours (1/share times the allocation); or
# we were, and only our slices of the idle power were ours, some 15 % of the limit (A100: 55 of 400 W). With a
# share near 1 the meter's own error in short windows is what remains.
_MIG_LOW = 0.85
_MIG_HIGH_AT_LEAST = 0.40

_LAGS = Text(
    de="Gemessen wird das Mittel der letzten Sekunde; es hinkt nach.",
    en="What is measured is the mean of the last second; it lags.",
)
_DEAD_COUNTER = Text(
    de="Der Energiezähler steht auf 0; deshalb wird die Leistung abgetastet.",
    en="The energy counter stands at 0; the power is polled instead.",
)
_SUPERCHIP = Text(
    de="Bei diesem Superchip kann der Wert die CPU enthalten.",
    en="On this superchip the figure may contain the CPU.",
)
_MODULE = Text(
    de="Das ganze Modul: GPU, Grace-CPU und Speicher.", en="The whole module: GPU, Grace CPU and memories."
)
_MIG_WHOLE = Text(de="MIG ist aktiv; dies ist die ganze Karte.", en="MIG is active; this is the whole board.")
_MIG_PART = Text(
    de="Messbar ist nur die ganze Karte; {own} ihrer {all} Slices zählen, gleich wie ausgelastet sie sind.",
    en="Only the whole board can be measured; {own} of its {all} slices are counted, however busy they are.",
)


@dataclass(frozen=True, slots=True)
class _Who:
    channel_id: str
    label: str
    component: Component


def gpu_channel(host_name: str, board: Board, visible: Visible, meters: Meters, meter: Meter) -> Channel:
    """Return the channel of a GPU, or of the MIG devices of one board.

    The id of MIG devices names their instances on the board, so it does not depend on the order of an environment
    variable. Their channel is read like the whole board's; ``share`` says what of it is theirs.

    Args:
        host_name: Name of the host.
        board: The GPU.
        visible: What of it may be used.
        meters: All its meters.
        meter: The one to read.
    """
    device, parts = board.device, visible.mig_devices
    notes = [_DEAD_COUNTER] if meters.dead_counter else []
    notes += [_SUPERCHIP] if board.superchip and meters.module is None else []
    who = _Who(f"{COLLECTOR}:{device.uuid}", f"{device.index} {device.name}", Component.GPU)
    if not parts:
        return _channel(host_name, who, meter, [*notes, _MIG_WHOLE] if device.mig_enabled else notes)
    own = sum(part.slices for part in parts)
    instances = "+".join(f"{part.gpu_instance}/{part.compute_instance}" for part in parts)
    who = _Who(f"{who.channel_id}/{instances}", f"{who.label} MIG {own}/{device.mig_slices}", Component.GPU)
    notes.append(_MIG_PART.format(own=own, all=device.mig_slices))
    return _channel(host_name, who, meter, notes, visible.share)


def module_channel(host_name: str, board: Board, meter: Meter) -> Channel:
    """Return the channel of a superchip module.

    Args:
        host_name: Name of the host.
        board: The GPU at which it is read.
        meter: The meter to read.
    """
    device = board.device
    who = _Who(f"{COLLECTOR}:module:{device.uuid}", f"{device.index} {device.name} (Module)", Component.MODULE)
    return _channel(host_name, who, meter, [_MODULE])


def _channel(host_name: str, who: _Who, meter: Meter, notes: list[Text], share: float | None = None) -> Channel:
    notes = [*notes, _LAGS] if meter.method == AVERAGE else notes
    module, counts = who.component is Component.MODULE, meter.method == COUNTER
    uncertainty_rel = _UNCERTAINTY_MODULE if module else _UNCERTAINTY[meter.method]
    short: tuple[tuple[float, float], ...] = _UNCERTAINTY_SHORT[meter.method]
    if share is not None:
        uncertainty_rel, short = max(1 / share - 1, _MIG_HIGH_AT_LEAST), ()
    return Channel(
        id=who.channel_id,
        collector=COLLECTOR,
        component=who.component,
        kind=Kind.COUNTER if counts else Kind.POWER,
        quality=Quality.MEASURED if share is None else Quality.ALLOCATED,
        device=who.label,
        host=host_name,
        method=meter.method,
        uncertainty_rel=uncertainty_rel,
        uncertainty_low_rel=None if share is None else _MIG_LOW,
        uncertainty_short=short,
        resolution_uj=UJ_PER_MJ if counts else 0,
        update_s=_UPDATE_S,
        max_power_uw=_MAX_POWER_UW[who.component],
        share=1.0 if share is None else share,
        policy=None if share is None else MIG_POLICY,
        includes=_MODULE_PARTS if module else frozenset(),
        gpu_vendor=_VENDOR,
        note=Text(de=" ".join(note.de for note in notes), en=" ".join(note.en for note in notes))
        if notes
        else None,
    )
