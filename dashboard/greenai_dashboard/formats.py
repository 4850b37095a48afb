"""Dates and intervals as people read them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from greenai.core import quantity
from greenai.core.quantity import NO_VALUE

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.statistics import Interval
    from greenai.core.text import Language


def moment(t_ms: int | None, language: Language) -> str:
    """Write epoch milliseconds as local date and time: ``21.11.2026 13:05``."""
    if t_ms is None:
        return NO_VALUE
    local = datetime.fromtimestamp(t_ms / 1000).astimezone()
    return local.strftime("%d.%m.%Y %H:%M" if language == "de" else "%Y-%m-%d %H:%M")


def between(
    low: float | None, high: float | None, write: Callable[[float | None, Language], str], language: Language
) -> str:
    """Write a range in words, or a dash if a bound is unknown."""
    if low is None or high is None:
        return NO_VALUE
    return quantity.interval(write(low, language), write(high, language)).to(language)


def signed(value: float | None, language: Language) -> str:
    """Write a number with its sign: ``+0.012``."""
    text = quantity.number(value, language)
    return f"+{text}" if value is not None and value > 0 else text


def signed_percent(share: float, language: Language) -> str:
    """Write a relative deviation with its sign: ``+5%``; one decimal below 10 %."""
    text = quantity.percent(share, language, digits=1 if abs(share) < 0.1 else 0)  # noqa: PLR2004
    return f"+{text}" if share > 0 else text


def bounds(interval: Interval | None, write: Callable[[float | None, Language], str], language: Language) -> str:
    """Write the bounds of an interval in words, or a dash."""
    return NO_VALUE if interval is None else between(interval.low, interval.high, write, language)
