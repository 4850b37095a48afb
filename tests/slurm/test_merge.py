"""Merging a job where many write: what names it, but is another user's, is left out and named; nothing is overwritten."""

from __future__ import annotations

import json
import os
import pwd
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from greenai.cli.main import run
from greenai.core.batch_job import BatchJob
from greenai.core.errors import GreenAIError, NotFoundError
from greenai.core.file_owner import FileOwner
from greenai.core.text import Text
from greenai.core.views import RunQuery
from greenai.settings import load_settings
from greenai.slurm import merge
from greenai.slurm.claims import JobUser
from greenai.slurm.job_facts import JobFacts
from greenai.store import open_store
from greenai.store.jobs import save_jobs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from greenai.store import Store

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files of several users")

BOB, EVE = pwd.getpwnam("nobody"), pwd.getpwnam("daemon")
DAY_MS = 86_400_000


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A database; and a Slurm that does not answer."""

    def silent(*_: object) -> None:
        raise GreenAIError(Text(de="stumm", en="silent"))

    monkeypatch.setattr(merge, "ask_accounts", silent)
    monkeypatch.setattr(merge, "ask_job", silent)
    opened = open_store(load_settings().db)
    yield opened
    opened.close()


def give(folder: Path, user: pwd.struct_passwd) -> None:
    for path in (folder, *folder.iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


@pytest.fixture
def claimed(journals: Any) -> Any:
    """Two runs of job 5 in a spool of everybody's: Bob's, and one that Eve has made."""
    for run_id, user in (("job-c-5-0", BOB), ("eves", EVE)):
        slurm = {"cluster": "c", "job_id": "5", "restart_count": "0"}
        give(journals.run(run_id, user="nobody", slurm=slurm), user)
    journals.spool.chmod(0o1777)
    return journals


def merged(store: Store, *folders: Path) -> tuple[list[str], str]:
    """The runs of job 5, and what is said of others."""
    found = merge.merge_job(store, load_settings(), "5", folders)
    return [record.id for record in found.records], "\n".join(str(incident.message) for incident in found.refused)


def began_ms(journals: Any, store: Store) -> int:
    """When these runs began."""
    merged(store)
    return store.record("eves").started_ms


def bobs(start_ms: int) -> BatchJob:
    job = BatchJob("c", "5", 0, "x", "COMPLETED", user="nobody", start_ms=start_ms)
    return replace(job, end_ms=start_ms + 60_000)


def test_the_accounting_says_whose_a_job_is(claimed: Any, store: Store) -> None:
    save_jobs(store, [bobs(began_ms(claimed, store))])
    runs, said = merged(store)
    assert runs == ["job-c-5-0"]
    assert all(word in said for word in ("eves", "daemon", "nobody"))


def test_another_time_or_cluster_is_no_way_around_it(claimed: Any, store: Store) -> None:
    start_ms = began_ms(claimed, store)
    save_jobs(store, [bobs(start_ms - 90 * DAY_MS), replace(bobs(start_ms), cluster="d")])
    assert merged(store)[0] == ["job-c-5-0"]


def test_a_number_may_have_been_anothers(claimed: Any, store: Store) -> None:
    start_ms = began_ms(claimed, store)
    (earlier,) = (record for record in store.records(RunQuery()) if record.id == "eves")
    before_ms = start_ms - 90 * DAY_MS
    energy = replace(earlier.energy, channels=())
    store.save(replace(earlier, id="earlier", started_ms=before_ms, energy=energy), [])
    save_jobs(store, [bobs(start_ms), replace(bobs(before_ms), user="daemon")])
    assert merged(store)[0] == ["earlier", "job-c-5-0"]


def test_else_slurm_itself_is_asked(claimed: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "ask_job", lambda *_: (JobFacts(5, user_name="nobody"),))
    assert merged(store)[0] == ["job-c-5-0"]
    monkeypatch.setattr(merge, "ask_job", lambda *_: (JobFacts(5, user_name="bin"),))
    with pytest.raises(NotFoundError, match=r"(?s)eves.*daemon.*bin"):
        merged(store)


def test_where_nobody_knows_it_is_said(claimed: Any, store: Store) -> None:
    runs, said = merged(store)
    assert sorted(runs) == ["eves", "job-c-5-0"]
    assert "daemon, nobody" in said


def test_for_its_user_a_job_is_his(claimed: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: BOB.pw_uid)
    monkeypatch.setenv("USER", "nobody")
    runs, said = merged(store)
    assert runs == ["job-c-5-0"]
    assert "eves" in said


def test_a_broken_run_of_another_hinders_nobody(claimed: Any, store: Store) -> None:
    (journal,) = (claimed.spool / "eves").glob("*.jsonl")
    text = journal.read_text()
    journal.write_text(text.replace('"meta":{', '"meta":{"tags":5,', 1))
    save_jobs(store, [bobs(int(json.loads(text.splitlines()[0])["wall_ns"]) // 1_000_000)])
    runs, said = merged(store)
    assert runs == ["job-c-5-0"]
    assert str(claimed.spool / "eves") in said


def test_journals_keep_their_owner_on_their_way(claimed: Any, store: Store, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    claimed.spool.rename(elsewhere)
    claimed.spool.mkdir()
    (forged,) = (elsewhere / "eves").glob("*.jsonl")
    forged.rename(elsewhere / "job-c-5-0" / "forged-1.jsonl")
    (elsewhere / "eves/link-1.jsonl").symlink_to(next((elsewhere / "job-c-5-0").glob("fake-*")))
    runs, said = merged(store, elsewhere)
    assert runs == ["job-c-5-0"]
    assert f"forged-1.jsonl ({EVE.pw_uid})" in said
    (copy,) = (claimed.spool / "job-c-5-0").glob("*.jsonl")
    assert copy.stat().st_uid == copy.parent.stat().st_uid == BOB.pw_uid
    assert store.record("job-c-5-0").user == "nobody"


def test_a_copy_overwrites_nothing(claimed: Any, store: Store, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    claimed.spool.rename(elsewhere)
    claimed.spool.mkdir()
    target = tmp_path / "of root"
    target.write_text("whole")
    (journal,) = (elsewhere / "eves").glob("*.jsonl")
    (claimed.spool / "eves").mkdir()
    (claimed.spool / "eves" / f".{journal.name}.part").symlink_to(target)
    give(claimed.spool / "eves", EVE)
    (claimed.spool / "job-c-5-0").symlink_to(tmp_path)
    runs, said = merged(store, elsewhere)
    assert runs == ["eves"]
    assert str(elsewhere / "job-c-5-0") in said
    assert target.read_text() == "whole"
    assert (claimed.spool / "eves" / journal.name).stat().st_uid == EVE.pw_uid
    assert not list(tmp_path.glob("*.jsonl"))


# --- what may lie in a spool of everybody's


@pytest.mark.parametrize(
    "first",
    [
        "[]", "3", "null", '"x"', '{"meta":null}', '{"meta":{"slurm":"x"}}', '{"meta":{"slurm":[1]}}',
        '{"meta":{"slurm":{"job_id":5}}}', "[" * 200_000, "9" * 5_000, "\0",
    ],
)  # fmt: skip
def test_no_first_line_of_another_ends_a_merge(claimed: Any, store: Store, first: str) -> None:
    (journal,) = (claimed.spool / "eves").glob("*.jsonl")
    journal.write_text(first + "\n")
    assert merged(store)[0] == ["job-c-5-0"]


@pytest.mark.parametrize(
    "facts", [{"restart_count": "x"}, {"restart_count": None, "partition": [1]}, {"restart_count": "9" * 5_000}]
)
def test_what_a_journal_claims_ends_no_command(journals: Any, store: Store, facts: dict[str, Any]) -> None:
    journals.run("job-c-5-0", slurm={"cluster": "c", "job_id": "5", **facts})
    assert run(["slurm", "merge", "5"]) == 0
    assert run(["runs", "show", "job-c-5-0"]) == 0


@pytest.fixture
def elsewhere(claimed: Any, tmp_path: Path) -> Path:
    """Both runs in a spool that is not ours."""
    folder = tmp_path / "elsewhere"
    claimed.spool.rename(folder)
    claimed.spool.mkdir(0o755)
    return folder


def test_what_cannot_be_copied_keeps_nothing_else_from_it(
    claimed: Any, store: Store, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(elsewhere / "eves")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("socket.jsonl")
    os.mkfifo("pipe.jsonl")
    (elsewhere / "eves/long.jsonl").touch()
    os.truncate("long.jsonl", (1 << 30) + 1)
    (elsewhere / "eves/held.jsonl").write_text("{}")
    (claimed.spool / "eves/.held.jsonl.part").mkdir(parents=True)
    for folder in (elsewhere / "eves", claimed.spool / "eves"):
        give(folder, EVE)
    runs, said = merged(store, elsewhere)
    assert sorted(runs) == ["eves", "job-c-5-0"]
    assert all(name in said for name in ("socket.jsonl", "pipe.jsonl", "long.jsonl (File", "held.jsonl (Is a"))
    (copy,) = (claimed.spool / "eves").glob("*.jsonl")
    assert copy.name.startswith("fake-")


def test_holes_stay_holes(claimed: Any, store: Store, elsewhere: Path) -> None:
    (journal,) = (elsewhere / "eves").glob("*.jsonl")
    before = journal.read_bytes()
    os.truncate(journal, 200 << 20)
    merged(store, elsewhere)
    copy = claimed.spool / "eves" / journal.name
    assert copy.stat().st_size == 200 << 20
    assert copy.stat().st_blocks * 512 < 2 << 20
    with copy.open("rb") as file:
        assert file.read(len(before)) == before


def test_a_folder_that_another_makes_first_stays_his(
    claimed: Any, store: Store, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, make = claimed.spool / "job-c-5-0", Path.mkdir

    def meanwhile(path: Path, *args: Any, **options: Any) -> None:
        if path == target and not path.exists():
            make(path)
            os.chown(path, EVE.pw_uid, EVE.pw_gid)
        make(path, *args, **options)

    monkeypatch.setattr(Path, "mkdir", meanwhile)
    runs, said = merged(store, elsewhere)
    assert runs == ["eves"]
    assert str(target) in said
    assert target.stat().st_uid == EVE.pw_uid


# --- users known by number


@pytest.mark.parametrize(
    ("owner", "user", "refused"),
    [
        (FileOwner(30_001, "4711"), "nobody", True),
        (FileOwner(30_001, "4711"), "4711", False),
        (FileOwner(30_002, "eve"), "20231234", True),
        (FileOwner(30_002, "eve"), "30002", False),
        (FileOwner(4711, None), "4711", False),
        (FileOwner(4711, None), "nobody", False),  # nobody can tell
    ],
)
def test_a_login_of_digits_is_a_login(owner: FileOwner, user: str, refused: bool) -> None:
    job = JobUser("5", [], lambda: user)
    assert (job.refusal("run", owner, job.names()) is not None) is refused
    assert FileOwner.of(owner.facts()) == owner


def test_a_user_without_a_name_is_counted_and_said(claimed: Any, store: Store) -> None:
    save_jobs(store, [bobs(began_ms(claimed, store))])
    for path in (claimed.spool / "eves", *(claimed.spool / "eves").iterdir()):
        os.chown(path, 54_711, 54_711)
    (claimed.spool / "eves" / "ingested").unlink(missing_ok=True)
    store.delete("eves")
    runs, said = merged(store)
    assert sorted(runs) == ["eves", "job-c-5-0"]
    assert "#54711" in said
    assert store.record("eves").user == "#54711"
    merged(store)  # again, by number
