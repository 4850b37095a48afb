"""Copies are read back: the same in every table, whichever database holds it; a difference is named."""

from __future__ import annotations

import threading
import tracemalloc
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select, text, update

from greenai.core.errors import ConfigError, StoreError
from greenai.core.views import RunQuery
from greenai.store import Store, open_store
from greenai.store import schema as s
from greenai.store.checksums import Checksum
from greenai.store.copy import copy_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from greenai.core.record import RunRecord

    Save = Callable[..., RunRecord]

SAMPLES = [(i * 10**9, None if i == 5 else i) for i in range(1300)]


@pytest.fixture
def source(shared_url: str) -> Iterator[Store]:
    with closing(open_store(shared_url)) as store:
        yield store


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path / 'target.db'}")) as store:
        yield store


def _fill(store: Store, save: Save, full: RunRecord, bare: RunRecord) -> None:
    save(store, full, SAMPLES)
    save(store, bare)
    store.tag(bare.id, {"a": "ä"})
    store.set_baseline("t", "forest", "mia")


def test_counts_and_checksums_of_every_table_are_the_same_both_ways(
    source: Store, target: Store, save: Save, full: RunRecord, bare: RunRecord, tmp_path: Path
) -> None:
    odd = {"hundred": 100.0, "big": 1e20, "small": 1e-7, "nested": [1, 1.0, {"b": None, "a": True}]}
    _fill(source, save, replace(full, environment=odd), bare)
    there = copy_all(source, target)
    with closing(open_store(f"sqlite:///{tmp_path / 'back.db'}")) as back_again:
        assert copy_all(target, back_again) == there
    assert [table.name for table in there.tables] == [table.name for table in s.metadata.sorted_tables]
    rows = {table.name: table.rows for table in there.tables}
    assert (there.runs, rows["run"], rows["sample_chunk"], rows["baseline"]) == (2, 2, 6, 1)


def test_what_the_target_has_besides_stays(
    source: Store, target: Store, save: Save, full: RunRecord, bare: RunRecord
) -> None:
    other = save(target, replace(full, id="00other"), SAMPLES)
    target.set_baseline("another", "x", None)
    _fill(source, save, full, bare)
    copy_all(source, target)
    assert {record.id for record in target.records(RunQuery())} == {full.id, bare.id, other.id}
    assert set(target.baselines()) == {"t", "another"}


@pytest.mark.parametrize("table", ["sample_chunk", "run"])
def test_what_changes_on_the_way_is_named(
    source: Store, target: Store, save: Save, full: RunRecord, bare: RunRecord, table: str
) -> None:
    """A database that stores something else than it was given."""
    _fill(source, save, full, bare)
    change = {
        "sample_chunk": "UPDATE sample_chunk SET data = x'0102' WHERE channel = 1 AND run_id = NEW.run_id",
        "run": "UPDATE run SET total_j = 1 WHERE id = NEW.id",
    }[table]
    with target.engine.begin() as connection:
        connection.execute(text(f"CREATE TRIGGER wrong AFTER INSERT ON {table} BEGIN {change}; END"))
    with pytest.raises(StoreError, match=f"table {table} has other rows") as caught:
        copy_all(source, target)
    assert full.id in caught.value.message.de
    assert caught.value.remedy is not None


def test_a_copy_that_broke_off_can_be_repeated(
    source: Store, target: Store, save: Save, full: RunRecord, bare: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(source, save, full, bare)
    monkeypatch.setattr("greenai.store.copy._RUNS_AT_ONCE", 1)
    writes: list[Any] = []

    def break_off(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        writes.append(statement)
        if sum(statement.startswith("INSERT INTO run (") for statement in writes) == 2:
            raise RuntimeError("power cut")

    event.listen(target.engine, "before_cursor_execute", break_off)
    with pytest.raises(RuntimeError, match="power cut"):
        copy_all(source, target)
    event.remove(target.engine, "before_cursor_execute", break_off)
    assert target.page(RunQuery()).total == 1
    assert copy_all(source, target).runs == 2
    assert target.records(RunQuery()) == source.records(RunQuery())


def test_the_source_may_be_written_to_meanwhile(
    source: Store, target: Store, save: Save, full: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is copied is how it stood at one moment: a sum that holds at every moment holds in the copy."""
    monkeypatch.setattr("greenai.store.copy._RUNS_AT_ONCE", 1)
    ids = [f"run-{n}" for n in range(6)]
    for run_id in ids:
        save(source, replace(full, id=run_id), SAMPLES[:5])
    over = threading.Event()

    def write() -> None:
        turn = 0
        while not over.is_set():
            turn += 1
            with source.writing() as connection:
                for run_id in ids:
                    connection.execute(update(s.run).where(s.run.c.id == run_id).values(units=float(turn)))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert copy_all(source, target).runs == 6
    finally:
        over.set()
        writer.join()
    with target.engine.connect() as connection:
        assert len(set(connection.execute(select(s.run.c.units)).scalars())) == 1


def test_a_run_that_does_not_fit_is_named(tmp_path: Path, save: Save, full: RunRecord, bare: RunRecord) -> None:
    with (
        closing(open_store(f"sqlite:///{tmp_path / 'a.db'}")) as one,
        closing(open_store(f"sqlite:///{tmp_path / 'b.db'}")) as other,
    ):
        _fill(one, save, full, bare)
        with other.engine.begin() as connection:
            connection.execute(text("CREATE UNIQUE INDEX once ON run (scope, started_ms)"))
        with pytest.raises(StoreError, match=f"Run {bare.id} does not fit") as caught:
            copy_all(one, other)
        assert caught.value.remedy is not None
        assert other.page(RunQuery()).total == 1


def test_damage_in_the_source_is_no_fault_of_the_target(
    tmp_path: Path, target: Store, save: Save, full: RunRecord
) -> None:
    with closing(open_store(f"sqlite:///{tmp_path / 'a.db'}")) as one:
        save(one, full)
        with one.engine.begin() as connection:
            connection.execute(text("""UPDATE run SET environment = '{"cut'"""))
        with pytest.raises(StoreError, match=r"Table run of .*a\.db cannot be read") as caught:
            copy_all(one, target)
    assert caught.value.remedy is not None
    assert "greenai db check" in caught.value.remedy.en


@pytest.mark.slow
def test_a_run_larger_than_memory_allows_is_streamed(
    source: Store, target: Store, save: Save, bare: RunRecord
) -> None:
    """80 MB of samples of one run; some hundred rows of it are in memory at a time."""
    save(source, bare)
    for begin in range(0, 20_000, 1000):
        rows = [
            {"run_id": bare.id, "channel": 0, "ordinal": n, "first_ms": 0, "last_ms": 0, "count": 0, "data": data}
            for n in range(begin, begin + 1000)
            for data in [n.to_bytes(4, "big") * 1000]
        ]
        with source.writing() as connection:
            connection.execute(s.sample_chunk.insert(), rows)
    tracemalloc.start()
    try:
        report = copy_all(source, target)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert {table.name: table.rows for table in report.tables}["sample_chunk"] == 20_000
    assert peak < 25e6


def test_links_to_a_database_are_the_same_database(tmp_path: Path, save: Save, full: RunRecord) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "a.db")
    with (
        closing(open_store(f"sqlite:///{tmp_path / 'a.db'}")) as one,
        closing(open_store(f"sqlite:///{tmp_path / 'link.db'}")) as same,
    ):
        save(one, full)
        with pytest.raises(ConfigError):
            copy_all(one, same)


ROWS = st.lists(st.dictionaries(st.sampled_from("abc"), st.integers() | st.floats() | st.text() | st.binary()))


@given(ROWS, st.randoms())
def test_a_checksum_does_not_depend_on_the_order(rows: list[dict[str, Any]], shuffle: Any) -> None:
    one, other = Checksum(), Checksum()
    for row in rows:
        one.add(row)
    shuffle.shuffle(rows)
    for row in rows:
        other.add(row)
    assert one == other
    other.add({"a": 1})
    assert one != other
