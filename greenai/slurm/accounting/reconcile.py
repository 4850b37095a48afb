"""What was tracked beside what Slurm's accounting says of the same job. Pure.

Like is held against like: Slurm charges a step all that its nodes drew, so our figure for the whole nodes stands
beside it, not the job's share of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from greenai.core.accounting import is_partly_tracked, tracked_s
from greenai.core.channel import Component, Quality
from greenai.core.quantity import number
from greenai.core.text import Text
from greenai.core.vocabulary import Scope
from greenai.slurm.accounting.metered import steps_energy_j
from greenai.slurm.accounting.site_facts import cpu_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.batch_job import BatchJob
    from greenai.core.record import RunRecord
    from greenai.slurm.accounting.site_facts import SiteFacts

STEP_WINDOW = "step-"
"""The windows of a job's run are its steps: ``step-0``."""

_OTHER_LENGTH_S = 0.5
_OTHER_LENGTH_REL = 0.02

_SHARED = Text(
    de="Der Knoten war geteilt: Slurm berechnet jedem Job den ganzen; daneben steht unser Wert für den ganzen.",
    en="The node was shared: Slurm charges each job all of it; beside it stands our figure for all of it.",
)
_COLLECTOR = Text(
    de="Unser Messschritt lief neben den Schritten des Benutzers; Slurms eigene Summe zählt ihn mit; hier "
    "ist ohne ihn gerechnet.",
    en="Our collector's step ran beside the user's; Slurm's own sum counts it as well, and is worked out here "
    "without it.",
)
_SHORT = Text(
    de="Schritte unter einer Sekunde führt Slurm mit 0 J.", en="Slurm has 0 J for steps of less than a second."
)
_PARTS = Text(
    de="Slurms Zähler {name} enthält: {contains}; unserer mehr oder anderes.",
    en="Slurm's meter {name} contains: {contains}; ours more, or other things.",
)
_NO_METER = Text(
    de="Dieser Standort misst keine Energie (AcctGatherEnergyType=none).",
    en="This site meters no energy (AcctGatherEnergyType=none).",
)
_NO_FIGURE = Text(
    de="Slurm hat für diesen Job keinen Energiewert (abgebrochene Schritte haben oft keinen).",
    en="Slurm has no energy figure for this job (killed steps often have none).",
)
_ESTIMATED = Text(de="Unser Wert ist eine Schätzung.", en="Our figure is an estimate.")
INCOMPLETE = Text(de="Unser Wert ist unvollständig.", en="Our figure is incomplete.")
_OTHER_LENGTH = Text(
    de="Gemessen wurden {ours} s, bei Slurm sind es {theirs} s.",
    en="Tracked were {ours} s, with Slurm it is {theirs} s.",
)
_PART = Text(
    de="Nur {ours} s von {theirs} s des Jobs wurden gemessen; er brauchte mindestens so viel Energie.",
    en="Only {ours} s of the job's {theirs} s were tracked; it took at least this much energy.",
)
_ONE_STEP = Text(de="Gemessen wurde Schritt {step}.", en="Tracked was step {step}.")


@dataclass(frozen=True, slots=True)
class StepComparison:
    """A step of the job, tracked as a window of the run.

    Attributes:
        id: Its number.
        ours_j: Energy of the window, joules.
        slurm_j: Slurm's figure, joules.
    """

    id: str
    name: str
    ours_j: float | None
    slurm_j: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A tracked run and the accounting of its job.

    Attributes:
        record: The run, its accounting put on it.
        jobs: The job; of a heterogeneous one, all its parts.
        ours_j: Our energy of all nodes, joules; ``record.energy_j`` is the job's share of it.
        slurm_j: Slurm's energy of the user's steps, joules.
        steps: Step by step, where the run has them as windows.
        remarks: Why the two may differ.
        at_least: Whether the job took more than ``record.energy_j``: a part of it was not tracked.
    """

    record: RunRecord
    jobs: tuple[BatchJob, ...]
    ours_j: float | None
    slurm_j: float | None
    steps: tuple[StepComparison, ...]
    remarks: tuple[Text, ...]
    at_least: bool

    @property
    def difference_j(self) -> float | None:
        """Slurm's figure less ours, joules."""
        return self.slurm_j - self.ours_j if self.slurm_j is not None and self.ours_j is not None else None

    @property
    def difference_rel(self) -> float | None:
        """The same, relative to ours."""
        return self.difference_j / self.ours_j if self.difference_j is not None and self.ours_j else None

    def to_dict(self) -> dict[str, Any]:
        """Return it as data."""
        job = self.jobs[0]
        return {
            "run": self.record.id,
            "cluster": job.cluster,
            "job_id": job.job_id,
            "restart_count": job.restart_count,
            "state": self.record.state.value,
            "slurm_state": job.state,
            "exit_code": self.record.exit_code,
            "slurm_exit_code": job.shell_exit_code,
            "energy_j": self.record.energy_j,
            "at_least": self.at_least,
            "nodes_energy_j": self.ours_j,
            "slurm_energy_j": self.slurm_j,
            "slurm_job_energy_j": job.energy_j,
            "difference_j": self.difference_j,
            "difference_rel": self.difference_rel,
            "steps": [{name: getattr(step, name) for name in step.__slots__} for step in self.steps],
        }


def compare(record: RunRecord, jobs: Sequence[BatchJob], site: SiteFacts) -> Comparison:
    """Hold a tracked run against the accounting of its job.

    Args:
        record: The run, see ``core.accounting.with_accounting``.
        jobs: The job first; of a heterogeneous one, its other parts after it.
        site: What the site meters.
    """
    step_id = (record.slurm or {}).get("step_id", "")
    own_step = next((step for step in jobs[0].steps if step.id == step_id and step_id.isdecimal()), None)
    if own_step is not None and own_step.is_users:
        slurm_j, slurm_s = own_step.energy_j, own_step.elapsed_s
    else:
        own_step = None
        found = [steps_energy_j(job) for job in jobs]
        slurm_j = None if None in found else sum(energy_j or 0.0 for energy_j in found)
        slurm_s = jobs[0].elapsed_s
    energy = record.energy
    ours_j = energy.total_j if energy.machine_total_j is None else energy.machine_total_j
    part = part_of_job(jobs[0], [record])
    remarks = [_ONE_STEP.format(step=own_step.id)] if own_step is not None else []
    remarks += [part] if part is not None else []
    told = part is not None and own_step is None  # of the same job
    if (
        not told
        and slurm_s
        and abs(record.duration_s - slurm_s) > max(_OTHER_LENGTH_S, _OTHER_LENGTH_REL * slurm_s)
    ):
        ours = Text.each(lambda language: number(record.duration_s, language))
        remarks.append(_OTHER_LENGTH.format(ours=ours, theirs=slurm_s))
    remarks += _remarks(record, jobs, site, slurm_j)
    at_least = part is not None or record.incomplete
    return Comparison(record, tuple(jobs), ours_j, slurm_j, _steps(record, jobs[0]), tuple(remarks), at_least)


def part_of_job(job: BatchJob, records: Sequence[RunRecord]) -> Text | None:
    """Say for how much of a job there is a run; None if that is all of it."""
    if not is_partly_tracked(job, records):
        return None
    return _PART.format(
        ours=Text.each(lambda language: number(tracked_s(records), language)), theirs=job.elapsed_s
    )


def _remarks(record: RunRecord, jobs: Sequence[BatchJob], site: SiteFacts, slurm_j: float | None) -> list[Text]:
    found: list[Text] = []
    if slurm_j is None:
        found.append(_NO_METER if site.sensor is None else _NO_FIGURE)
    if any((cpu_share(job, site.node_cpus) or 1.0) < 1 for job in jobs):
        found.append(_SHARED)
    if any(job.has_collector and job.user_steps for job in jobs):
        found.append(_COLLECTOR)
    if any(step.elapsed_s == 0 for job in jobs for step in job.user_steps):
        found.append(_SHORT)
    counted = {channel.component for channel in record.energy.channels if channel.counted}
    if slurm_j is not None and site.sensor is not None and _differs(counted, site.sensor.component):
        found.append(_PARTS.format(name=site.sensor.name, contains=site.sensor.contains))
    if record.energy.quality is Quality.ESTIMATED:
        found.append(_ESTIMATED)
    if record.incomplete:
        found.append(INCOMPLETE)
    return found


def _differs(counted: set[Component], theirs: Component) -> bool:
    """Say whether we count other parts than Slurm's meter."""
    if theirs is Component.CPU:
        return not counted <= {Component.CPU, Component.DRAM}
    return counted != {theirs}


def _steps(record: RunRecord, job: BatchJob) -> tuple[StepComparison, ...]:
    """Return the user's steps, where both figures are of whole nodes: windows hold the job's share of them."""
    if record.energy.scope != Scope.MACHINE:
        return ()
    windows = {window.id.removeprefix(STEP_WINDOW): window for window in record.windows if window.parent is None}
    return tuple(
        StepComparison(step.id, step.name, windows[step.id].energy_j, step.energy_j)
        for step in job.user_steps
        if step.id in windows
    )
