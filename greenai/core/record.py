"""The record of a run: what every reader of results sees. Frozen; a figure is None when unknown, never 0."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

from greenai.core.channel import Component, Quality
from greenai.core.checkpoints import lost_work_j
from greenai.core.requests import NO_REQUESTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from greenai.core.checkpoints import CheckpointEnergy
    from greenai.core.collector import Incident
    from greenai.core.events import Metric
    from greenai.core.requests import Hour, Requests
    from greenai.core.text import Language, Text
    from greenai.core.vocabulary import RunState

SCHEMA_VERSION = 1

# Incidents which mean that the total is less than the truth.
INCOMPLETE = frozenset({"energy_incomplete", "energy_unknown"})

# Missing more than this share of the time is said, not only listed.
PARTIAL_SHARE = 0.02
PARTIAL_S = 0.25


def unnoticed_s(duration_s: float) -> float:
    """Return for how long a channel may be blind in a run of this length before that is said, seconds."""
    return max(PARTIAL_SHARE * duration_s, PARTIAL_S)


@dataclass(frozen=True, slots=True)
class ChannelEnergy:
    """The energy of one channel over the run, IT energy in joules.

    Attributes:
        energy_j: The run's part of it; None if unknown.
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
            "note": _say(self.note, language),
            "lost_readings": dict(self.lost_readings),
        }


@dataclass(frozen=True, slots=True)
class Energy:
    """IT energy of a run: the sum of its counted channels, with a ~95 % interval.

    Attributes:
        total_j: The run's energy, joules; None if nothing is known.
        low_j: Lower end.
        high_j: Upper end.
        measured_share: Share (0..1) of ``total_j`` that is not estimated.
        scope: Whose energy it is, see ``Scope``.
        machine_total_j: The same channels without sharing out.
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


@dataclass(frozen=True, slots=True)
class WindowEnergy:
    """Energy of a named window, over the counted channels of its host."""

    id: str
    name: str
    parent: str | None
    started_ms: int
    duration_s: float
    energy_j: float | None


@dataclass(frozen=True, slots=True)
class Work:
    """Functional units delivered."""

    units: float
    unit: str | None
    energy_per_unit_j: float | None


@dataclass(frozen=True, slots=True)
class FactorUsed:
    """The grid factor behind the grams, with where it came from."""

    id: str
    zone: str
    value_g_per_kwh: float
    year: int
    source: str
    edition: str
    url: str
    licence: str
    boundary: str
    gases: str
    basis: str
    status: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Emissions:
    """Operational emissions in grams. ``reason`` says why grams are None."""

    location_g: float | None
    upstream_g: float | None
    pue: float
    pue_assumed: bool
    factor: FactorUsed | None
    reason: Text | None = None

    def to_dict(self, language: Language) -> dict[str, Any]:
        """Return the published form."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {
            **_UNKNOWN_EMISSIONS,
            **values,
            "factor": asdict(self.factor) if self.factor else None,
            "reason": _say(self.reason, language),
        }


# What this version does not know of a run's emissions is null, never 0.
_UNKNOWN_EMISSIONS: dict[str, Any] = dict.fromkeys(
    (
        "location_g", "market_g", "upstream_g", "embodied_g", "embodied_low_g", "embodied_high_g", "water_l",
        "pue", "pue_assumed", "factor", "reason",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of the electricity, facility overhead included."""

    amount: float | None
    currency: str


@dataclass(frozen=True, slots=True)
class Site:
    """What the settings said about the place of the run when it ran; None means "not said"."""

    zone: str | None = None
    pue: float | None = None
    electricity_price_per_kwh: float | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """Where the record comes from."""

    lines: int
    bad_lines: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything known about one run."""

    id: str
    name: str
    project: str | None
    task: str | None
    approach: str | None
    phase: str | None
    state: RunState
    exit_code: int | None
    error: str | None
    started_ms: int
    ended_ms: int | None
    duration_s: float
    hosts: tuple[str, ...]
    user: str | None
    git_commit: str | None
    tags: dict[str, str]
    slurm: dict[str, str] | None
    environment: dict[str, Any]
    energy: Energy
    windows: tuple[WindowEnergy, ...]
    work: Work
    metrics: tuple[Metric, ...]
    incidents: tuple[Incident, ...]
    journal: JournalFacts
    site: Site = Site()
    requests: Requests | None = None
    hours: tuple[Hour, ...] = ()
    checkpoints: tuple[CheckpointEnergy, ...] = ()
    emissions: Emissions | None = None
    cost: Cost | None = None

    @property
    def energy_j(self) -> float | None:
        """Total IT energy in joules, None if unknown."""
        return self.energy.total_j

    @property
    def quality(self) -> Quality | None:
        """The weakest quality among the counted channels."""
        return self.energy.quality

    @property
    def mean_power_w(self) -> float | None:
        """Mean power in watts over the time that each counted channel was read."""
        counted = [channel for channel in self.energy.channels if channel.counted and channel.energy_j is not None]
        times_s = [self.duration_s - channel.gap_s for channel in counted]
        if not counted or min(times_s) <= 0:
            return None
        return sum((c.energy_j or 0.0) / time_s for c, time_s in zip(counted, times_s, strict=True))

    @property
    def lost_work_j(self) -> float | None:
        """Energy since the last checkpoint of a run that did not end well, joules; see ``core.checkpoints``."""
        return lost_work_j(self.state, self.energy_j, self.checkpoints)

    @property
    def incomplete(self) -> bool:
        """Whether the energy is less than the truth: something was not read for a while, or not at all."""
        return any(incident.code in INCOMPLETE for incident in self.incidents)

    @property
    def unseen_s(self) -> float:
        """The longest time that a counted channel was not read, seconds."""
        return max((channel.gap_s for channel in self.energy.channels if channel.counted), default=0.0)

    def to_dict(self, language: Language = "en") -> dict[str, Any]:
        """Return the record in its published form, docs/run-record.schema.json.

        Args:
            language: Of notes, messages and remedies. Keys and codes never change.
        """
        same = (
            "id", "name", "project", "task", "approach", "phase", "exit_code", "error", "duration_s", "user",
            "git_commit",
        )  # fmt: skip
        return {
            "schema": SCHEMA_VERSION,
            **{name: getattr(self, name) for name in same},
            "state": self.state.value,
            "started_at": timestamp(self.started_ms),
            "ended_at": timestamp(self.ended_ms),
            "hosts": list(self.hosts),
            "tags": dict(self.tags),
            "slurm": dict(self.slurm) if self.slurm is not None else None,
            "environment": dict(self.environment),
            "energy": self.energy.to_dict(language),
            "windows": [_started(window) for window in self.windows],
            "requests": self.requests.to_dict() if self.requests else dict(NO_REQUESTS),
            "hours": [_started(hour) for hour in self.hours],
            "checkpoints": [_started(checkpoint) for checkpoint in self.checkpoints],
            "lost_work_j": self.lost_work_j,
            "work": asdict(self.work),
            "metrics": {m.name: m.value if isfinite(m.value) else None for m in self.metrics},
            "metrics_higher_is_better": {metric.name: metric.higher_is_better for metric in self.metrics},
            "emissions": self.emissions.to_dict(language) if self.emissions else dict(_UNKNOWN_EMISSIONS),
            "cost": asdict(self.cost) if self.cost else {"amount": None, "currency": None},
            "incidents": [
                {"code": i.code, "message": i.message.to(language), "remedy": _say(i.remedy, language)}
                for i in self.incidents
            ],
            "journal": asdict(self.journal),
        }


def timestamp(t_ms: int | None) -> str | None:
    """Write epoch milliseconds as ISO 8601 in UTC, e.g. 2026-11-21T12:00:00.000Z."""
    if t_ms is None:
        return None
    moment = datetime.fromtimestamp(t_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _started(part: WindowEnergy | Hour | CheckpointEnergy) -> dict[str, Any]:
    values = asdict(part)
    values["started_at"] = timestamp(values.pop("started_ms"))
    return values


def _say(text: Text | None, language: Language) -> str | None:
    return text.to(language) if text is not None else None
