"""What goes on right now: a strip of cards above the table, and the same figures on the page of a run.

The components are plain HTML; ``showLive`` and ``showNow`` in assets/greenai.js put them on the page.
"""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from greenai.core import quantity
from greenai.core.channel import Quality
from greenai.core.views import RunQuery
from greenai_dashboard import formats, texts_live
from greenai_dashboard.clientside import connect
from greenai_dashboard.parts import aria, badge, quality_badge, tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from greenai.core.text import Language, Text
    from greenai.core.views import LivePage, LiveRun
    from greenai_dashboard.data import DashboardData

REFRESH_MS = 3000
MAX_CARDS = 12
SILENT_S = 10.0
"""Silence that is worth saying."""
CURVE_S = 300
_HEADROOM = 1.08  # above the highest point


def strip(data: DashboardData, language: Language) -> html.Section:
    """Return the strip of runs that go on; hidden where nothing runs."""
    page = _page(data)
    return html.Section(
        [
            html.Div(id="live-runs"),
            html.P(_others(page, language), id="live-others", className="muted"),
            dcc.Store(id="live-content", data=_cards(page, language)),
            dcc.Store(id="live-shown"),
            dcc.Interval(id="live-poll", interval=REFRESH_MS),
        ],
        id="live",
        className="live",
        hidden=not page.runs,
    )


def register(app: Dash, data: DashboardData, language: Callable[[], Language]) -> None:
    """Connect the strip's callbacks."""

    @app.callback(
        Output("live-content", "data"),
        Output("live-others", "children"),
        Output("live", "hidden"),
        Input("live-poll", "n_intervals"),
        State("live", "hidden"),
        prevent_initial_call=True,
    )
    def look_again(_ticks: int, is_hidden: bool) -> tuple[Any, str | None, bool]:
        page = _page(data)
        if is_hidden and not page.runs:
            raise PreventUpdate
        speak = language()
        return _cards(page, speak), _others(page, speak), not page.runs

    connect(app, "showLive", Output("live-shown", "data"), Input("live-content", "data"), initially=True)


def now(live: LiveRun, language: Language) -> html.Div:
    """Return power now and the curve of the last minutes, for the page of a run."""
    mean = html.Span(texts_live.MEAN_OF_MINUTE.to(language), className="live-detail")
    power = html.Dl(
        html.Div(_figure(texts_live.POWER_NOW, [*_power(live, language), mean], language)),
        className="live-figures",
    )
    return html.Div([trouble(live, language), power, *_curve(live, language)], className="live-card live-now")


def trouble(live: LiveRun, language: Language) -> Any:
    """Return what keeps the figures from being those of this moment, None if nothing does."""
    if live.silent_s is None:
        return badge(texts_live.OUT_OF_REACH.to(language), "warning")
    if live.silent_s < SILENT_S:
        return None
    silent = quantity.integer(live.silent_s, language) + "\u202fs"
    return badge(texts_live.SILENT.format(duration=silent).to(language), "warning")


def _page(data: DashboardData) -> LivePage:
    return data.live(RunQuery(limit=MAX_CARDS))


def _cards(page: LivePage, language: Language) -> list[Any]:
    many = texts_live.RUNNING_MANY.format(count=quantity.integer(page.total, language))
    heading = texts_live.RUNNING_ONE if page.total == 1 else many
    cards = html.Ul([_card(live, language) for live in page.runs], className="live-cards")
    return [tree(html.H2(heading.to(language))), tree(cards)]


def _others(page: LivePage, language: Language) -> str | None:
    others = page.total - len(page.runs)
    if others <= 0:
        return None
    words = texts_live.MORE_ONE if others == 1 else texts_live.MORE_MANY.format(count=others)
    return words.to(language)


def _card(live: LiveRun, language: Language) -> html.Li:
    row = live.row
    since = texts_live.SINCE.format(moment=formats.moment(row.started_ms, language)).to(language)
    energy = [quantity.energy(row.total_j, language), " ", quality_badge(row.quality, language)]
    times = [since, quantity.duration(row.duration_s, language)]
    facts: list[Any] = [", ".join(live.hosts)] if live.hosts else []
    for words in times:
        facts += [" · ", html.Span(words, className="nowrap")] if facts else [html.Span(words, className="nowrap")]
    return html.Li(
        [
            html.Div(
                [
                    html.A(
                        row.name.strip() or row.id, href=f"/run/{row.id}", className="live-name", title=row.name
                    ),
                    trouble(live, language),
                ],
                className="live-head",
            ),
            html.Div(facts, className="live-facts"),
            html.Dl(
                [
                    html.Div(
                        _figure(texts_live.POWER_NOW, _power(live, language), language),
                        title=texts_live.MEAN_OF_MINUTE.to(language),
                    ),
                    html.Div(_figure(texts_live.ENERGY_SO_FAR, energy, language)),
                ],
                className="live-figures",
            ),
            *_curve(live, language),
        ],
        className="live-card",
        key=row.id,
    )


def _power(live: LiveRun, language: Language) -> list[Any]:
    quality = live.quality if live.power_w is not None else None
    return [quantity.power(live.power_w, language), " ", quality_badge(quality, language)]


def _figure(name: Text, value: list[Any], language: Language) -> list[Any]:
    return [html.Dt(name.to(language)), html.Dd(value)]


def _curve(live: LiveRun, language: Language) -> list[Any]:
    known = [power_w for power_w in live.curve_w if power_w is not None]
    source = texts_live.SOURCE.format(methods=", ".join(live.methods)).to(language) if live.methods else None
    if not known:
        words = (
            texts_live.CURVE_NONE
            if live.silent_s is None or live.row.duration_s > SILENT_S
            else texts_live.STARTING
        )
        return [
            html.Div(className="live-curve"),
            html.Div([html.Span(words.to(language))], className="live-scale"),
            html.Div(source, className="live-source"),
        ]
    top_w = max(known) * _HEADROOM or 1.0
    label = texts_live.CURVE_LABEL.format(
        low=quantity.power(min(known), language), high=quantity.power(max(known), language)
    )
    # Where nothing has come for a while, the curve stays behind.
    is_silent = live.silent_s is not None and live.silent_s >= SILENT_S
    now_ms = live.t_ms[-1] + (live.silent_s or 0.0) * 1000 if is_silent else None
    kind = "live-area live-estimated" if live.quality is Quality.ESTIMATED else "live-area"
    areas = [
        html.Div(className=kind, style={"clipPath": path})
        for path in area_paths(live.t_ms, live.curve_w, top_w, now_ms)
    ]
    scale = texts_live.CURVE_SCALE.format(power=quantity.power(top_w / _HEADROOM, language)).to(language)
    return [
        html.Div(areas, className="live-curve", role="img", **aria(label=label.to(language))),
        html.Div(
            [
                html.Span(texts_live.CURVE_BEGIN.to(language)),
                html.Span(scale),
                html.Span(texts_live.CURVE_END.to(language)),
            ],
            className="live-scale",
        ),
        html.Div(source, className="live-source"),
    ]


def area_paths(
    t_ms: Sequence[float], curve_w: Sequence[float | None], top_w: float, now_ms: float | None = None
) -> list[str]:
    """Return the area under a curve as CSS polygons, one for each stretch without a gap.

    Args:
        t_ms: Epoch milliseconds, ascending.
        curve_w: Mean power of the stretch that ends there, watts.
        top_w: Power at the upper edge.
        now_ms: Time at the right edge, ``CURVE_S`` before it is the left one; default is the last point.
    """
    step_ms = min((after - before for before, after in pairwise(t_ms)), default=0.0) or 5000.0
    begin_ms = (t_ms[-1] if now_ms is None else now_ms) - CURVE_S * 1000
    paths = []
    for is_known, stretch in groupby(zip(t_ms, curve_w, strict=True), key=lambda point: point[1] is not None):
        if not is_known:
            continue
        corners = []
        for at_ms, power_w in stretch:
            left, right = (100 * (x_ms - begin_ms) / (CURVE_S * 1000) for x_ms in (at_ms - step_ms, at_ms))
            height = 100 * (1 - (power_w or 0.0) / top_w)
            corners += [(max(left, 0.0), height), (max(right, 0.0), height)]
        corners = [(corners[0][0], 100.0), *corners, (corners[-1][0], 100.0)]
        paths.append(f"polygon({', '.join(f'{x:.2f}% {y:.2f}%' for x, y in corners)})")
    return paths
