"""Sums over runs. What is unknown is counted, not added as 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.version import __version__
from greenai.core.views import ReportView, Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from greenai.core.record import RunRecord
    from greenai.core.text import Text
    from greenai.core.views import TaskView


def totals(records: Sequence[RunRecord]) -> Totals:
    """Add up runs; bounds add linearly, because runs of one machine share their errors."""
    known = [record.energy for record in records if record.energy.total_j is not None]
    emissions = [r.emissions for r in records if r.emissions is not None and r.emissions.location_g is not None]
    energy_j = _sum(energy.total_j for energy in known)
    measured_j = sum((energy.measured_share or 0.0) * (energy.total_j or 0.0) for energy in known)
    return Totals(
        runs=len(records),
        energy_j=energy_j,
        low_j=_sum(energy.low_j for energy in known),
        high_j=_sum(energy.high_j for energy in known),
        measured_share=measured_j / energy_j if energy_j else None,
        location_g=_sum(emission.location_g for emission in emissions),
        upstream_g=_sum(emission.upstream_g for emission in emissions),
        duration_s=sum(record.duration_s for record in records),
        runs_without_energy=len(records) - len(known),
        runs_without_emissions=len(records) - len(emissions),
    )


def report_view(
    records: Sequence[RunRecord], tasks: Iterable[TaskView], scope: Text, generated_ms: int
) -> ReportView:
    """Put together what a report shows."""
    return ReportView(
        scope=scope,
        generated_ms=generated_ms,
        version=__version__,
        records=tuple(records),
        totals=totals(records),
        tasks=tuple(tasks),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
