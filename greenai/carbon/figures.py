"""PUE, water and embodied figures: what they are for, their range, and where they come from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from greenai.carbon.grid_table import PERIOD, PROVENANCE
from greenai.carbon.table_file import FIRST_DAY, LAST_DAY
from greenai.core.labels import FACTOR_STATUS
from greenai.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from greenai.carbon.table_file import Line, Table

_A_VALUE_OR_RANGE = Text(
    de="ein Wert, oder ein unterer und ein oberer", en="a value, or both a lower and an upper one"
)
_IN_RANGE = Text(
    de="ein unterer Wert, der nicht über dem mittleren und dem oberen liegt",
    en="a lower value that is not above the central and the upper one",
)
_A_NEW_KEY = Text(
    de="eine Angabe, die es für diese Tage nur einmal gibt; sie steht schon in {file}, Zeile {line}",
    en="one that is there once for these days; it is in {file}, line {line}, already",
)


class FigureKind(NamedTuple):
    """A kind of table with figures that have a range.

    Attributes:
        key: Column that says what a line is for.
        value: Column of the central figure; ``_low`` and ``_high`` are put in before its unit.
        low: Column of the lower end.
        high: Column of the upper end.
        unit: Unit of all three; empty if they have none.
        least: Lowest value allowed.
        most: Highest value allowed.
        more: Further columns.
    """

    key: str
    value: str
    low: str
    high: str
    unit: str
    least: float
    most: float
    more: frozenset[str] = frozenset()

    @property
    def columns(self) -> frozenset[str]:
        """All columns a table of this kind may have."""
        return frozenset({self.key, "name", self.value, self.low, self.high}) | self.more | PROVENANCE | PERIOD


FIGURE_KINDS = {
    "pue": FigureKind("place", "pue", "pue_low", "pue_high", "", 1.0, 5.0),
    "wue": FigureKind("place", "wue_l_per_kwh", "wue_low_l_per_kwh", "wue_high_l_per_kwh", "l/kWh", 0.0, 100.0),
    "embodied": FigureKind(
        "device", "embodied_kg", "embodied_low_kg", "embodied_high_kg", "kg", 0.1, 100_000.0,
        frozenset({"match", "lifetime_years", "boundary"}),
    ),
}  # fmt: skip
_LONGEST_LIFE_YEARS = 50.0


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its range and where it comes from.

    Attributes:
        kind: ``pue``, ``wue`` or ``embodied``.
        id: What it is for: a place or a device.
        name: The same in words.
        value: The central figure; None where only a range is known.
        low: Lower end; None if unknown.
        high: Upper end; None if unknown.
        unit: Unit of all three; empty if they have none.
        lifetime_years: For how long the device is used; None for all other kinds.
        match: Words of which all are in the name of such a device.
        first_day: First day it is for, ISO date; None if for all days.
        last_day: Last day it is for.
        boundary: What it covers; empty where that goes without saying.
        status: How firm it is.
        source: Who published it.
        edition: Which edition of that.
        published: Day, month or year of the edition.
        url: Where it was published.
        licence: Licence of the figure.
        attribution: What its licence wants to be said.
        retrieved: Day it was taken from its source.
        verified: Whether it was checked against its source.
        table: Name of the file it is in.
        sha256: Checksum of that file, hexadecimal.
    """

    kind: str
    id: str
    name: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    lifetime_years: float | None
    match: tuple[str, ...]
    first_day: str | None
    last_day: str | None
    boundary: str
    status: str
    source: str
    edition: str
    published: str
    url: str
    licence: str
    attribution: str
    retrieved: str
    verified: bool
    table: str
    sha256: str


def figures(tables: Iterable[Table]) -> list[Figure]:
    """Return the figures of some tables.

    Raises:
        ConfigError: A line has a value that is none, or is there twice.
    """
    found: list[Figure] = []
    seen: dict[tuple[str, ...], list[tuple[str, str, Line]]] = {}
    for table in tables:
        kind = FIGURE_KINDS[table.kind]
        for line in table.lines:
            figure = _figure(table, kind, line)
            first, last = figure.first_day or FIRST_DAY, figure.last_day or LAST_DAY
            same = seen.setdefault((table.kind, figure.id), [])
            for other_first, other_last, before in same:
                if first <= other_last and other_first <= last:
                    line.wrong(kind.key, _A_NEW_KEY.format(file=before.file.name, line=before.number))
            same.append((first, last, line))
            found.append(figure)
    return found


def _figure(table: Table, kind: FigureKind, line: Line) -> Figure:
    value, low, high = (
        line.number_in(column, kind.least, kind.most) for column in (kind.value, kind.low, kind.high)
    )
    if value is None and (low is None or high is None):
        line.wrong(kind.value, _A_VALUE_OR_RANGE)
    known = [figure for figure in (low, value, high) if figure is not None]
    if known != sorted(known):
        line.wrong(kind.low, _IN_RANGE)
    first, last = line.period()
    key = line.text(kind.key)
    return Figure(
        kind=table.kind,
        id=key,
        name=line.text("name", key),
        value=value,
        low=low,
        high=high,
        unit=kind.unit,
        lifetime_years=line.number_in("lifetime_years", 0.1, _LONGEST_LIFE_YEARS),
        match=tuple(sorted(_words(line.text("match", "")))),
        first_day=first if first > FIRST_DAY else None,
        last_day=last if last < LAST_DAY else None,
        boundary=line.text("boundary", ""),
        status=line.word("status", tuple(FACTOR_STATUS), "final"),
        source=line.text("source"),
        edition=line.text("edition"),
        published=line.published(),
        url=line.text("url", ""),
        licence=line.text("licence", ""),
        attribution=line.text("attribution", ""),
        retrieved=line.text("retrieved", ""),
        verified=line.word("verified", ("true", "false"), "false") == "true",
        table=table.file.name,
        sha256=table.sha256,
    )


def figure_for(all_figures: Iterable[Figure], kind: str, key: str, day: str) -> Figure | None:
    """Return what applies to a place or device on a day: of that day, else the latest before, else the earliest.

    Args:
        all_figures: To choose from.
        kind: ``pue``, ``wue`` or ``embodied``.
        key: Place or device.
        day: ISO date.
    """
    fitting = [figure for figure in all_figures if (figure.kind, figure.id) == (kind, key)]
    begun = [figure for figure in fitting if (figure.first_day or FIRST_DAY) <= day]
    if begun:
        return max(begun, key=lambda figure: figure.first_day or FIRST_DAY)
    return min(fitting, key=lambda figure: figure.first_day or FIRST_DAY, default=None)


def embodied_of(all_figures: Iterable[Figure], device: str) -> Figure | None:
    """Return the embodied figure of a device by its key or by the name that its driver gives it.

    A name fits where all words of a figure's ``match`` are in it; the one with most words wins. A card that is not
    in the table has no figure: another card's would be an invention.
    """
    words = _words(device)
    of_devices = [figure for figure in all_figures if figure.kind == "embodied"]
    named = [figure for figure in of_devices if figure.id == device]
    alike = [figure for figure in of_devices if figure.match and words.issuperset(figure.match)]
    return named[0] if named else max(alike, key=lambda figure: len(figure.match), default=None)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.casefold()))
