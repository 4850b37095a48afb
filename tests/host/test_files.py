"""Folders and files where others may write as well."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from greenai.host.files import NotAFileError, make_folder, open_regular


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "a/b"
    assert make_folder(folder)
    folder.chmod(0o500)
    assert not make_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o500  # what was there stays as it is
    with pytest.raises(FileExistsError):
        make_folder(folder, exist_ok=False)
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")


def test_an_odd_umask(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        make_folder(tmp_path / "a/b")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a/b")} == {0o700}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_link_that_appears_meanwhile_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    target, victim, make = tmp_path / "run", tmp_path / "victim", Path.mkdir
    victim.mkdir()
    victim.chmod(0o555)

    def meanwhile(path: Path, *args: Any, **options: Any) -> None:
        if when == "before":
            path.symlink_to(victim)
        make(path, *args, **options)
        path.rmdir()
        path.symlink_to(victim)

    monkeypatch.setattr(Path, "mkdir", meanwhile)
    assert make_folder(target) is (when == "after")
    assert victim.stat().st_mode & 0o777 == 0o555


def test_only_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    for name in ("pipe", "zeros", "."):
        with pytest.raises(NotAFileError):
            open_regular(tmp_path / name)
    (tmp_path / "file").write_bytes(b"x")
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"x"
