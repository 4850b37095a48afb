"""Charts as accessible SVG: energy per unit of each candidate, with its interval.

Shape, line style and words carry what colour carries, so the chart reads without colour. Classes let a
web page restyle it for dark mode; the attributes alone already make a complete picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from greenai_reports import texts
from greenai_reports.wording import EnergyScale, exact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.text import Language
    from greenai_reports.model import Chart, Point

WIDTH = 380.0
MARGIN_X = 20.0
ROW = 34.0
TOP = 4.0
AXIS = 38.0
MARKER = 5.0
LOG_SPAN = 20.0  # a greater span than this hides the small values on a linear axis
MOST_TICKS = 6
LABEL_LENGTH = 34
_FONT = "IBM Plex Sans, sans-serif"
_AI, _CLASSICAL, _TEXT, _MUTED, _GRID, _PAPER = "#0072b2", "#b34700", "#1c2530", "#5a6572", "#d9dee3", "#ffffff"


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps joules to a position between 0 and 1, and knows where its ticks are."""

    low_j: float
    high_j: float
    log: bool
    ticks_j: tuple[float, ...]

    def position(self, energy_j: float) -> float:
        """Return the position of a value; what lies outside is put on the edge."""
        if self.log:
            low, high = log10(self.low_j), log10(self.high_j)
            share = (log10(energy_j) - low) / (high - low) if energy_j > 0 else 0.0
        else:
            share = energy_j / self.high_j
        return min(max(share, 0.0), 1.0)


def axis_for(points: Sequence[Point], unit_j: float) -> Axis:
    """Choose an axis: linear from 0, or logarithmic where the values span much.

    Args:
        points: What will be drawn, at least one; energies are greater than 0.
        unit_j: Joules in the unit that the ticks are written in.
    """
    top = max(point.high_j for point in points) / unit_j
    smallest = min(point.energy_j for point in points) / unit_j
    if top / smallest <= LOG_SPAN:
        ticks = _linear_ticks(top)
        return Axis(0.0, ticks[-1] * unit_j, log=False, ticks_j=tuple(tick * unit_j for tick in ticks))
    # A bound near 0 would stretch a logarithmic axis without end; the line then runs to the edge.
    bottom = max(min(point.low_j for point in points) / unit_j, smallest / 10)
    first, last = floor(log10(bottom)), ceil(log10(top))
    step = ceil((last - first) / MOST_TICKS)
    ticks = [10.0**exponent for exponent in range(first, last + 1, step)]
    return Axis(10.0**first * unit_j, 10.0**last * unit_j, log=True, ticks_j=tuple(t * unit_j for t in ticks))


def _linear_ticks(top: float) -> list[float]:
    raw = top / 4
    magnitude = 10.0 ** floor(log10(raw))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw)
    return [step * index for index in range(ceil(top / step - 1e-9) + 1)]


def svg(chart: Chart, key: str, language: Language) -> str:
    """Draw a chart.

    Args:
        chart: What to draw.
        key: Unique in the document; the parts' ids start with it.
        language: Of the numbers on the axis.
    """
    scale = EnergyScale.of([point.high_j for point in chart.points], widest=float("inf"))
    axis = axis_for(chart.points, scale.unit_j)
    height = TOP + ROW * len(chart.points) + AXIS
    bottom = height - AXIS
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(WIDTH)} {_n(height)}" width="{_n(WIDTH)}" '
            f'height="{_n(height)}" role="img" aria-labelledby="{key}-title {key}-desc" class="chart" '
            f'font-family="{_FONT}">'
        ),
        f'<title id="{key}-title">{escape(chart.title)}</title>',
        f'<desc id="{key}-desc">{escape(chart.description)}</desc>',
    ]
    for tick_j in axis.ticks_j:
        x = _x(axis, tick_j)
        label = exact(tick_j / scale.unit_j, language)
        parts += [
            (
                f'<line class="grid" x1="{_n(x)}" y1="{_n(TOP)}" x2="{_n(x)}" y2="{_n(bottom)}" '
                f'stroke="{_GRID}" stroke-width="1"/>'
            ),
            _text(x, bottom + 14, label, "muted", _MUTED, 11, "middle"),
        ]
    title = scale.header(chart.axis, language)
    if axis.log:
        title = texts.LOG_AXIS.format(axis=title).to(language)
    parts.append(_text(WIDTH / 2, bottom + 31, title, "muted", _MUTED, 11, "middle"))
    for index, point in enumerate(chart.points):
        parts += _point(point, axis, TOP + ROW * index)
    parts.append("</svg>")
    return "".join(parts)


def _point(point: Point, axis: Axis, y: float) -> list[str]:
    group, colour = ("ai", _AI) if point.ai else ("classical", _CLASSICAL)
    low, middle, high = (_x(axis, value) for value in (point.low_j, point.energy_j, point.high_j))
    line = y + 24
    label = point.label if len(point.label) <= LABEL_LENGTH else f"{point.label[: LABEL_LENGTH - 1]}…"
    dash = ' stroke-dasharray="3 2.5"' if point.estimated else ""
    stroke = f'class="{group} stroke" stroke="{colour}" stroke-width="1.8"'
    fill = ("hollow", _PAPER) if point.estimated else ("solid", colour)
    mark = f'class="{group} stroke {fill[0]}" stroke="{colour}" stroke-width="1.8" fill="{fill[1]}"'
    whisker = [f'<line {stroke}{dash} x1="{_n(low)}" y1="{_n(line)}" x2="{_n(high)}" y2="{_n(line)}"/>']
    # No end cap where the line leaves the axis: the bound lies further out.
    whisker += [
        f'<line {stroke} x1="{_n(x)}" y1="{_n(line - 3.5)}" x2="{_n(x)}" y2="{_n(line + 3.5)}"/>'
        for x, value in ((low, point.low_j), (high, point.high_j))
        if axis.low_j <= value <= axis.high_j
    ]
    side = 1.8 * MARKER
    marker = (
        f'<circle {mark} cx="{_n(middle)}" cy="{_n(line)}" r="{_n(MARKER)}"/>'
        if point.ai
        else f'<rect {mark} x="{_n(middle - side / 2)}" y="{_n(line - side / 2)}" width="{_n(side)}" '
        f'height="{_n(side)}"/>'
    )
    words = (
        f'<text x="{_n(MARGIN_X)}" y="{_n(y + 13)}" font-size="12" class="label" fill="{_TEXT}" '
        f'stroke="{_PAPER}" stroke-width="3" paint-order="stroke">{escape(label)}'
        f'<tspan class="muted" fill="{_MUTED}" dx="6" font-size="11">{escape(point.kind)}</tspan></text>'
    )
    return [words, *whisker, marker]


def _text(x: float, y: float, words: str, css: str, colour: str, size: int, anchor: str) -> str:
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" font-size="{size}" text-anchor="{anchor}" class="{css}" '
        f'fill="{colour}">{escape(words)}</text>'
    )


def _x(axis: Axis, energy_j: float) -> float:
    return MARGIN_X + axis.position(energy_j) * (WIDTH - 2 * MARGIN_X)


def _n(value: float) -> str:
    """Write a coordinate shortly, and the same on every machine."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
