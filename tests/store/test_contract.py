"""What every database must do, whichever it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, update

from greenai.core.errors import NotFoundError
from greenai.core.footprint import Cost, EmbodiedPart, Emissions, MarketPart
from greenai.core.run_energy import Energy
from greenai.core.text import Text
from greenai.core.views import SORTABLE, RunQuery
from greenai.core.vocabulary import RunState
from greenai.store import open_store
from greenai.store import schema as s
from greenai.store.recompute import StoredRun, recompute
from greenai.store.store import UnfitRecordError

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.record import RunRecord
    from greenai.store import Store

    Save = Callable[..., RunRecord]


def dump(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table, without the clock's own columns."""
    with store.engine.connect() as connection:
        return {
            table.name: [
                {key: value for key, value in row.items() if key not in ("computed_ms", "set_ms")}
                for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()
            ]
            for table in s.metadata.sorted_tables
        }


def count(store: Store, table: Any) -> int:
    with store.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


@pytest.mark.parametrize("which", ["full", "bare"])
def test_a_record_comes_back_as_it_went(
    store: Store, save: Save, which: str, request: pytest.FixtureRequest
) -> None:
    record = save(store, request.getfixturevalue(which))
    assert store.record(record.id) == record
    assert store.records(RunQuery()) == [record]


@pytest.mark.parametrize("field", ["emissions and cost", "zone only", "no factor"])
def test_parts_of_the_footprint_may_be_missing(store: Store, save: Save, full: RunRecord, field: str) -> None:
    record = {
        "emissions and cost": replace(full, emissions=None, cost=None),
        "zone only": replace(full, emissions=replace(full.emissions or Emissions(None, None, 1, True, None), location_g=None, upstream_g=None)),
        "no factor": replace(full, emissions=Emissions(None, None, 1.0, True, None), cost=Cost(None, "CHF")),
    }[field]  # fmt: skip
    save(store, record)
    assert store.record(record.id) == record


def test_a_table_row_says_what_the_record_says(store: Store, save: Save, full: RunRecord, bare: RunRecord) -> None:
    for record in (full, bare):
        save(store, record)
    rows = {row.id: row for row in store.page(RunQuery()).rows}
    for record in (full, bare):
        row = rows[record.id]
        for name in (
            "id", "name", "project", "task", "approach", "phase", "state", "started_ms", "duration_s", "quality", "user",
        ):  # fmt: skip
            assert getattr(row, name) == getattr(record, name), name
        assert (row.total_j, row.low_j, row.high_j, row.measured_share) == (
            record.energy.total_j, record.energy.low_j, record.energy.high_j, record.energy.measured_share,
        )  # fmt: skip
        assert (row.units, row.unit) == (record.work.units, record.work.unit)
        assert row.location_g == (record.emissions.location_g if record.emissions else None)


def test_saving_twice_changes_nothing(store: Store, save: Save, full: RunRecord) -> None:
    samples = [(1_795_262_400_000_000_000 + i * 10**9, None if i == 3 else i * 40) for i in range(1300)]
    save(store, full, samples)
    once = dump(store)
    save(store, full, samples)
    assert dump(store) == once
    assert count(store, s.sample_chunk) == 2 * 3


def test_saving_again_replaces_what_has_changed(store: Store, save: Save, full: RunRecord) -> None:
    save(store, full, [(i * 10**9, i) for i in range(700)])
    later = replace(full, state=RunState.COMPLETED, metrics=(), windows=full.windows[:1], tags={"new": "1"})
    save(store, later, [(0, 1)])
    assert store.record(full.id) == later
    assert [len(samples) for _, _, samples in store.samples(full.id)] == [1, 1]


def test_tags_added_later_survive_and_win(store: Store, save: Save, full: RunRecord) -> None:
    save(store, full)
    store.tag(full.id, {"dataset": "q4", "note": "a 'b' \"c\" %"})
    store.tag(full.id, {"note": "ä=b"})
    save(store, full)
    assert store.record(full.id).tags == {**full.tags, "dataset": "q4", "note": "ä=b"}


def test_samples_come_back(store: Store, save: Save, full: RunRecord) -> None:
    samples = [(1_795_262_400_000_000_000 + i * 999_937_000, None if i % 7 == 0 else i * 31) for i in range(1201)]
    save(store, full, samples)
    found = list(store.samples(full.id))
    assert [channel.id for channel, _, _ in found] == [channel.id for channel in full.energy.channels]
    assert [counted for _, counted, _ in found] == [channel.counted for channel in full.energy.channels]
    assert all(back == samples for _, _, back in found)
    assert list(store.samples("no such run")) == []


def _many(store: Store, save: Save, full: RunRecord) -> list[RunRecord]:
    names = ["alpha", "beta", "gamma 100%", "delta_1", "deltaX1", 'it\'s "quoted" \\ here', "alpha"]
    records = []
    for i, name in enumerate(names):
        known = i % 3 != 0
        record = replace(
            full,
            id=f"{i}{i}{i}{i}beef{i:04d}",
            name=name,
            project="p1" if i % 2 else None,
            task="t" if known else None,
            approach=["ai", "classical", None][i % 3],
            phase=["training", None][i % 2],
            state=[RunState.COMPLETED, RunState.FAILED][i % 2],
            started_ms=full.started_ms + (i // 2) * 1000,
            duration_s=float(7 - i),
            work=replace(full.work, energy_per_unit_j=float(i) if known else None),
            energy=replace(full.energy, total_j=float(i * 10) if known else None),
            emissions=Emissions(float(i) if known else None, None, 1.0, True, None),
        )
        records.append(save(store, record))
    return records


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("column", SORTABLE)
def test_sorting_by_every_column_puts_the_unknown_last(
    store: Store, save: Save, full: RunRecord, column: str, descending: bool
) -> None:
    _many(store, save, full)
    rows = store.page(RunQuery(sort=column, descending=descending)).rows
    values = [getattr(row, column) for row in rows]
    known = [value for value in values if value is not None]
    assert len(rows) == 7
    assert values == known + [None] * (7 - len(known))
    assert known == sorted(known, reverse=descending)
    # Ties have an order of their own, so that pages never overlap.
    ids = [row.id for row in rows]
    paged = [
        row.id
        for offset in range(0, 7, 2)
        for row in store.page(RunQuery(sort=column, descending=descending, offset=offset, limit=2)).rows
    ]
    assert paged == ids


def test_an_unknown_column_sorts_by_start(store: Store, save: Save, full: RunRecord) -> None:
    _many(store, save, full)
    assert store.page(RunQuery(sort="id; DROP TABLE run")).rows == store.page(RunQuery()).rows


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("100%", {"gamma 100%"}),
        ("%", {"gamma 100%"}),
        ("_", {"delta_1"}),
        ("delta_1", {"delta_1"}),
        ("DELTA", {"delta_1", "deltaX1"}),
        ("it's", {'it\'s "quoted" \\ here'}),
        ('"quoted"', {'it\'s "quoted" \\ here'}),
        ("\\", {'it\'s "quoted" \\ here'}),
        ("1111BEEF", {"beta"}),
        ("'; DROP TABLE run; --", set()),
        ("", {"alpha", "beta", "gamma 100%", "delta_1", "deltaX1", 'it\'s "quoted" \\ here'}),
    ],
)
def test_text_search_takes_every_sign_for_itself(
    store: Store, save: Save, full: RunRecord, text: str, names: set[str]
) -> None:
    _many(store, save, full)
    page = store.page(RunQuery(text=text))
    assert {row.name for row in page.rows} == names
    assert page.total == len(page.rows)


def test_filters(store: Store, save: Save, full: RunRecord) -> None:
    records = _many(store, save, full)
    for name, value in (("project", "p1"), ("task", "t"), ("approach", "ai"), ("phase", "training")):
        found = store.records(replace(RunQuery(), **{name: value}))  # type: ignore[arg-type]  # names of its fields
        assert {record.id for record in found} == {r.id for r in records if getattr(r, name) == value}, name
        assert found
    assert {r.id for r in store.records(RunQuery(state="failed"))} == {r.id for r in records[1::2]}
    second = full.started_ms + 1000
    assert {r.id for r in store.records(RunQuery(from_ms=second))} == {r.id for r in records[2:]}
    assert {r.id for r in store.records(RunQuery(to_ms=second))} == {r.id for r in records[:2]}
    assert store.page(RunQuery(project="p1", state="completed")).rows == ()


def test_stretches_and_totals(store: Store, save: Save, full: RunRecord) -> None:
    _many(store, save, full)
    everything = store.page(RunQuery()).rows
    for offset, limit in ((0, 3), (2, 2), (6, 5), (9, 2), (3, None), (0, 0)):
        page = store.page(RunQuery(offset=offset, limit=limit))
        last = None if limit is None else offset + limit
        assert page.rows == everything[offset:last]
        assert page.total == 7
    assert store.page(RunQuery(project="p1", limit=1)).total == 3


def test_finding_a_run(store: Store, save: Save, full: RunRecord, bare: RunRecord) -> None:
    for record in (full, bare):
        save(store, record)
    assert store.record(full.id) == full
    assert store.record(full.id[:14]) == full
    assert store.record(full.name) == full
    assert store.record("latest") == max(full, bare, key=lambda record: (record.started_ms, record.id))
    for reference in ("nobody", "", full.id[:3], full.id + "0", "%%%%", "____", "019a6f3c00ac"):
        with pytest.raises(NotFoundError) as caught:
            store.record(reference)
        assert "greenai runs" in str(caught.value)


def test_a_prefix_of_two_runs_is_refused_with_their_number(
    store: Store, save: Save, full: RunRecord, bare: RunRecord
) -> None:
    for record in (full, bare):
        save(store, record)
    with pytest.raises(NotFoundError, match="fits 2 runs"):
        store.record("019a6f3c")


def test_a_name_means_its_latest_run(store: Store, save: Save, full: RunRecord) -> None:
    older = save(store, replace(full, id="aaaa01", name="fit"))
    newer = save(store, replace(full, id="aaaa00", name="fit", started_ms=older.started_ms + 1))
    assert store.record("fit") == newer


def test_latest_of_nothing(store: Store) -> None:
    with pytest.raises(NotFoundError):
        store.record("latest")
    assert store.page(RunQuery(limit=5)).total == 0
    assert store.records(RunQuery()) == []
    assert store.task_names() == []
    assert store.baselines() == {}


def test_a_new_footprint_is_in_force_and_the_old_one_is_kept(store: Store, save: Save, full: RunRecord) -> None:
    save(store, full)
    unknown = Emissions(None, None, 1.0, True, None)
    parts = (
        MarketPart("roof", "own_generation", 0.1, 0.0, "CO2e", "meter"),
        MarketPart("grid", "average", 1 / 3, 352.0, "CO2e", "UBA"),
    )
    machine = EmbodiedPart("server", "a server", 2, None, 1000.0, 4320.0, 4.0, "ADEME", verified=False)
    unknown = replace(unknown, embodied=(machine,), embodied_low_g=1.5, embodied_share=0.5)
    with_contracts = replace(unknown, market=parts, scope="scope_2", market_reason=Text(de="nein", en="no"))
    for emissions, cost in (
        (Emissions(1.0, None, 2.0, False, None), Cost(5.0, "CHF")),
        (unknown, Cost(None, "EUR")),
        (with_contracts, Cost(None, "EUR")),
    ):
        now = (emissions, cost)
        ((runs, changes),) = recompute(store, RunQuery(), lambda _: now, lambda _: True)  # noqa: B023  # used at once
        assert (runs, len(changes), changes[0].after_g) == (1, 1, emissions.location_g)
        assert store.record(full.id) == replace(full, emissions=emissions, cost=cost)
        assert store.page(RunQuery()).rows[0].location_g == emissions.location_g
    with store.engine.connect() as connection:
        history = connection.execute(select(s.footprint).order_by(s.footprint.c.version)).mappings().all()
    assert [row["version"] for row in history] == [1, 2, 3, 4]
    assert [row["location_g"] for row in history] == [4.07, 1.0, None, None]
    assert list(recompute(store, RunQuery(), lambda _: (with_contracts, Cost(None, "EUR")), lambda _: True)) == [
        (1, [])
    ]


def grams(value: float) -> tuple[Emissions, Cost]:
    return Emissions(value, None, 1.0, True, None), Cost(None, "EUR")


def test_of_two_recomputations_at_once_none_is_lost_halfway(store: Store, save: Save, full: RunRecord) -> None:
    save(store, full)

    others: list[float] = [7.0]

    def between(_: StoredRun) -> tuple[Emissions, Cost]:
        if others:
            value = others.pop()
            list(recompute(store, RunQuery(), lambda _: grams(value), lambda _: False))
        return grams(9.0)

    overtaken, done = recompute(store, RunQuery(), between, lambda _: False)
    assert overtaken == (0, [])
    assert (done[0], [(change.before_g, change.after_g) for change in done[1]]) == (1, [(7.0, 9.0)])
    assert store.page(RunQuery()).rows[0].location_g == 9.0
    assert store.record(full.id).emissions == grams(9.0)[0]


def test_grams_that_went_astray_come_back(store: Store, save: Save, full: RunRecord) -> None:
    save(store, full)
    list(recompute(store, RunQuery(), lambda _: grams(7.0), lambda _: False))
    with store.writing() as connection:
        connection.execute(update(s.run).values(location_g=1.0))
    assert list(recompute(store, RunQuery(), lambda _: grams(7.0), lambda _: False)) == [(1, [])]
    assert store.page(RunQuery()).rows[0].location_g == 7.0
    with store.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(s.footprint)).scalar_one() == 2


def test_many_recompute_at_once(shared_url: str, save: Save, full: RunRecord) -> None:
    """Each with other factors: whoever is last, the run says what its newest footprint says."""
    with closing(open_store(shared_url)) as store:
        for number in range(40):
            save(store, replace(full, id=f"r{number:02}"))

    def work(value: float) -> int:
        with closing(open_store(shared_url)) as own:
            return sum(len(changes) for _ in range(3) for _, changes in recompute(
                own, RunQuery(), lambda _: grams(value), lambda _: False))  # fmt: skip

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, [1.0, 2.0, 3.0, 4.0]))
    with closing(open_store(shared_url)) as store:
        shown = {row.id: row.location_g for row in store.page(RunQuery()).rows}
        for record in store.records(RunQuery()):
            assert record.emissions is not None
            assert record.emissions.location_g == shown[record.id]


def test_a_footprint_is_computed_from_what_the_record_says(
    store: Store, save: Save, full: RunRecord, bare: RunRecord
) -> None:
    shared = replace(full, energy=replace(full.energy, scope="cgroup"))
    records = {record.id: record for record in (shared, bare)}
    for record in records.values():
        save(store, record)
    asked = []

    def compute(run: StoredRun) -> tuple[Emissions, Cost]:
        asked.append(run)
        return Emissions(None, None, 1.0, True, None), Cost(None, "EUR")

    list(recompute(store, RunQuery(), compute, lambda _: True))
    for run, (_, record) in zip(asked, sorted(records.items()), strict=True):
        for name in StoredRun._fields:
            assert getattr(run, name) == getattr(record, name), name
    asked.clear()
    list(recompute(store, RunQuery(), compute, lambda _: False))
    assert [run.hardware.gpus for run in asked] == [(), ()]


def test_baselines(store: Store) -> None:
    store.set_baseline("t2", "forest", "mia")
    store.set_baseline("t1", "it's 100%")
    store.set_baseline("t2", "trees")
    assert list(store.baselines().items()) == [("t1", "it's 100%"), ("t2", "trees")]
    store.set_baseline("t2", None)
    store.set_baseline("nobody", None)
    assert store.baselines() == {"t1": "it's 100%"}


def test_deleting_leaves_nothing_behind(store: Store, save: Save, full: RunRecord, bare: RunRecord) -> None:
    save(store, bare, [(1, 1)])
    before = dump(store)
    save(store, full, [(1, 1)])
    store.tag(full.id, {"a": "b"})
    store.delete(full.id)
    after = dump(store)
    assert len(after.pop("shared_value")) > len(before.pop("shared_value"))  # factors are not a run's own
    assert after == before
    store.delete(full.id)
    with pytest.raises(NotFoundError):
        store.record(full.id)


def test_task_names(store: Store, save: Save, full: RunRecord, bare: RunRecord) -> None:
    for number, task in enumerate(("b", "a", "b", None)):
        save(store, replace(full, id=f"{number}", task=task))
    save(store, bare)
    assert store.task_names() == ["a", "b"]


def test_a_save_that_fails_leaves_the_old_run_whole(store: Store, save: Save, full: RunRecord) -> None:
    save(store, full, [(1, 1)])
    before = dump(store)
    broken = replace(
        full, name="other", energy=Energy(1.0, 1.0, 1.0, 1.0, "machine", 1.0, full.energy.channels[:1])
    )
    with pytest.raises(ValueError, match="zip"):
        save(store, broken)
    assert dump(store) == before


def test_more_runs_than_a_batch(
    store: Store, save: Save, full: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenai.store.query.BATCH", 3)
    records = _many(store, save, full)
    assert store.records(RunQuery(sort="duration_s")) == records


def test_a_value_that_no_text_column_holds_is_refused_as_such(store: Store, save: Save, full: RunRecord) -> None:
    record = replace(full, name="a\0b")
    if store.engine.dialect.name == "postgresql":
        with pytest.raises(UnfitRecordError, match="refused"):
            save(store, record)
        assert store.page(RunQuery()).total == 0
    else:
        save(store, record)
        assert store.record(full.id) == record
