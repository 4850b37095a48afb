"""Views as the program makes them: records, their sums, and comparisons by the real rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from greenai.analysis.totals import totals
from greenai.compare.candidates import candidates
from greenai.compare.verdict import compare
from greenai.core.channel import Component, Quality
from greenai.core.collector import Incident
from greenai.core.events import Metric
from greenai.core.footprint import Emissions, FactorUsed
from greenai.core.record import JournalFacts, RunRecord, Work
from greenai.core.run_energy import ChannelEnergy, Energy
from greenai.core.text import Text
from greenai.core.views import ReportView, TaskView
from greenai.core.vocabulary import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from greenai.core.comparison import Margins

START_MS = 1_795_000_000_000  # 2026-11-18
GENERATED_MS = 1_795_300_000_000
MINUTE_MS = 60_000

FACTOR = FactorUsed(
    id="uba-2024-de",
    zone="DE",
    value_g_per_kwh=363.0,
    year=2024,
    source="Umweltbundesamt, CO2-Emissionen pro Kilowattstunde Strom",
    edition="CLIMATE CHANGE 13/2025",
    url="https://www.umweltbundesamt.de/themen/klima-energie/energieversorgung/strom-waermeversorgung-in-zahlen",
    licence="dl-de/by-2-0",
    boundary="generation",
    gases="CO2e",
    basis="location",
    status="preliminary",
    verified=False,
)
NO_COUNTRY = Text(
    de="Das Land des Rechners ist nicht bekannt.",
    en="The country of the machine is not known.",
)
RAPL_INCIDENT = Incident(
    code="rapl_unreadable",
    message=Text(
        de="Die Energiezähler der CPU sind für diesen Benutzer nicht lesbar; die CPU wird geschätzt.",
        en="The energy counters of the CPU cannot be read by this user; the CPU is estimated.",
    ),
    remedy=Text(de="sudo greenai agent install", en="sudo greenai agent install"),
)


def channel(energy_j: float | None, quality_name: str, component_name: str, rel: float = 0.05) -> ChannelEnergy:
    quality, component = Quality(quality_name), Component(component_name)
    methods = {
        (Quality.MEASURED, Component.GPU): "nvml_energy_counter",
        (Quality.MEASURED, Component.CPU): "rapl_powercap",
        (Quality.ALLOCATED, Component.CPU): "rapl_powercap",
        (Quality.ESTIMATED, Component.CPU): "cpu_estimate_tdp",
        (Quality.ESTIMATED, Component.DRAM): "memory_estimate_in_use",
    }
    return ChannelEnergy(
        id=f"x:{component}",
        host="n1",
        component=component,
        device="package-0",
        energy_j=energy_j,
        low_j=None if energy_j is None else energy_j * (1 - rel),
        high_j=None if energy_j is None else energy_j * (1 + rel),
        quality=quality,
        method=methods[quality, component],
        uncertainty_rel=rel,
        gap_s=0.0,
        counted=energy_j is not None,
        note=None,
    )


def record(
    number: int,
    name: str,
    channels: tuple[ChannelEnergy, ...],
    *,
    task: str | None = None,
    approach: str | None = None,
    phase: str | None = "training",
    metric: tuple[str, float] | None = None,
    state: RunState = RunState.COMPLETED,
    units: float = 0.0,
    unit: str | None = None,
    duration_s: float = 60.0,
    reason: Text | None = None,
    factor: FactorUsed = FACTOR,
    pue: float = 1.2,
    incidents: tuple[Incident, ...] = (),
) -> RunRecord:
    counted = [c for c in channels if c.energy_j is not None]
    total_j = sum(c.energy_j or 0.0 for c in counted) if counted else None
    measured_j = sum(c.energy_j or 0.0 for c in counted if c.quality is not Quality.ESTIMATED)
    grams = None if total_j is None or reason else total_j / 3.6e6 * pue * factor.value_g_per_kwh
    return RunRecord(
        id=f"r{number:04d}",
        name=name,
        project="churn",
        task=task,
        approach=approach,
        phase=phase,
        state=state,
        exit_code=0,
        error=None,
        started_ms=START_MS + number * 37 * MINUTE_MS,
        ended_ms=START_MS + number * 37 * MINUTE_MS + int(duration_s * 1000),
        duration_s=duration_s,
        hosts=("n1",),
        user="kim",
        git_commit=None,
        tags={},
        slurm=None,
        environment={"cpu": "EPYC", "cpus": 64},
        energy=Energy(
            total_j=total_j,
            low_j=sum(c.low_j or 0.0 for c in counted) if counted else None,
            high_j=sum(c.high_j or 0.0 for c in counted) if counted else None,
            measured_share=measured_j / total_j if total_j else None,
            scope="machine",
            machine_total_j=total_j,
            channels=channels,
        ),
        windows=(),
        work=Work(units, unit, total_j / units if total_j is not None and units else None),
        metrics=(Metric(*metric),) if metric else (),
        incidents=incidents,
        journal=JournalFacts(100, 0, "0" * 64),
        emissions=Emissions(
            location_g=grams,
            upstream_g=None if grams is None else grams * 0.15,
            pue=pue,
            pue_assumed=True,
            factor=None if reason else factor,
            reason=reason,
        ),
    )


def view_of(
    records: Iterable[RunRecord],
    margins: dict[str, Margins] | None = None,
    scope: Text | None = None,
) -> ReportView:
    rows = tuple(records)
    tasks = []
    for task in sorted({r.task for r in rows if r.task}):
        found = candidates([r for r in rows if r.task == task])
        classical = min(
            (c for c in found if c.approach == "classical"), key=lambda c: c.mean_energy_j or 0.0, default=None
        )
        comparisons = tuple(
            compare(task, c, classical, (margins or {}).get(task))
            for c in found
            if c.approach == "ai" and classical is not None
        )
        name = classical.name if classical else None
        tasks.append(TaskView(task, tuple(found), name, task in (margins or {}), comparisons))
    return ReportView(
        scope=scope or Text(de="Projekt „churn“", en='Project "churn"'),
        generated_ms=GENERATED_MS,
        version="0.1.0",
        records=rows,
        totals=totals(rows),
        tasks=tuple(tasks),
    )


@pytest.fixture
def make_record() -> Callable[..., RunRecord]:
    return record


@pytest.fixture
def make_channel() -> Callable[..., ChannelEnergy]:
    return channel


@pytest.fixture
def make_view() -> Callable[..., ReportView]:
    return view_of


@pytest.fixture(scope="session")
def typical_view() -> ReportView:
    """Two tasks with three candidates each, five repeats: 30 runs, one of each doubtful kind."""
    gpu, cpu, dram = Component.GPU, Component.CPU, Component.DRAM
    rows: list[RunRecord] = []
    solutions = (
        ("churn-2026", "bert-base", "ai", 0.934, 1.9e6, 0.0),
        ("churn-2026", "gradient-boosting", "classical", 0.931, 9.1e3, 0.0),
        ("churn-2026", "logistic-regression", "classical", 0.905, 4.4e2, 0.0),
        ("invoice-triage", "llm-8b-prompted", "ai", 0.962, 7.4e5, 1000.0),
        ("invoice-triage", "distil-finetuned", "ai", 0.955, 6.1e4, 1000.0),
        ("invoice-triage", "tfidf-svm", "classical", 0.911, 8.3e2, 1000.0),
    )
    for repeat in range(5):
        for task, name, approach, quality, energy_j, units in solutions:
            jitter = 1 + 0.012 * ((repeat * 7 + len(name)) % 5 - 2)
            metric = ("accuracy", quality + 0.0008 * ((repeat * 3 + len(name)) % 5 - 2))
            host_j = energy_j * jitter
            channels: tuple[ChannelEnergy, ...] = (
                channel(host_j * 0.15, Quality.ESTIMATED, cpu, 0.4),
                channel(host_j * 0.03, Quality.ESTIMATED, dram, 0.5),
            )
            if approach == "ai":
                channels = (channel(host_j * 0.82, Quality.MEASURED, gpu), *channels)
            else:
                channels = (channel(host_j * 0.3, Quality.MEASURED, gpu), *channels)
            rows.append(
                record(
                    len(rows),
                    name,
                    channels,
                    task=task,
                    approach=approach,
                    phase="inference" if units else "training",
                    metric=metric,
                    units=units,
                    unit="Dokument" if units else None,
                    duration_s=max(host_j / 400, 1.3),
                    reason=NO_COUNTRY if len(rows) in (8, 9) else None,
                    state=RunState.FAILED if len(rows) == 24 else RunState.COMPLETED,
                    incidents=(RAPL_INCIDENT,) if len(rows) % 2 else (),
                )
            )
    return view_of(rows)


@pytest.fixture(scope="session")
def measured_view() -> ReportView:
    """A decided, wholly measured comparison of a CPU-only task, with one metric that no rule can compare."""
    rows: list[RunRecord] = []
    for repeat in range(5):
        for name, approach, quality, energy_j in (
            ("mlp", "ai", 0.970, 5200.0),
            ("ridge", "classical", 0.972, 310.0),
        ):
            channels = (channel(energy_j * (1 + 0.01 * repeat), Quality.MEASURED, Component.CPU),)
            metric = ("r2", quality + 0.0003 * repeat)
            rows.append(record(len(rows), name, channels, task="a-yield", approach=approach, metric=metric))
    for name, approach in (("lstm", "ai"), ("arima", "classical")):
        channels = (channel(900.0, Quality.MEASURED, Component.CPU),)
        metric = ("rmse" if approach == "ai" else "mae", 1.0)
        rows.append(record(len(rows), name, channels, task="b-forecast", approach=approach, metric=metric))
    return view_of(rows)


HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "#evil[] $x$ `raw` *b* _i_ @ref \\ {{7*7}} {0} {name}",
    '#read("/etc/passwd") #import "@preview/x:1.0.0"',
    "x" * 10_000,
    "Lauf 😀 名前 שלום مرحبا",
    "a\x00b\x07c\u202egnp.exe\u2028d\ud800e\nf",
    "]]> & &amp; <!-- -->",
    "%s %d {} \\u0041",
    "e" + "\u0301" * 500,
    "   ",
)


@pytest.fixture(scope="session")
def hostile_view() -> ReportView:
    rows: list[RunRecord] = []
    for index, name in enumerate(HOSTILE_NAMES):
        for repeat in range(3):
            channels = (channel(1000.0 * (index + 1) + repeat, Quality.MEASURED, Component.CPU),)
            approach = "ai" if index % 2 else "classical"
            rows.append(
                record(
                    len(rows),
                    name,
                    channels,
                    task=HOSTILE_NAMES[(index // 2) * 2],
                    approach=approach,
                    phase=name,
                    metric=(name, 0.5 + repeat / 100),
                    units=10,
                    unit=name,
                    incidents=(Incident(name, Text(de=name, en=name), Text(de=name, en=name)),),
                )
            )
    return view_of(rows, scope=Text(de="".join(HOSTILE_NAMES), en="".join(HOSTILE_NAMES)))


@pytest.fixture(scope="session")
def unknown_view() -> ReportView:
    """Nothing is known: no energy of one run, no grams of the other."""
    return view_of(
        (
            record(0, "blind", (channel(None, Quality.MEASURED, Component.CPU),), reason=NO_COUNTRY),
            record(1, "nowhere", (channel(3600.0, Quality.ESTIMATED, Component.CPU, 0.4),), reason=NO_COUNTRY),
        )
    )


@pytest.fixture(scope="session")
def empty_view() -> ReportView:
    return view_of(())
