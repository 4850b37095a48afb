"""Machines without energy sensors: laptops, servers, virtual machines, containers and batch jobs.

Sources of the layouts:

* ``vm_epyc_hybrid``: captured on a virtual machine (Linux 6.18, cgroup v1 beside v2), 2026-11-21.
* Slurm with cgroup v1 (``slurm_v1``): captured in a job of Slurm 22.05 on that machine, 2026-11-21.
* Slurm with cgroup v2 (``slurm_v2``): drawn in slurm.schedmd.com/cgroup_v2.html; never seen by us.
* Docker and Kubernetes: man 7 cgroup_namespaces; on v1 the mount's root is the container's own group (man 5 proc,
  mountinfo); never seen by us.
* /proc/cpuinfo: x86 and Arm blocks as the kernel prints them, with the ids of arch/x86/include/asm/intel-family.h,
  arch/x86/kernel/cpu/amd.c and arch/arm64/include/asm/cputype.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.testing.machine import FakeMachine
from greenai.testing.machines.cgroups import (
    V1_CONTROLLERS,
    group_v1,
    group_v2,
    in_group_v2,
    in_groups_v1,
    memory_v1,
    usage_v2,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_X86 = """processor\t: {number}
vendor_id\t: {vendor}
cpu family\t: {family}
model\t\t: {model}
model name\t: {name}
stepping\t: {stepping}
physical id\t: {socket}
flags\t\t: fpu vme de pse{virtual}
"""
_ARM = """processor\t: {number}
BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm aes
CPU implementer\t: {implementer}
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: {part}
CPU revision\t: 1
"""


def x86(
    machine: FakeMachine, identity: str, name: str, *, cpus: int, sockets: int = 1, virtual: bool = False
) -> None:
    """Write /proc/cpuinfo of an x86 machine.

    Args:
        machine: The machine.
        identity: ``vendor:family:model:stepping``.
        name: The model's name.
        cpus: Logical CPUs.
        sockets: Packages.
        virtual: Whether there is a hypervisor.
    """
    vendor, family, model, stepping = identity.split(":")
    blocks = [
        _X86.format(
            number=number,
            vendor=vendor,
            family=family,
            model=model,
            name=name,
            stepping=stepping,
            socket=number * sockets // cpus,
            virtual=" hypervisor" if virtual else "",
        )
        for number in range(cpus)
    ]
    machine.write("proc/cpuinfo", "\n".join(blocks))


def arm(machine: FakeMachine, identity: str, *, cpus: int) -> None:
    """Write /proc/cpuinfo of an Arm machine: ``identity`` is ``implementer:part``."""
    implementer, part = identity.split(":")
    blocks = [_ARM.format(number=number, implementer=implementer, part=part) for number in range(cpus)]
    machine.write("proc/cpuinfo", "\n".join(blocks))


def memory(machine: FakeMachine, total_gb: int, available_gb: int) -> None:
    """Write /proc/meminfo, in units of 10^9 bytes."""
    total, available = (gigabytes * 1_000_000_000 // 1024 for gigabytes in (total_gb, available_gb))
    machine.write(
        "proc/meminfo", f"MemTotal: {total} kB\nMemFree: 1 kB\nMemAvailable: {available} kB\nBuffers: 0 kB\n"
    )


def vm_epyc_hybrid(root: Path) -> FakeMachine:
    """Build a virtual machine whose cloud hides the model; only the memory controller has a group of its own."""
    machine = FakeMachine(root)
    x86(machine, "AuthenticAMD:26:2:1", "AMD EPYC", cpus=2, virtual=True)
    memory(machine, 24, 20)
    own = "process_api/b1e5560c7ba03976aaf25f93bf50d461"
    in_groups_v1(machine, {"cpu": "/", "cpuacct": "/", "cpuset": "/", "memory": f"/{own}"})
    for hierarchy in ("cpu", "cpuacct", "cpuset"):
        group_v1(machine, hierarchy, "", {"release_agent": "\n"})
    group_v1(machine, "cpu", "", {"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"})
    group_v1(machine, "cpuacct", "", {"cpuacct.usage": "7953907071123\n"})
    group_v1(machine, "cpuset", "", {"cpuset.cpus": "0-1\n", "cpuset.effective_cpus": "0-1\n"})
    group_v1(machine, "memory", "", {"release_agent": "\n", **memory_v1(4_000_000_000)})
    group_v1(machine, "memory", own, memory_v1(3_000_000_000, 1_000_000_000))
    machine.busy(1_000)
    return machine


def vm_xeon(root: Path) -> FakeMachine:
    """Build a virtual machine with a login session, as clouds of 2018 have it."""
    return _session(_vm_xeon(root), cpus=8)


def vm_unknown(root: Path) -> FakeMachine:
    """Build a virtual machine whose processor has no name and no cgroup can be seen."""
    machine = FakeMachine(root)
    x86(machine, "GenuineIntel:15:6:1", "Common KVM processor", cpus=4, virtual=True)
    return machine


def server_epyc_7742(root: Path) -> FakeMachine:
    """Build a server with two EPYC 7742."""
    return _session(_server_epyc_7742(root), cpus=256)


def server_xeon_8480(root: Path) -> FakeMachine:
    """Build a server with two Xeon Platinum 8480+."""
    return _session(_server_xeon_8480(root), cpus=224)


def server_altra(root: Path) -> FakeMachine:
    """Build an Arm server, which gives its processor no name."""
    machine = FakeMachine(root)
    arm(machine, "0x41:0xd0c", cpus=80)
    memory(machine, 256, 250)
    return _session(machine, cpus=80)


def laptop(root: Path) -> FakeMachine:
    """Build a notebook."""
    machine = FakeMachine(root)
    x86(machine, "GenuineIntel:6:142:10", "Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz", cpus=8)
    memory(machine, 16, 12)
    return _session(machine, cpus=8)


def docker_v2(root: Path) -> FakeMachine:
    """Build a container with 2 CPUs' worth of time and 8 GB on a big server; it sees nothing above itself."""
    usage = usage_v2(5_000_000, 3_000_000_000, 1_000_000_000)
    return _container(_server_epyc_7742(root), usage, cpu_max="200000", cpus="0-255", memory_max="8000000000")


def docker_v2_unlimited(root: Path) -> FakeMachine:
    """Build a container without any limit."""
    usage = usage_v2(5_000_000, 3_000_000_000)
    return _container(_server_epyc_7742(root), usage, cpu_max="max", cpus="0-255", memory_max="max")


def docker_v1(root: Path) -> FakeMachine:
    """Build a container on four named CPUs; it sees the host's paths, but only its own groups are mounted."""
    machine = _server_xeon_8480(root)
    path = "/docker/4f3c2b1a"
    in_groups_v1(machine, dict.fromkeys(V1_CONTROLLERS, path), mount_root=path, comounted=True)
    cpu_files = {"cpuacct.usage": "5000000000\n", "cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}
    group_v1(machine, "cpu,cpuacct", "", cpu_files)
    group_v1(machine, "cpuset", "", {"cpuset.cpus": "8-11\n", "cpuset.effective_cpus": "8-11\n"})
    group_v1(machine, "memory", "", memory_v1(3_000_000_000, 1_000_000_000, "16000000000\n"))
    return machine


def kubernetes_v2(root: Path) -> FakeMachine:
    """Build a pod's container: half a CPU and 1 GB."""
    usage = usage_v2(250_000, 600_000_000, 100_000_000)
    return _container(_vm_xeon(root), usage, cpu_max="50000", cpus="0-7", memory_max="1000000000")


def slurm_v1(root: Path) -> FakeMachine:
    """Build a step of a job with 32 of 256 CPUs and 64 GB (ConstrainCores, ConstrainRAMSpace; cgroup v1)."""
    machine = _server_epyc_7742(root)
    machine.environ = {"SLURM_JOB_ID": "42", "SLURMD_NODENAME": "n1", "SLURM_JOB_CPUS_PER_NODE": "32(x2)"}
    job = "slurm_n1/uid_1000/job_42"
    step, task = f"{job}/step_0", f"{job}/step_0/task_3"
    in_groups_v1(machine, {"cpu": "/", "cpuacct": f"/{task}", "cpuset": f"/{step}", "memory": f"/{task}"})
    group_v1(machine, "cpu", "", {"release_agent": "\n"})
    group_v1(machine, "cpuacct", task, {"cpuacct.usage": "1000000000\n"})
    group_v1(machine, "cpuacct", job, {"cpuacct.usage": "90000000000\n"})
    group_v1(machine, "cpuset", step, {"cpuset.effective_cpus": "0\n"})
    group_v1(machine, "cpuset", job, {"cpuset.cpus": "0-15,128-143\n", "cpuset.effective_cpus": "0-15,128-143\n"})
    group_v1(machine, "memory", task, memory_v1(1_000_000_000))
    group_v1(machine, "memory", job, memory_v1(20_000_000_000, 4_000_000_000, "64000000000\n"))
    return machine


def slurm_v2(root: Path) -> FakeMachine:
    """Build a step of a job with 32 of 256 CPUs and 64 GB (cgroup v2)."""
    machine = _server_epyc_7742(root)
    machine.environ = {"SLURM_JOB_ID": "42", "SLURMD_NODENAME": "n1", "SLURM_JOB_CPUS_PER_NODE": "32(x2)"}
    job = "system.slice/n1_slurmstepd.scope/job_42"
    in_group_v2(machine, f"/{job}/step_0/user/task_3", f"{job}/step_0/user/task_3", usage_v2(1, 1))
    group_v2(
        machine,
        job,
        {
            **usage_v2(90_000_000, 20_000_000_000, 4_000_000_000),
            "cgroup.type": "domain\n",
            "cpu.max": "max 100000\n",
            "cpuset.cpus": "0-15,128-143\n",
            "cpuset.cpus.effective": "0-15,128-143\n",
            "memory.max": "64000000000\n",
        },
    )
    return machine


def slurm_without_groups(root: Path) -> FakeMachine:
    """Build a job on a cluster that makes no control groups (proctrack/linuxproc): only Slurm's word is known."""
    machine = _server_epyc_7742(root)
    machine.environ = {
        "SLURM_JOB_ID": "42",
        "SLURMD_NODENAME": "n1",
        "SLURM_JOB_CPUS_PER_NODE": "64",
        "SLURM_MEM_PER_CPU": "1024",
    }
    in_group_v2(machine, "/system.slice/slurmd.service", "system.slice/slurmd.service", usage_v2(1, 1))
    return machine


def _server_epyc_7742(root: Path) -> FakeMachine:
    machine = FakeMachine(root)
    x86(machine, "AuthenticAMD:23:49:0", "AMD EPYC 7742 64-Core Processor", cpus=256, sockets=2)
    memory(machine, 1000, 900)
    return machine


def _server_xeon_8480(root: Path) -> FakeMachine:
    machine = FakeMachine(root)
    x86(machine, "GenuineIntel:6:143:8", "Intel(R) Xeon(R) Platinum 8480+", cpus=224, sockets=2)
    memory(machine, 512, 500)
    return machine


def _vm_xeon(root: Path) -> FakeMachine:
    machine = FakeMachine(root)
    x86(machine, "GenuineIntel:6:79:0", "Intel(R) Xeon(R) CPU @ 2.20GHz", cpus=8, virtual=True)
    memory(machine, 30, 28)
    return machine


def _session(machine: FakeMachine, cpus: int) -> FakeMachine:
    """Put the process in a login session, which has no limits."""
    session = "user.slice/user-1000.slice/session-3.scope"
    in_group_v2(machine, f"/{session}", session, usage_v2(1_000_000, 1_000_000_000))
    group_v2(machine, "", {"cpu.stat": "usage_usec 1\n", "cpuset.cpus.effective": f"0-{cpus - 1}\n"})
    group_v2(machine, "user.slice", {"cpu.max": "max 100000\n", "memory.max": "max\n"})
    return machine


def _container(
    machine: FakeMachine, usage: dict[str, str], *, cpu_max: str, cpus: str, memory_max: str
) -> FakeMachine:
    """Put the process at the top of a cgroup namespace of version 2."""
    limits = {
        "cpu.max": f"{cpu_max} 100000\n",
        "cpuset.cpus.effective": f"{cpus}\n",
        "memory.max": f"{memory_max}\n",
    }
    in_group_v2(machine, "/", "", {**usage, **limits})
    return machine


MACHINES: dict[str, Callable[[Path], FakeMachine]] = {
    "vm_epyc_hybrid": vm_epyc_hybrid,
    "vm_xeon": vm_xeon,
    "vm_unknown": vm_unknown,
    "server_epyc_7742": server_epyc_7742,
    "server_xeon_8480": server_xeon_8480,
    "server_altra": server_altra,
    "laptop": laptop,
    "docker_v2": docker_v2,
    "docker_v2_unlimited": docker_v2_unlimited,
    "docker_v1": docker_v1,
    "kubernetes_v2": kubernetes_v2,
    "slurm_v1": slurm_v1,
    "slurm_v2": slurm_v2,
    "slurm_without_groups": slurm_without_groups,
}
