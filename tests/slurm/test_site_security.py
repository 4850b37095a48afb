"""What users cannot do to a site's installation: to root's Epilog, to the collector, to the runs of others."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from greenai.core.batch_job import BatchJob
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.reading import CounterReading
from greenai.core.views import RunQuery
from greenai.core.vocabulary import Role, RunState
from greenai.host import this_host
from greenai.host.processes import start_ticks
from greenai.ingest import ingest_spool
from greenai.ingest.pace import _MARKER
from greenai.journal.format import INGESTED, START, TICK
from greenai.journal.writer import JournalWriter
from greenai.settings import load_settings
from greenai.slurm.site import died, prolog
from greenai.slurm.site.epilog import end_collector, stop
from greenai.slurm.site.files import BY_NAME
from greenai.slurm.site.job import SiteJob
from greenai.slurm.site.notes import JobNote, note_path, write_note
from greenai.slurm.site.privileges import become
from greenai.store import open_store
from greenai.store.job_sums import job_sums
from greenai.store.jobs import belongs

from .test_site import PROLOG
from .test_textfile import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from greenai.store import Store

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what root must not be led to do")

NOBODY = pwd.getpwnam("nobody")
DAEMON = pwd.getpwnam("daemon")


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store(load_settings().db)
    yield opened
    opened.close()


# --- the Epilog and the collector


def test_an_epilog_writes_into_nothing_but_a_pipe(tmp_path: Path) -> None:
    target = tmp_path / "of root"
    target.write_text("whole")
    with target.open("r+") as file:
        process = subprocess.Popen(["sleep", "30"], stdin=file)
    ticks = start_ticks(process.pid)
    assert ticks is not None
    end_collector(JobNote("job-c-5-0", "/spool", 0, process.pid, ticks), 3)
    assert process.wait(1) < 0
    assert target.read_text() == "whole"


def test_a_collector_is_its_users_alone_and_shut_to_debuggers() -> None:
    code = (
        "import os, sys\n"
        "from greenai.slurm.site.privileges import become\n"
        f"become({NOBODY.pw_uid}, {NOBODY.pw_gid}, 1, 2)\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    try:
        assert process.stdout.readline() == b"ready\n"
        folder = Path(f"/proc/{process.pid}")
        said = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines())
        assert said["Uid"].split() == [str(NOBODY.pw_uid)] * 4
        assert said["Gid"].split() == [str(NOBODY.pw_gid)] * 4
        assert said["Groups"].split() == ["1", "2"]
        assert {int(said[kind], 16) for kind in ("CapPrm", "CapEff", "CapAmb")} == {0}
        assert (folder / "fd").stat().st_uid == (folder / "mem").stat().st_uid == 0  # shut: prctl(2)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(5)


def test_a_collector_that_stays_root_does_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("setgroups", "setresgid", "setresuid"):
        monkeypatch.setattr(os, name, lambda *_: None)
    with pytest.raises(PermissionError, match=f"not user {NOBODY.pw_uid}"):
        become(NOBODY.pw_uid, NOBODY.pw_gid)


def test_a_collector_that_cannot_become_the_user_measures_nothing() -> None:
    powerless = ["setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-all"]
    command = [*powerless, sys.executable, "-I", "-m", "greenai.slurm.site", "collect", "-", "65534", "65534"]
    done = subprocess.run(command, capture_output=True, check=False, input=b"{}\n")
    assert (done.returncode, done.stdout) == (0, b"")  # its Prolog hears no word


def test_it_is_root_who_asks_slurm(tmp_path: Path) -> None:
    """A program of the user's could be debugged by him: its answer forged, and itself used outside of his job."""
    (tmp_path / "scontrol").write_text(f"#!/bin/sh\n(id -u; env) >{tmp_path}/asked\n")
    (tmp_path / "scontrol").chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": "/home/eve", "SLURM_CONF": "/c", "SLURM_JOB_ID": "5"}
    command = [sys.executable, "-I", "-m", "greenai.slurm.site", "collect", "5", "65534", "65534"]
    subprocess.run(command, env=environ, check=False, input=b"", capture_output=True)
    user, *said = (tmp_path / "asked").read_text().splitlines()
    assert user == "0"
    assert "SLURM_CONF=/c" in said
    assert not any(line.startswith(("HOME=", "SLURM_JOB")) for line in said)


def test_a_collector_that_is_the_users_starts_no_program() -> None:
    code = (
        "import os, subprocess, signal\n"  # the user cannot read root's interpreter
        "from greenai.host.commands import run_command\n"
        "from greenai.slurm.site.privileges import become\n"
        f"become({NOBODY.pw_uid}, {NOBODY.pw_gid})\n"
        "print(run_command(['true'], 5).reason)\n"
        "for start in (os.fork, lambda: os.system('true'), lambda: os.posix_spawn('/bin/true', ['true'], {})):\n"
        "    try: start()\n"
        "    except PermissionError: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    first, *others = done.stdout.splitlines()
    assert "starts no programs" in first
    assert others == ["refused"] * 3


def _channel(host: str) -> Channel:
    return Channel(
        id="rapl:package-0", collector="rapl", component=Component.CPU, kind=Kind.COUNTER, quality=Quality.MEASURED,
        device="package-0", host=host, method="rapl_powercap", uncertainty_rel=0.05, max_power_uw=2_000_000_000,
    )  # fmt: skip


def test_an_epilog_says_that_a_collector_is_gone(
    journals: Any, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr("greenai.slurm.site.died.log", logged.append)
    machine = this_host()
    folder = journals.spool / "job-c-5-0"
    folder.mkdir(parents=True)
    meta = {"name": "fit", "nodes": ["n2"], "node": "n2", "slurm": {"cluster": "c", "job_id": "5"}}
    journal = JournalWriter(folder, machine, Role.NODE, [_channel(machine.name)], 1.0, meta)
    for kind in (START, TICK):
        t_ns = machine.clock.mono_ns()
        journal.readings(kind, t_ns, [CounterReading("rapl:package-0", t_ns, t_ns)])
    _belongs_to(folder, NOBODY)
    for path in (journals.spool, *journals.spool.parents):
        if path.stat().st_mode & 0o755 != 0o755:
            path.chmod(0o755)
    time.sleep(0.5)
    write_note(note_path("n2", 5, 5, tmp_path / "notes"), JobNote(folder.name, str(journals.spool), 0, 1, 1))
    stop({**PROLOG, "SLURM_JOB_EXIT_CODE": "0"}, tmp_path / "notes")
    (word,) = (path for path in folder.glob("*.jsonl") if path != journal.path)
    assert word.stat().st_uid == NOBODY.pw_uid
    ingest_spool(store, load_settings())
    found = store.record("job-c-5-0")
    (said,) = (incident for incident in found.incidents if incident.code == "collector_died")
    assert "n2" in str(said.message)
    assert found.energy.channels[0].gap_s > 0.4  # to the job's end
    assert logged == ["job 5: its collector on n2 ended before the job did; run job-c-5-0"]
    assert list((tmp_path / "notes").iterdir()) == []


def test_a_collector_that_is_spared_cannot_grow() -> None:
    code = (
        "from greenai.slurm.site.privileges import become, spare_from_want_of_memory\n"
        "spare_from_want_of_memory()\n"
        f"become({NOBODY.pw_uid}, {NOBODY.pw_gid})\n"
        "try: bytearray(2 << 30)\n"
        "except MemoryError: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "refused\n"


def test_a_collector_that_fails_at_its_start_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    for module in (prolog, died):
        monkeypatch.setattr(module, "log", logged.append)
    monkeypatch.setattr(prolog, "PATIENCE_S", 10.0)
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def start(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(real(*args, **options))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", start)
    # As root: the user may not be able to read this interpreter.
    environ = {**PROLOG, "SLURM_JOB_UID": "0", "SLURM_JOB_GID": "0", "GREENAI_SPOOL": "/proc/no/spool"}
    prolog.start(environ, tmp_path / "notes")
    with started[0] as process:
        process.wait(10)
    assert list((tmp_path / "notes").iterdir()) == []
    stop(environ, tmp_path / "notes")
    (said,) = logged
    assert said.startswith("job 5 is not measured: ")


# --- runs that name the jobs of others


def test_folders_of_strangers_are_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(prolog, "log", logged.append)
    job = SiteJob.of(PROLOG)
    for number in ("", *(f"-{number}" for number in range(2, 10))):
        (tmp_path / f"{job.run_id}{number}").mkdir()
        os.chown(tmp_path / f"{job.run_id}{number}", DAEMON.pw_uid, 0)
    run_id = prolog._run_id(tmp_path, job)
    assert not (tmp_path / run_id).exists()
    assert logged == [f"job 5: {tmp_path / job.run_id} is of user number {DAEMON.pw_uid}"]


def test_the_next_name_is_known_to_root_alone_but_on_all_nodes(tmp_path: Path) -> None:
    key, other = tmp_path / "key", tmp_path / "other"
    key.write_bytes(b"a" * 128)
    other.write_bytes(b"b" * 128)
    suffix = prolog._unguessable("job-c-5-0", 2, [tmp_path / "gone", key])
    assert suffix == prolog._unguessable("job-c-5-0", 2, [key])
    others = [("job-c-5-0", 3, [key]), ("job-c-6-0", 2, [key]), ("job-c-5-0", 2, [other]), ("job-c-5-0", 2, [])]
    assert len({suffix, *(prolog._unguessable(*each) for each in others)}) == 5


def _belongs_to(folder: Path, user: pwd.struct_passwd) -> None:
    for path in (folder, *folder.iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid)


def _run(journals: Any, run_id: str, user: pwd.struct_passwd, facts: Any = (), **meta: Any) -> Path:
    slurm = {"cluster": "c", "job_id": "5", "restart_count": "0", "partition": "main", **dict(facts)}
    folder: Path = journals.run(run_id, user="nobody", slurm=slurm, **meta)
    _belongs_to(folder, user)
    return folder


def test_a_run_is_of_the_user_who_owns_its_files(journals: Any, store: Store) -> None:
    claimed = {"owner": "nobody", "accounting": {"job_id": "5"}}  # no record with this could be read again
    _run(journals, "job-c-5-0", DAEMON, claimed)
    assert ingest_spool(store, load_settings()).taken == ("job-c-5-0",)
    found = store.record("job-c-5-0")
    assert (found.user, (found.slurm or {})["owner"], found.accounting) == ("daemon", "daemon", None)


def test_roots_own_journals_are_believed(journals: Any, store: Store) -> None:
    journals.run("aaaa0001", user="ada")
    ingest_spool(store, load_settings())
    assert store.record("aaaa0001").user == "ada"


@pytest.mark.parametrize(("asker", "user", "owner"), [("daemon", "nobody", None), ("bin", "daemon", "daemon")])
def test_an_ordinary_user_believes_his_own_journals(
    journals: Any, store: Store, monkeypatch: pytest.MonkeyPatch, asker: str, user: str, owner: str | None
) -> None:
    _run(journals, "job-c-5-0", DAEMON)
    monkeypatch.setattr(os, "geteuid", lambda: pwd.getpwnam(asker).pw_uid)
    assert ingest_spool(store, load_settings()).problems == ()
    found = store.record("job-c-5-0")
    assert (found.user, (found.slurm or {}).get("owner")) == (user, owner)


def test_root_follows_no_link_beside_a_users_journals(journals: Any, store: Store, tmp_path: Path) -> None:
    folder = _run(journals, "job-c-5-0", NOBODY)
    journal, _ = journals.begin("job-c-6-0", user="nobody")  # one that goes on
    goes_on = journals.spool / "job-c-6-0"
    target = tmp_path / "of root"
    target.write_text("whole")
    for run in (folder, goes_on):
        for name in (INGESTED, _MARKER):
            (run / name).symlink_to(target)
        _belongs_to(run, NOBODY)
    os.chown(target, 0, 0)
    os.utime(target, (1e9, 1e9))
    journals.spool.chmod(0o1777)
    assert set(ingest_spool(store, load_settings()).taken) == {"job-c-5-0", "job-c-6-0"}
    assert (target.read_text(), target.stat().st_mtime) == ("whole", 1e9)
    journal.close()


def test_a_pipe_is_no_journal(journals: Any, store: Store) -> None:
    folder = _run(journals, "job-c-5-0", NOBODY)
    for name in ("pipe-1.jsonl", _MARKER):
        os.mkfifo(folder / name)
    _belongs_to(folder, NOBODY)
    ingest_spool(store, load_settings())
    (said,) = store.record("job-c-5-0").incidents
    assert f"pipe-1.jsonl ({NOBODY.pw_uid})" in str(said.message)


def test_journals_of_others_in_a_folder_are_left_out(journals: Any, store: Store) -> None:
    folder = _run(journals, "job-c-5-0", NOBODY)
    (journal,) = folder.glob("*.jsonl")
    other = folder / "forged-1.jsonl"
    other.write_bytes(journal.read_bytes().replace(b'"host":"fake"', b'"host":"fake2"'))
    os.chown(other, DAEMON.pw_uid, DAEMON.pw_gid)
    (folder / "link-1.jsonl").symlink_to(other)
    os.chown(folder / "link-1.jsonl", NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)
    ingest_spool(store, load_settings())
    found = store.record("job-c-5-0")
    assert found.hosts == ("fake",)
    (said,) = [incident for incident in found.incidents if incident.code == "journals_of_others"]
    assert all(word in str(said.message) for word in ("2", f"forged-1.jsonl ({DAEMON.pw_uid})", "link-1.jsonl"))


def test_nobody_replaces_the_run_of_another(journals: Any, store: Store) -> None:
    _run(journals, "job-c-5-0", NOBODY)
    ingest_spool(store, load_settings())
    (before,) = store.records(RunQuery())
    _run(journals, "0bad", DAEMON, name="job-c-5-0")  # a run of this name hides no run of this id
    folder = journals.spool / "job-c-5-0"
    (folder / "ingested").unlink()
    _belongs_to(folder, DAEMON)
    report = ingest_spool(store, load_settings())
    assert report.taken == ("0bad",)
    (problem,) = report.problems
    assert problem.code == "run_of_another_user"
    assert all(word in str(problem.message) for word in ("daemon", "nobody", str(folder)))
    assert before in store.records(RunQuery())


def test_a_run_of_another_is_none_of_the_job() -> None:
    forged = record("job-c-5-0", 1e9, user="eve", job_id="5", owner="eve")
    own = record("job-c-5-0-2", 100.0, user="bob", job_id="5", owner="bob")
    claimed = record("x", 1.0, user="root", job_id="5")  # in a container, unchecked: as ever
    job = BatchJob(cluster="c", job_id="5", restart_count=0, name="train", state="COMPLETED", user="bob")
    assert [belongs(run, job) for run in (forged, own, claimed)] == [False, True, True]
    assert belongs(forged, replace(job, user=None))


def test_a_forged_run_hides_no_steps_of_the_job(store: Store) -> None:
    store.save(record("step", 70.0, user="bob", job_id="5", step_id="0", owner="bob"), [])
    store.save(record("whole", 1.0, RunState.FAILED, user="eve", job_id="5", owner="eve"), [])
    sums = {labels.user: of for labels, of in job_sums(store, by_user=True).by_labels.items()}
    assert {user: sum(of.energy_j.values()) for user, of in sums.items()} == {"bob": 70.0, "eve": 1.0}


# --- the service's copy


def _copy(spool: Path, copy: Path) -> int:
    """Run the service's rsync with the service's capabilities."""
    text = BY_NAME["greenai-ingest.service"].text().replace("\\\n", " ")
    lines = dict(line.split("=", 1) for line in text.splitlines() if line.startswith(("ExecStart=rsync", "Cap")))
    command = lines["ExecStart"].replace("/shared/greenai/spool", str(spool))
    command = command.replace("/var/lib/greenai/spool", str(copy))
    rights = [f"+{word.removeprefix('CAP_').lower()}" for word in lines["CapabilityBoundingSet"].split()]
    limited = ["setpriv", f"--bounding-set=-all,{','.join(rights)}", "--inh-caps=-all", "--no-new-privs"]
    return subprocess.run([*limited, *shlex.split(command)], check=False).returncode


def test_the_services_units_are_understood(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    units = [tmp_path / name for name in ("greenai-ingest.service", "greenai-ingest.timer")]
    for unit in units:
        unit.write_text(BY_NAME[unit.name].text())
    done = subprocess.run(["systemd-analyze", "verify", *units], check=False, capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if "greenai-ingest" in line] == []


@pytest.mark.slow
def test_the_services_copy(journals: Any, store: Store, tmp_path: Path) -> None:
    spool, copy = journals.spool, tmp_path / "copy"
    copy.mkdir(0o700)
    folder = _run(journals, "job-c-5-0", NOBODY)
    folder.chmod(0o700)
    spool.chmod(0o1777)
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/x.jsonl").write_text("{}")
    (folder / "link.jsonl").symlink_to("/etc/passwd")
    with (folder / "huge-1.jsonl").open("wb") as file:
        file.truncate(2 << 30)
    with (folder / "sparse-1.jsonl").open("wb") as file:
        file.truncate(64 << 20)
    assert _copy(spool, copy) == 0
    there = copy / "job-c-5-0"
    names = {path.name for path in there.iterdir()}
    (journal,) = (path.name for path in folder.glob("fake-*.jsonl"))
    assert names == {journal, "sparse-1.jsonl"}
    assert there.stat().st_uid == (there / journal).stat().st_uid == NOBODY.pw_uid
    assert (there / "sparse-1.jsonl").stat().st_blocks * 512 < 1 << 20
    assert ingest_spool(store, load_settings(), copy).taken == ("job-c-5-0",)
    assert store.record("job-c-5-0").user == "nobody"
    # What grows is copied again; what was put beside it stays; what is gone goes with it.
    with (folder / journal).open("ab") as file:
        file.write(b'{"k":"note"}\n')
    os.utime(folder / journal, (time.time() + 5,) * 2)
    (there / "ingested").touch()
    assert _copy(spool, copy) == 0
    assert (there / journal).read_bytes() == (folder / journal).read_bytes()
    assert (there / "ingested").exists()
    subprocess.run(["rm", "-r", str(folder)], check=True)
    assert _copy(spool, copy) == 0
    assert list(copy.iterdir()) == []
