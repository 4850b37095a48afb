"""Realistic runs and tasks without a database, a served dashboard, and a browser that notices every slip."""

from __future__ import annotations

import math
import shutil
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_server

from greenai.core.channel import Component, Quality
from greenai.core.collector import Incident
from greenai.core.comparison import Candidate, Comparison, Margins, Observation, VerdictKey
from greenai.core.errors import NotFoundError
from greenai.core.events import Metric
from greenai.core.footprint import Emissions, FactorUsed
from greenai.core.record import JournalFacts, RunRecord, WindowEnergy, Work
from greenai.core.run_energy import ChannelEnergy, Energy
from greenai.core.statistics import Interval
from greenai.core.text import Text
from greenai.core.views import LivePage, LiveRun, NodesTrace, RunPage, RunQuery, RunRow, TaskView, TraceSeries
from greenai.core.vocabulary import Approach, RunState
from greenai_dashboard.app import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

START_MS = 1_795_262_700_000  # 2026-11-21 12:05:00 UTC
DURATION_S = 184.0
AI_RUN = "7f3a9c21e5d84b60"


def _channel(
    name: str, component: Component, quality: Quality, energy_j: float | None, **more: object
) -> ChannelEnergy:
    relative = 0.3 if quality is Quality.ESTIMATED else 0.05
    channel = ChannelEnergy(
        id=name,
        host="node-1",
        component=component,
        device=name.partition(":")[2],
        energy_j=energy_j,
        low_j=None if energy_j is None else energy_j * (1 - relative),
        high_j=None if energy_j is None else energy_j * (1 + relative),
        quality=quality,
        method="rapl_powercap",
        uncertainty_rel=relative,
        gap_s=0.0,
        counted=energy_j is not None,
        note=None,
    )
    return replace(channel, **more)  # type: ignore[arg-type]


CHANNELS = (
    _channel("rapl:package-0", Component.CPU, Quality.MEASURED, 8_123.4, gap_s=1.5),
    _channel("nvml:GPU-0 NVIDIA A100", Component.GPU, Quality.MEASURED, 31_876.0, method="nvml_energy"),
    _channel(
        "estimate:memory",
        Component.DRAM,
        Quality.ESTIMATED,
        1_640.0,
        method="memory_per_gigabyte",
        note=Text(de="0,3 W je GB belegten Speichers.", en="0.3 W per GB of memory in use."),
    ),
    _channel(
        "rapl:dram-0",
        Component.DRAM,
        Quality.MEASURED,
        None,
        note=Text(de="Nicht lesbar: Zugriff verweigert.", en="Unreadable: permission denied."),
    ),
)
FACTOR = FactorUsed(
    id="de-2025-uba",
    zone="DE",
    value_g_per_kwh=352.0,
    year=2025,
    source="Umweltbundesamt",
    edition="2026-04",
    url="https://example.org/factor",
    licence="dl-de/by-2-0",
    boundary="generation",
    gases="CO2e",
    basis="production",
    status="published",
    verified=False,
)
RECORD = RunRecord(
    id=AI_RUN,
    name="gradient-net <b>v2</b>",
    project="churn",
    task="churn-2026",
    approach="ai",
    phase="training",
    state=RunState.COMPLETED,
    exit_code=0,
    error=None,
    started_ms=START_MS,
    ended_ms=START_MS + int(DURATION_S * 1000),
    duration_s=DURATION_S,
    hosts=("node-1",),
    user="mia",
    git_commit="4be91d7c0a",
    tags={"dataset": "q3"},
    slurm=None,
    environment={"python": "3.12.1", "cpu": "AMD EPYC 7763"},
    energy=Energy(
        total_j=41_639.4,
        low_j=39_100.0,
        high_j=44_200.0,
        measured_share=0.9606,
        scope="machine",
        machine_total_j=41_639.4,
        channels=CHANNELS,
    ),
    windows=(
        WindowEnergy("w1", "load data", None, START_MS + 2_000, 20.0, 2_300.0),
        WindowEnergy("w2", "fit", None, START_MS + 24_000, 140.0, 37_000.0),
        WindowEnergy("w3", "epoch 1", "w2", START_MS + 26_000, 60.0, 15_800.0),
        WindowEnergy("w4", "evaluate", None, START_MS + 166_000, 16.0, None),
    ),
    work=Work(units=10_000, unit="document", energy_per_unit_j=4.16394),
    metrics=(Metric("accuracy", 0.9312), Metric("log_loss", 0.211, higher_is_better=False)),
    incidents=(
        Incident(
            "rapl_unreadable",
            Text(de="Der Speicherzähler ist nicht lesbar.", en="The memory counter cannot be read."),
            Text(de="sudo greenai agent install", en="sudo greenai agent install"),
        ),
    ),
    journal=JournalFacts(lines=412, bad_lines=1, sha256="9f" * 32),
    emissions=Emissions(location_g=4.07, upstream_g=0.61, pue=1.0, pue_assumed=True, factor=FACTOR),
)
UNKNOWN = replace(
    RECORD,
    id="00ff00ff00ff00ff",
    name="unmeasured",
    approach=None,
    phase=None,
    task=None,
    state=RunState.FAILED,
    exit_code=3,
    error="RuntimeError: out of memory",
    started_ms=START_MS - 3_600_000,
    energy=Energy(None, None, None, None, "machine", None, (CHANNELS[3],)),
    windows=(),
    metrics=(),
    work=Work(0, None, None),
    emissions=Emissions(
        location_g=None,
        upstream_g=None,
        pue=1.0,
        pue_assumed=True,
        factor=None,
        reason=Text(de="Das Stromnetz ist nicht eingestellt.", en="The grid zone is not set."),
    ),
)


def trace_of(record: RunRecord, from_ms: float, to_ms: float, points: int) -> tuple[TraceSeries, ...]:
    """Return ``points`` values per channel over a stretch of the run."""
    if record.energy.total_j is None:
        return ()
    step_ms = (to_ms - from_ms) / points
    times = tuple(from_ms + step_ms * (index + 1) for index in range(points))
    series = []
    for number, channel in enumerate(record.energy.channels[:3]):
        mean_w = (channel.energy_j or 0.0) / record.duration_s
        power_w: list[float | None] = [mean_w * (1 + 0.4 * math.sin(t_ms / 9000 + number)) for t_ms in times]
        if number == 0:
            power_w[points // 3] = None
        series.append(
            TraceSeries(
                channel_id=channel.id,
                host=channel.host,
                component=channel.component,
                device=channel.device,
                quality=channel.quality,
                counted=channel.counted,
                t_ms=times,
                power_w=tuple(power_w),
                energy_j=tuple(None if one is None else one * step_ms / 1000 for one in power_w),
            )
        )
    return tuple(series)


def _candidate(
    name: str, approach: Approach, energies: tuple[float, ...], qualities: tuple[float, ...], **more: object
) -> Candidate:
    candidate = Candidate(
        name=name,
        approach=approach,
        observations=tuple(
            Observation(f"{name}-{index}", energy_j, quality)
            for index, (energy_j, quality) in enumerate(zip(energies, qualities, strict=True))
        ),
        metric="accuracy",
        higher_is_better=True,
        unit="document",
        phase="training",
        methods=frozenset({"rapl_powercap"}),
        components=frozenset({"cpu"}),
        hardware=frozenset({"AMD EPYC 7763"}),
        quality=Quality.MEASURED,
        uncertainty_rel=0.05,
    )
    return replace(candidate, **more)  # type: ignore[arg-type]


NET = _candidate("gradient-net", Approach.AI, (4.16, 4.31, 4.02), (0.9312, 0.9294, 0.9321), excluded=1)
TREE = _candidate("random-forest", Approach.CLASSICAL, (0.052, 0.049, 0.055), (0.9281, 0.9302, 0.9266))
LOGIT = _candidate(
    "logistic-regression",
    Approach.CLASSICAL,
    (0.0031, 0.0034),
    (0.9011, 0.9024),
    quality=Quality.ESTIMATED,
    uncertainty_rel=0.3,
    methods=frozenset({"cpu_load_tdp"}),
)
VERDICT = TaskView(
    task="churn-2026",
    candidates=(NET, TREE, LOGIT),
    baseline="random-forest",
    baseline_chosen=False,
    comparisons=(
        Comparison(
            task="churn-2026",
            ai=NET,
            classical=TREE,
            verdict=VerdictKey.CLASSICAL_BETTER,
            ratio=Interval(80.1, 72.4, 88.6),
            gain=Interval(0.00264, -0.0012, 0.0065),
            margins=Margins(0.01, 0.02, chosen=False),
            notes=(Text(de="Nur drei Läufe je Lösung.", en="Only three runs of each solution."),),
        ),
    ),
)
NOT_COMPARABLE = TaskView(
    task="digits",
    candidates=(replace(NET, name="cnn"), replace(TREE, name="svc", unit="image")),
    baseline="svc",
    baseline_chosen=True,
    comparisons=(
        Comparison(
            task="digits",
            ai=replace(NET, name="cnn"),
            classical=replace(TREE, name="svc", unit="image"),
            verdict=VerdictKey.NOT_COMPARABLE,
            reason=Text(de="verschiedene Einheiten", en="different units"),
        ),
    ),
)
ONE_SIDED = TaskView("only-ai", (NET,), None, baseline_chosen=False, comparisons=())


def row_of(record: RunRecord) -> RunRow:
    """Return the record's line in a table of runs."""
    return RunRow(
        id=record.id,
        name=record.name,
        project=record.project,
        task=record.task,
        approach=record.approach,
        phase=record.phase,
        state=record.state,
        started_ms=record.started_ms,
        duration_s=record.duration_s,
        total_j=record.energy.total_j,
        low_j=record.energy.low_j,
        high_j=record.energy.high_j,
        quality=record.energy.quality,
        measured_share=record.energy.measured_share,
        location_g=record.emissions.location_g if record.emissions else None,
        units=record.work.units,
        unit=record.work.unit,
        user=record.user,
    )


def live_of(row: RunRow, power_w: float | None = 226.3, **more: object) -> LiveRun:
    """Return a run that goes on, with a hole in its curve."""
    t_ms = tuple(START_MS + 5_000.0 * index for index in range(60))
    curve: list[float | None] = [200 + 40 * math.sin(index / 6) for index in range(60)]
    curve[20:24] = [None] * 4
    live = LiveRun(
        row=row,
        hosts=("node-1",),
        power_w=power_w,
        quality=row.quality,
        methods=("nvml_energy", "rapl_powercap"),
        silent_s=0.4,
        t_ms=t_ms,
        curve_w=tuple(curve),
    )
    return replace(live, **more)  # type: ignore[arg-type]


def older_runs(count: int) -> list[RunRecord]:
    """Return runs before the two above, of several kinds."""
    states = (RunState.COMPLETED, RunState.COMPLETED, RunState.KILLED, RunState.COMPLETED, RunState.LOST)
    return [
        replace(
            RECORD,
            id=f"{index:016x}",
            name=f"forest-{index}",
            approach="classical" if index % 3 else "ai",
            phase="inference" if index % 4 == 0 else "training",
            state=states[index % 5],
            started_ms=START_MS - 7_200_000 - index * 900_000,
            duration_s=10.0 + index,
            energy=replace(RECORD.energy, total_j=500.0 + index, low_j=480.0 + index, high_j=520.0 + index),
        )
        for index in range(count)
    ]


@dataclass
class FakeData:
    """Satisfies DashboardData from lists; ``queries`` and ``cuts`` record what was asked."""

    records: list[RunRecord] = field(default_factory=list)
    tasks: dict[str, TaskView] = field(default_factory=dict)
    queries: list[RunQuery] = field(default_factory=list)
    cuts: list[tuple[float | None, float | None]] = field(default_factory=list)
    refreshed: int = 0
    now: dict[str, LiveRun] = field(default_factory=dict)
    followed: list[float] = field(default_factory=list)
    nodes: dict[str, NodesTrace] = field(default_factory=dict)

    def refresh(self) -> None:
        self.refreshed += 1

    def run_page(self, query: RunQuery) -> RunPage:
        self.queries.append(query)
        rows = [row_of(record) for record in self.records]
        for name in ("project", "task", "approach", "phase"):
            wanted = getattr(query, name)
            rows = [row for row in rows if wanted is None or getattr(row, name) == wanted]
        rows = [row for row in rows if query.state is None or row.state.value == query.state]
        rows = [row for row in rows if query.text is None or query.text.lower() in f"{row.name} {row.id}".lower()]
        known = [row for row in rows if getattr(row, query.sort) is not None]
        known.sort(key=lambda row: getattr(row, query.sort), reverse=query.descending)
        rows = known + [row for row in rows if getattr(row, query.sort) is None]
        end = None if query.limit is None else query.offset + query.limit
        return RunPage(tuple(rows[query.offset : end]), len(rows))

    def run(self, reference: str) -> RunRecord:
        if reference == "latest" and self.records:
            return max(self.records, key=lambda record: record.started_ms)
        for record in self.records:
            if reference in (record.id, record.name):
                return record
        raise NotFoundError(
            Text(de=f"Kein Lauf heißt {reference}.", en=f"No run is called {reference}."),
            Text(de="greenai runs zeigt alle.", en="greenai runs lists them all."),
        )

    def trace(
        self,
        run_id: str,
        *,
        max_points: int = 2000,
        from_ms: float | None = None,
        to_ms: float | None = None,
        max_channels: int | None = None,
    ) -> tuple[TraceSeries, ...]:
        self.cuts.append((from_ms, to_ms))
        record = self.run(run_id)
        begin = record.started_ms if from_ms is None else from_ms
        end = record.started_ms + record.duration_s * 1000 if to_ms is None else to_ms
        return trace_of(record, begin, end, min(max_points, 300))[:max_channels]

    @staticmethod
    def live_of(row: RunRow, power_w: float | None, **more: object) -> LiveRun:
        return live_of(row, power_w, **more)

    def live(self, query: RunQuery) -> LivePage:
        page = self.run_page(replace(query, state="running"))
        return LivePage(tuple(self.now.get(row.id) or live_of(row) for row in page.rows), page.total)

    def live_trace(
        self, run_id: str, seconds: float, *, max_points: int = 2000, max_channels: int | None = None
    ) -> tuple[TraceSeries, ...]:
        record = self.run(run_id)
        end = record.started_ms + record.duration_s * 1000
        self.followed.append(end)
        return trace_of(record, end - seconds * 1000, end, min(max_points, 300))[:max_channels]

    def nodes_trace(
        self, run_id: str, *, from_ms: float | None = None, to_ms: float | None = None
    ) -> NodesTrace | None:
        self.cuts.append((from_ms, to_ms))
        return self.nodes.get(run_id)

    def live_nodes_trace(self, run_id: str, seconds: float) -> NodesTrace | None:
        return self.nodes.get(run_id)

    def task_names(self) -> list[str]:
        return sorted(self.tasks)

    def task(self, name: str) -> TaskView:
        if name not in self.tasks:
            raise NotFoundError(Text(de=f"Keine Aufgabe heißt {name}.", en=f"No task is called {name}."))
        return self.tasks[name]


def full_data() -> FakeData:
    """Return 242 runs and three tasks."""
    tasks = {view.task: view for view in (VERDICT, NOT_COMPARABLE, ONE_SIDED)}
    return FakeData([RECORD, UNKNOWN, *older_runs(240)], tasks)


@pytest.fixture
def data() -> FakeData:
    """Runs and tasks of every kind."""
    return full_data()


@pytest.fixture
def empty_data() -> FakeData:
    """A database nobody has measured into."""
    return FakeData()


@pytest.fixture
def record() -> RunRecord:
    """The run shown on the run page."""
    return RECORD


@dataclass(frozen=True)
class Site:
    """A dashboard that answers."""

    url: str
    data: FakeData


@pytest.fixture
def site(data: FakeData) -> Iterator[Site]:
    """Serve ``data`` on a free port."""
    app = create_app(data)
    with app.server.test_client() as client:
        client.get("/")
    server = make_server("127.0.0.1", 0, app.server, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield Site(f"http://127.0.0.1:{server.server_port}", data)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's chromium, headless; ended with the module, because playwright keeps an event loop running."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        pytest.fail("no chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
        )
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A fresh English browser window; any outside request, console error or page error fails the test.

    It needs the site so that the window closes before the server does.
    """
    context = browser.new_context(locale="en-GB", viewport={"width": 1440, "height": 900}, color_scheme="light")
    window = context.new_page()
    outside: list[str] = []
    errors: list[str] = []

    def watch(route: object) -> None:
        url = route.request.url  # type: ignore[attr-defined]
        if url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            route.continue_()  # type: ignore[attr-defined]
        else:
            outside.append(url)
            route.abort()  # type: ignore[attr-defined]

    context.route("**/*", watch)
    window.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    window.on("pageerror", lambda error: errors.append(str(error)))
    yield window
    window.close()
    context.close()
    assert outside == []
    assert errors == []
