"""What ``CUDA_VISIBLE_DEVICES`` left open, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.collector import Incident
from greenai.core.text import Text
from greenai.core.visible_devices import Doubt

if TYPE_CHECKING:
    from greenai.core.visible_devices import Selection

_LIST_DEVICES = Text(de="Kennungen anzeigen: nvidia-smi -L", en="To see the identifiers: nvidia-smi -L")
_FIX_ORDER = Text(
    de="Eindeutig wird es mit: export CUDA_DEVICE_ORDER=PCI_BUS_ID",
    en="To make it certain: export CUDA_DEVICE_ORDER=PCI_BUS_ID",
)
_DOUBTS = {
    Doubt.NOT_FOUND: (
        "nvml_device_unknown",
        Text(
            de="CUDA_VISIBLE_DEVICES nennt „{entry}“; diese GPU wurde nicht gefunden und nicht gemessen.",
            en='CUDA_VISIBLE_DEVICES names "{entry}"; that GPU was not found and not measured.',
        ),
        _LIST_DEVICES,
    ),
    Doubt.AMBIGUOUS: (
        "nvml_device_unknown",
        Text(
            de="CUDA_VISIBLE_DEVICES nennt „{entry}“; das passt auf mehrere GPUs, CUDA sieht keine davon.",
            en='CUDA_VISIBLE_DEVICES names "{entry}", which fits several GPUs; CUDA sees none of them.',
        ),
        _LIST_DEVICES,
    ),
    Doubt.MIXED: (
        "nvml_device_unknown",
        Text(
            de="CUDA_VISIBLE_DEVICES mischt Nummern und Kennungen; ab „{entry}“ übergeht CUDA alles.",
            en='CUDA_VISIBLE_DEVICES mixes numbers and identifiers; CUDA ignores all from "{entry}" on.',
        ),
        _LIST_DEVICES,
    ),
    Doubt.REPEATED: (
        "nvml_device_repeated",
        Text(
            de="CUDA_VISIBLE_DEVICES nennt „{entry}“ zweimal; CUDA sieht dann keine GPU, und keine wird gemessen.",
            en='CUDA_VISIBLE_DEVICES names "{entry}" twice; CUDA then sees no GPU, and none is measured.',
        ),
        _LIST_DEVICES,
    ),
    Doubt.TASKS: (
        "nvml_other_tasks",
        Text(
            de="Auf diesem Knoten rechnen {entry} Prozesse des Laufs; gemessen wird, was dieser eine sieht: "
            "{devices}. GPUs, die nur die anderen sehen, fehlen.",
            en="The run has {entry} processes on this node; what this one sees is measured: {devices}. GPUs that "
            "only the others see are missing.",
        ),
        Text(
            de="Jedem Prozess alle GPUs des Auftrags zeigen: srun --gpu-bind=none",
            en="Show each process all GPUs of the job: srun --gpu-bind=none",
        ),
    ),
    Doubt.ORDER: (
        "nvml_order_guessed",
        Text(
            de="Hier sind verschiedene GPUs, und CUDA nummeriert die schnellste zuerst, nach einer "
            "unveröffentlichten Regel. Angenommen und gemessen: {devices}.",
            en="There are different GPUs here, and CUDA numbers the fastest first, by an unpublished rule. "
            "Assumed and measured: {devices}.",
        ),
        _FIX_ORDER,
    ),
}


def device_doubt(selection: Selection) -> Incident | None:
    """Return what a reader of the figures must know about the choice of devices, None if it was clear."""
    if selection.doubt is None:
        return None
    code, message, remedy = _DOUBTS[selection.doubt]
    devices = ", ".join(f"{visible.device.index} {visible.device.name}" for visible in selection.visible)
    return Incident(code, message.format(entry=selection.entry, devices=devices), remedy)
