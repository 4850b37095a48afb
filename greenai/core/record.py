"""The record of a run: what every reader of results sees. Frozen; a figure is None when unknown, never 0."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

from greenai.core.checkpoints import lost_work_j
from greenai.core.footprint import NO_COST, NO_EMISSIONS
from greenai.core.hardware import Device, hardware_of
from greenai.core.requests import NO_REQUESTS

if TYPE_CHECKING:
    from greenai.core.batch_job import BatchJob
    from greenai.core.channel import Quality
    from greenai.core.checkpoints import CheckpointEnergy
    from greenai.core.collector import Incident
    from greenai.core.events import Metric
    from greenai.core.footprint import Cost, Emissions
    from greenai.core.hardware import Hardware
    from greenai.core.requests import Hour, Requests
    from greenai.core.run_energy import Energy
    from greenai.core.text import Language
    from greenai.core.vocabulary import RunState

SCHEMA_VERSION = 1

# Incidents which mean that the total is less than the truth.
_INCOMPLETE = frozenset({"energy_incomplete", "energy_unknown", "node_missing", "node_silent"})


@dataclass(frozen=True, slots=True)
class WindowEnergy:
    """Energy of a named window, over the counted channels of its host; a job step's, over those of its hosts.

    Attributes:
        parent: Name of the window around it, if there is one.
        started_ms: Begin, epoch milliseconds.
        duration_s: Length, seconds.
        energy_j: IT energy of the run in it, joules; None if unknown.
    """

    id: str
    name: str
    parent: str | None
    started_ms: int
    duration_s: float
    energy_j: float | None


@dataclass(frozen=True, slots=True)
class Work:
    """Functional units delivered.

    Attributes:
        units: How many.
        unit: What one is, e.g. ``document``.
        energy_per_unit_j: Energy of the run per unit, joules; None without units or if unknown.
    """

    units: float
    unit: str | None
    energy_per_unit_j: float | None


@dataclass(frozen=True, slots=True)
class Site:
    """What the settings said about the place of the run when it ran; None means "not said".

    Attributes:
        zone: ISO 3166 code of its grid.
        pue: Facility energy / IT energy.
        electricity_price_per_kwh: In units of ``currency``.
        currency: E.g. ``EUR``.
        machine_owner: ``own`` or ``rented``.
        wue: Litres of cooling water per kilowatt-hour of IT energy.
        machine: Kind of machine, a key of the table of embodied figures.
    """

    zone: str | None = None
    pue: float | None = None
    electricity_price_per_kwh: float | None = None
    currency: str | None = None
    machine_owner: str | None = None
    wue: float | None = None
    machine: str | None = None


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """The journals that the record was computed from.

    Attributes:
        lines: Good lines.
        bad_lines: Damaged lines; they were skipped.
        sha256: Digest over the journal files.
    """

    lines: int
    bad_lines: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything known about one run.

    Attributes:
        exit_code: Of its program, 128+n after signal n.
        error: Type of the exception that ended it.
        started_ms: Begin, epoch milliseconds.
        ended_ms: End, epoch milliseconds; None while it goes on.
        duration_s: Seconds by the monotonic clock; time that the machine slept is not in it.
        hosts: Names, sorted.
        slurm: What Slurm's environment said; None outside of a job.
        environment: Hardware and software it ran on.
        requests: Of a service; None of other runs.
        hours: A service hour by hour, oldest first.
        checkpoints: Oldest first.
        emissions: None until a footprint is applied, see ``carbon.footprint``.
        cost: The same.
        accounting: What Slurm's accounting says of its job; None before ``greenai slurm import``.
        samples_dropped_ms: When its raw samples were dropped, epoch milliseconds; None if they were not.
    """

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
    accounting: BatchJob | None = None
    samples_dropped_ms: int | None = None

    @property
    def energy_j(self) -> float | None:
        """Total IT energy in joules, None if unknown."""
        return self.energy.total_j

    @property
    def hardware(self) -> Hardware:
        """What it held of machines and accelerators."""
        energy = self.energy
        devices = (Device(c.host, c.component, c.device, c.counted, c.part_of) for c in energy.channels)
        return hardware_of(devices, len(self.hosts), energy.scope, energy.total_j, energy.machine_total_j)

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
        return any(incident.code in _INCOMPLETE for incident in self.incidents)

    @property
    def unseen_s(self) -> float:
        """The longest time that a counted channel was not read, seconds."""
        return max((channel.gap_s for channel in self.energy.channels if channel.counted), default=0.0)

    def _emissions(self, language: Language) -> dict[str, Any]:
        if self.emissions is None:
            return dict(NO_EMISSIONS)
        per_unit = self.emissions.sci_g_per_unit(self.work.units)
        return {**self.emissions.to_dict(language), "sci_g_per_unit": per_unit}

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
            "slurm": self._slurm_facts(),
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
            "emissions": self._emissions(language),
            "cost": asdict(self.cost) if self.cost else dict(NO_COST),
            "incidents": [
                {
                    "code": incident.code,
                    "message": incident.message.to(language),
                    "remedy": incident.remedy.to(language) if incident.remedy is not None else None,
                }
                for incident in self.incidents
            ],
            "journal": asdict(self.journal),
            "samples_dropped_at": timestamp(self.samples_dropped_ms),
        }

    def _slurm_facts(self) -> dict[str, Any] | None:
        if self.slurm is None or self.accounting is None:
            return dict(self.slurm) if self.slurm is not None else None
        return {**self.slurm, "accounting": _published(self.accounting)}


def timestamp(t_ms: int | None) -> str | None:
    """Write epoch milliseconds as ISO 8601 in UTC, e.g. 2026-11-21T12:00:00.000Z."""
    if t_ms is None:
        return None
    moment = datetime.fromtimestamp(t_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _published(job: BatchJob) -> dict[str, Any]:
    values = job.to_json()
    values["steps"] = list(values["steps"])
    for part in (values, *values["steps"]):
        for name in ("submit", "start", "end"):
            if f"{name}_ms" in part:
                part[f"{name}_at"] = timestamp(part.pop(f"{name}_ms"))
    return values


def _started(part: WindowEnergy | Hour | CheckpointEnergy) -> dict[str, Any]:
    values = asdict(part)
    values["started_at"] = timestamp(values.pop("started_ms"))
    return values
