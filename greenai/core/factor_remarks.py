"""What a reader must know of a factor that was chosen for a run: in one sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.text import Text

if TYPE_CHECKING:
    from datetime import date

    from greenai.core.footprint import FactorUsed

_EARLIER = Text(
    de="Für {day} gibt es noch keinen Faktor; genommen ist der letzte davor ({period}).",
    en="There is no factor for {day} yet; the latest before it is taken ({period}).",
)
_LATER = Text(
    de="So früh wie {day} reicht kein Faktor zurück; genommen ist der früheste ({period}).",
    en="No factor goes back to {day}; the earliest is taken ({period}).",
)
_CO2_ONLY = Text(
    de="Der Faktor zählt nur CO2, nicht die übrigen Treibhausgase.",
    en="The factor counts CO2 only, not the other greenhouse gases.",
)
_LIFECYCLE = Text(
    de="Der Faktor enthält Vorkette und Bau der Kraftwerke; er ist höher als einer, der nur die Erzeugung zählt.",
    en="The factor includes fuel supply and plant construction: higher than one that counts generation only.",
)
_GENERATED = Text(
    de="Er gilt je erzeugter, nicht je verbrauchter Kilowattstunde: Stromhandel und Netzverluste fehlen.",
    en="It is per kilowatt-hour generated, not consumed: trade and grid losses are left out.",
)


def period_of(factor: FactorUsed) -> str:
    """Return the period of a factor in few signs: ``2025``, or first and last day."""
    first, last = factor.first_day, factor.last_day
    if first is None or last is None or (first, last) == (f"{factor.year}-01-01", f"{factor.year}-12-31"):
        return str(factor.year)
    return f"{first}–{last}"


def period_remark(factor: FactorUsed, day: date) -> Text | None:
    """Return that a factor is not of the day it was chosen for; None if it is.

    Args:
        factor: The factor that was chosen.
        day: First day of the run.
    """
    first, last = factor.first_day or f"{factor.year}-01-01", factor.last_day or f"{factor.year}-12-31"
    if first <= day.isoformat() <= last:
        return None
    written = period_of(factor).split("–")
    period = Text.each(lambda language: "–".join(_day(part).to(language) for part in written))
    said = _EARLIER if last < day.isoformat() else _LATER
    return said.format(day=_day(day.isoformat()), period=period)


def _day(iso: str) -> Text:
    return Text(de=".".join(reversed(iso.split("-"))), en=iso)


def factor_remarks(factor: FactorUsed, day: date) -> tuple[Text, ...]:
    """Return what the choice of a factor means for a run.

    Args:
        factor: The factor that was chosen.
        day: First day of the run.
    """
    period = period_remark(factor, day)
    remarks = [] if period is None else [period]
    if factor.gases == "CO2":
        remarks.append(_CO2_ONLY)
    if factor.boundary == "lifecycle":
        remarks.append(_LIFECYCLE)
    if factor.basis == "generated":
        remarks.append(_GENERATED)
    return tuple(remarks)
