"""Energy over time multiplied by grid intensity over time: sum over all pieces of E_i · I_i.

Each energy step is spread evenly over its time and cut where the intensity changes, so partial steps count with
the part that they share (GHG Protocol Scope 2 Guidance 2015, location-based, with a factor per time step
instead of one per year). What is unknown on either side is named and never counted as 0. Times are UTC
milliseconds throughout, so neither time zones nor days of 23 or 25 hours can shift anything.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from math import fsum
from typing import TYPE_CHECKING, NamedTuple

from greenai.carbon.intensity.series import MS_PER_HOUR, StepStatus
from greenai.core.units import kwh

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from greenai.carbon.intensity.series import IntensityStep


class EnergyStep(NamedTuple):
    """Energy that was used in a stretch of time, evenly.

    Attributes:
        start_ms: Its beginning, milliseconds since the epoch.
        end_ms: Its end; the same as the beginning where all of it was used in one moment.
        energy_j: Joules; None if unknown.
    """

    start_ms: int
    end_ms: int
    energy_j: float | None


class Unknown(StrEnum):
    """What is missing."""

    INTENSITY = "intensity"
    ENERGY = "energy"


class UnknownSpan(NamedTuple):
    """A stretch of time whose emissions cannot be told, and why."""

    start_ms: int
    end_ms: int
    missing: Unknown


@dataclass(frozen=True, slots=True)
class EmissionsOverTime:
    """Emissions of energy over time.

    Attributes:
        grams: Of that part of the energy whose intensity is known; None if that is none of it.
        energy_j: All energy that is known, joules; None if none is.
        covered_j: That part of it whose intensity is known, joules.
        forecast_j: That part of it whose intensity is a forecast, joules.
        estimated_j: That part of it whose intensity the service has filled in itself, joules.
        unknown: Where energy or intensity is missing, in order of time.
    """

    grams: float | None
    energy_j: float | None
    covered_j: float
    forecast_j: float
    estimated_j: float
    unknown: tuple[UnknownSpan, ...]

    @property
    def covered_share(self) -> float | None:
        """Covered part of the known energy, 0 to 1; None where no energy is known, or all of it is 0."""
        if not self.energy_j:
            return None
        everything = all(span.missing is not Unknown.INTENSITY for span in self.unknown)
        return 1.0 if everything else self.covered_j / self.energy_j  # exact, where sums have rounded

    @property
    def mean_g_per_kwh(self) -> float | None:
        """Grams per kilowatt-hour of the covered energy; None where nothing is covered."""
        return self.grams / kwh(self.covered_j) if self.grams is not None and self.covered_j else None

    @property
    def unknown_h(self) -> float:
        """Hours whose emissions cannot be told."""
        return sum(span.end_ms - span.start_ms for span in self.unknown) / MS_PER_HOUR


def emissions_over_time(energy: Iterable[EnergyStep], intensity: Sequence[IntensityStep]) -> EmissionsOverTime:
    """Multiply energy by intensity, piece by piece.

    Args:
        energy: Steps in order of time, none over another.
        intensity: Steps in order of time, none over another; where there is none, it is unknown.

    Raises:
        ValueError: An energy step ends before it begins.
    """
    starts_ms = [step.start_ms for step in intensity]
    grams: list[float] = []
    covered: dict[StepStatus, list[float]] = {status: [] for status in StepStatus}
    known_j: list[float] = []
    unknown: list[UnknownSpan] = []
    for step in energy:
        if step.end_ms < step.start_ms:
            raise ValueError(f"an energy step from {step.start_ms} to {step.end_ms} ms")
        if step.energy_j is None:
            _add(unknown, UnknownSpan(step.start_ms, step.end_ms, Unknown.ENERGY))
            continue
        known_j.append(step.energy_j)
        length_ms = step.end_ms - step.start_ms
        for start_ms, end_ms, at in _pieces(step, intensity, starts_ms):
            if at is None or at.g_per_kwh is None:
                _add(unknown, UnknownSpan(start_ms, end_ms, Unknown.INTENSITY))
                continue
            part_j = step.energy_j * (end_ms - start_ms) / length_ms if length_ms else step.energy_j
            covered[at.status].append(part_j)
            grams.append(kwh(part_j) * at.g_per_kwh)
    return EmissionsOverTime(
        grams=fsum(grams) if grams else None,
        energy_j=fsum(known_j) if known_j else None,
        covered_j=fsum(part for parts in covered.values() for part in parts),
        forecast_j=fsum(covered[StepStatus.FORECAST]),
        estimated_j=fsum(covered[StepStatus.ESTIMATED]),
        unknown=tuple(unknown),
    )


def _pieces(
    step: EnergyStep, intensity: Sequence[IntensityStep], starts_ms: Sequence[int]
) -> list[tuple[int, int, IntensityStep | None]]:
    """Cut an energy step where the intensity changes; a piece without an intensity has none."""
    first = max(bisect_right(starts_ms, step.start_ms) - 1, 0)
    if first < len(intensity):
        at = intensity[first]
        if at.start_ms <= step.start_ms < at.end_ms and step.end_ms <= at.end_ms:  # most of them
            return [(step.start_ms, step.end_ms, at)]
    pieces: list[tuple[int, int, IntensityStep | None]] = []
    at_ms = step.start_ms
    for number in range(first, len(intensity)):
        at = intensity[number]
        if at.start_ms >= step.end_ms:
            break
        if at.end_ms <= at_ms:
            continue
        if at.start_ms > at_ms:
            pieces.append((at_ms, at.start_ms, None))
            at_ms = at.start_ms
        end_ms = min(at.end_ms, step.end_ms)
        pieces.append((at_ms, end_ms, at))
        at_ms = end_ms
    if at_ms < step.end_ms or not pieces:
        pieces.append((at_ms, step.end_ms, None))
    return pieces


def _add(spans: list[UnknownSpan], span: UnknownSpan) -> None:
    """Add a span, joined with the one before it where they touch and lack the same."""
    if spans and spans[-1].end_ms == span.start_ms and spans[-1].missing is span.missing:
        span = spans.pop()._replace(end_ms=span.end_ms)
    spans.append(span)
