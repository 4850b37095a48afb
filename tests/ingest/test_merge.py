"""Runs of many hosts: read host by host, in other processes or here, they are what they are read all at once."""

from __future__ import annotations

import os
import pickle
import random
import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from greenai.core.account import account
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.reading import CounterReading, Gap, PowerReading
from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import Role
from greenai.ingest import host, ingest_folder, workers
from greenai.ingest.merge import merge
from greenai.ingest.spill import Spill
from greenai.journal import format as f
from greenai.journal.reader import read_run
from greenai.journal.survey import survey_run
from greenai.journal.writer import JournalWriter
from greenai.settings import load_settings
from greenai.store import open_store
from greenai.store.chunks import CHUNK_SAMPLES, chunks, decode
from greenai.testing import FakeMachine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from greenai.core.reading import Reading
    from greenai.core.record import RunRecord

CHANNELS = (
    Channel(
        "rapl:package-0", "rapl", Component.CPU, Kind.COUNTER, Quality.MEASURED, "package-0", "", "rapl_powercap", 0.05,
        2_000_000_000, wrap_uj=3_000_000_000,
    ),
    Channel(
        "nvml:GPU-1", "nvml", Component.GPU, Kind.POWER, Quality.MEASURED, "GPU-1", "", "nvml", 0.05, 1_000_000_000,
    ),
)  # fmt: skip
ROLES = (Role.OWNER, Role.RANK, Role.NODE, Role.MEMBER)


def write_host(
    folder: Path,
    root: Path,
    name: str,
    role: Role,
    seed: int,
    seconds: int = 40,
    meta: dict[str, Any] | None = None,
) -> Path:
    """Write the journal of a host with a bit of everything; return it."""
    rng = random.Random(seed)
    machine = FakeMachine(root / name)
    machine.clock.advance(rng.uniform(0, 1000))
    here = replace(machine.host, name=name)
    channels = tuple(replace(channel, host=name) for channel in CHANNELS)
    journal = JournalWriter(folder, here, role, channels, 1.0, {"name": name, "unit": "u", **(meta or {})})
    energy_uj = rng.randrange(10**9)
    for second in range(seconds):
        kind: str = f.TICK
        extra: dict[str, Any] = {}
        if second == 0:
            kind = f.START
        elif rng.random() < 0.1:
            kind, extra = f.CHECKPOINT, {"name": f"{name} {second}"}
        elif rng.random() < 0.1:
            kind, extra = f.BEGIN, {"id": f"step-{second % 5}", "name": "w", "parent": None}
        elif rng.random() < 0.1:
            kind, extra = f.END, {"id": f"step-{rng.randrange(5)}"}
        t_ns = here.clock.mono_ns()
        energy_uj = (energy_uj + rng.randrange(120_000_000)) % 3_000_000_000
        power: Reading = PowerReading("nvml:GPU-1", t_ns, rng.randrange(300_000_000))
        if rng.random() < 0.1:
            power = Gap("nvml:GPU-1", t_ns, "busy")
        journal.readings(kind, t_ns, [CounterReading("rapl:package-0", t_ns, energy_uj), power], **extra)
        machine.clock.advance(rng.choice([0.5, 1.0, 1.0, 1.0, 7.0]))
    journal.event(f.UNITS, n=rng.randrange(10))
    if rng.random() < 0.7:
        t_ns = here.clock.mono_ns()
        journal.readings(f.STOP, t_ns, [], state="completed", exit_code=0, error=None)
        journal.close()
    return journal.path


def write_run(folder: Path, root: Path, roles: Sequence[Role], seed: int) -> list[Path]:
    folder.mkdir(parents=True)
    meta = {"nodes": [f"c{number}" for number in range(len(roles) + 1)], "rest_of_node": seed % 2 == 0}
    return [
        write_host(folder, root, f"n{number}", role, seed * 100 + number, meta={**meta, "node": f"c{number}"})
        for number, role in enumerate(roles)
    ]


def merged(folder: Path) -> RunRecord | None:
    with closing(Spill()) as spill:
        found = merge(folder, spill)
        return None if found is None else found.record


def at_once(folder: Path) -> RunRecord | None:
    log = read_run(folder)
    return account(log).record if log.processes else None


@given(seed=st.integers(0, 10**6), roles=st.lists(st.sampled_from(ROLES), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_host_by_host_is_the_same_as_all_at_once(
    tmp_path_factory: pytest.TempPathFactory, seed: int, roles: list[Role]
) -> None:
    folder = tmp_path_factory.mktemp("spool") / "run"
    write_run(folder, tmp_path_factory.mktemp("machines"), roles, seed)
    assert merged(folder) == at_once(folder)


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_folder_of_many_hosts_cut_at_any_byte(
    three: tuple[Path, dict[Path, bytes]], data: st.DataObject
) -> None:
    folder, whole = three
    for path, content in whole.items():
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    assert merged(folder) == at_once(folder)


@pytest.fixture
def three(tmp_path: Path) -> tuple[Path, dict[Path, bytes]]:
    paths = write_run(tmp_path / "spool" / "run", tmp_path / "machines", (Role.NODE,) * 3, 7)
    return tmp_path / "spool" / "run", {path: path.read_bytes() for path in paths}


def test_what_is_written_meanwhile_is_not_read(three: tuple[Path, dict[Path, bytes]]) -> None:
    folder, whole = three
    survey = survey_run(folder)
    before = [journal.read() for journal in survey.journals]
    for path in whole:
        with path.open("ab") as file:
            file.write(b'{"k":"units","t":1,"n":1000}\n')
    assert [journal.read() for journal in survey.journals] == before


def test_the_digest_is_that_of_the_files_in_order(three: tuple[Path, dict[Path, bytes]]) -> None:
    folder, _ = three
    assert survey_run(folder).log.sha256 == read_run(folder).sha256


def test_only_the_first_collector_keeps_its_description(three: tuple[Path, dict[Path, bytes]]) -> None:
    metas = [process.meta for process in survey_run(three[0]).log.processes]
    assert sorted(map(bool, metas)) == [False, False, True]


@pytest.fixture
def two_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_WORTH_A_WORKER_BYTES", 1)
    monkeypatch.setattr(workers, "_cpus", lambda: 2)


def here_only(*_: object) -> Any:
    raise AssertionError("this host was not done by a worker")


def test_workers_do_the_same(
    three: tuple[Path, dict[Path, bytes]], two_workers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = at_once(three[0])
    monkeypatch.setattr(workers, "take_host", here_only)
    assert merged(three[0]) == expected


@pytest.mark.parametrize("executable", ["/bin/false", "/bin/cat", "/nowhere/python", ""])
def test_without_workers_it_is_done_here(
    three: tuple[Path, dict[Path, bytes]], two_workers: None, monkeypatch: pytest.MonkeyPatch, executable: str
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    assert merged(three[0]) == at_once(three[0])


def test_a_host_that_no_worker_can_do_says_why(
    three: tuple[Path, dict[Path, bytes]], two_workers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Any:
        raise LookupError("this host is broken")

    monkeypatch.setattr(sys, "executable", "/bin/false")  # no worker answers
    monkeypatch.setattr(workers, "take_host", broken)
    with pytest.raises(LookupError, match="is broken"):
        merged(three[0])


def test_samples_are_in_the_database_whatever_came_first(three: tuple[Path, dict[Path, bytes]]) -> None:
    folder, _ = three
    log = read_run(folder)
    with closing(open_store(load_settings().db)) as store:
        ingest_folder(store, load_settings(), folder)
        found = {(channel.host, channel.id): samples for channel, _, samples in store.samples("run")}
    assert len(found) == 10  # two channels and the rest of three hosts, and one that is missing
    for process in log.processes:
        for channel in process.channels:
            said = [(process.wall_at(t_ns) // 1000 * 1000, value) for t_ns, value in _said(process, channel.id)]
            assert found[channel.host, channel.id] == said


def _said(process: Any, name: str) -> list[tuple[int, int | None]]:
    series = process.readings[name]
    gaps = [(t_ns, None) for t_ns, _ in series.failures]
    return sorted([*series.numbers, *gaps], key=lambda sample: sample[0])


def test_samples_beyond_memory_come_back_as_they_went(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenai.ingest.spill._IN_MEMORY_BYTES", 1000)
    samples = {
        ("n", str(n)): chunks(range(0, 2000 * NS_PER_S, NS_PER_S), range(0, 2000 * (n + 1), n + 1))
        for n in range(5)
    }
    with closing(Spill()) as spill:
        for key, found in samples.items():
            spill.put(key, found)
        spill.put(("n", "none"), [])
        for key, found in reversed(samples.items()):
            assert list(spill.of(key)) == found
        assert list(spill.of(("n", "none"))) == []
        assert list(spill.of(("another", "1"))) == []


@given(
    numbers=st.lists(st.tuples(st.integers(0, 2**60), st.none() | st.integers(-(2**63), 2**63)), max_size=1300),
    zero_ns=st.integers(-(2**60), 2**60),
)
@settings(max_examples=30)
def test_chunks_hold_the_samples(numbers: list[tuple[int, int | None]], zero_ns: int) -> None:
    found = chunks([t_ns for t_ns, _ in numbers], [value for _, value in numbers], zero_ns)
    assert [chunk.count for chunk in found[:-1]] == [CHUNK_SAMPLES] * (len(found) - 1)
    back = [sample for chunk in found for sample in decode(chunk.data, chunk.count)]
    kept = [value if value is not None and -(2**62) < value < 2**62 else None for _, value in numbers]
    assert back == [
        ((zero_ns + t_ns) // 1000 * 1000, value) for (t_ns, _), value in zip(numbers, kept, strict=True)
    ]


@pytest.mark.parametrize("instead", ["link", "pipe", "another's"])
def test_a_file_that_is_another_the_next_moment_is_not_read(
    three: tuple[Path, dict[Path, bytes]], tmp_path: Path, instead: str
) -> None:
    """The owner is asked of what is open: a path may lead to the journal of somebody else by then."""
    folder, whole = three
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_bytes(next(iter(whole.values())))
    not_his = theirs.stat().st_ino
    survey = survey_run(folder, fits=lambda found: found.st_ino != not_his)
    for path in whole:
        path.unlink()
        if instead == "pipe":
            os.mkfifo(path)
        elif instead == "link":
            path.symlink_to(theirs)
        else:
            path.hardlink_to(theirs)
    for journal in survey.journals:
        with pytest.raises(OSError, match="Stale"):
            journal.read()


def test_files_that_are_not_of_the_run_are_left_out(three: tuple[Path, dict[Path, bytes]]) -> None:
    folder, whole = three
    first, *_ = whole
    not_his = first.stat().st_ino
    survey = survey_run(folder, fits=lambda found: found.st_ino != not_his)
    assert [process.host for process in survey.log.processes] == ["n1", "n2"]
    assert survey.log.unreadable_files == 0


def test_what_a_worker_returns_is_small(three: tuple[Path, dict[Path, bytes]]) -> None:
    survey = survey_run(three[0])
    from greenai.core.outline import Outline

    task = host.HostTask(tuple(enumerate(survey.journals)))
    taken = host.take_host(host.HostTask(task.journals[:1]), Outline.of(survey.log.processes).terms)
    assert len(pickle.dumps(taken)) < 20_000
