"""The presentation model: every string a report prints, ready made, so that all formats say the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenai.core.text import Language


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; numeric columns are set flush right."""

    label: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table. The first cell of each row names the row."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """A key figure: what it is, its value, and what must be read beside it."""

    label: str
    value: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A candidate in a chart.

    Attributes:
        label: Its name.
        kind: Approach and quality in words, so that shape and colour are never the only mark.
        energy_j: Mean energy per functional unit.
        low_j: Lower bound of the ~95 % interval.
        high_j: Upper bound.
        ai: Marked by a disc (AI) or a square (classical).
        estimated: Drawn hollow with a dashed line.
    """

    label: str
    kind: str
    energy_j: float
    low_j: float
    high_j: float
    ai: bool
    estimated: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Energy per functional unit with intervals. ``description`` says in words what it shows."""

    title: str
    description: str
    axis: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class CandidateGroup:
    """Candidates with a common phase and functional unit: the only ones that share an axis."""

    table: Table
    chart: Chart | None


@dataclass(frozen=True, slots=True)
class ComparisonPart:
    """One AI candidate against a classical one."""

    heading: str
    verdict: str
    decided: bool
    figures: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskPart:
    """A task with its comparisons and candidates."""

    heading: str
    baseline: str
    comparisons: tuple[ComparisonPart, ...]
    groups: tuple[CandidateGroup, ...]


@dataclass(frozen=True, slots=True)
class NodesPart:
    """A run on several nodes: how far they lie apart, and each of them."""

    heading: str
    lead: str
    table: Table


@dataclass(frozen=True, slots=True)
class IncidentPart:
    """An incident, once for all runs it happened in."""

    heading: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a factor comes from; ``url`` is empty unless it is a plain web address."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Section:
    """Heading of a part of the report, and a sentence under it (may be empty)."""

    heading: str
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole report in one language."""

    language: Language
    generated_ms: int
    title: str
    scope: str
    facts: tuple[tuple[str, str], ...]
    figures: Section
    tiles: tuple[Tile, ...]
    remarks: tuple[str, ...]
    comparison: Section
    tasks: tuple[TaskPart, ...]
    method: Section
    methods: Table
    incidents: Section
    incident_list: tuple[IncidentPart, ...]
    limits: Section
    limit_list: tuple[str, ...]
    runs: Section
    run_table: Table
    nodes: tuple[NodesPart, ...]
    sources: Section
    source_list: tuple[Source, ...]
    page_of: str
