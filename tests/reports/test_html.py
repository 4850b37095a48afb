"""The web page: valid nesting, no script, no request, escaped names, and both languages complete."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from greenai.core.text import LANGUAGES
from greenai_reports import html

if TYPE_CHECKING:
    from greenai.core.text import Language
    from greenai.core.views import ReportView


VIEWS = ("typical_view", "measured_view", "hostile_view", "unknown_view", "empty_view")
VOID = {"meta", "br", "link", "img", "input", "hr", "line", "circle", "rect"}


class Page(HTMLParser):
    """Collects elements and text, and insists that every element is closed in its order."""

    def __init__(self, document: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(document.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID and not str(self.get_starttag_text()).endswith("/>"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("view", VIEWS)
def test_the_page_asks_for_nothing_and_runs_nothing(
    request: pytest.FixtureRequest, view: str, language: Language
) -> None:
    page = Page(html.export(request.getfixturevalue(view), language))
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "use", "image"}
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcset", "style")]
        if "href" in attributes:
            assert tag == "a"
            assert str(attributes["href"]).startswith("https://")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_policy_admits_this_style_sheet_only(typical_view: ReportView) -> None:
    document = html.export(typical_view, "de").decode()
    (style,) = re.findall(r"<style>(.*?)</style>", document, re.DOTALL)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', document)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_names_its_language_and_says_the_verdicts(typical_view: ReportView, language: Language) -> None:
    page = Page(html.export(typical_view, language))
    assert ("html", {"lang": language}) in page.elements
    for task in typical_view.tasks:
        for comparison in task.comparisons:
            assert comparison.sentence.to(language) in page.words


def test_hostile_names_are_shown_as_text(hostile_view: ReportView) -> None:
    document = html.export(hostile_view, "en")
    assert b"<script>alert" not in document
    assert b"<img" not in document
    words = Page(document).words
    assert "<script>alert(1)</script>" in words
    assert "#evil[] $x$" in words
    assert "{{7*7}} {0} {name}" in words
    assert "名前 שלום مرحبا" in words
    assert not re.search("[\x00-\x08\u202a-\u202e\u2066-\u2069]", document.decode())
    assert "x" * 401 not in words


def test_charts_have_a_title_and_a_description(typical_view: ReportView) -> None:
    page = Page(html.export(typical_view, "en"))
    charts = [attributes for tag, attributes in page.elements if tag == "svg"]
    ids = {attributes.get("id") for _, attributes in page.elements}
    assert len(charts) == 2
    for chart in charts:
        assert chart["role"] == "img"
        assert set(str(chart["aria-labelledby"]).split()) <= ids


@pytest.mark.parametrize("view", VIEWS)
def test_the_same_view_gives_the_same_bytes(request: pytest.FixtureRequest, view: str) -> None:
    report: ReportView = request.getfixturevalue(view)
    assert html.export(report, "en") == html.export(report, "en")
