"""What Slurm's accounting adds to a run: how it ended, where its own journals do not say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from greenai.core.accounting import is_partly_tracked, run_state, tracked_s, with_accounting
from greenai.core.batch_job import STATES, BatchJob, BatchStep
from greenai.core.record import JournalFacts, RunRecord, Work
from greenai.core.run_energy import Energy
from greenai.core.vocabulary import RunState

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "run-record.schema.json").read_text(encoding="utf-8"))
STEPS = (
    BatchStep("batch", "batch", "COMPLETED", 0),
    BatchStep("0", "train", "CANCELLED", 0, 15, start_ms=1000, end_ms=2000, elapsed_s=1),
    BatchStep("1", "greenai", "COMPLETED", 0),
)


def job(state: str, exit_code: int | None = 0, signal: int | None = None) -> BatchJob:
    return BatchJob(
        "c1", "7", 0, "train", state, exit_code=exit_code, signal=signal, submit_ms=500, start_ms=1000,
        end_ms=9000, elapsed_s=8, steps=STEPS,
    )  # fmt: skip


def record(state: RunState, exit_code: int | None = None, **slurm: str) -> RunRecord:
    return RunRecord(
        id="r", name="n", project=None, task=None, approach=None, phase=None, state=state, exit_code=exit_code,
        error=None, started_ms=1000, ended_ms=None if state is RunState.RUNNING else 5000, duration_s=4.0, hosts=("n1",),
        user=None, git_commit=None, tags={}, slurm={"job_id": "7", **slurm}, environment={},
        energy=Energy(None, None, None, None, "machine", None, ()), windows=(), work=Work(0.0, None, None), metrics=(),
        incidents=(), journal=JournalFacts(1, 0, "0" * 64),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("accounted", "state", "exit_code"),
    [
        (job("COMPLETED"), RunState.COMPLETED, 0),
        (job("FAILED", 3), RunState.FAILED, 3),
        (job("OUT_OF_MEMORY", 0, 9), RunState.FAILED, 137),
        (job("TIMEOUT"), RunState.KILLED, None),
        (job("CANCELLED"), RunState.KILLED, None),
        (job("NODE_FAIL"), RunState.KILLED, None),
        (job("REQUEUED"), RunState.KILLED, None),
    ],
)
@pytest.mark.parametrize("before", [RunState.RUNNING, RunState.LOST, RunState.KILLED])
def test_an_open_run_takes_the_jobs_end(
    before: RunState, accounted: BatchJob, state: RunState, exit_code: int | None
) -> None:
    found = with_accounting(record(before), accounted)
    assert (found.state, found.exit_code) == (state, exit_code)
    assert found.ended_ms == (9000 if before is RunState.RUNNING else 5000)


@pytest.mark.parametrize(
    ("before", "exit_code"), [(RunState.COMPLETED, 0), (RunState.FAILED, 1), (RunState.KILLED, 137)]
)
def test_what_the_journals_saw_stays(before: RunState, exit_code: int) -> None:
    found = with_accounting(record(before, exit_code), job("TIMEOUT"))
    assert (found.state, found.exit_code, found.ended_ms) == (before, exit_code, 5000)
    assert found.accounting is not None


def test_a_sites_own_collectors_did_not_see_the_end() -> None:
    found = with_accounting(record(RunState.COMPLETED, 0, measured_by="site"), job("CANCELLED"))
    assert (found.state, found.exit_code) == (RunState.KILLED, None)


def test_a_job_that_goes_on_ends_nothing() -> None:
    assert with_accounting(record(RunState.LOST), job("RUNNING")).state is RunState.LOST


@pytest.mark.parametrize(
    ("step_id", "state", "exit_code"),
    [("0", RunState.KILLED, 143), ("1", RunState.COMPLETED, 0), ("9", RunState.LOST, None)],
    ids=["its step", "our collector's step stands for the job", "a step that nobody knows"],
)
def test_a_run_in_a_step(step_id: str, state: RunState, exit_code: int | None) -> None:
    found = with_accounting(record(RunState.LOST, step_id=step_id), job("COMPLETED"))
    assert (found.state, found.exit_code) == (state, exit_code)


def test_a_run_that_breaks_off_before_its_job_is_incomplete() -> None:
    """A collector that was killed: Slurm says COMPLETED, but for half of the time there is no reading."""
    found = with_accounting(record(RunState.LOST), job("COMPLETED"))
    (incident,) = found.incidents
    assert (found.state, found.incomplete, incident.code) == (RunState.COMPLETED, True, "energy_incomplete")
    assert "for 4.00 s of 8.00 s there is no reading" in incident.message.en.replace("\u202f", " ")
    assert with_accounting(found, job("COMPLETED")).incidents == (incident,)


def test_a_sites_run_that_breaks_off_says_so_once() -> None:
    found = with_accounting(record(RunState.LOST, measured_by="site"), job("TIMEOUT"))
    assert len(found.incidents) == 1
    assert with_accounting(found, job("TIMEOUT")).incidents == found.incidents
    closed = with_accounting(record(RunState.COMPLETED, 0, measured_by="site"), job("COMPLETED"))
    assert closed.incidents == (), "its journal has a last word"


@pytest.mark.parametrize("step_id", ["0", "9"], ids=["its step ended before", "a step that nobody knows"])
def test_a_step_may_end_before_its_job(step_id: str) -> None:
    assert with_accounting(record(RunState.LOST, step_id=step_id), job("COMPLETED")).incidents == ()


def test_a_job_of_which_one_step_was_tracked() -> None:
    tracked = record(RunState.COMPLETED, 0, step_id="0")
    beside, after = replace(tracked, started_ms=3000), replace(tracked, started_ms=5000)
    assert (tracked_s([tracked]), tracked_s([tracked, beside]), tracked_s([after, tracked])) == (4.0, 6.0, 8.0)
    assert is_partly_tracked(job("COMPLETED"), [tracked])
    assert not is_partly_tracked(job("COMPLETED"), [tracked, after])


def test_every_final_state_but_revoked_has_a_word() -> None:
    final = {state for state in STATES if BatchJob("c", "1", 0, "n", state).is_final}
    assert {state for state in final if run_state(job(state)) is None} == {"REVOKED"}


def test_it_is_published_as_promised() -> None:
    published = with_accounting(record(RunState.LOST), job("TIMEOUT")).to_dict()
    faults = [f"{e.json_path}: {e.message}" for e in Draft202012Validator(SCHEMA).iter_errors(published)]
    assert faults == []
    accounting = published["slurm"]["accounting"]
    assert (accounting["state"], accounting["start_at"]) == ("TIMEOUT", "1970-01-01T00:00:01.000Z")
    assert accounting["steps"][1]["end_at"] == "1970-01-01T00:00:02.000Z"
    assert published["slurm"]["job_id"] == "7"
