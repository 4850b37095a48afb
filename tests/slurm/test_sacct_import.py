"""``greenai slurm import``: jobs become runs once, tracked runs are held against them and never doubled."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from greenai.cli.main import run
from greenai.core.batch_job import BatchJob
from greenai.core.channel import Quality
from greenai.core.errors import ConfigError, GreenAIError
from greenai.core.views import RunQuery
from greenai.core.vocabulary import RunState
from greenai.host.commands import NOT_FOUND, TIMEOUT, CommandResult
from greenai.ingest import ingest_spool
from greenai.settings import Settings, load_settings
from greenai.slurm.accounting import ask
from greenai.slurm.accounting.importing import ImportReport, import_accounts
from greenai.slurm.accounting.jobs import Accounts, read_accounts
from greenai.slurm.accounting.sensors import energy_sensor
from greenai.slurm.accounting.site_facts import SiteFacts
from greenai.store import Store, jobs, open_store, schema
from greenai.testing import FakeMachine
from greenai.testing.machine import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from greenai.core.record import RunRecord


RECORDED = Path(__file__).parent / "fixtures" / "sacct" / "22.05.txt"
SITE = SiteFacts(
    energy_sensor("AcctGatherEnergyType = acct_gather_energy/pm_counters"), {"b1": 4, "b2": 4, "b3": 4}
)
SLURM = {"job_id": "17", "cluster": "testcluster", "restart_count": "1"}


@pytest.fixture
def settings() -> Settings:
    return load_settings({"zone": "DE"})


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings.db)
    yield opened
    opened.close()


def of_the_journals_time() -> Accounts:
    """The recorded jobs, as if job 17 had begun a second time when the journals of the tests were written."""
    found = read_accounts(RECORDED.read_text().split("\n"))
    again = next(job for job in found.jobs if (job.job_id, job.restart_count) == ("17", 1))
    shift_ms = FakeClock().wall_ns() // 1_000_000 - (again.start_ms or 0)

    def moved(part: Any, *names: str) -> Any:
        return replace(part, **{name: (getattr(part, name) or 0) + shift_ms for name in names})

    found.jobs = [
        replace(
            moved(job, "submit_ms", "start_ms", "end_ms"),
            steps=tuple(moved(step, "start_ms", "end_ms") for step in job.steps),
        )
        for job in found.jobs
    ]
    return found


@pytest.fixture
def take(store: Store, settings: Settings) -> Callable[[], ImportReport]:
    return lambda: import_accounts(store, settings, of_the_journals_time(), SITE)


def ids(store: Store) -> set[str]:
    return {named(record) for record in store.records(RunQuery())}


def named(record: RunRecord) -> str:
    """Return an imported run by job and attempt, a tracked one by its id."""
    facts = record.slurm or {}
    return f"job {facts['job_id']}-{facts['restart_count']}" if record.id.startswith("slurm-") else record.id


def test_every_job_becomes_a_run_once(store: Store, take: Callable[[], ImportReport]) -> None:
    first = take()
    assert (len(first.imported), first.added, first.compared) == (19, 19, ())
    assert len(ids(store)) == 19
    multi = store.record(first.imported[0].id)
    assert (multi.energy.quality, multi.user, multi.state) == (Quality.ALLOCATED, "root", RunState.COMPLETED)
    assert multi.energy_j == pytest.approx(1003 / 2), "half of the CPUs of its nodes"
    assert multi.emissions is not None
    assert multi.emissions.location_g is not None
    assert multi.accounting is not None
    assert (multi.accounting.job_id, multi.accounting.restart_count) == ("1", 0)
    assert multi == replace(first.imported[0]), "what is read is what was saved"
    assert jobs.tracked_runs(store, ["1"]) == [], "an imported run is no tracked one"
    before = store.records(RunQuery())
    again = take()
    assert (len(again.imported), again.added) == (19, 0)
    assert store.records(RunQuery()) == before


def test_failed_jobs_stand_apart(take: Callable[[], ImportReport]) -> None:
    report = take()
    assert {(one.job.job_id, one.job.state) for one in report.failed} == {
        ("12", "FAILED"), ("17", "REQUEUED"), ("17", "CANCELLED"), ("18", "CANCELLED"), ("19", "TIMEOUT"),
        ("25", "NODE_FAIL"),
    }  # fmt: skip
    killed = next(one for one in report.failed if one.job.state == "TIMEOUT")
    assert killed.energy_j == pytest.approx(6122 / 4)
    assert "0% of 1 CPUs used" in {str(reason) for one in report.over_allocated for reason in one.reasons}


def test_a_tracked_run_is_compared_not_doubled(
    store: Store, settings: Settings, take: Callable[[], ImportReport], journals: Any
) -> None:
    journal, _ = journals.begin("aaaa0001", slurm=SLURM)
    journal.close()
    ingest_spool(store, settings)
    report = take()
    assert len(report.imported) == 18
    assert "job 17-1" not in ids(store)
    assert "job 17-0" in ids(store), "the attempt before was not tracked"
    (compared,) = report.compared
    assert compared.slurm_j == 24_200.0
    assert compared.difference_j == pytest.approx(24_200.0 - (compared.ours_j or 0))
    remarks = " ".join(map(str, compared.remarks))
    assert "shared" in remarks
    assert "the whole node" in remarks
    saved = store.record("aaaa0001")
    assert (saved.state, saved.exit_code) == (RunState.KILLED, None), "lost in the journals, cancelled for Slurm"
    assert saved.accounting == compared.jobs[0]
    assert len(list(next(iter(store.samples("aaaa0001")))[2])) > 0, "its readings are not touched"


def attempts(*numbers: int) -> Accounts:
    """Job 17 as Slurm 22.05 tells it in a period that shows these of its attempts; nothing of the other jobs."""
    accounts = of_the_journals_time()
    both = [job for job in accounts.jobs if job.job_id == "17"]
    accounts.jobs = [replace(both[number], restart_count=order) for order, number in enumerate(numbers)]
    return accounts


def test_a_later_attempt_is_known_by_its_tracked_run(store: Store, settings: Settings, journals: Any) -> None:
    journals.run("aaaa0001", slurm=SLURM)
    ingest_spool(store, settings)
    report = import_accounts(store, settings, attempts(1), SITE)
    assert [one.record.id for one in report.compared] == ["aaaa0001"]
    assert ids(store) == {"aaaa0001"}, "or its job would be counted twice"


def test_a_tracked_run_finds_its_attempt_that_was_counted_too_low(
    store: Store, settings: Settings, journals: Any
) -> None:
    import_accounts(store, settings, attempts(1), SITE)
    assert ids(store) == {"job 17-0"}
    journals.run("aaaa0001", slurm=SLURM)
    ingest_spool(store, settings)
    assert ids(store) == {"aaaa0001"}


@pytest.mark.parametrize("sequence", [[(0,), (1,)], [(0, 1), (1,)], [(1,), (0, 1)], [(1,), (0,)]], ids=str)
def test_attempts_whatever_the_periods(store: Store, settings: Settings, sequence: list[tuple[int, ...]]) -> None:
    """No attempt takes the place of another, none is there twice, and repeating changes nothing."""
    first, last = attempts(0, 1).jobs
    for period in sequence:
        import_accounts(store, settings, attempts(*period), SITE)
    for period in [(), *sequence, *sequence]:
        import_accounts(store, settings, attempts(*period), SITE)
        records = store.records(RunQuery())
        assert {named(record): record.ended_ms for record in records} == {
            "job 17-0": first.end_ms,
            "job 17-1": last.end_ms,
        }
        assert sum(record.energy_j or 0.0 for record in records) == pytest.approx((4272 + 24_200) / 4, rel=0.01)
    assert import_accounts(store, settings, attempts(1), SITE).added == 0


def test_a_number_that_is_used_again_a_year_later_is_another_job(store: Store, settings: Settings) -> None:
    year_ms = 365 * 86_400_000
    old = attempts(0)
    new = attempts(0)
    new.jobs = [
        replace(job, submit_ms=(job.submit_ms or 0) + year_ms, start_ms=(job.start_ms or 0) + year_ms,
                end_ms=(job.end_ms or 0) + year_ms, steps=(), user="mia", name="another")
        for job in new.jobs
    ]  # fmt: skip
    for accounts in (old, new, old, new):
        import_accounts(store, settings, accounts, SITE)
    records = store.records(RunQuery())
    assert sorted(record.name for record in records) == sorted(["another", old.jobs[0].name])
    assert [(record.slurm or {})["restart_count"] for record in records] == ["0", "0"]
    assert len(jobs.stored_jobs(store, ["17"])) == 2


@pytest.mark.parametrize(("steps", "expected"), [((None, "0"), 1), (("0", "1"), 2), (("0", "unknown"), None)])
def test_steps_are_in_the_run_of_their_job_and_what_is_unknown_is_not_0(
    store: Store,
    settings: Settings,
    take: Callable[[], ImportReport],
    journals: Any,
    steps: tuple[str | None, ...],
    expected: int | None,
) -> None:
    for number, step in enumerate(steps):
        journals.run(f"aaaa000{number}", slurm=SLURM if step is None else {**SLURM, "step_id": step})
    ingest_spool(store, settings)
    if expected is None:
        unknown = store.record("aaaa0001")
        with store.writing() as connection:
            connection.execute(update(schema.run).where(schema.run.c.id == unknown.id).values(total_j=None))
    each_j = store.record("aaaa0000").energy_j
    assert each_j
    report = take()
    (found,) = (one for one in report.failed if (one.job.job_id, one.job.restart_count) == ("17", 1))
    assert found.energy_j == (None if expected is None else pytest.approx(expected * each_j))


def test_a_tracked_run_that_comes_later_takes_the_place(
    store: Store, settings: Settings, take: Callable[[], ImportReport], journals: Any
) -> None:
    take()
    assert "job 17-1" in ids(store)
    journals.run("aaaa0002", slurm=SLURM)
    ingest_spool(store, settings)
    assert "job 17-1" not in ids(store)
    assert store.record("aaaa0002").accounting is not None
    (compared,) = take().compared
    assert compared.record.id == "aaaa0002"
    assert len(ids(store)) == 19


def test_the_run_of_a_heterogeneous_job_stands_for_all_its_parts(
    store: Store, settings: Settings, take: Callable[[], ImportReport], journals: Any
) -> None:
    take()
    journals.run("aaaa0003", slurm={**SLURM, "job_id": "15", "restart_count": "0"})
    ingest_spool(store, settings)
    assert not {"job 15-0", "job 16-0"} & ids(store)
    report = take()
    assert not {"job 15-0", "job 16-0"} & ids(store)
    (compared,) = report.compared
    assert [job.job_id for job in compared.jobs] == ["15", "16"]
    assert compared.slurm_j == 477.0 + 604.0


def test_our_collectors_step_is_left_out(
    store: Store, settings: Settings, take: Callable[[], ImportReport], journals: Any
) -> None:
    journal, machine = journals.begin("aaaa0004", slurm={**SLURM, "job_id": "2", "restart_count": "0"})
    journals.end(journal, machine)
    ingest_spool(store, settings)
    (compared,) = take().compared
    assert compared.slurm_j == 1417.0, "the user's step; Slurm's own sum is 3174 J, with our collector's"
    assert compared.jobs[0].energy_j == 3174.0
    assert "collector" in " ".join(map(str, compared.remarks))


def test_a_job_of_which_one_step_was_tracked_took_at_least_that(
    store: Store, settings: Settings, take: Callable[[], ImportReport], journals: Any
) -> None:
    journals.run("aaaa0007", slurm={**SLURM, "step_id": "0"})
    ingest_spool(store, settings)
    assert store.record("aaaa0007").duration_s == 10.0
    report = take()
    (compared,) = report.compared
    (found,) = (one for one in report.failed if (one.job.job_id, one.job.restart_count) == ("17", 1))
    said = "Only 10.0 s of the job's 242 s were tracked"
    assert compared.at_least
    assert said in " ".join(map(str, compared.remarks))
    assert found.at_least is not None
    assert said in str(found.at_least)


def test_another_cluster_is_another_job(
    store: Store, settings: Settings, take: Callable[[], ImportReport], journals: Any
) -> None:
    journals.run("aaaa0005", slurm={**SLURM, "cluster": "elsewhere"})
    ingest_spool(store, settings)
    assert take().compared == ()
    assert store.record("aaaa0005").accounting is None


def test_a_number_that_came_round_again_is_another_job(store: Store, settings: Settings, journals: Any) -> None:
    journals.run("aaaa0006", slurm=SLURM)
    ingest_spool(store, settings)
    report = import_accounts(store, settings, read_accounts(RECORDED.read_text().split("\n")), SITE)
    assert report.compared == (), "it ran months before"


class Slurm:
    """Slurm's programs, by the first word of the call."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[list[str]] = []

    def __call__(self, command: Sequence[str], _timeout_s: float, _environ: Any = None, /) -> CommandResult:
        self.calls.append(list(command))
        answer = self.answers.get("helpformat" if "--helpformat" in command else command[0], "")
        if callable(answer):
            return CommandResult(answer(command))
        return CommandResult(answer) if isinstance(answer, str) else answer


def with_delimiter(command: Sequence[str]) -> str:
    """Print the recorded table with the columns and the delimiter that are asked for."""
    delimiter = next(word for word in command if word.startswith("--delimiter=")).partition("=")[2]
    lines = RECORDED.read_text().split("\n")
    width = lines[0].count("|")
    rows = ("Cluster|", "testcluster|")  # else the name of the job before goes on
    return "\n".join(line.replace("|", delimiter, width) if line.startswith(rows) else line for line in lines)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    programs = Slurm(
        helpformat=(RECORDED.parent / "helpformat-22.05.txt").read_text(),
        sacct=with_delimiter,
        scontrol="AcctGatherEnergyType    = acct_gather_energy/pm_counters\n",
        sinfo="b1|4\nb2|4\nb3|4\n",
    )
    later = FakeClock(wall_ns=1_800_000_000 * 10**9)
    host = replace(FakeMachine(tmp_path / "machine").host, run_command=programs, clock=later)
    monkeypatch.setattr("greenai.host.this_host", lambda _knowledge=None: host)
    return programs


def test_the_command(slurm: Slurm, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["slurm", "import", "--since", "2026-11-21", "--user", "all", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["jobs"], data["added"], data["unfinished"], len(data["runs"])) == (19, 19, 1, 19)
    assert len(data["quarantined"]) == 0, "with a delimiter of its own a name with | is no half row"
    _, sacct, *_ = slurm.calls
    assert {"-D", "-P", "--starttime=2026-11-21T00:00:00", "--endtime=2026-11-22T00:00:00"} < set(sacct)
    assert "--allusers" in sacct
    assert [call[0] for call in slurm.calls[:5]] == ["sacct", "sacct", "scontrol", "sinfo", "sacct"]
    assert "--endtime" not in " ".join(slurm.calls[-1])


def test_a_pipe_is_no_file(slurm: Slurm, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert run(["slurm", "import", "--file", str(tmp_path / "pipe")]) == 2
    assert "no regular file" in capsys.readouterr().err


def test_an_import_of_many_jobs_says_how_far_it_is(
    slurm: Slurm, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenai.cli.commands.slurm.import_._MANY_JOBS", 19)
    monkeypatch.setattr("greenai.cli.commands.slurm.import_._TOLD_EVERY_S", 0.0)
    assert run(["slurm", "import", "--file", str(RECORDED), "--json"]) == 0
    printed = capsys.readouterr()
    assert "19 of 19 jobs taken in" in printed.err
    assert json.loads(printed.out)["added"] == 19


def test_what_was_tracked_in_part_is_at_least_that(
    slurm: Slurm,
    capsys: pytest.CaptureFixture[str],
    journals: Any,
    store: Store,
    settings: Settings,
    tmp_path: Path,
) -> None:
    journals.run("aaaa0008", slurm={**SLURM, "step_id": "0"})
    ingest_spool(store, settings)
    shift_s = FakeClock().wall_ns() // 10**9
    start, end = shift_s - 60, shift_s + 60
    lines = [line for line in RECORDED.read_text().split("\n") if line.startswith(("Cluster|", "testcluster|17"))]
    (tmp_path / "jobs.txt").write_text(
        "\n".join(
            line.replace("2026-11-22T01:56:26|2026-11-22T02:00:28|242", f"{start}|{end}|120") for line in lines
        )
    )
    assert run(["slurm", "import", "--file", str(tmp_path / "jobs.txt")]) == 0
    out = capsys.readouterr().out
    reconciled = out.partition("Tracked runs beside")[2]
    assert "≥" in reconciled.partition("Did not end well")[0]
    assert "≥" in reconciled.partition("Did not end well")[2]


@pytest.mark.parametrize("language", ["de", "en"])
def test_the_tables(
    slurm: Slurm, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("GREENAI_LANGUAGE", language)
    assert run(["slurm", "import", "--file", str(RECORDED)]) == 0
    out = capsys.readouterr().out
    assert slurm.calls == [], "a recorded file is of another site"
    titles = {"de": ["Nicht gemessene Jobs", "Beiseitegelegt"], "en": ["Jobs that nobody tracked", "Put aside"]}
    assert all(title in out for title in titles[language])
    assert "8_5" in out
    assert "15+1" in out
    assert "17 r1" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--since"),
        (["--since", "2026-11-21", "--file", "x"], "--file"),
        (["--file", "/nowhere/at/all"], "/nowhere/at/all"),
        (["--file", __file__], "no output of sacct"),
        (["--file", "/tmp"], "no regular file"),
        (["--jobs", "-x"], "--jobs"),
        (["--since", "2026-11-21", "--user", "--all"], "--user"),
        (["--since", "soon"], "--since"),
    ],
)
def test_bad_calls(slurm: Slurm, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert run(["slurm", "import", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("reason", "error", "said", "remedy"),
    [
        ("Slurm accounting storage is disabled", GreenAIError, "accounting storage is disabled", "slurmdbd"),
        (TIMEOUT, GreenAIError, "did not answer", "--until"),
        ("sacct: error: Invalid user id: nobody", GreenAIError, "Invalid user id", ""),
    ],
)
def test_what_slurm_refuses(
    slurm: Slurm, tmp_path: Path, reason: str, error: type[GreenAIError], said: str, remedy: str
) -> None:
    slurm.answers["sacct"] = CommandResult("", reason)
    host = replace(FakeMachine(tmp_path / "m").host, run_command=slurm)
    with pytest.raises(error) as caught:
        ask.ask_accounts(host, ask.Period(since=datetime.fromisoformat("2026-11-21")))
    assert said in caught.value.message.en
    assert remedy in str(caught.value.remedy or "")


def test_no_slurm_here(tmp_path: Path) -> None:
    programs = Slurm(helpformat=CommandResult("", NOT_FOUND))
    host = replace(FakeMachine(tmp_path).host, run_command=programs)
    with pytest.raises(ConfigError) as caught:
        ask.ask_accounts(host, ask.Period(since=datetime.fromisoformat("2026-11-21")))
    assert "--file" in str(caught.value.remedy)
    assert "sacct -D -P --delimiter='|'" in str(caught.value.remedy)


def test_a_site_that_tells_nothing(tmp_path: Path) -> None:
    programs = Slurm(scontrol=CommandResult("", "denied"), sinfo=CommandResult("", NOT_FOUND))
    site = ask.ask_site(replace(FakeMachine(tmp_path).host, run_command=programs), 200.0)
    assert site.sensor is not None
    assert (site.sensor.name, site.node_cpus, site.cpu_tdp_w) == ("", {}, 200.0)


def test_jobs_of_any_number_are_saved(store: Store) -> None:
    many = [BatchJob("c", str(n), 0, "n", "COMPLETED", start_ms=n, end_ms=n, nodes="n1") for n in range(450)]
    jobs.save_jobs(store, many)
    jobs.save_jobs(store, many[:3])
    assert len(jobs.digests(store, [job.imported_run_id for job in many])) == 0
