"""Where runs live when their spool is full, read-only or gone, and what groups note there."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from greenai.core.errors import ConfigError
from greenai.core.vocabulary import Role
from greenai.journal.spool import create_run_folder, hold_run, release_run, second_spool
from greenai.settings import load_settings
from greenai.tracking.session import place
from greenai.tracking.session.announcement import GROUPS
from greenai.tracking.session.group import Group
from greenai.tracking.session.place import Place, find_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Program = Callable[..., tuple[int, str, str]]

HOST = "n1"


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Group:
    found = Group("workers", "n1-1-1")
    monkeypatch.setattr(place, "launcher_group", lambda _environ: None)
    monkeypatch.setattr(place, "worker_group", lambda: found)
    return found


@pytest.fixture
def find() -> Iterator[Callable[[], Place]]:
    found: list[Place] = []

    def find_it() -> Place:
        found.append(find_place(load_settings({}), HOST, "train", siblings=False))
        return found[-1]

    yield find_it
    for one in found:
        if one.lock >= 0:
            release_run(one.lock)


def test_the_first_of_a_group_owns_its_run_and_the_others_join(group: Group, find: Callable[[], Place]) -> None:
    first, second = find(), find()
    assert (first.role, second.role) == (Role.OWNER, Role.RANK)
    assert first.folder == second.folder
    assert (first.lock >= 0, second.lock) == (True, -1)
    assert first.group == group


def test_a_run_that_is_over_is_not_joined(group: Group, find: Callable[[], Place]) -> None:
    first = find()
    os.close(first.lock)
    second = find()
    assert second.role is Role.OWNER
    assert second.folder != first.folder
    object.__setattr__(first, "lock", -1)


def test_on_another_host_of_the_group_somebody_samples_too(group: Group, find: Callable[[], Place]) -> None:
    first = find()
    there = find_place(load_settings({}), "n2", "train", siblings=False)
    assert (there.role, there.folder) == (Role.RANK, first.folder)
    assert there.lock >= 0
    release_run(there.lock)


def test_garbage_in_a_note_is_no_run(group: Group, find: Callable[[], Place]) -> None:
    spool = load_settings({}).spool
    (spool / GROUPS).mkdir(parents=True)
    for garbage in ("", "..", "../../etc", "\0", "x" * 5000):
        (spool / GROUPS / group.file_name("train")).write_text(garbage)
        assert find().role is Role.OWNER


def test_old_notes_are_swept_unless_their_run_goes_on(group: Group, find: Callable[[], Place]) -> None:
    spool = load_settings({}).spool
    (spool / GROUPS).mkdir(parents=True)
    living = create_run_folder(spool, "living")
    lock = hold_run(living, HOST)
    for name, run_id in (("old", "dead"), ("going-on", "living")):
        note = spool / GROUPS / name
        note.write_text(run_id)
        month_ago = time.time() - 30 * 24 * 3600
        os.utime(note, (month_ago, month_ago))
    find()
    assert {path.name for path in (spool / GROUPS).iterdir()} == {"going-on", group.file_name("train")}
    release_run(lock)


def test_where_notes_cannot_be_kept_each_is_on_its_own(group: Group, find: Callable[[], Place]) -> None:
    spool = load_settings({}).spool
    spool.mkdir(parents=True)
    (spool / GROUPS).write_text("a file")
    assert find().folder != find().folder


def test_a_spool_that_is_no_folder_is_a_wrong_setting(find: Callable[[], Place]) -> None:
    spool = load_settings({}).spool
    spool.parent.mkdir(parents=True, exist_ok=True)
    spool.write_text("a file")
    with pytest.raises(ConfigError):
        find()


TRACKED = """
import greenai, time
with greenai.track("x", interval_s=0.1) as run:
    time.sleep(0.4)
    run.add_units(3)
    with run.window("w"):
        pass
print(run.result.energy_j is not None, run.result.work.units, run.result.state, run.id)
print(*sorted({incident.code for incident in run.result.incidents}))
"""


def in_namespace(mounts: str) -> list[str]:
    unshare = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-Urm"]
    return [*unshare, "sh", "-c", f'{mounts} && exec "$@"', "sh"]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["full", "read-only"])
def test_a_spool_that_is_full_or_read_only_from_the_start(program: Program, tmp_path: Path, how: str) -> None:
    spool, temporary = tmp_path / "spool", tmp_path / "temporary"
    spool.mkdir()
    temporary.mkdir()
    mounts = f"mount -t tmpfs -o size=16k{',ro' if how == 'read-only' else ''} tmpfs {spool}"
    if how == "full":
        mounts += f"; head -c 100000 /dev/zero > {spool}/filler 2>/dev/null; true"
    code, out, err = program(TRACKED, prefix=in_namespace(mounts), env={**os.environ, "TMPDIR": str(temporary)})
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    known, units, state, run_id = first.split()
    assert (known, units, state) == ("True", "3.0", "completed")
    assert second == "journal_elsewhere"
    assert (temporary / second_spool(spool).name / run_id).is_dir()


@pytest.mark.slow
def test_no_place_for_a_journal_at_all(program: Program, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    second = tmp_path / "temporary" / second_spool(spool).name
    second.mkdir(parents=True, mode=0o700)
    (tmp_path / "spool").mkdir()
    mounts = f"mount -t tmpfs -o ro tmpfs {tmp_path}/spool && mount -t tmpfs -o ro tmpfs {second}"
    environ = {**os.environ, "TMPDIR": f"{tmp_path}/temporary"}
    code, out, err = program(TRACKED, prefix=in_namespace(mounts), env=environ)
    assert (code, err) == (0, "")
    assert out.startswith("False 0.0 lost")
    assert out.endswith("journal_lost journal_nowhere\n")


def test_a_second_spool_of_somebody_else_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, find: Callable[[], Place]
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (tmp_path / "link").symlink_to(theirs)
    monkeypatch.setattr(place, "second_spool", lambda _spool: tmp_path / "link")

    def full(_spool: Path, _run_id: str) -> Path:
        raise ConfigError(place._NOWHERE) from OSError(28, "No space left on device")

    monkeypatch.setattr(place, "create_run_folder", full)
    found = find()
    assert not found.writable
    assert [trouble.code for trouble in found.troubles] == ["journal_nowhere"]
    assert list(theirs.iterdir()) == []
