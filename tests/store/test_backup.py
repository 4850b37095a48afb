"""A backup of a database in use is consistent, checked, new, and whole or not there at all."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from greenai.core.errors import ConfigError, StoreError
from greenai.core.views import RunQuery
from greenai.store import Store, open_store
from greenai.store import schema as s
from greenai.store.backup import backup
from greenai.store.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from greenai.core.record import RunRecord

SAMPLES = [(i * 10**9, i) for i in range(1300)]


@pytest.fixture
def store(tmp_path: Path, full: RunRecord, bare: RunRecord, save: Callable[..., RunRecord]) -> Iterator[Store]:
    """A database with two runs."""
    with closing(open_store(f"sqlite:///{tmp_path / 'used.db'}")) as opened:
        save(opened, full, SAMPLES)
        save(opened, bare, SAMPLES)
        yield opened


def test_a_backup_says_the_same(store: Store, tmp_path: Path, full: RunRecord) -> None:
    (tmp_path / "used.db").chmod(0o640)
    backup(store, tmp_path / "backup.db")
    assert sorted(path.name for path in tmp_path.glob("*backup*")) == ["backup.db"]
    assert (tmp_path / "backup.db").stat().st_mode & 0o777 == 0o640
    with closing(open_store(f"sqlite:///{tmp_path / 'backup.db'}")) as copy:
        assert copy.records(RunQuery()) == store.records(RunQuery())
        assert [samples for _, _, samples in copy.samples(full.id)] == [SAMPLES, SAMPLES]


def test_a_backup_while_others_write_is_of_one_moment(store: Store, tmp_path: Path) -> None:
    over, begun = threading.Event(), threading.Event()

    def write() -> None:
        turn = 0
        while not over.is_set():
            turn += 1
            with store.writing() as connection:
                for run_id in connection.execute(select(s.run.c.id)).scalars().all():
                    connection.execute(update(s.run).where(s.run.c.id == run_id).values(units=float(turn)))
            begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait(10)
    try:
        for number in range(5):
            backup(store, tmp_path / f"backup{number}.db")
    finally:
        over.set()
        writer.join()
    for number in range(5):
        with closing(sqlite3.connect(tmp_path / f"backup{number}.db")) as copy:
            assert len(copy.execute("SELECT DISTINCT units FROM run").fetchall()) == 1


@pytest.mark.parametrize("kind", ["file", "folder", "broken link"])
def test_nothing_is_overwritten(store: Store, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "there"
    match kind:
        case "file":
            path.write_text("mine")
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="exists; nothing was overwritten"):
        backup(store, path)
    if kind == "file":
        assert path.read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_comes_into_being_meanwhile_stays(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "backup.db"
    plain = os.link

    def late(source: Path, target: Path) -> None:
        target.write_text("mine")
        plain(source, target)

    monkeypatch.setattr("greenai.store.backup.os.link", late)
    with pytest.raises(ConfigError, match="exists"):
        backup(store, path)
    assert path.read_text() == "mine"
    assert len(list(tmp_path.glob(".backup*"))) == 0


def test_a_folder_that_is_not_there(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not be made"):
        backup(store, tmp_path / "no" / "backup.db")


def test_a_damaged_database_gives_no_backup(store: Store, tmp_path: Path) -> None:
    store.close()
    file = tmp_path / "used.db"
    data = bytearray(file.read_bytes())
    data[len(data) // 8192 * 4096 :] = b"\xa5" * (len(data) - len(data) // 8192 * 4096)
    file.write_bytes(data)
    with closing(Store(connect(f"sqlite:///{file}"))) as damaged, pytest.raises(StoreError):
        backup(damaged, tmp_path / "backup.db")
    assert list(tmp_path.glob("*backup*")) == []


def test_for_postgresql_the_command_is_named_without_the_password(tmp_path: Path) -> None:
    with (
        closing(Store(connect("postgresql+psycopg://mia:secret@db.example:5433/greenai?sslmode=require"))) as away,
        pytest.raises(ConfigError) as caught,
    ):
        backup(away, tmp_path / "my backup.dump")
    assert caught.value.remedy is not None
    assert caught.value.remedy.en == (
        f"Make one with: pg_dump --format=custom '--file={tmp_path}/my backup.dump' "
        "'--dbname=postgresql://mia@db.example:5433/greenai?sslmode=require'"
    )
    assert "secret" not in str(caught.value)


@pytest.mark.slow
def test_the_named_command_works(new_postgres: Callable[[], str], tmp_path: Path) -> None:
    with closing(open_store(new_postgres())) as store, pytest.raises(ConfigError) as caught:
        backup(store, tmp_path / "a.dump")
    assert caught.value.remedy is not None
    subprocess.run(caught.value.remedy.en.partition(": ")[2], shell=True, check=True)
    assert (tmp_path / "a.dump").read_bytes()[:5] == b"PGDMP"
