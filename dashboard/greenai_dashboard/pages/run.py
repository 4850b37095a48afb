"""The page of one run: figures, power trace, and everything needed to trust them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from greenai.core import labels, quantity
from greenai.core.errors import NotFoundError
from greenai.core.views import RunQuery
from greenai.core.vocabulary import RunState
from greenai_dashboard import figures, formats, texts, texts_live, texts_run
from greenai_dashboard.clientside import connect
from greenai_dashboard.pages import live, run_details
from greenai_dashboard.parts import aria, badge, section, tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from greenai.core.record import RunRecord
    from greenai.core.text import Language
    from greenai.core.views import TraceSeries
    from greenai_dashboard.data import DashboardData

REFRESH_MS = 5000
MAX_POINTS = 2000
MAX_LINES = 40
RECENT_S = 600
RECENT, WHOLE = "recent", "whole"


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
            html.Div(id="run-now"),
            html.Div(run_details.summary(record, language), id="run-summary"),
            section(texts_run.TRACE.to(language), *_trace(data, record, unit, language)),
            html.Div(run_details.details(record, language), id="run-details"),
            dcc.Interval(id="run-poll", interval=REFRESH_MS, disabled=record.state is not RunState.RUNNING),
            dcc.Store(id="run-key", data={"id": record.id, "unit": unit}),
            dcc.Store(id="run-version", data=_version(record)),
            dcc.Store(id="run-now-content", data=_now(data, record, language)),
            dcc.Store(id="run-now-shown"),
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
        Output("run-now", "hidden"),
        Input("run-poll", "n_intervals"),
        State("run-key", "data"),
        State("run-version", "data"),
        prevent_initial_call=True,
    )
    def look_for_news(_ticks: int, key: dict[str, Any], known: str) -> tuple[Any, ...]:
        data.refresh()
        record = _record(data, key)
        if _version(record) == known:
            raise PreventUpdate
        speak = language()
        return (
            _header(record, speak),
            run_details.summary(record, speak),
            run_details.details(record, speak),
            _version(record),
            record.state is not RunState.RUNNING,
            record.state is not RunState.RUNNING,
        )

    @app.callback(
        Output("run-now-content", "data"),
        Input("run-poll", "n_intervals"),
        State("run-key", "data"),
        prevent_initial_call=True,
    )
    def look_at_now(_ticks: int, key: dict[str, Any]) -> Any:
        """Look at this moment, without waiting for the run to be taken in anew."""
        return _now(data, _record(data, key), language())

    connect(app, "showNow", Output("run-now-shown", "data"), Input("run-now-content", "data"), initially=True)

    @app.callback(
        Output("run-trace", "figure"),
        Output("run-trace-frame", "hidden"),
        Output("run-trace-empty", "hidden"),
        Output("run-stretch-frame", "hidden"),
        Output("run-trace", "relayoutData"),
        Input("run-trace", "relayoutData"),
        Input("run-version", "data"),
        Input("run-poll", "n_intervals"),
        Input("run-stretch", "value"),
        State("run-key", "data"),
        prevent_initial_call=True,
    )
    def draw_again(
        relayout: dict[str, Any] | None, _version: str, _ticks: int, stretch: str, key: dict[str, Any]
    ) -> Any:
        """Follow a run that goes on; else load the shown stretch afresh, so that zooming in brings out detail."""
        record = _record(data, key)
        running = record.state is RunState.RUNNING
        following = running and stretch == RECENT
        # Another time axis, by choice or because the run has ended: the old one's enlarged stretch means nothing.
        asked_by = set(ctx.triggered_prop_ids.values())  # the beat and the version it brought come together
        is_new_axis = "run-stretch" in asked_by or ("run-version" in asked_by and not running)
        span = None if is_new_axis else figures.shown_span(relayout, record.started_ms, key["unit"])
        shown = span if isinstance(span, tuple) else None
        if asked_by == {"run-trace"} and span is None:
            raise PreventUpdate
        if following and shown is not None:
            raise PreventUpdate  # what is enlarged stands still; all its points are there already
        if not following and asked_by == {"run-poll"}:
            raise PreventUpdate  # a new version says when there is more
        if following:
            series, figure = _recent(data, record, language())
        else:
            series, figure = _stretch(data, record, key["unit"], shown, language())
        return figure, not series, bool(series), not running, None if is_new_axis else no_update


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


def _record(data: DashboardData, key: dict[str, Any]) -> RunRecord:
    try:
        return data.run(key["id"])
    except NotFoundError as error:
        raise PreventUpdate from error  # deleted meanwhile: leave what is shown


def _now(data: DashboardData, record: RunRecord, language: Language) -> Any:
    """Return what a run that goes on takes right now; nothing once it has ended."""
    if record.state is not RunState.RUNNING:
        return None
    runs = data.live(RunQuery(text=record.id)).runs
    if not runs:
        return None
    return tree(live.now(runs[0], language))


def _recent(data: DashboardData, record: RunRecord, language: Language) -> tuple[Sequence[TraceSeries], Any]:
    """Return the last minutes of a run that goes on; where its journals lie elsewhere, of what is stored."""
    end_ms = record.started_ms + record.duration_s * 1000
    series = data.live_trace(record.id, RECENT_S, max_points=MAX_POINTS, max_channels=MAX_LINES) or data.trace(
        record.id, max_points=MAX_POINTS, from_ms=end_ms - RECENT_S * 1000, max_channels=MAX_LINES
    )
    if not any(one.t_ms for one in series):
        return _stretch(data, record, "min", None, language)
    return series, figures.recent_figure(series, record.windows, seconds=RECENT_S, language=language)


def _stretch(
    data: DashboardData,
    record: RunRecord,
    unit: figures.TimeUnit,
    shown: tuple[float, float] | None,
    language: Language,
) -> tuple[Sequence[TraceSeries], Any]:
    from_ms, to_ms = (None, None) if shown is None else figures.with_margin(shown)
    series = data.trace(record.id, max_points=MAX_POINTS, from_ms=from_ms, to_ms=to_ms, max_channels=MAX_LINES)
    figure = figures.trace_figure(
        series, record.windows, start_ms=record.started_ms, unit=unit, language=language, shown=shown
    )
    return series, figure


def _trace(data: DashboardData, record: RunRecord, unit: figures.TimeUnit, language: Language) -> list[Any]:
    running = record.state is RunState.RUNNING
    series, figure = _recent(data, record, language) if running else _stretch(data, record, unit, None, language)
    explanation = texts_run.TRACE_HELP.to(language)
    if len(record.windows) > figures.MAX_SHADED_WINDOWS:
        cut = texts_run.TRACE_WINDOWS_CUT.format(
            all=quantity.integer(len(record.windows), language), shown=figures.MAX_SHADED_WINDOWS
        )
        explanation = f"{explanation} {cut.to(language)}"
    channels = len(record.energy.channels)
    if len(series) == MAX_LINES < channels:
        left = texts_run.TRACE_CHANNELS_CUT.format(all=quantity.integer(channels, language), shown=MAX_LINES)
        explanation = f"{explanation} {left.to(language)}"
    return [
        _stretch_switch(running, language),
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


def _stretch_switch(running: bool, language: Language) -> html.Div:
    choices = ((RECENT, texts_live.STRETCH_RECENT), (WHOLE, texts_live.STRETCH_WHOLE))
    return html.Div(
        [
            dmc.SegmentedControl(
                id="run-stretch",
                value=RECENT,
                data=[{"value": value, "label": text.to(language)} for value, text in choices],
            ),
            html.Span(texts_live.FOLLOWS.to(language), className="muted small"),
        ],
        id="run-stretch-frame",
        className="stretch",
        role="group",
        hidden=not running,
        **aria(label=texts_live.STRETCH.to(language)),
    )
