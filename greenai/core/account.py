"""The account of a run: journals in, record out. Pure, so the same journals always give the same figures."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from greenai.core.channel import Quality
from greenai.core.cover import counted
from greenai.core.energy import EnergyCurve, intervals
from greenai.core.incidents import run_incidents
from greenai.core.reading import Gap
from greenai.core.record import ChannelEnergy, Energy, JournalFacts, RunRecord, Site, WindowEnergy, Work
from greenai.core.text import Text
from greenai.core.uncertainty import channel_bounds, total_bounds
from greenai.core.units import NS_PER_MS, NS_PER_S
from greenai.core.vocabulary import Role, RunState

if TYPE_CHECKING:
    from greenai.core.channel import Channel
    from greenai.core.events import ProcessLog, RunLog
    from greenai.core.reading import Reading

# A run that has written nothing for this long is no longer running.
SILENCE_S = 30.0
SILENT_INTERVALS = 5

_NOT_READ = Text(
    de="Keine brauchbare Messung ({reason}); die Energie ist unbekannt, nicht 0.",
    en="No usable reading ({reason}); the energy is unknown, not 0.",
)


@dataclass(frozen=True, slots=True)
class ChannelTrace:
    """One channel of a run with all its readings, merged over the processes of its host."""

    channel: Channel
    readings: tuple[Reading, ...]
    curve: EnergyCurve


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
    traces = _traces(log, spans)
    meta = _meta(log, first)
    duration_s = max((span[1] - span[0]) / NS_PER_S for span in spans.values())
    energy, chosen = _energy(traces, spans, duration_s, str(meta.get("scope") or "machine"))
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
        windows=_windows(log, traces, chosen, spans),
        work=Work(units, meta.get("unit"), per_unit_j),
        metrics=tuple({m.name: m for process in log.processes for m in process.metrics}.values()),
        incidents=run_incidents(log, owner, energy, duration_s),
        journal=JournalFacts(
            lines=sum(process.lines for process in log.processes),
            bad_lines=sum(process.bad_lines for process in log.processes),
            sha256=log.sha256,
        ),
    )
    return Account(record, tuple(traces.values()))


def _spans(log: RunLog) -> dict[str, tuple[int, int]]:
    """Return start and end of the run on each host's own monotonic clock."""
    spans: dict[str, tuple[int, int]] = {}
    for host in {process.host for process in log.processes}:
        here = [process for process in log.processes if process.host == host]
        starts = [process.start_ns for process in here if process.start_ns is not None]
        stops = [process.stop.t_ns for process in here if process.stop is not None]
        lasts = [process.last_ns for process in here]
        start_ns = min(starts) if starts else min(process.mono_ns for process in here)
        spans[host] = (start_ns, max(stops[0] if stops else max(lasts), start_ns))
    return spans


def _window_span(log: RunLog, window_id: str | None) -> dict[str, tuple[int, int]] | None:
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


def _traces(log: RunLog, spans: dict[str, tuple[int, int]]) -> dict[tuple[str, str], ChannelTrace]:
    channels: dict[tuple[str, str], Channel] = {}
    readings: dict[tuple[str, str], list[Reading]] = defaultdict(list)
    interval_s = max(process.interval_s for process in log.processes)
    for process in log.processes:
        if process.host not in spans:
            continue
        for channel in process.channels:
            channels.setdefault((channel.host, channel.id), channel)
            readings[channel.host, channel.id].extend(process.readings.get(channel.id, ()))
    return {
        key: ChannelTrace(
            channel,
            tuple(sorted(readings[key], key=lambda reading: reading.t_mono_ns)),
            EnergyCurve(intervals(channel, readings[key], max_gap_s=max(60.0, 10 * interval_s))),
        )
        for key, channel in channels.items()
    }


def _energy(
    traces: dict[tuple[str, str], ChannelTrace],
    spans: dict[str, tuple[int, int]],
    duration_s: float,
    scope: str,
) -> tuple[Energy, frozenset[tuple[str, str]]]:
    amounts = {key: trace.curve.between(*spans[key[0]]) for key, trace in traces.items()}
    chosen = counted(trace.channel for key, trace in traces.items() if amounts[key].energy_j is not None)
    rows: list[ChannelEnergy] = []
    parts = []
    measured_j = 0.0
    for key, trace in traces.items():
        channel, amount = trace.channel, amounts[key]
        bounds = None
        if amount.energy_j is not None:
            bounds = channel_bounds(channel, amount.energy_j, duration_s)
            if key in chosen:
                parts.append((channel, bounds))
                measured_j += amount.energy_j if channel.quality is not Quality.ESTIMATED else 0.0
        rows.append(
            ChannelEnergy(
                id=channel.id,
                host=channel.host,
                component=channel.component,
                device=channel.device,
                energy_j=amount.energy_j,
                low_j=bounds.low_j if bounds else None,
                high_j=bounds.high_j if bounds else None,
                quality=channel.quality,
                method=channel.method,
                uncertainty_rel=max(channel.uncertainty_at(duration_s)),
                gap_s=amount.gap_s,
                counted=key in chosen,
                note=channel.note if bounds else _NOT_READ.format(reason=_why_not(trace)),
            )
        )
    if not parts:
        return Energy(None, None, None, None, scope, None, tuple(rows)), chosen
    total = total_bounds(parts)
    share = measured_j / total.value_j if total.value_j > 0 else None
    energy = Energy(total.value_j, total.low_j, total.high_j, share, scope, total.value_j, tuple(rows))
    return energy, chosen


def _why_not(trace: ChannelTrace) -> str:
    reasons = [reading.reason for reading in trace.readings if isinstance(reading, Gap)]
    return max(sorted(set(reasons)), key=reasons.count) if reasons else "no_reading"


def _windows(
    log: RunLog,
    traces: dict[tuple[str, str], ChannelTrace],
    chosen: frozenset[tuple[str, str]],
    spans: dict[str, tuple[int, int]],
) -> tuple[WindowEnergy, ...]:
    rows: list[WindowEnergy] = []
    for process in log.processes:
        if process.host not in spans:
            continue
        names = {window.window_id: window.name for window in process.windows}
        for window in process.windows:
            end_ns = window.t1_ns if window.t1_ns is not None else spans[process.host][1]
            energies = [
                trace.curve.between(window.t0_ns, end_ns).energy_j
                for key, trace in traces.items()
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


def _state(log: RunLog, owner: ProcessLog | None) -> RunState:
    if owner and owner.stop:
        return owner.stop.state
    if any(process.orphaned_ns is not None for process in log.processes):
        return RunState.KILLED
    interval_s = max(process.interval_s for process in log.processes)
    if log.silent_s > max(SILENCE_S, SILENT_INTERVALS * interval_s):
        return RunState.LOST
    return RunState.RUNNING
