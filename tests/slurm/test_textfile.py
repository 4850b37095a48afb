"""Figures of batch jobs for Prometheus: what is summed, how it is written, and a real node exporter that reads it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from greenai.cli.main import run
from greenai.core.batch_job import BatchJob
from greenai.core.record import JournalFacts, RunRecord, Site, Work
from greenai.core.run_energy import Energy
from greenai.core.vocabulary import RunState
from greenai.slurm.textfile import exposition, write_exposition
from greenai.store import Store, open_store
from greenai.store.job_sums import JobLabels, JobSum, JobSums, job_sums

if TYPE_CHECKING:
    from collections.abc import Iterator

START_MS = 1_795_262_400_000
DAY_MS = 86_400_000
NASTY = 'a "b" \\ c\nd'


def record(
    run_id: str,
    joules: float | None,
    state: RunState = RunState.COMPLETED,
    share: float | None = 1.0,
    user: str = "ada",
    **slurm: str,
) -> RunRecord:
    energy = Energy(joules, joules, joules, share, "machine", joules, ())
    return RunRecord(
        id=run_id, name="x", project=None, task=None, approach=None, phase=None, state=state, exit_code=0, error=None,
        started_ms=START_MS, ended_ms=START_MS + 5000, duration_s=5.0, hosts=("n1",), user=user, git_commit=None,
        tags={}, slurm={"cluster": "c", "partition": "main", "restart_count": "0", **slurm}, environment={},
        energy=energy, windows=(), work=Work(0.0, None, None), metrics=(), incidents=(),
        journal=JournalFacts(1, 0, "0" * 64), site=Site(None, None, None, "EUR"),
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'site.db'}")
    yield opened
    opened.close()


def save(store: Store, *records: RunRecord) -> None:
    for one in records:
        store.save(one, [])


def test_jobs_are_summed_by_whose_they_are(store: Store) -> None:
    save(
        store,
        record("r1", 100.0, job_id="1", account="phys"),
        record("r2", 50.0, RunState.FAILED, 0.5, job_id="2", account="phys"),
        record("r3", None, RunState.KILLED, None, job_id="3", account="phys", user="bob"),
        record("r4", 7.0, job_id="4", account="chem"),
        replace(record("r5", 999.0, job_id="9"), slurm=None),  # no job
    )
    sums = job_sums(store, by_user=False)
    physics = sums.by_labels[JobLabels("c", "main", "phys", "")]
    assert sum(physics.energy_j.values()) == 150.0
    assert (physics.failed_j, physics.measured_j, physics.unknown) == (50.0, 125.0, 1)
    assert physics.jobs == {"completed": 1, "failed": 1, "killed": 1}
    assert sums.last_end_ms == START_MS + 5000
    assert sums.imported_ms is None
    users = {labels.user for labels in job_sums(store, by_user=True).by_labels}
    assert users == {"ada", "bob"}


def test_steps_count_only_in_jobs_without_a_run_of_their_own(store: Store) -> None:
    save(
        store,
        record("whole", 100.0, job_id="1"),
        record("part", 60.0, job_id="1", step_id="0"),
        record("a", 10.0, job_id="2", step_id="0"),
        record("b", 20.0, RunState.FAILED, job_id="2", step_id="1"),
    )
    found = job_sums(store, by_user=False).by_labels[JobLabels("c", "main", "", "")]
    assert sum(found.energy_j.values()) == 130.0
    assert found.jobs == {"completed": 1, "failed": 1}
    assert found.failed_j == 30.0


def at(run: RunRecord, start_ms: int, accounted: bool = False) -> RunRecord:
    """The run at another time; as an attempt that Slurm's accounting knows, or not."""
    facts = run.slurm or {}
    job = BatchJob("c", facts["job_id"], int(facts["restart_count"]), "x", "COMPLETED", start_ms=start_ms)
    return replace(
        run,
        started_ms=start_ms,
        ended_ms=start_ms + 5000,
        accounting=replace(job, end_ms=start_ms + 5000) if accounted else None,
    )


def only(store: Store) -> JobSum:
    (found,) = job_sums(store, by_user=False).by_labels.values()
    return found


@pytest.mark.parametrize("accounted", [True, False])
def test_attempts_of_a_job_are_one_job_with_the_energy_of_all(store: Store, accounted: bool) -> None:
    attempts = [
        record("first", 10.0, RunState.KILLED, job_id="1"),
        record("step", 5.0, RunState.KILLED, job_id="1", step_id="0"),
        record("second", 20.0, RunState.KILLED, job_id="1", restart_count="1"),
        record("third", 40.0, job_id="1", restart_count="10"),  # a number, not a word
    ]
    times_ms = (START_MS, START_MS, START_MS + DAY_MS, START_MS + 30 * DAY_MS)  # it was held meanwhile
    save(store, *(at(run, start_ms, accounted) for run, start_ms in zip(attempts, times_ms, strict=True)))
    found = only(store)
    assert (found.jobs, sum(found.energy_j.values()), found.failed_j) == ({"completed": 1}, 70.0, 30.0)


@pytest.mark.parametrize("days", [1 / 24, 400])
@pytest.mark.parametrize("restart", ["0", "1"])
def test_a_number_that_comes_again_is_another_job(store: Store, days: float, restart: str) -> None:
    again_ms = START_MS + int(days * DAY_MS)
    save(
        store,
        at(record("old", 10.0, RunState.FAILED, job_id="1", restart_count=restart), START_MS, accounted=True),
        at(record("new", 20.0, job_id="1"), again_ms, accounted=True),
        at(record("newstep", 5.0, job_id="1", step_id="0"), again_ms + 1000),  # of it, not accounted
    )
    found = only(store)
    assert (found.jobs, sum(found.energy_j.values())) == ({"failed": 1, "completed": 1}, 30.0)


def test_a_count_that_is_none_hinders_nobody(store: Store) -> None:
    save(store, record("r1", 1.0, job_id="1", restart_count="9" * 5000), record("r2", 2.0, job_id="2"))
    assert sum(only(store).jobs.values()) == 2


def test_without_accounting_time_tells_jobs_of_one_number_apart(store: Store) -> None:
    late_ms = START_MS + 200 * DAY_MS
    save(
        store,
        at(record("a", 1.0, job_id="1", step_id="0"), START_MS),
        at(record("b", 2.0, job_id="1", step_id="1"), START_MS + DAY_MS),  # a step of the same job
        at(record("c", 4.0, job_id="1", step_id="0"), late_ms),
        at(record("other", 8.0, job_id="1", cluster="d"), late_ms),
    )
    sums = job_sums(store, by_user=False).by_labels
    assert {labels.cluster: sum(of.jobs.values()) for labels, of in sums.items()} == {"c": 2, "d": 1}


def test_an_empty_database_says_nothing(store: Store) -> None:
    assert exposition(job_sums(store, by_user=True)) == ""


def test_labels_are_escaped() -> None:
    sums = JobSums({JobLabels("c", NASTY, "", "ä"): JobSum({"measured": 1.5}, {"completed": 1})}, 5000, None)
    text = exposition(sums)
    labels = 'cluster="c",partition="a \\"b\\" \\\\ c\\nd",account="",user="ä"'
    assert f'greenai_job_energy_joules{{{labels},quality="measured"}} 1.5\n' in text
    assert "greenai_last_import_timestamp_seconds 5.0\n" in text
    assert "last_run_end" not in text


def test_the_figures_are_documented() -> None:
    text = exposition(JobSums({JobLabels("c", "p", "a", ""): JobSum({"measured": 1.0}, {"completed": 1})}, 1, 1))
    made = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    page = (Path(__file__).parents[2] / "docs" / "hpc.md").read_text(encoding="utf-8")
    assert made == set(re.findall(r"^\| `(greenai_\w+)`", page, re.MULTILINE))


def test_the_file_is_replaced_in_one_go(tmp_path: Path) -> None:
    path = tmp_path / "greenai.prom"
    path.write_text("old")
    write_exposition(path, "new\n")
    assert path.read_text() == "new\n"
    assert [entry.name for entry in tmp_path.iterdir() if "prom" in entry.name] == ["greenai.prom"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_folder_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENAI_DB", f"sqlite:///{tmp_path / 'site.db'}")
    assert run(["slurm", "textfile", "-o", str(tmp_path / "none/greenai.prom")]) != 0
    assert "none/greenai.prom" in capsys.readouterr().err


@pytest.mark.slow
def test_a_real_node_exporter_reads_it(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = shutil.which("prometheus-node-exporter")
    if exporter is None:
        pytest.fail("not installed: apt-get install -y --no-install-recommends prometheus-node-exporter")
    save(
        store,
        record("r1", 1e9 / 3, job_id="1", account=NASTY, user="größe"),
        record("r2", 50.0, RunState.FAILED, job_id="2"),
    )
    monkeypatch.setenv("GREENAI_DB", f"sqlite:///{tmp_path / 'site.db'}")
    (tmp_path / "prom").mkdir()
    assert run(["slurm", "textfile", "--by", "user", "-o", str(tmp_path / "prom/greenai.prom")]) == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen(
        [
            exporter, "--collector.disable-defaults", "--collector.textfile",
            f"--collector.textfile.directory={tmp_path / 'prom'}", f"--web.listen-address={address}",
        ],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        answer = ""
        for _ in range(100):
            with suppress(OSError), urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as page:
                answer = page.read().decode()
                break
            time.sleep(0.05)
    finally:
        process.terminate()
        process.wait(10)
    found = dict(
        line.rsplit(" ", 1) for line in answer.splitlines() if line.startswith(("greenai_", "node_textfile"))
    )
    assert found["node_textfile_scrape_error"] == "0"
    joules = {name: float(value) for name, value in found.items() if "job_energy_joules" in name}
    assert sorted(joules.values()) == pytest.approx([0.0, 50.0, 50.0, 1e9 / 3])
    assert any('user="größe"' in name and '\\"b\\"' in name for name in joules)
    assert "# TYPE greenai_job_energy_joules gauge" in answer
