"""The electricity of a site: by which contracts it came, what it cost, and how much there was of it in all.

What counts is the day, in UTC; a run that goes on over midnight has parts of two days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.errors import ConfigError
from greenai.core.quantity import localise
from greenai.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

_ONE_DAY = timedelta(days=1)
_FULL = 1 + 1e-9  # shares are quotients of what people rounded

_TOO_MUCH = Text(
    de="Am {day} decken die Verträge {contracts} zusammen {percent} % des Stroms, also mehr als alles.",
    en="On {day} the contracts {contracts} together cover {percent} % of the electricity: more than all of it.",
)
_TOO_MUCH_REMEDY = Text(
    de="Zeiträume, kwh oder share so ändern, dass es höchstens 100 % sind; Zeilen {lines}.",
    en="Change periods, kwh or share so that it is at most 100 %; lines {lines}.",
)
_TWO_SUPPLIERS = Text(
    de="Am {day} sollen zwei Verträge alles liefern, was übrig ist: {contracts}.",
    en="On {day} two contracts are to deliver all that is left: {contracts}.",
)
_TWO_SUPPLIERS_REMEDY = Text(
    de="Einen davon früher enden lassen oder mit kwh oder share begrenzen; Zeilen {lines}.",
    en="Let one of them end before, or limit it by kwh or share; lines {lines}.",
)
_NO_TOTAL = Text(
    de="Vertrag „{contract}“ nennt kwh; dafür fehlt der gesamte Stromverbrauch des Standorts am {day}.",
    en='Contract "{contract}" says kwh; for this the whole electricity of the site is missing on {day}.',
)
_NO_TOTAL_REMEDY = Text(
    de="Dafür [[consumption]] mit from, to und kwh ergänzen, oder share statt kwh angeben; Zeile {line}.",
    en="Add a [[consumption]] with from, to and kwh for it, or say share instead of kwh; line {line}.",
)
_TWO_ALIKE = Text(
    de="Für den {day} gibt es zwei Angaben in [[{table}]].",
    en="For {day} there are two entries in [[{table}]].",
)
_TWO_ALIKE_REMEDY = Text(
    de="Eine davon kürzen oder löschen; Zeilen {lines}.", en="Shorten or delete one of them; lines {lines}."
)

_QUOTED = Text(de="„{name}“", en='"{name}"')


class Instrument(StrEnum):
    """By what right somebody says where his electricity came from, best first.

    Source: GHG Protocol Scope 2 Guidance (2015), chapter 6, hierarchy of market-based factors; what is generated
    and used on site never reaches the grid.
    """

    OWN_GENERATION = "own_generation"
    POWER_PURCHASE_AGREEMENT = "ppa"
    GUARANTEE_OF_ORIGIN = "guarantee_of_origin"
    SUPPLIER = "supplier"


class Days(NamedTuple):
    """A period; both days belong to it."""

    first: date
    last: date

    def has(self, day: date) -> bool:
        """Return whether a day belongs to it."""
        return self.first <= day <= self.last

    @property
    def length(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1

    def shared(self, other: Days) -> int:
        """Return how many days of the other belong to it."""
        return max((min(self.last, other.last) - max(self.first, other.first)).days + 1, 0)


@dataclass(frozen=True, slots=True)
class Consumption:
    """All the electricity that a site took in a period, not that of AI alone.

    Attributes:
        days: When.
        kwh: How much.
        line: Where it stands in its file.
    """

    days: Days
    kwh: float
    line: int


@dataclass(frozen=True, slots=True)
class Contract:
    """Where a part of a site's electricity came from.

    Attributes:
        name: What its owner calls it.
        instrument: What kind of claim it is.
        days: When it holds.
        g_per_kwh: Direct emissions per kilowatt-hour that it stands for.
        gases: ``CO2`` or ``CO2e``.
        proof: The paper that shows it.
        kwh: How much it covers in its period; or
        share: the part of all electricity that it covers, 0 to 1. With neither it covers what is left.
        line: Where it stands in its file.
    """

    name: str
    instrument: Instrument
    days: Days
    g_per_kwh: float
    gases: str
    proof: str
    kwh: float | None
    share: float | None
    line: int

    @property
    def takes_the_rest(self) -> bool:
        """Whether it covers all that others do not."""
        return self.kwh is None and self.share is None


@dataclass(frozen=True, slots=True)
class Price:
    """What a kilowatt-hour cost in a period.

    Attributes:
        days: When.
        per_kwh: In units of ``currency``.
        currency: E.g. ``EUR``.
        line: Where it stands in its file.
    """

    days: Days
    per_kwh: float
    currency: str
    line: int


class Share(NamedTuple):
    """The part of a day's electricity that one contract covers; of no contract, what none covers."""

    contract: Contract | None
    part: float


@dataclass(frozen=True, slots=True, eq=False)
class Electricity:
    """What a site says about its electricity. Made by ``checked``."""

    consumption: tuple[Consumption, ...] = ()
    contracts: tuple[Contract, ...] = ()
    prices: tuple[Price, ...] = ()

    def shares(self, day: date) -> tuple[Share, ...]:
        """Return what covers a day's electricity, best claim first, with a last entry for what nothing covers.

        Raises:
            ConfigError: More than all of it is covered, or a contract's kWh are a share of nobody knows what.
        """
        here = sorted(
            (c for c in self.contracts if c.days.has(day)), key=lambda c: list(Instrument).index(c.instrument)
        )
        limited = [Share(contract, self._part(contract)) for contract in here if not contract.takes_the_rest]
        covered = sum(share.part for share in limited)
        if covered > _FULL:
            named = _TOO_MUCH.format(day=day, contracts=_names(here), percent=_percent(covered))
            raise ConfigError(named, _TOO_MUCH_REMEDY.format(lines=_lines(here)))
        rest = [contract for contract in here if contract.takes_the_rest]
        if len(rest) > 1:
            named = _TWO_SUPPLIERS.format(day=day, contracts=_names(rest))
            raise ConfigError(named, _TWO_SUPPLIERS_REMEDY.format(lines=_lines(rest)))
        left = max(1 - covered, 0.0)
        if left <= _FULL - 1:
            return tuple(limited)
        return (*limited, Share(rest[0] if rest else None, left))

    def price(self, day: date) -> Price | None:
        """Return what a kilowatt-hour cost on that day; None if nobody said."""
        return next((price for price in self.prices if price.days.has(day)), None)

    def _part(self, contract: Contract) -> float:
        if contract.share is not None:
            return contract.share
        total_kwh = sum(
            entry.kwh * entry.days.shared(contract.days) / entry.days.length for entry in self.consumption
        )
        return (contract.kwh or 0.0) / total_kwh if total_kwh else 0.0


def checked(electricity: Electricity) -> Electricity:
    """Return it, if it makes sense on every day.

    Raises:
        ConfigError: Contracts overlap, or kWh are said of a period whose whole consumption is unknown.
    """
    _check_single(electricity.consumption, "consumption")
    _check_single(electricity.prices, "price")
    for contract in electricity.contracts:
        if contract.kwh is not None:
            _check_total(contract, electricity.consumption)
    starts = {contract.days.first for contract in electricity.contracts}
    for day in sorted(starts):  # where one more begins there may be too many; nowhere else
        electricity.shares(day)
    return electricity


def _check_single(entries: Sequence[Consumption | Price], table: str) -> None:
    for before, after in pairwise(sorted(entries, key=lambda entry: entry.days)):
        if before.days.shared(after.days):
            raise ConfigError(
                _TWO_ALIKE.format(day=after.days.first, table=table),
                _TWO_ALIKE_REMEDY.format(lines=_lines((before, after))),
            )


def _check_total(contract: Contract, consumption: Sequence[Consumption]) -> None:
    day = contract.days.first
    for entry in sorted(consumption, key=lambda entry: entry.days):
        if entry.days.has(day):
            day = entry.days.last
            if day >= contract.days.last:
                return
            day += _ONE_DAY
    raise ConfigError(
        _NO_TOTAL.format(contract=contract.name, day=day), _NO_TOTAL_REMEDY.format(line=contract.line)
    )


def _names(contracts: Sequence[Contract]) -> Text:
    quoted = [_QUOTED.format(name=contract.name) for contract in contracts]
    return Text.each(lambda language: ", ".join(name.to(language) for name in quoted))


def _lines(entries: Sequence[Contract | Consumption | Price]) -> str:
    return ", ".join(str(entry.line) for entry in entries)


def _percent(part: float) -> Text:
    return Text.each(lambda language: localise(f"{100 * part:.1f}", language))
