"""Between records and rows. The only place that knows both; everybody else sees frozen records."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from greenai.core.batch_job import BatchJob
from greenai.core.channel import Channel, Quality
from greenai.core.checkpoints import CheckpointEnergy
from greenai.core.collector import Incident
from greenai.core.events import Metric
from greenai.core.record import JournalFacts, RunRecord, Site, WindowEnergy, Work
from greenai.core.requests import Hour, Requests
from greenai.core.run_energy import ChannelEnergy, Energy
from greenai.core.text import Text
from greenai.core.views import RunRow, counted
from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import RowMapping

    from greenai.core.footprint import Cost, Emissions


_CHANNEL = (
    "host", "energy_j", "low_j", "high_j", "uncertainty_rel", "gap_s", "counted", "machine_energy_j", "policy",
    "part_of",
)  # fmt: skip
_ACCOUNTING = "accounting"
_LONGEST_JOB_ID = 32


def run_values(record: RunRecord) -> dict[str, Any]:
    """Return the row of table ``run``."""
    started = datetime.fromtimestamp(record.started_ms / 1000, tz=UTC)
    energy = record.energy
    same = (
        "id", "name", "project", "task", "approach", "phase", "exit_code", "error", "started_ms", "ended_ms",
        "duration_s", "user", "git_commit", "tags", "environment", "samples_dropped_ms",
    )  # fmt: skip
    return {
        **{name: getattr(record, name) for name in same},
        "slurm": slurm_value(record),
        "slurm_job_id": slurm_job_id(record.slurm),
        "state": record.state.value,
        "year_month": started.year * 100 + started.month,
        "unit": record.work.unit,
        "units": record.work.units,
        "total_j": energy.total_j,
        "low_j": energy.low_j,
        "high_j": energy.high_j,
        "measured_share": energy.measured_share,
        "quality": energy.quality.value if energy.quality else None,
        "scope": energy.scope,
        "machine_total_j": energy.machine_total_j,
        "location_g": record.emissions.location_g if record.emissions else None,
        "journal_lines": record.journal.lines,
        "journal_bad_lines": record.journal.bad_lines,
        "journal_sha256": record.journal.sha256,
        "hosts": list(record.hosts),
        "site": asdict(record.site),
        "checkpoints": [asdict(checkpoint) for checkpoint in record.checkpoints],
    }


def slurm_value(record: RunRecord) -> dict[str, Any] | None:
    """Return column ``slurm`` of table ``run``: what the environment said, and the accounting of its job."""
    if record.slurm is None or record.accounting is None:
        return record.slurm
    return {**record.slurm, _ACCOUNTING: record.accounting.to_json()}


def slurm_job_id(slurm: Mapping[str, Any] | None) -> str | None:
    """Return the number of a run's job, None outside of a job."""
    job_id = (slurm or {}).get("job_id")
    return job_id if isinstance(job_id, str) and 0 < len(job_id) <= _LONGEST_JOB_ID else None


def channel_values(row: ChannelEnergy, definition: Channel) -> dict[str, Any]:
    """Return a row of table ``channel``."""
    return {
        **{name: getattr(row, name) for name in _CHANNEL},
        "quality": row.quality.value,
        "lost_readings": dict(row.lost_readings),
        "note": _text(row.note),
        "definition": definition.to_json(),
    }


def window_values(window: WindowEnergy) -> dict[str, Any]:
    """Return a row of table ``run_window``."""
    values = asdict(window)
    values["window_id"] = values.pop("id")
    return values


def incident_values(incident: Incident) -> dict[str, Any]:
    """Return a row of table ``incident``."""
    return {"code": incident.code, "message": incident.message.to_json(), "remedy": _text(incident.remedy)}


def to_row(row: RowMapping, emissions: Emissions | None) -> RunRow:
    """Read a line for a table of runs; ``emissions`` are those in force."""
    same = (
        "id", "name", "project", "task", "approach", "phase", "started_ms", "duration_s", "total_j", "low_j",
        "high_j", "measured_share", "location_g", "units", "unit", "user",
    )  # fmt: skip
    return RunRow(
        **{name: row[name] for name in same},
        state=RunState(row["state"]),
        quality=Quality(row["quality"]) if row["quality"] else None,
        **counted(emissions),
    )


def to_record(
    row: RowMapping,
    parts: Mapping[str, Sequence[RowMapping]],
    footprint: tuple[Emissions, Cost] | None,
    added_tags: dict[str, str],
) -> RunRecord:
    """Put a record together from its rows.

    Args:
        row: Of table ``run``.
        parts: By table, the rows of what it has several of, in order.
        footprint: The one in force.
        added_tags: What people added later.
    """
    requests = parts["request_total"]
    energy = Energy(
        total_j=row["total_j"],
        low_j=row["low_j"],
        high_j=row["high_j"],
        measured_share=row["measured_share"],
        scope=row["scope"],
        machine_total_j=row["machine_total_j"],
        channels=tuple(_channel(channel) for channel in parts["channel"]),
    )
    per_unit_j = energy.total_j / row["units"] if energy.total_j is not None and row["units"] > 0 else None
    same = (
        "id", "name", "project", "task", "approach", "phase", "exit_code", "error", "started_ms", "ended_ms",
        "duration_s", "user", "git_commit", "samples_dropped_ms",
    )  # fmt: skip
    slurm = dict(row["slurm"]) if row["slurm"] is not None else None
    accounting = slurm.pop(_ACCOUNTING, None) if slurm is not None else None
    return RunRecord(
        **{name: row[name] for name in same},
        slurm=slurm,
        accounting=BatchJob.from_json(accounting) if accounting else None,
        state=RunState(row["state"]),
        hosts=tuple(row["hosts"]),
        tags={**row["tags"], **added_tags},
        environment=dict(row["environment"]),
        energy=energy,
        windows=tuple(_window(window) for window in parts["run_window"]),
        work=Work(row["units"], row["unit"], per_unit_j),
        metrics=tuple(Metric(m["name"], m["value"], m["higher_is_better"]) for m in parts["metric"]),
        incidents=tuple(
            Incident(i["code"], Text.from_json(i["message"]), _read_text(i["remedy"])) for i in parts["incident"]
        ),
        journal=JournalFacts(row["journal_lines"], row["journal_bad_lines"], row["journal_sha256"]),
        site=Site(**row["site"]),
        requests=Requests(**{name: requests[0][name] for name in Requests.__slots__}) if requests else None,
        checkpoints=tuple(CheckpointEnergy(**checkpoint) for checkpoint in row["checkpoints"] or ()),
        hours=tuple(Hour(**{name: hour[name] for name in Hour.__slots__}) for hour in parts["service_hour"]),
        emissions=footprint[0] if footprint else None,
        cost=footprint[1] if footprint else None,
    )


def _channel(row: RowMapping) -> ChannelEnergy:
    definition = Channel.from_json(row["definition"])
    return ChannelEnergy(
        **{name: row[name] for name in _CHANNEL},
        id=definition.id,
        component=definition.component,
        device=definition.device,
        quality=Quality(row["quality"]),
        lost_readings=dict(row["lost_readings"]),
        method=definition.method,
        note=_read_text(row["note"]),
    )


def _window(row: RowMapping) -> WindowEnergy:
    same = ("name", "parent", "started_ms", "duration_s", "energy_j")
    return WindowEnergy(id=row["window_id"], **{name: row[name] for name in same})


def _text(text: Text | None) -> dict[str, str] | None:
    return text.to_json() if text is not None else None


def _read_text(data: dict[str, str] | None) -> Text | None:
    return Text.from_json(data) if data else None
