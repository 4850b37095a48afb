"""What requests say of themselves: a wrong figure is told once, and at the end how often there was one."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Final, SupportsFloat

from greenai.core.collector import Incident
from greenai.core.text import Text
from greenai.tracking.figures import TOO_LARGE, as_name, not_whole, type_name

if TYPE_CHECKING:
    from collections.abc import Callable

# Of a batch. Millions of them add up to a number that the database can hold (64 bit).
_TOO_MANY_REQUESTS: Final = 10**12

_NO_AMOUNT = Text(
    de="{what}: {value} ist keine Menge und wurde nicht übernommen.",
    en="{what}: {value} is no amount and was not recorded.",
)
_OTHER_UNIT = Text(
    de="Eine Anfrage nannte die Einheit „{said}“; gezählt wird „{unit}“. Ihre Einheiten wurden nicht übernommen.",
    en='A request named the unit "{said}"; what is counted is "{unit}". Its units were not recorded.',
)
_NAME_UNIT = Text(
    de='Die Einheit dem Zähler nennen: InferenceMeter(unit="{said}")',
    en='Name the unit to the meter: InferenceMeter(unit="{said}")',
)
_HOW_OFTEN = Text(
    de="{first} Insgesamt kam so etwas in diesem Prozess {times}-mal vor.",
    en="{first} In all, such a thing occurred {times} times in this process.",
)


class Figures:
    """Looks over the figures of a meter's requests."""

    def __init__(self, unit: str, tell: Callable[[Incident], None]) -> None:
        """Begin.

        Args:
            unit: What the meter counts.
            tell: Puts an incident on the record.
        """
        self._unit = unit
        self._tell = tell
        self.forget()

    def forget(self) -> None:
        """Start anew: at the beginning, and in a forked child."""
        self._lock = threading.RLock()  # a signal handler may serve a request, too
        self._first: dict[str, Incident] = {}  # by code
        self._times: Counter[str] = Counter()

    def amount(self, what: str, value: SupportsFloat, too_large: float = TOO_LARGE) -> float | None:
        """Return a number from 0 to below a limit, None if it is none; that is told once."""
        try:
            number = value if type(value) is int else float(value)
            if 0 <= number < too_large:
                return number
            shown = repr(float(number))
        except Exception:  # noqa: BLE001  # a wrong figure must not end a request
            shown = type_name(value)
        self._say(Incident("no_amount", _NO_AMOUNT.format(what=what, value=shown)))
        return None

    def requests(self, said: SupportsFloat) -> int:
        """Return how many requests a batch has; one where that is not known, for something was executed.

        A fraction counts as its whole part.
        """
        number = self.amount("requests", said, _TOO_MANY_REQUESTS)
        if number is None:
            return 1
        count = int(number)
        if count != number:
            count = max(count, 1)
            self._say(not_whole("requests", number, count))
        return count

    def refuse_unit(self, unit: object) -> None:
        """Tell once that units of this name are not counted."""
        said = as_name(unit)
        message = _OTHER_UNIT.format(said=said, unit=self._unit)
        self._say(Incident("other_unit", message, _NAME_UNIT.format(said=said)))

    def say_how_often(self) -> None:
        """Tell of everything that occurred more than once how often it did."""
        for code, times in self._times.items():
            if times > 1:
                first = self._first[code]
                message = _HOW_OFTEN.format(first=first.message, times=times)
                self._tell(Incident(code, message, first.remedy))

    def _say(self, incident: Incident) -> None:
        with self._lock:
            self._times[incident.code] += 1
            known = self._first.setdefault(incident.code, incident)
        if known is incident:
            self._tell(incident)
