"""The power of many nodes as a plain plotly figure: above, what they add up to; below, how far they lie apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from greenai.core import labels
from greenai.core.quantity import integer
from greenai_dashboard import texts_live, texts_run
from greenai_dashboard.figures import (
    MS_PER_UNIT,
    PALETTE,
    TEXT_COLOUR,
    Figure,
    TimeUnit,
    axis,
    base_layout,
    window_shapes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.record import WindowEnergy
    from greenai.core.text import Language, Text
    from greenai.core.views import NodesTrace

_SUM_FROM, _SPREAD_TO = 0.42, 0.34  # of the height


def nodes_figure(
    trace: NodesTrace,
    windows: Sequence[WindowEnergy],
    *,
    start_ms: float,
    unit: TimeUnit,
    language: Language,
    shown: tuple[float, float] | None = None,
    axis_title: Text = texts_run.TRACE_TIME_AXIS,
    revision: str = "trace",
) -> Figure:
    """Draw the power of all nodes together and by component, and that of the least and the greatest node.

    Args:
        trace: The nodes.
        windows: Windows of the run; the longest are shaded.
        start_ms: Start of the run, epoch milliseconds.
        unit: Unit of the time axis.
        language: Of the labels.
        shown: Span to show, epoch milliseconds; None shows everything.
        axis_title: Of the time axis; ``{unit}`` is filled in.
        revision: While it stays the same, lines the user has hidden stay hidden when they are loaded anew.
    """
    per_unit = MS_PER_UNIT[unit]
    x = [(t_ms - start_ms) / per_unit for t_ms in trace.t_ms]

    def line(name: Text, y: Sequence[float | None], colour: str, y_axis: str, **more: Any) -> Figure:
        return {
            "type": "scatter",
            "mode": "lines",
            "name": name.to(language),
            "x": x,
            "y": list(y),
            "yaxis": y_axis,
            "connectgaps": False,
            # A value is the mean of the stretch that ends at its time.
            "line": {"color": colour, "width": 1.8, "shape": "vh"},
            "hovertemplate": "%{y:,.1f} W",
            **more,
        }

    there = {
        "customdata": list(trace.there),
        "hovertemplate": f"%{{y:,.1f}} W ({texts_run.NODES_THERE.format(n='%{customdata}').to(language)})",
    }
    name = texts_run.NODES_SUM
    if trace.nodes < trace.of:
        name = texts_run.NODES_SUM_OF.format(n=trace.nodes, all=integer(trace.of, language))
    lines = [line(name, trace.sum_w, TEXT_COLOUR, "y", **there)]
    if len(trace.parts_w) > 1:
        lines += [
            line(labels.word(labels.COMPONENT, component.value), part_w, PALETTE[index % len(PALETTE)], "y")
            for index, (component, part_w) in enumerate(trace.parts_w.items())
        ]
    mean_w = [None if w is None else w / n for w, n in zip(trace.sum_w, trace.there, strict=True)]
    lines += [
        line(texts_run.NODES_GREATEST, trace.greatest_w, PALETTE[5], "y2"),
        line(texts_run.NODES_MEAN, mean_w, TEXT_COLOUR, "y2"),
        line(texts_run.NODES_LEAST, trace.least_w, PALETTE[4], "y2"),
    ]
    power_axis = {"rangemode": "tozero", "fixedrange": True}
    layout = base_layout(language)
    layout |= {
        "uirevision": revision,
        "hovermode": "x unified",
        "shapes": window_shapes(windows, start_ms, per_unit),
        "xaxis": axis(axis_title.format(unit=unit).to(language)) | {"hoverformat": ",.2f", "anchor": "y2"},
        "yaxis": axis(texts_run.NODES_SUM_AXIS.to(language)) | power_axis | {"domain": [_SUM_FROM, 1]},
        "yaxis2": axis(texts_run.NODES_EACH_AXIS.to(language)) | power_axis | {"domain": [0, _SPREAD_TO]},
    }
    if shown is not None:
        layout["xaxis"]["range"] = [(t_ms - start_ms) / per_unit for t_ms in shown]
    return {"data": lines, "layout": layout}


def recent_nodes_figure(
    trace: NodesTrace, windows: Sequence[WindowEnergy], *, seconds: float, language: Language
) -> Figure:
    """Draw the last ``seconds`` before the newest reading, in minutes before it, see ``recent_figure``."""
    now_ms = trace.t_ms[-1]
    figure = nodes_figure(
        trace,
        [window for window in windows if window.started_ms + window.duration_s * 1e3 > now_ms - seconds * 1e3],
        start_ms=now_ms,
        unit="min",
        language=language,
        shown=(now_ms - seconds * 1e3, now_ms),
        axis_title=texts_live.TIME_AXIS,
        revision="recent",
    )
    figure["layout"]["xaxis"]["uirevision"] = now_ms
    return figure
