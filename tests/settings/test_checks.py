"""Can the database be written? Asked before user code starts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from greenai.core.errors import ConfigError
from greenai.settings import checks
from greenai.settings.checks import check_database, sqlite_file


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////a/b.db", Path("/a/b.db")),
        ("sqlite+pysqlite:////a/b.db?timeout=5", Path("/a/b.db")),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("postgresql://h/d", None),
    ],
)
def test_the_file_behind_a_url(url: str, path: Path | None) -> None:
    assert sqlite_file(url) == path


def test_a_new_database_is_an_empty_file(tmp_path: Path) -> None:
    check_database(f"sqlite:///{tmp_path / 'new' / 'x.db'}")
    assert (tmp_path / "new").is_dir()
    assert (tmp_path / "new" / "x.db").read_bytes() == b""


def test_a_file_system_that_takes_no_files() -> None:
    with pytest.raises(ConfigError):
        check_database("sqlite:////proc/x.db")


def test_an_existing_database_is_fine(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("create table t (x)")
    (tmp_path / "empty.db").touch()
    check_database(f"sqlite:///{tmp_path / 'x.db'}")
    check_database(f"sqlite:///{tmp_path / 'empty.db'}")


def test_a_text_file_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("my notes")
    with pytest.raises(ConfigError, match=r"notes\.txt is not a SQLite database"):
        check_database(f"sqlite:///{file}")
    assert file.read_text() == "my notes"


def test_folders_and_files_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "x.db", tmp_path / "file" / "deep" / "x.db"):
        with pytest.raises(ConfigError) as caught:
            check_database(f"sqlite:///{path}")
        assert str(path) in caught.value.message.de
        assert caught.value.remedy is not None
        assert "GREENAI_DB" in caught.value.remedy.en


def test_a_missing_driver_is_said_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"pip install 'greenai\[postgres\]'"):
        check_database("postgresql://h/d")
