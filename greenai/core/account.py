"""The account of a run: journals in, record out. Pure, so the same journals always give the same figures."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from greenai.core import course
from greenai.core.checkpoints import checkpoints
from greenai.core.collector import Incident
from greenai.core.hourly import hourly_traces
from greenai.core.incidents import run_incidents
from greenai.core.record import JournalFacts, RunRecord, Site, WindowEnergy, Work
from greenai.core.service import served_units, service
from greenai.core.text import Text
from greenai.core.totals import energy_of, with_rest
from greenai.core.traces import traces
from greenai.core.units import NS_PER_MS, NS_PER_S
from greenai.core.vocabulary import Role, RunState, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.core.condensed import CondensedHour
    from greenai.core.cover import Key
    from greenai.core.events import ProcessLog, RunLog
    from greenai.core.traces import ChannelTrace, Span

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
    if not log.processes:
        raise ValueError("a run without a journal has no account")
    first = min(log.processes, key=lambda process: (process.role is not Role.OWNER, process.wall_ns))
    owner = first if first.role is Role.OWNER else None
    spans = course.spans(log) if window_id is None else course.window_span(log, window_id)
    meta = _meta(log, first)
    scope, count_rest = _scope(meta), bool(meta.get("rest_of_node"))
    if meta.get("service") and window_id is None:
        measured, over = hourly_traces(log, spans, scope, count_rest=count_rest)
    else:
        measured, over = traces(log, spans, scope), {}
    found = with_rest(measured, spans, is_counted=count_rest)
    duration_s = max((span[1] - span[0]) / NS_PER_S for span in spans.values())
    energy, chosen = energy_of(found, spans, scope, count_rest=count_rest)
    state, end = course.state_of(log), course.ending(log)
    start_ns, end_ns = spans.get(first.host) or next(iter(spans.values()))
    requests, hours = service(log, found, chosen, spans, over)
    units = sum(process.units_in(window_id) for process in log.processes)
    units += served_units(log, requests, meta.get("unit"))
    countless = not isfinite(units)
    units = 0.0 if countless else units
    per_unit_j = energy.total_j / units if energy.total_j is not None and units > 0 else None
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
        started_ms=first.wall_at(start_ns) // NS_PER_MS,
        ended_ms=None
        if state is RunState.RUNNING
        else (first.wall_at(end_ns) + course.slept_ns(log, first.host)) // NS_PER_MS,
        duration_s=duration_s,
        hosts=tuple(sorted(spans)),
        user=meta.get("user"),
        git_commit=meta.get("git_commit"),
        tags=dict(meta.get("tags") or {}),
        slurm=meta.get("slurm"),
        environment=dict(meta.get("environment") or {}),
        site=Site(**{name: meta.get(name) for name in Site.__slots__}),
        energy=energy,
        windows=_windows(log, found, chosen, spans) if windows else (),
        requests=requests,
        hours=hours,
        checkpoints=checkpoints(log, found, chosen, spans),
        work=Work(units, meta.get("unit"), per_unit_j),
        metrics=tuple({m.name: m for process in log.processes for m in process.metrics}.values()),
        incidents=(*run_incidents(log, owner, energy, duration_s), *([_COUNTLESS] if countless else [])),
        journal=JournalFacts(
            lines=sum(process.lines for process in log.processes),
            bad_lines=sum(process.bad_lines for process in log.processes),
            sha256=log.sha256,
        ),
    )
    return Account(record, tuple(found.values()), over)


def _meta(log: RunLog, first: ProcessLog) -> dict[str, Any]:
    """Return the owner's description; what it left open is filled in by a tracked program inside the run."""
    meta = dict(first.meta)
    for process in log.processes:
        if process.role in (Role.MEMBER, Role.RANK) and process.meta:
            for key in ("project", "task", "approach", "phase", "unit"):
                meta[key] = meta.get(key) or process.meta.get(key)
            meta["tags"] = {**(process.meta.get("tags") or {}), **(meta.get("tags") or {})}
            if not meta.get("name_given") and process.meta.get("name_given"):
                meta["name"], meta["name_given"] = process.meta["name"], True
    return meta


def _windows(
    log: RunLog,
    found: Mapping[Key, ChannelTrace],
    chosen: frozenset[Key],
    spans: Mapping[str, Span],
) -> tuple[WindowEnergy, ...]:
    rows: list[WindowEnergy] = []
    for process in log.processes:
        if process.host not in spans:
            continue
        names = {window.window_id: window.name for window in process.windows}
        for window in process.windows:
            run_end_ns = spans[process.host][1]
            known_ns = course.known_end_ns(log, process, window, run_end_ns)
            end_ns = run_end_ns if known_ns is None else known_ns
            energies = [
                trace.own_energy(window.t0_ns, end_ns).energy_j
                for key, trace in found.items()
                if key in chosen and key[0] == process.host
            ]
            known = [energy_j for energy_j in energies if energy_j is not None]
            rows.append(
                WindowEnergy(
                    id=window.window_id,
                    name=window.name,
                    parent=names.get(window.parent_id) if window.parent_id else None,
                    started_ms=process.wall_at(window.t0_ns) // NS_PER_MS,
                    duration_s=max(end_ns - window.t0_ns, 0) / NS_PER_S,
                    energy_j=sum(known)
                    if known and len(known) == len(energies) and known_ns is not None
                    else None,
                )
            )
    return tuple(sorted(rows, key=lambda window: window.started_ms))


def _scope(meta: Mapping[str, Any]) -> Scope:
    try:
        return Scope(meta.get("scope") or Scope.MACHINE)
    except ValueError:  # of a later version
        return Scope.MACHINE
