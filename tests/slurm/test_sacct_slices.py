"""A period is the same in the database in however many slices it is read; what was read before an end is kept."""

from __future__ import annotations

import json
import random
import re
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from greenai.cli.main import run
from greenai.core.batch_job import STATES
from greenai.core.text import Text
from greenai.host.commands import CommandResult
from greenai.ingest import ingest_spool
from greenai.settings import load_settings
from greenai.slurm.accounting import slices
from greenai.slurm.accounting.ask import ask_accounts
from greenai.slurm.accounting.slices import Repeats, Slice, first_slice, next_slice, next_width_h
from greenai.slurm.accounting.table import NAME, NEEDED, Quarantined
from greenai.store import open_store, schema
from greenai.testing import FakeMachine
from greenai.testing.machine import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SINCE, UNTIL = "2026-10-05", "2026-11-04"  # thirty days; on October 25 the clock is set back
NOW = datetime.fromisoformat("2026-11-10T12:00")
COLUMNS = (*NEEDED, NAME)
JOB = {
    "Cluster": "c1", "User": "mia", "Account": "a", "Partition": "main", "State": "COMPLETED", "ExitCode": "0:0",
    "TimelimitRaw": "5", "NNodes": "1", "NodeList": "n1", "ReqTRES": "cpu=2,mem=4G,node=1",
    "AllocTRES": "cpu=2,mem=4G,node=1", "TotalCPU": "01:00.500", "JobName": "train",
}  # fmt: skip
TRACKED_AT_S = FakeClock().wall_ns() // 10**9
WHEN = {"imported_ms", "computed_ms"}


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def local_s(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


class Sacct:
    """Answers as Slurm's does: what was eligible before the end, and did not end before the begin."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int | None, list[dict[str, str]]]] = []
        self.periods: list[tuple[str, str]] = []
        self.fails_from: str | None = None

    def job(self, number: int | str, start_s: int, end_s: int | None, **values: str) -> None:
        """Add an attempt that was eligible when it was submitted: ten seconds before it began, if not said."""
        job_id = values.pop("JobIDRaw", str(number))
        state = {} if end_s is not None else {"State": "RUNNING"}
        times = {
            "Submit": str(start_s - 10), "Start": str(start_s), "End": "Unknown" if end_s is None else str(end_s),
            "ElapsedRaw": str((end_s or local_s(NOW.isoformat())) - start_s),
        }  # fmt: skip
        rows = [{**JOB, **times, **state, "JobIDRaw": job_id, "JobID": str(number), **values}]
        if rows[0]["State"] in STATES and rows[0]["NodeList"] == "n1":
            of_step = {"ConsumedEnergyRaw": "5000", "NTasks": "1", "JobName": "s", "Submit": str(start_s)}
            rows.append({**JOB, **times, **state, "JobIDRaw": f"{job_id}.0", "JobID": f"{number}.0", **of_step})
        self.rows.append((int(rows[0]["Submit"]), end_s, rows))

    def __call__(self, command: Sequence[str], _timeout_s: float, _environ: Any = None, /) -> CommandResult:
        if command[0] == "scontrol":
            return CommandResult("AcctGatherEnergyType = acct_gather_energy/ipmi\n")
        if command[0] == "sinfo":
            return CommandResult("n1|4\nn2|4\n")
        if "--helpformat" in command:
            return CommandResult(" ".join(COLUMNS))
        options = dict(word.split("=", 1) for word in command if "=" in word)
        since, until = options["--starttime"], options.get("--endtime", NOW.isoformat())
        self.periods.append((since, until))
        if self.fails_from is not None and since >= self.fails_from:
            return CommandResult("", "sacct: error: slurmdbd: Connection refused")
        shown = [
            row
            for eligible_s, end_s, rows in self.rows
            if eligible_s < local_s(until) and (end_s is None or end_s >= local_s(since))
            for row in rows
        ]
        lines = [COLUMNS, *([row.get(name, "") for name in COLUMNS] for row in shown)]
        return CommandResult("\n".join(options["--delimiter"].join(line) for line in lines))


@pytest.fixture
def sacct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sacct:
    """A month of jobs, many of them over midnight, with all that makes accounting interesting."""
    found, dice = Sacct(), random.Random(4)
    for number in range(100, 220):
        start_s = local_s(SINCE) + dice.randrange(-86_400, 30 * 86_400)
        found.job(number, start_s, start_s + dice.choice((60, 3600, 40_000, 200_000)))
    for day in ("2026-10-25", "2026-10-26"):  # to the second, and in the hour that comes twice
        found.job(f"4{day[-2:]}", local_s(day) - 60, local_s(day))
        found.job(f"5{day[-2:]}", local_s(day), local_s(day) + 7200)
    found.job(530, local_s("2026-10-25T00:30"), local_s("2026-10-25T00:30") + 9000)
    for task in range(1, 6):
        start_s = local_s("2026-10-12T23:00") + 1200 * task
        found.job(f"600_{task}", start_s, start_s + 1800, JobIDRaw=str(600 + task % 5))
    queued_s = local_s("2026-10-13T22:00")
    for attempt in range(3):  # requeued twice, each night one attempt
        start_s = queued_s + attempt * 86_400
        state = {"State": "REQUEUED"} if attempt < 2 else {}
        found.job(700, start_s, start_s + 86_000, Submit=str(start_s - 300), **state)
    for part, hours in ((0, 3), (1, 1)):  # its parts end in different slices
        start_s = local_s("2026-10-20T22:30")
        found.job(f"800+{part}", start_s, start_s + hours * 3600, JobIDRaw=str(800 + part))
    found.job(900, local_s("2026-10-10"), None, ConsumedEnergyRaw="4657935875538157568")
    found.job(901, local_s("2026-10-10"), local_s("2026-11-03"), TotalCPU="half")
    found.job(902, local_s("2026-10-10"), local_s("2026-11-09"))
    found.job(903, local_s("2026-10-10T08:00"), local_s("2026-10-13"), State="DANCING")
    never = {"State": "CANCELLED by 7", "Start": "None", "NodeList": "None assigned", "ElapsedRaw": "0"}
    found.job(904, local_s("2026-10-10"), local_s("2026-10-15"), **never)
    clock = FakeClock(wall_ns=int(NOW.timestamp()) * 10**9)
    host = replace(FakeMachine(tmp_path / "machine").host, run_command=found, clock=clock)
    monkeypatch.setattr("greenai.host.this_host", lambda _knowledge=None: host)
    return found


def imported(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["slurm", "import", "--since", SINCE, "--until", UNTIL, "--json", *arguments]) == 0
    data: dict[str, Any] = json.loads(capsys.readouterr().out)
    del data["rows"]  # what sacct printed: more with more slices
    for one in data["quarantined"]:
        del one["line"]  # of the slice
    for name in ("runs", "reconciled", "failed", "over_allocated", "quarantined"):
        data[name].sort(key=json.dumps)
    return data


def stored() -> dict[str, list[tuple[Any, ...]]]:
    """Return all that is in the database, but when it came there."""
    store = open_store(load_settings({}).db)
    try:
        with store.reading() as connection:
            return {
                table.name: sorted(
                    tuple(repr(row[c.name]) for c in table.columns if c.name not in WHEN)
                    for row in connection.execute(select(table)).mappings()
                )
                for table in schema.metadata.sorted_tables
            }
    finally:
        store.close()


def test_any_number_of_slices_is_the_same(
    sacct: Sacct, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = {}
    for width_h, expected in ((24 * 40, 1), (24 * 10, 3), (24, 30), (6, 120)):
        monkeypatch.setattr(slices, "WIDTHS_H", (width_h,))
        monkeypatch.setenv("GREENAI_DB", f"sqlite:///{tmp_path / f'{width_h}.db'}")
        sacct.periods.clear()
        data = imported(capsys)
        assert len(sacct.periods) == expected
        found[expected] = (data, stored())
    whole, tables = found.pop(1)
    assert (len(whole["runs"]), whole["unfinished"], whole["never_started"]) == (whole["jobs"], 1, 1)
    assert whole["jobs"] > 130
    assert len(tables["slurm_job"]) == whole["jobs"]
    reasons = sorted(one["reason"].split()[0] for one in whole["quarantined"])
    assert reasons == ["ConsumedEnergyRaw", "State", "TotalCPU"]
    assert [r["slurm"]["restart_count"] for r in whole["runs"] if r["slurm"]["job_id"] == "700"] == ["0", "1", "2"]
    assert imported(capsys)["added"] == 0, "once more"
    for data, rows in found.values():
        assert data == whole
        assert rows == tables


@pytest.mark.parametrize("width_h", [24, 3])
def test_tracked_runs_find_their_attempt_whatever_the_slices(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    journals: Any,
    sacct: Sacct,
    width_h: int,
) -> None:
    """One run knows of attempts before the period; one is of a heterogeneous job, a part of which ended days before."""
    began_s, later_s = TRACKED_AT_S - 5, TRACKED_AT_S + 90_000
    sacct.rows.clear()
    sacct.job(17, began_s - 200_000, began_s - 190_000, State="REQUEUED")
    sacct.job(17, began_s - 79_000, began_s - 600, State="REQUEUED", Submit=str(began_s - 189_990))
    sacct.job(17, began_s, later_s, Submit=str(began_s - 595))
    sacct.job("20+0", began_s, later_s, JobIDRaw="20")
    sacct.job("20+1", began_s, TRACKED_AT_S + 600, JobIDRaw="21")
    journals.run("aaaa0001", slurm={"job_id": "17", "cluster": "c1", "restart_count": "4"})
    journals.run("aaaa0002", slurm={"job_id": "20", "cluster": "c1"})
    of_settings = load_settings({})
    store = open_store(of_settings.db)
    ingest_spool(store, of_settings)
    store.close()
    shutil.copy(tmp_path / "greenai.db", tmp_path / "sliced.db")
    days = [datetime.fromtimestamp(TRACKED_AT_S + day * 86_400, UTC).strftime("%Y-%m-%d") for day in (-3, 4)]
    seen = []
    for name, width in (("greenai", 24 * 40), ("sliced", width_h)):
        monkeypatch.setattr(slices, "WIDTHS_H", (width,))
        monkeypatch.setenv("GREENAI_DB", f"sqlite:///{tmp_path / name}.db")
        seen.append((imported(capsys, "--since", days[0], "--until", days[1])["reconciled"], stored()))
    (compared, tables), sliced = seen
    assert [(one["job_id"], one["slurm_energy_j"]) for one in compared] == [("17", 5000.0), ("20", 10_000.0)]
    assert sorted(re.findall(r"'17'.{1,20}'restart_count': (.)", str(tables["slurm_job"]))) == ["2", "3", "4"]
    assert sliced == seen[0]


def test_what_fails_keeps_what_was_saved_and_says_where_to_go_on(
    sacct: Sacct, capsys: pytest.CaptureFixture[str]
) -> None:
    sacct.fails_from = "2026-10-20"
    arguments = ["slurm", "import", "--since", SINCE, "--until", UNTIL, "--user", "all", "--json"]
    assert run(arguments) == 1
    said = capsys.readouterr()
    assert "Connection refused" in said.err
    go_on = "greenai slurm import --since 2026-10-20T00:00:00 --until 2026-11-04T00:00:00 --user all --json"
    assert go_on in said.err
    first = json.loads(said.out)
    assert len(stored()["slurm_job"]) == first["jobs"] > 50
    sacct.fails_from = None
    assert run(go_on.split()[1:]) == 0
    rest = json.loads(capsys.readouterr().out)
    assert imported(capsys)["jobs"] == first["jobs"] + rest["jobs"]


@pytest.mark.parametrize("at", [1, 4])
def test_ctrl_c(
    sacct: Sacct, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    def interrupted(*given: Any) -> Any:
        if len(sacct.periods) == at:
            raise KeyboardInterrupt
        return ask_accounts(*given)

    monkeypatch.setattr("greenai.slurm.accounting.periods.ask_accounts", interrupted)
    assert run(["slurm", "import", "--since", SINCE]) == 130
    said = capsys.readouterr()
    assert f"--since 2026-10-{5 + at:02}T00:00:00" in said.err
    assert "jobs that ended" in said.out


def test_an_error_before_the_first_slice_is_but_an_error(sacct: Sacct, capsys: pytest.CaptureFixture[str]) -> None:
    sacct.fails_from = SINCE
    assert run(["slurm", "import", "--since", SINCE, "--json"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "To go on" not in said.err


def test_tables_of_many_slices(sacct: Sacct, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["slurm", "import", "--since", SINCE, "--until", UNTIL]) == 0
    out = capsys.readouterr().out
    (jobs,) = (line for line in out.splitlines() if "taken in as runs" in line)
    count = int(jobs.split()[0])
    assert f"... and {count - 40} more" in out
    assert out.count("COMPLETED") <= 80


def test_of_jobs_by_number_sacct_is_asked_once(sacct: Sacct, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["slurm", "import", "--since", SINCE, "--jobs", "100,101"]) == 0
    assert sacct.periods == [(f"{SINCE}T00:00:00", NOW.isoformat())]


def test_a_large_day_makes_narrower_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [next_width_h(24, rows) for rows in (0, 100_000, 100_001)] == [24, 24, 12]
    assert [next_width_h(1, rows) for rows in (0, 50_000, 200_000)] == [3, 1, 1]


def test_no_cut_is_nearer_than_an_hour_to_now() -> None:
    """What ended a moment ago may not be in slurmdbd yet when its slice is read."""
    midnight = datetime.fromisoformat("2026-11-10")
    for minutes, is_last in ((59, True), (60, False)):
        part = first_slice(midnight - timedelta(days=1), None, midnight + timedelta(minutes=minutes), 24)
        assert part.is_last is is_last


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_no_cut_lies_in_an_hour_that_is_missing_or_comes_twice(day: str) -> None:
    part = first_slice(datetime.fromisoformat(f"{day}T01:00"), None, NOW, 1)
    assert part.until == datetime.fromisoformat(f"{day}T03:00")
    assert part.end_ms == local_s(f"{day}T03:00") * 1000


@given(
    st.datetimes(datetime.fromisoformat("2026-03-20"), NOW),
    st.timedeltas(timedelta(0), timedelta(days=9)),
    st.lists(st.sampled_from(slices.WIDTHS_H), min_size=300, max_size=300),
)
def test_slices_follow_each_other_and_fill_the_period(
    since: datetime, length: timedelta, widths_h: list[int]
) -> None:
    until = since + length
    parts = [first_slice(since, until, NOW + timedelta(days=30), widths_h[0])]
    for width_h in widths_h[1:]:
        if not parts[-1].is_last:
            parts.append(next_slice(parts[-1], until, NOW + timedelta(days=30), width_h))
    assert (parts[0].since, parts[-1].until, parts[-1].is_last) == (since, until, True)
    assert parts[0].begin_ms == float("-inf")
    for one, following in pairwise(parts):
        assert (one.until, one.end_ms) == (following.since, following.begin_ms)
        assert one.until is not None
        assert one.end_ms == one.until.timestamp() * 1000
        assert one.end_ms > one.begin_ms


def test_what_was_put_aside_before_is_no_news() -> None:
    reason = Text(de="seltsam", en="strange")
    twice = [Quarantined(2, "7 a 3", reason, "c 7"), Quarantined(3, "7 a 3", reason, "c 7")]
    repeats = Repeats()
    assert repeats.left_out(twice) == twice
    assert repeats.left_out([*twice, Quarantined(9, "7 a 4", reason, "c 7")]) == [
        Quarantined(9, "7 a 4", reason, "c 7")
    ]
    assert repeats.left_out([]) == []
    assert repeats.left_out(twice[:1]) == twice[:1]


def test_the_only_slice_has_all() -> None:
    assert Slice(None, None).is_last
