"""Quality against energy of a task's candidates, as a plain plotly figure."""

from __future__ import annotations

from html import escape
from math import exp, log10, sqrt
from statistics import stdev
from typing import TYPE_CHECKING

from greenai.core import labels
from greenai.core.statistics import Interval, t_quantile
from greenai.core.vocabulary import Approach
from greenai_dashboard import texts_compare
from greenai_dashboard.figures import PALETTE, Figure, axis, base_layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.comparison import Candidate
    from greenai.core.text import Language, Text

_FEW_DECADES = 2.2  # below this, marks at 2 and 5 between the powers of ten
_STYLE = {
    Approach.AI: {"color": PALETTE[0], "symbol": "circle"},
    Approach.CLASSICAL: {"color": PALETTE[5], "symbol": "diamond"},
}


def unit_words(candidate: Candidate) -> Text:
    """Return what the energy of a candidate is per."""
    if candidate.unit is None:
        return texts_compare.PER_RUN
    return texts_compare.PER_UNIT.format(unit=candidate.unit)


def energy_interval(candidate: Candidate) -> Interval | None:
    """Return the mean energy per unit with a ~95 % interval, joules.

    Scatter of the runs (Student's t on the mean) and the meter's relative uncertainty are added in quadrature and
    applied as a factor, so that the lower bound stays positive. One run alone has the meter's uncertainty only.
    """
    mean = candidate.mean_energy_j
    if mean is None:
        return None
    if mean <= 0:
        return Interval(mean, None, None)
    scatter_rel = _half_width([one.energy_j for one in candidate.observations]) / mean
    spread = sqrt(scatter_rel**2 + candidate.uncertainty_rel**2)
    return Interval(mean, mean * exp(-spread), mean * exp(spread))


def quality_interval(candidate: Candidate) -> Interval | None:
    """Return the mean of the quality metric with a 95 % interval from the scatter of the runs."""
    mean = candidate.mean_quality
    if mean is None:
        return None
    values = [one.quality for one in candidate.observations if one.quality is not None]
    if len(values) < 2:  # noqa: PLR2004
        return Interval(mean, None, None)
    half = _half_width(values)
    return Interval(mean, mean - half, mean + half)


def drawable(candidate: Candidate) -> bool:
    """Tell whether a candidate has a place in the chart."""
    mean = candidate.mean_energy_j
    return mean is not None and mean > 0 and candidate.mean_quality is not None


def candidates_figure(candidates: Sequence[Candidate], language: Language) -> Figure:
    """Draw one mark per candidate and a small one per run; colour and shape both tell AI from classical.

    Args:
        candidates: Drawable ones with the same metric, unit and phase; at least one.
        language: Of the labels.
    """
    data: list[Figure] = []
    low, high = _energy_range(candidates)
    for approach in (Approach.AI, Approach.CLASSICAL):
        group = [candidate for candidate in candidates if candidate.approach is approach]
        if group:
            data += [_runs(group, approach), _means(group, approach, language, middle=(low + high) / 2)]
    first = candidates[0]
    layout = base_layout(language)
    layout |= {
        "hovermode": "closest",
        "xaxis": axis(texts_compare.ENERGY_AXIS.format(unit=unit_words(first)).to(language))
        | {
            "type": "log",
            "range": [low, high],
            "dtick": "D2" if high - low < _FEW_DECADES else 1,
            "exponentformat": "none",
            "tickformat": ",~r",
            "minor": {"showgrid": False},
        },
        "yaxis": axis(first.metric or "") | {"autorange": True if first.higher_is_better else "reversed"},
    }
    return {"data": data, "layout": layout}


def _half_width(values: Sequence[float]) -> float:
    if len(values) < 2:  # noqa: PLR2004
        return 0.0
    return t_quantile(0.975, len(values) - 1) * stdev(values) / sqrt(len(values))


def _runs(group: Sequence[Candidate], approach: Approach) -> Figure:
    seen = [
        (one.energy_j, one.quality, candidate.name)
        for candidate in group
        for one in candidate.observations
        if one.quality is not None
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [energy_j for energy_j, _, _ in seen],
        "y": [quality for _, quality, _ in seen],
        "text": [escape(name, quote=False) for _, _, name in seen],
        "marker": _STYLE[approach] | {"size": 6, "opacity": 0.35},
        "hovertemplate": "%{text}<br>%{x:,.3~r} J, %{y:,.4~r}<extra></extra>",
        "showlegend": False,
    }


def _means(group: Sequence[Candidate], approach: Approach, language: Language, *, middle: float) -> Figure:
    energies = [energy_interval(candidate) for candidate in group]
    qualities = [quality_interval(candidate) for candidate in group]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": labels.APPROACH[approach.value].to(language),
        "x": [one.value for one in energies if one is not None],
        "y": [one.value for one in qualities if one is not None],
        "text": [escape(candidate.name, quote=False) for candidate in group],
        # Beside the bars, and away from the edge.
        "textposition": ["top left" if log10(one.value) > middle else "top right" for one in energies if one],
        "cliponaxis": False,
        "marker": _STYLE[approach] | {"size": 14, "line": {"width": 1.5, "color": "rgba(255,255,255,0.8)"}},
        "error_x": _bars(energies, _STYLE[approach]["color"]),
        "error_y": _bars(qualities, _STYLE[approach]["color"]),
        "hovertemplate": "<b>%{text}</b><br>%{x:,.3~r} J, %{y:,.4~r}<extra></extra>",
    }


def _energy_range(candidates: Sequence[Candidate]) -> tuple[float, float]:
    """Return the exponents between which everything drawn lies, at least one decade apart."""
    energies_j = [one.energy_j for candidate in candidates for one in candidate.observations if one.energy_j > 0]
    for candidate in candidates:
        interval = energy_interval(candidate)
        if interval is not None:
            energies_j += [value for value in (interval.low, interval.high) if value is not None]
    low, high = log10(min(energies_j)) - 0.2, log10(max(energies_j)) + 0.2
    missing = max(1.0 - (high - low), 0.0)
    return low - missing / 2, high + missing / 2


def _bars(intervals: Sequence[Interval | None], colour: str) -> Figure:
    known = [one for one in intervals if one is not None]
    return {
        "type": "data",
        "symmetric": False,
        "array": [0 if one.high is None else one.high - one.value for one in known],
        "arrayminus": [0 if one.low is None else one.value - one.low for one in known],
        "color": colour,
        "thickness": 1.4,
        "width": 5,
    }
