"""A place of its own for each test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("GREENAI_", "XDG_", "SLURM_", "LC_", "LANG")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("GREENAI_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("GREENAI_DB", f"sqlite:///{tmp_path / 'greenai.db'}")
    monkeypatch.chdir(tmp_path)
