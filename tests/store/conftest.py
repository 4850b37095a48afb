"""Databases of each kind, a PostgreSQL server of the session's own, and records with everything and with nothing."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Incident
from greenai.core.events import Metric
from greenai.core.footprint import Cost, Emissions, FactorUsed
from greenai.core.record import JournalFacts, RunRecord, Site, WindowEnergy, Work
from greenai.core.requests import Hour, Requests
from greenai.core.run_energy import ChannelEnergy, Energy
from greenai.core.text import Text
from greenai.core.vocabulary import RunState
from greenai.store import Store, open_store
from greenai.store.chunks import chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from greenai.store.chunks import Sample

START_MS = 1_795_262_400_000  # 2026-11-21 12:00:00 UTC
INSTALL = "PostgreSQL's server is not installed: apt-get install -y --no-install-recommends postgresql"


def _server_program(name: str) -> str:
    found = shutil.which(name) or next(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
    if found is None:
        pytest.fail(INSTALL)
    return found


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server on a Unix socket; gives the folder of the socket."""
    initdb, server = _server_program("initdb"), _server_program("postgres")
    folder = Path(tempfile.mkdtemp(prefix="greenai-pg-", dir="/tmp"))
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    subprocess.run(
        [*user, initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"],
        check=True, capture_output=True, cwd="/",
    )  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*user, server, "-D", str(data), "-k", str(folder), "-c", "listen_addresses=", "-F"],
            stdout=log, stderr=log, cwd="/",
        )  # fmt: skip
    try:
        _wait_for(folder, process)
        yield str(folder)
    finally:
        pid = int((data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, 2)  # fast shutdown
        process.wait(30)
        shutil.rmtree(folder)


def _wait_for(folder: Path, process: subprocess.Popen[bytes]) -> None:
    engine = create_engine(f"postgresql://postgres@/postgres?host={folder}")
    last = time.monotonic() + 30
    while True:
        try:
            engine.connect().close()
        except OperationalError:
            if process.poll() is not None or time.monotonic() > last:
                pytest.fail(f"PostgreSQL did not start: {(folder / 'log').read_text()}")
            time.sleep(0.05)
        else:
            engine.dispose()
            return


@pytest.fixture
def new_postgres(postgres_server: str) -> Iterator[Callable[[], str]]:
    """Makes empty databases on the server and gives their URLs."""
    admin = create_engine(f"postgresql://postgres@/postgres?host={postgres_server}", isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def make() -> str:
        name = f"greenai_{os.getpid()}_{next(_numbers)}"
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        made.append(name)
        return f"postgresql://postgres@/{name}?host={postgres_server}"

    yield make
    with admin.connect() as connection:
        for name in made:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


_numbers = itertools.count(1)


@pytest.fixture(
    params=["sqlite file", "sqlite memory", pytest.param("postgresql", marks=pytest.mark.slow)],
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("new_postgres")())
    return "sqlite://" if request.param == "sqlite memory" else f"sqlite:///{tmp_path / 'contract.db'}"


@pytest.fixture(params=["sqlite file", pytest.param("postgresql", marks=pytest.mark.slow)])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database that several processes can open."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("new_postgres")())
    return f"sqlite:///{tmp_path / 'shared.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty database with its tables."""
    opened = open_store(url)
    yield opened
    opened.close()


def _channel(number: int, **more: object) -> Channel:
    channel = Channel(
        id=f"rapl:package-{number}", collector="rapl", component=Component.CPU, kind=Kind.COUNTER,
        quality=Quality.MEASURED, device=f"package-{number}", host="n1", method="rapl_powercap",
        uncertainty_rel=0.05, max_power_uw=2_000_000_000,
    )  # fmt: skip
    return replace(channel, **more)  # type: ignore[arg-type]


CHANNELS = (
    _channel(
        0, uncertainty_low_rel=0.01, uncertainty_short=((1.0, 0.5), (5.0, 0.1)), includes=frozenset({Component.DRAM}),
        wrap_uj=262_143_328_850, note=Text(de="größer", en="larger"),
    ),
    _channel(
        1, id="est", collector="cpu_estimate", quality=Quality.ESTIMATED, kind=Kind.POWER, method="tdp",
        component=Component.GPU,
    ),
)  # fmt: skip
FACTOR = FactorUsed(
    id="uba", zone="DE", value_g_per_kwh=352.0, year=2025, source="Umweltbundesamt: „Strommix“", edition="16/2026",
    url="https://doi.org/x", licence="l", boundary="generation", gases="CO2e", basis="consumed", status="final",
    verified=False,
)  # fmt: skip


def _rows(energy_j: float | None) -> tuple[ChannelEnergy, ...]:
    return tuple(
        ChannelEnergy(
            id=channel.id, host=channel.host, component=channel.component, device=channel.device,
            energy_j=energy_j, low_j=None if energy_j is None else energy_j * 0.9,
            high_j=None if energy_j is None else energy_j * 1.1, quality=channel.quality, method=channel.method,
            uncertainty_rel=channel.uncertainty_rel, gap_s=0.25, counted=energy_j is not None,
            note=Text(de="Lücke „a“", en="gap 'a'") if energy_j is None else channel.note,
        )
        for channel in CHANNELS
    )  # fmt: skip


FULL = RunRecord(
    id="019a6f3c00aa01020304", name="Netz 'größer' \"100%\" <b>ä_ö</b> 😀", project="churn", task="churn-2026",
    approach="ai", phase="training", state=RunState.FAILED, exit_code=3, error="ValueError", started_ms=START_MS,
    ended_ms=START_MS + 12_345, duration_s=12.345, hosts=("n1", "n2"), user="mia", git_commit="4be91d7c0a",
    tags={"dataset": "q3", "größe": "ä=b,c"}, slurm={"job_id": "7"},
    environment={"cpu": "x", "cpus": 4, "virtual": True, "none": None, "nested": {"a": [1, 2.5]}},
    energy=Energy(0.1 + 0.2, 0.27, 0.33, 2 / 3, "machine", 0.1 + 0.2, _rows(0.15)),
    windows=(
        WindowEnergy("1-1", "Epoche 1", None, START_MS + 1, 1.5, 12.5),
        WindowEnergy("1-2", "lädt", "Epoche 1", START_MS + 2, 0.0, None),
    ),
    work=Work(10.0, "Dokument", (0.1 + 0.2) / 10.0),
    metrics=(Metric("accuracy", 0.93), Metric("log_loss", -1e-300, higher_is_better=False)),
    incidents=(
        Incident("rapl_unreadable", Text(de="nicht lesbar", en="unreadable"), Text(de="öffnen", en="open")),
        Incident("other", Text(de="„x“", en='"x"')),
    ),
    journal=JournalFacts(412, 1, "9f" * 32), site=Site("DE", 1.3, 0.31, "EUR"),
    requests=Requests(
        10**10, 3, 42.5, 10.0**12, 9.25, 3.095, 0.2, 0.1, 0.015, 0.031, 0.014, 0.03, 1e-12, 2e-12,
    ),
    hours=(
        Hour(START_MS, 3.5, 0.1, 0.07, 0.03, 5, 3, 5.0, None, 0.01, 0.02),
        Hour(START_MS + 3_500, 8.845, None, None, None, 10**10, 0, 37.5, 7.0, None, None),
    ),
    emissions=Emissions(4.07, 0.61, 1.3, False, FACTOR), cost=Cost(0.0001, "EUR"),
)  # fmt: skip
BARE = RunRecord(
    id="019a6f3c00ab0a0b0c0d", name="bare", project=None, task=None, approach=None, phase=None,
    state=RunState.RUNNING, exit_code=None, error=None, started_ms=START_MS, ended_ms=None, duration_s=0.0, hosts=(),
    user=None, git_commit=None, tags={}, slurm=None, environment={},
    energy=Energy(None, None, None, None, "machine", None, _rows(None)), windows=(), work=Work(0.0, None, None),
    metrics=(), incidents=(), journal=JournalFacts(0, 0, ""),
    emissions=Emissions(None, None, 1.0, True, None, Text(de="kein Netz", en="no grid")), cost=Cost(None, "EUR"),
)  # fmt: skip


@pytest.fixture
def full() -> RunRecord:
    """A record in which every field says something."""
    return FULL


@pytest.fixture
def bare() -> RunRecord:
    """A record in which everything that may be unknown is."""
    return BARE


@pytest.fixture
def save() -> Callable[..., RunRecord]:
    """Saves a record, with these samples for each channel."""

    def write(store: Store, record: RunRecord, samples: list[Sample] | None = None) -> RunRecord:
        times_ns, values = [t_ns for t_ns, _ in samples or []], [value for _, value in samples or []]
        store.save(record, [(channel, chunks(times_ns, values)) for channel in CHANNELS])
        return record

    return write
