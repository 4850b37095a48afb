"""The table of runs: endless, sorted and filtered by the database, kept up to date."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from greenai.core import labels, quantity
from greenai.core.channel import Quality
from greenai.core.views import SORTABLE, RunQuery
from greenai_dashboard import formats, texts
from greenai_dashboard.clientside import connect
from greenai_dashboard.pages import live
from greenai_dashboard.parts import aria, commands

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from greenai.core.text import Language, Text
    from greenai.core.views import RunRow
    from greenai_dashboard.data import DashboardData

REFRESH_MS = 5000
BLOCK_ROWS = 100
_FILTERS = ("project", "task", "approach", "state", "text")
_COLUMNS: tuple[tuple[str, Text, int, str | None], ...] = (
    # Field (also the sort key), heading, least width in pixels, cell renderer in assets/greenai.js
    ("name", texts.NAME, 190, "GreenaiName"),
    ("project", texts.PROJECT, 95, None),
    ("task", texts.TASK, 115, None),
    ("approach", texts.APPROACH, 95, None),
    ("phase", texts.PHASE, 100, None),
    ("state", texts.STATE, 148, "GreenaiBadge"),
    ("started_ms", texts.START, 150, None),
    ("duration_s", texts.DURATION, 112, None),
    ("total_j", texts.ENERGY, 168, "GreenaiEnergy"),
    ("location_g", texts.CO2, 100, None),
    ("quality", texts.QUALITY, 118, "GreenaiQuality"),
)


def layout(data: DashboardData, language: Language) -> html.Div:
    """Return the page."""
    page = data.run_page(RunQuery(limit=500))
    projects = sorted({row.project for row in page.rows if row.project})
    return html.Div(
        [
            html.H1(texts.RUNS_TITLE.to(language)),
            live.strip(data, language),
            html.Div(_empty(language), id="runs-empty", hidden=page.total > 0),
            html.Div(
                [
                    _filters(projects, data.task_names(), language),
                    html.P(id="runs-count", className="muted", role="status"),
                    _grid(language),
                ],
                id="runs-panel",
                hidden=page.total == 0,
            ),
            dcc.Interval(id="runs-poll", interval=REFRESH_MS),
            dcc.Store(id="runs-version", data=_version(data)),
            dcc.Store(id="runs-purged"),
            dcc.Store(id="runs-refreshed"),
            dcc.Store(id="runs-fitted"),
        ],
        className="page page-wide",
    )


def register(app: Dash, data: DashboardData, language: Callable[[], Language]) -> None:
    """Connect the page's callbacks."""

    @app.callback(
        Output("runs-grid", "getRowsResponse"),
        Output("runs-count", "children"),
        Input("runs-grid", "getRowsRequest"),
        *(State(f"runs-{name}", "value") for name in _FILTERS),
        prevent_initial_call=True,
    )
    def deliver_rows(request: dict[str, Any] | None, *filters: str | None) -> tuple[Any, Any]:
        if request is None:
            raise PreventUpdate
        page = data.run_page(query_of(request, dict(zip(_FILTERS, filters, strict=True))))
        speak = language()
        rows = [cells(row, speak) for row in page.rows]
        return {"rowData": rows, "rowCount": page.total}, _count(page.total, speak)

    @app.callback(
        Output("runs-version", "data"),
        Output("runs-empty", "hidden"),
        Output("runs-panel", "hidden"),
        Input("runs-poll", "n_intervals"),
        State("runs-version", "data"),
        prevent_initial_call=True,
    )
    def look_for_news(_ticks: int, known: str) -> tuple[Any, Any, Any]:
        data.refresh()
        version = _version(data)
        if version == known:
            raise PreventUpdate
        has_runs = not version.startswith("0-")
        return version, has_runs, not has_runs

    filters = [Input(f"runs-{name}", "value") for name in _FILTERS]
    connect(app, "purgeRuns", Output("runs-purged", "data"), *filters)
    connect(app, "fitRuns", Output("runs-fitted", "data"), Input("runs-grid", "id"), initially=True)
    connect(app, "refreshRuns", Output("runs-refreshed", "data"), Input("runs-version", "data"))


def query_of(request: Mapping[str, Any], filters: Mapping[str, str | None]) -> RunQuery:
    """Turn the grid's request and the filters into a query; an unknown sort column is ignored."""
    start = max(int(request.get("startRow") or 0), 0)
    end = max(int(request.get("endRow") or 0), start)
    wanted = {key: (value or "").strip() or None for key, value in filters.items()}
    query = RunQuery(**wanted, offset=start, limit=min(end - start, BLOCK_ROWS) or BLOCK_ROWS)  # type: ignore[arg-type]
    order = next((one for one in request.get("sortModel") or () if one.get("colId") in SORTABLE), None)
    if order is None:
        return query
    return RunQuery(
        **wanted,  # type: ignore[arg-type]
        offset=query.offset,
        limit=query.limit,
        sort=order["colId"],
        descending=order.get("sort") == "desc",
    )


def cells(row: RunRow, language: Language) -> dict[str, Any]:
    """Return one line of the grid, ready to read."""
    share = None
    if row.measured_share is not None:
        words = texts.MEASURED_SHARE if row.quality is Quality.MEASURED else texts.FIRM_SHARE
        share = words.format(share=quantity.percent(row.measured_share, language)).to(language)
    return {
        "id": row.id,
        "name": row.name,
        "project": row.project or quantity.NO_VALUE,
        "task": row.task or quantity.NO_VALUE,
        "approach": labels.word(labels.APPROACH, row.approach).to(language),
        "phase": labels.word(labels.PHASE, row.phase).to(language),
        "state": labels.word(labels.STATE, row.state.value).to(language),
        "state_key": row.state.value,
        "started_ms": formats.moment(row.started_ms, language),
        "duration_s": quantity.duration(row.duration_s, language),
        "total_j": quantity.energy(row.total_j, language),
        "interval": None
        if row.low_j is None
        else quantity.energy_range(row.low_j, row.high_j, language, like=row.total_j),
        "location_g": quantity.mass(row.location_g, language),
        "quality": labels.word(labels.QUALITY, row.quality.value if row.quality else None).to(language),
        "quality_key": row.quality.value if row.quality else None,
        "share": share,
    }


def _version(data: DashboardData) -> str:
    """Return a fingerprint of what the table shows: the newest runs, and all that still run."""
    newest = data.run_page(RunQuery(limit=BLOCK_ROWS))
    running = data.run_page(RunQuery(state="running", limit=BLOCK_ROWS))
    digest = hashlib.sha256(repr((newest.rows, running)).encode()).hexdigest()[:16]
    return f"{newest.total}-{digest}"


def _count(total: int, language: Language) -> str:
    if total == 0:
        return texts.RUN_COUNT_NONE.to(language)
    if total == 1:
        return texts.RUN_COUNT_ONE.to(language)
    return texts.RUN_COUNT_MANY.format(count=quantity.integer(total, language)).to(language)


def _empty(language: Language) -> html.Div:
    return html.Div(
        [
            html.H2(texts.EMPTY_TITLE.to(language)),
            html.P(texts.EMPTY_HELP.to(language)),
            commands(texts.EMPTY_EXAMPLE.to(language)),
        ],
        className="notice",
    )


def _filters(projects: list[str], tasks: list[str], language: Language) -> html.Div:
    def choice(name: str, label: Text, words: dict[str, Text]) -> dmc.Select:
        return dmc.Select(
            id=f"runs-{name}",
            label=label.to(language),
            placeholder=texts.ANY.to(language),
            data=[{"value": key, "label": text.to(language)} for key, text in words.items()],
            clearable=True,
        )

    return html.Div(
        [
            dmc.TextInput(
                id="runs-text",
                label=texts.SEARCH.to(language),
                placeholder=texts.SEARCH_PLACEHOLDER.to(language),
                debounce=300,
            ),
            # Free text with suggestions: the suggestions come from the newest runs only.
            dmc.Autocomplete(
                id="runs-project",
                label=texts.PROJECT.to(language),
                placeholder=texts.ANY.to(language),
                data=projects,
                debounce=300,
                clearable=True,
            ),
            dmc.Select(
                id="runs-task",
                label=texts.TASK.to(language),
                placeholder=texts.ANY.to(language),
                data=tasks,
                searchable=True,
                clearable=True,
                nothingFoundMessage=texts.NOTHING_FOUND.to(language),
            ),
            choice("approach", texts.APPROACH, labels.APPROACH),
            choice("state", texts.STATE, labels.STATE),
        ],
        className="filters",
        role="search",
        **aria(label=texts.FILTER_LABEL.to(language)),
    )


def _grid(language: Language) -> html.Div:
    columns = []
    for field, heading, width, renderer in _COLUMNS:
        column: dict[str, Any] = {
            "field": field,
            "headerName": heading.to(language),
            "minWidth": width,
            "flex": width,
            "sortable": field in SORTABLE,
        }
        if renderer:
            column["cellRenderer"] = renderer
        if field == "started_ms":
            column["sort"] = "desc"
        if field in {"duration_s", "location_g", "total_j"}:
            column["type"] = "rightAligned"
        columns.append(column)
    grid = dag.AgGrid(
        id="runs-grid",
        columnDefs=columns,
        defaultColDef={"resizable": True, "suppressHeaderMenuButton": True, "wrapHeaderText": True},
        rowModelType="infinite",
        getRowId="params.data.id",
        dashGridOptions={
            "theme": {"function": "themeQuartz.withPart(colorSchemeVariable)"},
            "cacheBlockSize": BLOCK_ROWS,
            "maxBlocksInCache": 10,
            # The component remembers one request at a time; a second one would be lost.
            "maxConcurrentDatasourceRequests": 1,
            "rowHeight": 52,
            "headerHeight": 48,
            "enableCellTextSelection": True,
            "localeText": {key: text.to(language) for key, text in texts.GRID_TEXTS.items()},
        },
        className="runs-grid",
        style={"height": "100%"},
    )
    return html.Div(grid, className="grid-frame", role="region", **aria(label=texts.RUNS_GRID_LABEL.to(language)))
