"""The read side: traces, tasks, totals, recomputed footprints."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from greenai.analysis import Analysis
from greenai.analysis.totals import totals
from greenai.analysis.trace import series
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.errors import NotFoundError
from greenai.core.footprint import Emissions
from greenai.core.run_energy import Energy
from greenai.core.text import Text
from greenai.core.units import NS_PER_S
from greenai.core.views import RunQuery
from greenai.journal import format as f
from greenai.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from greenai.core.record import RunRecord

    Open = Callable[..., Analysis]

WALL_NS = 1_790_000_000 * NS_PER_S
POWER = Channel(
    id="p", collector="c", component=Component.CPU, kind=Kind.POWER, quality=Quality.MEASURED, device="d", host="h",
    method="m", uncertainty_rel=0.1, max_power_uw=10**9,
)  # fmt: skip
COUNTER = replace(POWER, kind=Kind.COUNTER)


@pytest.fixture
def reader() -> Iterator[Open]:
    """Opens the read side with these settings."""
    opened: list[Analysis] = []

    def start(**overrides: Any) -> Analysis:
        opened.append(Analysis.open(load_settings(overrides)))
        return opened[-1]

    yield start
    for analysis in opened:
        analysis.close()


def test_all_points_hold_the_energy_of_the_channel() -> None:
    samples: list[tuple[int, int | None]] = [
        (WALL_NS + i * NS_PER_S, 7 + i * 100_000_000 + (i % 3) * 5_000_000) for i in range(500)
    ]
    trace = series(COUNTER, samples, counted=True, max_points=None)
    assert sum(e for e in trace.energy_j if e is not None) == pytest.approx(((samples[-1][1] or 0) - 7) / 1e6)
    assert list(trace.t_ms) == sorted(trace.t_ms)
    assert len(trace.t_ms) == len(trace.power_w) == len(trace.energy_j) == 499


@pytest.mark.parametrize("max_points", [2, 10, 100, 400, 5000])
def test_thinning_keeps_the_peaks(max_points: int) -> None:
    samples: list[tuple[int, int | None]] = [(WALL_NS + i * NS_PER_S, 50_000_000 + i) for i in range(5000)]
    for peak in (1234, 1235):
        samples[peak] = (samples[peak][0], 300_000_000)
    for dip in (4321, 4322):
        samples[dip] = (samples[dip][0], 1_000_000)
    whole = series(POWER, samples, counted=True, max_points=None)
    thin = series(POWER, samples, counted=True, max_points=max_points)
    known = [p for p in thin.power_w if p is not None]
    assert max(known) == max(p for p in whole.power_w if p is not None) == pytest.approx(300)
    assert min(known) == min(p for p in whole.power_w if p is not None) == pytest.approx(1)
    assert len(thin.t_ms) <= max(max_points, 2) + 2
    assert list(thin.t_ms) == sorted(set(thin.t_ms))
    assert set(thin.t_ms) <= set(whole.t_ms)


def test_thinning_keeps_gaps_visible() -> None:
    samples: list[tuple[int, int | None]] = [(WALL_NS + i * NS_PER_S, i * 10**8) for i in range(1000)]
    samples[500:] = [(t_ns + 400 * NS_PER_S, (value or 0) // 10**6) for t_ns, value in samples[500:]]  # a reset
    thin = series(COUNTER, samples, counted=True, max_points=50)
    assert None in thin.power_w


def test_nothing_to_draw() -> None:
    for samples in ([], [(WALL_NS, 5)], [(WALL_NS, None), (WALL_NS + 1, None)]):
        trace = series(COUNTER, samples, counted=False, max_points=10)
        assert trace.t_ms == trace.power_w == trace.energy_j == ()


def test_marks_beside_a_tick_make_no_spikes() -> None:
    samples: list[tuple[int, int | None]] = []
    for i in range(10):
        at = WALL_NS + i * NS_PER_S
        samples += [(at, i * 10**8), (at + 300_000, i * 10**8 + 61)]  # 61 µJ in 0.3 ms would be 0.2 W
    trace = series(COUNTER, samples, counted=True, max_points=None)
    assert all(90 < p < 110 for p in trace.power_w if p is not None)
    total = sum(e for e in trace.energy_j if e is not None)
    assert total == pytest.approx((9 * 10**8 + 61) / 1e6)


def test_a_trace_of_a_run_and_a_part_of_it(journals: Any, reader: Open) -> None:
    journals.run("aaaa0001", seconds=100)
    analysis = reader()
    record = analysis.run("latest")
    cpu, memory = analysis.trace(record.id)
    assert (cpu.channel_id, cpu.component, cpu.counted) == ("rapl:package-0", Component.CPU, True)
    assert memory.quality is Quality.ESTIMATED
    assert sum(e for e in cpu.energy_j if e is not None) == pytest.approx(record.energy.channels[0].energy_j)
    low, high = record.started_ms + 10_000, record.started_ms + 20_000
    part = analysis.trace(record.id, from_ms=low, to_ms=high)[0]
    assert (part.t_ms[0], part.t_ms[-1]) == (low + 1000, high)
    assert analysis.trace("nobody") == ()
    assert analysis.trace(record.id, max_channels=1) == (cpu,)


def _task(journals: Any, **runs: tuple[str, float, float]) -> None:
    """Write runs name=(approach, quality, seconds)."""
    for number, (name, (approach, quality, seconds)) in enumerate(runs.items()):
        for repeat in range(2):
            journal, machine = journals.begin(
                f"{number}{repeat}{name[:4]}",
                seconds=int(seconds),
                name=name,
                task="t",
                approach=approach,
                phase="training",
            )
            journal.event(f.METRIC, name="accuracy", value=quality, higher_is_better=True)
            journals.end(journal, machine)


def test_the_best_classical_candidate_is_the_baseline(journals: Any, reader: Open) -> None:
    _task(
        journals,
        net=("ai", 0.95, 30),
        tree=("classical", 0.8, 5),
        forest=("classical", 0.9, 9),
        wood=("classical", 0.9, 6),
    )
    view = reader().task("t")
    assert {c.name for c in view.candidates} == {"net", "tree", "forest", "wood"}
    assert (view.baseline, view.baseline_chosen) == ("wood", False)
    assert [(c.ai.name, c.classical.name) for c in view.comparisons] == [("net", "wood")]


def test_the_chosen_baseline_goes_before_the_best(journals: Any, reader: Open) -> None:
    _task(journals, net=("ai", 0.95, 30), tree=("classical", 0.8, 5), forest=("classical", 0.9, 9))
    analysis = reader()
    analysis.store.set_baseline("t", "tree")
    view = analysis.task("t")
    assert (view.baseline, view.baseline_chosen) == ("tree", True)
    assert [c.classical.name for c in view.comparisons] == ["tree"]
    analysis.store.set_baseline("t", "nobody")
    view = analysis.task("t")
    assert (view.baseline, view.baseline_chosen) == ("forest", False)


def test_an_ai_candidate_is_never_compared_with_itself(journals: Any, reader: Open) -> None:
    _task(journals, model=("ai", 0.95, 30))
    for number in range(2):
        journal, machine = journals.begin(
            f"ffff{number}", seconds=5, name="model", task="t", approach="classical", phase="training"
        )
        journal.event(f.METRIC, name="accuracy", value=0.8, higher_is_better=True)
        journals.end(journal, machine)
    analysis = reader()
    analysis.store.set_baseline("t", "model")
    (comparison,) = analysis.task("t").comparisons
    assert (comparison.ai.approach.value, comparison.classical.approach.value) == ("ai", "classical")
    assert comparison.ratio is not None
    assert comparison.ratio.value == pytest.approx(6, rel=0.1)


def test_no_such_task(reader: Open) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        reader().task("nobody")


@pytest.fixture
def record(journals: Any, reader: Open) -> RunRecord:
    journals.run("aaaa0001", zone="DE")
    return reader().run("latest")


def test_totals_by_hand(record: RunRecord) -> None:
    unknown = replace(record, energy=Energy(None, None, None, None, "machine", None, ()), emissions=None)
    estimated = replace(
        record,
        energy=replace(record.energy, total_j=100.0, low_j=50.0, high_j=200.0, measured_share=0.0),
        emissions=Emissions(None, None, 1.0, True, None),
    )
    sums = totals([record, unknown, estimated])
    assert (sums.runs, sums.runs_without_energy, sums.runs_without_emissions) == (3, 1, 2)
    assert record.energy.total_j is not None
    assert record.energy.low_j is not None
    assert record.emissions is not None
    assert sums.energy_j == pytest.approx(record.energy.total_j + 100)
    assert sums.low_j == pytest.approx(record.energy.low_j + 50)
    assert sums.measured_share == pytest.approx(1000 / (record.energy.total_j + 100))
    assert sums.location_g == record.emissions.location_g
    assert sums.upstream_g == record.emissions.upstream_g
    assert sums.duration_s == pytest.approx(30)


def test_sums_of_nothing_are_unknown(record: RunRecord) -> None:
    unknown = replace(record, energy=Energy(None, None, None, None, "machine", None, ()), emissions=None)
    for records in ([], [unknown, unknown]):
        sums = totals(records)
        assert (sums.energy_j, sums.low_j, sums.high_j, sums.measured_share) == (None, None, None, None)
        assert (sums.location_g, sums.upstream_g) == (None, None)
        assert sums.runs == len(records)


def test_an_energy_of_zero_is_known(record: RunRecord) -> None:
    zero = replace(record, energy=Energy(0.0, 0.0, 0.0, None, "machine", 0.0, ()))
    sums = totals([zero])
    assert (sums.energy_j, sums.measured_share, sums.runs_without_energy) == (0.0, None, 0)


def test_recomputing_changes_grams_and_never_energy(journals: Any, reader: Open) -> None:
    journals.run("aaaa0001")
    journals.run("bbbb0002", zone="SE", pue=1.1)
    first = reader()
    before = {record.id: record for record in first.runs(RunQuery())}
    assert before["aaaa0001"].emissions is not None
    assert before["aaaa0001"].emissions.location_g is None
    assert first.recompute_footprints(RunQuery()).changed == 0
    steps: list[int] = []
    second = reader(zone="DE", pue=2.0)
    done = second.recompute_footprints(RunQuery(), steps.append)
    assert (done.runs, steps) == (2, [2])
    (change,) = done.changes
    assert (change.before, change.runs, change.before_g) == (None, 1, None)
    assert change.after is not None
    assert change.after.startswith("uba-2026-de-2025-co2e")
    assert change.after_g == pytest.approx(1050 / 3.6e6 * 2 * 352)
    after = {record.id: record for record in second.runs(RunQuery())}
    assert after["bbbb0002"] == before["bbbb0002"]
    changed = after["aaaa0001"]
    assert changed.emissions is not None
    assert changed.emissions.location_g == pytest.approx(1050 / 3.6e6 * 2 * 352)
    assert replace(changed, emissions=None, cost=None) == replace(before["aaaa0001"], emissions=None, cost=None)
    assert second.recompute_footprints(RunQuery()).changed == 0


def test_a_report_holds_its_runs_oldest_first(journals: Any, reader: Open) -> None:
    _task(journals, net=("ai", 0.95, 30), tree=("classical", 0.8, 5))
    journals.run("zzzz0001", name="alone")
    view = reader().report(RunQuery(), Text(de="alles", en="all"))
    starts = [record.started_ms for record in view.records]
    assert starts == sorted(starts)
    assert len(starts) == view.totals.runs == 5
    assert [task.task for task in view.tasks] == ["t"]


def test_threads_may_share_it(journals: Any, reader: Open) -> None:
    for number in range(5):
        journals.run(f"aaaa000{number}")
    analysis = reader()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(10):
                analysis.refresh()
                assert analysis.run_page(RunQuery(limit=2)).total == 5
                analysis.trace("aaaa0003")
        except BaseException as error:  # noqa: BLE001  # shown by the test
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
