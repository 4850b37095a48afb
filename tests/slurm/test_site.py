"""A site's own collectors: what Prolog and Epilog read from their environment, notes, and the files for administrators."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from typing import TYPE_CHECKING

import pytest

from greenai.cli.main import run
from greenai.core.errors import ConfigError
from greenai.core.vocabulary import Role
from greenai.host.processes import start_ticks
from greenai.journal.reader import read_run
from greenai.settings import load_settings
from greenai.settings.load import parse_value
from greenai.slurm.collectors import start_collectors
from greenai.slurm.job_facts import NO_GPUS, JobFacts, NodeAllocation
from greenai.slurm.order import Order, ScriptEnd
from greenai.slurm.site import collect, notes, prolog
from greenai.slurm.site.epilog import stop
from greenai.slurm.site.files import SITE_FILES
from greenai.slurm.site.job import SiteJob, exit_code
from greenai.slurm.site.joined import JoinedRun
from greenai.slurm.site.notes import JobNote, announcement, note_path, read_note, site_run, write_note
from greenai.slurm.site.question import answer, question

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# As Slurm 22.05 has it.
PROLOG = {
    "SLURMD_NODENAME": "n2", "SLURM_CLUSTER_NAME": "greenai", "SLURM_CONF": "/etc/slurm/slurm.conf",
    "SLURM_JOBID": "5", "SLURM_JOB_ID": "5", "SLURM_JOB_CPUS_PER_NODE": "1(x2)", "SLURM_JOB_UID": "65534",
    "SLURM_JOB_GID": "65534", "SLURM_JOB_USER": "nobody", "SLURM_JOB_PARTITION": "main", "SLURM_JOB_ACCOUNT": "phys",
    "SLURM_JOB_RESTART_COUNT": "0", "SLURM_NODELIST": "n[1-3]", "SLURM_SCRIPT_CONTEXT": "prolog_slurmd",
}  # fmt: skip


def test_a_prologs_environment() -> None:
    job = SiteJob.of(PROLOG)
    assert (job.run_id, job.nodes, job.user_id, job.node) == ("job-greenai-5-0", ("n1", "n2", "n3"), 65534, "n2")
    assert "SLURM_RESTART_COUNT" not in job.environ
    assert job.facts == {
        "job_id": "5", "restart_count": "0", "cluster": "greenai", "partition": "main", "account": "phys",
        "nodelist": "n[1-3]", "measured_by": "site",
    }  # fmt: skip


def test_a_requeued_job_and_a_newer_slurm() -> None:
    newer = {**PROLOG, "SLURM_JOB_RESTART_COUNT": "2", "SLURM_JOB_NODELIST": "n2", "SLURM_NODELIST": ""}
    job = SiteJob.of(newer)
    assert (job.run_id, job.nodes, job.environ["SLURM_RESTART_COUNT"]) == ("job-greenai-5-2", ("n2",), "2")


def test_components_of_a_heterogeneous_job_share_a_run() -> None:
    job = SiteJob.of({**PROLOG, "SLURM_HET_JOB_ID": "4"})
    assert (job.run_id, job.component_id, job.environ["SLURM_JOB_ID"]) == ("job-greenai-4-0", 5, "5")
    assert job.facts["het_job_id"] == job.facts["job_id"] == "4"


@pytest.mark.parametrize("change", [{"SLURM_JOB_ID": "x"}, {"SLURMD_NODENAME": "../x"}, {"SLURM_JOB_UID": ""}])
def test_what_is_no_prologs_environment(change: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        SiteJob.of({**PROLOG, **change})


def test_a_clusters_name_is_no_path() -> None:
    assert SiteJob.of({**PROLOG, "SLURM_CLUSTER_NAME": "../a b"}).run_id == "job-.._a_b-5-0"
    assert len(SiteJob.of({**PROLOG, "SLURM_CLUSTER_NAME": "c" * 99}).run_id) <= 64


@pytest.mark.parametrize(("status", "code"), [("0", 0), ("768", 3), ("9", -9), ("", None), ("4294967294", None)])
def test_exit_codes(status: str, code: int | None) -> None:
    assert exit_code({"SLURM_JOB_EXIT_CODE": status}) == code


def test_slurm_completes_the_order() -> None:
    order = Order("r", "/s", "job 5", {}, SiteJob.of(PROLOG).facts, ("n1", "n2"), until_sigterm=True)
    job = JobFacts(
        5, (NodeAllocation("n1"), NodeAllocation("n2", 2, gpus=NO_GPUS)), array_job_id=3,
        array_task_id=1, name="train", exclusive=False,
    )  # fmt: skip
    found = collect.completed(order, [job], {"SLURM_JOB_ID": "5", "SLURMD_NODENAME": "n2"})
    assert (found.name, found.slurm["array_job_id"], found.slurm["array_task_id"]) == ("train", "3", "1")
    assert found.exclusive is False
    assert found.environ["n2"]["CUDA_VISIBLE_DEVICES"] == ""  # others' GPUs are none of ours
    assert found.until_sigterm


def test_the_folder_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "is_own", lambda _: False)
    with pytest.raises(ConfigError, match="somebody else's"):
        collect.prepare((), Order("r", str(tmp_path), "n", {}, {"job_id": "5"}, ("n1",)))


def test_a_busy_controller_costs_no_measurement(tmp_path: Path) -> None:
    (tmp_path / "scontrol").write_text("#!/bin/sh\nexec sleep 5\n")
    (tmp_path / "scontrol").chmod(0o755)
    begin_s = time.monotonic()
    jobs = answer("5", {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert time.monotonic() - begin_s < 3
    order = Order("r", str(tmp_path), "n", {}, {"job_id": "5"}, ("n1",))
    assert collect.prepare(jobs, order) == order


def test_a_large_job_asks_nothing(tmp_path: Path) -> None:
    job = SiteJob.of({**PROLOG, "SLURM_NODELIST": "n[1-65]"})
    (tmp_path / "scontrol").symlink_to("/bin/false")
    assert answer(question(job), {"PATH": str(tmp_path)}) == ()
    assert question(job) == "-"
    assert question(SiteJob.of({**PROLOG, "SLURM_HET_JOB_ID": "4"})) == "4"


def test_job_numbers_come_again(tmp_path: Path) -> None:
    job = SiteJob.of({**PROLOG, "SLURM_JOB_UID": str(os.getuid())})
    assert prolog._run_id(tmp_path, job) == "job-greenai-5-0"
    (tmp_path / "job-greenai-5-0").mkdir()  # by another node, just now
    assert prolog._run_id(tmp_path, job) == "job-greenai-5-0"
    os.utime(tmp_path / "job-greenai-5-0", (1e9, 1e9))
    assert prolog._run_id(tmp_path, job) == "job-greenai-5-0-2"
    others = job._replace(user_id=os.getuid() + 1)
    assert prolog._run_id(tmp_path, others) not in ("job-greenai-5-0", "job-greenai-5-0-2")


def test_root_reads_no_file_of_the_users(tmp_path: Path) -> None:
    (tmp_path / ".config/greenai").mkdir(parents=True)
    (tmp_path / ".config/greenai/config.toml").write_text("no toml")
    assert prolog._spool(str(tmp_path), {}) == tmp_path / ".local/share/greenai/spool"
    assert str(prolog._spool(str(tmp_path), {"GREENAI_SPOOL": "/all/spool"})) == "/all/spool"


# --- notes, and a process in place of the collector

STAND_IN = """
import os, signal, sys
def end(*_):
    os.set_blocking(0, False)
    try: open(sys.argv[1], "wb").write(os.read(0, 99))
    except OSError: open(sys.argv[1], "wb").write(b"nothing")
    os._exit(0)
signal.signal(signal.SIGTERM, end if sys.argv[2] == "kind" else signal.SIG_IGN)
print("ready", flush=True)
while True: signal.pause()
"""


class StandIn:
    """A process that waits as a collector does, with a note on it."""

    def __init__(self, folder: Path, *, kind: bool = True) -> None:
        self.heard = folder / "heard"
        self.process = subprocess.Popen(
            [sys.executable, "-c", STAND_IN, str(self.heard), "kind" if kind else "deaf"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.readline()
        self.process.stdout.close()
        ticks = start_ticks(self.process.pid)
        assert ticks is not None
        self.note = JobNote("job-greenai-5-0", "/all/spool", 0, self.process.pid, ticks)


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    made = StandIn(tmp_path)
    write_note(note_path("n2", 5, 5, tmp_path / "notes/jobs"), made.note)
    yield made
    made.process.kill()
    made.process.wait()


IN_JOB = {"SLURM_JOB_ID": "5", "SLURMD_NODENAME": "n2"}


def test_programs_in_the_job_find_its_run(stand_in: StandIn, tmp_path: Path) -> None:
    folder = tmp_path / "notes/jobs"
    expected = "export GREENAI_RUN_ID=job-greenai-5-0\nexport GREENAI_SPOOL=/all/spool\n"
    assert announcement(IN_JOB, folder) == expected
    for other in ({"SLURMD_NODENAME": "n1"}, {"SLURM_JOB_ID": "55"}, {"SLURM_RESTART_COUNT": "1"}):
        assert announcement({**IN_JOB, **other}, folder) == ""
    assert announcement({}, folder) == announcement(IN_JOB, tmp_path / "none") == ""
    stand_in.process.kill()
    stand_in.process.wait()
    assert announcement(IN_JOB, folder) == ""


@pytest.mark.parametrize(
    ("environ", "heard"),
    [
        ({"SLURM_JOB_EXIT_CODE": "768", "SLURM_JOB_RESTART_COUNT": "0"}, ScriptEnd(3).to_line()),
        ({"SLURM_JOB_EXIT_CODE": "9"}, ScriptEnd(-9).to_line()),
        ({"SLURM_JOB_EXIT_CODE": "0", "SLURM_JOB_RESTART_COUNT": "1"}, b""),  # it was requeued
        ({}, b""),
    ],
)
def test_an_epilog_says_how_the_job_ended(
    stand_in: StandIn, tmp_path: Path, environ: dict[str, str], heard: bytes
) -> None:
    stop({**IN_JOB, **environ}, tmp_path / "notes/jobs")
    assert stand_in.process.wait(1) == 0
    assert stand_in.heard.read_bytes() == heard
    assert list((tmp_path / "notes/jobs").iterdir()) == []


def test_an_epilog_without_a_prolog(tmp_path: Path) -> None:
    stop(IN_JOB, tmp_path / "none")


def test_an_epilog_does_not_wait_for_long(tmp_path: Path) -> None:
    deaf = StandIn(tmp_path, kind=False)
    write_note(note_path("n2", 5, 5, tmp_path / "notes"), deaf.note)
    begin_s = time.monotonic()
    stop(IN_JOB, tmp_path / "notes")
    assert deaf.process.wait(1) == -signal.SIGKILL
    assert time.monotonic() - begin_s < 2.5


def test_a_number_that_is_another_process_by_now_is_left_alone(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = stand_in.note._replace(start_ticks=1)
    write_note(note_path("n2", 5, 5, tmp_path / "other"), gone)
    reported: list[JobNote] = []
    monkeypatch.setattr("greenai.slurm.site.died.report", lambda _, note: reported.append(note))
    stop(IN_JOB, tmp_path / "other")
    assert stand_in.process.poll() is None
    assert reported == [gone]
    assert list((tmp_path / "other").iterdir()) == []


def test_a_prolog_that_is_called_twice_starts_nothing(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("started"))
    prolog.start(PROLOG, tmp_path / "notes/jobs")
    assert stand_in.process.poll() is None


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"pid": "x"}', "\x00"])
def test_notes_that_are_none(tmp_path: Path, content: str) -> None:
    path = note_path("n2", 5, 5, tmp_path)
    path.write_text(content)
    assert read_note(path) is None
    assert site_run(IN_JOB, tmp_path) is None
    stop(IN_JOB, tmp_path)
    assert not path.exists()


def test_a_submitted_job_joins_the_sites_run(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spool/job-greenai-5-0").mkdir(parents=True)
    write_note(note_path("n2", 5, 5, tmp_path / "n"), stand_in.note._replace(spool=str(tmp_path / "spool")))
    monkeypatch.setattr(notes, "NOTES", tmp_path / "n")
    monkeypatch.setattr("greenai.slurm.collectors.site_run", lambda environ: site_run(environ, tmp_path / "n"))
    for name, value in IN_JOB.items():
        monkeypatch.setenv(name, value)
    joined = start_collectors(["--project=churn", "--tag=a=b"], "")
    assert isinstance(joined, JoinedRun)
    assert joined.environ == {"GREENAI_RUN_ID": "job-greenai-5-0", "GREENAI_SPOOL": str(tmp_path / "spool")}
    joined.end(0)
    process, *others = read_run(tmp_path / "spool/job-greenai-5-0").processes
    assert not others
    assert (process.role, process.meta["project"], process.meta["tags"]) == (Role.MEMBER, "churn", {"a": "b"})


# --- the files


def test_the_sites_settings_are_settings(tmp_path: Path) -> None:
    text = next(file.text() for file in SITE_FILES if file.name == "config.toml")
    commented = [line.removeprefix("# ") for line in text.splitlines() if " = " in line and line[:2] in ("# ", "")]
    for source in (text, "\n".join(commented)):
        for key, value in tomllib.loads(source).items():
            parse_value(key, value, "config.toml")
    (tmp_path / "greenai.toml").write_text(text)
    assert str(load_settings(folder=tmp_path, environ={}).spool) == tomllib.loads(text)["spool"]


@pytest.mark.parametrize("name", ["prolog", "epilog", "task_prolog"])
def test_scripts_never_fail_without_greenai(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/not there/python")
    script = tmp_path / name
    script.write_text(next(file.text() for file in SITE_FILES if file.name == name))
    assert shlex.quote("/not there/python") in script.read_text()
    done = subprocess.run(["/bin/sh", str(script)], capture_output=True, env={"SLURM_JOB_ID": "5"}, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_program_never_fails_either() -> None:
    for word in ("start", "stop", "announce", "", "nonsense"):
        command = [sys.executable, "-I", "-m", "greenai.slurm.site", word]
        done = subprocess.run(command, env={"SLURM_JOB_ID": "x"}, capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (0, b""), word


def test_not_even_where_there_is_no_log() -> None:
    code = (
        "import sys, syslog\n"
        "syslog.openlog = None\n"
        "sys.argv[1:] = ['start']\n"
        "from greenai.slurm.site.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"SLURM_JOB_ID": "x"}, check=False)
    assert done.returncode == 0


def test_a_user_who_cannot_read_python_costs_a_line_in_the_log() -> None:
    code = (
        "import sys, syslog\n"
        "from greenai.slurm.site import privileges\n"
        "from greenai.slurm.site.__main__ import main\n"
        "privileges.become = lambda *_: sys.meta_path.clear()\n"
        "syslog.syslog = lambda _, message: print(message)\n"
        "sys.argv[1:] = ['collect', '-', '1', '1']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith("collect: ModuleNotFoundError")


def test_the_command_lists_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["slurm", "site"]) == 0
    listed = capsys.readouterr().out
    assert all(file.name in listed and file.place in listed for file in SITE_FILES)
    assert run(["slurm", "site", "prolog"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("#!/bin/sh\n")
    assert sys.executable in printed
    assert run(["slurm", "site", "-o", str(tmp_path / "new")]) == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == {file.name for file in SITE_FILES}
    assert os.access(tmp_path / "new/prolog", os.X_OK)
    assert "{" + "python}" not in "".join(path.read_text() for path in (tmp_path / "new").iterdir())
    assert run(["slurm", "site", "proolog"]) != 0
    assert "proolog" in capsys.readouterr().err


def test_the_services_that_run_as_root_write_nothing_of_the_users() -> None:
    texts = {file.name: file.text() for file in SITE_FILES}
    assert "CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_CHOWN CAP_FOWNER\n" in texts["greenai-ingest.service"]
    assert "--no-links" in texts["greenai-ingest.service"]
    assert "RuntimeDirectoryPreserve=yes" in texts["greenai-agent.service"]  # notes outlive the agent
