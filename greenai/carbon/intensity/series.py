"""Grid intensity over time, in one form for every service: steps with a beginning and an end, and their origin.

All times are milliseconds since the epoch (UTC): a day on which the clocks change is 23 or 25 hours of steps, and
nothing else. What a service does not know is None; what it never spoke about is no step at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MS_PER_S = 1_000
MS_PER_MINUTE = 60 * MS_PER_S
MS_PER_HOUR = 60 * MS_PER_MINUTE
MS_PER_DAY = 24 * MS_PER_HOUR
# No grid emits more: burning lignite or peat in an old plant is about 1300 g/kWh. More than this is another unit.
MOST_G_PER_KWH = 5_000.0
# No grid is cleaner than this throughout, unless it emits nothing at all: less is kg/kWh or t/MWh.
_LEAST_G_PER_KWH = 1.0
LATEST_MS = 4_102_444_800_000  # the year 2100
LONGEST_STEP_MS = 25 * MS_PER_HOUR  # a day on which the clocks go back

KINDS = ("average",)
GASES = ("CO2", "CO2e")
LIFE_CYCLE = "lifecycle"
BOUNDARIES = ("generation", "generation and upstream", LIFE_CYCLE)
BASES = ("generated", "consumed")


class StepStatus(StrEnum):
    """How firm a step is: from the service's own data, filled in by it, or said ahead of time."""

    ACTUAL = "actual"
    ESTIMATED = "estimated"
    FORECAST = "forecast"


_FIRMNESS = {status: number for number, status in enumerate(StepStatus)}


class IntensityStep(NamedTuple):
    """A stretch of time with one intensity.

    Attributes:
        start_ms: Its beginning, milliseconds since the epoch.
        end_ms: Its end, which is no part of it.
        g_per_kwh: Grams per kilowatt-hour; None where the service does not know.
        status: How firm that is.
    """

    start_ms: int
    end_ms: int
    g_per_kwh: float | None
    status: StepStatus = StepStatus.ACTUAL


class Meaning(NamedTuple):
    """What the values of a series are values of; only those of the same meaning may meet in one figure."""

    service: str
    kind: str
    gases: str | None
    boundary: str | None
    basis: str | None
    method: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a series came from, and what it is a series of.

    Attributes:
        service: Name of the service here, e.g. ``energy-charts``.
        zone: ISO 3166 code of the grid, or the service's own where it is finer.
        kind: ``average`` of all generation; never ``marginal`` without saying so.
        gases: ``CO2`` alone or ``CO2e``; None if nobody said.
        boundary: ``generation``, ``generation and upstream`` or ``lifecycle``; None if nobody said.
        basis: Per unit ``generated`` or ``consumed``; None if nobody said.
        source: Who published it.
        url: What was asked, without secrets.
        licence: Its licence.
        attribution: What the licence wants to see beside the figures.
        retrieved_ms: When it was fetched, milliseconds since the epoch.
        sha256: Of the answers as they came, one after the other.
        verified: Whether what it means was checked against the publisher's own words.
        method: How we computed it, where the service does not give intensities itself; None where it does.
    """

    service: str
    zone: str
    kind: str
    gases: str | None
    boundary: str | None
    basis: str | None
    source: str
    url: str
    licence: str
    attribution: str
    retrieved_ms: int
    sha256: str
    verified: bool
    method: str | None = None

    @property
    def meaning(self) -> Meaning:
        """What the values mean: one service may give series of different kinds."""
        return Meaning(self.service, self.kind, self.gases, self.boundary, self.basis, self.method, self.source)


@dataclass(frozen=True, slots=True)
class IntensitySeries:
    """What one fetch brought.

    Attributes:
        origin: Where it came from.
        steps: In order of time, none over another; gaps are unknown.
    """

    origin: Origin
    steps: tuple[IntensityStep, ...]

    @property
    def span_ms(self) -> tuple[int, int]:
        """Begin of the first and end of the last step."""
        return self.steps[0].start_ms, self.steps[-1].end_ms


class SourcedStep(NamedTuple):
    """A step, and the fetch that brought it."""

    step: IntensityStep
    origin: Origin


class SeriesError(ValueError):
    """Steps that cannot be a series; says which and why."""


def checked_value(value: Any, where: str) -> float | None:
    """Return an intensity (g/kWh) as a service gave it; null, NaN and infinity are unknown.

    Args:
        value: What stands in the answer.
        where: For the error: which value it is.

    Raises:
        SeriesError: It is no number, negative, or larger than any grid's.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SeriesError(f"{where}: {value!r:.60} is no number")
    try:
        number = float(value)
    except OverflowError:
        raise SeriesError(f"{where}: a number of more than 300 digits is no intensity") from None
    if not isfinite(number):
        return None
    if not 0 <= number <= MOST_G_PER_KWH:
        raise SeriesError(f"{where}: {number:g} g/kWh is not between 0 and {MOST_G_PER_KWH:g}")
    return number


def checked_steps(steps: Iterable[IntensityStep]) -> tuple[IntensityStep, ...]:
    """Return steps as the series of one fetch.

    Raises:
        SeriesError: There is none, one has no length or one of more than a day, lies before 1970 or after 2099,
            or they overlap or are out of order.
    """
    found = tuple(steps)
    if not found:
        raise SeriesError("there is not one value")
    for step in found:
        if step.end_ms <= step.start_ms:
            raise SeriesError(f"the step at {step.start_ms} ms has no length")
        if not 0 <= step.start_ms < LATEST_MS:
            raise SeriesError(f"the step at {step.start_ms} ms is not between 1970 and 2100")
        if step.end_ms - step.start_ms > LONGEST_STEP_MS:
            raise SeriesError(f"the step at {step.start_ms} ms is longer than a day")
    for one, other in pairwise(found):
        if other.start_ms < one.end_ms:
            raise SeriesError(f"the steps at {one.start_ms} and {other.start_ms} ms overlap or are out of order")
    return found


def impossible_maximum(steps: Iterable[IntensityStep], boundary: str | None) -> float | None:
    """Return the largest value (g/kWh) where no grid's is as small, so that the unit must be another; else None.

    Nothing at all is possible where only generation counts, but no electricity has a life cycle without emissions.
    """
    largest = max((step.g_per_kwh for step in steps if step.g_per_kwh is not None), default=None)
    if largest is None or largest >= _LEAST_G_PER_KWH:
        return None
    return largest if largest > 0 or boundary == LIFE_CYCLE else None


def ends_of(starts_ms: Sequence[int]) -> list[int]:
    """Return where steps end of which only the beginnings are given: series may change their resolution.

    A step is as long as the distance to its nearer neighbour. So where a value is missing, the one before it is
    not stretched over the hole, which stays unknown.

    Raises:
        SeriesError: There are fewer than two, or they do not rise.
    """
    distances = [after - before for before, after in pairwise(starts_ms)]
    if not distances:
        raise SeriesError("one value alone does not say how long it holds")
    if min(distances) <= 0:
        raise SeriesError("the times do not rise")
    lengths = [distances[0], *map(min, pairwise(distances)), distances[-1]]
    return [start + length for start, length in zip(starts_ms, lengths, strict=True)]


def layered(fetches: Iterable[IntensitySeries]) -> list[SourcedStep]:
    """Put several fetches of one service over each other: actual before estimated before forecast, then the newer.

    A newer "unknown" takes no value away. Where nobody knows anything, there is no step.
    """
    candidates = [
        (_FIRMNESS[step.status], -series.origin.retrieved_ms, number, SourcedStep(step, series.origin))
        for number, series in enumerate(fetches)
        for step in series.steps
        if step.g_per_kwh is not None
    ]
    candidates.sort(key=lambda one: one[3].step.start_ms)
    borders_ms = sorted({border for *_, (step, _) in candidates for border in step[:2]})
    found: list[SourcedStep] = []
    # Those that have begun, the best first; steps of one series do not overlap, so the number decides at last.
    begun: list[tuple[int, int, int, SourcedStep]] = []
    following = 0
    for start_ms, end_ms in pairwise(borders_ms):
        while following < len(candidates) and candidates[following][3].step.start_ms == start_ms:
            heappush(begun, candidates[following])
            following += 1
        while begun and begun[0][3].step.end_ms <= start_ms:
            heappop(begun)
        if begun:
            _add_piece(found, begun[0][3], start_ms, end_ms)
    return found


def _add_piece(found: list[SourcedStep], best: SourcedStep, start_ms: int, end_ms: int) -> None:
    """Add what is best between two borders, joined with the piece before it where it is the same step."""
    if found and found[-1].origin is best.origin:
        last = found[-1].step
        if last.end_ms == start_ms and best.step.start_ms <= last.start_ms:
            found[-1] = SourcedStep(last._replace(end_ms=end_ms), best.origin)
            return
    found.append(SourcedStep(best.step._replace(start_ms=start_ms, end_ms=end_ms), best.origin))
