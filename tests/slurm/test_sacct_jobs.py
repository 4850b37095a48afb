"""Slurm's accounting is read row by row: what is strange is put aside with its reason, and nothing ends the reading."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenai.core.batch_job import STATES, BatchJob
from greenai.slurm.accounting import values as v
from greenai.slurm.accounting.jobs import Accounts, read_accounts
from greenai.slurm.accounting.table import NAME, NEEDED, RESTARTS, NotATableError, columns

FIXTURES = Path(__file__).parent / "fixtures" / "sacct"
HEADER = (*NEEDED, NAME)
ROW = {
    "Cluster": "c1", "JobIDRaw": "7", "JobID": "7", "User": "mia", "Account": "a", "Partition": "main",
    "State": "COMPLETED", "ExitCode": "0:0", "Submit": "1795264000", "Start": "1795264074", "End": "1795264174",
    "ElapsedRaw": "100", "TimelimitRaw": "5", "NNodes": "1", "NodeList": "n1", "NTasks": "", "ReqTRES": "cpu=2,mem=4G,node=1",
    "AllocTRES": "billing=2,cpu=2,mem=4G,node=1,gres/gpu=4,gres/gpu:a100=4", "TotalCPU": "01:00.500", "MaxRSS": "",
    "TRESUsageInMax": "", "ConsumedEnergyRaw": "1000", "JobName": "train",
}  # fmt: skip
STEP = {"JobIDRaw": "7.0", "JobID": "7.0", "AllocTRES": "cpu=2,mem=0,node=1", "NTasks": "2", "MaxRSS": "2048K"}


def table(*rows: dict[str, str], delimiter: str = "|", header: tuple[str, ...] = HEADER) -> list[str]:
    lines = [delimiter.join(({**ROW, **row}).get(name, "") for name in header) for row in rows]
    return [delimiter.join(header), *lines, ""]


def read(*rows: dict[str, str]) -> Accounts:
    return read_accounts(table(*rows))


def recorded(version: str) -> Accounts:
    return read_accounts((FIXTURES / f"{version}.txt").read_text().split("\n"))


def test_a_recorded_cluster() -> None:
    found = recorded("22.05")
    by_key = {(job.job_id, job.restart_count): job for job in found.jobs}
    assert len(by_key) == len(found.jobs) == 19
    assert [job.state for job in found.unfinished] == ["SUSPENDED"]
    assert [one.what for one in found.quarantined] == ["line|2024-01-01T00:00:00|x"], "a file with | cannot tell"
    multi = by_key["1", 0]
    assert (multi.elapsed_s, multi.nodes, multi.energy_j, multi.allocated.cpus) == (4, "b[1-2]", 1003.0, 4)
    assert [(step.id, step.energy_j, step.tasks) for step in multi.steps] == [
        ("batch", 419.0, 1),
        ("0", 1003.0, 4),
    ]
    assert by_key["9", 0].name == "a|b `c` ü,x;é"
    assert [by_key["17", n].state for n in (0, 1)] == ["REQUEUED", "CANCELLED"]
    assert [by_key["17", n].steps[1].energy_j for n in (0, 1)] == [4272.0, 24194.0]
    assert (by_key["8", 0].array_job_id, by_key["8", 0].array_task_id) == ("8", "5"), (
        "the last element has its number"
    )
    assert (by_key["16", 0].het_job_id, by_key["16", 0].het_offset) == ("15", 1)
    assert (by_key["12", 0].state, by_key["12", 0].shell_exit_code) == ("FAILED", 137)
    assert (by_key["19", 0].state, by_key["19", 0].shell_exit_code) == ("TIMEOUT", None), "0:0 is no success here"
    assert by_key["25", 0].state == "NODE_FAIL"
    assert by_key["25", 0].energy_j is None, "0 is what Slurm says where it does not know"
    assert by_key["7", 0].user_steps[1].energy_j is None


@pytest.mark.parametrize("version", ["24.11", "25.11"])
def test_later_versions(version: str) -> None:
    found = recorded(version)
    (job,) = found.jobs
    assert not found.quarantined
    assert (job.start_ms, job.elapsed_s, job.time_limit_s, job.restart_count) == (job.submit_ms, 3, 300, 0)
    assert [step.id for step in job.steps] == ["batch", "0", "1", "2"]
    assert job.energy_j == sum(step.energy_j or 0.0 for step in job.steps[1:]), "what overlaps counts twice there"


@pytest.mark.parametrize(("version", "has_restarts"), [("22.05", False), ("24.11", True), ("25.11", True)])
def test_what_is_asked_for_is_what_the_version_has(version: str, has_restarts: bool) -> None:
    available = (FIXTURES / f"helpformat-{version}.txt").read_text().split()
    asked = columns(available)
    assert set(asked) <= set(available)
    assert (RESTARTS in asked) is has_restarts
    assert asked[-1] == NAME


def test_a_job_in_full() -> None:
    (job,) = read({}, STEP).jobs
    assert (job.key, job.user, job.requested.memory_bytes) == (("c1", "7", 1795264074000), "mia", 4 * 1024**3)
    assert (job.allocated.gpus, job.allocated.gpu_count) == ({"a100": 4}, 4)
    assert (job.cpu_s, job.memory_used_bytes, job.time_limit_s) == (60.5, 2048 * 1024, 300)
    assert BatchJob.from_json(json.loads(json.dumps(job.to_json()))) == job
    assert job.to_json() == asdict(job)
    assert BatchJob.from_json({**job.to_json(), "of_a_later_version": 1}) == job


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"State": "DANCING"}, "State"),
        ({"State": ""}, "State"),
        ({"ElapsedRaw": "-5"}, "ElapsedRaw"),
        ({"ElapsedRaw": "4657935875538157568"}, "ElapsedRaw"),
        ({"Start": "yesterday"}, "Start"),
        ({"Start": "2026-11-21T12:00:00", "End": "2026-11-20T12:00:00"}, "before"),
        ({"End": "Unknown"}, "without an end"),
        ({"JobIDRaw": "x"}, "no job id"),
        ({"Cluster": ""}, "cluster"),
        ({"JobIDRaw": "8.0"}, "missing"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_strange_rows(row: dict[str, str], reason: str) -> None:
    found = read({}, row if "JobIDRaw" in row else {**row, "JobIDRaw": "8", "JobID": "8"})
    assert [job.job_id for job in found.jobs] == ["7"]
    (one,) = found.quarantined
    assert reason in one.reason.en
    assert one.line == 3


@pytest.mark.parametrize(
    "row",
    [
        {"ConsumedEnergyRaw": "4657935875538157568"},
        {"ConsumedEnergyRaw": "-3"},
        {"AllocTRES": "cpu"},
        {"NodeList": "n[1-"},
        {"ExitCode": "?"},
        {"Submit": "never"},
        {"TotalCPU": "half"},
    ],
    ids=str,
)
def test_a_strange_value_costs_only_itself(row: dict[str, str]) -> None:
    found = read(row)
    assert len(found.jobs) + len(found.never_started) == 1
    (one,) = found.quarantined
    (column,) = row
    assert one.reason.en.startswith(column)


def test_sentinels_are_unknown_without_ado() -> None:
    found = read({"ConsumedEnergyRaw": "18446744073709551614", "TimelimitRaw": "UNLIMITED"})
    assert not found.quarantined
    assert (found.jobs[0].energy_j, found.jobs[0].time_limit_s) == (None, None)


def test_half_rows_and_duplicates() -> None:
    lines = table({}, STEP, STEP, {}, {"JobIDRaw": "9", "JobID": "9"})
    lines.insert(2, "c1|7|7|mia")
    lines[-2] = lines[-2][:40]
    found = read_accounts(lines)
    assert [(job.job_id, len(job.steps)) for job in found.jobs] == [("7", 1)]
    assert sorted(one.reason.en for one in found.quarantined) == ["duplicate"] * 2 + ["incomplete row"] * 2


def test_what_is_not_over_is_no_job_yet() -> None:
    rows = [
        {"JobIDRaw": str(n), "JobID": str(n), "State": state, "Start": start, "End": end, "NodeList": nodes}
        for n, (state, start, end, nodes) in enumerate(
            [
                ("PENDING", "Unknown", "Unknown", "None assigned"),
                ("RUNNING", "1795264074", "Unknown", "n1"),
                ("SUSPENDED", "1795264074", "Unknown", "n1"),
                ("CANCELLED by 1000", "None", "1795264074", "None assigned"),
                ("CANCELLED+", "1795264074", "1795264074", "None assigned"),
            ],
            1,
        )
    ]
    found = read(*rows)
    assert (found.jobs, found.quarantined) == ([], [])
    assert [job.state for job in found.unfinished] == ["PENDING", "RUNNING", "SUSPENDED"]
    assert [job.state for job in found.never_started] == ["CANCELLED", "CANCELLED"]


def test_attempts_are_counted_in_order_or_by_slurm() -> None:
    first = {"State": "REQUEUED"}
    second = {"Submit": "1795264200", "Start": "1795264300", "End": "1795264400"}
    assert [job.restart_count for job in read(first, second).jobs] == [0, 1]
    header = (*NEEDED, RESTARTS, NAME)
    only = read_accounts(table({**second, RESTARTS: "3"}, header=header))
    assert [job.restart_count for job in only.jobs] == [3]
    assert (read(first, second).ordered, only.ordered) == ({("c1", "7")}, set())


def test_steps_of_an_attempt_that_is_put_aside_are_not_those_of_the_one_before() -> None:
    backwards = {"Submit": "1795264200", "Start": "1795264300", "End": "1795264299"}
    step = {"JobIDRaw": "7.0", "JobID": "7.0", "Start": "1795264300", "End": "1795264400"}
    found = read({"State": "REQUEUED"}, backwards, step)
    assert [(job.restart_count, job.steps) for job in found.jobs] == [(0, ())]
    assert len(found.quarantined) == 2


def test_a_number_that_is_used_again_is_another_job() -> None:
    """With Slurm's own counts and without: both are first attempts, and neither takes the other's place."""
    header = (*NEEDED, RESTARTS, NAME)
    later = {"Submit": "1826800000", "Start": "1826800100", "End": "1826800200"}
    for found in (read_accounts(table({RESTARTS: "0"}, {**later, RESTARTS: "0"}, header=header)), read({}, later)):
        assert [(job.restart_count, job.submit_ms) for job in found.jobs] == [
            (0, int(ROW["Submit"]) * 1000), (0, 1826800000_000),
        ]  # fmt: skip
        assert len({job.imported_run_id for job in found.jobs}) == 2
        assert not found.quarantined


def test_the_id_of_a_run_fits_into_its_column() -> None:
    (job,) = read({"Cluster": "c" * 40, "JobIDRaw": "4294967295", "JobID": "4294967295"}).jobs
    assert len(job.imported_run_id) == 64
    assert job.imported_run_id.endswith("-4294967295-1795264074")


SECOND = {"Submit": "1795264200", "Start": "1795264300", "End": "1795264400"}


def _moved(row: dict[str, str], step: str) -> dict[str, str]:
    return {**STEP, **row, "JobIDRaw": f"7.{step}", "JobID": f"7.{step}"}


@given(st.permutations([{"State": "REQUEUED"}, SECOND, _moved({}, "0"), _moved(SECOND, "0"), _moved(SECOND, "1")]))
def test_steps_are_of_the_attempt_in_whose_time_they_lie(shuffled: list[dict[str, str]]) -> None:
    found = read(*shuffled)
    assert [(job.restart_count, sorted(step.id for step in job.steps)) for job in found.jobs] == [
        (0, ["0"]), (1, ["0", "1"]),
    ]  # fmt: skip
    assert not found.quarantined


def test_more_than_a_node_can_hold() -> None:
    found = read({"AllocTRES": "cpu=2,mem=4G,node=1,gres/gpu:a100=99999999"})
    assert found.jobs[0].allocated.gpus is None
    assert [one.reason.en.partition(" ")[0] for one in found.quarantined] == ["AllocTRES"]
    with pytest.raises(v.StrangeValueError):
        v.Tres.read("cpu=9999999,node=1").resources()
    assert v.Tres.read("node=2,gres/gpu=112").resources().gpu_count == 112, "slices of 16 GPUs"


def test_an_end_in_the_future() -> None:
    lines = table({}, {"JobIDRaw": "8", "JobID": "8", "End": "4294967295"})
    found = read_accounts(lines, int(ROW["End"]) * 1000)
    assert [job.job_id for job in found.jobs] == ["7"]
    assert [one.reason.en for one in found.quarantined] == ["the end is in the future"]


def test_the_night_in_which_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        begin, end = "2026-10-25T02:50:00", "2026-10-25T02:20:00"  # half an hour later
        (job,) = read({"Submit": begin, "Start": begin, "End": end, "ElapsedRaw": "1800"}).jobs
        assert job.start_ms is not None
        assert job.end_ms == job.start_ms + 1_800_000
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_year_is_no_limit() -> None:
    assert read({"TimelimitRaw": "525600"}).jobs[0].time_limit_s is None


def test_what_editors_and_sacct_p_make_of_it() -> None:
    lines = table({}, {"JobIDRaw": "8", "JobID": "8", NAME: "a\nb"})
    found = read_accounts([f"\ufeff{lines[0]}|\r", *"|\r\n".join(lines[1:]).split("\n")])
    assert [(job.job_id, job.name) for job in found.jobs] == [("7", "train"), ("8", "a\ufffdb")]
    assert not found.quarantined


def test_a_name_may_hold_anything() -> None:
    """What is asked of sacct itself has a delimiter that nobody can guess: a name cannot look like another row."""
    forged = "x\n" + "|".join({**ROW, "JobIDRaw": "666"}.values())
    text = "\n".join(table({NAME: forged}, {"JobIDRaw": "8", "JobID": "8"}, delimiter="|a1b2|"))
    found = read_accounts(text.split("\n"))
    assert [job.job_id for job in found.jobs] == ["7", "8"]
    assert found.jobs[0].name.startswith("x\ufffdc1|666")
    assert found.jobs[0].name.isprintable()


@pytest.mark.parametrize("lines", [[], [""], ["hello"], ["JobID|State"], ["Slurm accounting storage is disabled"]])
def test_what_is_no_table(lines: list[str]) -> None:
    with pytest.raises(NotATableError):
        read_accounts(lines)


@settings(max_examples=50)
@given(st.lists(st.text(max_size=80)), st.binary(max_size=200))
def test_nothing_ends_the_reading(lines: list[str], raw: bytes) -> None:
    found = read_accounts([*table({}), *lines, *raw.decode(errors="replace").split("\n")])
    assert found.jobs[0].key == ("c1", "7", 1795264074000)


@settings(max_examples=60)
@given(st.data())
def test_any_value_in_any_column(data: st.DataObject) -> None:
    strange = st.text(max_size=20) | st.sampled_from(
        ["-1", "4657935875538157568", "Unknown", "None", "1e9", "nan", "٣"]
    )
    row = {name: data.draw(strange) for name in data.draw(st.sets(st.sampled_from(HEADER), max_size=4))}
    row = {name: text.replace("\n", " ").replace("|", "/") for name, text in row.items()}
    found = read(row)
    for job in found.jobs:
        assert job.elapsed_s is None or job.elapsed_s >= 0
        assert job.energy_j is None or job.energy_j > 0
        assert job.state in STATES
        assert BatchJob.from_json(json.loads(json.dumps(job.to_json()))) == job


@given(st.integers(0, 10**8))
def test_durations_read_back(ms: int) -> None:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    total_s = ((days * 24 + hours) * 60 + minutes) * 60 + seconds + ms / 1000
    assert v.duration_s(f"{days}-{hours:02}:{minutes:02}:{seconds:02}.{ms:03}") == pytest.approx(total_s)


def test_gpus_of_both_kinds() -> None:
    assert v.Tres.read("gres/gpu=4,gres/gpu:a100=3").resources().gpus == {"a100": 3, "": 1}
    assert v.Tres.read("cpu=1,mem=0,node=1").resources().memory_bytes is None
