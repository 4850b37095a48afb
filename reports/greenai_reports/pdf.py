"""The report as PDF/A-2a and PDF/UA-1, typeset by Typst. Texts travel as data, never as source code."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from greenai_reports import texts
from greenai_reports.charts import svg
from greenai_reports.glyphs import FONTS, REPLACEMENT, drawable
from greenai_reports.summary import summarise

if TYPE_CHECKING:
    from greenai.core.text import Language
    from greenai.core.views import ReportView

TEMPLATES = Path(__file__).parent / "templates"
STANDARDS: tuple[Literal["a-2a"], Literal["ua-1"]] = ("a-2a", "ua-1")  # archiving; accessibility
_LONG_WORD = re.compile(r"\S{22}(?=\S{4})")
_ZERO_WIDTH_SPACE = "\u200b"
_NARROW_SPACE, _FIXED_SPACE = "\u202f", "\u00a0"
_DATE_PARTS = ("year", "month", "day", "hour", "minute", "second")


def export(view: ReportView, language: Language) -> bytes:
    """Write a view as PDF.

    Args:
        view: What the report shows.
        language: Of the document.
    """
    import typst

    summary = summarise(view, language)
    data: dict[str, Any] = _typesettable(asdict(summary))
    for t, task in enumerate(summary.tasks):
        for g, group in enumerate(task.groups):
            if group.chart is not None:
                drawing = svg(group.chart, f"chart-{t}-{g}", language)
                data["tasks"][t]["groups"][g]["chart"]["svg"] = _drawable_only(drawing)
    replaced = REPLACEMENT in json.dumps(data, ensure_ascii=False)
    data["glyphs_replaced"] = texts.GLYPHS_REPLACED.to(language) if replaced else ""
    generated = datetime.fromtimestamp(view.generated_ms / 1000, tz=UTC)
    data["generated"] = {part: getattr(generated, part) for part in _DATE_PARTS}
    document: bytes = typst.compile(
        TEMPLATES / "summary.typ",
        root=TEMPLATES,
        font_paths=[FONTS],
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"data": json.dumps(data)},
        pdf_standards=list(STANDARDS),
        timestamp=view.generated_ms // 1000,
    )
    return document


def _typesettable(value: Any, key: str = "") -> Any:
    """Prepare every text in nested data; addresses of links stay as they are."""
    if isinstance(value, dict):
        return {name: _typesettable(item, name) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_typesettable(item, key) for item in value]
    if isinstance(value, str) and key != "url":
        # The typeface's narrow space is too narrow to be seen.
        text = value.replace(_NARROW_SPACE, _FIXED_SPACE)
        # A word without end would run out of its cell: let it break.
        return _LONG_WORD.sub(lambda match: match[0] + _ZERO_WIDTH_SPACE, _drawable_only(text))
    return value


def _drawable_only(text: str) -> str:
    known = drawable()
    return "".join(character if character in known else REPLACEMENT for character in text)
