"""Whose energy a run is, and how much of the machine it uses: fake machines, and real programs beside each other."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.account import account
from greenai.core.events import ProcessLog, RunLog, Stop
from greenai.core.usage import Usage
from greenai.core.vocabulary import Role, RunState, Scope
from greenai.host import this_host
from greenai.plugins import LoadedCollectors
from greenai.sampler import UsageReader, open_sensors, resolve_scope
from greenai.testing import FakeMachine
from greenai.testing.machines import estimates
from greenai.testing.machines.cgroups import group_v1, in_group_v2, in_groups_v1, memory_v1, usage_v2
from greenai_collectors.cpu_estimate import CpuEstimateCollector
from greenai_collectors.memory_estimate import MemoryEstimateCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from greenai.core.reading import Reading

    Start = Callable[..., subprocess.Popen[str]]

J = 1_000_000
KIB = 1024


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine")


# --- whose energy


def codes(incident: object) -> str | None:
    return getattr(incident, "code", None)


def in_group(machine: FakeMachine) -> FakeMachine:
    in_group_v2(machine, "/user.slice", "user.slice", usage_v2(5 * J, 3000))
    return machine


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (Scope.AUTO, Scope.MACHINE), (Scope.MACHINE, Scope.MACHINE), (Scope.PROCESS, Scope.PROCESS),
        (Scope.CGROUP, Scope.CGROUP),
    ],
)  # fmt: skip
def test_on_a_machine_of_our_own(machine: FakeMachine, asked: Scope, found: Scope) -> None:
    assert resolve_scope(in_group(machine).host, asked) == (found, None)


def test_without_a_cgroup_the_process_tree_stands_in_and_that_is_said(machine: FakeMachine) -> None:
    scope, incident = resolve_scope(machine.host, Scope.CGROUP)
    assert (scope, codes(incident)) == (Scope.PROCESS, "no_cgroup")


def test_a_group_that_cannot_be_read_is_none(machine: FakeMachine) -> None:
    (in_group(machine).root / "sys/fs/cgroup/user.slice/cpu.stat").unlink()
    assert resolve_scope(machine.host, Scope.CGROUP)[0] is Scope.PROCESS


@pytest.mark.parametrize("build", [estimates.slurm_v1, estimates.slurm_v2])
def test_a_slurm_job_on_a_shared_node_is_its_own_group(
    tmp_path: Path, build: Callable[[Path], FakeMachine]
) -> None:
    """Of the whole job, not of the step or task that happened to read the sensors."""
    host = build(tmp_path / "node").host
    assert resolve_scope(host, Scope.AUTO) == (Scope.CGROUP, None)
    usage = UsageReader(host, Scope.CGROUP, 1).read()
    assert (usage.own_cpu_us, usage.own_memory_bytes) == (90 * J, 16_000_000_000)


def test_where_slurm_makes_no_groups_the_service_is_not_the_job(machine: FakeMachine) -> None:
    """All jobs of the node run in the group of slurmd.service: its energy is everybody's."""
    machine.environ = {
        "SLURM_JOB_ID": "42", "SLURMD_NODENAME": "n1", "SLURM_JOB_CPUS_PER_NODE": "2", "SLURM_CPUS_ON_NODE": "2",
    }  # fmt: skip
    in_group_v2(machine, "/system.slice/slurmd.service", "system.slice/slurmd.service", usage_v2(900 * J, 1))
    scope, incident = resolve_scope(machine.host, Scope.AUTO)
    assert (scope, codes(incident)) == (Scope.PROCESS, "no_cgroup")


# --- how much is used, on fake machines


def test_a_group_of_version_2(machine: FakeMachine) -> None:
    in_group_v2(machine, "/user.slice", "user.slice", usage_v2(5 * J, 3_000_000, 1_000_000))
    machine.busy(1234)
    assert UsageReader(machine.host, Scope.CGROUP, 1).read() == Usage(
        machine.clock.mono_ns(), 5 * J, 12_340_000, 2_000_000, 8_000_000 * KIB
    )


def test_groups_of_version_1(machine: FakeMachine) -> None:
    in_groups_v1(machine, {"cpu": "/a", "cpuacct": "/a", "cpuset": "/", "memory": "/b"})
    group_v1(machine, "cpuacct", "a", {"cpuacct.usage": "5000000999\n"})
    group_v1(machine, "memory", "b", memory_v1(3_000_000, 1_000_000))
    usage = UsageReader(machine.host, Scope.CGROUP, 1).read()
    assert (usage.own_cpu_us, usage.own_memory_bytes) == (5 * J, 2_000_000)


def process(machine: FakeMachine, pid: int, *children: int, ticks: int = 0, kib: int = 0) -> None:
    machine.write(f"proc/{pid}/task/{pid}/children", "".join(f"{child} " for child in children))
    machine.write(f"proc/{pid}/stat", f"{pid} (x) S 1 1 1 0 -1 4194560 1 0 0 0 {ticks} 0 0 0 20 0 1 0 9\n")
    machine.write(
        f"proc/{pid}/status", f"VmRSS:\t 900 kB\nRssAnon:\t {kib} kB\nRssFile:\t 800 kB\nRssShmem:\t 1 kB\n"
    )


def test_a_process_tree(machine: FakeMachine) -> None:
    process(machine, 10, 11, ticks=7, kib=20)
    process(machine, 11, ticks=3, kib=30)
    machine.busy(50)
    usage = UsageReader(machine.host, Scope.PROCESS, 10).read()
    assert (usage.own_cpu_us, usage.machine_cpu_us) == (100_000, 500_000)
    assert (usage.own_memory_bytes, usage.machine_memory_bytes) == (52 * KIB, 8_000_000 * KIB)
    assert usage.gpu_shares is None


def test_a_process_that_ends_while_it_is_read_is_looked_for_again(machine: FakeMachine) -> None:
    """Its time is its parent's by then."""
    process(machine, 10, 11, ticks=2)
    process(machine, 11, ticks=500)
    (machine.root / "proc/11/stat").unlink()  # gone, though still on the list
    reader = UsageReader(machine.host, Scope.PROCESS, 10)
    assert reader.read().own_cpu_us is None
    process(machine, 10, ticks=502)
    assert reader.read().own_cpu_us == 5_020_000


@pytest.mark.parametrize("scope", [Scope.PROCESS, Scope.CGROUP])
def test_what_cannot_be_read_is_unknown_and_not_0(machine: FakeMachine, scope: Scope) -> None:
    in_group(machine)
    process(machine, 10, ticks=7)
    reader = UsageReader(machine.host, scope, 10)
    with machine.silenced():
        usage = reader.read()
    assert (usage.own_cpu_us, usage.machine_cpu_us, usage.machine_memory_bytes) == (None, None, None)
    assert usage.t_mono_ns == machine.clock.mono_ns()
    assert reader.read().own_cpu_us is not None


def test_a_program_that_is_gone_uses_nobody_knows_what(machine: FakeMachine) -> None:
    machine.busy(50)
    usage = UsageReader(machine.host, Scope.PROCESS, 10).read()
    assert (usage.own_cpu_us, usage.own_memory_bytes, usage.machine_cpu_us) == (None, None, 500_000)


@pytest.mark.parametrize("build", [CpuEstimateCollector, MemoryEstimateCollector])
def test_the_estimate_for_a_jobs_own_group_is_not_shared_out_once_more(tmp_path: Path, build: Any) -> None:
    """It is computed from the job's own CPU time and memory: what of the machine they are is in it already."""
    machine = estimates.slurm_v2(tmp_path / "node")
    host = machine.host
    scope, _ = resolve_scope(host, Scope.AUTO)
    assert scope is Scope.CGROUP
    sensors = open_sensors(host, LoadedCollectors((build(host),), ()), usage=UsageReader(host, scope, 1))
    assert [channel.id.partition(":")[2] for channel in sensors.channels] == ["allotted"]
    log = ProcessLog(
        role=Role.OWNER, host=host.name, pid=1, wall_ns=0, mono_ns=host.clock.mono_ns(), interval_s=1.0,
        meta={"scope": scope.value}, channels=sensors.channels, start_ns=host.clock.mono_ns(),
    )  # fmt: skip
    taken: list[Reading] = []
    for second in range(11):
        # 16 of its 32 CPUs are busy, and 100 others of the machine's 256.
        machine.busy(round(second * 116 * 100))
        job = "sys/fs/cgroup/system.slice/n1_slurmstepd.scope/job_42"
        machine.write(f"{job}/cpu.stat", f"usage_usec {90 * J + second * 16 * J}\n")
        _, readings = sensors.read()
        taken += readings
        log.readings[sensors.channels[0].id] = taken
        usage = sensors.usage()
        assert usage is not None
        log.usages.append(usage)
        machine.clock.advance(1)
    log.stop = Stop(log.start_ns + 10 * 10**9 if log.start_ns else 0, RunState.COMPLETED, 0, None)
    (row, *_) = account(RunLog("r", (log,), "", 0.0)).record.energy.channels
    assert row.machine_energy_j is not None
    assert row.energy_j == pytest.approx(row.machine_energy_j)


# --- real programs

BURNER = """
import os, sys, time
print("ready", flush=True)
while os.getppid() == int(sys.argv[1]): sum(range(10_000))
"""

TRACKED = """
import json, os, sys, time
import greenai
scope, windows = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
def busy_s():
    with open("/proc/stat") as stat:
        fields = [int(field) for field in stat.readline().split()[1:8]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")
def spent_s():
    times = os.times()
    return times.user + times.system
with greenai.track("x", scope=scope, interval_s=0.25) as run:
    before = busy_s(), spent_s()
    end = time.monotonic() + float(sys.argv[3])
    while time.monotonic() < end:
        if windows:
            with run.window("w"):
                sum(range(20_000))
        sum(range(20_000))
    after = busy_s(), spent_s()
record = run.result
cpu = next(c for c in record.energy.channels if c.component == "cpu")
print(json.dumps({
    "own_j": cpu.energy_j, "machine_j": cpu.machine_energy_j, "policy": cpu.policy, "scope": record.energy.scope,
    "busy_s": after[0] - before[0], "own_s": after[1] - before[1], "windows": len(record.windows),
    "windows_j": sum(w.energy_j or 0 for w in record.windows), "gap_s": cpu.gap_s,
    "lost": dict(cpu.lost_readings),
    "low_j": cpu.low_j, "high_j": cpu.high_j, "incidents": [i.code for i in record.incidents],
    "total_j": record.energy.total_j, "machine_total_j": record.energy.machine_total_j,
}))
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start programs; whatever is left of them is ended after the test."""
    begun: list[subprocess.Popen[str]] = []

    def popen(source: str, *arguments: str) -> subprocess.Popen[str]:
        script = tmp_path / f"program_{len(begun)}.py"
        script.write_text(source, encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, str(script), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        begun.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield popen
    for process in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def burn(start: Start) -> subprocess.Popen[str]:
    return start(BURNER, str(os.getpid()))


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(out)
    return found


def assert_shared_out(found: dict[str, Any], most: float) -> float:
    """Check a tracked run against what it and the machine worked, as the program itself saw it."""
    share = found["own_j"] / found["machine_j"]
    assert share == pytest.approx(found["own_s"] / found["busy_s"], abs=0.12)
    assert 0.02 < share < most
    assert found["policy"] == "cpu_time_share"
    # A virtual machine that is halted between a clock and its counter makes a reading that is not believed.
    assert found["gap_s"] < 0.05 or found["lost"]
    assert found["low_j"] < found["own_j"] < found["high_j"]
    assert found["total_j"] < found["machine_total_j"]
    return float(share)


def test_a_program_beside_another_pays_for_its_half(start: Start) -> None:
    """Two busy loops, one of them tracked. (Other programs on this machine can only make its share smaller.)"""
    burn(start)
    tracked = start(TRACKED, "process", "0", "1.0")
    go(tracked)
    found = said(tracked)
    assert found["scope"] == "process"
    assert_shared_out(found, most=0.65)


def test_a_whole_machine_is_not_shared_out(start: Start) -> None:
    burn(start)
    tracked = start(TRACKED, "machine", "0", "0.1")
    go(tracked)
    found = said(tracked)
    assert (found["own_j"], found["policy"], found["scope"]) == (found["machine_j"], None, "machine")


def test_two_runs_beside_each_other_pay_for_one_machine(start: Start) -> None:
    """With windows of a millisecond, which are shorter than the ticks in which the machine's time is counted."""
    both = [start(TRACKED, "process", "1", "1.0") for _ in range(2)]
    for tracked in both:
        go(tracked)
    found = [said(tracked) for tracked in both]
    shares = [assert_shared_out(run, most=0.65) for run in found]
    assert sum(shares) < 1.1
    for run in found:
        assert run["windows"] > 30
        assert 0 < run["windows_j"] < run["own_j"] * 1.01


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of our own (version 1)."""
    folder = Path(f"/sys/fs/cgroup/cpuacct/greenai-test-{os.getpid()}")
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control groups to be made here: {error}")
    try:
        yield folder
    finally:
        for pid in (folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        for _ in range(100):
            with contextlib.suppress(OSError):
                folder.rmdir()
                break
            time.sleep(0.02)


def test_a_control_group_pays_for_its_half(start: Start, group: Path) -> None:
    """Its CPU time is counted in nanoseconds, the machine's in ticks: their ratio over a millisecond is chance."""
    burn(start)
    tracked = start(TRACKED, "cgroup", "1", "1.0")
    (group / "cgroup.procs").write_text(str(tracked.pid))
    go(tracked)
    found = said(tracked)
    assert found["scope"] == "cgroup"
    assert found["windows"] > 30
    assert_shared_out(found, most=0.65)


def test_a_burning_child_is_the_runs_and_a_burning_neighbour_is_not(start: Start) -> None:
    host = this_host()
    parent = start(
        "import os, sys, time\n"
        "pid = os.fork()\n"
        "if pid: print('ready', flush=True)\n"
        "if pid: time.sleep(60)\n"
        "while True: sum(range(10_000))\n"
    )
    neighbour = burn(start)
    readers = [UsageReader(host, Scope.PROCESS, pid) for pid in (parent.pid, neighbour.pid)]
    before = [reader.read() for reader in readers]
    time.sleep(0.5)
    after = [reader.read() for reader in readers]
    used = [(b.own_cpu_us or 0) - (a.own_cpu_us or 0) for a, b in zip(before, after, strict=True)]
    worked = (after[0].machine_cpu_us or 0) - (before[0].machine_cpu_us or 0)
    assert min(used) > 100_000
    assert sum(used) <= worked * 1.1 + 40_000
    for look in after:
        assert 0 < (look.own_memory_bytes or 0) < (look.machine_memory_bytes or 0)


HANG = """
import json, os, signal, sys, time
from contextlib import suppress
from pathlib import Path
import greenai
def sampler_of(spool):
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes().split(b"\\0")
            ours = f"GREENAI_SPOOL={spool}".encode() in (process / "environ").read_bytes().split(b"\\0")
            if ours and b"greenai.sampler_process" in command[:5]:
                return int(process.name)
print("ready", flush=True)
sys.stdin.readline()
with greenai.track("x", scope="process", interval_s=0.1) as run:
    time.sleep(0.6)
    sampler = sampler_of(os.environ["GREENAI_SPOOL"])
    os.kill(sampler, {signal})
    end = time.monotonic() + 0.9
    while time.monotonic() < end: sum(range(10_000))
    began = time.monotonic()
ended = time.monotonic()
record = run.result
cpu = next(c for c in record.energy.channels if c.component == "cpu")
print(json.dumps([ended - began, record.state, cpu.energy_j, cpu.machine_energy_j, cpu.gap_s,
                  [i.code for i in record.incidents]]))
with suppress(ProcessLookupError):
    os.kill(sampler, 9)
"""


@pytest.mark.parametrize("number", [signal.SIGSTOP, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_a_sampler_that_hangs_or_dies_costs_neither_time_nor_the_share(start: Start, number: int) -> None:
    """The program's own marks enclose the run: energy and use are differences between them."""
    program = start(HANG.replace("{signal}", str(int(number))))
    go(program)
    out, _ = program.communicate(timeout=30)
    took_s, state, own_j, machine_j, gap_s, incidents = json.loads(out)
    assert took_s < 1
    assert state == "completed"
    assert gap_s < 0.05
    assert 0 < own_j <= machine_j
    assert ("sampler_died" if number == signal.SIGSTOP else "sampler_restarted") in incidents
