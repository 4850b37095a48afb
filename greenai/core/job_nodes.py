"""The nodes of a batch job: which of them wrote nothing, began late, or fell silent before the others.

Clocks of nodes differ. The wall clock says only who was first and last; how late is late and how silent is silent
leaves room for clocks that are seconds apart (NTP keeps them within milliseconds).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from greenai.core import quantity
from greenai.core.channel import Channel, Component, Kind, Quality
from greenai.core.collector import Incident
from greenai.core.hostlist import expand
from greenai.core.incidents import MOST_NAMED
from greenai.core.run_energy import ChannelEnergy, unnoticed_s
from greenai.core.text import Text
from greenai.core.totals import ChannelSum
from greenai.core.units import NS_PER_S
from greenai.core.vocabulary import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from greenai.core.events import ProcessLog
    from greenai.core.host_account import HostAccount
    from greenai.core.traces import Span

# A node whose first reading is later than this after the first node's start, and than so many intervals, is late.
LATE_S = 2.0
LATE_INTERVALS = 2
# One that said nothing for this long before the last line of the others, and for so many intervals, fell silent.
SILENT_S = 5.0
SILENT_INTERVALS = 5

METHOD = "not_measured"
MISSING_NODE = "missing:node"

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
class Node:
    """One node as its collectors tell it, by its own wall clock (epoch ns)."""

    host: str
    length_s: float
    start_ns: int
    first_reading_ns: int
    last_line_ns: int
    interval_s: float
    stopped: bool


def node_names(here: Iterable[ProcessLog]) -> frozenset[str]:
    """Return what the cluster calls a host, as its collectors heard it."""
    names = (process.meta.get("node") for process in here if process.role is Role.NODE)
    return frozenset(name for name in names if isinstance(name, str))


def missing_nodes(meta: Mapping[str, Any], accounts: Iterable[HostAccount]) -> tuple[str, ...]:
    """Return the allocated nodes of which there is no journal, sorted.

    Args:
        meta: The run's description; ``nodes`` names what was allocated, by name or in Slurm's lists.
        accounts: Those of the hosts with journals. Domains and upper case make no difference to their names.
    """
    nodes = meta.get("nodes")
    if not isinstance(nodes, list):
        return ()
    there = {_short(name) for account in accounts for name in (account.host, *account.nodes)}
    named = {_short(name): name for entry in nodes for name in _names(entry)}
    return tuple(sorted(name for short, name in named.items() if short not in there))


def _names(entry: object) -> tuple[str, ...]:
    try:
        return expand(entry) if isinstance(entry, str) else ()
    except ValueError:  # damaged
        return ()


def missing_channel(node: str, duration_s: float) -> ChannelSum:
    """Return the row of a node of which there is no journal.

    Args:
        node: Its name.
        duration_s: The run's length.
    """
    channel = Channel(
        id=MISSING_NODE,
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


def nodes_of(by_host: Mapping[str, Sequence[ProcessLog]], accounts: Iterable[HostAccount]) -> list[Node]:
    """Return the nodes of a job that have journals.

    Args:
        by_host: The processes of each host.
        accounts: Those of its hosts.
    """
    return [node for account in accounts if (node := _node(account, by_host[account.host])) is not None]


def may_have_been_unseen(here: Iterable[ProcessLog], span: Span, began_ns: int | None) -> bool:
    """Say whether ``unseen`` may name a host.

    Args:
        here: Its processes.
        span: Start and end of the run on its monotonic clock.
        began_ns: When the first collector of the job began, epoch ns; None if it is no job.
    """
    collectors = [process for process in here if process.role is Role.NODE]
    if began_ns is None or not collectors:
        return False
    late_ns = collectors[0].wall_at(span[0]) - began_ns
    return late_ns > LATE_S * NS_PER_S or not any(process.stop for process in collectors)


def unseen(nodes: Sequence[Node], duration_s: float) -> dict[str, float]:
    """Return for how long each host took part in a job without being read, seconds; nothing of the others.

    That is from the first node's start to its own if it began late, and from its last line to that of the others
    if it fell silent. Never more than its own readings lack of the job's length: clocks differ.

    Args:
        nodes: Those of the job.
        duration_s: The job's length.
    """
    found: dict[str, float] = defaultdict(float)
    for node, late_s in _after_the_first(nodes, lambda node: node.start_ns):
        found[node.host] += late_s
    for node, silent_s in _silent(nodes):
        found[node.host] += silent_s
    lengths_s = {node.host: node.length_s for node in nodes}
    return {host: min(s, max(duration_s - lengths_s[host], 0.0)) for host, s in found.items()}


def node_incidents(nodes: Sequence[Node], missing: Sequence[str], duration_s: float) -> list[Incident]:
    """Return what is to be said of the nodes of a job.

    Args:
        nodes: Those that have journals.
        missing: See ``missing_nodes``.
        duration_s: The job's length.
    """
    found = _named("node_missing", [_MISSING.format(node=name) for name in missing], _MORE_MISSING)
    late = _after_the_first(nodes, lambda node: node.first_reading_ns)
    found += _named("node_late", [_LATE.format(node=n.host, late=_duration(s)) for n, s in late], _MORE_LATE)
    whole = _duration(duration_s)
    found += [
        Incident("energy_incomplete", _BLIND.format(node=node.host, gap=_duration(late_s), duration=whole))
        for node, late_s in late[:MOST_NAMED]
        if late_s > unnoticed_s(duration_s)
    ]
    silent = [
        _SILENT.format(
            node=node.host,
            silent=_duration(silent_s),
            since=_duration((node.last_line_ns - node.start_ns) / NS_PER_S),
        )
        for node, silent_s in _silent(nodes)
    ]
    return found + _named("node_silent", silent, _MORE_SILENT)


def _node(account: HostAccount, here: Sequence[ProcessLog]) -> Node | None:
    """Return a node as its collectors tell it; None if it had none."""
    collectors = [process for process in here if process.role is Role.NODE]
    if not collectors:
        return None
    clock = collectors[0]
    start_ns = account.span[0]
    first_ns = start_ns if account.first_reading_ns is None else account.first_reading_ns
    return Node(
        host=account.host,
        length_s=(account.span[1] - account.span[0]) / NS_PER_S,
        start_ns=clock.wall_at(start_ns),
        first_reading_ns=clock.wall_at(max(first_ns, start_ns)),
        last_line_ns=max(process.wall_at(process.last_ns) for process in collectors),
        interval_s=max(process.interval_s for process in collectors),
        stopped=any(process.stop is not None for process in collectors),
    )


def _after_the_first(nodes: Sequence[Node], when_ns: Callable[[Node], int]) -> list[tuple[Node, float]]:
    """Return the nodes that did something late, each with the seconds since the first node's start."""
    first_ns = min((node.start_ns for node in nodes), default=0)
    by_s = [(node, (when_ns(node) - first_ns) / NS_PER_S) for node in nodes]
    return [(node, s) for node, s in by_s if s > max(LATE_S, LATE_INTERVALS * node.interval_s)]


def _silent(nodes: Sequence[Node]) -> list[tuple[Node, float]]:
    """Return the nodes that fell silent, each with the seconds from its last line to that of the others."""
    last_ns = max((node.last_line_ns for node in nodes), default=0)
    by_s = [(node, (last_ns - node.last_line_ns) / NS_PER_S) for node in nodes if not node.stopped]
    return [(node, s) for node, s in by_s if s > max(SILENT_S, SILENT_INTERVALS * node.interval_s)]


def _named(code: str, messages: Sequence[Text], more: Text) -> list[Incident]:
    found = [Incident(code, message) for message in messages[:MOST_NAMED]]
    if len(messages) > MOST_NAMED:
        found.append(Incident(code, more.format(count=len(messages) - MOST_NAMED)))
    return found


def _short(name: str) -> str:
    return name.partition(".")[0].lower()


def _duration(seconds: float) -> Text:
    return Text.each(lambda language: quantity.duration(seconds, language))
