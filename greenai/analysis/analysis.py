"""``Analysis``: the door through which CLI, dashboard, reports and notebooks reach the data."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import replace
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING

from greenai.analysis.live import LiveRuns
from greenai.analysis.live_trace import live_nodes_trace, live_trace
from greenai.analysis.nodes_trace import nodes_trace
from greenai.analysis.over_time import emissions_of_run_over_time
from greenai.analysis.recompute import recompute_footprints
from greenai.analysis.tasks import task_view
from greenai.analysis.totals import report_view
from greenai.analysis.trace import intervals, series
from greenai.core.errors import NotFoundError
from greenai.core.node_energy import lacking_nodes
from greenai.core.text import Text
from greenai.core.views import LivePage, RunQuery
from greenai.core.vocabulary import RunState
from greenai.ingest import IngestReport, ingest_spool
from greenai.store import open_store
from greenai.store.month_sums import month_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.analysis.over_time import OverTime
    from greenai.analysis.recompute import Recomputed
    from greenai.carbon.intensity.cache import Damage
    from greenai.core.comparison import Margins
    from greenai.core.record import RunRecord
    from greenai.core.views import NodesTrace, ReportView, RunPage, TaskView, TraceSeries
    from greenai.settings import Settings
    from greenai.store import Store
    from greenai.store.month_sums import MonthSum

_NO_TASK = Text(de="Kein Lauf nennt die Aufgabe „{task}“.", en='No run names the task "{task}".')
_NAME_TASKS = Text(
    de="Läufe einer Aufgabe zuordnen: greenai run --task NAME -- …",
    en="Attach runs to a task: greenai run --task NAME -- ...",
)
_MOST_SAMPLES = 1_200_000  # to be read for one look at a run on many nodes: some three seconds


class Analysis:
    """Read access to all runs, those still in the spool included. Safe to share between threads."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._refreshing = threading.Lock()
        self._live = LiveRuns(settings.spool)

    @classmethod
    def open(cls, settings: Settings) -> Analysis:
        """Open the database and take in what still waits in the spool.

        Raises:
            ConfigError: The database cannot be written.
            StoreError: The database cannot be reached or needs an upgrade.
        """
        analysis = cls(open_store(settings.db), settings)
        analysis.refresh()
        return analysis

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def store(self) -> Store:
        """The database."""
        return self._store

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    def refresh(self) -> IngestReport:
        """Take in what is new in the spool; where another thread is at it already, do nothing."""
        if not self._refreshing.acquire(blocking=False):
            return IngestReport((), ())
        try:
            return ingest_spool(self._store, self._settings)
        finally:
            self._refreshing.release()

    def run_page(self, query: RunQuery) -> RunPage:
        """Return a stretch of the table of runs."""
        return self._store.page(query)

    def run(self, reference: str) -> RunRecord:
        """Return one run by id, unique beginning of an id, name, or ``latest``.

        Raises:
            NotFoundError: No run fits.
        """
        return self._store.record(reference)

    def runs(self, query: RunQuery) -> list[RunRecord]:
        """Return whole records."""
        return self._store.records(query)

    def trace(
        self,
        run_id: str,
        *,
        max_points: int | None = 2000,
        from_ms: float | None = None,
        to_ms: float | None = None,
        max_channels: int | None = None,
    ) -> tuple[TraceSeries, ...]:
        """Return power over time, channel by channel.

        Args:
            run_id: Full id of the run.
            max_points: About how many points per channel; None for all.
            from_ms: Only after this moment (epoch milliseconds).
            to_ms: Only before it.
            max_channels: Only the first so many that were read; a thousand nodes have thousands.
        """
        low_ns = from_ms * 1e6 if from_ms is not None else float("-inf")
        high_ns = to_ms * 1e6 if to_ms is not None else float("inf")
        with closing(self._store.samples(run_id)) as channels:
            found = (
                series(
                    channel,
                    [sample for sample in samples if low_ns <= sample[0] <= high_ns],
                    counted=counted,
                    max_points=max_points,
                )
                for channel, counted, samples in channels
                if samples  # the rest of the node is no sensor
            )
            return tuple(islice(found, max_channels))

    def nodes_trace(
        self, run_id: str, *, from_ms: float | None = None, to_ms: float | None = None
    ) -> NodesTrace | None:
        """Return the power over time of a run's nodes together; None if nothing is stored of it.

        Of very many readings only those of some nodes, evenly picked, are added up; the answer says of how many.
        Nodes with a channel that nothing is known of are left out, unless all are such: they would look like less.

        Args:
            run_id: Full id of the run.
            from_ms: Only after this moment (epoch milliseconds).
            to_ms: Only before it.
        """
        record = self.run(run_id)
        nodes = _nodes_of(record)
        lacking = lacking_nodes(record.energy.channels)
        whole = [node for node in nodes if node not in lacking] or nodes
        step = max(ceil(self._store.sample_count(run_id) / _MOST_SAMPLES), 1)
        wanted = frozenset(whole[::step])
        begin_ms = record.started_ms if from_ms is None else from_ms
        end_ms = record.started_ms + record.duration_s * 1000 if to_ms is None else to_ms
        chosen = self._store.samples(run_id, lambda channel, counted: counted and channel.host in wanted)
        with closing(chosen) as channels:
            found = ((channel, intervals(channel, samples)) for channel, _, samples in channels)
            return nodes_trace(found, (begin_ms, end_ms), len(nodes))

    def over_time(self, record: RunRecord) -> tuple[OverTime | None, tuple[Damage, ...]]:
        """Return a run's emissions by the grid's intensity of each moment, and fetches left out as damaged."""
        return emissions_of_run_over_time(self._store, record)

    def live(self, query: RunQuery) -> LivePage:
        """Return the runs of a query that go on, as their journals stand at this moment.

        Cheap enough for a look every few seconds: only the ends of the journals are read. Runs show up and get
        their final state by ``refresh``.
        """
        page = self._store.page(replace(query, state=RunState.RUNNING.value))
        runs = self._live.look(page.rows)
        return LivePage(runs, page.total - (len(page.rows) - len(runs)))

    def live_trace(
        self, run_id: str, seconds: float, *, max_points: int | None = 2000, max_channels: int | None = None
    ) -> tuple[TraceSeries, ...]:
        """Return power over the last ``seconds`` of a run that goes on; empty if its journals are not here.

        Args:
            run_id: Full id of the run.
            seconds: How far back.
            max_points: About how many points per channel; None for all.
            max_channels: Only the first so many.
        """
        try:
            return live_trace(self._settings.spool / run_id, seconds, max_points, max_channels)
        except OSError:
            return ()

    def live_nodes_trace(self, run_id: str, seconds: float) -> NodesTrace | None:
        """Return the same over the last ``seconds`` of a run that goes on; None if its journals are not here.

        Args:
            run_id: Full id of the run.
            seconds: How far back.
        """
        try:
            return live_nodes_trace(self._settings.spool / run_id, seconds, len(_nodes_of(self.run(run_id))))
        except OSError:
            return None

    def task_names(self) -> list[str]:
        """Return the tasks that runs name."""
        return self._store.task_names()

    def task(self, name: str, margins: Margins | None = None) -> TaskView:
        """Return the candidates of a task and each AI candidate against the classical one.

        Raises:
            NotFoundError: No run names this task.
        """
        records = self._store.records(RunQuery(task=name))
        if not records:
            raise NotFoundError(_NO_TASK.format(task=name), _NAME_TASKS)
        return task_view(name, records, self._store.baselines().get(name), margins)

    def months(self) -> list[MonthSum]:
        """Return energy and CO2 by month and project, over all runs."""
        return month_sums(self._store)

    def report(self, query: RunQuery, scope: Text) -> ReportView:
        """Return what a report over some runs shows.

        Args:
            query: Which runs.
            scope: The same in words.
        """
        records = sorted(self._store.records(query), key=lambda record: record.started_ms)
        names = sorted({record.task for record in records if record.task})
        chosen = self._store.baselines()
        tasks = [task_view(name, [r for r in records if r.task == name], chosen.get(name)) for name in names]
        return report_view(records, tasks, scope, generated_ms=time.time_ns() // 1_000_000)

    def recompute_footprints(self, query: RunQuery, progress: Callable[[int], None] | None = None) -> Recomputed:
        """Apply today's factors and settings to stored energy; old footprints stay as history.

        Args:
            query: Which runs.
            progress: Told how many runs have been looked at.

        Raises:
            ConfigError: The file of contracts is wrong; nothing was changed.
        """
        return recompute_footprints(self._store, self._settings, query, progress)


def _nodes_of(record: RunRecord) -> list[str]:
    """Return the nodes of a run, with those of which there is no journal."""
    return sorted({channel.host for channel in record.energy.channels})
