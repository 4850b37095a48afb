"""The nodes of a batch job: which of them wrote nothing, began late, or fell silent before the others.

Clocks of nodes differ. The wall clock says only who was first and last; how late is late and how silent is silent
leaves room for clocks that are seconds apart (NTP keeps them within milliseconds).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from greenai.core import quantity
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Incident
from greenai.core.run_energy import ChannelEnergy, unnoticed_s
from greenai.core.text import Text
from greenai.core.totals import ChannelSum
from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.core.events import ProcessLog
    from greenai.core.host_account import HostAccount

# A node whose first reading is later than this after the first node's start, and than so many intervals, is late.
LATE_S = 2.0
LATE_INTERVALS = 2
# One that said nothing for this long before the last line of the others, and for so many intervals, fell silent.
SILENT_S = 5.0
SILENT_INTERVALS = 5
# So many are named one by one; of the others there is a count.
MOST_NAMED = 20

METHOD = "not_measured"

_MISSING = Text(
    de="Vom Knoten {node} gibt es kein Journal; seine Energie fehlt in der Summe.",
    en="There is no journal of node {node}; its energy is missing from the total.",
)
_MORE_MISSING = Text(
    de="Auch von {count} weiteren Knoten gibt es kein Journal; ihre Energie fehlt in der Summe.",
    en="There is no journal of {count} more nodes either; their energy is missing from the total.",
)
_LATE = Text(
    de="Die Messung auf dem Knoten {node} begann {late} nach dem ersten Knoten; bis dahin fehlt seine Energie.",
    en="On node {node} measuring began {late} after the first node; its energy until then is missing.",
)
_MORE_LATE = Text(
    de="Auch auf {count} weiteren Knoten begann die Messung später als auf dem ersten.",
    en="On {count} more nodes measuring began later than on the first, too.",
)
_SILENT = Text(
    de="Der Knoten {node} verstummte {since} nach seinem Start, {silent} vor dem Ende der anderen; seine Energie "
    "danach fehlt.",
    en="Node {node} fell silent {since} after its start, {silent} before the others' end; its energy after "
    "that is missing.",
)
_MORE_SILENT = Text(
    de="Auch {count} weitere Knoten verstummten vor dem Ende der anderen.",
    en="{count} more nodes fell silent before the others' end, too.",
)
_BLIND = Text(
    de="{node}: für {gap} von {duration} gibt es keine Messung; die Energie dieser Zeit fehlt in der Summe.",
    en="{node}: for {gap} of {duration} there is no reading; the energy of that time is missing from the total.",
)
_NOTE = Text(
    de="Von diesem Knoten gibt es kein Journal; seine Energie ist unbekannt, nicht 0.",
    en="There is no journal of this node; its energy is unknown, not 0.",
)


@dataclass(frozen=True, slots=True)
class _Node:
    """One node, by its own wall clock (epoch ns)."""

    name: str
    start_ns: int
    first_reading_ns: int
    last_line_ns: int
    interval_s: float
    stopped: bool


def missing_nodes(meta: Mapping[str, Any], hosts: Sequence[str]) -> tuple[str, ...]:
    """Return the allocated nodes of which there is no journal, sorted.

    Args:
        meta: The run's description; ``nodes`` names what was allocated.
        hosts: Where journals were written. Domains and upper case make no difference.
    """
    nodes = meta.get("nodes")
    if not isinstance(nodes, list):
        return ()
    there = {_short(host) for host in hosts}
    named = {_short(name): name for name in nodes if isinstance(name, str) and name}
    return tuple(sorted(name for short, name in named.items() if short not in there))


def missing_channel(node: str, duration_s: float) -> ChannelSum:
    """Return the row of a node of which there is no journal.

    Args:
        node: Its name.
        duration_s: The run's length.
    """
    channel = Channel(
        id="missing:node",
        collector="missing",
        component=Component.NODE,
        kind=Kind.COUNTER,
        quality=Quality.MEASURED,
        device="node",
        host=node,
        method=METHOD,
        uncertainty_rel=0.0,
        max_power_uw=0,
        note=_NOTE,
    )
    row = ChannelEnergy(
        id=channel.id,
        host=node,
        component=channel.component,
        device=channel.device,
        energy_j=None,
        low_j=None,
        high_j=None,
        quality=channel.quality,
        method=channel.method,
        uncertainty_rel=channel.uncertainty_rel,
        gap_s=duration_s,
        counted=False,
        note=channel.note,
    )
    return ChannelSum(channel, row)


def node_incidents(
    by_host: Mapping[str, Sequence[ProcessLog]],
    accounts: Sequence[HostAccount],
    missing: Sequence[str],
    duration_s: float,
) -> list[Incident]:
    """Return what is to be said of the nodes of a job.

    Args:
        by_host: The processes of each host.
        accounts: Those of its hosts.
        missing: See ``missing_nodes``.
        duration_s: The run's length.
    """
    nodes = [node for account in accounts if (node := _node(account, by_host[account.host])) is not None]
    found = _named("node_missing", [_MISSING.format(node=name) for name in missing], _MORE_MISSING)
    if not nodes:
        return found
    late = _late(nodes)
    found += _named("node_late", [_LATE.format(node=n.name, late=_duration(s)) for n, s in late], _MORE_LATE)
    whole = _duration(duration_s)
    found += [
        Incident("energy_incomplete", _BLIND.format(node=node.name, gap=_duration(late_s), duration=whole))
        for node, late_s in late[:MOST_NAMED]
        if late_s > unnoticed_s(duration_s)
    ]
    return found + _named("node_silent", _silent(nodes), _MORE_SILENT)


def _node(account: HostAccount, here: Sequence[ProcessLog]) -> _Node | None:
    """Return a node as its collectors tell it; None if it had none."""
    collectors = [process for process in here if process.role is Role.NODE]
    if not collectors:
        return None
    clock = collectors[0]
    start_ns = account.span[0]
    first_ns = start_ns if account.first_reading_ns is None else account.first_reading_ns
    return _Node(
        name=account.host,
        start_ns=clock.wall_at(start_ns),
        first_reading_ns=clock.wall_at(max(first_ns, start_ns)),
        last_line_ns=max(process.wall_at(process.last_ns) for process in collectors),
        interval_s=max(process.interval_s for process in collectors),
        stopped=any(process.stop is not None for process in collectors),
    )


def _late(nodes: Sequence[_Node]) -> list[tuple[_Node, float]]:
    """Return the nodes that began late, each with the seconds since the first node's start."""
    first_ns = min(node.start_ns for node in nodes)
    by_s = [(node, (node.first_reading_ns - first_ns) / NS_PER_S) for node in nodes]
    return [(node, s) for node, s in by_s if s > max(LATE_S, LATE_INTERVALS * node.interval_s)]


def _silent(nodes: Sequence[_Node]) -> list[Text]:
    """Return a word on each node that fell silent before the others."""
    last_ns = max(node.last_line_ns for node in nodes)
    found = []
    for node in nodes:
        silent_s = (last_ns - node.last_line_ns) / NS_PER_S
        if not node.stopped and silent_s > max(SILENT_S, SILENT_INTERVALS * node.interval_s):
            since = _duration((node.last_line_ns - node.start_ns) / NS_PER_S)
            found.append(_SILENT.format(node=node.name, silent=_duration(silent_s), since=since))
    return found


def _named(code: str, messages: Sequence[Text], more: Text) -> list[Incident]:
    found = [Incident(code, message) for message in messages[:MOST_NAMED]]
    if len(messages) > MOST_NAMED:
        found.append(Incident(code, more.format(count=len(messages) - MOST_NAMED)))
    return found


def _short(name: str) -> str:
    return name.partition(".")[0].lower()


def _duration(seconds: float) -> Text:
    return Text.each(lambda language: quantity.duration(seconds, language))
