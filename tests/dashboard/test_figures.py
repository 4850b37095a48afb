"""Figures are pure: checked without a server or a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files
from math import exp, log10
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.statistics import Interval
from greenai.core.vocabulary import Approach
from greenai_dashboard import figures, figures_compare

if TYPE_CHECKING:
    from greenai.core.record import RunRecord


@pytest.fixture
def figure(data: Any, record: RunRecord) -> figures.Figure:
    return figures.trace_figure(
        data.trace(record.id), record.windows, start_ms=record.started_ms, unit="s", language="de"
    )


def test_estimated_line_is_dashed_and_says_so(figure: figures.Figure) -> None:
    cpu, gpu, memory = figure["data"]
    assert [line["line"]["dash"] for line in (cpu, gpu, memory)] == ["solid", "solid", "dash"]
    assert "geschätzt" in memory["name"]
    assert "geschätzt" not in cpu["name"]


def test_uncounted_line_is_dotted_and_says_so(data: Any, record: RunRecord) -> None:
    series = replace(data.trace(record.id)[0], counted=False)
    (line,) = figures.trace_figure([series], (), start_ms=record.started_ms, unit="s", language="en")["data"]
    assert line["line"]["dash"] == "dot"
    assert line["name"].endswith("(not counted)")


def test_time_runs_from_the_start_in_the_chosen_unit(data: Any, record: RunRecord) -> None:
    series = data.trace(record.id)
    minutes = figures.trace_figure(series, (), start_ms=record.started_ms, unit="min", language="en")
    assert minutes["data"][0]["x"][-1] == pytest.approx(record.duration_s / 60)
    assert minutes["layout"]["xaxis"]["title"]["text"] == "Time since start (min)"


def test_gap_stays_a_gap(figure: figures.Figure) -> None:
    line = figure["data"][0]
    assert None in line["y"]
    assert line["connectgaps"] is False


def test_windows_become_named_spans(figure: figures.Figure, record: RunRecord) -> None:
    spans = figure["layout"]["shapes"]
    assert [span["label"]["text"] for span in spans] == ["load data", "fit", "epoch 1", "evaluate"]
    assert (spans[1]["x0"], spans[1]["x1"]) == (24.0, 164.0)


def test_only_the_longest_windows_are_shaded(record: RunRecord) -> None:
    many = [replace(record.windows[0], id=str(index), duration_s=float(index)) for index in range(500)]
    shapes = figures.trace_figure((), many, start_ms=record.started_ms, unit="s", language="en")["layout"][
        "shapes"
    ]
    assert len(shapes) == figures.MAX_SHADED_WINDOWS
    assert min(shape["x1"] - shape["x0"] for shape in shapes) == 500 - figures.MAX_SHADED_WINDOWS


def test_names_are_text_not_markup(data: Any, record: RunRecord) -> None:
    series = replace(data.trace(record.id)[0], device="<b>x</b>")
    window = replace(record.windows[0], name="<a href='x'>y</a>")
    figure = figures.trace_figure([series], [window], start_ms=0, unit="s", language="en")
    assert "<" not in figure["data"][0]["name"]
    assert "<" not in figure["layout"]["shapes"][0]["label"]["text"]


@pytest.mark.parametrize(
    ("duration_s", "unit"), [(0, "s"), (299, "s"), (300, "min"), (10_799, "min"), (10_800, "h")]
)
def test_time_unit(duration_s: float, unit: str) -> None:
    assert figures.time_unit(duration_s) == unit


def test_german_figures_use_a_decimal_comma(figure: figures.Figure) -> None:
    assert figure["layout"]["separators"] == ",."


@pytest.mark.parametrize(
    "relayout",
    [{"xaxis.range[0]": 10.0, "xaxis.range[1]": 20.0}, {"xaxis.range": [10.0, 20.0]}],
)
def test_zoom_is_understood(relayout: dict[str, Any]) -> None:
    assert figures.shown_span(relayout, 1_000.0, "s") == pytest.approx((11_000, 21_000))
    assert figures.shown_span(relayout, 0.0, "h") == pytest.approx((10 * 3.6e6, 20 * 3.6e6))
    assert figures.with_margin((10_000, 20_000)) == pytest.approx((9_800, 20_200))


def test_reset_and_unrelated_events_are_told_apart() -> None:
    assert figures.shown_span({"xaxis.autorange": True}, 0, "s") == "all"
    assert figures.shown_span({"autosize": True}, 0, "s") is None
    assert figures.shown_span(None, 0, "s") is None


def test_approaches_differ_in_colour_and_shape(data: Any) -> None:
    drawn = figures_compare.candidates_figure(data.task("churn-2026").candidates, "en")["data"]
    styles = {(trace["marker"]["color"], trace["marker"]["symbol"]) for trace in drawn}
    assert len(styles) == len({colour for colour, _ in styles}) == len({shape for _, shape in styles}) == 2
    assert [trace["name"] for trace in drawn if trace["mode"] == "markers+text"] == ["AI", "classical"]


def test_energy_interval_adds_scatter_and_meter(data: Any) -> None:
    ai, _, _ = data.task("churn-2026").candidates
    one_run = replace(ai, observations=ai.observations[:1])
    alone = figures_compare.energy_interval(one_run)
    assert alone is not None
    assert (alone.low, alone.high) == pytest.approx((4.16 * exp(-0.05), 4.16 * exp(0.05)))
    all_runs = figures_compare.energy_interval(ai)
    assert all_runs is not None
    # Mean 4.1633, s = 0.14503, t(2; 0.975) = 4.30265: half-width 0.36027, relative 0.08653; with 5 %: 0.09994.
    assert all_runs.high == pytest.approx(4.16333 * exp(0.09994), rel=1e-4)


def test_quality_interval_needs_two_runs(data: Any) -> None:
    ai, _, _ = data.task("churn-2026").candidates
    one_run = replace(ai, observations=ai.observations[:1])
    assert figures_compare.quality_interval(one_run) == Interval(0.9312, None, None)
    assert figures_compare.energy_interval(replace(ai, observations=())) is None


def test_axis_of_a_metric_where_lower_is_better_is_turned_round(data: Any) -> None:
    candidates = [replace(one, higher_is_better=False) for one in data.task("churn-2026").candidates]
    assert figures_compare.candidates_figure(candidates, "en")["layout"]["yaxis"]["autorange"] == "reversed"


def test_energy_axis_holds_every_run_and_bar(data: Any) -> None:
    candidates = data.task("churn-2026").candidates
    low, high = figures_compare.candidates_figure(candidates, "en")["layout"]["xaxis"]["range"]
    energies = [run.energy_j for one in candidates for run in one.observations]
    assert low < log10(min(energies))
    assert high > log10(max(energies))
    alone = [one for one in candidates if one.approach is Approach.AI]
    low, high = figures_compare.candidates_figure(alone, "en")["layout"]["xaxis"]["range"]
    assert high - low == pytest.approx(1.0)


def test_vendored_plotly_fits_the_installed_one() -> None:
    def major(text: str) -> str:
        found = re.search(r"plotly\.js[^v]{0,30}v(\d+)\.", text[:300])
        assert found is not None
        return found.group(1)

    bundle = files("greenai_dashboard") / "assets" / "vendor" / "plotly-basic.min.js"
    installed = files("plotly") / "package_data" / "plotly.min.js"
    assert major(bundle.read_text(encoding="utf-8")) == major(installed.read_text(encoding="utf-8"))
