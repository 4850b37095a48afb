"""Numbers as people read them, in both languages."""

from __future__ import annotations

import re
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core import quantity
from greenai.core.text import LANGUAGES, Language

UNITS = {
    "MWh": 3.6e9, "kWh": 3.6e6, "Wh": 3.6e3, "J": 1.0, "mJ": 1e-3, "µJ": 1e-6,
    "t": 1e6, "kg": 1e3, "g": 1.0, "mg": 1e-3, "µg": 1e-6,
    "MW": 1e6, "kW": 1e3, "W": 1.0, "mW": 1e-3,
}  # fmt: skip
SIZES = st.floats(1e-9, 1e12) | st.floats(-1e12, -1e-9)


def parse(text: str, language: Language) -> float:
    plain = text.replace("−", "-")
    if language == "de":
        plain = plain.translate(str.maketrans(",.", ".,"))
    assert re.fullmatch(r"-?\d{1,3}(,\d{3})*(\.\d+)?", plain), text
    return float(plain.replace(",", ""))


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [
        (0, "0", "0"),
        (1, "1.00", "1,00"),
        (9.994, "9.99", "9,99"),
        (9.996, "10.0", "10,0"),
        (-9.996, "−10.0", "−10,0"),
        (99.96, "100", "100"),
        (0.0999, "0.0999", "0,0999"),
        (0.09996, "0.100", "0,100"),
        (0.9996, "1.00", "1,00"),
        (999.6, "1,000", "1.000"),
        (3599, "3,600", "3.600"),
        (-1234.5, "−1,230", "−1.230"),
        (1e-9, "0.00000000100", "0,00000000100"),
        (1e12, "1,000,000,000,000", "1.000.000.000.000"),
        (None, "–", "–"),
        (nan, "–", "–"),
        (inf, "–", "–"),
    ],
)
def test_number(value: float | None, english: str, german: str) -> None:
    assert quantity.number(value, "en") == english
    assert quantity.number(value, "de") == german


@given(value=SIZES, digits=st.integers(1, 6), language=st.sampled_from(LANGUAGES))
def test_a_written_number_reads_back_within_its_digits(value: float, digits: int, language: Language) -> None:
    text = quantity.number(value, language, digits)
    assert parse(text, language) == pytest.approx(value, rel=0.5000001 * 10 ** (1 - digits))


@given(value=SIZES, language=st.sampled_from(LANGUAGES), kind=st.sampled_from(["energy", "mass", "power"]))
def test_a_written_quantity_reads_back(value: float, language: Language, kind: str) -> None:
    text = getattr(quantity, kind)(value, language)
    figure, _, unit = text.partition("\u202f")
    assert parse(figure, language) * UNITS[unit] == pytest.approx(value, rel=0.0050001)


@pytest.mark.parametrize(
    ("value_j", "english"),
    [
        (0, "0\u202fJ"),
        (0.5, "500\u202fmJ"),
        (3600, "1.00\u202fWh"),
        (-7200, "−2.00\u202fWh"),
        (3.6e6, "1.00\u202fkWh"),
        (3.6e9, "1.00\u202fMWh"),
        (1e12, "278\u202fMWh"),
    ],
)
def test_energy_units(value_j: float, english: str) -> None:
    assert quantity.energy(value_j, "en") == english
    assert quantity.energy(value_j, "de") == english.replace(".", ",")


@pytest.mark.parametrize("value", [None, nan, inf, -inf])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["number", "integer", "percent", "energy", "mass", "power", "duration"])
def test_unknown_is_a_bare_dash(kind: str, language: Language, value: float | None) -> None:
    assert getattr(quantity, kind)(value, language) == quantity.NO_VALUE


@pytest.mark.parametrize(
    ("seconds", "english"),
    [(0, "0 s"), (0.006074, "6.07 ms"), (0.25, "0.250 s"), (12.3, "12.3 s"), (60, "1 min 00 s"), (245, "4 min 05 s"), (3599.4, "59 min 59 s"),
     (3599.6, "1 h 00 min"), (7380, "2 h 03 min"), (90_000, "25 h 00 min")],
)  # fmt: skip
def test_duration(seconds: float, english: str) -> None:
    assert quantity.duration(seconds, "en").replace("\u202f", " ") == english


def test_percent_and_whole_numbers() -> None:
    assert quantity.percent(0.1234, "en", 1) == "12.3%"
    assert quantity.percent(0.1234, "de", 1) == "12,3\u202f%"
    assert quantity.integer(1234567.4, "de") == "1.234.567"
    assert quantity.integer(-5, "en") == "−5"


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_minus_zero(language: Language) -> None:
    assert quantity.number(-0.0, language) == "0"
    assert quantity.integer(-0.4, language) == "0"
    assert not quantity.percent(-0.001, language).startswith("−")


def test_a_range_in_words() -> None:
    words = quantity.interval("1 J", "2 J")
    assert (words.de, words.en) == ("1 J bis 2 J", "1 J to 2 J")


@pytest.mark.parametrize(
    ("low_j", "high_j", "like", "english", "german"),
    [
        (3320, 12_500, None, "0.922 Wh to 3.47 Wh", "0,922 Wh bis 3,47 Wh"),
        (3320, 12_500, 3500, "3,320 J to 12,500 J", "3.320 J bis 12.500 J"),
        (0.2, 1.5, 0.9, "200 mJ to 1,500 mJ", "200 mJ bis 1.500 mJ"),
        (0, 7200, None, "0 Wh to 2.00 Wh", "0 Wh bis 2,00 Wh"),
        (0, 0, 0, "0 J to 0 J", "0 J bis 0 J"),
        (None, 7200, None, "–", "–"),
        (1, None, 1, "–", "–"),
    ],
)
def test_both_ends_of_an_energy_range_have_one_unit(
    low_j: float | None, high_j: float | None, like: float | None, english: str, german: str
) -> None:
    assert quantity.energy_range(low_j, high_j, "en", like=like).replace("\u202f", " ") == english
    assert quantity.energy_range(low_j, high_j, "de", like=like).replace("\u202f", " ") == german


@given(ends=st.tuples(st.floats(0, 1e12), st.floats(1e-6, 1e12)).map(sorted), language=st.sampled_from(LANGUAGES))
def test_no_range_mixes_units(ends: list[float], language: Language) -> None:
    low_end, high_end = ends
    for written in (
        quantity.energy_range(low_end, high_end, language),
        quantity.mass_range(low_end, high_end, language),
    ):
        low, word, high = re.split(r" (to|bis) ", written)
        assert word == {"en": "to", "de": "bis"}[language]
        assert low.partition("\u202f")[2] == high.partition("\u202f")[2]
        assert high == (quantity.energy if "J" in high or "Wh" in high else quantity.mass)(high_end, language)


@pytest.mark.parametrize(
    ("share", "said"), [(1.0, "100%"), (0.999, ">99%"), (0.5, "50%"), (0.004, "<1%"), (0.0, "0%")]
)
def test_a_part_is_never_rounded_to_all_or_nothing(share: float, said: str) -> None:
    assert quantity.part(share, "en") == said
