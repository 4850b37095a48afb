"""The power over time on the page of a run: channel by channel, or of many nodes together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import dash_mantine_components as dmc
from dash import dcc, html

from greenai.core import quantity
from greenai.core.views import NodesTrace
from greenai.core.vocabulary import RunState
from greenai_dashboard import figures, formats, texts_live, texts_run
from greenai_dashboard.figures_nodes import nodes_figure, recent_nodes_figure
from greenai_dashboard.parts import aria

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.record import RunRecord
    from greenai.core.text import Language
    from greenai.core.views import TraceSeries
    from greenai_dashboard.data import DashboardData

MAX_POINTS = 2000
MAX_LINES = 40
MAX_LINES_OF_NODES = 8  # of several nodes; more are drawn as their sum
RECENT_S = 600
RECENT, WHOLE = "recent", "whole"


class Drawing(NamedTuple):
    """A figure of a run.

    Attributes:
        figure: It.
        drawn: What is in it; nothing if no reading is stored.
    """

    figure: Any
    drawn: NodesTrace | Sequence[TraceSeries]


def trace_block(data: DashboardData, record: RunRecord, unit: figures.TimeUnit, language: Language) -> list[Any]:
    """Return the figure with its explanation and the switch of its stretch."""
    running = record.state is RunState.RUNNING
    drawing = recent(data, record, language) if running else stretch(data, record, unit, None, language)
    return [
        _stretch_switch(running, language),
        html.Div(
            [
                dcc.Graph(
                    id="run-trace",
                    figure=drawing.figure,
                    config=figures.plot_config(language),
                    className="chart chart-trace",
                ),
                html.P(_explanation(record, drawing.drawn, language), className="muted small"),
            ],
            id="run-trace-frame",
            hidden=not drawing.drawn,
        ),
        html.P(_why_empty(record, language), id="run-trace-empty", hidden=bool(drawing.drawn)),
    ]


def _why_empty(record: RunRecord, language: Language) -> str:
    if record.samples_dropped_ms is None:
        return texts_run.TRACE_EMPTY.to(language)
    date = formats.moment(record.samples_dropped_ms, language)
    return texts_run.TRACE_DROPPED.format(date=date).to(language)


def recent(data: DashboardData, record: RunRecord, language: Language) -> Drawing:
    """Draw the last minutes of a run that goes on; where its journals lie elsewhere, of what is stored."""
    end_ms = record.started_ms + record.duration_s * 1000
    if _is_summed(record):
        nodes = data.live_nodes_trace(record.id, RECENT_S) or data.nodes_trace(
            record.id, from_ms=max(end_ms - RECENT_S * 1000, record.started_ms), to_ms=end_ms
        )
        if nodes is None:
            return stretch(data, record, "min", None, language)
        return Drawing(
            recent_nodes_figure(nodes, record.windows, seconds=RECENT_S, language=language),
            nodes,
        )
    series = data.live_trace(record.id, RECENT_S, max_points=MAX_POINTS, max_channels=MAX_LINES) or data.trace(
        record.id, max_points=MAX_POINTS, from_ms=end_ms - RECENT_S * 1000, max_channels=MAX_LINES
    )
    if not any(one.t_ms for one in series):
        return stretch(data, record, "min", None, language)
    return Drawing(figures.recent_figure(series, record.windows, seconds=RECENT_S, language=language), series)


def stretch(
    data: DashboardData,
    record: RunRecord,
    unit: figures.TimeUnit,
    shown: tuple[float, float] | None,
    language: Language,
) -> Drawing:
    """Draw a stretch of a run.

    Args:
        data: Where it is read.
        record: The run.
        unit: Unit of the time axis.
        shown: Begin and end, epoch milliseconds; None for all of it.
        language: Of the labels.
    """
    from_ms, to_ms = (None, None) if shown is None else figures.with_margin(shown)
    nodes = data.nodes_trace(record.id, from_ms=from_ms, to_ms=to_ms) if _is_summed(record) else None
    if nodes is not None:
        figure = nodes_figure(
            nodes, record.windows, start_ms=record.started_ms, unit=unit, language=language, shown=shown
        )
        return Drawing(figure, nodes)
    series = data.trace(record.id, max_points=MAX_POINTS, from_ms=from_ms, to_ms=to_ms, max_channels=MAX_LINES)
    figure = figures.trace_figure(
        series, record.windows, start_ms=record.started_ms, unit=unit, language=language, shown=shown
    )
    return Drawing(figure, series)


def _is_summed(record: RunRecord) -> bool:
    channels = record.energy.channels
    return len(channels) > MAX_LINES_OF_NODES and len({channel.host for channel in channels}) > 1


def _explanation(record: RunRecord, drawn: NodesTrace | Sequence[TraceSeries], language: Language) -> str:
    sentences = [texts_run.NODES_HELP if isinstance(drawn, NodesTrace) else texts_run.TRACE_HELP]
    if len(record.windows) > figures.MAX_SHADED_WINDOWS:
        count = quantity.integer(len(record.windows), language)
        sentences.append(texts_run.TRACE_WINDOWS_CUT.format(all=count, shown=figures.MAX_SHADED_WINDOWS))
    channels = len(record.energy.channels)
    if isinstance(drawn, NodesTrace):
        if drawn.nodes < drawn.of:
            count = quantity.integer(drawn.of, language)
            sentences.append(texts_run.NODES_CUT.format(all=count, shown=drawn.nodes))
    elif len(drawn) == MAX_LINES < channels:
        count = quantity.integer(channels, language)
        sentences.append(texts_run.TRACE_CHANNELS_CUT.format(all=count, shown=MAX_LINES))
    return " ".join(sentence.to(language) for sentence in sentences)


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
