"""What the dashboard needs to know, as a protocol: it never sees a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from greenai.core.record import RunRecord
    from greenai.core.views import LivePage, NodesTrace, RunPage, RunQuery, TaskView, TraceSeries


class DashboardData(Protocol):
    """Source of everything shown. Called from several server threads at once."""

    def refresh(self) -> None:
        """Bring new journals into the database; cheap when there is nothing new."""

    def run_page(self, query: RunQuery) -> RunPage:
        """Return a stretch of runs."""

    def run(self, reference: str) -> RunRecord:
        """Return one run by id, unique id prefix or name.

        Raises:
            NotFoundError: There is none.
        """

    def trace(
        self,
        run_id: str,
        *,
        max_points: int = 2000,
        from_ms: float | None = None,
        to_ms: float | None = None,
        max_channels: int | None = None,
    ) -> tuple[TraceSeries, ...]:
        """Return the power over time of the first channels, thinned to ``max_points`` per channel."""

    def live(self, query: RunQuery) -> LivePage:
        """Return the runs of a query that go on, as they stand at this moment."""

    def live_trace(
        self, run_id: str, seconds: float, *, max_points: int = 2000, max_channels: int | None = None
    ) -> tuple[TraceSeries, ...]:
        """Return the same over the last ``seconds`` of a run that goes on; empty if nobody knows."""

    def nodes_trace(
        self, run_id: str, *, from_ms: float | None = None, to_ms: float | None = None
    ) -> NodesTrace | None:
        """Return the power over time of a run's nodes together; None if nothing is stored of it."""

    def live_nodes_trace(self, run_id: str, seconds: float) -> NodesTrace | None:
        """Return the same over the last ``seconds`` of a run that goes on; None if nobody knows."""

    def task_names(self) -> list[str]:
        """Return the names of all tasks."""

    def task(self, name: str) -> TaskView:
        """Return one task with its candidates and comparisons.

        Raises:
            NotFoundError: There is none.
        """
