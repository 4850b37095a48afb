"""What sacct prints, row by row. Pure; strange rows are put aside with the reason, and never end the reading.

The first line names the columns, so that a recorded file says itself what it holds, whatever version wrote it. The
job's name stands last: it may hold anything, the delimiter and line breaks included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from greenai.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAME = "JobName"
NEEDED = (
    "Cluster", "JobIDRaw", "JobID", "User", "Account", "Partition", "State", "ExitCode", "Submit", "Start", "End",
    "ElapsedRaw", "TimelimitRaw", "NNodes", "NodeList", "NTasks", "ReqTRES", "AllocTRES", "TotalCPU", "MaxRSS",
    "TRESUsageInMax", "ConsumedEnergyRaw",
)  # fmt: skip
RESTARTS = "Restarts"  # from Slurm 24.11 on
_LONGEST_SHOWN = 200
_BYTE_ORDER_MARK = "\ufeff"  # of editors that save a recorded file

_HALF = Text(de="unvollständige Zeile", en="incomplete row")


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row, or a value of one, that was put aside.

    Attributes:
        line: Its number, from 1; the line with the names of the columns is the first.
        what: The row, shortened.
        reason: Why, in words.
        job: What tells its row from those of other jobs and steps; empty if that cannot be read.
    """

    line: int
    what: str
    reason: Text
    job: str = ""


class Row(NamedTuple):
    """A row of the table."""

    line: int
    values: dict[str, str]


class NotATableError(ValueError):
    """The first line does not name the columns that are needed."""


def columns(available: Iterable[str]) -> tuple[str, ...]:
    """Return the columns to ask for, in their order.

    Args:
        available: What ``sacct --helpformat`` names.
    """
    extra = (RESTARTS,) if RESTARTS in set(available) else ()
    return (*NEEDED, *extra, NAME)


def rows(lines: Iterable[str]) -> Iterator[Row | Quarantined]:
    """Read the table.

    Args:
        lines: As printed by ``sacct -P`` or ``-p``, the names of the columns first, whatever the delimiter.

    Raises:
        NotATableError: The first line names other columns.
    """
    numbered = enumerate((line.removeprefix(_BYTE_ORDER_MARK).rstrip("\r\n") for line in lines), 1)
    header = next((line for _, line in numbered if line.strip()), "")
    delimiter = _delimiter(header)
    closing = delimiter if header.endswith(delimiter) else ""  # sacct -p: one at the end of each row, too
    names = header.removesuffix(closing).split(delimiter)
    if not {*NEEDED, NAME} <= set(names) or names[-1] != NAME:
        raise NotATableError(header[:_LONGEST_SHOWN])
    last: Row | None = None
    for number, raw in numbered:
        line = raw.removesuffix(closing)
        values = line.split(delimiter, len(names) - 1)
        if len(values) == len(names):
            if last is not None:
                yield last
            last = Row(number, dict(zip(names, values, strict=True)))
        elif delimiter not in line and last is not None:
            last.values[NAME] += f"\n{line}"  # the name of the job before goes on
        elif line.strip():
            yield Quarantined(number, line[:_LONGEST_SHOWN], _HALF)
    if last is not None:
        yield last


def _delimiter(header: str) -> str:
    """Return what stands between the first two columns."""
    first, second = NEEDED[:2]
    start, end = len(first), header.find(second)
    if not header.startswith(first) or end <= start:
        raise NotATableError(header[:_LONGEST_SHOWN])
    return header[start:end]
