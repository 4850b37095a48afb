"""The batch step and a collector on one machine, with a program that stands in for srun: it runs one task here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.account import account
from greenai.core.vocabulary import Role, RunState
from greenai.journal.reader import read_run

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.core.record import RunRecord

NODE = os.uname().nodename

SRUN = """#!/bin/sh
echo "$*" >>"$HOME/srun"
env >"$HOME/environ"
while [ "${1#-}" != "$1" ]; do shift; done
SLURMD_NODENAME=$(uname -n) SLURM_STEP_ID=0 exec "$@"
"""


@dataclass
class Job:
    """A batch job on this machine."""

    home: Path
    spool: Path

    def start(self, script: str, *options: str, **environ: str) -> subprocess.Popen[str]:
        folder = self.home / "greenai-x"
        folder.mkdir(exist_ok=True)
        (folder / "slurm_script").write_text(script)
        return subprocess.Popen(
            [
                sys.executable, "-P", "-m", "greenai.slurm.batch", f"--spool={self.spool}", *options, "--",
                str(folder), "/bin/bash", str(folder / "slurm_script"), "a", "b c",
            ],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd=self.home,
            env={
                "PATH": f"{self.home}/bin:{os.environ['PATH']}", "HOME": str(self.home), "SLURM_JOB_ID": "4711",
                "SLURM_JOB_NODELIST": NODE, "SLURM_JOB_NAME": "fit", "SLURM_CLUSTER_NAME": "test",
                "SLURM_NTASKS": "64", "SLURM_CPU_BIND": "cores", "LC_ALL": "C", **environ,
            },
        )  # fmt: skip

    def run(self, script: str, *options: str, **environ: str) -> tuple[int, str, str]:
        process = self.start(script, *options, **environ)
        out, errors = process.communicate(timeout=60)
        return process.returncode, out, errors

    def record(self) -> RunRecord:
        (folder,) = self.spool.iterdir()
        return account(read_run(folder)).record

    def wait_for(self, pattern: str) -> Path:
        end_s = time.monotonic() + 20
        while time.monotonic() < end_s:
            if found := list(self.home.rglob(pattern)):
                return found[0]
            time.sleep(0.02)
        raise AssertionError(pattern)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "srun").write_text(SRUN)
    (tmp_path / "bin" / "srun").chmod(0o755)
    return Job(tmp_path, tmp_path / "spool")


def test_a_job_is_a_run(job: Job) -> None:
    code, out, errors = job.run(
        'echo "$# $GREENAI_RUN_ID"; sleep 0.5; exit 3', "--project=churn", "--tag=team=a=b"
    )
    record = job.record()
    assert (code, out, errors) == (3, f"2 {record.id}\n", "")
    assert (record.name, record.project, record.tags, record.state, record.exit_code) == (
        "fit", "churn", {"team": "a=b"}, RunState.FAILED, 3,
    )  # fmt: skip
    assert record.slurm == {
        "job_id": "4711", "job_name": "fit", "cluster": "test", "nodelist": NODE, "restart_count": "0",
    }  # fmt: skip
    assert record.energy.total_j
    assert 0.5 <= record.duration_s < 2.5
    assert not (job.home / "greenai-x").exists()
    assert not [
        incident for incident in record.incidents if incident.code.startswith(("node_", "owner_", "sampler"))
    ]


def test_the_step_takes_nothing_from_the_job(job: Job) -> None:
    job.run("true")
    words = (job.home / "srun").read_text().split()
    assert {"--overlap", "--mem=0", "--nodes=1", "--ntasks-per-node=1", "--kill-on-bad-exit=0"} <= set(words)
    names = {line.partition("=")[0] for line in (job.home / "environ").read_text().splitlines()}
    assert {"SLURM_JOB_ID", "SLURM_JOB_NODELIST", "SLURM_CLUSTER_NAME"} <= names
    assert not {"SLURM_NTASKS", "SLURM_CPU_BIND"} & names


def test_a_program_inside_is_a_window_of_the_run(job: Job) -> None:
    inside = "import greenai, time\nwith greenai.track('inner', project='p'):\n    time.sleep(0.3)"
    code, _, errors = job.run(f'{sys.executable} -c "{inside}"')
    assert (code, errors) == (0, "")
    record = job.record()
    assert [window.name for window in record.windows] == ["inner"]
    assert (record.name, record.project) == ("fit", "p")


def test_another_job_submitted_from_this_one_is_a_run_of_its_own(job: Job) -> None:
    inside = "import greenai\nwith greenai.track('other'):\n    pass"
    code, _, errors = job.run(f'SLURM_JOB_ID=4712 {sys.executable} -c "{inside}"', GREENAI_INGEST="later")
    assert (code, errors) == (0, "")
    records = [account(read_run(folder)).record for folder in job.spool.iterdir() if folder.name[0] != "."]
    assert sorted((record.name, (record.slurm or {})["job_id"], record.windows) for record in records) == [
        ("fit", "4711", ()),
        ("other", "4712", ()),
    ]


def test_a_wrapped_script_inside_a_wrapped_one_starts_no_collectors(job: Job) -> None:
    inner = job.home / "inner"
    inner.mkdir()
    (inner / "slurm_script").write_text("echo inner; exit 6")
    command = f"{sys.executable} -P -m greenai.slurm.batch -- {inner} /bin/bash {inner / 'slurm_script'}"
    assert job.run(command) == (6, "inner\n", "")
    assert (job.home / "srun").read_text().count("\n") == 1
    assert job.record().exit_code == 6


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_signals_are_the_scripts(job: Job, number: int) -> None:
    script = "trap 'echo got; exit 7' TERM USR1; touch begun; while :; do sleep 0.05; done"
    process = job.start(script)
    job.wait_for("begun")
    process.send_signal(number)
    assert process.communicate(timeout=20)[0] == "got\n"
    assert process.returncode == 7
    assert job.record().exit_code == 7


def test_a_script_that_dies_by_a_signal_is_killed(job: Job) -> None:
    assert job.run("kill -KILL $$")[0] == -signal.SIGKILL
    record = job.record()
    assert (record.state, record.exit_code) == (RunState.KILLED, 137)


def test_a_killed_job_keeps_its_energy(job: Job) -> None:
    process = job.start("touch begun; while :; do sleep 0.1; done", "--interval_s=0.1")
    job.wait_for("begun")
    time.sleep(1.0)
    collector = int(job.wait_for("*.jsonl").stem.rpartition("-")[2])
    os.kill(collector, signal.SIGKILL)
    process.kill()
    subprocess.run(["pkill", "-f", str(job.home)], check=False)
    process.communicate()
    (folder,) = job.spool.iterdir()
    record = account(read_run(folder, now_s=time.time() + 60)).record
    assert record.state is RunState.LOST
    assert record.duration_s > 0.7
    assert record.energy.total_j


def test_a_collector_that_dies_is_started_again(job: Job) -> None:
    process = job.start("touch begun; while [ ! -e over ]; do sleep 0.05; done", "--interval_s=0.1")
    job.wait_for("begun")
    first = job.wait_for("*.jsonl")
    os.kill(int(first.stem.rpartition("-")[2]), signal.SIGKILL)
    end_s = time.monotonic() + 20
    while len(list(first.parent.glob("*.jsonl"))) < 2 and time.monotonic() < end_s:
        time.sleep(0.05)
    time.sleep(0.5)
    (job.home / "over").touch()
    process.communicate(timeout=20)
    assert process.returncode == 0
    log = read_run(first.parent)
    assert [p.role for p in log.processes] == [Role.NODE, Role.NODE]
    assert any(p.stop is not None for p in log.processes)


@pytest.mark.parametrize(
    ("srun", "said"),
    [
        (
            "#!/bin/sh\necho 'srun: error: no' >&2\nexit 1\n",
            f"{NODE} is not measured: its collector did not start",
        ),
        (
            '#!/bin/sh\necho "failed $(uname -n) no sensors"\ncat >/dev/null\n',
            f"{NODE} is not measured: no sensors",
        ),
        ("no program", "this job is not measured"),
    ],
)
def test_without_collectors_the_job_runs_and_it_is_said(job: Job, srun: str, said: str) -> None:
    (job.home / "bin" / "srun").write_text(srun)
    code, out, errors = job.run("echo hello; exit 4")
    assert (code, out) == (4, "hello\n")
    assert said in errors
    assert errors.count("\n") == 1


def test_an_unwritable_spool_is_said_and_the_job_runs(job: Job) -> None:
    job.spool.write_text("a file")
    code, out, errors = job.run("echo hello")
    assert (code, out) == (0, "hello\n")
    assert str(job.spool) in errors
    assert errors.startswith("greenai: this job is not measured: ")


def test_a_wrong_setting_is_said_and_the_job_runs(job: Job) -> None:
    code, out, errors = job.run("echo hello", GREENAI_ZONE="Atlantis")
    assert (code, out) == (0, "hello\n")
    assert "GREENAI_ZONE" in errors


def test_an_srun_that_does_not_read_holds_up_nothing(job: Job) -> None:
    (job.home / "bin" / "srun").write_text("#!/bin/sh\nexec sleep 8\n")
    nodes = ",".join(f"very-long-name-of-a-node-{number}" for number in range(4000))
    began_s = time.monotonic()
    code, out, _ = job.run("echo hello", SLURM_JOB_NODELIST=nodes)
    assert (code, out) == (0, "hello\n")
    assert time.monotonic() - began_s < 7


def test_what_srun_says_is_kept(job: Job) -> None:
    (job.home / "bin" / "srun").write_text("#!/bin/sh\necho 'srun: error: Invalid option' >&2\nexit 1\n")
    job.run("true")
    (folder,) = job.spool.iterdir()
    assert "Invalid option" in (folder / "collectors.log").read_text()


def journal_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]


def test_the_journal_names_all_nodes_of_the_job(job: Job) -> None:
    job.run("true", SLURM_JOB_NODELIST="n[1-3]", SLURM_RESTART_COUNT="2")
    (folder,) = job.spool.iterdir()
    meta = journal_lines(folder)[0]["meta"]
    assert (meta["nodes"], meta["node"], meta["slurm"]["restart_count"]) == (["n[1-3]"], NODE, "2")
    assert "3 " not in job.record().name
    missing = [i.message.en for i in job.record().incidents if i.code == "node_missing"]
    assert [next(n for n in ("n1", "n2", "n3") if n in text) for text in missing] == ["n1", "n2", "n3"]
