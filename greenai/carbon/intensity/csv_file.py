"""Intensities from any CSV file with a header: the columns are found by their names, which carry the unit.

* Time, one of: ``start`` (ISO 8601 with its offset from UTC), ``start_utc`` (ISO 8601), ``start_unix_s``. Local
  times without an offset are refused: on the night the clocks go back an hour is there twice.
* End, if there is one, named the same way with ``end``. Without it a step lasts until the next, see
  ``series.ends_of``.
* Value: one column whose name ends in a unit of ``_UNITS``, e.g. ``intensity_g_per_kwh``; an empty field is
  unknown.
* ``forecast``: true or false, if there is such a column.
* ``gases``, ``boundary``, ``basis``, ``source``, ``licence``: the same in every line, if there are such
  columns.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from greenai.carbon.intensity.download import checksum
from greenai.carbon.intensity.printable import printable
from greenai.carbon.intensity.request import series_of
from greenai.carbon.intensity.series import (
    BASES,
    BOUNDARIES,
    GASES,
    LATEST_MS,
    LONGEST_STEP_MS,
    MOST_G_PER_KWH,
    MS_PER_S,
    IntensityStep,
    Origin,
    SeriesError,
    StepStatus,
    ends_of,
    impossible_maximum,
)
from greenai.carbon.intensity.services import CSV
from greenai.core import quantity
from greenai.core.errors import ConfigError
from greenai.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from greenai.carbon.intensity.download import Answer
    from greenai.carbon.intensity.series import IntensitySeries

# Grams per kilowatt-hour in one of each unit. 1 lb = 453.59237 g (exact), 1 MJ = 1/3.6 kWh.
_UNITS = {
    "g_per_kwh": 1.0,
    "kg_per_mwh": 1.0,
    "kg_per_kwh": 1_000.0,
    "t_per_mwh": 1_000.0,
    "lb_per_mwh": 0.45359237,
    "g_per_mj": 3.6,
}
_TIMES = ("", "_utc", "_unix_s")
_SAID = ("gases", "boundary", "basis", "source", "licence")
_SWITCH = {"true": True, "false": False, "1": True, "0": False, "": False}
_WORDS = {"gases": ("", *GASES), "boundary": ("", *BOUNDARIES), "basis": ("", *BASES)}
# Python alone would also take 4_00 and the digits of other scripts.
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[0-9]{1,12}")
_LONGEST_VALUE = 60
_LONGEST_LIST = 300

_AT = Text(de="{path}, Zeile {line}: {problem}", en="{path}, line {line}: {problem}")
_IN = Text(de="{path}: {problem}", en="{path}: {problem}")
_NO_TEXT = Text(de="das ist kein Text in UTF-8.", en="that is no text in UTF-8.")
_NO_ROWS = Text(de="die Datei hat keine Werte.", en="the file has no values.")
_NO_TIME = Text(
    de="keine Spalte sagt, wann ein Wert gilt; vorhanden sind: {names}.",
    en="no column says when a value holds; there are: {names}.",
)
_NO_UNIT = Text(
    de="keine Spalte nennt eine bekannte Einheit; vorhanden sind: {names}.",
    en="no column names a known unit; there are: {names}.",
)
_TWO_VALUES = Text(
    de="mehrere Spalten haben Werte ({names}); welche gilt, ist nicht zu erkennen.",
    en="several columns have values ({names}); which of them holds cannot be told.",
)
_BAD_NUMBER = Text(
    de="„{value}“ in Spalte {column} ist keine Zahl (mit Dezimalpunkt).",
    en='"{value}" in column {column} is no number (with a decimal point).',
)
_OUT_OF_RANGE = Text(
    de="{value} in Spalte {column} liegt nicht zwischen 0 und {most} g/kWh; stimmt die Einheit im Spaltennamen?",
    en="{value} in column {column} is not between 0 and {most} g/kWh; is the unit in the column's name right?",
)
_BAD_TIME = Text(de="„{value}“ in Spalte {column} ist keine Zeit.", en='"{value}" in column {column} is no time.')
_NOT_OUR_TIME = Text(
    de="„{value}“ in Spalte {column} liegt nicht zwischen 1970 und 2100.",
    en='"{value}" in column {column} is not between 1970 and 2100.',
)
_NO_OFFSET = Text(
    de="„{value}“ in Spalte {column} sagt nicht, in welcher Zeitzone.",
    en='"{value}" in column {column} does not say in which time zone.',
)
_BAD_WORD = Text(
    de="„{value}“ in Spalte {column} ist keines von: {words}.",
    en='"{value}" in column {column} is none of: {words}.',
)
_CHANGES = Text(
    de="Spalte {column} sagt nicht in jeder Zeile dasselbe.",
    en="column {column} does not say the same in every line.",
)
_FIELDS = Text(de="es sind nicht so viele Felder wie Spalten.", en="there are not as many fields as columns.")
_OVERLAP = Text(
    de="der Schritt beginnt, bevor der vorige endet, oder endet nicht nach seinem Beginn.",
    en="the step begins before the one before it ends, or does not end after it begins.",
)
_TOO_LONG = Text(
    de="der Schritt ist länger als ein Tag; hier geht es um Werte im Verlauf des Tages.",
    en="the step is longer than a day; this is about values over the day.",
)
_OTHER_UNIT = Text(
    de="der größte Wert in Spalte {column} ist {value} g/kWh, so wenig wie in keinem Stromnetz; "
    "stimmt die Einheit im Spaltennamen?",
    en="the largest value in column {column} is {value} g/kWh, less than any grid's; "
    "is the unit in the column's name right?",
)
_NO_LENGTH = Text(
    de="ein einziger Wert sagt nicht, wie lange er gilt.", en="one value alone does not say how long it holds."
)
_RENAME_TIME = Text(
    de="Eine Spalte so nennen: start (mit Zeitzone, z. B. 2026-11-22T13:00+01:00), start_utc oder start_unix_s.",
    en="Name a column: start (with its offset, e.g. 2026-11-22T13:00+01:00), start_utc or start_unix_s.",
)
_RENAME_VALUE = Text(
    de="Genau eine Spalte mit ihrer Einheit benennen, z. B. intensity_g_per_kwh. Möglich sind: {units}.",
    en="Name exactly one column with its unit, e.g. intensity_g_per_kwh. There are: {units}.",
).format(units=", ".join(f"..._{unit}" for unit in _UNITS))
_MEND = Text(
    de="Zeile berichtigen und noch einmal einlesen; übernommen wurde nichts.",
    en="Mend that line and read it again; nothing was kept.",
)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which column says what."""

    start: str
    end: str | None
    value: str
    g_per_kwh: float


class _LineError(Exception):
    """What is wrong with a line."""

    def __init__(self, problem: Text) -> None:
        super().__init__(problem)
        self.problem = problem


def parse(zone: str, answer: Answer) -> IntensitySeries:
    """Read a file.

    Args:
        zone: Of which grid it is.
        answer: Its path and its bytes.

    Raises:
        ConfigError: Something in it is wrong; says in which line.
        NoDataError: There is no value in it.
    """
    answer = answer._replace(url=printable(answer.url))
    try:
        text = answer.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(_IN.format(path=answer.url, problem=_NO_TEXT)) from None
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True, strict=True)
    rows: list[tuple[int, int, int | None, float | None, StepStatus]] = []
    said: dict[str, str] = {}
    try:
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = names
        columns = _columns(answer.url, names)
        for row in reader:
            rows.append((reader.line_num, *_read(row, columns)))
            _same(said, row)
    except _LineError as error:
        raise _at(answer, reader.line_num, error.problem) from None
    except csv.Error as error:
        problem = Text(de=f"{error}.", en=f"{error}.")
        raise _at(answer, max(reader.line_num, 1), problem) from None
    origin, steps = _origin(zone, answer, said), _steps(answer, rows)
    largest = impossible_maximum(steps, origin.boundary)
    if largest is not None:
        small = Text.each(partial(quantity.number, largest))
        problem = _OTHER_UNIT.format(column=printable(columns.value, _LONGEST_VALUE), value=small)
        raise ConfigError(_IN.format(path=answer.url, problem=problem), _RENAME_VALUE)
    return series_of(origin, steps)


def _at(answer: Answer, line: int, problem: Text) -> ConfigError:
    return ConfigError(_AT.format(path=answer.url, line=line, problem=problem), _MEND)


def _columns(path: str, names: Sequence[str]) -> _Columns:
    listed = printable(", ".join(names), _LONGEST_LIST)
    starts = [f"start{suffix}" for suffix in _TIMES if f"start{suffix}" in names]
    if not starts:
        raise ConfigError(_IN.format(path=path, problem=_NO_TIME.format(names=listed)), _RENAME_TIME)
    end = starts[0].replace("start", "end")
    values = [
        (name, factor)
        for name in names
        for unit, factor in _UNITS.items()
        if name == unit or name.endswith(f"_{unit}")
    ]
    if not values:
        raise ConfigError(_IN.format(path=path, problem=_NO_UNIT.format(names=listed)), _RENAME_VALUE)
    if len(values) > 1:
        problem = _TWO_VALUES.format(names=printable(", ".join(name for name, _ in values), _LONGEST_LIST))
        raise ConfigError(_IN.format(path=path, problem=problem), _RENAME_VALUE)
    name, factor = values[0]
    return _Columns(starts[0], end if end in names else None, name, factor)


def _read(
    row: Mapping[str | None, str | None], columns: _Columns
) -> tuple[int, int | None, float | None, StepStatus]:
    if None in row or None in row.values():
        raise _LineError(_FIELDS)
    end_ms = _time(row, columns.end) if columns.end is not None else None
    forecast = (row.get("forecast") or "").strip().lower()
    if forecast not in _SWITCH:
        raise _LineError(_BAD_WORD.format(value=_shown(forecast), column="forecast", words="true, false"))
    status = StepStatus.FORECAST if _SWITCH[forecast] else StepStatus.ACTUAL
    return _time(row, columns.start), end_ms, _value(row, columns), status


def _value(row: Mapping[str | None, str | None], columns: _Columns) -> float | None:
    said = (row[columns.value] or "").strip()
    if not said:
        return None
    column = printable(columns.value, _LONGEST_VALUE)
    if not _NUMBER.fullmatch(said):
        raise _LineError(_BAD_NUMBER.format(value=_shown(said), column=column))
    g_per_kwh = float(said) * columns.g_per_kwh
    if not 0 <= g_per_kwh <= MOST_G_PER_KWH:
        raise _LineError(_OUT_OF_RANGE.format(value=_shown(said), column=column, most=f"{MOST_G_PER_KWH:g}"))
    return g_per_kwh


def _shown(said: str) -> str:
    return printable(said, _LONGEST_VALUE)


def _time(row: Mapping[str | None, str | None], column: str) -> int:
    said = (row[column] or "").strip()
    is_unix = column.endswith("_unix_s")
    if is_unix and not _WHOLE.fullmatch(said):
        raise _LineError(_BAD_TIME.format(value=_shown(said), column=column))
    try:
        if is_unix:
            moment = datetime.fromtimestamp(int(said), tz=UTC)
        else:
            moment = datetime.fromisoformat(said)
            if column.endswith("_utc") and moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        raise _LineError(_BAD_TIME.format(value=_shown(said), column=column)) from None
    if moment.tzinfo is None:
        raise _LineError(_NO_OFFSET.format(value=_shown(said), column=column))
    t_ms = int(moment.timestamp()) * MS_PER_S
    if not 0 <= t_ms < LATEST_MS:
        raise _LineError(_NOT_OUR_TIME.format(value=_shown(said), column=column))
    return t_ms


def _same(said: dict[str, str], row: Mapping[str | None, str | None]) -> None:
    """Remember what a line says about the whole file; the next must say the same."""
    for column in _SAID:
        value = printable((row.get(column) or "").strip())
        if value not in _WORDS.get(column, (value,)):
            known = ", ".join(filter(None, _WORDS[column]))
            raise _LineError(_BAD_WORD.format(value=_shown(value), column=column, words=known))
        if said.setdefault(column, value) != value:
            raise _LineError(_CHANGES.format(column=column))


def _steps(
    answer: Answer, rows: Sequence[tuple[int, int, int | None, float | None, StepStatus]]
) -> list[IntensityStep]:
    if not rows:
        raise ConfigError(_IN.format(path=answer.url, problem=_NO_ROWS), _MEND)
    starts_ms = [start_ms for _, start_ms, *_ in rows]
    for before, (line, start_ms, *_) in zip(starts_ms, rows[1:], strict=False):
        if start_ms <= before:
            raise _at(answer, line, _OVERLAP)
    try:
        ends_ms = [end_ms for *_, end_ms, _, _ in rows if end_ms is not None] or ends_of(starts_ms)
    except SeriesError:
        raise _at(answer, rows[0][0], _NO_LENGTH) from None
    steps: list[IntensityStep] = []
    for (line, start_ms, _, value, status), end_ms in zip(rows, ends_ms, strict=True):
        if end_ms <= start_ms or (steps and start_ms < steps[-1].end_ms):
            raise _at(answer, line, _OVERLAP)
        if end_ms - start_ms > LONGEST_STEP_MS:
            raise _at(answer, line, _TOO_LONG)
        steps.append(IntensityStep(start_ms, end_ms, value, status))
    return steps


def _origin(zone: str, answer: Answer, said: Mapping[str, str]) -> Origin:
    return Origin(
        service=CSV,
        zone=zone,
        kind="average",
        gases=said.get("gases") or None,
        boundary=said.get("boundary") or None,
        basis=said.get("basis") or None,
        source=said.get("source") or answer.url,
        url=answer.url,
        licence=said.get("licence") or "",
        attribution="",
        retrieved_ms=answer.retrieved_ms,
        sha256=checksum([answer]),
        verified=False,
    )
