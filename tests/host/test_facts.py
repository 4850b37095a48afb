"""Facts about a run that nobody types."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from greenai.host.facts import environment_facts, git_commit, slurm_facts, user_name
from greenai.host.machine import Host, SystemClock
from greenai.host.nvml import NvmlLoad

if TYPE_CHECKING:
    from collections.abc import Mapping

A, B = "a" * 40, "b" * 40


def host(environ: Mapping[str, str], folder: Path = Path("nowhere")) -> Host:
    return Host("n1", folder, folder, environ, SystemClock(), lambda: NvmlLoad(None, "none"))


def repository(folder: Path, head: str, **files: str) -> Path:
    git = folder / ".git"
    git.mkdir(parents=True)
    (git / "HEAD").write_text(head, encoding="utf-8")
    for name, content in files.items():
        place = git / name.replace("__", "/").replace("_refs", "-refs")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
    return folder


PACKED = f"# pack-refs with: peeled fully-peeled sorted \n{B} refs/heads/main2\n{A} refs/heads/main\n{B} refs/tags/v1\n^{A}\n"


def test_a_loose_branch(tmp_path: Path) -> None:
    folder = repository(
        tmp_path, "ref: refs/heads/main\n", refs__heads__main=f"{A}\n", packed_refs=f"{B} refs/heads/main\n"
    )
    assert git_commit(folder) == A


def test_a_packed_branch(tmp_path: Path) -> None:
    assert git_commit(repository(tmp_path, "ref: refs/heads/main\n", packed_refs=PACKED)) == A


def test_a_detached_head(tmp_path: Path) -> None:
    assert git_commit(repository(tmp_path, f"{A}\n")) == A


@pytest.mark.parametrize("head", ["ref: refs/heads/main\n", "", "ref:"])
def test_no_commit_yet(tmp_path: Path, head: str) -> None:
    assert git_commit(repository(tmp_path, head)) is None


def test_a_folder_inside_the_repository(tmp_path: Path) -> None:
    inside = repository(tmp_path, f"{A}\n") / "a" / "b"
    inside.mkdir(parents=True)
    assert git_commit(inside) == A


def test_a_relative_folder_inside_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = repository(tmp_path, f"{A}\n") / "a"
    inside.mkdir()
    monkeypatch.chdir(inside)
    assert git_commit(Path()) == A


def test_a_broken_pointer_is_no_commit(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("rubbish", encoding="utf-8")
    assert git_commit(tmp_path) is None


def test_a_real_repository_and_its_worktree(tmp_path: Path) -> None:
    git = shutil.which("git")
    assert git is not None

    def run(*words: str, at: Path) -> str:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run([git, *who, *words], cwd=at, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    main, tree = tmp_path / "main", tmp_path / "tree"
    main.mkdir()
    run("init", "-q", at=main)
    run("commit", "-q", "--allow-empty", "-m", "one", at=main)
    run("worktree", "add", "-q", "-b", "side", str(tree), at=main)
    run("commit", "-q", "--allow-empty", "-m", "two", at=tree)
    assert git_commit(main) == run("rev-parse", "HEAD", at=main)
    assert git_commit(tree) == run("rev-parse", "HEAD", at=tree)
    run("pack-refs", "--all", at=main)
    assert git_commit(main) == run("rev-parse", "HEAD", at=main)
    assert git_commit(tree) == run("rev-parse", "HEAD", at=tree) != git_commit(main)


def test_slurm() -> None:
    assert slurm_facts(host({"SLURM_STEP_ID": "0"})) is None
    environ = {"SLURM_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3", "SLURM_JOB_NODELIST": "n[1-2]", "OTHER": "x"}
    assert slurm_facts(host(environ)) == {
        "job_id": "7", "array_task_id": "3", "nodelist": "n[1-2]", "restart_count": "0",
    }  # fmt: skip


def test_user() -> None:
    assert user_name(host({"USER": "ada", "LOGNAME": "x"})) == "ada"
    assert user_name(host({"USER": "", "LOGNAME": "bob"})) == "bob"
    assert user_name(host({})) != ""


def test_environment(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name : Test 1\n", encoding="utf-8")
    facts = environment_facts(host({}, tmp_path))
    assert (facts["cpu"], facts["cpus"], facts["virtual"]) == ("Test 1", 1, False)
    assert facts["python"]
    assert facts["kernel"]
