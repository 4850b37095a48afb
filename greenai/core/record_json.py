"""The published form of a run record: docs/run-record.schema.json, version 1."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

from greenai.core.record import SCHEMA_VERSION

if TYPE_CHECKING:
    from greenai.core.record import ChannelEnergy, Cost, Emissions, RunRecord
    from greenai.core.text import Language, Text


def timestamp(t_ms: int | None) -> str | None:
    """Write epoch milliseconds as ISO 8601 in UTC, e.g. 2026-11-21T12:00:00.000Z."""
    if t_ms is None:
        return None
    moment = datetime.fromtimestamp(t_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record_to_dict(record: RunRecord, language: Language = "en") -> dict[str, Any]:
    """Return the record as plain JSON data.

    Args:
        record: The run.
        language: Of notes, messages and remedies. Keys and codes never change.
    """
    energy = record.energy
    return {
        "schema": SCHEMA_VERSION,
        "id": record.id,
        "name": record.name,
        "project": record.project,
        "task": record.task,
        "approach": record.approach,
        "phase": record.phase,
        "state": record.state.value,
        "exit_code": record.exit_code,
        "error": record.error,
        "started_at": timestamp(record.started_ms),
        "ended_at": timestamp(record.ended_ms),
        "duration_s": record.duration_s,
        "hosts": list(record.hosts),
        "user": record.user,
        "git_commit": record.git_commit,
        "tags": dict(record.tags),
        "slurm": dict(record.slurm) if record.slurm is not None else None,
        "environment": dict(record.environment),
        "energy": {
            "total_j": energy.total_j,
            "low_j": energy.low_j,
            "high_j": energy.high_j,
            "measured_share": energy.measured_share,
            "quality": energy.quality.value if energy.quality else None,
            "scope": energy.scope,
            "machine_total_j": energy.machine_total_j,
            "channels": [_channel(channel, language) for channel in energy.channels],
        },
        "windows": [
            {
                "id": window.id,
                "name": window.name,
                "parent": window.parent,
                "started_at": timestamp(window.started_ms),
                "duration_s": window.duration_s,
                "energy_j": window.energy_j,
            }
            for window in record.windows
        ],
        "requests": {"count": None, "energy_per_unit_j": None, "idle_j": None},
        "work": {
            "units": record.work.units,
            "unit": record.work.unit,
            "energy_per_unit_j": record.work.energy_per_unit_j,
        },
        "metrics": {metric.name: metric.value if isfinite(metric.value) else None for metric in record.metrics},
        "metrics_higher_is_better": {metric.name: metric.higher_is_better for metric in record.metrics},
        "emissions": _emissions(record.emissions, language),
        "cost": _cost(record.cost),
        "incidents": [
            {
                "code": incident.code,
                "message": incident.message.to(language),
                "remedy": _say(incident.remedy, language),
            }
            for incident in record.incidents
        ],
        "journal": asdict(record.journal),
    }


def _say(text: Text | None, language: Language) -> str | None:
    return text.to(language) if text is not None else None


def _channel(channel: ChannelEnergy, language: Language) -> dict[str, Any]:
    return {
        "id": channel.id,
        "host": channel.host,
        "component": channel.component.value,
        "device": channel.device,
        "energy_j": channel.energy_j,
        "low_j": channel.low_j,
        "high_j": channel.high_j,
        "quality": channel.quality.value,
        "method": channel.method,
        "uncertainty_rel": channel.uncertainty_rel,
        "gap_s": channel.gap_s,
        "counted": channel.counted,
        "note": _say(channel.note, language),
    }


def _emissions(emissions: Emissions | None, language: Language) -> dict[str, Any]:
    unknown = dict.fromkeys(
        ("location_g", "market_g", "upstream_g", "embodied_g", "embodied_low_g", "embodied_high_g", "water_l")
    )
    if emissions is None:
        return {**unknown, "pue": None, "pue_assumed": None, "factor": None, "reason": None}
    return {
        **unknown,
        "location_g": emissions.location_g,
        "upstream_g": emissions.upstream_g,
        "pue": emissions.pue,
        "pue_assumed": emissions.pue_assumed,
        "factor": asdict(emissions.factor) if emissions.factor else None,
        "reason": _say(emissions.reason, language),
    }


def _cost(cost: Cost | None) -> dict[str, Any]:
    return {"amount": cost.amount if cost else None, "currency": cost.currency if cost else None}
