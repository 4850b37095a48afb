"""Charts: sensible axes, marks where the values are, and well-formed accessible SVG."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from greenai_reports.charts import axis_for, svg
from greenai_reports.glyphs import FONTS, characters, drawable
from greenai_reports.model import Chart, Point
from greenai_reports.wording import EnergyScale, clean, deviation, exact, rough_duration, share

SVG = "{http://www.w3.org/2000/svg}"


def point(
    energy_j: float,
    low_j: float | None = None,
    high_j: float | None = None,
    *,
    ai: bool = True,
    estimated: bool = False,
    label: str = "x",
) -> Point:
    low_j, high_j = low_j or energy_j * 0.9, high_j or energy_j * 1.1
    return Point(label, "AI, measured", energy_j, low_j, high_j, ai, estimated)


def test_a_small_span_gets_a_linear_axis_from_nought() -> None:
    axis = axis_for([point(100.0), point(180.0)], 1.0)
    assert not axis.log
    assert list(axis.ticks_j) == [0, 50, 100, 150, 200]
    assert axis.position(100.0) == pytest.approx(0.5)


def test_a_large_span_gets_decades() -> None:
    axis = axis_for([point(3.0), point(4.0e5)], 1.0)
    assert axis.log
    assert axis.ticks_j == pytest.approx((1, 10, 100, 1e3, 1e4, 1e5, 1e6))
    assert axis.position(1000.0) == pytest.approx(0.5)


def test_a_bound_at_nought_runs_to_the_edge_of_a_logarithmic_axis() -> None:
    axis = axis_for([Point("a", "k", 10.0, 0.0, 30.0, ai=True, estimated=True), point(5000.0)], 1.0)
    assert axis.position(0.0) == 0.0
    assert axis.low_j >= 1.0


@pytest.mark.parametrize("energy_j", [1e-9, 1e-3, 1.0, 7.77e6, 1e15])
def test_any_magnitude_stays_inside(energy_j: float) -> None:
    axis = axis_for([point(energy_j)], 1.0)
    assert 0 < axis.position(energy_j) < 1
    assert 2 <= len(axis.ticks_j) <= 8


def test_the_drawing_is_well_formed_named_and_marked_by_shape() -> None:
    points = (point(1.0, label="<b>&"), point(2.0, ai=False, estimated=True))
    root = ET.fromstring(svg(Chart('T "<', "D & d", "Energy", points), "c", "en"))
    assert root.findtext(f"{SVG}title") == 'T "<'
    assert root.findtext(f"{SVG}desc") == "D & d"
    circles, squares = root.findall(f"{SVG}circle"), root.findall(f"{SVG}rect")
    assert (len(circles), len(squares)) == (1, 1)
    assert circles[0].get("class") == "ai stroke solid"
    assert squares[0].get("class") == "classical stroke hollow"
    assert "<b>&" in [text.text for text in root.findall(f"{SVG}text")]


def test_the_font_map_agrees_with_what_the_font_is_known_to_hold() -> None:
    for path in FONTS.glob("*.ttf"):
        known = characters(path.read_bytes())
        assert len(known) > 800
        assert set("azAZ09äöüßÄÖÜé€µ₂×−–„“”…�\u00a0\u200b") <= known
        assert not set("名ש😀م") & known
    assert len(list(FONTS.glob("*.ttf"))) == 2
    assert len(drawable()) > 800


@pytest.mark.parametrize(
    ("value", "words"), [(None, "–"), (0.0, "0%"), (0.001, "<1%"), (0.5, "50%"), (0.9999, ">99%"), (1.0, "100%")]
)
def test_shares_never_round_to_all_or_nothing(value: float | None, words: str) -> None:
    assert share(value, "en") == words


def test_words_for_numbers() -> None:
    assert deviation(0.05, 0.05, "de") == "±5\u202f%"
    assert deviation(0.5, 1.0, "en") == "−50 / +100%"
    assert exact(0.1 + 0.2, "de") == "0,3"
    assert exact(1250.0, "en") == "1,250"
    assert rough_duration(3600.0, "de") == "1,0\u202fStunde"
    assert rough_duration(90.0, "en") == "1.5\u202fminutes"
    assert rough_duration(2 * 86400.0, "de") == "2,0\u202fTagen"


def test_one_unit_for_a_column_unless_the_values_are_too_far_apart() -> None:
    near = EnergyScale.of([3.6e6, 7200.0, None])
    assert (near.unit, near.bare(7200.0, "en")) == ("kWh", "0.00200")
    far = EnergyScale.of([3.6e9, 1.0])
    assert (far.unit, far.bare(1.0, "en"), far.span(0.5, 2.0, "en")) == (
        None,
        "1.00\u202fJ",
        "0.500 to 2.00\u202fJ",
    )


def test_text_from_outside_is_made_printable() -> None:
    assert clean("a\x00b\nc\u202egnp\u2066.exe\ud800\u2028d") == "a b cgnp.exe\ufffd d"
    assert clean("x" * 10_000, 10) == "xxxxxxxxx…"
    assert clean("👩\u200d🔬") == "👩\u200d🔬"
