"""A real Slurm cluster for the session, and for each test that uses it a folder that all nodes see."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def session_cluster() -> Iterator[Cluster]:
    """Three nodes of 100, 150 and 200 W with four CPUs each; take ``cluster`` instead."""
    started = Cluster.start()
    yield started
    started.stop()


@pytest.fixture
def cluster(session_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster of the session; what a test leaves of jobs is cancelled, what it broke is mended."""
    yield session_cluster
    session_cluster.cancel_all()
    session_cluster.revive()


@pytest.fixture
def shared(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own on all nodes: its working folder, with its home and spool; jobs inherit them."""
    folder = Path(tempfile.mkdtemp(dir=cluster.shared))
    folder.chmod(0o755)
    (folder / "home").mkdir()
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("TMPDIR")  # jobs use the /tmp of their node
    monkeypatch.setenv("GREENAI_SPOOL", str(folder / "spool"))
    monkeypatch.setenv("GREENAI_DB", f"sqlite:///{folder / 'greenai.db'}")
    monkeypatch.setenv("SLURM_CONF", str(cluster.conf))
    monkeypatch.chdir(folder)
    return folder
