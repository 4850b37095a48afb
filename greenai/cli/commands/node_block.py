"""The nodes of a run on the terminal: what each took, and which attempt of which batch job the run is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.cli.app import print_table
from greenai.core import labels, quantity
from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.cli.app import App
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
    attempt = int(facts.get("restart_count", "0")) + 1
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
    nodes = list(dict.fromkeys(channel.host for channel in record.energy.channels))
    if len(nodes) < 2:  # noqa: PLR2004
        return
    rows = [_cells(app, record, node) for node in sorted(nodes)[:MOST_NODES]]
    print_table([app.say(heading) for heading in _HEADINGS], rows, right=(1,))
    more = len(nodes) - MOST_NODES
    if more > 0:
        print(app.say(_MORE, count=quantity.integer(more, app.language), run=record.id))
    print()


def _cells(app: App, record: RunRecord, node: str) -> list[str]:
    here = [channel for channel in record.energy.channels if channel.host == node]
    counted = [channel for channel in here if channel.counted and channel.energy_j is not None]
    if not counted:
        gap = quantity.duration(record.duration_s, app.language)
        return [node, quantity.NO_VALUE, quantity.NO_VALUE, quantity.NO_VALUE, gap]
    energy_j = sum(channel.energy_j or 0.0 for channel in counted)
    # The parts of a node may err alike: their bounds are added.
    low_j, high_j = sum(c.low_j or 0.0 for c in counted), sum(c.high_j or 0.0 for c in counted)
    weakest = max((channel.quality for channel in counted), key=list(labels.QUALITY).index)
    gap_s = max(channel.gap_s for channel in counted)
    return [
        node,
        quantity.energy(energy_j, app.language),
        quantity.energy_range(low_j, high_j, app.language, 2, like=energy_j),
        app.say(labels.QUALITY[weakest]),
        quantity.duration(gap_s, app.language) if gap_s else quantity.NO_VALUE,
    ]
