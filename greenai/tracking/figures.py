"""Figures that user code hands over: a wrong one becomes an incident, never an error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, SupportsFloat

from greenai.core.collector import Incident
from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.tracking.session import Session

_NOT_A_NUMBER = Text(
    de="{what}: {value} ist keine Zahl und wurde nicht übernommen.",
    en="{what}: {value} is not a number and was not recorded.",
)
_NEGATIVE = Text(
    de="{what}: {value} ist negativ und wurde nicht übernommen.",
    en="{what}: {value} is negative and was not recorded.",
)


def as_number(session: Session, what: str, value: SupportsFloat) -> float | None:
    """Return a finite number; of anything else tell the record and return None."""
    try:
        number = float(value)
        shown = repr(number)
    except Exception:  # noqa: BLE001  # a wrong figure (a tensor of many values) must not end a training
        number, shown = math.nan, type(value).__name__
    if math.isfinite(number):
        return number
    session.incident(Incident("not_a_number", _NOT_A_NUMBER.format(what=what, value=shown)))
    return None


def as_count(session: Session, what: str, value: SupportsFloat) -> float | None:
    """Return a number that is not negative; of anything else tell the record and return None."""
    number = as_number(session, what, value)
    if number is not None and number < 0:
        session.incident(Incident("negative_units", _NEGATIVE.format(what=what, value=number)))
        return None
    return number
