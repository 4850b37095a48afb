"""Runs that go on, as families of series.

Names and attributes are those of OpenTelemetry's semantic conventions for hardware
(opentelemetry.io/docs/specs/semconv/hardware): ``hw.energy`` and ``hw.power`` of a part, ``hw.host.energy`` and
``hw.host.power`` of a whole node, so that a sum over the parts never holds the node as well. ``run`` and
``quality`` are greenai's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from greenai.core.channel import Component
from greenai.core.exposition import Family, Point, SeriesKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.record import RunRecord
    from greenai.core.run_energy import ChannelEnergy
    from greenai.monitoring.followed import ChannelNow

# Where the conventions have a word, it must be taken; else one's own may.
_TYPES = {Component.DRAM: "memory"}

# Of a joule and of a watt. Far below what sensors know, and short both in binary, as Prometheus packs numbers, and
# in decimal, as VictoriaMetrics does: half as many bytes on disk as all digits, see docs/decisions/0027.
_STEPS = 64

_OF_PART = "of a part of a host that a run used, the run's share of it"
_OF_HOST = "of a whole host that a run used, the run's share of it"
_QUALITY = "quality says whether it was measured, allocated or estimated"


class LiveRunNow(NamedTuple):
    """A run at this moment.

    Attributes:
        record: As the database holds it.
        channels: Its counted channels.
    """

    record: RunRecord
    channels: tuple[ChannelNow, ...]


def families_of_runs(runs: Sequence[LiveRunNow], left_out: int) -> tuple[Family, ...]:
    """Return power, energy and description of runs.

    Args:
        runs: Those that go on, or ended just now.
        left_out: How many were too many.
    """
    whole: list[tuple[LiveRunNow, ChannelNow]] = []
    parts: list[tuple[LiveRunNow, ChannelNow]] = []
    for run in runs:
        for channel in run.channels:
            (whole if channel.row.component is Component.NODE else parts).append((run, channel))
    return (
        _energy("hw.energy", f"Energy {_OF_PART}; {_QUALITY}.", parts),
        _power("hw.power", f"Power {_OF_PART}, mean of the last seconds; {_QUALITY}.", parts),
        _energy("hw.host.energy", f"Energy {_OF_HOST}; {_QUALITY}.", whole),
        _power("hw.host.power", f"Power {_OF_HOST}, mean of the last seconds; {_QUALITY}.", whole),
        Family(
            "greenai.run.info",
            SeriesKind.GAUGE,
            "",
            "Always 1: what a run is called and belongs to.",
            tuple(Point(1, _described(run.record)) for run in runs),
        ),
        Family(
            "greenai.runs.left_out",
            SeriesKind.GAUGE,
            "",
            "Runs that go on and are not shown, because there are too many.",
            (Point(left_out),),
        ),
    )


def _energy(name: str, about: str, found: Sequence[tuple[LiveRunNow, ChannelNow]]) -> Family:
    points = (
        Point(channel.energy_j, _labels(run.record.id, channel.row), run.record.started_ms)
        for run, channel in found
    )
    return Family(name, SeriesKind.COUNTER, "J", about, tuple(points))


def _power(name: str, about: str, found: Sequence[tuple[LiveRunNow, ChannelNow]]) -> Family:
    points = (
        Point(_short(channel.power_w), _labels(run.record.id, channel.row))
        for run, channel in found
        if channel.power_w is not None
    )
    return Family(name, SeriesKind.GAUGE, "W", about, tuple(points))


def _short(value: float) -> float:
    return round(value * _STEPS) / _STEPS


def _labels(run_id: str, row: ChannelEnergy) -> dict[str, str]:
    kind = {} if row.component is Component.NODE else {"hw.type": _TYPES.get(row.component, row.component.value)}
    return {
        "run": run_id,
        "host.name": row.host,
        "hw.id": row.id,
        **kind,
        "hw.name": row.device,
        "quality": row.quality.value,
    }


def _described(record: RunRecord) -> dict[str, str]:
    job_id = str((record.slurm or {}).get("job_id") or "")
    return {
        "run": record.id,
        "name": record.name,
        "project": record.project or "",
        "task": record.task or "",
        "state": record.state.value,
        **({"slurm_job_id": job_id} if job_id else {}),
    }
