"""The energy of a run: channel by channel, and the total of those that are counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from greenai.core.channel import Component, Quality

if TYPE_CHECKING:
    from collections.abc import Mapping

    from greenai.core.text import Language, Text

# A channel that was not read for more than this share of the time, and for this long, is said, not only listed.
_UNNOTICED_SHARE = 0.02
_UNNOTICED_S = 0.25


def unnoticed_s(duration_s: float) -> float:
    """Return for how long a channel may be blind in a run of this length before that is said, seconds."""
    return max(_UNNOTICED_SHARE * duration_s, _UNNOTICED_S)


@dataclass(frozen=True, slots=True)
class ChannelEnergy:
    """The energy of one channel over the run, IT energy in joules.

    Attributes:
        id: The channel's, unique on its host.
        device: As its users name it, e.g. ``package-0``.
        energy_j: The run's part of it; None if unknown.
        low_j: Lower end of its ~95 % interval.
        high_j: Upper end.
        method: Key of the method, e.g. ``rapl_powercap``.
        uncertainty_rel: Half-width of the ~95 % interval, relative.
        gap_s: Seconds of the run without a usable reading.
        counted: Whether it is part of the total.
        note: A caveat, or why the energy is unknown.
        machine_energy_j: All of it, whoever caused it; the same as ``energy_j`` where nothing is shared out.
        policy: The rule by which it was shared out, None if it was not.
        part_of: Id of the counted channel that contains it, if one does: then this is its breakdown.
        lost_readings: How many readings failed or were not believed, by reason.
    """

    id: str
    host: str
    component: Component
    device: str
    energy_j: float | None
    low_j: float | None
    high_j: float | None
    quality: Quality
    method: str
    uncertainty_rel: float
    gap_s: float
    counted: bool
    note: Text | None
    machine_energy_j: float | None = None
    policy: str | None = None
    part_of: str | None = None
    lost_readings: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self, language: Language) -> dict[str, Any]:
        """Return the published form."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {
            **values,
            "component": self.component.value,
            "quality": self.quality.value,
            "note": self.note.to(language) if self.note is not None else None,
            "lost_readings": dict(self.lost_readings),
        }


@dataclass(frozen=True, slots=True)
class Energy:
    """IT energy of a run: the sum of its counted channels, with a ~95 % interval.

    Attributes:
        total_j: The run's energy, joules; None if nothing is known.
        low_j: Lower end of the interval, joules.
        high_j: Upper end, joules.
        measured_share: Share (0..1) of ``total_j`` that is not estimated.
        scope: Whose energy it is, see ``Scope``.
        machine_total_j: Joules of the same channels without sharing out.
        channels: All channels, counted or not.
    """

    total_j: float | None
    low_j: float | None
    high_j: float | None
    measured_share: float | None
    scope: str
    machine_total_j: float | None
    channels: tuple[ChannelEnergy, ...]

    @property
    def quality(self) -> Quality | None:
        """The weakest quality among the counted channels; None if nothing was counted."""
        present = {channel.quality for channel in self.channels if channel.counted}
        for quality in (Quality.ESTIMATED, Quality.ALLOCATED, Quality.MEASURED):
            if quality in present:
                return quality
        return None

    @property
    def quality_shares(self) -> dict[Quality, float]:
        """What part (0..1) of the total came about how; empty if the total is unknown or 0."""
        if not self.total_j:
            return {}
        counted = [channel for channel in self.channels if channel.counted]
        return {
            quality: sum(c.energy_j or 0.0 for c in counted if c.quality is quality) / self.total_j
            for quality in Quality
        }

    def to_dict(self, language: Language) -> dict[str, Any]:
        """Return the published form."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {
            **values,
            "quality": self.quality.value if self.quality else None,
            "channels": [channel.to_dict(language) for channel in self.channels],
        }
