"""The report as one self-contained web page: no script, no request, readable on a phone and on paper."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from greenai_reports.charts import svg
from greenai_reports.summary import summarise

if TYPE_CHECKING:
    from greenai.core.text import Language
    from greenai.core.views import ReportView
    from greenai_reports.model import Chart

TEMPLATES = Path(__file__).parent / "templates"


def export(view: ReportView, language: Language) -> bytes:
    """Write a view as an HTML page.

    Args:
        view: What the report shows.
        language: Of the page.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = (TEMPLATES / "summary.css").read_text(encoding="utf-8")

    def draw(chart: Chart, key: str) -> Markup:
        return Markup(svg(chart, key, language))  # noqa: S704  # charts.svg escapes every text

    page = environment.get_template("summary.html").render(
        summary=summarise(view, language),
        style=Markup(style),  # noqa: S704  # our own file
        # The policy admits exactly this style sheet and nothing else.
        style_hash=b64encode(sha256(style.encode()).digest()).decode(),
        draw=draw,
    )
    return page.encode()
