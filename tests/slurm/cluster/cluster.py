"""A cluster to submit jobs to, to break and to mend."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

from . import places
from .config import CONTROLLER, Plan, slurm_conf
from .daemons import listens, start_accounting, start_controller, start_munge, write_configuration
from .nodes import kill_node, kill_slurmd, start_nodes
from .processes import ClusterError, Daemons, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_IN_SERVICE = {"idle", "mixed", "allocated", "completing"}
_UNFINISHED = {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "REQUEUED", "RESIZING", "STOPPED"}


class Cluster:
    """A Slurm cluster on this machine."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._daemons = Daemons(plan.folder)
        self.nodes = plan.nodes
        self.watts = dict(zip(plan.nodes, plan.watts, strict=True))
        self.conf = plan.conf
        self.shared: Path = plan.folder / "shared"  # on all nodes, as a parallel file system is

    @classmethod
    def start(
        cls,
        watts: Sequence[float] = (100.0, 150.0, 200.0),
        *,
        cpus: int = 4,
        place: int | None = None,
        private_tmp: bool = True,
    ) -> Cluster:
        """Start a cluster with a node for each of the powers, and wait until all are idle.

        Args:
            watts: What the counters of each node say, constantly.
            cpus: CPUs of each node.
            place: Stays until stopped (by hand). None: ends with this process, or with the next start after it.
            private_tmp: Each node has its own /tmp, /dev/shm and /run. In /tmp only ``shared`` is on all of them,
                and where they lie there, the checkout and its virtual environment.

        Raises:
            ClusterError: It does not start; the message ends with the last lines of the logs.
        """
        if os.geteuid() != 0:
            raise ClusterError("namespaces need root")
        cluster = cls(places.take(place, watts, cpus, private_tmp=private_tmp))
        try:
            write_configuration(cluster._plan)
            cluster.revive()
        except BaseException:
            cluster.stop()
            raise
        return cluster

    @classmethod
    def attach(cls, place: int) -> Cluster:
        """The cluster that runs at a place.

        Raises:
            ClusterError: There is none.
        """
        try:
            return cls(Plan.load(places.folder_of(place)))
        except FileNotFoundError:
            raise ClusterError(f"no cluster at {places.folder_of(place)}") from None

    def stop(self) -> None:
        """End everything at once and remove all of it; a second time, nothing."""
        if self._plan.folder.is_dir():
            places.clear(self._plan.folder, self._daemons)

    def revive(self) -> None:
        """Start again whatever died, and wait until all nodes are in service."""
        start_munge(self._plan, self._daemons)
        start_accounting(self._plan, self._daemons)
        start_controller(self._plan, self._daemons)
        start_nodes(self._plan, self._daemons)
        self._wait_for_service()

    def kill_node(self, node: str) -> None:
        """Cut a node's power. Slurm notices after half a minute."""
        kill_node(self._daemons, node)

    def kill_slurmd(self, node: str) -> None:
        """Kill a node's daemon; its jobs run on."""
        kill_slurmd(self._daemons, node)

    @contextlib.contextmanager
    def configured(self, *lines: str) -> Iterator[None]:
        """Have lines more in slurm.conf, for a while (Prolog=... and what else needs no restart)."""
        self._reconfigure(lines)
        try:
            yield
        finally:
            self._reconfigure(())

    def run(
        self, *argv: str, check: bool = True, timeout_s: float = 60, stdin: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Run a command that talks to this cluster.

        Raises:
            ClusterError: It failed, and `check` is set.
        """
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, check=False, timeout=timeout_s,
            env={**os.environ, **(environ or {}), "SLURM_CONF": str(self.conf)},
        )  # fmt: skip
        if check and done.returncode:
            raise ClusterError(f"{' '.join(argv)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def sbatch(self, script: str, *options: str, environ: Mapping[str, str] | None = None) -> str:
        """Submit a shell script; return the job's number. ``output`` gives what it prints."""
        text = script if script.startswith("#!") else f"#!/bin/bash\n{script}\n"
        place = [f"--output={self.shared}/job-%j.out", f"--chdir={self.shared}"]
        done = self.run("sbatch", "--parsable", *place, *options, stdin=text, environ=environ)
        return done.stdout.strip().partition(";")[0]

    def output(self, job: str) -> str:
        """What a job submitted here has printed."""
        with contextlib.suppress(FileNotFoundError):
            return (self.shared / f"job-{job}.out").read_text()
        return ""

    def state(self, job: str) -> str:
        """The state of a job in Slurm's words; of an array, all that occur, with commas between."""
        done = self.run("squeue", "--noheader", "--states=all", "--format=%T", f"--jobs={job}")
        return ",".join(sorted(set(done.stdout.split())))

    def wait(self, job: str, timeout_s: float = 60) -> str:
        """Wait for a job's end, until accounting knows it as well; return its state.

        Raises:
            ClusterError: It still runs; the message ends with its output.
        """
        try:
            state = until(f"the end of job {job}", lambda: self._final_state(job), timeout_s)
            until(f"the accounting of job {job}", lambda: self._accounted(job), 20, 0.05)
        except ClusterError as error:
            raise ClusterError(f"{error}: {self.state(job)}\n{self.output(job)}") from None
        return state

    def accounting(self, job: str, *fields: str) -> list[dict[str, str]]:
        """What sacct says of a job and its steps, a row each."""
        asked = ",".join(fields)
        done = self.run("sacct", "--parsable2", "--noheader", f"--format={asked}", f"--jobs={job}")
        return [dict(zip(fields, line.split("|"), strict=True)) for line in done.stdout.splitlines()]

    def cancel_all(self) -> None:
        """Cancel all jobs and wait until they are gone."""
        queue = ("squeue", "--noheader", "--format=%A")
        if jobs := set(self.run(*queue).stdout.split()):
            self.run("scancel", *jobs, check=False)
            until("an empty queue", lambda: not self.run(*queue).stdout.strip(), 30, 0.1)

    def _final_state(self, job: str) -> str:
        state = self.state(job)
        return "" if _UNFINISHED & set(state.split(",")) else state

    def _accounted(self, job: str) -> bool:
        rows = self.accounting(job, "State", "End")
        return bool(rows) and not any(row["State"] in _UNFINISHED or row["End"] == "Unknown" for row in rows)

    def _reconfigure(self, lines: tuple[str, ...]) -> None:
        self.conf.write_text(slurm_conf(self._plan, lines))
        self.run("scontrol", "reconfigure")

    def _wait_for_service(self) -> None:
        names = ["slurmctld", *(f"slurmd.{node}" for node in self.nodes)]
        controller = (CONTROLLER, self._plan.controller_port)
        self._daemons.wait("slurmctld", lambda: listens(*controller), names)
        self._daemons.wait("idle nodes", self._in_service, names)
        # The controller registers its cluster by itself.
        self._daemons.wait(
            "sacct", lambda: not self.run("sacct", "-n", "-X", check=False).returncode, ["slurmdbd", "mariadbd"]
        )

    def _in_service(self) -> bool:
        done = self.run("sinfo", "--noheader", "--Node", "--format=%N %T", check=False)
        states = dict(line.split() for line in done.stdout.splitlines())
        down = [node for node, state in states.items() if state.startswith(("down", "drain"))]
        if down:
            self.run("scontrol", "update", f"NodeName={','.join(down)}", "State=RESUME", check=False)
        return set(states) == set(self.nodes) and set(states.values()) <= _IN_SERVICE
