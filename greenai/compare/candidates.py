"""From run records to candidates: runs of the same name, approach and phase are repeats of one solution."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from greenai.core.channel import Quality
from greenai.core.comparison import Candidate, Margins, Observation
from greenai.core.vocabulary import Approach, RunState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from greenai.core.record import RunRecord

# Without margins set by the user: 1 % of the classical quality counts as equal, 2 % as worth having.
# This project's choice, not from a standard; the comparison says that nobody chose them.
DEFAULT_EQUAL_REL = 0.01
DEFAULT_GAIN_REL = 0.02


def candidates(records: Iterable[RunRecord]) -> list[Candidate]:
    """Group finished runs into candidates.

    Args:
        records: Runs of one task. Those without an approach are nobody's candidate and are ignored.
    """
    groups: dict[tuple[str, str, str | None], list[RunRecord]] = defaultdict(list)
    for record in records:
        if record.approach in (Approach.AI, Approach.CLASSICAL) and record.state is not RunState.RUNNING:
            groups[record.approach, record.name, record.phase].append(record)
    return [_candidate(group) for _, group in sorted(groups.items(), key=lambda item: str(item[0]))]


def margins_for(classical: Candidate, equal: float | None = None, gain: float | None = None) -> Margins:
    """Return the margins to apply, in points of the metric; defaults are relative to the classical quality."""
    reference = abs(classical.mean_quality or 0.0)
    chosen = equal is not None or gain is not None
    equal = equal if equal is not None else DEFAULT_EQUAL_REL * reference
    gain = gain if gain is not None else DEFAULT_GAIN_REL * reference
    return Margins(equal=equal, gain=max(gain, equal), chosen=chosen)


def _candidate(records: Sequence[RunRecord]) -> Candidate:
    good = [record for record in records if _is_whole(record)]
    last = max(good or records, key=lambda record: record.started_ms)
    metric = last.metrics[0] if last.metrics else None
    counted = [channel for record in good for channel in record.energy.channels if channel.counted]
    units = {(record.work.unit or "unit") if record.work.units > 0 else None for record in good}
    unit = units.pop() if len(units) == 1 else None
    qualities = {record.quality for record in good}
    return Candidate(
        name=last.name,
        approach=Approach(last.approach or ""),
        observations=tuple(
            _observation(r, metric.name if metric else None, per_unit=unit is not None) for r in good
        ),
        metric=metric.name if metric else None,
        higher_is_better=metric.higher_is_better if metric else True,
        unit=unit,
        phase=last.phase,
        methods=frozenset(channel.method for channel in counted),
        components=frozenset(channel.component.value for channel in counted),
        hardware=frozenset(_hardware(record) for record in good),
        quality=next(
            (q for q in (Quality.ESTIMATED, Quality.ALLOCATED, Quality.MEASURED) if q in qualities), None
        ),
        uncertainty_rel=max((_uncertainty(record) for record in good), default=0.0),
        excluded=len(records) - len(good),
    )


def _is_whole(record: RunRecord) -> bool:
    """Say whether a run was completed and seen throughout: missing readings would look like a saving."""
    return record.state is RunState.COMPLETED and record.energy.total_j is not None and not record.incomplete


def _observation(record: RunRecord, metric: str | None, *, per_unit: bool) -> Observation:
    energy_j = record.work.energy_per_unit_j if per_unit else record.energy.total_j
    values = {m.name: m.value for m in record.metrics}
    return Observation(record.id, float(energy_j or 0.0), values.get(metric) if metric else None)


def _uncertainty(record: RunRecord) -> float:
    energy = record.energy
    if not energy.total_j or energy.high_j is None or energy.low_j is None:
        return 0.0
    return max(energy.high_j - energy.total_j, energy.total_j - energy.low_j) / energy.total_j


def _hardware(record: RunRecord) -> str:
    environment = record.environment
    gpus = ",".join(sorted(c.device for c in record.energy.channels if c.component == "gpu"))
    return f"{'+'.join(record.hosts)}: {environment.get('cpu')} x{environment.get('cpus')} {gpus}".strip()
