"""Reads what a site says about its electricity: contracts, consumption, prices, in a TOML file of its own.

[[contract]]
name = "PV on the roof"
kind = "own_generation"       # own_generation, ppa, guarantee_of_origin, supplier
from = 2026-01-01
to = 2026-12-31               # both days belong to it
kwh = 20000                   # or share = 0.25, or neither: all that is left
g_per_kwh = 0
gases = "CO2e"                # CO2 or CO2e
proof = "meter reading of 2 January 2027"

[[consumption]]               # of the whole site: makes kWh of a contract a share
from = 2026-01-01
to = 2026-12-31
kwh = 80000

[[price]]
from = 2026-01-01
to = 2026-12-31
per_kwh = 0.27
currency = "EUR"
"""

from __future__ import annotations

import difflib
import re
import tomllib
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from greenai.core.electricity import Consumption, Contract, Days, Electricity, Instrument, Price, checked
from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.settings.file import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MOST_KWH = 1e12  # more than any country
_MOST_G_PER_KWH = 5000.0  # no plant on earth
_MOST_PER_KWH = 10.0
_GASES = ("CO2", "CO2e")
_CURRENCY = re.compile(r"[A-Z]{3}")
_BYTE_ORDER_MARK = "\ufeff"
_LONGEST_SHOWN = 80
_HEADER = re.compile(r"\s*\[\[\s*(\w+)\s*\]\]")
_KEY = re.compile(r"\s*(\w+)\s*=")

_UNREADABLE = Text(
    de="{path}: die Angaben zum Strom sind nicht lesbar ({reason}).",
    en="{path}: what is said about the electricity cannot be read ({reason}).",
)
_CHOOSE = Text(
    de="Datei nennen mit: greenai config set electricity DATEI",
    en="Name the file with: greenai config set electricity FILE",
)
_WRONG = Text(de="{path}, Zeile {line}: {problem}", en="{path}, line {line}: {problem}")
_CONTRADICTION = Text(de="{path}: {problem}", en="{path}: {problem}")
_EXAMPLE = Text(
    de="Ein Beispiel mit allen Angaben steht in docs/carbon.md.",
    en="docs/carbon.md has an example of all entries.",
)
_UNKNOWN_TABLE = Text(
    de="[[{name}]] gibt es nicht; möglich sind [[contract]], [[consumption]], [[price]].",
    en="there is no [[{name}]]; there are [[contract]], [[consumption]], [[price]].",
)
_NO_LIST = Text(de="geschrieben wird [[{name}]], mit zwei Klammern.", en="write [[{name}]], with two brackets.")
_UNKNOWN_KEY = Text(
    de="„{key}“ gibt es in [[{table}]] nicht; möglich sind {keys}.",
    en='there is no "{key}" in [[{table}]]; there are {keys}.',
)
_NEAREST = Text(de="Gemeint ist vielleicht „{nearest}“.", en='Did you mean "{nearest}"?')
_MISSING = Text(de="in [[{table}]] fehlt „{key}“.", en='[[{table}]] lacks "{key}".')
_EXPECTED = Text(
    de="„{key}“ = {value} passt nicht; erwartet wird {expected}.",
    en='"{key}" = {value} does not fit; expected is {expected}.',
)
_A_DATE = Text(de="ein Tag wie 2026-01-31, ohne Anführungszeichen", en="a day such as 2026-01-31, without quotes")
_A_NUMBER = Text(de="eine Zahl von {low} bis {high}", en="a number from {low} to {high}")
_A_TEXT = Text(de="ein nicht leerer Text", en="a text that is not empty")
_ONE_OF = Text(de="eines von {words}", en="one of {words}")
_A_CURRENCY = Text(de="drei Großbuchstaben wie EUR", en="three capital letters such as EUR")
_BACKWARDS = Text(de="„to“ liegt vor „from“.", en='"to" is before "from".')
_BOTH = Text(de="entweder „kwh“ oder „share“, nicht beides.", en='either "kwh" or "share", not both.')


def electricity_of(path: Path) -> Electricity:
    """Return what a file says. A file that has not changed is read once.

    Raises:
        ConfigError: It cannot be read, or an entry of it is wrong; file, line and what would be right are named.
    """
    try:
        stat = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(_UNREADABLE.format(path=path, reason=reason), _CHOOSE) from error
    return _read(path, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, _mtime_ns: int, _ctime_ns: int, _size: int) -> Electricity:
    try:
        text = read_settings(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(_UNREADABLE.format(path=path, reason=error), _CHOOSE) from error
    return parse_electricity(text, str(path))


def parse_electricity(text: str, path: str) -> Electricity:
    """Read the text of such a file.

    Args:
        text: TOML.
        path: What to call it in an error.

    Raises:
        ConfigError: An entry is wrong, or entries contradict each other.
    """
    try:
        data = tomllib.loads(text.removeprefix(_BYTE_ORDER_MARK))
    except (ValueError, OverflowError, RecursionError) as error:  # ValueError: TOML, and integers of 5,000 digits
        raise ConfigError(_UNREADABLE.format(path=path, reason=error), _EXAMPLE) from error
    places = _places(text)
    for name, entries in data.items():
        if name not in _READERS:
            _refuse(path, _line(text, name), _UNKNOWN_TABLE.format(name=name))
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            _refuse(path, _line(text, name), _NO_LIST.format(name=name))
    found: dict[str, list[Any]] = {name: [] for name in _READERS}
    for name, read in _READERS.items():
        for number, values in enumerate(data.get(name, ())):
            place = places[name][number] if number < len(places.get(name, ())) else _Place(1, {})
            found[name].append(read(_Entry(path, name, values, place)))
    electricity = Electricity(tuple(found["consumption"]), tuple(found["contract"]), tuple(found["price"]))
    try:
        return checked(electricity)
    except ConfigError as error:
        raise ConfigError(_CONTRADICTION.format(path=path, problem=error.message), error.remedy) from error


class _Place(NamedTuple):
    """Where an entry stands: line of its header, and of each key."""

    line: int
    keys: dict[str, int]


class _Entry:
    """One table of the file, and how its values are read."""

    def __init__(self, path: str, table: str, values: dict[str, Any], place: _Place) -> None:
        self._path = path
        self._table = table
        self._values = values
        self._place = place
        self.line = place.line
        allowed = _KEYS[table]
        for key in values:
            if key not in allowed:
                near = difflib.get_close_matches(key, allowed, 1)
                problem = _UNKNOWN_KEY.format(key=key, table=table, keys=", ".join(allowed))
                self.refuse(problem, key, _NEAREST.format(nearest=near[0]) if near else None)

    def refuse(self, problem: Text, key: str = "", remedy: Text | None = None) -> NoReturn:
        _refuse(self._path, self._place.keys.get(key, self.line), problem, remedy)

    def get(self, key: str, fits: Callable[[Any], bool], expected: Text) -> Any:
        if key not in self._values:
            self.refuse(_MISSING.format(table=self._table, key=key))
        value = self._values[key]
        if not fits(value):
            self.refuse(_EXPECTED.format(key=key, value=_short(value), expected=expected), key)
        return value

    def days(self) -> Days:
        # A datetime is a date to Python.
        days = Days(*(self.get(key, lambda v: type(v) is date, _A_DATE) for key in ("from", "to")))
        if days.last < days.first:
            self.refuse(_BACKWARDS, "to")
        return days

    def number(self, key: str, high: float, *, above: float | None = None) -> float:
        def fits(value: object) -> bool:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                return False
            return 0 <= value <= high and (above is None or value > above)  # not of nan either

        return float(self.get(key, fits, _A_NUMBER.format(low="0", high=f"{high:g}")))

    def optional(self, key: str, high: float) -> float | None:
        return self.number(key, high) if key in self._values else None

    def text(self, key: str) -> str:
        return str(
            self.get(key, lambda v: isinstance(v, str) and bool(v.strip()) and v.isprintable(), _A_TEXT)
        ).strip()

    def word(self, key: str, words: tuple[str, ...]) -> str:
        return str(self.get(key, lambda v: v in words, _ONE_OF.format(words=", ".join(words))))


def _contract(entry: _Entry) -> Contract:
    kwh, share = entry.optional("kwh", _MOST_KWH), entry.optional("share", 1.0)
    if kwh is not None and share is not None:
        entry.refuse(_BOTH, "share")
    return Contract(
        name=entry.text("name"),
        instrument=Instrument(entry.word("kind", tuple(Instrument))),
        days=entry.days(),
        g_per_kwh=entry.number("g_per_kwh", _MOST_G_PER_KWH),
        gases=entry.word("gases", _GASES),
        proof=entry.text("proof"),
        kwh=kwh,
        share=share,
        line=entry.line,
    )


def _consumption(entry: _Entry) -> Consumption:
    return Consumption(entry.days(), entry.number("kwh", _MOST_KWH, above=0), entry.line)


def _price(entry: _Entry) -> Price:
    currency = entry.get("currency", lambda v: isinstance(v, str) and bool(_CURRENCY.fullmatch(v)), _A_CURRENCY)
    return Price(entry.days(), entry.number("per_kwh", _MOST_PER_KWH), currency, entry.line)


_READERS: dict[str, Callable[[_Entry], Any]] = {
    "contract": _contract, "consumption": _consumption, "price": _price,
}  # fmt: skip
_KEYS = {
    "contract": ("name", "kind", "from", "to", "kwh", "share", "g_per_kwh", "gases", "proof"),
    "consumption": ("from", "to", "kwh"),
    "price": ("from", "to", "per_kwh", "currency"),
}


def _places(text: str) -> dict[str, list[_Place]]:
    """Return where the entries of each table stand; the TOML reader does not say."""
    places: dict[str, list[_Place]] = {}
    here: _Place | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            here = _Place(number, {})
            places.setdefault(header[1], []).append(here)
        elif here is not None and (key := _KEY.match(line)):
            here.keys.setdefault(key[1], number)
    return places


def _short(value: object) -> str:
    try:
        written = repr(value)
    except ValueError:  # an integer of thousands of digits
        written = "..."
    return written if len(written) <= _LONGEST_SHOWN else f"{written[:_LONGEST_SHOWN]}..."


def _line(text: str, name: str) -> int:
    """Return the line that first speaks of a table or key; 1 if it is written in some other way."""
    wanted = re.compile(rf"\s*\[*\s*[\"']?{re.escape(name)}\b")
    return next((number for number, line in enumerate(text.splitlines(), 1) if wanted.match(line)), 1)


def _refuse(path: str, line: int, problem: Text, remedy: Text | None = None) -> NoReturn:
    raise ConfigError(_WRONG.format(path=path, line=line, problem=problem), remedy or _EXAMPLE)
