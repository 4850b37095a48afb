"""What Slurm says of a job. Recorded from Slurm 22.05 (text), 24.11 and 25.11 (JSON; unused fields left out)."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.errors import ConfigError, GreenAIError, NotFoundError
from greenai.host import this_host
from greenai.host.commands import NOT_FOUND, TIMEOUT, CommandResult
from greenai.slurm.ask import ask_job, slurm_environ
from greenai.slurm.job_facts import (
    NO_GPUS,
    Gpus,
    JobFacts,
    NodeAllocation,
    gpus_of,
    number_list,
    whole_job,
)
from greenai.slurm.job_json import parse_json
from greenai.slurm.job_text import parse_text
from greenai.testing import FakeMachine

from .cluster.processes import until

if TYPE_CHECKING:
    from .cluster import Cluster

FIXTURES = Path(__file__).parent / "fixtures" / "scontrol"
MIB = 1 << 20


def recorded(name: str) -> str:
    return (FIXTURES / name).read_text()


def job(name: str) -> JobFacts:
    (found,) = parse_text(recorded(f"22.05-{name}.txt"))
    return found


# --- text


def test_a_job_with_two_nodes_to_itself() -> None:
    gpus = Gpus(4, (0, 1, 2, 3))
    found = job("exclusive")
    assert found == JobFacts(
        job_id=found.job_id, user_name="ada", name="two words=x|y", account="climate", partition="main",
        nodes=tuple(NodeAllocation(name, 4, None, gpus) for name in ("d1", "d2")), exclusive=True,
    )  # fmt: skip


def test_a_job_on_a_shared_node() -> None:
    found = job("shared")
    (node,) = found.nodes
    assert found.exclusive is False
    assert (node.name, node.cpus, node.gpus) == ("d1", 2, Gpus(2, (0, 1)))


def test_nodes_with_different_shares() -> None:
    found = job("two_nodes")
    assert [(node.name, node.cpus, node.gpus) for node in found.nodes] == [
        ("d2", 2, Gpus(1, (0,))), ("d3", 1, Gpus(1, (0,))),
    ]  # fmt: skip
    assert found.node("d3") is found.nodes[1]
    assert found.node("d1") is None


def test_memory_that_slurm_shares_out() -> None:
    text = recorded("22.05-shared.txt")
    for mem, expected in {"Mem=2000": 2000 * MIB, "Mem=1.50G": 1536 * MIB, "Mem=0": None, "Mem=?": None}.items():
        (found,) = parse_text(text.replace("Mem=0", mem))
        assert found.nodes[0].memory_bytes == expected


def test_a_job_that_is_ending_keeps_its_nodes_and_its_gpus_are_not_forgotten_to_be_none() -> None:
    for name in ("completing", "cancelled"):
        assert [(node.name, node.gpus) for node in job(name).nodes] == [("d1", None), ("d2", None)]


@pytest.mark.parametrize(("name", "nodes"), [("held", 0), ("requeued_pending", 0), ("requeued", 1), ("failed", 1)])
def test_a_job_that_waits_has_no_nodes(name: str, nodes: int) -> None:
    assert len(job(name).nodes) == nodes


def test_an_array_is_its_elements_and_only_the_one_asked_for_is_meant() -> None:
    jobs = parse_text(recorded("22.05-array.txt"))
    waiting, *running = jobs
    assert (waiting.array_task_id, [job.array_task_id for job in running]) == (None, [2, 1])
    assert {job.array_job_id for job in jobs} == {waiting.job_id}
    assert whole_job(jobs, running[1].job_id) == (running[1],)


def test_a_heterogeneous_job_is_all_its_components() -> None:
    jobs = parse_text(recorded("22.05-het.txt"))
    leader = jobs[0].job_id
    assert [(job.het_job_id, job.het_offset, job.nodes[0].name) for job in whole_job(jobs[::-1], leader)] == [
        (leader, 0, "d1"), (leader, 1, "d2"),
    ]  # fmt: skip
    assert whole_job(jobs, leader + 1) == (jobs[1],)
    with pytest.raises(LookupError):
        whole_job(jobs[1:], leader)
    with pytest.raises(ValueError, match="several"):
        whole_job([*jobs, jobs[0]], leader)


def test_a_name_that_forges_another_user_is_no_answer() -> None:
    with pytest.raises(ValueError, match="there twice: GroupId, UserId"):
        parse_text(recorded("22.05-forged.txt"))


@pytest.mark.parametrize("place", ["JobName=s.sh", "WorkDir=/home/ada/jobs"])
@pytest.mark.parametrize("forged", ["", "   JOB_GRES=gpu:9\n", "JobId=2 JobName=x\n", "   UserId=eve(0)\n"])
def test_names_with_line_ends_give_no_job_another_node(place: str, forged: str) -> None:
    node = "     Nodes=d9 CPU_IDs=0 Mem=0 GRES=gpu:9(IDX:0-8)"
    try:
        jobs = parse_text(recorded("22.05-shared.txt").replace(place, f"{place}\n{forged}{node}"))
    except ValueError:
        return
    assert [node.name for job in jobs for node in job.nodes] == ["d1"]


@pytest.mark.parametrize("missing", ["UserId=ada(1000)", "JobState=RUNNING"])
def test_without_a_user_or_a_state_it_is_no_answer(missing: str) -> None:
    with pytest.raises(ValueError, match="no user or no state"):
        parse_text(recorded("22.05-shared.txt").replace(missing, ""))


def test_no_job_in_any_other_output() -> None:
    assert parse_text("") == ()
    assert parse_text("No jobs in the system\n") == ()


@given(cut=st.integers(0, 1300))
def test_half_an_answer_is_a_value_error_or_less(cut: int) -> None:
    try:
        jobs = parse_text(recorded("22.05-two_nodes.txt")[:cut])
    except ValueError:
        return
    assert all(job.user_name == "ada" for job in jobs)


# --- generic resources


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [
        ("", NO_GPUS),
        ("(null)", NO_GPUS),
        ("nic:2,shard:a100:4(0/8)", NO_GPUS),
        ("gpu:a100:2(IDX:0-1)", Gpus(2, (0, 1))),
        ("gpu(IDX:0,2)", Gpus(2, (0, 2))),
        ("gpu:4(IDX:0,2-3,7)", Gpus(4, (0, 2, 3, 7))),
        ("gres:gpu:2", Gpus(2, None)),
        ("cpu=4,gres/gpu=2", Gpus(2, None)),
        ("gpu:a100:1(IDX:3),nic:1,gpu:v100:1(IDX:0)", Gpus(2, (0, 3))),
        ("gpu:gh200:1(IDX:0),gpu:gh200:1", Gpus(2, None)),
        ("gpu:1g.5gb:2(IDX:0-1)", Gpus(2, None)),
        ("gpu:a100_3g.20gb:1(IDX:0)", Gpus(1, None)),
        ("gpu:a100:0", NO_GPUS),
        ("gpu", Gpus(1, None)),
        ("gpu:x:y:z", None),
        ("gpumem:80", NO_GPUS),
    ],
)
def test_generic_resources(gres: str, gpus: Gpus | None) -> None:
    assert gpus_of(gres) == gpus


@pytest.mark.parametrize("text", ["x", "1-", "0-9999999", "0-999999", "1;2"])
def test_no_list_of_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="numbers"):
        number_list(text)


# --- JSON


@pytest.mark.parametrize("version", ["24.11", "25.11"])
def test_newer_versions(version: str) -> None:
    (found,) = parse_json(recorded(f"{version}-running.json"))
    assert found == JobFacts(
        job_id=1, user_name="root", name="jj.sh", account="root", partition="main", exclusive=False,
        nodes=(NodeAllocation("n1", 2, gpus=NO_GPUS), NodeAllocation("n2", 2, gpus=NO_GPUS)),
    )  # fmt: skip


def changed(**fields: Any) -> JobFacts:
    document = json.loads(recorded("25.11-running.json"))
    document["jobs"][0] |= fields
    (found,) = parse_json(json.dumps(document))
    return found


def number(value: int) -> dict[str, Any]:
    return {"set": True, "infinite": False, "number": value}


def test_what_the_recorded_job_did_not_have() -> None:
    gres = ["gpu:a100:2(IDX:0-1)", "gpu:a100:1(IDX:3)"]
    found = changed(gres_detail=gres, tres_alloc_str="cpu=4,gres/gpu=3,gres/gpu:a100=3", shared=["none"])
    assert [node.gpus for node in found.nodes] == [Gpus(2, (0, 1)), Gpus(1, (3,))]
    assert found.exclusive is True
    assert [n.gpus for n in changed(gres_detail=[], tres_alloc_str="gres/gpu=3").nodes] == [None, None]
    found = changed(
        array_job_id=number(7), array_task_id=number(0), het_job_id=number(8), het_job_offset=number(1),
        job_resources=None,
    )  # fmt: skip
    assert (found.array_job_id, found.array_task_id, found.het_job_id, found.het_offset) == (7, 0, 8, 1)
    endless = changed(array_job_id={"set": True, "infinite": True, "number": 7}, array_task_id=number(0))
    assert (endless.array_job_id, endless.array_task_id) == (None, None)
    assert found.nodes == (NodeAllocation("n1"), NodeAllocation("n2"))


@pytest.mark.parametrize("output", ["", "{", "[]", "{}", '{"jobs": 5}', '{"jobs": [{}]}', '{"jobs": [5]}', "null"])
def test_what_is_no_answer_in_json(output: str) -> None:
    with pytest.raises(ValueError):  # json's own, too
        parse_json(output)


# --- asking


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine")


def test_json_is_asked_for_first_and_one_question_is_enough(machine: FakeMachine) -> None:
    machine.commands["scontrol --json -d show job 1"] = recorded("24.11-running.json")
    assert [job.job_id for job in ask_job(machine.host, 1)] == [1]


def test_an_older_slurm_is_asked_for_text(machine: FakeMachine) -> None:
    text = recorded("22.05-array.txt")
    element = parse_text(text)[1]
    machine.commands[f"scontrol -d show job {element.job_id}"] = text
    assert ask_job(machine.host, element.job_id) == (element,)


@pytest.mark.parametrize(
    ("reason", "kind", "message"),
    [
        (NOT_FOUND, ConfigError, "There is no Slurm here"),
        (TIMEOUT, GreenAIError, "did not answer"),
        ("slurm_load_jobs error: Invalid job id specified", NotFoundError, "knows no job 5"),
        (
            "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
            GreenAIError,
            "connect fail",
        ),
    ],
)
def test_each_trouble_has_one_clear_message(
    machine: FakeMachine,
    monkeypatch: pytest.MonkeyPatch,
    reason: str,
    kind: type[GreenAIError],
    message: str,
) -> None:
    monkeypatch.setattr(FakeMachine, "_run_command", lambda *_: CommandResult("", reason))
    with pytest.raises(kind, match=message) as error:
        ask_job(machine.host, 5)
    assert type(error.value) is kind


@pytest.mark.parametrize("output", ["No jobs in the system", '{"jobs": []}'])
def test_an_empty_answer_is_an_unknown_job(machine: FakeMachine, output: str) -> None:
    how = "--json " if output.startswith("{") else ""
    machine.commands[f"scontrol {how}-d show job 5"] = output
    with pytest.raises(NotFoundError, match="no job 5"):
        ask_job(machine.host, 5)


def test_an_answer_that_cannot_be_understood_is_said(machine: FakeMachine) -> None:
    machine.commands["scontrol -d show job 5"] = "JobId=5 JobName=x\n"
    with pytest.raises(GreenAIError, match="cannot be understood: no user"):
        ask_job(machine.host, 5)


def test_slurm_finds_its_configuration_and_we_its_programs() -> None:
    environ = slurm_environ({"SLURM_CONF": "/x", "PATH": "/opt/site/bin", "LC_ALL": "de_DE"})
    assert (environ["SLURM_CONF"], environ["LC_ALL"]) == ("/x", "C")
    assert environ["PATH"].split(":")[:2] == ["/opt/site/bin", "/usr/local/bin"]
    assert slurm_environ({})["PATH"].startswith("/usr/local/bin")


@pytest.mark.slow
def test_a_real_job(cluster: Cluster) -> None:
    host = replace(this_host(), environ={"PATH": os.environ["PATH"], "SLURM_CONF": str(cluster.conf)})
    number = int(cluster.sbatch("sleep 30", "-N2", "-n3", "-t5"))
    (found,) = until("it to run", lambda: [job for job in ask_job(host, number) if job.nodes])
    assert (found.exclusive, len(found.nodes), found.user_name) == (False, 2, "root")
    with pytest.raises(NotFoundError):
        ask_job(host, number + 1000)
