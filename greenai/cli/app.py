"""What every command is given: the language, the settings, and the two output channels."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from greenai.cli.output import tell
from greenai.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.analysis import Analysis
    from greenai.core.text import Language, Text
    from greenai.settings import Settings


class _HasClose(Protocol):
    def close(self) -> None: ...


Closeable = TypeVar("Closeable", bound=_HasClose)


@dataclass(slots=True)
class App:
    """The running program.

    Attributes:
        language: What it speaks.
        overrides: Settings from the command line that hold for every command.
    """

    language: Language
    overrides: dict[str, Any] = field(default_factory=dict)
    _opened: ExitStack = field(default_factory=ExitStack)

    def say(self, text: Text, **values: object) -> str:
        """Return a text in the program's language, its placeholders filled."""
        return (text.format(**values) if values else text).to(self.language)

    def tell(self, text: Text, **values: object) -> None:
        """Talk to the person: one line on stderr."""
        tell(self.say(text, **values))

    def settings(self, **overrides: Any) -> Settings:
        """Return the settings in force.

        Raises:
            ConfigError: One of them is wrong.
        """
        return load_settings({**self.overrides, **overrides})

    def analysis(self) -> Analysis:
        """Open the data, those still in the spool included.

        Raises:
            GreenAIError: The database cannot be opened.
        """
        from greenai.analysis import Analysis

        return self.closing(Analysis.open(self.settings()))

    def closing(self, opened: Closeable) -> Closeable:
        """Have something closed when the command is over; return it."""
        self._opened.callback(opened.close)
        return opened

    def close(self) -> None:
        """Close what the command has opened."""
        self._opened.close()


def print_json(data: Any) -> None:
    """Write data to stdout as JSON."""
    print(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


WIDEST_CELL = 48
_GUTTER = 2


def plain(text: str) -> str:
    """Return a text that cannot steer a terminal: no control, direction or line-breaking characters."""
    return "".join(sign if sign.isprintable() or sign == "\u202f" else "\ufffd" for sign in text)


def print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[int] = (),
    spare: Sequence[int] = (),
) -> None:
    """Write an aligned table to stdout.

    Args:
        headings: One per column.
        rows: Cells as text.
        right: Indices of the columns that are aligned to the right (figures).
        spare: Indices of the columns that a narrow terminal does without, the first to be left out first.

    All columns but the last are cut at ``WIDEST_CELL`` characters.
    """
    rows = [[*(plain(cell)[:WIDEST_CELL] for cell in row[:-1]), plain(row[-1])] for row in rows]
    widths = [max(len(row[i]) for row in (headings, *rows)) for i in range(len(headings))]
    shown = list(range(len(headings)))
    for index in spare:
        if sum(widths[i] + _GUTTER for i in shown) - _GUTTER > _terminal_columns():
            shown.remove(index)
    for row in (headings, *rows):
        cells = [row[i].rjust(widths[i]) if i in right else row[i].ljust(widths[i]) for i in shown]
        print((" " * _GUTTER).join(cells).rstrip())


def _terminal_columns() -> float:
    """Return how much fits into a line; anything does where no terminal shows it."""
    return shutil.get_terminal_size().columns if os.isatty(1) else inf
