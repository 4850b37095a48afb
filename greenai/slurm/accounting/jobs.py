"""From sacct's rows to attempts of jobs. Pure; what cannot be believed is put aside with the reason."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from greenai.core.batch_job import BatchJob, BatchStep, JobResources
from greenai.core.hostlist import expand
from greenai.core.text import Text
from greenai.slurm.accounting import values as v
from greenai.slurm.accounting.table import NAME, RESTARTS, Quarantined, Row, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_W_PER_NODE = 100_000.0
"""More than this no node draws; a figure beyond it is a sensor's sentinel (4657935875538157568 and the like)."""

_ID = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}|[a-z_]{1,20}))?")
_ARRAY = re.compile(r"([0-9]{1,12})_([0-9]{1,9})")
_HET = re.compile(r"([0-9]{1,12})\+([0-9]{1,6})")
_NO_NODES = frozenset({"", "None assigned", "(null)", "None"})
_LONGEST_NAME = 200
_LONGEST_CLUSTER = 40  # slurmdbd allows no more
_ROW_SHOWN = ("JobID", "State", "Start", "End", "ElapsedRaw", NAME)
_T = TypeVar("_T")

_STRANGE = Text(de="{column} „{value}“ ist nicht glaubhaft", en='{column} "{value}" cannot be believed')
_VALUE_LEFT_OUT = Text(
    de="{column} „{value}“ ist nicht glaubhaft; nur dieser Wert fehlt",
    en='{column} "{value}" cannot be believed; only this value is left out',
)
_NO_ID = Text(de="JobIDRaw „{value}“ ist keine Jobnummer", en='JobIDRaw "{value}" is no job id')
_NO_CLUSTER = Text(de="ohne brauchbaren Namen des Clusters", en="without a usable name of the cluster")
_BACKWARDS = Text(de="das Ende liegt vor dem Beginn", en="the end is before the begin")
_NO_END = Text(de="zu Ende ({state}), aber ohne Endzeit", en="over ({state}), but without an end")
_DUPLICATE = Text(de="doppelt", en="duplicate")
_ORPHAN = Text(de="Schritt eines Jobs, dessen Zeile fehlt", en="step of a job whose row is missing")


@dataclass(slots=True)
class Accounts:
    """What the accounting says.

    Attributes:
        jobs: Attempts that are over and ran on some node, in the order of the rows.
        unfinished: Attempts that go on (pending, running, suspended).
        never_started: Attempts that ended before they began.
        quarantined: Rows and values that were put aside.
        row_count: How many rows were read.
        ordered: Cluster and id of the jobs whose attempts are numbered by nothing but their order.
    """

    jobs: list[BatchJob] = field(default_factory=list)
    unfinished: list[BatchJob] = field(default_factory=list)
    never_started: list[BatchJob] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    row_count: int = 0
    ordered: set[tuple[str, str]] = field(default_factory=set)


class _UnfitRowError(ValueError):
    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(slots=True)
class _Attempt:
    job: BatchJob
    restarts: int | None
    steps: dict[str, BatchStep] = field(default_factory=dict)

    @property
    def times_ms(self) -> tuple[int | None, int | None]:
        return self.job.submit_ms, self.job.start_ms


def read_accounts(lines: Iterable[str]) -> Accounts:
    """Read what ``sacct -D -P`` printed, the names of the columns included.

    Raises:
        NotATableError: The first line names no columns, or lacks some.
    """
    found = Accounts()
    attempts = _Attempts()
    for row in rows(lines):
        found.row_count += 1
        if isinstance(row, Quarantined):
            found.quarantined.append(row)
            continue
        reader = _RowReader(row)
        try:
            attempts.take(reader)
        except _UnfitRowError as error:
            found.quarantined.append(Quarantined(row.line, _shown(row), error.reason))
        else:
            found.quarantined += reader.left_out
    for key, same in attempts.by_job.items():
        if any(attempt.restarts is None for attempt in same):
            found.ordered.add(key)
        for job in _numbered(same):
            if not job.is_final:
                found.unfinished.append(job)
            elif job.start_ms is None or not job.nodes:
                found.never_started.append(job)
            else:
                found.jobs.append(job)
    return found


class _Attempts:
    """The attempts of all jobs. The steps of one follow its own row."""

    def __init__(self) -> None:
        self.by_job: dict[tuple[str, str], list[_Attempt]] = {}
        self._last: dict[tuple[str, str], _Attempt | None] = {}  # of each job; None if its row was put aside

    def take(self, reader: _RowReader) -> None:
        """Take a row in.

        Raises:
            _UnfitRowError: It is to be put aside.
        """
        cluster = reader.text("Cluster")
        match = _ID.fullmatch(reader.text("JobIDRaw"))
        if match is None:
            raise _UnfitRowError(_NO_ID.format(value=reader.text("JobIDRaw")[:40]))
        if not 0 < len(cluster) <= _LONGEST_CLUSTER:
            raise _UnfitRowError(_NO_CLUSTER)
        key = (cluster, match[1])
        if match[2] is None:
            self._last[key] = None
            self._begin(key, _Attempt(_job(reader, *key), reader.optional(RESTARTS, v.count)))
            return
        attempt = self._last.get(key)
        if attempt is None:
            raise _UnfitRowError(_ORPHAN)
        if match[2] in attempt.steps:
            raise _UnfitRowError(_DUPLICATE)
        attempt.steps[match[2]] = _step(reader, match[2])

    def _begin(self, key: tuple[str, str], attempt: _Attempt) -> None:
        known = self.by_job.setdefault(key, [])
        self._last[key] = next((other for other in known if other.times_ms == attempt.times_ms), None)
        same_number = attempt.restarts is not None and attempt.restarts in [other.restarts for other in known]
        if self._last[key] is not None or same_number:
            raise _UnfitRowError(_DUPLICATE)
        self._last[key] = attempt
        known.append(attempt)


def _numbered(same: list[_Attempt]) -> list[BatchJob]:
    """Give the attempts of a job their restart counts: Slurm's own (24.11 on), else their order."""
    known = all(attempt.restarts is not None for attempt in same)
    ordered = sorted(same, key=lambda attempt: (attempt.job.submit_ms or 0, attempt.job.start_ms or 0))
    return [
        replace(
            attempt.job,
            restart_count=attempt.restarts if known and attempt.restarts is not None else order,
            steps=tuple(attempt.steps.values()),
        )
        for order, attempt in enumerate(ordered)
    ]


class _RowReader:
    """Reads the values of a row; those that cannot be believed are unknown, and said."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.left_out: list[Quarantined] = []

    def text(self, column: str) -> str:
        return _printable(self._row.values[column])

    def needed(self, column: str, read: Callable[[str], _T]) -> _T:
        """Read a value without which the row is worth nothing."""
        try:
            return read(self._row.values[column])
        except v.StrangeValueError as error:
            raise _UnfitRowError(_STRANGE.format(column=column, value=str(error)[:40])) from None

    def optional(self, column: str, read: Callable[[str], _T]) -> _T | None:
        """Read a value that may be unknown."""
        try:
            return read(self._row.values.get(column, ""))
        except v.StrangeValueError as error:
            self.leave_out(column, str(error))
            return None

    def leave_out(self, column: str, value: str) -> None:
        reason = _VALUE_LEFT_OUT.format(column=column, value=value[:40])
        self.left_out.append(Quarantined(self._row.line, _shown(self._row), reason))


def _shown(row: Row) -> str:
    return _printable(" ".join(row.values[name] for name in _ROW_SHOWN))[:_LONGEST_NAME]


def _job(reader: _RowReader, cluster: str, job_id: str) -> BatchJob:
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
        raise _UnfitRowError(_NO_END.format(state=state))
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
        time_limit_s=limit_min * 60 if limit_min is not None else None,
        requested=reader.optional("ReqTRES", _resources) or job.requested,
        allocated=reader.optional("AllocTRES", _resources) or job.allocated,
        cpu_s=reader.optional("TotalCPU", v.duration_s),
        energy_j=_energy_j(reader, elapsed_s, reader.optional("NNodes", v.count)),
    )


def _step(reader: _RowReader, step_id: str) -> BatchStep:
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


def _times(reader: _RowReader) -> tuple[int | None, int | None, int | None]:
    start_ms, end_ms = reader.needed("Start", v.moment_ms), reader.needed("End", v.moment_ms)
    if start_ms is not None and end_ms is not None and end_ms < start_ms:
        raise _UnfitRowError(_BACKWARDS)
    return start_ms, end_ms, reader.needed("ElapsedRaw", v.count)


def _nodes(reader: _RowReader) -> str:
    nodes = reader.text("NodeList")
    if nodes in _NO_NODES:
        return ""
    try:
        expand(nodes)
    except ValueError:
        reader.leave_out("NodeList", nodes)
        return ""
    return nodes


def _energy_j(reader: _RowReader, elapsed_s: int | None, nodes: int | None) -> float | None:
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
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text.strip())
