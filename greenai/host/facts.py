"""Facts about a run that nobody has to type: who, where, on what, from which commit, in which Slurm job."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from greenai.host.cpu import cpu_model, is_virtual, logical_cpus
from greenai.host.machine import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from greenai.host.machine import Host

_SLURM = {
    "job_id": "SLURM_JOB_ID",
    "job_name": "SLURM_JOB_NAME",
    "step_id": "SLURM_STEP_ID",
    "array_job_id": "SLURM_ARRAY_JOB_ID",
    "array_task_id": "SLURM_ARRAY_TASK_ID",
    "het_size": "SLURM_HET_SIZE",
    "restart_count": "SLURM_RESTART_COUNT",
    "cluster": "SLURM_CLUSTER_NAME",
    "partition": "SLURM_JOB_PARTITION",
    "account": "SLURM_JOB_ACCOUNT",
    "nodelist": "SLURM_JOB_NODELIST",
}


def user_name(host: Host) -> str | None:
    """Return the login name, None where there is none (a container without a passwd entry)."""
    name = host.environ.get("USER") or host.environ.get("LOGNAME")
    if name:
        return name
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return None


def slurm_facts(host: Host) -> dict[str, str] | None:
    """Return what Slurm's environment says about the job, None outside of a job."""
    if "SLURM_JOB_ID" not in host.environ:
        return None
    found = {key: host.environ[name] for key, name in _SLURM.items() if name in host.environ}
    return {**found, "restart_count": found.get("restart_count", "0")}  # unset before the first requeue


def environment_facts(host: Host) -> dict[str, Any]:
    """Return the hardware and software the run used."""
    return {
        "cpu": cpu_model(host),
        "cpus": logical_cpus(host),
        "virtual": is_virtual(host),
        "python": ".".join(map(str, sys.version_info[:3])),
        "kernel": os.uname().release,
    }


def git_commit(folder: Path) -> str | None:
    """Return the commit checked out around ``folder``, read from the files (no process is started)."""
    folder = folder.absolute()
    for place in (folder, *folder.parents):
        dot_git = place / ".git"
        if dot_git.is_dir():
            return _head(dot_git, dot_git)
        if dot_git.is_file():  # a worktree or submodule: "gitdir: <path>"
            pointer = (read_text(dot_git) or "").partition("gitdir:")[2].strip()
            git_dir = (place / pointer).resolve()
            common = read_text(git_dir / "commondir")
            return _head(git_dir, (git_dir / common.strip()) if common else git_dir)
    return None


def _head(git_dir: Path, common_dir: Path) -> str | None:
    head = (read_text(git_dir / "HEAD") or "").strip()
    if not head.startswith("ref:"):
        return head or None
    ref = head.partition(":")[2].strip()
    loose = read_text(git_dir / ref) or read_text(common_dir / ref)
    if loose:
        return loose.strip()
    for line in (read_text(common_dir / "packed-refs") or "").splitlines():
        commit, _, name = line.partition(" ")
        if name == ref:
            return commit
    return None
