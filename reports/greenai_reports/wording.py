"""How values become words: dates, intervals, counts, and text that users wrote."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from greenai.core.quantity import NO_VALUE, integer, interval, localise, number
from greenai_reports import texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from greenai.core.text import Language, Text

NAME_LENGTH = 60
SENTENCE_LENGTH = 400
_KEPT_FORMAT_CHARACTERS = "\u200c\u200d"  # joiners that scripts and emoji need
_MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ENERGY_UNITS = ((3.6e9, "MWh"), (3.6e6, "kWh"), (3.6e3, "Wh"), (1.0, "J"), (1e-3, "mJ"))
_WIDEST_COLUMN = 1e5  # a column spanning more than this has a unit in each cell
_DURATIONS = (
    (365.25 * 86400, texts.YEARS),
    (86400.0, texts.DAYS),
    (3600.0, texts.HOURS),
    (60.0, texts.MINUTES),
    (1.0, texts.SECONDS),
)


def clean(text: str, length: int = SENTENCE_LENGTH) -> str:
    """Make text from outside safe to print: no control or direction characters, not endlessly long.

    Args:
        text: As a user or a program wrote it.
        length: Longer text is cut, with an ellipsis.
    """
    # Four times the length is enough for any printable result, and bounds the work.
    safe = "".join(_printable(character) for character in text[: 4 * length]).strip()
    return safe if len(safe) <= length else f"{safe[: length - 1].rstrip()}…"


def _printable(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    if category == "Cf":
        return character if character in _KEPT_FORMAT_CHARACTERS else ""
    return "\ufffd" if category.startswith("C") else character


def name(text: str | None) -> str:
    """Print a name that a user chose; a missing one is a dash."""
    return (clean(text, NAME_LENGTH) if text else "") or NO_VALUE


def say(text: Text, language: Language, length: int = SENTENCE_LENGTH) -> str:
    """Return a text from outside this package in one language, safe to print."""
    return clean(text.to(language), length)


def moment(t_ms: int, language: Language) -> str:
    """Write a moment in UTC, to the minute."""
    t = datetime.fromtimestamp(t_ms / 1000, tz=UTC)
    return f"{day(t_ms, language)}, {t.hour:02d}:{t.minute:02d} UTC"


def day(t_ms: int, language: Language) -> str:
    """Write the day of a moment in UTC."""
    t = datetime.fromtimestamp(t_ms / 1000, tz=UTC)
    if language == "de":
        return f"{t.day:02d}.{t.month:02d}.{t.year}"
    return f"{t.day} {_MONTHS_EN[t.month - 1]} {t.year}"


def gases_in_words(gases: Iterable[str]) -> str:
    """Write which gases are counted; ``CO₂e`` if there is nothing to say it of."""
    return " + ".join(clean(gas).replace("CO2", "CO₂") for gas in sorted(set(gases))) or "CO₂e"


def counted(count: int, one: Text, many: Text, language: Language, **values: object) -> str:
    """Write a sentence about ``count`` things with the right grammatical number."""
    text = one if count == 1 else many
    return text.format(n=integer(count, language), **values).to(language)


def share(value: float | None, language: Language) -> str:
    """Write a share as whole percent; what is not quite all or none never reads as such."""
    if value is None:
        return NO_VALUE
    percent = value * 100
    if 99.5 <= percent < 100:  # noqa: PLR2004
        return f">{_percent('99', language)}"
    if 0 < percent < 0.5:  # noqa: PLR2004
        return f"<{_percent('1', language)}"
    return _percent(localise(f"{percent:.0f}", language), language)


def deviation(low_rel: float, high_rel: float, language: Language) -> str:
    """Write relative half-widths: ``±5 %``, or ``−50 / +100 %`` where they differ."""
    low, high = (exact(float(f"{100 * rel:.2g}"), language) for rel in (low_rel, high_rel))
    if low == high:
        return f"±{_percent(high, language)}"
    return f"−{low} / +{_percent(high, language)}"


def exact(value: float, language: Language) -> str:
    """Write a round number with the digits it has: 0.1, 2.5, 1,000."""
    plain = f"{value:,.12f}".rstrip("0").rstrip(".")
    return localise(plain, language)


def signed(value: float, language: Language) -> str:
    """Write a difference with its sign."""
    return f"+{number(value, language)}" if value > 0 else number(value, language)


def span(low: float | None, high: float | None, language: Language) -> str:
    """Write an interval of plain numbers, or that there is none."""
    if low is None or high is None:
        return texts.NO_INTERVAL.to(language)
    return interval(number(low, language), number(high, language)).to(language)


def rough_duration(value_s: float, language: Language) -> str:
    """Write a duration with two digits in one unit, for a comparison with everyday life."""
    factor, unit = next((step for step in _DURATIONS if value_s >= step[0]), _DURATIONS[-1])
    written = number(value_s / factor, language, 2)
    return f"{written}\u202f{(unit[0] if written.strip('0,.') == '1' else unit[1]).to(language)}"


def _percent(written: str, language: Language) -> str:
    return f"{written}\u202f%" if language == "de" else f"{written}%"


@dataclass(frozen=True, slots=True)
class EnergyScale:
    """One unit for a whole column or axis; ``unit`` is None where each value needs its own."""

    unit_j: float
    unit: str | None

    @classmethod
    def of(cls, values_j: Iterable[float | None], widest: float = _WIDEST_COLUMN) -> EnergyScale:
        """Choose the unit that fits the largest value.

        Args:
            values_j: What will be written; None is ignored.
            widest: A greater span than this gets no common unit.
        """
        sizes = [abs(value) for value in values_j if value]
        if not sizes:
            return cls(1.0, "J")
        unit_j, unit = next((step for step in _ENERGY_UNITS if max(sizes) >= step[0]), _ENERGY_UNITS[-1])
        return cls(unit_j, unit if max(sizes) / min(sizes) <= widest else None)

    def bare(self, value_j: float | None, language: Language) -> str:
        """Write a value without the unit where all share one, else with its own."""
        if value_j is None:
            return NO_VALUE
        if self.unit is None:
            alone = EnergyScale.of([value_j])
            return f"{number(value_j / alone.unit_j, language)}\u202f{alone.unit}"
        return number(value_j / self.unit_j, language)

    def span(self, low_j: float | None, high_j: float | None, language: Language) -> str:
        """Write an interval; the unit only where not all share one, and then once."""
        if low_j is None or high_j is None:
            return NO_VALUE
        scale = self if self.unit is not None else EnergyScale.of([high_j], widest=float("inf"))
        low, high = (number(value / scale.unit_j, language) for value in (low_j, high_j))
        text = interval(low, high).to(language)
        return text if self.unit is not None else f"{text}\u202f{scale.unit}"

    def header(self, label: str, language: Language) -> str:
        """Write a column's heading with the common unit."""
        return label if self.unit is None else texts.IN_UNIT.format(label=label, unit=self.unit).to(language)
