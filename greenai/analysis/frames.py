"""pandas at the door: runs and samples as data frames, units in the column names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from greenai.analysis.analysis import Analysis
from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.core.views import RunQuery, counted
from greenai.settings import load_settings

if TYPE_CHECKING:
    import pandas as pd

    from greenai.core.record import RunRecord

_NO_PANDAS = Text(de="Für Tabellen fehlt pandas.", en="pandas is needed for data frames.")
_INSTALL = Text(de="Installieren: pip install 'greenai[frames]'", en="Install it: pip install 'greenai[frames]'")

# A frame of no runs has the same columns and types as any other.
_COLUMNS = (
    "id", "name", "project", "task", "approach", "phase", "duration_s", "user", "git_commit", "state",
    "started_at", "ended_at", "energy_j", "energy_low_j", "energy_high_j", "measured_share", "quality", "units",
    "unit", "energy_per_unit_j", "location_g", "location_gases", "location_boundary", "market_g", "market_gases",
)  # fmt: skip
_NUMBERS = (
    "duration_s", "energy_j", "energy_low_j", "energy_high_j", "measured_share", "units", "energy_per_unit_j",
    "location_g", "market_g",
)  # fmt: skip


def load_runs(
    *, project: str | None = None, task: str | None = None, approach: str | None = None, phase: str | None = None
) -> pd.DataFrame:
    """Return runs as a data frame, one row per run, oldest first.

    Args:
        project: Only of this project.
        task: Only of this task.
        approach: Only ``ai`` or ``classical``.
        phase: Only of this phase.

    Raises:
        ConfigError: pandas is not installed.
        StoreError: The database cannot be read.
    """
    query = RunQuery(project=project, task=task, approach=approach, phase=phase, descending=False)
    analysis = Analysis.open(load_settings())
    try:
        return runs_frame(analysis, query)
    finally:
        analysis.close()


def runs_frame(analysis: Analysis, query: RunQuery) -> pd.DataFrame:
    """Return the runs of a query as a data frame.

    Raises:
        ConfigError: pandas is not installed.
    """
    pandas = _pandas()
    rows = [_row(record) for record in analysis.runs(query)]
    columns = list(dict.fromkeys([*_COLUMNS, *(name for row in rows for name in row)]))
    frame: pd.DataFrame = pandas.DataFrame(rows, columns=columns).astype(dict.fromkeys(_NUMBERS, "float64"))
    for column in ("started_at", "ended_at"):
        frame[column] = pandas.to_datetime(frame[column], unit="ms", utc=True)
    return frame


def load_samples(run: str = "latest") -> pd.DataFrame:
    """Return the power trace of a run: ``t, host, component, device, quality, power_w, energy_j``.

    Args:
        run: Id, unique beginning of an id, name, or ``latest``.

    Raises:
        ConfigError: pandas is not installed.
        NotFoundError: No run fits.
        StoreError: The database cannot be read.
    """
    pandas = _pandas()
    analysis = Analysis.open(load_settings())
    try:
        traces = analysis.trace(analysis.run(run).id, max_points=None)
    finally:
        analysis.close()
    columns = ["t", "host", "component", "device", "quality", "power_w", "energy_j"]
    rows = [
        (t_ms, trace.host, trace.component.value, trace.device, trace.quality.value, power_w, energy_j)
        for trace in traces
        for t_ms, power_w, energy_j in zip(trace.t_ms, trace.power_w, trace.energy_j, strict=True)
    ]
    frame: pd.DataFrame = pandas.DataFrame(rows, columns=columns).astype(
        {"power_w": "float64", "energy_j": "float64"}
    )
    frame["t"] = pandas.to_datetime(frame["t"], unit="ms", utc=True)
    return frame


def _row(record: RunRecord) -> dict[str, Any]:
    same = ("id", "name", "project", "task", "approach", "phase", "duration_s", "user", "git_commit")
    return {
        **{name: getattr(record, name) for name in same},
        "state": record.state.value,
        "started_at": record.started_ms,
        "ended_at": record.ended_ms,
        "energy_j": record.energy.total_j,
        "energy_low_j": record.energy.low_j,
        "energy_high_j": record.energy.high_j,
        "measured_share": record.energy.measured_share,
        "quality": record.quality.value if record.quality else None,
        "units": record.work.units,
        "unit": record.work.unit,
        "energy_per_unit_j": record.work.energy_per_unit_j,
        "location_g": record.emissions.location_g if record.emissions else None,
        **counted(record.emissions),
        **{f"metric_{metric.name}": metric.value for metric in record.metrics},
    }


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise ConfigError(_NO_PANDAS, _INSTALL) from error
    return pd
