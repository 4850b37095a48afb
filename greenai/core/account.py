"""The account of a run: journals in, record out. Pure, so the same journals always give the same figures."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from greenai.core.incidents import run_incidents
from greenai.core.record import JournalFacts, RunRecord, Site, WindowEnergy, Work
from greenai.core.totals import energy_of, with_rest
from greenai.core.traces import traces
from greenai.core.units import NS_PER_MS, NS_PER_S
from greenai.core.vocabulary import Role, RunState, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from greenai.core.cover import Key
    from greenai.core.events import ProcessLog, RunLog
    from greenai.core.traces import ChannelTrace, Span

# A run that has written nothing for this long is no longer running.
SILENCE_S = 30.0
SILENT_INTERVALS = 5


@dataclass(frozen=True, slots=True)
class Account:
    """A record and the traces it was computed from."""

    record: RunRecord
    traces: tuple[ChannelTrace, ...]


def account(log: RunLog, window_id: str | None = None) -> Account:
    """Compute the record of a run from its journals.

    Emissions and cost are not part of it: they are applied afterwards, so that a corrected factor never
    touches a measurement.

    Args:
        log: What the journals say.
        window_id: Confine the figures to this window; default is the whole run.

    Raises:
        ValueError: ``log`` holds no process at all, or no such window.
    """
    if not log.processes:
        raise ValueError("a run without a journal has no account")
    first = min(log.processes, key=lambda process: (process.role is not Role.OWNER, process.wall_ns))
    owner = first if first.role is Role.OWNER else None
    spans = _window_span(log, window_id) or _spans(log)
    meta = _meta(log, first)
    scope, count_rest = _scope(meta), bool(meta.get("rest_of_node"))
    found = with_rest(traces(log, spans, scope), spans, is_counted=count_rest)
    duration_s = max((span[1] - span[0]) / NS_PER_S for span in spans.values())
    energy, chosen = energy_of(found, spans, scope, count_rest=count_rest)
    state = _state(log, owner)
    start_ns, end_ns = spans.get(first.host) or next(iter(spans.values()))
    units = sum(process.units_in(window_id) for process in log.processes)
    units = units if isfinite(units) else 0.0
    per_unit_j = energy.total_j / units if energy.total_j is not None and units > 0 else None
    record = RunRecord(
        id=log.run_id,
        name=str(meta.get("name") or log.run_id),
        project=meta.get("project"),
        task=meta.get("task"),
        approach=meta.get("approach"),
        phase=meta.get("phase"),
        state=state,
        exit_code=owner.stop.exit_code if owner and owner.stop else None,
        error=owner.stop.error if owner and owner.stop else None,
        started_ms=first.wall_at(start_ns) // NS_PER_MS,
        ended_ms=None if state is RunState.RUNNING else first.wall_at(end_ns) // NS_PER_MS,
        duration_s=duration_s,
        hosts=tuple(sorted(spans)),
        user=meta.get("user"),
        git_commit=meta.get("git_commit"),
        tags=dict(meta.get("tags") or {}),
        slurm=meta.get("slurm"),
        environment=dict(meta.get("environment") or {}),
        site=Site(**{name: meta.get(name) for name in Site.__slots__}),
        energy=energy,
        windows=_windows(log, found, chosen, spans),
        work=Work(units, meta.get("unit"), per_unit_j),
        metrics=tuple({m.name: m for process in log.processes for m in process.metrics}.values()),
        incidents=run_incidents(log, owner, energy, duration_s),
        journal=JournalFacts(
            lines=sum(process.lines for process in log.processes),
            bad_lines=sum(process.bad_lines for process in log.processes),
            sha256=log.sha256,
        ),
    )
    return Account(record, tuple(found.values()))


def _spans(log: RunLog) -> dict[str, Span]:
    """Return start and end of the run on each host's own monotonic clock."""
    spans: dict[str, Span] = {}
    for host in {process.host for process in log.processes}:
        here = [process for process in log.processes if process.host == host]
        starts = [process.start_ns for process in here if process.start_ns is not None]
        stops = [process.stop.t_ns for process in here if process.stop is not None]
        lasts = [process.last_ns for process in here]
        start_ns = min(starts) if starts else min(process.mono_ns for process in here)
        spans[host] = (start_ns, max(stops[0] if stops else max(lasts), start_ns))
    return spans


def _window_span(log: RunLog, window_id: str | None) -> dict[str, Span] | None:
    for process in log.processes:
        for window in process.windows:
            if window.window_id == window_id:
                end_ns = window.t1_ns if window.t1_ns is not None else _spans(log)[process.host][1]
                return {process.host: (window.t0_ns, end_ns)}
    if window_id is not None:
        raise ValueError(f"no window {window_id!r} in this run")
    return None


def _meta(log: RunLog, first: ProcessLog) -> dict[str, Any]:
    """Return the owner's description; what it left open is filled in by a tracked program inside the run."""
    meta = dict(first.meta)
    for process in log.processes:
        if process.role is Role.MEMBER and process.meta:
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
            end_ns = window.t1_ns if window.t1_ns is not None else spans[process.host][1]
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
                    energy_j=sum(known) if known and len(known) == len(energies) else None,
                )
            )
    return tuple(sorted(rows, key=lambda window: window.started_ms))


def _scope(meta: Mapping[str, Any]) -> Scope:
    try:
        return Scope(meta.get("scope") or Scope.MACHINE)
    except ValueError:  # of a later version
        return Scope.MACHINE


def _state(log: RunLog, owner: ProcessLog | None) -> RunState:
    if owner and owner.stop:
        return owner.stop.state
    if any(process.orphaned_ns is not None for process in log.processes):
        return RunState.KILLED
    interval_s = max(process.interval_s for process in log.processes)
    if log.silent_s > max(SILENCE_S, SILENT_INTERVALS * interval_s):
        return RunState.LOST
    return RunState.RUNNING
