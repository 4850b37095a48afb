"""Every test gets folders of its own and an environment that says nothing about greenai."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_FOREIGN = ("GREENAI_", "SLURM_", "CUDA_", "XDG_", "LC_", "LANG")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GREENAI_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("GREENAI_DB", f"sqlite:///{tmp_path / 'greenai.db'}")
    monkeypatch.setenv("GREENAI_INGEST", "later")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home" / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
