"""From the spool into the database: nothing twice, nothing lost, nothing in the way of the others."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from greenai.analysis import Analysis
from greenai.core.channel import Component
from greenai.core.errors import StoreError
from greenai.core.units import NS_PER_S
from greenai.core.views import RunQuery
from greenai.core.vocabulary import RunState
from greenai.ingest import ingest_folder, ingest_spool
from greenai.ingest.__main__ import main
from greenai.journal import format as f
from greenai.journal.spool import second_spool
from greenai.settings import Settings, load_settings
from greenai.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from greenai.store import Store

WALL_NS = 1_790_000_000 * NS_PER_S


@pytest.fixture
def settings() -> Settings:
    return load_settings()


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings.db)
    yield opened
    opened.close()


def test_a_run_enters_with_its_figures(journals: Any, store: Store, settings: Settings) -> None:
    journals.run("aaaa0001", project="churn", task="t", approach="ai", tags={"a": "b"}, unit="document", zone="DE")
    assert ingest_spool(store, settings).taken == ("aaaa0001",)
    record = store.record("aaaa0001")
    assert (record.project, record.task, record.approach, record.tags) == ("churn", "t", "ai", {"a": "b"})
    assert record.state is RunState.COMPLETED
    cpu, memory, rest = record.energy.channels
    assert (rest.component, rest.counted) == (Component.REST, False)
    assert rest.energy_j == pytest.approx(0.33 * 1050)
    assert cpu.energy_j == pytest.approx(1000)
    # The reading at 3 s failed; the line between its neighbours is as good.
    assert memory.energy_j == pytest.approx(50)
    assert record.energy.total_j == pytest.approx(1050)
    assert record.work.energy_per_unit_j == pytest.approx(105)
    assert record.emissions is not None
    assert record.emissions.location_g == pytest.approx(1050 / 3.6e6 * 352)


def test_samples_are_the_journals_readings(journals: Any, store: Store, settings: Settings) -> None:
    journals.run("aaaa0001", seconds=1300)
    ingest_spool(store, settings)
    (cpu, _, counters), (memory, _, powers), (_, _, none) = store.samples("aaaa0001")
    assert none == []
    assert (cpu.id, memory.id) == ("rapl:package-0", "est:memory")
    seconds = [*range(1301), 1300]  # the stop mark reads once more
    assert counters == [(WALL_NS + s * NS_PER_S, 7 + s * 100_000_000) for s in seconds]
    assert powers == [(WALL_NS + s * NS_PER_S, None if s == 3 else 5_000_000) for s in seconds]


def test_taking_in_again_does_nothing(journals: Any, store: Store, settings: Settings) -> None:
    folder = journals.run("aaaa0001")
    ingest_spool(store, settings)
    before = store.records(RunQuery())
    assert ingest_spool(store, settings).taken == ()
    (folder / f.INGESTED).unlink()
    assert ingest_spool(store, settings).taken == ("aaaa0001",)
    assert store.records(RunQuery()) == before


def test_a_running_run_is_shown_and_read_again(journals: Any, store: Store, settings: Settings) -> None:
    journal, machine = journals.begin("aaaa0001")
    ingest_spool(store, settings)
    first = store.record("aaaa0001")
    assert (first.state, first.ended_ms) == (RunState.RUNNING, None)
    assert first.energy.total_j == pytest.approx(1050)
    machine.clock.advance(10)
    journals.end(journal, machine)
    assert ingest_spool(store, settings).taken == ("aaaa0001",)
    last = store.record("aaaa0001")
    assert last.state is RunState.COMPLETED
    assert last.energy.total_j == pytest.approx(2050)  # the counter counts on, the gauge was blind for 10 s


def test_a_run_that_falls_silent_is_lost_and_may_come_back(
    journals: Any, store: Store, settings: Settings
) -> None:
    journal, machine = journals.begin("aaaa0001")
    ingest_spool(store, settings)
    long_ago = time.time() - 3600
    os.utime(journal.path, (long_ago, long_ago))
    assert ingest_spool(store, settings).taken == ("aaaa0001",)
    assert store.record("aaaa0001").state is RunState.LOST
    assert ingest_spool(store, settings).taken == ()
    journals.end(journal, machine)  # it was only stopped (SIGSTOP, a suspended laptop)
    ingest_spool(store, settings)
    assert store.record("aaaa0001").state is RunState.COMPLETED


def _line(**changes: Any) -> bytes:
    first = {
        "k": "open", "t": 0, "wall_ns": 0, "pid": 1, "role": "owner", "host": "h", "interval_s": 1.0, "channels": [],
        "meta": {}, "seq": 0,
    }  # fmt: skip
    return json.dumps({**first, **changes}).encode() + b"\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 4096,
        b"no journal at all\n",
        b'{"k": "open"}\n',
        _line(meta={"tags": 5}),
        _line(meta={"project": {"a": 1}}),
        _line(wall_ns=10**40),
        _line(wall_ns=10**30),
        _line() + b'{"k":"units","t":1,"n":1e400}\n',
    ],
)
def test_a_broken_run_does_not_stop_the_others(
    journals: Any, store: Store, settings: Settings, content: bytes
) -> None:
    journals.run("aaaa0001")
    broken = settings.spool / "bbbb0002"
    broken.mkdir()
    (broken / "h-1.jsonl").write_bytes(content)
    journals.run("cccc0003")
    report = ingest_spool(store, settings)
    assert {"aaaa0001", "cccc0003"} <= set(report.taken)
    assert "bbbb0002" in report.taken or all("bbbb0002" in p.message.de for p in report.problems)
    assert store.page(RunQuery(text="0001")).total == 1


def test_a_folder_that_cannot_be_read_is_named(
    journals: Any, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals.run("aaaa0001")
    journals.run("bbbb0002")
    from greenai.journal.survey import survey_run

    def look(folder: Path, **more: Any) -> Any:
        if folder.name == "aaaa0001":
            raise PermissionError(13, "Permission denied")
        return survey_run(folder, **more)

    monkeypatch.setattr("greenai.ingest.merge.survey_run", look)
    report = ingest_spool(store, settings)
    assert report.taken == ("bbbb0002",)
    assert [problem.code for problem in report.problems] == ["journal_unreadable"]
    monkeypatch.undo()
    assert ingest_spool(store, settings, journals.spool).taken == ("aaaa0001",)


def test_no_spool_is_no_error(store: Store, settings: Settings) -> None:
    assert ingest_spool(store, settings).taken == ()


def test_an_empty_folder_holds_no_run(store: Store, settings: Settings) -> None:
    (settings.spool / "aaaa0001").mkdir(parents=True)
    assert ingest_spool(store, settings).taken == ()
    assert ingest_folder(store, settings, settings.spool / "aaaa0001") is None


def test_nothing_is_lost_while_the_database_is_away(journals: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = journals.run("aaaa0001")
    before = (folder / "fake-1.jsonl").exists(), sorted(p.read_bytes() for p in folder.glob("*.jsonl"))
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    good = os.environ["GREENAI_DB"]
    monkeypatch.setenv("GREENAI_DB", f"postgresql://127.0.0.1:{port}/greenai")
    with pytest.raises(StoreError):
        open_store(load_settings().db)
    monkeypatch.setattr(sys, "argv", ["ingest", str(folder)])
    assert main() == 1
    assert not (folder / f.INGESTED).exists()
    assert ((folder / "fake-1.jsonl").exists(), sorted(p.read_bytes() for p in folder.glob("*.jsonl"))) == before
    monkeypatch.setenv("GREENAI_DB", good)
    assert main() == 0
    store = open_store(good)
    assert store.record("aaaa0001").energy.total_j == pytest.approx(1050)
    store.close()


def test_a_database_that_refuses_leaves_the_run_for_later(
    journals: Any, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from greenai.core.text import Text

    journals.run("aaaa0001")

    def refuse(*_: Any) -> None:
        raise StoreError(Text(de="voll", en="full"))

    monkeypatch.setattr(type(store), "save", refuse)
    with pytest.raises(StoreError):
        ingest_spool(store, settings)
    monkeypatch.undo()
    assert ingest_spool(store, settings, journals.spool).taken == ("aaaa0001",)


def test_two_ingests_at_once(journals: Any, store: Store, settings: Settings) -> None:
    for number in range(20):
        journals.run(f"aaaa{number:04d}")
    command = [sys.executable, "-c", "import sys; from greenai.cli.main import run; sys.exit(run(['ingest']))"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert store.page(RunQuery()).total == 20
    assert ingest_spool(store, settings).taken == ()
    assert [len(samples) for _, _, samples in store.samples("aaaa0007")] == [12, 12, 0]


@pytest.mark.parametrize(
    "poison",
    [
        b'{"k":"units","t":1,"n":NaN,"seq":9}',
        b'{"k":"metric","t":1,"name":"a","value":Infinity,"higher_is_better":true}',
    ],
)
def test_figures_that_are_none_are_skipped(journals: Any, poison: bytes) -> None:
    folder = journals.run("aaaa0001")
    path = next(folder.glob("*.jsonl"))
    path.write_bytes(path.read_bytes() + poison + b"\n")
    analysis = Analysis.open(load_settings())
    record = analysis.run("aaaa0001")
    analysis.close()
    assert record.journal.bad_lines == 1
    assert record.work.units == 10


def test_a_channel_without_a_number_for_its_uncertainty_costs_its_own_run_only(journals: Any) -> None:
    folder = journals.run("aaaa0001")
    journals.run("aaaa0002")
    path = next(folder.glob("*.jsonl"))
    path.write_bytes(path.read_bytes().replace(b'"uncertainty_rel":0.05', b'"uncertainty_rel":NaN'))
    analysis = Analysis.open(load_settings())
    ids = [row.id for row in analysis.run_page(RunQuery()).rows]
    analysis.close()
    assert ids == ["aaaa0002"]


def test_runs_of_the_spool_that_stood_in_are_taken_in_if_it_is_ours(
    journals: Any, store: Store, settings: Settings, tmp_path: Path
) -> None:
    journals.run("aaaa0001")
    journals.run("bbbb0001")
    stand_in = second_spool(settings.spool)
    stand_in.mkdir(mode=0o700)
    (settings.spool / "bbbb0001").rename(stand_in / "bbbb0001")
    assert ingest_spool(store, settings).taken == ("aaaa0001", "bbbb0001")
    stand_in.rename(tmp_path / "theirs")
    os.utime(tmp_path / "theirs" / "bbbb0001" / "ingested", ns=(0, 0))
    stand_in.symlink_to(tmp_path / "theirs")
    assert ingest_spool(store, settings).taken == ()
