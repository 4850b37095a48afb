"""Damage of every kind is found and named, with what mends it; a sound database has none."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text, update

from greenai.core.errors import SchemaTooOldError, StoreError
from greenai.core.run_energy import Energy
from greenai.core.text import Text
from greenai.store import Store, open_store
from greenai.store import schema as s
from greenai.store.check import Damage, damage
from greenai.store.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from greenai.core.record import RunRecord

    Save = Callable[..., RunRecord]

SAMPLES = [(1_795_262_400_000_000_000 + i * 10**9, i * 40) for i in range(1300)]


def found(store: Store) -> list[Damage]:
    return list(damage(store, lambda run_id: Text(de=f"nochmal {run_id}", en=f"again {run_id}")))


@pytest.fixture
def sound(shared_url: str, save: Save, full: RunRecord, bare: RunRecord) -> Iterator[Store]:
    """A database with two runs whose totals are the sums of their channels."""
    with closing(open_store(shared_url)) as store:
        total_j = sum(row.energy_j or 0.0 for row in full.energy.channels)
        energy = Energy(total_j, 0.2, 0.4, 1.0, "machine", total_j, full.energy.channels)
        save(store, replace(full, energy=energy), SAMPLES)
        save(store, bare)
        yield store


def test_a_sound_database_has_no_damage(sound: Store) -> None:
    assert found(sound) == []


def _sql(store: Store, statement: str) -> None:
    with store.engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "table", "words"),
    [
        ("UPDATE sample_chunk SET count = 599 WHERE ordinal = 0", "sample_chunk", "damaged chunk"),
        ("UPDATE sample_chunk SET first_ms = first_ms + 1 WHERE ordinal = 1", "sample_chunk", "begin and end"),
        ("UPDATE sample_chunk SET last_ms = 0 WHERE ordinal = 2", "sample_chunk", "begin and end"),
        ("DELETE FROM sample_chunk WHERE ordinal = 1", "sample_chunk", "stretch before"),
        ("DELETE FROM sample_chunk WHERE ordinal = 0 AND channel = 1", "sample_chunk", "stretch before"),
        ("UPDATE sample_chunk SET channel = 9 WHERE channel = 1", "sample_chunk", "no such channel"),
        ("UPDATE run SET total_j = total_j + 1 WHERE total_j > 0", "run", "add up to"),
        ("UPDATE run SET total_j = NULL", "run", "the total is None"),
        ("UPDATE channel SET counted = false WHERE ordinal = 0", "run", "add up to"),
        ("UPDATE run SET state = 'asleep' WHERE total_j > 0", "run", "asleep"),
        ("UPDATE channel SET definition = '{}' WHERE energy_j > 0", "run", "KeyError"),
    ],
)
def test_a_damaged_run_is_named(sound: Store, full: RunRecord, statement: str, table: str, words: str) -> None:
    _sql(sound, statement)
    (only,) = found(sound)
    assert (only.table, only.run_id) == (table, full.id)
    assert words in only.what.en
    assert only.remedy.de == f"nochmal {full.id}"


def test_a_chunk_with_a_flipped_bit_is_named(sound: Store, full: RunRecord) -> None:
    chunk = s.sample_chunk
    with sound.engine.begin() as connection:
        data = bytearray(connection.execute(chunk.select().where(chunk.c.ordinal == 1)).mappings().first()["data"])  # type: ignore[index]
        data[len(data) // 2] ^= 4
        connection.execute(
            update(chunk).where(chunk.c.ordinal == 1, chunk.c.channel == 0).values(data=bytes(data))
        )
    (only,) = found(sound)
    assert (only.table, only.run_id) == ("sample_chunk", full.id)
    assert "samples 1 of channel 0" in only.what.en


def test_rows_of_no_run_are_named(sound: Store, full: RunRecord) -> None:
    if sound.engine.dialect.name == "sqlite":
        with sound.engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("PRAGMA foreign_keys=OFF")
            raw.execute("UPDATE metric SET run_id = 'nowhere' WHERE ordinal = 0")
            raw.execute("COMMIT") if raw.in_transaction else None
            raw.execute("PRAGMA foreign_keys=ON")
        (orphan,) = found(sound)
    else:
        _sql(sound, "ALTER TABLE metric DROP CONSTRAINT fk_metric_run_id")
        _sql(sound, "UPDATE metric SET run_id = 'nowhere' WHERE ordinal = 0")
        key, orphan = found(sound)
        assert "fk_metric_run_id" in key.what.en
    assert (orphan.table, orphan.run_id) == ("metric", "nowhere")
    assert "1 rows" in orphan.what.en
    _sql(sound, orphan.remedy.en.partition(": ")[2])
    assert [each for each in found(sound) if each.run_id] == []
    assert full.id


def test_a_missing_index_is_named_and_the_remedy_makes_it(sound: Store) -> None:
    _sql(sound, "DROP INDEX ix_run_task_id")
    (only,) = found(sound)
    assert (only.table, only.run_id) == ("run", None)
    assert "ix_run_task_id" in only.what.de
    _sql(sound, only.remedy.en.partition(": ")[2])
    assert found(sound) == []


def test_an_index_of_the_site_is_no_damage(sound: Store) -> None:
    _sql(sound, 'CREATE INDEX of_the_site ON run ("user")')
    assert found(sound) == []


def test_a_missing_column_is_named(sound: Store) -> None:
    _sql(sound, "ALTER TABLE run_window DROP COLUMN parent")
    (only,) = found(sound)
    assert (only.table, only.run_id) == ("run_window", None)
    assert "column parent is missing" in only.what.en


def test_a_missing_table_is_named(sound: Store) -> None:
    _sql(sound, "DROP TABLE metric")
    (only,) = found(sound)
    assert only.table == "metric"
    assert "table is missing" in only.what.en


def test_an_older_database_is_to_be_upgraded_first(sound: Store) -> None:
    _sql(sound, "UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(SchemaTooOldError, match="greenai db upgrade"):
        found(sound)


@pytest.fixture
def file(tmp_path: Path, save: Save, full: RunRecord) -> Path:
    """A SQLite file of some hundred kilobytes, closed."""
    path = tmp_path / "whole.db"
    with closing(open_store(f"sqlite:///{path}")) as store:
        for number in range(40):
            save(store, replace(full, id=f"run-{number}"), SAMPLES)
    return path


def _found_in(path: Path) -> list[Damage]:
    with closing(Store(connect(f"sqlite:///{path}"))) as store:
        return found(store)


@pytest.mark.parametrize("pages", [1, 3, 20])
def test_a_truncated_file_is_named(file: Path, pages: int) -> None:
    file.write_bytes(file.read_bytes()[: pages * 4096])
    assert all((each.table, each.run_id) == (None, None) for each in _found_in(file))
    assert "backup" in _found_in(file)[0].remedy.en


@pytest.mark.parametrize("where", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_overwritten_pages_are_noticed(file: Path, where: float) -> None:
    data = bytearray(file.read_bytes())
    begin = int(len(data) * where) // 4096 * 4096
    data[begin : begin + 4096] = b"\xa5" * 4096
    file.write_bytes(data)
    assert _found_in(file) != []


def test_a_server_that_is_away_is_no_damage() -> None:
    with (
        closing(Store(connect("postgresql://mia:secret@127.0.0.1:1/greenai"))) as store,
        pytest.raises(StoreError, match="cannot be reached"),
    ):
        found(store)
