"""Figures and names that user code hands over: a wrong one becomes an incident, never an error."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Final, SupportsFloat

from greenai.core.collector import Incident
from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.tracking.session import Session

# What is larger is no amount of anything; a hundred million smaller ones add up to a number that is finite.
TOO_LARGE: Final = 1e300

_NOT_A_NUMBER = Text(
    de="{what}: {value} ist keine Zahl und wurde nicht übernommen.",
    en="{what}: {value} is not a number and was not recorded.",
)
_NEGATIVE = Text(
    de="{what}: {value} ist negativ und wurde nicht übernommen.",
    en="{what}: {value} is negative and was not recorded.",
)
_TOO_LARGE = Text(
    de="{what}: {value} ist zu groß und wurde nicht übernommen.",
    en="{what}: {value} is too large and was not recorded.",
)
_NOT_WHOLE = Text(
    de="{what}: {value} ist keine ganze Zahl; gezählt wird {count}.",
    en="{what}: {value} is not a whole number; {count} is what counts.",
)


def as_number(session: Session, what: str, value: SupportsFloat) -> float | None:
    """Return a finite number; of anything else tell the record and return None."""
    try:
        number = float(value)
        shown = repr(number)
    except Exception:  # noqa: BLE001  # a wrong figure (a tensor of many values) must not end a training
        number, shown = math.nan, type_name(value)
    if math.isfinite(number):
        return number
    session.incident(Incident("not_a_number", _NOT_A_NUMBER.format(what=what, value=shown)))
    return None


def as_count(session: Session, what: str, value: SupportsFloat, too_large: float = TOO_LARGE) -> float | None:
    """Return a number from 0 to below a limit; of anything else tell the record and return None."""
    number = as_number(session, what, value)
    if number is None:
        return None
    if number < 0:
        session.incident(Incident("negative_units", _NEGATIVE.format(what=what, value=number)))
        return None
    if number >= too_large:
        session.incident(Incident("too_large", _TOO_LARGE.format(what=what, value=number)))
        return None
    return number


def as_total(session: Session, what: str, value: SupportsFloat) -> int | None:
    """Return how many of something there are, as ``len`` would; of what is no such number tell the record.

    A fraction counts as its whole part.
    """
    number = as_count(session, what, value, sys.maxsize)
    if number is None:
        return None
    count = int(number)
    if count != number:
        session.incident(not_whole(what, number, count))
    return count


def not_whole(what: str, number: float, count: int) -> Incident:
    """Return the incident that ``count`` was taken for a number that is not whole."""
    return Incident("not_whole", _NOT_WHOLE.format(what=what, value=number, count=count))


def as_name(name: object) -> str:
    """Return a name as text, whatever it is: what goes by it is never lost because of it.

    What is no Unicode (half of a surrogate pair) is replaced, as it is in the journal.
    """
    try:
        text = name.decode(errors="replace") if isinstance(name, bytes | bytearray) else name
        text = str.__str__(text) if isinstance(text, str) else str(text)  # of an enumeration: its value
        return text.encode(errors="replace").decode()
    except Exception:  # noqa: BLE001  # even writing it down as text may fail
        return type_name(name)


def type_name(value: object) -> str:
    """Return the name of a value's type; even that may be code that fails."""
    try:
        return str(type(value).__name__)
    except Exception:  # noqa: BLE001  # somebody else's metaclass
        return "?"
