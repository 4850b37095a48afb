"""The PDF: standards, one page, the same words as the view, and no way in for what users wrote."""

from __future__ import annotations

import io
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pypdf
import pytest

from greenai.core.text import LANGUAGES
from greenai_reports import pdf

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.record import RunRecord
    from greenai.core.run_energy import ChannelEnergy
    from greenai.core.text import Language
    from greenai.core.views import ReportView


VIEWS = ("typical_view", "measured_view", "hostile_view", "unknown_view", "empty_view")


def read(document: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(document))


def catalogue(document: bytes) -> Any:
    return read(document).trailer["/Root"]


def words(document: bytes) -> str:
    """The text of a PDF with soft hyphens, line breaks and the spaces that let words break undone."""
    text = "\n".join(page.extract_text() for page in read(document).pages)
    return re.sub(r"\s+", " ", re.sub("\u00ad\n?|\u200b", "", text).replace("-\n", "-"))


@pytest.fixture(scope="module")
def typical_pdf(typical_view: ReportView) -> dict[Language, bytes]:
    return {language: pdf.export(typical_view, language) for language in LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_typical_case_fits_on_one_page(typical_pdf: dict[Language, bytes], language: Language) -> None:
    assert len(read(typical_pdf[language]).pages) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_says_the_verdicts(
    typical_pdf: dict[Language, bytes], typical_view: ReportView, language: Language
) -> None:
    text = words(typical_pdf[language])
    sentences = [c.sentence.to(language) for task in typical_view.tasks for c in task.comparisons]
    assert len(sentences) == 3
    for sentence in sentences:
        assert sentence in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_tagged_archivable_and_accessible(typical_pdf: dict[Language, bytes], language: Language) -> None:
    root = catalogue(typical_pdf[language])
    assert root["/Lang"] == language
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    xmp = root["/Metadata"].get_data().decode()
    assert re.search(r"<pdfaid:part>2</pdfaid:part>", xmp)
    assert re.search(r"<pdfaid:conformance>A</pdfaid:conformance>", xmp)
    assert re.search(r"<pdfuaid:part>1</pdfuaid:part>", xmp)


def tags(element: Any) -> list[tuple[Any, Any]]:
    """All structure types and alternative texts below an element of the structure tree."""
    found = [(element.get("/S"), element.get("/Alt"))] if "/S" in element else []
    children = element.get("/K", [])
    for child in children if isinstance(children, list) else [children]:
        below = child.get_object()
        if isinstance(below, dict) and "/K" in below:
            found += tags(below)
    return found


def test_tables_have_headers_and_charts_alternative_texts(typical_pdf: dict[Language, bytes]) -> None:
    found = tags(catalogue(typical_pdf["en"])["/StructTreeRoot"])
    kinds = [kind for kind, _ in found]
    assert kinds.count("/Table") == 4
    assert "/THead" in kinds
    assert "/TH" in kinds
    figures = [alt for kind, alt in found if kind == "/Figure"]
    assert len(figures) == 2
    assert all("logistic-regression" in alt or "tfidf-svm" in alt for alt in figures)


def test_headings_do_not_skip_a_level(typical_pdf: dict[Language, bytes]) -> None:
    kinds = [k for k, _ in tags(catalogue(typical_pdf["de"])["/StructTreeRoot"])]
    levels = [int(kind[2:]) for kind in kinds if re.fullmatch(r"/H\d", str(kind))]
    assert levels[0] == 1
    assert max(levels) == 3
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


@pytest.mark.parametrize("view", VIEWS)
def test_the_same_view_gives_the_same_bytes(request: pytest.FixtureRequest, view: str) -> None:
    report: ReportView = request.getfixturevalue(view)
    assert pdf.export(report, "de") == pdf.export(report, "de")


def test_the_date_is_the_views_own(typical_pdf: dict[Language, bytes]) -> None:
    metadata = read(typical_pdf["de"]).metadata
    assert metadata is not None
    assert str(metadata["/CreationDate"]).startswith("D:20261121222640")


def test_only_vendored_fonts_are_embedded(typical_pdf: dict[Language, bytes]) -> None:
    resources: Any = read(typical_pdf["de"]).pages[0]["/Resources"]
    fonts = {font.get_object()["/BaseFont"] for font in resources["/Font"].values()}
    assert fonts
    assert all("IBMPlexSans" in font for font in fonts), fonts


@pytest.mark.parametrize("language", LANGUAGES)
def test_typst_source_in_a_name_stays_a_name(hostile_view: ReportView, language: Language) -> None:
    text = words(pdf.export(hostile_view, language))
    assert "#evil[] $x$ `raw` *b* _i_ @ref" in text
    assert "<script>alert(1)</script>" in text
    assert "root:" not in text


def test_characters_without_a_glyph_are_replaced_and_explained(
    make_view: Callable[..., ReportView],
    make_record: Callable[..., RunRecord],
    make_channel: Callable[..., ChannelEnergy],
) -> None:
    channels = (make_channel(1.0, "measured", "cpu"),)
    text = words(pdf.export(make_view([make_record(0, "Lauf 😀 名前", channels)]), "de"))
    assert "Lauf � ��" in text
    assert "steht für Zeichen" in text
    plain = words(pdf.export(make_view([make_record(0, "Lauf ÄÖÜß €", channels)]), "de"))
    assert "Lauf ÄÖÜß €" in plain
    assert "�" not in plain


def test_more_than_a_page_flows_on(
    make_view: Callable[..., ReportView],
    make_record: Callable[..., RunRecord],
    make_channel: Callable[..., ChannelEnergy],
) -> None:
    rows: list[RunRecord] = []
    for task in range(12):
        for approach in ("ai", "classical"):
            for _ in range(3):
                channels = (make_channel(10.0 + task, "measured", "cpu"),)
                metric = ("accuracy", 0.5)
                name = f"solution-{task}-{approach}"
                rows.append(
                    make_record(len(rows), name, channels, task=f"task-{task}", approach=approach, metric=metric)
                )
    document = pdf.export(make_view(rows), "en")
    assert len(read(document).pages) > 1
    text = words(document)
    assert all(f'Task "task-{task}"' in text for task in range(12))
    assert "Sources of the factors" in text
