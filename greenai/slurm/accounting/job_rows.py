"""The rows of jobs and steps, value by value. Pure; one that cannot be believed costs the row, or only itself."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from greenai.core.batch_job import BatchJob, BatchStep, JobResources
from greenai.core.hostlist import expand
from greenai.core.text import Text
from greenai.slurm.accounting import values as v
from greenai.slurm.accounting.table import NAME, Quarantined, Row

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_W_PER_NODE = 100_000.0
"""More than this no node draws; a figure beyond it is a sensor's sentinel (4657935875538157568 and the like)."""

ROUNDING_MS = 1_000
"""Slurm's times are whole seconds."""

_ARRAY = re.compile(r"([0-9]{1,12})_([0-9]{1,9})")
_HET = re.compile(r"([0-9]{1,12})\+([0-9]{1,6})")
_NO_NODES = frozenset({"", "None assigned", "(null)", "None"})
_LONGEST_NAME = 200
_ROW_SHOWN = ("JobID", "State", "Start", "End", "ElapsedRaw", NAME)
_ROW_KNOWN_BY = ("Cluster", "JobIDRaw", "Start")  # of a job that goes on, state and time are others each time
_CLOCK_SET_BACK_MS = 3_600_000
_NO_LIMIT_MIN = 365 * 24 * 60  # what a job gets where neither it nor its partition has a limit
_T = TypeVar("_T")

_STRANGE = Text(de="{column} „{value}“ ist nicht glaubhaft", en='{column} "{value}" cannot be believed')
_VALUE_LEFT_OUT = Text(
    de="{column} „{value}“ ist nicht glaubhaft; nur dieser Wert fehlt",
    en='{column} "{value}" cannot be believed; only this value is left out',
)
_IN_FUTURE = Text(de="das Ende liegt in der Zukunft", en="the end is in the future")
_BACKWARDS = Text(de="das Ende liegt vor dem Beginn", en="the end is before the begin")
_NO_END = Text(de="zu Ende ({state}), aber ohne Endzeit", en="over ({state}), but without an end")


class UnfitRowError(ValueError):
    """A row that is to be put aside."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


class RowReader:
    """Reads the values of a row; those that cannot be believed are unknown, and said."""

    def __init__(self, row: Row, latest_ms: float) -> None:
        self.row = row
        self.latest_ms = latest_ms
        self.left_out: list[Quarantined] = []

    def text(self, column: str) -> str:
        """Return a value as one printable line."""
        return _printable(self.row.values[column])

    def needed(self, column: str, read: Callable[[str], _T]) -> _T:
        """Read a value without which the row is worth nothing."""
        try:
            return read(self.row.values[column])
        except v.StrangeValueError as error:
            raise UnfitRowError(_STRANGE.format(column=column, value=str(error)[:40])) from None

    def optional(self, column: str, read: Callable[[str], _T]) -> _T | None:
        """Read a value that may be unknown."""
        try:
            return read(self.row.values.get(column, ""))
        except v.StrangeValueError as error:
            self.leave_out(column, str(error))
            return None

    def leave_out(self, column: str, value: str) -> None:
        """Say that a value cannot be believed."""
        reason = _VALUE_LEFT_OUT.format(column=column, value=value[:40])
        self.left_out.append(put_aside(self.row, reason))


def shown(row: Row) -> str:
    """Return a row as people are shown it."""
    return _printable(" ".join(row.values[name] for name in _ROW_SHOWN))[:_LONGEST_NAME]


def put_aside(row: Row, reason: Text) -> Quarantined:
    """Say that a row, or a value of it, is of no use."""
    return Quarantined(row.line, shown(row), reason, " ".join(row.values[name] for name in _ROW_KNOWN_BY))


def read_job(reader: RowReader, cluster: str, job_id: str) -> BatchJob:
    """Read the row of an attempt; its restart count is left to others.

    Raises:
        UnfitRowError: It is to be put aside.
    """
    state = reader.needed("State", v.state)
    submit_ms = reader.optional("Submit", v.moment_ms)
    start_ms, end_ms, elapsed_s = _times(reader)
    nodes = _nodes(reader)
    job = BatchJob(
        cluster=cluster,
        job_id=job_id,
        restart_count=0,
        name=reader.text(NAME)[:_LONGEST_NAME] or job_id,
        state=state,
        user=reader.text("User") or None,
        account=reader.text("Account") or None,
        partition=reader.text("Partition") or None,
        submit_ms=submit_ms,
        start_ms=start_ms,
        end_ms=end_ms,
        elapsed_s=elapsed_s,
        nodes=nodes,
        max_rss_bytes=reader.optional("MaxRSS", v.size_bytes),
    )
    if job.is_final and start_ms is not None and nodes and end_ms is None:
        raise UnfitRowError(_NO_END.format(state=state))
    array, het = _ARRAY.fullmatch(reader.text("JobID")), _HET.fullmatch(reader.text("JobID"))
    exit_code, signal = reader.optional("ExitCode", v.exit_code) or (None, None)
    limit_min = reader.optional("TimelimitRaw", v.count)
    return replace(
        job,
        array_job_id=array[1] if array else None,
        array_task_id=array[2] if array else None,
        het_job_id=het[1] if het else None,
        het_offset=int(het[2]) if het else None,
        exit_code=exit_code,
        signal=signal,
        time_limit_s=limit_min * 60 if limit_min is not None and limit_min < _NO_LIMIT_MIN else None,
        requested=reader.optional("ReqTRES", _resources) or job.requested,
        allocated=reader.optional("AllocTRES", _resources) or job.allocated,
        cpu_s=reader.optional("TotalCPU", v.duration_s),
        energy_j=_energy_j(reader, elapsed_s, reader.optional("NNodes", v.count)),
    )


def read_step(reader: RowReader, step_id: str) -> BatchStep:
    """Read the row of a step.

    Raises:
        UnfitRowError: It is to be put aside.
    """
    state = reader.needed("State", v.state)
    start_ms, end_ms, elapsed_s = _times(reader)
    exit_code, signal = reader.optional("ExitCode", v.exit_code) or (None, None)
    node_count = reader.optional("NNodes", v.count)
    allocated = reader.optional("AllocTRES", _resources)
    most = reader.optional("TRESUsageInMax", v.Tres.read)
    gpu = most.values.get("gres/gpuutil") if most else None
    return BatchStep(
        id=step_id,
        name=reader.text(NAME)[:_LONGEST_NAME],
        state=state,
        exit_code=exit_code,
        signal=signal,
        start_ms=start_ms,
        end_ms=end_ms,
        elapsed_s=elapsed_s,
        nodes=_nodes(reader),
        node_count=node_count,
        tasks=reader.optional("NTasks", v.count),
        cpus=allocated.cpus if allocated else None,
        cpu_s=reader.optional("TotalCPU", v.duration_s),
        max_rss_bytes=reader.optional("MaxRSS", v.size_bytes),
        gpu_utilisation_max=reader.optional("TRESUsageInMax", lambda _: v.count(gpu)) if gpu else None,
        energy_j=_energy_j(reader, elapsed_s, node_count),
    )


def _resources(text: str) -> JobResources:
    return v.Tres.read(text).resources()


def _times(reader: RowReader) -> tuple[int | None, int | None, int | None]:
    start_ms, end_ms = reader.needed("Start", v.moment_ms), reader.needed("End", v.moment_ms)
    elapsed_s = reader.needed("ElapsedRaw", v.count)
    if start_ms is None or end_ms is None:
        return start_ms, end_ms, elapsed_s
    lacking_ms = start_ms + (elapsed_s or 0) * 1000 - end_ms
    if not v.is_epoch(reader.text("End")) and ROUNDING_MS < lacking_ms <= _CLOCK_SET_BACK_MS:
        end_ms += lacking_ms  # a clock that shows an hour twice in autumn
    if end_ms < start_ms:
        raise UnfitRowError(_BACKWARDS)
    if end_ms > reader.latest_ms:
        raise UnfitRowError(_IN_FUTURE)
    return start_ms, end_ms, elapsed_s


def _nodes(reader: RowReader) -> str:
    nodes = reader.text("NodeList")
    if nodes in _NO_NODES:
        return ""
    try:
        expand(nodes)
    except ValueError:
        reader.leave_out("NodeList", nodes)
        return ""
    return nodes


def _energy_j(reader: RowReader, elapsed_s: int | None, nodes: int | None) -> float | None:
    """Return what was counted; unknown of less than a second, for which Slurm says 0 or what a moment drew."""
    energy_j = reader.optional("ConsumedEnergyRaw", v.joules)
    if energy_j is None or not elapsed_s:
        return None
    # Two seconds more: the counter may have been renewed before the begin and after the end.
    if energy_j > MOST_W_PER_NODE * (nodes or 1) * (elapsed_s + 2):
        reader.leave_out("ConsumedEnergyRaw", reader.text("ConsumedEnergyRaw"))
        return None
    return energy_j


def _printable(text: str) -> str:
    """Return one printable line; what is none becomes a replacement character."""
    line = text.strip()
    if line.isprintable():
        return line
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in line)
