"""Is AI needed here? The verdict on one task, and what it rests on."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html, no_update

from greenai.core import labels, quantity
from greenai.core.comparison import VerdictKey
from greenai.core.vocabulary import Approach
from greenai_dashboard import figures, formats, texts, texts_compare
from greenai_dashboard.figures_compare import (
    candidates_figure,
    drawable,
    energy_interval,
    quality_interval,
    unit_words,
)
from greenai_dashboard.parts import badge, commands, notice, quality_badge, section, table, tile, with_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.comparison import Candidate, Comparison
    from greenai.core.statistics import Interval
    from greenai.core.text import Language
    from greenai.core.views import TaskView
    from greenai_dashboard.data import DashboardData


def layout(data: DashboardData, task_name: str | None, language: Language) -> html.Div:
    """Return the page; without a task, the first one is shown.

    Raises:
        NotFoundError: There is no such task.
    """
    names = data.task_names()
    if not names and task_name is None:
        return notice(
            texts_compare.TITLE.to(language),
            html.H2(texts_compare.NO_TASKS_TITLE.to(language)),
            html.P(texts_compare.NO_TASKS_HELP.to(language)),
            commands(texts_compare.NO_TASKS_EXAMPLE),
        )
    view = data.task(names[0] if task_name is None else task_name)
    return html.Div(
        [
            html.H1(texts_compare.TITLE.to(language)),
            html.P(texts_compare.INTRODUCTION.to(language), className="muted"),
            dmc.Select(
                id="compare-task",
                label=texts_compare.TASK.to(language),
                data=names,
                value=view.task,
                searchable=True,
                allowDeselect=False,
                nothingFoundMessage=texts.NOTHING_FOUND.to(language),
                className="task-select",
            ),
            *_missing(view, language),
            *(_comparison(comparison, language) for comparison in view.comparisons),
            _baseline(view, language),
            *_charts(view, language),
            _candidates(view, language),
        ],
        className="page",
    )


def register(app: Dash) -> None:
    """Connect the task selector to the address."""

    @app.callback(
        Output("url", "pathname"),
        Input("compare-task", "value"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def go_to_task(task: str | None, pathname: str) -> Any:
        target = task_path(task) if task else pathname
        return no_update if target == pathname else target


def task_path(task: str) -> str:
    """Return the address of a task's comparison."""
    return f"/compare/{quote(task, safe='')}"


def _missing(view: TaskView, language: Language) -> list[Any]:
    """Say which kind of solution is missing, and how to get one."""
    task = shlex.quote(view.task)
    present = {candidate.approach for candidate in view.candidates}
    blocks: list[Any] = []
    if Approach.CLASSICAL not in present:
        lines = (
            f"greenai run --task {task} --approach classical -- python baseline.py\n"
            f"greenai baselines run data.csv --target COLUMN --task {task}"
        )
        blocks.append(_call_to_act(texts_compare.MISSING_CLASSICAL.to(language), lines))
    if Approach.AI not in present:
        lines = f"greenai run --task {task} --approach ai -- python train.py"
        blocks.append(_call_to_act(texts_compare.MISSING_AI.to(language), lines))
    if not blocks and not view.comparisons:
        blocks.append(
            html.Div(html.P(texts_compare.NOTHING_COMPARED.to(language)), className="verdict verdict-open")
        )
    return blocks


def _call_to_act(sentence: str, lines: str) -> html.Div:
    return html.Div([html.P(sentence), commands(lines)], className="verdict verdict-open")


def _comparison(comparison: Comparison, language: Language) -> html.Section:
    pair = texts_compare.PAIR.format(
        ai=comparison.ai.name,
        classical=comparison.classical.name,
        phase=labels.word(labels.PHASE, comparison.ai.phase),
    ).to(language)
    undecided = comparison.verdict in {VerdictKey.NOT_COMPARABLE, VerdictKey.OPEN}
    children: list[Any] = [
        html.H2(pair, className="pair"),
        html.P(comparison.sentence.to(language), className="verdict-sentence"),
    ]
    tiles = _tiles(comparison, language)
    if tiles:
        children.append(html.Div(tiles, className="tiles"))
    if comparison.notes:
        children.append(html.H3(texts_compare.NOTES.to(language)))
        children.append(html.Ul([html.Li(note.to(language)) for note in comparison.notes]))
    return html.Section(children, className="verdict verdict-open" if undecided else "verdict")


def _tiles(comparison: Comparison, language: Language) -> list[Any]:
    metric = comparison.ai.metric or quantity.NO_VALUE
    tiles: list[Any] = []
    if comparison.ratio is not None:
        tiles.append(
            tile(
                texts_compare.RATIO.to(language),
                texts_compare.RATIO_VALUE.format(ratio=quantity.number(comparison.ratio.value, language)).to(
                    language
                ),
                _bounds(comparison.ratio, quantity.number, language),
                texts_compare.RATIO_HELP.to(language),
            )
        )
    if comparison.gain is not None:
        tiles.append(
            tile(
                texts_compare.GAIN.to(language),
                formats.signed(comparison.gain.value, language),
                _bounds(comparison.gain, formats.signed, language),
                texts_compare.GAIN_HELP.format(metric=metric).to(language),
            )
        )
    if comparison.marginal_kwh_per_point is not None:
        value = comparison.marginal_kwh_per_point
        tiles.append(
            tile(
                texts_compare.MARGINAL.to(language),
                _kwh(value.value, language),
                _bounds(value, _kwh, language),
            )
        )
    if comparison.margins is not None:
        margins = comparison.margins
        tiles.append(
            tile(
                texts_compare.MARGINS.to(language),
                html.Span(
                    texts_compare.MARGINS_VALUE.format(
                        equal=quantity.number(margins.equal, language, 2),
                        gain=quantity.number(margins.gain, language, 2),
                        metric=metric,
                    ).to(language),
                    className="tile-text",
                ),
                with_code(
                    (texts_compare.MARGINS_CHOSEN if margins.chosen else texts_compare.MARGINS_DEFAULT).to(
                        language
                    )
                ),
            )
        )
    return tiles


def _kwh(value: float | None, language: Language) -> str:
    return quantity.NO_VALUE if value is None else f"{quantity.number(value, language)} kWh"


def _bounds(interval: Interval, write: Any, language: Language) -> str:
    if interval.low is None or interval.high is None:
        return texts_compare.NO_INTERVAL.to(language)
    words = formats.between(interval.low, interval.high, write, language)
    return texts_compare.INTERVAL.format(interval=words).to(language)


def _baseline(view: TaskView, language: Language) -> html.P | None:
    if view.baseline is None:
        return None
    text = texts_compare.BASELINE_CHOSEN if view.baseline_chosen else texts_compare.BASELINE_FOUND
    return html.P(with_code(text.format(name=view.baseline).to(language)), className="muted")


def _charts(view: TaskView, language: Language) -> list[Any]:
    """Return one chart for each phase, unit and metric: only those can be put on one axis."""
    groups: dict[tuple[str, str, str], list[Candidate]] = {}
    for candidate in view.candidates:
        if drawable(candidate):
            key = (candidate.phase or "", candidate.unit or "", candidate.metric or "")
            groups.setdefault(key, []).append(candidate)
    left_out = [candidate.name for candidate in view.candidates if not drawable(candidate)]
    if not groups:
        return []
    blocks: list[Any] = []
    for _, candidates in sorted(groups.items()):
        blocks += _chart(candidates, language)
    blocks.append(html.P(texts_compare.CHART_HELP.to(language), className="muted small"))
    if left_out:
        names = ", ".join(left_out)
        blocks.append(
            html.P(texts_compare.CHART_LEFT_OUT.format(names=names).to(language), className="muted small")
        )
    return [section(texts_compare.CHART.to(language), *blocks)]


def _chart(candidates: Sequence[Candidate], language: Language) -> list[Any]:
    first = candidates[0]
    phase = labels.word(labels.PHASE, first.phase)
    title = texts_compare.CHART_PHASE.format(phase=phase, unit=unit_words(first)).to(language)
    blocks: list[Any] = [
        html.H3(title),
        dcc.Graph(
            figure=candidates_figure(candidates, language), config=figures.plot_config(language), className="chart"
        ),
    ]
    if not first.higher_is_better:
        blocks.append(html.P(texts_compare.CHART_HELP_LOWER.to(language), className="muted small"))
    return blocks


def _candidates(view: TaskView, language: Language) -> html.Section:
    heading = texts_compare.CANDIDATES.to(language)
    headers = [
        text.to(language)
        for text in (
            texts_compare.SOLUTION, texts.APPROACH, texts.PHASE, texts_compare.RUNS, texts_compare.EXCLUDED,
            texts_compare.ENERGY, texts.QUALITY, texts_compare.RESULT, texts_compare.METHODS,
            texts_compare.HARDWARE,
        )
    ]  # fmt: skip
    rows = [_candidate(candidate, language) for candidate in view.candidates]
    return section(heading, table(heading, headers, rows, numeric=frozenset({3, 4})))


def _candidate(candidate: Candidate, language: Language) -> list[Any]:
    energy, result = energy_interval(candidate), quality_interval(candidate)
    return [
        html.Strong(candidate.name),
        badge(labels.APPROACH[candidate.approach.value].to(language), candidate.approach.value),
        labels.word(labels.PHASE, candidate.phase).to(language),
        quantity.integer(len(candidate.observations), language),
        quantity.integer(candidate.excluded, language),
        [
            f"{quantity.energy(energy.value if energy else None, language)} {unit_words(candidate).to(language)}",
            html.Div(
                quantity.energy_range(energy.low, energy.high, language, like=energy.value)
                if energy
                else quantity.NO_VALUE,
                className="cell-detail",
            ),
        ],
        quality_badge(candidate.quality, language),
        [
            f"{candidate.metric or ''} {quantity.number(result.value if result else None, language)}".strip(),
            html.Div(formats.bounds(result, quantity.number, language), className="cell-detail"),
        ],
        [html.Div(html.Code(method)) for method in sorted(candidate.methods)],
        [html.Div(machine) for machine in sorted(candidate.hardware)],
    ]
