"""One factor table: a CSV file, and beside it a TOML file that says what is the same for all its lines."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from hashlib import sha256
from math import isfinite
from typing import TYPE_CHECKING, NoReturn

from greenai.core.errors import ConfigError
from greenai.core.quantity import localise
from greenai.core.text import Text
from greenai.host.files import NotAFileError, open_regular

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MOST_BYTES = 20_000_000
_LONGEST_SHOWN = 100  # of what is repeated in a complaint

_REMEDY = Text(
    de="Berichtigen, dann prüfen: greenai factors list (Aufbau der Tabellen: docs/factors.md)",
    en="Correct it, then check: greenai factors list (how tables are built: docs/factors.md)",
)
_WRONG = Text(
    de="{file}, Zeile {line}, Spalte {column}: {value} passt nicht; erwartet wird {expected}.",
    en="{file}, line {line}, column {column}: {value} does not fit; expected is {expected}.",
)
_WRONG_CELLS = Text(
    de="{file}, Zeile {line}: {count} Felder statt {expected}. Ein Komma in einem Feld braucht Anführungszeichen, "
    "Zahlen haben einen Dezimalpunkt.",
    en="{file}, line {line}: {count} cells instead of {expected}. A comma within a cell needs quotes, numbers "
    "have a decimal point.",
)
_UNKNOWN_COLUMN = Text(
    de="{file}, Zeile 1: Die Spalte „{column}“ gibt es nicht. Erlaubt sind: {allowed}.",
    en='{file}, line 1: there is no column "{column}". Allowed are: {allowed}.',
)
_WRONG_UNIT = Text(
    de="{file}, Zeile 1: Die Spalte „{column}“ hat die falsche Einheit; erwartet wird {right}.",
    en='{file}, line 1: column "{column}" has the wrong unit; expected is {right}.',
)
_CONVERT = Text(
    de="Spalte in {right} umbenennen und jeden Wert mit {factor} malnehmen.",
    en="Rename the column {right} and multiply each value by {factor}.",
)
_TWICE = Text(
    de="{file}, Zeile 1: Die Spalte „{column}“ kommt zweimal vor.",
    en='{file}, line 1: column "{column}" is there twice.',
)
_NO_COLUMN = Text(
    de="{file}, Zeile {line}: Die Angabe „{column}“ fehlt, als Spalte oder in {header}.",
    en='{file}, line {line}: "{column}" is missing, as a column or in {header}.',
)
_NO_TABLE = Text(de="{file} ist keine lesbare Tabelle: {problem}.", en="{file} is no readable table: {problem}.")
_EMPTY = Text(de="sie hat keine Zeilen", en="it has no lines")
_BEYOND_US = Text(
    de="eine Zahl darin hat zu viele Stellen, oder Klammern stehen zu tief ineinander",
    en="a number in it has too many digits, or brackets are too deep within each other",
)
_NO_FILE = Text(de="das ist keine gewöhnliche Datei", en="that is no ordinary file")
_TOO_BIG = Text(de="sie ist größer als 20 MB", en="it is larger than 20 MB")
_SEMICOLONS = Text(
    de="die Spalten sind mit Strichpunkten getrennt, nicht mit Kommas",
    en="its columns are separated by semicolons, not by commas",
)
_A_NUMBER = Text(
    de="eine Zahl von {low} bis {high}, mit Dezimalpunkt", en="a number from {low} to {high}, with a decimal point"
)
_A_DAY = Text(
    de="ein Tag wie 2025-12-31 oder ein Jahr oder Monat", en="a day such as 2025-12-31, or a year or month"
)
_A_YEAR = Text(de="ein Jahr wie 2025", en="a year such as 2025")
_ORDER = Text(de="ein letzter Tag, der nicht vor dem ersten liegt", en="a last day that is not before the first")
_A_TEXT = Text(de="eine druckbare Zeile", en="one printable line")
_ONE_OF = Text(de="eines von: {names}", en="one of: {names}")

_UNIT = re.compile(r"(?:.*_)?(kg|g|mg|t|lbs?)_?(?:co2e?q?_)?per_(wh|kwh|mwh|gwh|gj|mj)")
_GRAMS = {"kg": 1e3, "g": 1.0, "mg": 1e-3, "t": 1e6, "lb": 453.59237, "lbs": 453.59237}
_KWH = {"wh": 1e-3, "kwh": 1.0, "mwh": 1e3, "gwh": 1e6, "gj": 1 / 3.6e-3, "mj": 1 / 3.6}
_YEAR = re.compile(r"[12]\d{3}", re.ASCII)
_PERIOD = re.compile(r"([12]\d{3})(?:-(0[1-9]|1[0-2])(?:-(\d{2}))?)?", re.ASCII)
FIRST_DAY, LAST_DAY = "0001-01-01", "9999-12-31"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table, what its header says included; asks for values and complains in one way."""

    file: Path
    number: int
    cells: Mapping[str, str]

    def wrong(self, column: str, expected: Text) -> NoReturn:
        """Complain about a cell.

        Raises:
            ConfigError: Always.
        """
        value = shortened(repr(self.cells.get(column, "")))
        raise ConfigError(
            _WRONG.format(file=self.file, line=self.number, column=column, value=value, expected=expected), _REMEDY
        )

    def text(self, column: str, default: str | None = None) -> str:
        """Return a text; an empty or absent one is the default."""
        value = self.cells.get(column, "")
        if not value:
            if default is None:
                header = self.file.with_suffix(".toml").name
                raise ConfigError(
                    _NO_COLUMN.format(file=self.file, line=self.number, column=column, header=header), _REMEDY
                )
            return default
        if not value.isprintable():
            self.wrong(column, _A_TEXT)
        return value

    def word(self, column: str, allowed: Sequence[str], default: str | None = None) -> str:
        """Return one of some words."""
        value = self.text(column, default)
        if value not in allowed:
            self.wrong(column, _ONE_OF.format(names=", ".join(allowed)))
        return value

    def number_in(self, column: str, low: float, high: float) -> float | None:
        """Return a number between two others; None if the cell is empty or absent."""
        value = self.cells.get(column, "")
        if not value:
            return None
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        # "1_000", and digits of other scripts, are numbers to Python only.
        if not isfinite(number) or not low <= number <= high or "_" in value or not value.isascii():
            self.wrong(column, _A_NUMBER.format(low=_figure(low), high=_figure(high)))
        return number

    def period(self) -> tuple[str, str]:
        """Return first and last day: of ``year``, or ``first_day`` and ``last_day``; without them all days."""
        if year := self.cells.get("year", ""):
            if not _YEAR.fullmatch(year):
                self.wrong("year", _A_YEAR)
            return _whole_year(year)
        first, last = self._day("first_day", at_end=False), self._day("last_day", at_end=True)
        if first > last:
            self.wrong("last_day", _ORDER)
        return first, last

    def published(self) -> str:
        """Return when the edition was published: a year, month or day; empty if it is not said."""
        self._day("published", at_end=False)
        return self.cells.get("published", "")

    def _day(self, column: str, *, at_end: bool) -> str:
        value = self.cells.get(column, "")
        if not value:
            return LAST_DAY if at_end else FIRST_DAY
        found = _PERIOD.fullmatch(value)
        if found is None:
            self.wrong(column, _A_DAY)
        year, month, day = (int(part) if part else None for part in found.groups())
        try:
            if day is not None or not at_end:
                return date(year or 0, month or 1, day or 1).isoformat()
        except ValueError:
            self.wrong(column, _A_DAY)
        next_month = date(year or 0, month or 12, 28) + timedelta(days=4)
        return (next_month.replace(day=1) - timedelta(days=1)).isoformat()


@dataclass(frozen=True, slots=True)
class Table:
    """A table as read, before its lines are made sense of.

    Attributes:
        file: The CSV file.
        kind: What its lines are: a name of ``kinds``.
        sha256: Checksum of the CSV file, hexadecimal.
        columns: Of the CSV file.
        lines: Its lines.
    """

    file: Path
    kind: str
    sha256: str
    columns: frozenset[str]
    lines: tuple[Line, ...]


@lru_cache(maxsize=1024)
def _whole_year(year: str) -> tuple[str, str]:
    return f"{year}-01-01", f"{year}-12-31"


def read_table(file: Path, kinds: Mapping[str, frozenset[str]]) -> Table:
    """Read a table and the header beside it.

    Args:
        file: The CSV file; the header has the same name and ends in ``.toml``. Without one each line says all.
        kinds: Which columns each kind of table may have.

    Raises:
        ConfigError: It cannot be read, or has a column that does not fit its kind.
    """
    raw = _bytes(file)
    header_file = file.with_suffix(".toml")
    header = _header(header_file) if os.path.lexists(header_file) else {}
    kind = header.pop("kind", "grid")
    same = Line(header_file, 1, {**header, "kind": kind})
    same.word("kind", sorted(kinds))
    _check_columns(header_file, list(header), kinds[kind])
    rows = _rows(file, raw)
    _, columns = rows[0]
    _check_columns(file, columns, kinds[kind])
    lines = []
    for number, row in rows[1:]:
        if len(row) != len(columns):
            raise ConfigError(
                _WRONG_CELLS.format(file=file, line=number, count=len(row), expected=len(columns)), _REMEDY
            )
        # An empty cell leaves it to the header.
        cells = {column: cell for column, cell in zip(columns, map(str.strip, row), strict=True) if cell}
        lines.append(Line(file, number, header | cells))
    return Table(file, kind, sha256(raw).hexdigest(), frozenset(columns), tuple(lines))


def _rows(file: Path, raw: bytes) -> list[tuple[int, list[str]]]:
    """Return the rows that are not empty, with the number of the line each ends in."""
    try:
        reader = csv.reader(raw.decode("utf-8-sig").splitlines(), strict=True)
        rows = [(reader.line_num, row) for row in reader if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(_NO_TABLE.format(file=file, problem=shortened(str(error))), _REMEDY) from error
    if len(rows) < 2:  # noqa: PLR2004  # the columns' names and a line
        raise ConfigError(_NO_TABLE.format(file=file, problem=_EMPTY), _REMEDY)
    if len(rows[0][1]) == 1 and ";" in rows[0][1][0]:
        raise ConfigError(_NO_TABLE.format(file=file, problem=_SEMICOLONS), _REMEDY)
    rows[0][1][:] = [column.strip() for column in rows[0][1]]
    return rows


def _header(file: Path) -> dict[str, str]:
    import tomllib

    raw = _bytes(file)
    try:
        data = tomllib.loads(raw.decode("utf-8-sig"))
        said = {key: str(value) for key, value in data.items()}
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(_NO_TABLE.format(file=file, problem=shortened(str(error))), _REMEDY) from error
    except (ValueError, OverflowError, RecursionError) as error:  # a number of 5,000 digits, a thousand brackets
        raise ConfigError(_NO_TABLE.format(file=file, problem=_BEYOND_US), _REMEDY) from error
    line = Line(file, 1, said)
    for key, value in data.items():
        if not isinstance(value, (str, int, float, bool, date)):
            line.wrong(shortened(key), _A_TEXT)
    return {key: text.lower() if isinstance(data[key], bool) else text.strip() for key, text in said.items()}


def _bytes(file: Path) -> bytes:
    try:
        with open_regular(file) as opened:  # on a pipe we would wait for ever
            raw = opened.read(MOST_BYTES + 1)
    except NotAFileError as error:
        raise ConfigError(_NO_TABLE.format(file=file, problem=_NO_FILE), _REMEDY) from error
    except OSError as error:
        raise ConfigError(_NO_TABLE.format(file=file, problem=error.strerror or error), _REMEDY) from error
    if len(raw) > MOST_BYTES:
        raise ConfigError(_NO_TABLE.format(file=file, problem=_TOO_BIG), _REMEDY)
    return raw


def _check_columns(file: Path, columns: list[str], allowed: frozenset[str]) -> None:
    """Make sure that each column is known and there once.

    Raises:
        ConfigError: One is not; a wrong unit is named with the factor to convert it.
    """
    for index, column in enumerate(columns):
        if column in columns[:index]:
            raise ConfigError(_TWICE.format(file=file, column=shortened(column)), _REMEDY)
        if column in allowed:
            continue
        unit = _UNIT.fullmatch(column.lower())
        right = "value_g_per_kwh"
        if unit and right in allowed:
            raise ConfigError(
                _WRONG_UNIT.format(file=file, column=shortened(column), right=right),
                _CONVERT.format(right=right, factor=_figure(_GRAMS[unit[1]] / _KWH[unit[2]])),
            )
        from difflib import get_close_matches  # for complaints only

        near = get_close_matches(column, allowed, n=1)
        names = ", ".join([*near, *sorted(allowed - set(near))])
        raise ConfigError(_UNKNOWN_COLUMN.format(file=file, column=shortened(column), allowed=names), _REMEDY)


def shortened(written: str) -> str:
    """Return what somebody has written as a complaint repeats it."""
    return written if len(written) <= _LONGEST_SHOWN else f"{written[:_LONGEST_SHOWN]}…"


def _figure(number: float) -> Text:
    return Text.each(lambda language: localise(f"{number:.9g}", language))
