"""The nodes of a run on the terminal: what each took, and which attempt of which batch job the run is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.cli.app import print_table
from greenai.core import labels, quantity
from greenai.core.batch_job import claimed_number
from greenai.core.node_energy import node_energies
from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.cli.app import App
    from greenai.core.node_energy import NodeEnergy
    from greenai.core.record import RunRecord

_JOB = Text(de="Batch-Job", en="Batch job")
_ATTEMPT = Text(de="{job}, Versuch {attempt}", en="{job}, attempt {attempt}")
_SLURM_SAYS = Text(de="Slurm: {state}", en="Slurm: {state}")
_HEADINGS = (
    Text(de="Knoten", en="Node"),
    Text(de="Energie", en="Energy"),
    Text(de="Bereich", en="Range"),
    Text(de="Güte", en="Quality"),
    Text(de="Lücke", en="Gap"),
)
MOST_NODES = 40
_MORE = Text(
    de="... und {count} weitere Knoten; alle zeigt: greenai runs show {run} --json",
    en="... and {count} more nodes; all are shown by: greenai runs show {run} --json",
)


def job_facts(app: App, record: RunRecord) -> list[tuple[str, str]]:
    """Return the line on the batch job, if there is one."""
    name = job_name(record)
    if name is None:
        return []
    facts = record.slurm or {}
    parts = [facts[key] for key in ("partition", "cluster") if facts.get(key)]
    attempt = claimed_number(facts.get("restart_count")) + 1
    if attempt > 1:
        name = app.say(_ATTEMPT, job=name, attempt=attempt)
    if record.accounting is not None:
        parts.append(app.say(_SLURM_SAYS, state=record.accounting.state))
    return [(app.say(_JOB), ", ".join([name, *parts]))]


def job_name(record: RunRecord) -> str | None:
    """Return a run's job as Slurm's tools name it: ``123``, or ``123_4`` for an element of an array."""
    facts = record.slurm or {}
    array, element = facts.get("array_job_id"), facts.get("array_task_id")
    return f"{array}_{element}" if array and element else facts.get("job_id")


def show_nodes(app: App, record: RunRecord) -> None:
    """Write what each node took; nothing for a run on one machine."""
    nodes = node_energies(record)
    if not nodes:
        return
    rows = [_cells(app, node) for node in nodes[:MOST_NODES]]
    print_table([app.say(heading) for heading in _HEADINGS], rows, right=(1,))
    more = len(nodes) - MOST_NODES
    if more > 0:
        print(app.say(_MORE, count=quantity.integer(more, app.language), run=record.id))
    print()


def _cells(app: App, node: NodeEnergy) -> list[str]:
    return [
        node.host,
        quantity.at_least(quantity.energy(node.energy_j, app.language), is_at_least=node.is_at_least),
        quantity.energy_range(node.low_j, node.high_j, app.language, 2, like=node.energy_j),
        app.say(labels.QUALITY[node.quality]) if node.quality else quantity.NO_VALUE,
        quantity.duration(node.gap_s, app.language) if node.gap_s else quantity.NO_VALUE,
    ]
