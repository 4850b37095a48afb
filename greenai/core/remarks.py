"""What a reader must know about a channel's figure, in words, for every surface that shows channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core import labels, quantity
from greenai.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.run_energy import ChannelEnergy, Energy

_INSIDE = Text(de="nein, Teil von: {whole}", en="no, part of: {whole}")
_SHARED_OUT = Text(
    de="{device}: {share} von {whole} gehören zu diesem Lauf ({policy})",
    en="{device}: {share} of {whole} belong to this run ({policy})",
)
_LOST = Text(
    de="{device}: Messwerte ausgefallen oder nicht geglaubt: {reasons}",
    en="{device}: readings lost or not believed: {reasons}",
)


def quality_in_words(energy: Energy) -> Text | None:
    """Say what part of an energy was measured, allocated, estimated; None if there is none."""
    shares = {quality: share for quality, share in energy.quality_shares.items() if share > 0}
    if not shares:
        return None
    return Text.each(
        lambda language: ", ".join(
            f"{quantity.part(share, language)} {labels.QUALITY[quality].to(language)}"
            for quality, share in shares.items()
        )
    )


def counting(channels: Sequence[ChannelEnergy]) -> list[Text]:
    """Say of each channel of a run whether it is counted; if not, what counted channel it is a part of."""
    by_id = {(channel.host, channel.id): channel for channel in channels}
    found = []
    for channel in channels:
        whole = by_id.get((channel.host, channel.part_of)) if channel.part_of is not None else None
        inside = labels.NO if whole is None else _INSIDE.format(whole=labels.COMPONENT[whole.component])
        found.append(labels.YES if channel.counted else inside)
    return found


def remarks(channel: ChannelEnergy) -> list[Text]:
    """Return the caveats of a channel: its note, how it was shared out, what readings were lost."""
    found = [channel.note] if channel.note else []
    device = channel.device or channel.id
    whole_j = channel.machine_energy_j
    if channel.policy is not None and channel.energy_j is not None and whole_j and channel.energy_j < whole_j:
        share = channel.energy_j / whole_j
        found.append(
            _SHARED_OUT.format(
                device=device,
                share=Text.each(lambda language: quantity.percent(share, language)),
                whole=Text.each(lambda language: quantity.energy(whole_j, language)),
                policy=labels.word(labels.POLICY, channel.policy),
            )
        )
    if channel.lost_readings:
        lost = sorted(channel.lost_readings.items())
        words = [(count, labels.word(labels.LOST, reason)) for reason, count in lost]
        reasons = Text.each(lambda language: ", ".join(f"{count} x {word.to(language)}" for count, word in words))
        found.append(_LOST.format(device=device, reasons=reasons))
    return found
