"""The account of a run: journals in, record out. Pure, so the same journals always give the same figures.

A run is accounted host by host (``core.host_account``); its record is put together from what is left of each. So a
run of a thousand nodes needs no more memory than its largest node (``greenai.ingest``).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from greenai.core import course
from greenai.core.checkpoints import checkpoints
from greenai.core.collector import Incident
from greenai.core.host_account import account_host
from greenai.core.incidents import run_incidents
from greenai.core.job_nodes import missing_channel, missing_nodes, node_incidents, nodes_of, unseen
from greenai.core.outline import Outline
from greenai.core.record import JournalFacts, RunRecord, Site, Work
from greenai.core.service import served_units, service
from greenai.core.text import Text
from greenai.core.totals import is_rest, total_of
from greenai.core.units import NS_PER_MS, NS_PER_S
from greenai.core.vocabulary import RunState
from greenai.core.window_energy import windows_together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.core.channel import Channel
    from greenai.core.condensed import CondensedHour
    from greenai.core.events import RunLog
    from greenai.core.host_account import HostAccount
    from greenai.core.totals import ChannelSum
    from greenai.core.traces import ChannelTrace

_COUNTLESS = Incident(
    "units_unknown",
    Text(
        de="Die gelieferten Einheiten ergeben zusammen keine endliche Zahl; wie viele es waren, ist unbekannt.",
        en="The units delivered add up to no finite number; how many there were is unknown.",
    ),
)


@dataclass(frozen=True, slots=True)
class Account:
    """A record and the traces it was computed from."""

    record: RunRecord
    traces: tuple[ChannelTrace, ...]
    over: Mapping[str, Sequence[CondensedHour]]  # by host, the hours of a service that are over


def account(log: RunLog, window_id: str | None = None, *, windows: bool = True) -> Account:
    """Compute the record of a run from its journals.

    Emissions and cost are not part of it: they are applied afterwards, so that a corrected factor never
    touches a measurement.

    Args:
        log: What the journals say.
        window_id: Confine the figures to this window; default is the whole run.
        windows: Work out the energy of each window, which takes longer than the rest where there are many.

    Raises:
        ValueError: ``log`` holds no process at all, or no such window.
    """
    outline = Outline.of(log.processes, is_part=window_id is not None)
    spans = course.spans(log) if window_id is None else course.window_spans(log, window_id)
    here = log.by_host()
    hosts = []
    traces: list[ChannelTrace] = []
    over: dict[str, Sequence[CondensedHour]] = {}
    for host, span in sorted(spans.items()):
        found, of_host, hours = account_host(here[host], span, outline.terms, windows=windows)
        hosts.append(found)
        traces += of_host
        if outline.terms.hourly:
            over[host] = hours
    record, _ = together(outline, log, hosts, window_id)
    return Account(record, tuple(traces), over)


def together(
    outline: Outline, log: RunLog, hosts: Sequence[HostAccount], window_id: str | None = None
) -> tuple[RunRecord, tuple[Channel, ...]]:
    """Put the record of a run together; return it with its channels in the order of ``record.energy.channels``.

    Args:
        outline: Who began the run, and what it is.
        log: Its journals; nothing is asked of their readings.
        hosts: The accounts of its hosts, sorted by name.
        window_id: The window that they are confined to, None for the whole run.
    """
    first, meta = outline.first, outline.meta
    by_host = log.by_host()
    spans = {host.host: host.span for host in hosts}
    duration_s = max((span[1] - span[0]) / NS_PER_S for span in spans.values())
    is_whole_job = outline.is_job and window_id is None
    missing = missing_nodes(meta, hosts) if is_whole_job else ()
    nodes = nodes_of(by_host, hosts) if is_whole_job else []
    seen = _in_order(hosts)
    unseen_s = unseen(nodes, duration_s)
    sums = [each.with_unseen(unseen_s[host]) if (host := each.channel.host) in unseen_s else each for each in seen]
    sums += [missing_channel(node, duration_s) for node in missing]
    energy = total_of(sums, outline.terms.scope)
    state, end = course.state_of(log), course.ending(log)
    started_ns, ended_ns = _begin_and_end(outline, log, hosts)
    requests, hours = service(host.service for host in hosts)
    units = sum(process.units_in(window_id) for process in log.processes)
    units += served_units((host.service for host in hosts), requests, meta.get("unit"))
    countless = not isfinite(units)
    units = 0.0 if countless else units
    per_unit_j = energy.total_j / units if energy.total_j is not None and units > 0 else None
    incidents = [
        *run_incidents(log, first, [each.row for each in seen], duration_s),
        *([_COUNTLESS] if countless else []),
        *node_incidents(nodes, missing, duration_s),
    ]
    record = RunRecord(
        id=log.run_id,
        name=str(meta.get("name") or log.run_id),
        project=meta.get("project"),
        task=meta.get("task"),
        approach=meta.get("approach"),
        phase=meta.get("phase"),
        state=state,
        exit_code=end.exit_code if end else None,
        error=end.error if end else None,
        started_ms=started_ns // NS_PER_MS,
        ended_ms=None if state is RunState.RUNNING else ended_ns // NS_PER_MS,
        duration_s=duration_s,
        hosts=tuple(spans),
        user=meta.get("user"),
        git_commit=meta.get("git_commit"),
        tags=dict(meta.get("tags") or {}),
        slurm=_facts(meta.get("slurm")),
        environment=dict(meta.get("environment") or {}),
        site=Site(**{name: meta.get(name) for name in Site.__slots__}),
        energy=energy,
        windows=windows_together(
            (window for host in hosts for window in host.windows),
            others_stopped=any(process.stop for process in log.processes),
        ),
        requests=requests,
        hours=hours,
        checkpoints=checkpoints(log.processes, spans, [host.energy_at for host in hosts]),
        work=Work(units, meta.get("unit"), per_unit_j),
        metrics=tuple({m.name: m for process in log.processes for m in process.metrics}.values()),
        incidents=tuple(incidents),
        journal=JournalFacts(
            lines=sum(process.lines for process in log.processes),
            bad_lines=sum(process.bad_lines for process in log.processes),
            sha256=log.sha256,
        ),
    )
    return record, tuple(each.channel for each in sums)


def _facts(claimed: object) -> dict[str, str] | None:
    """Return what a journal says of its batch job: texts, whatever else it holds."""
    if not isinstance(claimed, dict):
        return None
    return {str(key): value for key, value in claimed.items() if isinstance(value, str)}


def _in_order(hosts: Sequence[HostAccount]) -> list[ChannelSum]:
    """Return the channels of a run: what was read, host by host, then the estimates of the rest of each."""
    found = [each for host in hosts for each in host.channels]
    return sorted(found, key=lambda each: is_rest(each.channel))


def _begin_and_end(outline: Outline, log: RunLog, hosts: Sequence[HostAccount]) -> tuple[int, int]:
    """Return when a run began and ended by the wall clock, epoch ns.

    A job ends with its last node. How long that took, its own clock says.
    """
    by_host = log.by_host()
    begun = next((host for host in hosts if host.host == outline.first.host), hosts[0])
    clock = outline.first if begun.host == outline.first.host else by_host[begun.host][0]
    longest = max(hosts, key=lambda host: host.span[1] - host.span[0]) if outline.is_job else begun
    started_ns = clock.wall_at(begun.span[0])
    length_ns = longest.span[1] - longest.span[0]
    return started_ns, started_ns + length_ns + course.slept_ns(by_host[longest.host])
