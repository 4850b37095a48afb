"""The share of a run in the making of the hardware it ran on.

M = Σ TE · (TiR / EL) · (RR / ToR) (ISO/IEC 21031:2024, Software Carbon Intensity v1.1): total embodied emissions,
time reserved over expected life, resources reserved over total resources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.carbon.factors import embodied
from greenai.core.footprint import EmbodiedPart
from greenai.core.text import Text

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.core.hardware import Hardware

S_PER_YEAR = 8760 * 3600.0  # as the specification's own example counts: 4 years are 35,040 h
_G_PER_KG = 1000.0

_NO_MACHINE = Text(
    de="Was für eine Maschine es ist, ist nicht angegeben. Festlegen, z. B.: greenai config set machine server; "
    "mögliche Werte zeigt: greenai factors list --kind embodied",
    en="What kind of machine it is was not said. Set it, e.g.: greenai config set machine server; possible values "
    "are shown by: greenai factors list --kind embodied",
)
_UNKNOWN_DEVICE = Text(
    de="Für „{device}“ ist kein Herstellungswert bekannt. Vorhandene zeigt: greenai factors list --kind embodied",
    en='No figure is known for making "{device}". Those there are: greenai factors list --kind embodied',
)
_NO_SHARE = Text(
    de="Welcher Teil der Maschine auf diesen Lauf entfiel, ist nicht bekannt.",
    en="Which part of the machine was this run's is not known.",
)


@dataclass(frozen=True, slots=True)
class Embodied:
    """What a run bears of the making of its hardware, grams; all None where a part is unknown.

    Attributes:
        central_g: The central figure; None as well where a device has only a range.
        low_g: Lower end.
        high_g: Upper end.
        parts: The devices.
        share: Part of them that was the run's.
        reason: Why there is no figure.
    """

    central_g: float | None = None
    low_g: float | None = None
    high_g: float | None = None
    parts: tuple[EmbodiedPart, ...] = ()
    share: float | None = None
    reason: Text | None = None


def embodied_share(
    hardware: Hardware, duration_s: float, machine: str | None, own_tables: Path | None = None
) -> Embodied:
    """Return what a run bears of the making of its hardware.

    Args:
        hardware: What it held.
        duration_s: For how long, seconds.
        machine: Key of the machines' kind in the table of embodied figures, without accelerators.
        own_tables: The user's tables (the setting ``factors``).

    Raises:
        ConfigError: A table is damaged.
    """
    if machine is None:
        return Embodied(reason=_NO_MACHINE)
    if hardware.share is None:
        return Embodied(reason=_NO_SHARE)
    kinds: dict[str, EmbodiedPart] = {}
    for device, count in ((machine, hardware.machines), *((gpu, 1) for gpu in hardware.gpus)):
        figure = embodied(device, own_tables)
        if figure is None or figure.lifetime_years is None:
            return Embodied(reason=_UNKNOWN_DEVICE.format(device=device))
        low = figure.low if figure.low is not None else figure.value
        high = figure.high if figure.high is not None else figure.value
        if low is None or high is None:
            return Embodied(reason=_UNKNOWN_DEVICE.format(device=device))
        before = kinds[figure.id].count if figure.id in kinds else 0
        kinds[figure.id] = EmbodiedPart(
            figure.id, figure.name, before + count, figure.value, low, high, figure.lifetime_years,
            f"{figure.source}, {figure.edition}", figure.verified,
        )  # fmt: skip
    parts = tuple(kinds.values())

    def grams(kg: float, part: EmbodiedPart) -> float:
        return (
            part.count * kg * _G_PER_KG * duration_s / (part.lifetime_years * S_PER_YEAR) * (hardware.share or 0.0)
        )

    central = [None if part.kg is None else grams(part.kg, part) for part in parts]
    return Embodied(
        central_g=None if None in central else sum(g for g in central if g is not None),
        low_g=sum(grams(part.low_kg, part) for part in parts),
        high_g=sum(grams(part.high_kg, part) for part in parts),
        parts=parts,
        share=hardware.share,
    )
