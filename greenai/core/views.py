"""The read side: what tables, charts and reports are made from. Frozen, and free of any database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from greenai.core.channel import Component, Quality
    from greenai.core.comparison import Candidate, Comparison
    from greenai.core.footprint import Emissions
    from greenai.core.record import RunRecord
    from greenai.core.text import Text
    from greenai.core.vocabulary import RunState

SORTABLE = (
    "started_ms", "name", "project", "task", "approach", "phase", "state", "duration_s", "total_j", "location_g",
)  # fmt: skip

DIRECT = "generation"  # the boundary of factors that count what power plants emit, and nothing before


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs, in which order, and which stretch of them.

    Attributes:
        project, task, approach, phase, state: Exact values; None does not filter.
        text: Part of the run's name or id, case-insensitive.
        from_ms: Runs started at or after this moment (epoch milliseconds).
        to_ms: Runs started before this moment.
        sort: One of ``SORTABLE``. Unknown values (None) sort last.
        descending: Largest first.
        offset: First row.
        limit: Number of rows; None returns all.
    """

    project: str | None = None
    task: str | None = None
    approach: str | None = None
    phase: str | None = None
    state: str | None = None
    text: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    sort: str = "started_ms"
    descending: bool = True
    offset: int = 0
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One line of a table of runs.

    Attributes:
        location_gases: What ``location_g`` counts, ``CO2`` or ``CO2e``; None as long as it is None.
        location_boundary: What its factor covers, e.g. ``generation``.
        market_g: Grams, market-based; None where nobody stated contracts.
        market_gases: What that counts; ``CO2 + CO2e`` where contracts differ.
    """

    id: str
    name: str
    project: str | None
    task: str | None
    approach: str | None
    phase: str | None
    state: RunState
    started_ms: int
    duration_s: float
    total_j: float | None
    low_j: float | None
    high_j: float | None
    quality: Quality | None
    measured_share: float | None
    location_g: float | None
    units: float
    unit: str | None
    user: str | None
    location_gases: str | None = None
    location_boundary: str | None = None
    market_g: float | None = None
    market_gases: str | None = None


class Counted(TypedDict):
    """What a run's grams count, as in ``RunRow``."""

    location_gases: str | None
    location_boundary: str | None
    market_g: float | None
    market_gases: str | None


def counted(emissions: Emissions | None) -> Counted:
    """Return what the grams of a run count; all None without any."""
    factor = emissions.factor if emissions is not None and emissions.location_g is not None else None
    parts = emissions.market if emissions is not None else ()
    return Counted(
        location_gases=factor.gases if factor is not None else None,
        location_boundary=factor.boundary if factor is not None else None,
        market_g=emissions.market_g if emissions is not None else None,
        market_gases=" + ".join(sorted({part.gases for part in parts})) or None,
    )


@dataclass(frozen=True, slots=True)
class RunPage:
    """A stretch of runs, and how many there are in all."""

    rows: tuple[RunRow, ...]
    total: int


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A run that goes on, as its journals stand at this moment.

    Attributes:
        row: Its line in the table; duration and energy up to the last reading.
        hosts: Where it runs; empty if its journals cannot be reached from here.
        power_w: Mean power of its counted channels over the last minute, watts; None if unknown.
        quality: How that and the curve came about: the weakest quality among them.
        methods: By which methods, e.g. ``rapl_powercap``.
        silent_s: For how long nothing has been written, seconds; None if its journals cannot be reached.
        t_ms: Epoch milliseconds, ascending: the last five minutes.
        curve_w: Mean power of the stretch that ends at ``t_ms``, watts; None marks a gap.
    """

    row: RunRow
    hosts: tuple[str, ...]
    power_w: float | None
    quality: Quality | None
    methods: tuple[str, ...]
    silent_s: float | None
    t_ms: tuple[float, ...] = ()
    curve_w: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class LivePage:
    """Runs that go on, and how many there are in all."""

    runs: tuple[LiveRun, ...]
    total: int


@dataclass(frozen=True, slots=True)
class TraceSeries:
    """Power over time of one channel; None marks a gap.

    Attributes:
        t_ms: Epoch milliseconds, ascending.
        power_w: Mean power of the stretch that ends at ``t_ms``, watts.
        energy_j: Energy of that stretch, joules.
    """

    channel_id: str
    host: str
    component: Component
    device: str
    quality: Quality
    counted: bool
    t_ms: tuple[float, ...]
    power_w: tuple[float | None, ...]
    energy_j: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class NodesTrace:
    """Power over time of a run on many nodes, in even steps; None where no node was read.

    Attributes:
        nodes: How many nodes it is of.
        of: How many the run has.
        t_ms: Ends of the steps, epoch milliseconds.
        there: How many nodes count in each step: those that were read.
        sum_w: Mean power of these nodes together, watts.
        least_w: That of the one with the least.
        greatest_w: That of the one with the most.
        parts_w: ``sum_w`` by component.
    """

    nodes: int
    of: int
    t_ms: tuple[float, ...]
    there: tuple[int, ...]
    sum_w: tuple[float | None, ...]
    least_w: tuple[float | None, ...]
    greatest_w: tuple[float | None, ...]
    parts_w: Mapping[Component, tuple[float | None, ...]]


@dataclass(frozen=True, slots=True)
class TaskView:
    """Everything known about one task: its candidates and each AI candidate against the baseline.

    Attributes:
        task: Its name.
        candidates: All of them, AI and classical, any phase.
        baseline: Name of the classical candidate compared with; None if there is none.
        baseline_chosen: True if a person set it; False if it is the best classical candidate found.
        comparisons: One for each AI candidate with a classical one of the same phase.
    """

    task: str
    candidates: tuple[Candidate, ...]
    baseline: str | None
    baseline_chosen: bool
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over runs. Runs whose figure is unknown are counted apart, never added as 0.

    ``low_j`` and ``high_j`` add the runs' own bounds: runs of one machine share their errors.

    Attributes:
        location_gases: What the parts of ``location_g`` count: ``CO2``, ``CO2e`` or both.
        location_boundaries: What the factors behind them cover, e.g. ``generation``.
        market_g: Sum of the market-based figures, grams; never to be added to ``location_g``.
        market_gases: What its parts count.
        market_boundaries: What the factors among them cover; contracts say direct emissions.
        runs_without_market: Runs that have no market-based figure.
    """

    runs: int
    energy_j: float | None
    low_j: float | None
    high_j: float | None
    measured_share: float | None
    location_g: float | None
    upstream_g: float | None
    duration_s: float
    runs_without_energy: int
    runs_without_emissions: int
    location_gases: tuple[str, ...]
    location_boundaries: tuple[str, ...]
    market_g: float | None
    market_gases: tuple[str, ...]
    market_boundaries: tuple[str, ...]
    runs_without_market: int


@dataclass(frozen=True, slots=True)
class ReportView:
    """What a report shows, whatever its format and language.

    Attributes:
        scope: What the report covers, in words.
        generated_ms: When, epoch milliseconds.
        version: Of the program.
        records: The runs, oldest first.
        totals: Their sums.
        tasks: Comparisons of the tasks among the runs.
    """

    scope: Text
    generated_ms: int
    version: str
    records: tuple[RunRecord, ...]
    totals: Totals
    tasks: tuple[TaskView, ...]
