"""Small building blocks of the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from dash import dcc, html
from dash.development.base_component import Component

from greenai.core import labels, quantity
from greenai_dashboard import texts, texts_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.channel import Quality
    from greenai.core.errors import GreenAIError
    from greenai.core.text import Language, Text

Children = Any  # what Dash accepts as children: a component, a string, or a list of them


def aria(**attributes: str) -> dict[str, Any]:
    """Return ARIA attributes, ``label`` for ``aria-label``, as components take them."""
    return {f"aria-{name}": value for name, value in attributes.items()}


def badge(text: str, kind: str, help_text: str | None = None) -> html.Span:
    """Return a label; ``kind`` chooses colour and sign, the words carry the meaning."""
    return html.Span(text, className=f"badge badge-{kind}", title=help_text)


def quality_badge(quality: Quality | None, language: Language) -> Children:
    """Return how an energy came about, or nothing if there is none."""
    if quality is None:
        return None
    key = quality.value
    return badge(labels.QUALITY[key].to(language), key, texts.QUALITY_HELP[key].to(language))


def section(title: str, *children: Children) -> html.Section:
    """Return a headed section."""
    return html.Section([html.H2(title), *children], className="section")


def tile(label: str, value: Children, *details: Children) -> html.Div:
    """Return one key figure: label, value, and what must be known to read it."""
    return html.Div(
        [
            html.Div(label, className="tile-label"),
            html.Div(value, className="tile-value"),
            *(html.Div(detail, className="tile-detail") for detail in details if detail is not None),
        ],
        className="tile",
    )


def facts(pairs: Sequence[tuple[str, Children]]) -> html.Dl:
    """Return a list of names and values."""
    return html.Dl(
        [html.Div([html.Dt(name), html.Dd(value)], className="fact") for name, value in pairs], className="facts"
    )


def table(
    label: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[Children]],
    *,
    numeric: frozenset[int] = frozenset(),
) -> html.Div:
    """Return a table that scrolls sideways on small screens.

    Args:
        label: For screen readers.
        headers: Column headings.
        rows: Cells.
        numeric: Indices of right-aligned columns.
    """

    def style(index: int) -> str:
        return "numeric" if index in numeric else ""

    head = [html.Th(text, scope="col", className=style(index)) for index, text in enumerate(headers)]
    body = [html.Tr([html.Td(cell, className=style(index)) for index, cell in enumerate(cells)]) for cells in rows]
    return html.Div(
        html.Table([html.Thead(html.Tr(head)), html.Tbody(body)]),
        className="table-scroll",
        role="region",
        tabIndex=0,
        **aria(label=label),
    )


def more_rows(count: int, shown: int, language: Language) -> html.P | None:
    """Say how much of a table is left out; nothing if all of it is there."""
    if count <= shown:
        return None
    words = texts_run.MORE_ROWS.format(shown=shown, all=quantity.integer(count, language))
    return html.P(words.to(language), className="muted")


def with_code(text: str) -> list[Children]:
    """Return a sentence whose parts between backticks are set as code."""
    return [html.Code(part) if index % 2 else part for index, part in enumerate(text.split("`"))]


def tree(node: Children) -> Any:
    """Return components as plain data, for ``showLive`` and ``showNow`` in assets/greenai.js."""
    if isinstance(node, (list, tuple)):
        return [tree(one) for one in node]
    if not isinstance(node, Component):
        return node
    described = cast("Any", node).to_plotly_json()
    return {"type": described["type"], "props": {**described["props"], "children": tree(node.children)}}


def commands(text: str) -> html.Pre:
    """Return lines to type."""
    return html.Pre(html.Code(text), className="commands", tabIndex=0)


def notice(title: str, *children: Children) -> html.Div:
    """Return a page that says what is missing or wrong, and what to do."""
    return html.Div([html.H1(title), *children], className="notice")


def failure(title: Text, error: GreenAIError, language: Language) -> html.Div:
    """Return an error as a page."""
    lines = [html.P(error.message.to(language))]
    if error.remedy is not None:
        lines.append(html.P(error.remedy.to(language)))
    link = html.P(dcc.Link(texts.BACK_TO_RUNS.to(language), href="/"))
    return notice(title.to(language), *lines, link)
