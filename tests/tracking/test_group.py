"""Ranks and workers of one machine: one run, one sampler, and somebody goes on when that one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from greenai.core.vocabulary import Role, RunState
from greenai.host.processes import start_ticks
from greenai.journal.reader import read_run
from greenai.tracking.session.group import Group, launcher_group, worker_group

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from greenai.core.record import RunRecord

    Start = Callable[..., subprocess.Popen[str]]
    Program = Callable[..., tuple[int, str, str]]
    Records = Callable[..., list[RunRecord]]
    Until = Callable[..., None]

TORCHRUN = {
    "RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "8", "MASTER_ADDR": "n1", "MASTER_PORT": "29500",
    "TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_RESTART_COUNT": "0",
}  # fmt: skip
SRUN = {"SLURM_JOB_ID": "77", "SLURM_STEP_ID": "0", "SLURM_PROCID": "2", "SLURM_STEP_NUM_TASKS": "4"}


@pytest.mark.parametrize(
    ("environ", "launcher", "rank", "size"),
    [
        (TORCHRUN, "torchrun", 3, 8),
        ({name: TORCHRUN[name] for name in list(TORCHRUN)[:5]}, "torch.distributed", 3, 8),
        ({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2"}, "mpi", 0, 2),
        (
            {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2", "PMIX_NAMESPACE": "prterun-n1-9"},
            "mpi",
            0,
            2,
        ),
        ({"PMI_RANK": "1", "PMI_SIZE": "4"}, "mpi", 1, 4),
        (SRUN, "slurm", 2, 4),
        # Open MPI under Slurm: its own ranks count.
        ({**SRUN, "OMPI_COMM_WORLD_RANK": "5", "OMPI_COMM_WORLD_SIZE": "8"}, "mpi", 5, 8),
        # torchrun on each node, started by srun
        ({**SRUN, **TORCHRUN}, "torchrun", 3, 8),
    ],
)
def test_launchers_are_recognised(environ: dict[str, str], launcher: str, rank: int, size: int) -> None:
    group = launcher_group(environ)
    assert group is not None
    assert (group.launcher, group.rank, group.size) == (launcher, rank, size)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {**TORCHRUN, "WORLD_SIZE": "1"},
        {**SRUN, "SLURM_STEP_NUM_TASKS": "1"},
        {"RANK": "3"},  # set by somebody for whatever reason
        {"RANK": "x", "WORLD_SIZE": "8", "MASTER_ADDR": "n1", "MASTER_PORT": "1"},
        # the script of sbatch itself, which is no task of a step
        {"SLURM_JOB_ID": "77", "SLURM_PROCID": "0", "SLURM_NTASKS": "4"},
    ],
)
def test_a_process_on_its_own_has_no_group(environ: dict[str, str]) -> None:
    assert launcher_group(environ) is None
    assert worker_group() is None


def test_ranks_of_one_job_on_two_hosts_share_a_key_and_jobs_do_not() -> None:
    def key(**changes: str) -> str:
        group = launcher_group({**TORCHRUN, **changes})
        assert group is not None
        return group.key

    assert key(RANK="0") == key(RANK="7", LOCAL_RANK="3")
    others = [key(), key(MASTER_PORT="29501"), key(TORCHELASTIC_RESTART_COUNT="1"), key(SLURM_JOB_ID="78")]
    assert len(set(others)) == 4


def test_the_third_run_of_a_name_is_the_third_of_every_rank() -> None:
    first, other = Group("mpi", "test-key", 0, 2), Group("mpi", "test-key-2", 0, 2)
    names = [first.file_name("train"), first.file_name("train"), first.file_name("eval"), other.file_name("train")]
    assert len(set(names)) == 4
    workers = Group("workers", "test-key")
    assert workers.file_name("train") == workers.file_name("eval")


RANK = """
import os, sys, time
import greenai
with greenai.track("train", interval_s=0.1) as run:
    print("ready", flush=True)
    sys.stdin.readline()
print(run.result.duration_s, run.result.energy_j)
"""


def ranks(start: Start, count: int) -> list[subprocess.Popen[str]]:
    environ = {**os.environ, **TORCHRUN, "WORLD_SIZE": str(count)}
    started = [start(RANK, env={**environ, "RANK": str(rank)}) for rank in range(count)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    return started


def sampled_ns(folder: Path) -> int:
    samplers = [process for process in read_run(folder).processes if process.role is Role.SAMPLER]
    return max((sampler.last_ns for sampler in samplers), default=0)


def finish(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=60)
    assert process.returncode == 0


@pytest.mark.slow
def test_eight_ranks_are_one_machine(start: Start, records: Records) -> None:
    started = ranks(start, 8)
    time.sleep(1.0)
    for process in started:
        finish(process)
    (record,) = records()
    assert record.state is RunState.COMPLETED
    assert sorted(window.name for window in record.windows) == [f"train (rank {rank})" for rank in range(8)]
    ends_ms = [window.started_ms + window.duration_s * 1000 for window in record.windows]
    begins_ms = [window.started_ms for window in record.windows]
    # From the first start to the last stop, and no more energy than the machine takes in that time.
    assert record.duration_s * 1000 == pytest.approx(max(ends_ms) - min(begins_ms), abs=50)
    assert record.mean_power_w is not None
    longest = max(record.windows, key=lambda window: window.duration_s)
    assert longest.energy_j is not None
    assert record.mean_power_w == pytest.approx(longest.energy_j / longest.duration_s, rel=0.2)
    assert record.unseen_s < 0.2  # until the next one had begun


@pytest.mark.slow
def test_mpirun(tmp_path: Path, records: Records) -> None:
    script = tmp_path / "rank.py"
    script.write_text("import greenai, time\nwith greenai.track('train', interval_s=0.1): time.sleep(1)\n")
    options = ["--oversubscribe", "-np", "4", *(["--allow-run-as-root"] if os.getuid() == 0 else [])]
    subprocess.run(["mpirun", *options, sys.executable, str(script)], check=True, timeout=60)
    (record,) = records()
    assert record.state is RunState.COMPLETED
    assert sorted(window.name for window in record.windows) == [f"train (rank {rank})" for rank in range(4)]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "finished"])
def test_another_rank_goes_on_when_the_one_that_samples_ends(
    start: Start, until: Until, records: Records, tmp_path: Path, how: str
) -> None:
    started = ranks(start, 3)
    (folder,) = (tmp_path / "spool").glob("[!.]*")
    owners = {process.pid for process in read_run(folder).processes if process.role is Role.OWNER}
    started.sort(key=lambda process: process.pid not in owners)
    for remaining in (2, 1):
        owner = started.pop(0)
        if how == "killed":
            owner.kill()
            owner.wait(timeout=10)
        else:
            finish(owner)
        ended_ns = time.monotonic_ns()
        until(lambda since_ns=ended_ns: sampled_ns(folder) > since_ns + 500_000_000)
        assert len(started) == remaining
        assert records()[0].state is RunState.RUNNING
    finish(started.pop())
    (record,) = records()
    assert record.state is (RunState.COMPLETED if how == "finished" else RunState.KILLED)
    assert record.unseen_s < 0.2  # until the next one had begun
    assert record.duration_s > 1.0
    assert [incident.code for incident in record.incidents].count("sampling_taken_over") == 1


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("pool_first", [True, False])
def test_workers_of_a_pool_take_part_in_their_parents_run(
    program: Program, records: Records, method: str, pool_first: bool
) -> None:
    source = f"""
import multiprocessing
import greenai
def work(n):
    with greenai.track("work") as part:
        part.add_units(1)
    return n * n
def main(pool_first):
    context = multiprocessing.get_context({method!r})
    if pool_first:
        with context.Pool(2) as pool:
            pool.map(abs, range(4))
            with greenai.track("pool") as run:
                print(sum(pool.map(work, range(4))))
    else:
        with greenai.track("pool") as run, context.Pool(2) as pool:
            print(sum(pool.map(work, range(4))))
    print(run.result.work.units, len(run.result.windows))
if __name__ == "__main__":
    main({pool_first})
"""
    assert program(source) == (0, "14\n4.0 4\n", "")
    assert [record.name for record in records()] == ["pool"]


WORKERS = """
import sys, time
import greenai
def work(seconds):
    with greenai.track("work", interval_s=0.1):
        time.sleep(seconds)
    return 1
if __name__ == "__main__":
    from {module} import {name}
    {body}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name", "body"),
    [
        ("joblib", "Parallel, delayed", "print(sum(Parallel(n_jobs=4)(delayed(work)(1.5) for _ in range(4))))"),
        ("multiprocessing", "Pool", "print(sum(Pool(4).map(work, [1.5] * 4, chunksize=1)))"),
        (
            "concurrent.futures", "ProcessPoolExecutor",
            "print(sum(ProcessPoolExecutor(4).map(work, [1.5] * 4)))",
        ),
    ],
)  # fmt: skip
def test_workers_without_a_run_around_them_are_one_run(
    program: Program, records: Records, module: str, name: str, body: str
) -> None:
    code, out, _ = program(WORKERS.format(module=module, name=name, body=body))
    assert (code, out) == (0, "4\n")
    (record,) = records()
    assert record.state is RunState.COMPLETED
    assert [window.name for window in record.windows] == ["work"] * 4
    assert record.duration_s < 6 * 0.9  # they ran side by side


def test_a_process_is_named_by_its_start() -> None:
    assert start_ticks(os.getpid()) is not None
    assert start_ticks(2**22 + 1) is None


ORPHANED = """
import os, subprocess, sys
import greenai
greenai.track("outer", interval_s=0.1).__enter__()
child = subprocess.Popen([sys.executable, sys.argv[1]], stdin=subprocess.PIPE, stdout=sys.stdout)
sys.stdin.readline()
"""
INNER = """
import sys, time
import greenai
with greenai.track("inner", interval_s=0.1):
    print("ready", flush=True)
    time.sleep(3)
"""


@pytest.mark.slow
def test_a_tracked_program_goes_on_when_the_one_around_it_is_killed(
    start: Start, until: Until, records: Records, tmp_path: Path
) -> None:
    inner = tmp_path / "inner.py"
    inner.write_text(INNER)
    outer = start(ORPHANED, str(inner))
    assert outer.stdout is not None
    assert outer.stdout.readline() == "ready\n"
    os.kill(outer.pid, signal.SIGKILL)
    outer.wait(timeout=10)
    (folder,) = (tmp_path / "spool").glob("[!.]*")
    until(lambda: sum(p.role is Role.SAMPLER for p in read_run(folder).processes) == 2)
    until(lambda: records()[0].state is RunState.KILLED, 20)
    (record,) = records()
    assert record.duration_s > 2.5
    assert record.unseen_s < 0.2  # until the next one had begun
    (window,) = record.windows
    assert window.duration_s > 2.5
