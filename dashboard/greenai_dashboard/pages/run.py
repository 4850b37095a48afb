"""The page of one run: figures, power trace, and everything needed to trust them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from greenai.core import labels, quantity
from greenai.core.errors import NotFoundError
from greenai.core.views import RunQuery
from greenai.core.vocabulary import RunState
from greenai_dashboard import figures, formats, texts, texts_run
from greenai_dashboard.clientside import connect
from greenai_dashboard.pages import live, run_details, run_trace
from greenai_dashboard.parts import badge, section, tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.record import RunRecord
    from greenai.core.text import Language
    from greenai_dashboard.data import DashboardData

REFRESH_MS = 5000


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
            section(texts_run.TRACE.to(language), *run_trace.trace_block(data, record, unit, language)),
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
        following = running and stretch == run_trace.RECENT
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
            drawing = run_trace.recent(data, record, language())
        else:
            drawing = run_trace.stretch(data, record, key["unit"], shown, language())
        return (
            drawing.figure,
            not drawing.drawn,
            bool(drawing.drawn),
            not running,
            None if is_new_axis else no_update,
        )


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
