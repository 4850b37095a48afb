"""From the batch step: a collector on every node of the job, in a step beside the job's own steps.

``srun`` carries the order there and the collectors' words back; no question goes to Slurm's controller once the
step is made.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from greenai.core.errors import ConfigError, GreenAIError
from greenai.core.hostlist import expand
from greenai.core.text import Text
from greenai.host import this_host
from greenai.host.facts import slurm_facts
from greenai.journal.spool import create_run_folder, new_run_id
from greenai.settings import load_settings
from greenai.slurm.ask import ask_job
from greenai.slurm.collector_step import CollectorStep
from greenai.slurm.job_host import job_environ
from greenai.slurm.options import read_options
from greenai.slurm.order import ASKS, FAILED, HERE, OTHERS, READY, Order, ScriptEnd
from greenai.slurm.site.joined import JoinedRun
from greenai.slurm.site.notes import site_run
from greenai.tracking.session.announcement import announced
from greenai.tracking.session.place import running_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from greenai.core.text import Language
    from greenai.slurm.job_facts import JobFacts

COLLECTOR_MODULE = "greenai.slurm.collector"
LOG = "collectors.log"
# The script begins when all nodes are read, but not later than this: a big job's last node may take long.
PATIENCE_S = 0.6
ANSWER_WITHIN_S = 0.3
_END_PATIENCE_S = 2.0
_ANSWER_EVERY_S = 0.5  # all collectors hear each answer

_NO_JOB = Text(
    de="Hier läuft kein Slurm-Job (SLURM_JOB_ID fehlt).", en="this is no Slurm job (SLURM_JOB_ID is missing)."
)
_NOT_MEASURED = Text(
    de="greenai: {node} wird nicht gemessen: {reason}", en="greenai: {node} is not measured: {reason}"
)
_SILENT = Text(
    de="der Messprozess hat dort nicht begonnen (mehr dazu in {log}).",
    en="its collector did not start (more in {log}).",
)


class Collectors:
    """The collectors of one job.

    Attributes:
        environ: What the script's environment needs, so that programs in it find the run.
    """

    def __init__(
        self, folder: Path, nodes: Sequence[str], places: Sequence[Sequence[str]], language: Language
    ) -> None:
        """Start them; they begin once they have their order.

        Args:
            folder: The run's folder.
            nodes: All nodes of the job.
            places: For each step, where its tasks run, as ``srun`` takes it.
            language: In which to speak to the user.

        Raises:
            ConfigError: There is no ``srun``.
            OSError: It cannot be started.
        """
        self.environ = announced(folder)
        self._nodes = nodes
        self._language = language
        self._log = folder / LOG
        self._ready: set[str] = set()
        self._failed: dict[str, str] = {}
        self._told: set[str] = set()
        self._answered_s = 0.0
        self._settled = threading.Event()  # every node has said something
        task = [sys.executable, "-P", "-m", COLLECTOR_MODULE]
        self._steps = [CollectorStep(place, task, self._log, self._hear) for place in places]
        for step in self._steps:
            step.start()

    def order(self, order: Order) -> None:
        """Tell them what to do, and wait until they read, for a moment."""
        for step in self._steps:
            step.order(order.to_line())
        self._settled.wait(PATIENCE_S)
        self._tell_failures()

    def end(self, code: int) -> None:
        """Tell them how the script ended, and wait until they have read for the last time.

        Args:
            code: Exit code of the script, or minus the signal that ended it.
        """
        for step in self._steps:
            step.end(ScriptEnd(code).to_line())
        for step in self._steps:
            step.wait(_END_PATIENCE_S)
        for node in self._nodes:
            if node not in self._ready and node not in self._failed:
                self._failed[node] = _SILENT.format(log=self._log).to(self._language)
        self._tell_failures()

    def _hear(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        node, _, reason = rest.partition(" ")
        if word == READY:
            self._ready.add(node)
            self._failed.pop(node, None)
        elif word == FAILED:
            self._failed[node] = reason
        elif word == OTHERS:
            # Slurm ends the job's steps once this process has ended: do not wait for them.
            for step in self._steps:
                step.abandon()
        elif word == ASKS and time.monotonic() - self._answered_s >= _ANSWER_EVERY_S:
            self._answered_s = time.monotonic()
            for step in self._steps:
                step.tell(HERE)
        if len(self._ready | self._failed.keys()) >= len(self._nodes):
            self._settled.set()

    def _tell_failures(self) -> None:
        for node, reason in sorted(self._failed.items()):
            if node not in self._told:
                self._told.add(node)
                sys.stderr.write(f"{_NOT_MEASURED.format(node=node, reason=reason).to(self._language)}\n")
        sys.stderr.flush()


class Measured(Protocol):
    """A job that is measured, by whomever.

    Attributes:
        environ: What the script's environment needs, so that programs in it find the run.
    """

    environ: dict[str, str]

    def end(self, code: int) -> None:
        """Take note of how the script ended: exit code, or minus the signal that ended it."""


class MeasuredAlready:
    """A job whose script was wrapped, and starts another wrapped script: its collectors are there.

    Attributes:
        environ: What the script's environment needs, so that programs in it find the run.
    """

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ

    def end(self, code: int) -> None:
        """Do nothing: the batch step around it says how the job ended."""


def start_collectors(options: Sequence[str], script_folder: str) -> Measured:
    """Start a collector on every node of the job that this process is the batch step of.

    Where others measure it already, none is started: the run is theirs.

    Args:
        options: What the user said about the run, see ``greenai.slurm.options``.
        script_folder: Where the batch step keeps the script.

    Raises:
        ConfigError: This is no job, a setting is wrong, the spool cannot be written, or there is no ``srun``.
        OSError: ``srun`` cannot be started.
        ValueError: Slurm's list of nodes is none.
    """
    said = read_options(options)
    settings = load_settings(said.overrides)
    facts = slurm_facts(this_host())
    if facts is None:
        raise ConfigError(_NO_JOB)
    site = site_run(os.environ)
    if site is not None:
        return JoinedRun(site, settings, said.name)
    around = running_run(settings)
    if around is not None:
        return MeasuredAlready(announced(around))
    lists = _node_lists(os.environ)
    components = [expand(nodes) for nodes in lists]
    nodes = tuple(dict.fromkeys(node for nodes in components for node in nodes))
    folder = create_run_folder(settings.spool, new_run_id())
    collectors = Collectors(folder, nodes, _places(components), settings.language)
    jobs = _ask(facts["job_id"])  # while the collectors start
    collectors.order(
        Order(
            run_id=folder.name,
            spool=str(settings.spool),
            name=said.name or facts.get("job_name") or "job",
            overrides=said.overrides,
            slurm=facts,
            nodes=tuple(lists),
            environ=_environ(jobs),
            script_folder=script_folder,
            exclusive=_exclusive(jobs),
        )
    )
    return collectors


def _ask(job_id: str) -> tuple[JobFacts, ...]:
    """Return what Slurm says of this job; nothing if it does not answer at once. The one question of a job."""
    try:
        return ask_job(this_host(), int(job_id), ANSWER_WITHIN_S)
    except (GreenAIError, ValueError):
        return ()


def _environ(jobs: Sequence[JobFacts]) -> dict[str, dict[str, str | None]]:
    """Return how the nodes' environments must change, see ``Order``: what is the same on most is said once.

    The job's number and the node's name stay: a collector inside the job has them.
    """
    by_node = {node.name: job_environ(job, node.name) for job in jobs for node in job.nodes}
    for changes in by_node.values():
        del changes["SLURM_JOB_ID"], changes["SLURMD_NODENAME"]
    if not by_node:
        return {}
    counts = Counter(tuple(sorted(changes.items(), key=str)) for changes in by_node.values())
    common = dict(counts.most_common(1)[0][0])
    return {"": common} | {node: changes for node, changes in by_node.items() if changes != common}


def _exclusive(jobs: Sequence[JobFacts]) -> bool | None:
    answers = {job.exclusive for job in jobs}
    return None if not answers or None in answers else answers == {True}


def _node_lists(environ: Mapping[str, str]) -> list[str]:
    """Return the nodes of the job, of a heterogeneous one those of each component (man sbatch)."""
    size = environ.get("SLURM_HET_SIZE", "")
    if size.isdecimal():
        return [environ.get(f"SLURM_JOB_NODELIST_HET_GROUP_{number}", "") for number in range(int(size))]
    return [environ.get("SLURM_JOB_NODELIST", "")]


def _places(components: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return srun's options: one task on each node; a step for each component, since input goes to one only."""
    where = [[f"--nodes={len(nodes)}", f"--ntasks={len(nodes)}"] for nodes in components]
    if len(components) == 1:
        return where
    return [[f"--het-group={number}", *options] for number, options in enumerate(where)]
