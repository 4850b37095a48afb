"""All factor tables: the user's own, which go first, and the shipped ones. Each is read once per process."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING

from greenai.carbon.figures import FIGURE_KINDS, figures
from greenai.carbon.grid_table import GRID_COLUMNS, grid_factors
from greenai.carbon.table_file import read_table
from greenai.core.errors import ConfigError
from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.carbon.figures import Figure
    from greenai.core.footprint import FactorUsed

SHIPPED = Path(__file__).with_name("data") / "tables"
KINDS = {"grid": GRID_COLUMNS, **{name: kind.columns for name, kind in FIGURE_KINDS.items()}}

_NOTHING = Text(
    de="Die Einstellung factors nennt {path}; dort ist keine Tabelle (*.csv).",
    en="The setting factors names {path}; there is no table (*.csv) there.",
)
_NOTHING_REMEDY = Text(
    de="Anderswo suchen: greenai config set factors ORDNER; ohne eigene: greenai config unset factors",
    en="Look elsewhere: greenai config set factors FOLDER; without your own: greenai config unset factors",
)
_UNREADABLE = Text(
    de="Die Einstellung factors nennt {path}; das ist nicht zu lesen: {problem}.",
    en="The setting factors names {path}, which cannot be read: {problem}.",
)
_UNREADABLE_REMEDY = Text(
    de="Ansehen: ls -ld {path}; wer greenai benutzt, muss Ordner und Tabellen lesen dürfen. Ohne eigene Tabellen: "
    "greenai config unset factors",
    en="Look at it: ls -ld {path}; everybody who uses greenai must be allowed to read the folder and its tables. "
    "Without your own: greenai config unset factors",
)
_NO_CSV = Text(
    de="Zu {path} gehört eine Tabelle {name}; sie fehlt.",
    en="{path} belongs to a table {name}, which is missing.",
)
_NO_CSV_REMEDY = Text(
    de="Tabelle danebenlegen oder Datei löschen.", en="Put the table beside it or delete the file."
)


@dataclass(frozen=True, slots=True)
class Layer:
    """The tables of one place.

    Attributes:
        folder: Where they are.
        grid: Grid factors by zone, residual mixes included.
        figures: All other figures.
    """

    folder: Path
    grid: dict[str, tuple[FactorUsed, ...]]
    figures: tuple[Figure, ...]


@lru_cache(maxsize=8)
def layers(own: Path | None = None) -> tuple[Layer, ...]:
    """Return all tables, those that go first first.

    Args:
        own: Folder or file of the user's tables (the setting ``factors``).

    Raises:
        ConfigError: A table is damaged, or there is none where the setting says.
    """
    shipped = _shipped()
    return (shipped,) if own is None else (_layer(own), shipped)


@lru_cache(maxsize=1)
def _shipped() -> Layer:
    return _layer(SHIPPED)


def _layer(path: Path) -> Layer:
    folder, names = _tables(path)
    tables = [read_table(folder / name, KINDS) for name in names]
    grid: dict[str, list[FactorUsed]] = defaultdict(list)
    for factor in grid_factors(table for table in tables if table.kind == "grid"):
        grid[factor.zone].append(factor)
    others = figures(table for table in tables if table.kind != "grid")
    return Layer(folder, {zone: tuple(factors) for zone, factors in grid.items()}, tuple(others))


def _tables(path: Path) -> tuple[Path, list[str]]:
    """Return the folder of the tables, and their names.

    Raises:
        ConfigError: There is none, or nothing that may be read.
    """
    try:
        names = [entry.name for entry in path.iterdir()] if S_ISDIR(path.stat().st_mode) else None
    except FileNotFoundError as error:
        raise ConfigError(_NOTHING.format(path=path), _NOTHING_REMEDY) from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        problem = getattr(error, "strerror", None) or error
        raise ConfigError(
            _UNREADABLE.format(path=path, problem=problem), _UNREADABLE_REMEDY.format(path=path)
        ) from error
    if names is None:
        return path.parent, [path.name]
    tables = sorted(name for name in names if name.endswith(".csv"))
    if not tables:
        raise ConfigError(_NOTHING.format(path=path), _NOTHING_REMEDY)
    for header in sorted(name for name in names if name.endswith(".toml")):
        if (name := f"{header.removesuffix('.toml')}.csv") not in tables:
            raise ConfigError(_NO_CSV.format(path=path / header, name=name), _NO_CSV_REMEDY)
    return path, tables
