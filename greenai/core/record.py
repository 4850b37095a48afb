"""The record of a run: what every reader of results sees. Frozen; a figure is None when unknown, never 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from greenai.core.channel import Component, Quality

if TYPE_CHECKING:
    from greenai.core.collector import Incident
    from greenai.core.events import Metric
    from greenai.core.text import Text
    from greenai.core.vocabulary import RunState

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class ChannelEnergy:
    """The energy of one channel over the run, IT energy in joules."""

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


@dataclass(frozen=True, slots=True)
class Energy:
    """IT energy of a run: the sum of its counted channels, with a ~95 % interval."""

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
        """Mean power in watts over the run."""
        if self.energy.total_j is None or self.duration_s <= 0:
            return None
        return self.energy.total_j / self.duration_s

    def to_dict(self) -> dict[str, Any]:
        """Return the record in its published form (docs/run-record.schema.json)."""
        # Local: the measuring path makes records only when somebody asks for one.
        from greenai.core.record_json import record_to_dict

        return record_to_dict(self)
