"""A real cluster that measures every job by its Prolog and Epilog: of an ordinary user, who does nothing for it."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from greenai.cli.main import run
from greenai.core.vocabulary import RunState
from greenai.settings import load_settings
from greenai.slurm.merge import merge_job
from greenai.slurm.site.files import SITE_FILES
from greenai.store import open_store

from .cluster.config import FREEZER
from .cluster.processes import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from greenai.core.record import RunRecord

    from .cluster import Cluster

pytestmark = pytest.mark.slow

NOBODY = pwd.getpwnam("nobody")
AS_NOBODY = (f"--uid={NOBODY.pw_uid}", f"--gid={NOBODY.pw_gid}", "--chdir=/")


class Site(NamedTuple):
    """A cluster with the site's files in force."""

    cluster: Cluster
    spool: Path
    python: str

    def runs(self) -> list[str]:
        return sorted(folder.name for folder in self.spool.iterdir() if not folder.name.startswith("."))

    def merged(self, job: str) -> list[RunRecord]:
        settings = load_settings({"spool": str(self.spool)})
        store = open_store(settings.db)
        try:
            return merge_job(store, settings, job).records
        finally:
            store.close()

    def collectors(self) -> list[int]:
        """The processes that still measure for this site."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command, environ = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
            except OSError:
                continue
            if b"greenai.slurm.site" in command and str(self.spool).encode() in environ:
                found.append(int(folder.name))
        return found


def _python_for_all(folder: Path) -> str:
    """An interpreter with greenai that an ordinary user may start; root's may lie where only root can go."""

    def works(python: str) -> bool:
        command = [python, "-I", "-c", "import greenai.slurm.site.collect"]
        as_nobody: dict[str, Any] = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": ()}
        try:
            return not subprocess.run(command, check=False, capture_output=True, cwd="/", **as_nobody).returncode
        except OSError:
            return False

    if works(sys.executable):
        return sys.executable
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    system = Path("/usr/bin", version)
    if not system.exists():
        pytest.fail(f"an ordinary user can start neither {sys.executable} nor {system}")
    subprocess.run([system, "-m", "venv", "--without-pip", folder], check=True)
    checkout = Path(__file__).parents[2]
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    places = [str(checkout), str(checkout / "collectors"), packages]
    (folder / "lib" / version / "site-packages" / "checkout.pth").write_text("\n".join(places) + "\n")
    python = str(folder / "bin" / "python")
    if not works(python):
        pytest.fail(f"{python} does not run greenai for an ordinary user")
    return python


@contextmanager
def _installed(cluster: Cluster, folder: Path, python: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    spool = folder / "site-spool"
    spool.mkdir()
    spool.chmod(0o1777)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", python)
        texts = {file.name: file.text() for file in SITE_FILES}
    lines = ["PrologFlags=Alloc"]
    for name, key in (("prolog", "Prolog"), ("epilog", "Epilog"), ("task_prolog", "TaskProlog")):
        script = folder / name
        script.write_text(texts[name].replace("export PATH\n", f"export PATH GREENAI_SPOOL='{spool}'\n"))
        script.chmod(0o755)
        lines.append(f"{key}={script}")
    with cluster.configured(*lines):
        yield Site(cluster, spool, python)
        cluster.cancel_all()


@pytest.fixture
def site(cluster: Cluster, shared: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with _installed(cluster, shared, _python_for_all(shared / "python"), monkeypatch) as installed:
        yield installed
        until("the end of all collectors", lambda: not installed.collectors(), 10)
    assert set(cluster.run("sinfo", "-h", "-N", "-o", "%T").stdout.split()) == {"idle"}  # none was drained


def _lines(journal: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.read_text().splitlines()]


def _one(lines: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(line for line in lines if line["k"] == kind)


def _wall_s(lines: list[dict[str, Any]], kind: str) -> float:
    first = lines[0]
    return float(first["wall_ns"] + _one(lines, kind)["t"] - first["t"]) / 1e9


def test_a_job_of_an_ordinary_user_on_two_nodes(site: Site) -> None:
    first, second, _ = site.cluster.nodes
    script = "date +begin=%s.%N; srun -N2 sleep 8; date +end=%s.%N; exit 3"
    job = site.cluster.sbatch(script, f"--nodelist={first},{second}", "--exclusive", "-Jtraining", *AS_NOBODY)
    assert site.cluster.wait(job) == "FAILED"
    printed = dict(line.split("=") for line in site.cluster.output(job).split())
    until("the end of all collectors", lambda: not site.collectors(), 5)

    assert site.runs() == [f"job-greenai-{job}-0"]
    folder = site.spool / site.runs()[0]
    for path in (folder, *folder.iterdir()):
        assert path.stat().st_uid == NOBODY.pw_uid
        assert path.stat().st_mode & 0o077 == 0
    journals = {lines[0]["host"]: lines for lines in map(_lines, folder.glob("*.jsonl"))}
    assert set(journals) == {first, second}
    for lines in journals.values():  # from before the script's first line to after its last
        assert _wall_s(lines, "start") < float(printed["begin"])
        assert float(printed["end"]) < _wall_s(lines, "stop") < float(printed["end"]) + 3
        assert _one(lines, "begin")["id"] == "step-0"

    (record,) = site.merged(job)
    assert (record.name, record.state, record.exit_code, record.user) == ("training", RunState.FAILED, 3, "nobody")
    assert record.slurm is not None
    assert record.slurm["job_id"] == job
    nodes = {row.host: row.energy_j for row in record.energy.channels if row.id == "cray:node"}
    for node, lines in journals.items():
        seconds = (_one(lines, "stop")["t"] - _one(lines, "start")["t"]) / 1e9
        assert nodes[node] == pytest.approx(site.cluster.watts[node] * seconds, rel=0.005)
    # Its user may do with it what he likes.
    theirs = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": ()}
    subprocess.run(["rm", "-r", folder], check=True, **theirs)  # type: ignore[call-overload]


def test_a_collector_is_its_users_alone_and_shut_to_debuggers(site: Site) -> None:
    job = site.cluster.sbatch("sleep 5", "-N1", *AS_NOBODY)

    until("the run", lambda: bool(site.runs()), 10)
    folders = [Path("/proc", str(pid)) for pid in site.collectors()]
    (folder,) = [found for found in folders if b"\0collect\0" in (found / "cmdline").read_bytes()]
    said = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines())
    assert said["Uid"].split() == [str(NOBODY.pw_uid)] * 4
    assert said["Gid"].split() == [str(NOBODY.pw_gid)] * 4
    assert set(map(int, said["Groups"].split())) == set(os.getgrouplist("nobody", NOBODY.pw_gid))
    assert int(said["CapEff"], 16) == int(said["CapPrm"], 16) == 0
    assert (folder / "fd").stat().st_uid == (folder / "mem").stat().st_uid == 0  # shut: prctl(2)
    # From anywhere, as any process of his: what he could do with it before.
    opened = ["python3", "-c", f"open('/proc/{folder.name}/fd/0')"]
    theirs: dict[str, Any] = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": ()}
    done = subprocess.run(opened, check=False, capture_output=True, text=True, cwd="/", **theirs)
    assert "Permission" in done.stderr
    assert site.cluster.wait(job) == "COMPLETED"


def test_a_collector_that_is_killed_is_named(site: Site) -> None:
    first, second, _ = site.cluster.nodes
    release = site.cluster.shared / f"release-{os.getpid()}"
    job = site.cluster.sbatch(
        f"until [ -e {release} ]; do sleep 0.1; done", f"--nodelist={first},{second}", "--exclusive", *AS_NOBODY
    )
    until("both journals", lambda: len(list(site.spool.glob("*/*.jsonl"))) == 2, 20)
    (folder,) = site.spool.glob("job-*")
    (journal,) = folder.glob(f"{second}-*.jsonl")
    until("some readings", lambda: len(_lines(journal)) > 2, 20)
    # By the lock that it holds: the number in the journal's name is that of the node's own processes.
    (pid,) = (pid for pid in site.collectors() if _holds(pid, folder / f"{second}.lock"))
    os.kill(pid, signal.SIGKILL)
    read = len(_lines(journal))
    until("more readings of the other", lambda: len(_lines(next(folder.glob(f"{first}-*")))) > read + 3, 30)
    release.touch()
    assert site.cluster.wait(job) == "COMPLETED"
    until("the Epilog's word", lambda: len(list(folder.glob(f"{second}-*.jsonl"))) == 2, 20)
    (record,) = site.merged(job)
    (said,) = (incident for incident in record.incidents if incident.code == "collector_died")
    assert second in str(said.message)
    gaps = {row.host: row.gap_s for row in record.energy.channels if row.id == "cray:node"}
    assert gaps[second] > 2 > gaps[first]
    assert record.state is RunState.COMPLETED  # by the accounting
    assert record.incomplete


def _holds(pid: int, lock: Path) -> bool:
    with suppress(FileNotFoundError):  # what it closes meanwhile, or the process itself
        return any(os.path.realpath(entry) == str(lock) for entry in Path(f"/proc/{pid}/fd").iterdir())
    return False


def test_the_first_job_of_a_node_is_told_by_its_group(site: Site) -> None:
    """slurmd makes the group of all jobs when it starts (version 1), so it is there before the first Prolog."""
    if not FREEZER.exists():
        pytest.skip("no control groups of version 1 here")
    node = site.cluster.nodes[0]
    site.cluster.kill_slurmd(node)
    tops = list(Path("/sys/fs/cgroup").glob(f"*/slurm_{node}"))
    assert tops
    for top in tops:
        for folder in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
            folder.rmdir()
        top.rmdir()
    site.cluster.revive()
    job = site.cluster.sbatch(f"timeout 3 {site.python} -c 'while True: pass'", f"-w{node}", "-n1", *AS_NOBODY)
    site.cluster.wait(job)
    (record,) = site.merged(job)
    assert record.energy.scope == "cgroup"
    assert "share_unknown" not in {incident.code for incident in record.incidents}
    assert record.energy.total_j


def test_programs_in_the_job_join_its_run(site: Site, shared: Path) -> None:
    program = shared / "train.py"
    program.write_text(
        "import greenai, time\n"
        "with greenai.track('inner', project='churn') as run:\n"
        "    time.sleep(2)\n"
        "    run.log_metric('accuracy', 0.9)\n"
    )
    job = site.cluster.sbatch(f"srun -n2 {site.python} {program}; echo $GREENAI_RUN_ID", "-N1", "-n2", *AS_NOBODY)
    assert site.cluster.wait(job) == "COMPLETED", site.cluster.output(job)
    assert site.cluster.output(job).split()[-1:] == [f"job-greenai-{job}-0"]
    assert site.runs() == [f"job-greenai-{job}-0"]
    (record,) = site.merged(job)
    said = site.cluster.output(job), sorted(path.name for path in site.spool.rglob("*"))
    assert (record.project, len(record.hosts), record.state) == ("churn", 1, RunState.COMPLETED), said
    assert "step 0" in {window.name for window in record.windows}


def test_a_submitted_job_is_counted_once(site: Site, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = shared / "job.sh"
    script.write_text("#!/bin/sh\nsleep 2\n")
    monkeypatch.setenv("GREENAI_SPOOL", str(shared / "own-spool"))
    before = _jobs(site.cluster)
    assert run(["slurm", "submit", "--project", "churn", "--", "-N2", str(script)]) == 0
    (job,) = _jobs(site.cluster) - before
    assert site.cluster.wait(job) == "COMPLETED"
    assert site.runs() == [f"job-greenai-{job}-0"]
    assert list((shared / "own-spool").iterdir()) == []
    (record,) = site.merged(job)
    assert (record.project, len(record.hosts)) == ("churn", 2)


def test_a_requeued_and_a_cancelled_job(site: Site) -> None:
    script = "[ ${SLURM_RESTART_COUNT:-0} = 0 ] && touch $OUT.first; sleep 60"
    out = site.cluster.shared / "requeue"
    job = site.cluster.sbatch(script.replace("$OUT", str(out)), "-N1", *AS_NOBODY)
    until("the first attempt", out.with_name("requeue.first").exists)
    time.sleep(1)
    site.cluster.run("scontrol", "requeue", job)
    until("the second attempt", lambda: len(site.runs()) == 2, 30)
    time.sleep(1.5)
    site.cluster.run("scancel", job)
    assert site.cluster.wait(job) == "CANCELLED"
    until("the end of all collectors", lambda: not site.collectors(), 5)
    assert site.runs() == [f"job-greenai-{job}-{restart}" for restart in (0, 1)]
    for name in site.runs():
        (journal,) = (site.spool / name).glob("*.jsonl")
        assert _lines(journal)[-1]["k"] == "close"
    # Slurm told the second Epilog 0; its accounting knows better.
    assert [record.state for record in site.merged(job)] == [RunState.KILLED, RunState.KILLED]


def test_two_jobs_of_a_user_on_a_node_share_it(site: Site) -> None:
    node = f"--nodelist={site.cluster.nodes[0]}"
    work = f"timeout {{}} {site.python} -c 'while True: pass'"
    jobs = [site.cluster.sbatch(work.format(seconds), node, "-n1", *AS_NOBODY) for seconds in (5, 5)]
    for job in jobs:
        site.cluster.wait(job)
    assert len(site.runs()) == 2
    records = [site.merged(job)[0] for job in jobs]
    assert {record.energy.scope for record in records} == {"cgroup"}


@pytest.mark.parametrize("broken", ["no python", "no spool", "wrong setting"])
def test_a_job_ends_well_without_us(
    cluster: Cluster, shared: Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = str(shared / "gone") if broken == "no python" else _python_for_all(shared / "python")
    with _installed(cluster, shared, python, monkeypatch) as site:
        if broken == "no spool":
            site.spool.chmod(0o755)
        elif broken == "wrong setting":
            prolog = shared / "prolog"
            prolog.write_text(
                prolog.read_text().replace("GREENAI_SPOOL=", "GREENAI_SCOPE=nonsense GREENAI_SPOOL=")
            )
        begin_s = time.monotonic()
        job = cluster.sbatch("srun -N2 echo fine", "-N2", *AS_NOBODY)
        assert cluster.wait(job) == "COMPLETED"
        assert time.monotonic() - begin_s < 8
        assert cluster.output(job).split() == ["fine", "fine"]
        assert site.runs() == []
        assert site.collectors() == []


def _jobs(cluster: Cluster) -> set[str]:
    return set(cluster.run("squeue", "-h", "--states=all", "-o", "%A").stdout.split())
