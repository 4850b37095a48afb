"""Numbers as people read them: few digits, a fitting unit, the language's own separators."""

from __future__ import annotations

from math import floor, isfinite, log10
from typing import TYPE_CHECKING

from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.core.text import Language

_LEAST_PART = 0.01
NO_VALUE = "–"
_MINUS = "−"
_THIN_SPACE = "\u202f"

_ENERGY_STEPS = ((3.6e9, "MWh"), (3.6e6, "kWh"), (3.6e3, "Wh"), (1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"))
_MASS_STEPS = ((1e6, "t"), (1e3, "kg"), (1.0, "g"), (1e-3, "mg"), (1e-6, "µg"))
_VOLUME_STEPS = ((1e3, "m³"), (1.0, "l"), (1e-3, "ml"))
_POWER_STEPS = ((1e6, "MW"), (1e3, "kW"), (1.0, "W"), (1e-3, "mW"))


def number(value: float | None, language: Language, digits: int = 3) -> str:
    """Write a number with ``digits`` significant digits; None is a dash, never 0.

    Args:
        value: The number, or None if unknown.
        language: Decides decimal comma or point, and the grouping of thousands.
        digits: Significant digits; 12345 becomes 12,300 with three of them.
    """
    if value is None or not isfinite(value):
        return NO_VALUE
    if value == 0:
        return "0"
    magnitude = floor(log10(abs(value)))
    decimals = max(digits - 1 - magnitude, 0)
    rounded = round(value, digits - 1 - magnitude)
    # Rounding may have gained a digit: 9.996 -> 10.0.
    if rounded != 0 and floor(log10(abs(rounded))) > magnitude:
        decimals = max(decimals - 1, 0)
    return localise(f"{rounded:,.{decimals}f}", language)


def localise(plain: str, language: Language) -> str:
    """Turn ``-1,234.5`` into the language's form (German ``−1.234,5``, English ``−1,234.5``)."""
    if language == "de":
        plain = plain.translate(str.maketrans(",.", ".,"))
    return plain.replace("-", _MINUS)


def integer(value: float | None, language: Language) -> str:
    """Write a whole number with grouping."""
    return NO_VALUE if value is None or not isfinite(value) else localise(f"{round(value):,}", language)


def percent(share: float | None, language: Language, digits: int = 0) -> str:
    """Write a share (0..1) as percent."""
    if share is None or not isfinite(share):
        return NO_VALUE
    share = round(share, digits + 2) or 0.0
    gap = _THIN_SPACE if language == "de" else ""
    return f"{localise(f'{share * 100:.{digits}f}', language)}{gap}%"


def part(share: float, language: Language) -> str:
    """Write a part of a whole as percent: what is not all is never 100 %, what is something never 0 %."""
    if 0 < share < _LEAST_PART:
        return f"<{percent(_LEAST_PART, language)}"
    if 1 - _LEAST_PART < share < 1:
        return f">{percent(1 - _LEAST_PART, language)}"
    return percent(share, language)


def at_least(written: str, *, is_at_least: bool) -> str:
    """Mark a figure that is a lower bound; what is unknown stays a dash.

    Args:
        written: The figure.
        is_at_least: Whether it is one.
    """
    return f"≥{_THIN_SPACE}{written}" if is_at_least and written != NO_VALUE else written


def energy(value_j: float | None, language: Language, digits: int = 3, *, like: float | None = None) -> str:
    """Write an energy given in joules, in J, Wh, kWh or MWh; where ``like`` is given, in the unit that fits it."""
    return _scaled(value_j, _ENERGY_STEPS, language, digits, like)


def mass(value_g: float | None, language: Language, digits: int = 3) -> str:
    """Write a mass given in grams."""
    return _scaled(value_g, _MASS_STEPS, language, digits)


def volume(value_l: float | None, language: Language, digits: int = 3) -> str:
    """Write a volume given in litres."""
    return _scaled(value_l, _VOLUME_STEPS, language, digits)


def power(value_w: float | None, language: Language, digits: int = 3, *, like: float | None = None) -> str:
    """Write a power given in watts; where ``like`` is given, in the unit that fits it."""
    return _scaled(value_w, _POWER_STEPS, language, digits, like)


def duration(value_s: float | None, language: Language) -> str:
    """Write a duration: ``12.3 ms``, ``12.3 s``, ``4 min 05 s``, ``2 h 03 min``."""
    if value_s is None or not isfinite(value_s):
        return NO_VALUE
    if 0 < value_s < 0.1:  # noqa: PLR2004
        return f"{number(value_s * 1000, language)}{_THIN_SPACE}ms"
    if value_s < 60:  # noqa: PLR2004
        return f"{number(value_s, language)}{_THIN_SPACE}s"
    minutes, seconds = divmod(round(value_s), 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes}{_THIN_SPACE}min {seconds:02d}{_THIN_SPACE}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{_THIN_SPACE}h {minutes:02d}{_THIN_SPACE}min"


def interval(low: str, high: str) -> Text:
    """Write a range in words: ``1.2 J to 3.4 J``."""
    return Text(de=f"{low} bis {high}", en=f"{low} to {high}")


def energy_range(
    low_j: float | None, high_j: float | None, language: Language, digits: int = 3, *, like: float | None = None
) -> str:
    """Write a range of energies, both ends in one unit: that which fits ``like``, else the upper end."""
    return _range(low_j, high_j, _ENERGY_STEPS, language, digits, like)


def mass_range(
    low_g: float | None, high_g: float | None, language: Language, digits: int = 3, *, like: float | None = None
) -> str:
    """Write a range of masses, both ends in one unit: that which fits ``like``, else the upper end."""
    return _range(low_g, high_g, _MASS_STEPS, language, digits, like)


def _range(
    low: float | None,
    high: float | None,
    steps: tuple[tuple[float, str], ...],
    language: Language,
    digits: int,
    like: float | None,
) -> str:
    if low is None or high is None:
        return NO_VALUE
    like = like or high
    ends = (_scaled(value, steps, language, digits, like) for value in (low, high))
    return interval(*ends).to(language)


def _scaled(
    value: float | None,
    steps: tuple[tuple[float, str], ...],
    language: Language,
    digits: int,
    like: float | None = None,
) -> str:
    if value is None or not isfinite(value):
        return NO_VALUE
    size = abs(like if like and isfinite(like) else value)
    factor, unit = next(((f, u) for f, u in steps if size >= f), steps[-1])
    if size == 0:
        factor, unit = next((f, u) for f, u in steps if f == 1.0)
    return f"{number(value / factor, language, digits)}{_THIN_SPACE}{unit}"
