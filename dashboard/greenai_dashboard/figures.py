"""The power trace as a plain plotly figure: pure, no server, no browser."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Literal

from greenai.core import labels
from greenai.core.channel import Quality
from greenai_dashboard import texts_live, texts_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.core.record import WindowEnergy
    from greenai.core.text import Language, Text
    from greenai.core.views import TraceSeries

TimeUnit = Literal["s", "min", "h"]
Figure = dict[str, Any]

# Okabe and Ito's palette, told apart with every common colour blindness; yellow and black are left out because
# they vanish on a white or a dark page.
PALETTE = ("#2A88C8", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
TEXT_COLOUR = "#808890"  # readable on white and on dark: one figure serves both colour schemes
GRID_COLOUR = "rgba(128,136,144,0.22)"
MAX_SHADED_WINDOWS = 40
MAX_NAMED_WINDOWS = 12

MS_PER_UNIT: dict[TimeUnit, float] = {"s": 1e3, "min": 60e3, "h": 3600e3}
_MINUTES_FROM_S = 300
_HOURS_FROM_S = 3 * 3600


def time_unit(duration_s: float) -> TimeUnit:
    """Return the unit in which a run of this length is drawn."""
    if duration_s < _MINUTES_FROM_S:
        return "s"
    return "min" if duration_s < _HOURS_FROM_S else "h"


def trace_figure(
    series: Sequence[TraceSeries],
    windows: Sequence[WindowEnergy],
    *,
    start_ms: float,
    unit: TimeUnit,
    language: Language,
    shown: tuple[float, float] | None = None,
    axis_title: Text = texts_run.TRACE_TIME_AXIS,
    revision: str = "trace",
) -> Figure:
    """Draw power over time since the start, one line per channel, windows as shaded spans.

    Args:
        series: The channels.
        windows: Windows of the run; the longest are shaded.
        start_ms: Start of the run, epoch milliseconds.
        unit: Unit of the time axis.
        language: Of the labels.
        shown: Span to show, epoch milliseconds; None shows everything.
        axis_title: Of the time axis; ``{unit}`` is filled in.
        revision: While it stays the same, lines the user has hidden stay hidden when they are loaded anew.
    """
    many_hosts = len({one.host for one in series}) > 1
    per_unit = MS_PER_UNIT[unit]
    lines = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": _line_name(one, language, with_host=many_hosts),
            "uid": f"{one.host}/{one.channel_id}",
            "x": [(t_ms - start_ms) / per_unit for t_ms in one.t_ms],
            "y": list(one.power_w),
            "connectgaps": False,
            # A value is the mean of the stretch that ends at its time.
            "line": {"color": PALETTE[index % len(PALETTE)], "width": 1.8, "dash": _dash(one), "shape": "vh"},
            "hovertemplate": "%{y:,.1f} W",
        }
        for index, one in enumerate(series)
    ]
    layout = base_layout(language)
    layout |= {
        "uirevision": revision,
        "hovermode": "x unified",
        "shapes": window_shapes(windows, start_ms, per_unit),
        "xaxis": axis(axis_title.format(unit=unit).to(language)) | {"hoverformat": ",.2f"},
        "yaxis": axis(texts_run.TRACE_POWER_AXIS.to(language)) | {"rangemode": "tozero", "fixedrange": True},
    }
    if shown is not None:
        # Said outright: left to itself, the axis would stretch to hold all windows again.
        layout["xaxis"]["range"] = [(t_ms - start_ms) / per_unit for t_ms in shown]
    return {"data": lines, "layout": layout}


def recent_figure(
    series: Sequence[TraceSeries], windows: Sequence[WindowEnergy], *, seconds: float, language: Language
) -> Figure:
    """Draw the last ``seconds`` before the newest reading, in minutes before it.

    The time axis goes on with each new figure, whatever the user did to the one before.
    """
    now_ms = max(one.t_ms[-1] for one in series if one.t_ms)
    figure = trace_figure(
        series,
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


def shown_span(
    relayout: Mapping[str, Any] | None, start_ms: float, unit: TimeUnit
) -> tuple[float, float] | Literal["all"] | None:
    """Return the span zoomed to (epoch milliseconds), "all" after a reset, None if neither happened."""
    if not relayout:
        return None
    if relayout.get("xaxis.autorange"):
        return "all"
    low, high = relayout.get("xaxis.range[0]"), relayout.get("xaxis.range[1]")
    if low is None or high is None:
        low, high = relayout.get("xaxis.range") or (None, None)
    if low is None or high is None:
        return None
    per_unit = MS_PER_UNIT[unit]
    return start_ms + float(low) * per_unit, start_ms + float(high) * per_unit


def with_margin(span: tuple[float, float]) -> tuple[float, float]:
    """Widen a span a little, so that lines run off the edge instead of stopping short of it."""
    margin = (span[1] - span[0]) * 0.02
    return span[0] - margin, span[1] + margin


def base_layout(language: Language) -> Figure:
    """Return what all figures share."""
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": TEXT_COLOUR, "size": 13, "family": "system-ui, sans-serif"},
        "separators": ",." if language == "de" else ".,",
        "margin": {"l": 60, "r": 16, "t": 16, "b": 48},
        "showlegend": True,
        "legend": {"orientation": "h", "y": -0.18, "yanchor": "top", "x": 0},
        "hoverlabel": {"font": {"size": 13}},
    }


def axis(title: str) -> Figure:
    """Return an axis in the house style."""
    return {
        "title": {"text": escape(title, quote=False), "standoff": 8},
        "gridcolor": GRID_COLOUR,
        "linecolor": GRID_COLOUR,
        "zeroline": False,
        "automargin": True,
    }


def plot_config(language: Language) -> Any:
    """Return the settings of the plot's tool bar."""
    return {
        "locale": language,
        "displaylogo": False,
        # Plotly shows "Share chart" by default, which sends the data to its makers.
        "showSendToCloud": False,
        "plotlyServerURL": "",
        "responsive": True,
        "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    }


def _dash(series: TraceSeries) -> str:
    if series.quality is Quality.ESTIMATED:
        return "dash"
    return "solid" if series.counted else "dot"


def _line_name(series: TraceSeries, language: Language, *, with_host: bool) -> str:
    name = f"{labels.word(labels.COMPONENT, series.component.value).to(language)} {series.device}"
    if with_host:
        name = f"{series.host}: {name}"
    remarks = []
    if series.quality is not Quality.MEASURED:
        remarks.append(labels.QUALITY[series.quality.value].to(language))
    if not series.counted:
        remarks.append(texts_run.TRACE_NOT_COUNTED.to(language))
    if remarks:
        name = f"{name} ({', '.join(remarks)})"
    return escape(name, quote=False)  # plotly reads tags in names


def window_shapes(windows: Sequence[WindowEnergy], start_ms: float, per_unit: float) -> list[Figure]:
    """Return the longest windows as shaded spans.

    Args:
        windows: All of them.
        start_ms: Start of the run, epoch milliseconds.
        per_unit: Milliseconds in the unit of the time axis.
    """
    longest = sorted(windows, key=lambda window: window.duration_s, reverse=True)[:MAX_SHADED_WINDOWS]
    shapes = []
    for index, window in enumerate(sorted(longest, key=lambda window: window.started_ms)):
        begin = (window.started_ms - start_ms) / per_unit
        shape: Figure = {
            "type": "rect",
            "xref": "x",
            "yref": "paper",
            "x0": begin,
            "x1": begin + window.duration_s * 1000 / per_unit,
            "y0": 0,
            "y1": 1,
            "layer": "below",
            "line": {"width": 1, "color": "rgba(128,136,144,0.35)"},
            "fillcolor": f"rgba(128,136,144,{0.14 if index % 2 else 0.07})",
        }
        if len(longest) <= MAX_NAMED_WINDOWS:
            shape["label"] = {
                "text": escape(window.name, quote=False),
                "textposition": "top left" if window.parent is None else "bottom left",
                "font": {"size": 11, "color": TEXT_COLOUR},
            }
        shapes.append(shape)
    return shapes
