"""Starts what the nodes stand on: munge, MariaDB, slurmdbd and slurmctld. Nothing listens beyond this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

from .config import CONTROLLER, cgroup_conf, slurm_conf, slurmdbd_conf
from .processes import ClusterError

if TYPE_CHECKING:
    from pathlib import Path

    from .config import Plan
    from .processes import Daemons

_PACKAGES = "slurm-wlm munge slurmdbd mariadb-server-core mariadb-client-core"


def program(name: str) -> str:
    """The path of a program.

    Raises:
        ClusterError: It is not installed.
    """
    path = shutil.which(name, path="/usr/sbin:/usr/bin")
    if path is None:
        raise ClusterError(f"{name} is not installed: apt-get install -y --no-install-recommends {_PACKAGES}")
    return path


def write_configuration(plan: Plan) -> None:
    """Write all configuration files and make the folders they name."""
    for name in ("controller", "log", "munge", "nodes", "shared"):
        (plan.folder / name).mkdir(exist_ok=True)
    (plan.folder / "shared").chmod(0o1777)
    plan.conf.write_text(slurm_conf(plan))
    (plan.folder / "cgroup.conf").write_text(cgroup_conf())
    accounting = plan.folder / "slurmdbd.conf"
    accounting.touch(0o600)
    accounting.write_text(slurmdbd_conf(plan))


def start_munge(plan: Plan, daemons: Daemons) -> None:
    """Start munged, one for all nodes."""
    folder = plan.folder / "munge"
    key = folder / "key"
    if not key.exists():
        key.touch(0o400)
        key.write_bytes(os.urandom(1024))
    daemons.ensure(
        "munged",
        [
            program("munged"), "--foreground", "--force", f"--key-file={key}", f"--socket={plan.munge_socket}",
            f"--pid-file={folder}/pid", f"--log-file={folder}/log", f"--seed-file={folder}/seed",
        ],
    )  # fmt: skip
    command = [program("munge"), "-n", "-S", str(plan.munge_socket)]
    daemons.wait(
        "munge", lambda: not subprocess.run(command, capture_output=True, check=False).returncode, ["munged"]
    )


def start_accounting(plan: Plan, daemons: Daemons) -> None:
    """Start MariaDB and slurmdbd."""
    folder = plan.folder / "database"
    data = folder / "data"
    if not (data / "mysql").is_dir():
        _create_database(folder, data)
    daemons.ensure(
        "mariadbd",
        [
            program("mariadbd"), "--no-defaults", "--user=root", f"--datadir={data}", f"--pid-file={folder}/pid",
            f"--socket={plan.database_socket}", "--skip-networking", "--skip-log-bin", "--performance-schema=OFF",
            "--skip-name-resolve", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=8M",
            "--innodb-lock-wait-timeout=900", "--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync",
        ],
    )  # fmt: skip
    daemons.wait("MariaDB", lambda: _greets(plan.database_socket), ["mariadbd"])
    daemons.ensure("slurmdbd", [program("slurmdbd"), "-D"], {"MYSQL_UNIX_PORT": str(plan.database_socket)})
    daemons.wait("slurmdbd", lambda: listens(CONTROLLER, plan.accounting_port), ["slurmdbd"])


def start_controller(plan: Plan, daemons: Daemons) -> None:
    """Start slurmctld; it needs a while until it answers."""
    daemons.ensure("slurmctld", [program("slurmctld"), "-D", "-f", str(plan.conf)])


def listens(host: str, port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def _create_database(folder: Path, data: Path) -> None:
    folder.mkdir(0o700, exist_ok=True)
    done = subprocess.run(
        [
            program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--user=root", "--skip-test-db",
            "--auth-root-authentication-method=normal", "--innodb-log-file-size=8M",
        ],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        raise ClusterError(f"mariadb-install-db failed\n{done.stdout[-1500:]}{done.stderr[-1500:]}")


def _greets(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
            return bool(probe.recv(4))
        except OSError:
            return False
