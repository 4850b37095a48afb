"""The page of one run: figures, power trace, and everything needed to trust them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from dash import Dash, Input, Output, State, ctx, dcc, html
from dash.exceptions import PreventUpdate

from greenai.core import labels, quantity
from greenai.core.errors import NotFoundError
from greenai.core.vocabulary import RunState
from greenai_dashboard import figures, formats, texts, texts_run
from greenai_dashboard.pages import run_details
from greenai_dashboard.parts import badge, section

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.record import RunRecord
    from greenai.core.text import Language
    from greenai_dashboard.data import DashboardData

REFRESH_MS = 5000
MAX_POINTS = 2000


def layout(data: DashboardData, reference: str, language: Language) -> html.Div:
    """Return the page.

    Raises:
        NotFoundError: There is no such run.
    """
    record = data.run(reference)
    unit = figures.time_unit(record.duration_s)
    return html.Div(
        [
            html.Div(_header(record, language), id="run-header"),
            html.Div(run_details.summary(record, language), id="run-summary"),
            section(texts_run.TRACE.to(language), *_trace(data, record, unit, language)),
            html.Div(run_details.details(record, language), id="run-details"),
            dcc.Interval(id="run-poll", interval=REFRESH_MS, disabled=record.state is not RunState.RUNNING),
            dcc.Store(id="run-key", data={"id": record.id, "unit": unit}),
            dcc.Store(id="run-version", data=_version(record)),
        ],
        className="page",
    )


def register(app: Dash, data: DashboardData, language: Callable[[], Language]) -> None:
    """Connect the page's callbacks."""

    @app.callback(
        Output("run-header", "children"),
        Output("run-summary", "children"),
        Output("run-details", "children"),
        Output("run-version", "data"),
        Output("run-poll", "disabled"),
        Input("run-poll", "n_intervals"),
        State("run-key", "data"),
        State("run-version", "data"),
        prevent_initial_call=True,
    )
    def look_for_news(_ticks: int, key: dict[str, Any], known: str) -> tuple[Any, ...]:
        data.refresh()
        try:
            record = data.run(key["id"])
        except NotFoundError as error:
            raise PreventUpdate from error  # deleted meanwhile: leave what is shown
        if _version(record) == known:
            raise PreventUpdate
        speak = language()
        return (
            _header(record, speak),
            run_details.summary(record, speak),
            run_details.details(record, speak),
            _version(record),
            record.state is not RunState.RUNNING,
        )

    @app.callback(
        Output("run-trace", "figure"),
        Output("run-trace-frame", "hidden"),
        Output("run-trace-empty", "hidden"),
        Input("run-trace", "relayoutData"),
        Input("run-version", "data"),
        State("run-key", "data"),
        prevent_initial_call=True,
    )
    def cut_again(relayout: dict[str, Any] | None, _version: str, key: dict[str, Any]) -> Any:
        """Load the shown stretch afresh, so that zooming in brings out detail."""
        try:
            record = data.run(key["id"])
        except NotFoundError as error:
            raise PreventUpdate from error  # deleted meanwhile: leave what is shown
        span = figures.shown_span(relayout, record.started_ms, key["unit"])
        if span is None and ctx.triggered_id == "run-trace":
            raise PreventUpdate
        shown = span if isinstance(span, tuple) else None
        from_ms, to_ms = (None, None) if shown is None else figures.with_margin(shown)
        series = data.trace(record.id, max_points=MAX_POINTS, from_ms=from_ms, to_ms=to_ms)
        figure = figures.trace_figure(
            series,
            record.windows,
            start_ms=record.started_ms,
            unit=key["unit"],
            language=language(),
            shown=shown,
        )
        return figure, not series, bool(series)


def title(data: DashboardData, reference: str) -> str:
    """Return the name of the run for the browser's tab."""
    return data.run(reference).name


def _version(record: RunRecord) -> str:
    return hashlib.sha256(repr(record).encode()).hexdigest()[:16]


def _header(record: RunRecord, language: Language) -> list[Any]:
    state = record.state.value
    lasted = texts_run.SO_FAR if record.state is RunState.RUNNING else texts_run.LASTED
    line = [
        record.project,
        record.task,
        labels.APPROACH[record.approach].to(language) if record.approach in labels.APPROACH else record.approach,
        labels.PHASE[record.phase].to(language) if record.phase in labels.PHASE else record.phase,
        texts_run.STARTED.format(moment=formats.moment(record.started_ms, language)).to(language),
        lasted.format(duration=quantity.duration(record.duration_s, language)).to(language),
    ]
    if record.exit_code:
        line.append(texts_run.EXIT_CODE.format(code=record.exit_code).to(language))
    children: list[Any] = [
        html.P(dcc.Link(f"← {texts.BACK_TO_RUNS.to(language)}", href="/"), className="breadcrumb"),
        html.Div(
            [html.H1(record.name), badge(labels.word(labels.STATE, state).to(language), state)],
            className="title-row",
        ),
        html.P(" · ".join(part for part in line if part), className="muted"),
    ]
    if record.error:
        children.append(html.P(record.error, className="run-error", role="alert"))
    return children


def _trace(data: DashboardData, record: RunRecord, unit: figures.TimeUnit, language: Language) -> list[Any]:
    series = data.trace(record.id, max_points=MAX_POINTS)
    figure = figures.trace_figure(series, record.windows, start_ms=record.started_ms, unit=unit, language=language)
    explanation = texts_run.TRACE_HELP.to(language)
    if len(record.windows) > figures.MAX_SHADED_WINDOWS:
        cut = texts_run.TRACE_WINDOWS_CUT.format(
            all=quantity.integer(len(record.windows), language), shown=figures.MAX_SHADED_WINDOWS
        )
        explanation = f"{explanation} {cut.to(language)}"
    return [
        html.Div(
            [
                dcc.Graph(
                    id="run-trace",
                    figure=figure,
                    config=figures.plot_config(language),
                    className="chart chart-trace",
                ),
                html.P(explanation, className="muted small"),
            ],
            id="run-trace-frame",
            hidden=not series,
        ),
        html.P(texts_run.TRACE_EMPTY.to(language), id="run-trace-empty", hidden=bool(series)),
    ]
