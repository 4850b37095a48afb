"""What a cluster is to be, and the configuration files that say so to Slurm. Pure, but for the host's name."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

FREEZER = Path("/sys/fs/cgroup/freezer/cgroup.procs")  # there where cgroups of version 1 are mounted
CONTROLLER = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Plan:
    """A cluster, as asked for."""

    folder: Path
    nodes: tuple[str, ...]
    watts: tuple[float, ...]
    cpus: int  # of each node; may be more than the machine has
    first_port: int
    private_tmp: bool  # /tmp, /dev/shm and /run of each node are its own

    @property
    def conf(self) -> Path:
        """The file that SLURM_CONF names."""
        return self.folder / "slurm.conf"

    @property
    def munge_socket(self) -> Path:
        """Where munged listens."""
        return self.folder / "munge" / "socket"

    @property
    def database_socket(self) -> Path:
        """Where MariaDB listens."""
        return self.folder / "database" / "socket"

    @property
    def controller_port(self) -> int:
        """Of slurmctld."""
        return self.first_port

    @property
    def accounting_port(self) -> int:
        """Of slurmdbd."""
        return self.first_port + 1

    def address(self, node: str) -> tuple[str, int]:
        """Where the slurmd of a node listens."""
        number = self.nodes.index(node)
        return f"127.0.0.{11 + number}", self.first_port + 2 + number

    def home(self, node: str) -> Path:
        """The folder of what belongs to one node."""
        return self.folder / "nodes" / node

    def save(self) -> None:
        """Let another process find the plan."""
        fields = {**asdict(self), "folder": str(self.folder)}
        (self.folder / "plan.json").write_text(json.dumps(fields))

    @classmethod
    def load(cls, folder: Path) -> Plan:
        """The plan of the cluster in this folder.

        Raises:
            FileNotFoundError: There is none.
        """
        fields = json.loads((folder / "plan.json").read_text())
        return cls(
            Path(fields["folder"]), tuple(fields["nodes"]), tuple(fields["watts"]), fields["cpus"],
            fields["first_port"], fields["private_tmp"],
        )  # fmt: skip


def slurm_conf(plan: Plan, extra: tuple[str, ...] = ()) -> str:
    """The text of slurm.conf."""
    folder = plan.folder
    cgroups = FREEZER.exists()
    nodes = []
    for node in plan.nodes:
        address, port = plan.address(node)
        nodes.append(
            f"NodeName={node} NodeHostname={node} NodeAddr={address} Port={port} CPUs={plan.cpus} RealMemory=1000"
        )
    return _lines(
        "ClusterName=greenai",
        f"SlurmctldHost={_short_host_name()}({CONTROLLER})",  # the name must be one that this machine answers to
        f"SlurmctldPort={plan.controller_port}",
        "SlurmUser=root",
        "SlurmdUser=root",
        "AuthType=auth/munge",
        f"AuthInfo=socket={plan.munge_socket},cred_expire=5",  # a requeued job waits that long (Slurm: 120)
        f"StateSaveLocation={folder}/controller",
        f"SlurmdSpoolDir={folder}/nodes/%n/spool",
        f"SlurmctldPidFile={folder}/slurmctld.pid",
        f"SlurmdPidFile={folder}/nodes/%n/slurmd.pid",
        f"SlurmctldLogFile={folder}/log/slurmctld.log",
        f"SlurmdLogFile={folder}/log/slurmd.%n.log",
        "MailProg=/bin/true",
        "MpiDefault=none",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core",
        "SlurmdParameters=config_overrides",  # believe CPUs= below, not the hardware
        "ReturnToService=2",
        f"ProctrackType=proctrack/{'cgroup' if cgroups else 'linuxproc'}",
        f"JobAcctGatherType=jobacct_gather/{'cgroup' if cgroups else 'linux'}",
        "JobAcctGatherFrequency=task=1,energy=1",
        "AcctGatherEnergyType=acct_gather_energy/pm_counters",
        "AcctGatherNodeFreq=0",  # any other figure starves the pings: a dead node is never DOWN
        "AccountingStorageType=accounting_storage/slurmdbd",
        "AccountingStorageHost=127.0.0.1",
        f"AccountingStoragePort={plan.accounting_port}",
        f"AccountingStoragePass={plan.munge_socket}",  # this, not AuthInfo, is where slurmdbd's socket is looked up
        "AccountingStorageTRES=energy",
        "KillWait=2",  # seconds from SIGTERM to SIGKILL (Slurm: 30)
        "SlurmdTimeout=10",  # until a silent node is DOWN (Slurm: 300)
        "MinJobAge=300",
        "JobRequeue=1",
        # Schedule at once: tests submit few jobs and wait for each.
        "SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=10000,batch_sched_delay=0",
        *nodes,
        "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP",
        *extra,
    )


def cgroup_conf() -> str:
    """The text of cgroup.conf: slurmd loads a plugin even where nothing uses it, and dies of one that does not fit."""
    return _lines("CgroupPlugin=cgroup/v1", "ConstrainCores=no", "ConstrainRAMSpace=no")


def slurmdbd_conf(plan: Plan) -> str:
    """The text of slurmdbd.conf, which only root may read."""
    return _lines(
        "AuthType=auth/munge",
        f"AuthInfo=socket={plan.munge_socket}",
        f"DbdHost={_short_host_name()}",
        f"DbdAddr={CONTROLLER}",
        f"DbdPort={plan.accounting_port}",
        "SlurmUser=root",
        f"LogFile={plan.folder}/log/slurmdbd.log",
        f"PidFile={plan.folder}/slurmdbd.pid",
        "StorageType=accounting_storage/mysql",
        "StorageHost=localhost",  # the Unix socket that MYSQL_UNIX_PORT names
        "StorageUser=root",
        "StorageLoc=slurm_accounting",
    )


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def _short_host_name() -> str:
    return socket.gethostname().partition(".")[0]
