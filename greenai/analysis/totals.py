"""Sums over runs. What is unknown is counted, not added as 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.version import __version__
from greenai.core.views import DIRECT, ReportView, Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from greenai.core.record import RunRecord
    from greenai.core.text import Text
    from greenai.core.views import TaskView


def totals(records: Sequence[RunRecord]) -> Totals:
    """Add up runs; bounds add linearly, because runs of one machine share their errors."""
    known = [record.energy for record in records if record.energy.total_j is not None]
    emissions = [r.emissions for r in records if r.emissions is not None and r.emissions.location_g is not None]
    factors = [emission.factor for emission in emissions if emission.factor is not None]
    contracts = [r.emissions for r in records if r.emissions is not None and r.emissions.market_g is not None]
    parts = [part for emission in contracts for part in emission.market]
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
        location_gases=_distinct(factor.gases for factor in factors),
        location_boundaries=_distinct(factor.boundary for factor in factors),
        market_g=_sum(emission.market_g for emission in contracts),
        market_gases=_distinct(part.gases for part in parts),
        market_boundaries=_distinct(part.boundary or DIRECT for part in parts),
        runs_without_market=len(records) - len(contracts),
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


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
