"""Times and durations as people type them, and times as batch systems take them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from greenai.cli.base import UnfitError
from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.core.text import Language

MS_PER_S = 1_000
_LONGEST_S = 366 * 86_400

_A_MOMENT = Text(
    de="eine Zeit wie 2026-11-22T18:00 (Ortszeit), 2026-11-22T18:00+01:00 oder ein Tag wie 2026-11-22",
    en="a time such as 2026-11-22T18:00 (local), 2026-11-22T18:00+01:00, or a day such as 2026-11-22",
)
_A_DURATION = Text(
    de="eine Dauer wie 6h, 90m, 1d12h oder 06:00:00, höchstens ein Jahr",
    en="a duration such as 6h, 90m, 1d12h or 06:00:00, a year at most",
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_IN_UNITS = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m(?:in)?)?(?:(\d{1,9})s)?")
_AS_SLURM = re.compile(r"(?:(\d{1,9})-)?(\d{1,9}):(\d\d):(\d\d)")


class Moment(click.types.StringParamType):
    """A point in time, milliseconds since the epoch; without an offset it is local time."""

    name = "time"

    def __init__(self, *, end_of_day: bool = False) -> None:
        """Make the type.

        Args:
            end_of_day: Whether a day means its end; else it means its beginning.
        """
        self._end_of_day = end_of_day

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the time, or complain."""
        if isinstance(value, int):
            return value
        said = str(value).strip()
        try:
            moment = datetime.fromisoformat(said)
            if self._end_of_day and _DAY.fullmatch(said):
                moment += timedelta(days=1)
            return int(moment.astimezone().timestamp()) * MS_PER_S
        except (ValueError, OverflowError, OSError):
            raise UnfitError(_A_MOMENT, param, ctx) from None


class Duration(click.types.StringParamType):
    """A length of time, milliseconds: with units, or as batch systems write it."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the length, or complain."""
        if isinstance(value, int):
            return value
        said = str(value).strip().lower()
        match = _AS_SLURM.fullmatch(said) or _IN_UNITS.fullmatch(said)
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
        length_s = days * 86_400 + hours * 3_600 + minutes * 60 + seconds
        if not 0 < length_s <= _LONGEST_S:
            raise UnfitError(_A_DURATION, param, ctx)
        return length_s * MS_PER_S


def for_sbatch(t_ms: int) -> str:
    """Return a time as ``sbatch --begin`` takes it: local time, no offset (Slurm: ``YYYY-MM-DDTHH:MM:SS``)."""
    return f"{_local(t_ms):%Y-%m-%dT%H:%M:%S}"


def is_there_twice(t_ms: int) -> bool:
    """Say whether a local time without an offset could mean another moment: the clocks go back an hour."""
    naive = _local(t_ms).replace(tzinfo=None)
    return naive.astimezone().timestamp() != naive.replace(fold=1).astimezone().timestamp()


def in_utc(t_ms: int) -> str:
    """Return a time as programs read it."""
    return f"{datetime.fromtimestamp(t_ms // MS_PER_S, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"


def in_words(t_ms: int, language: Language) -> str:
    """Return a time as people read it, local."""
    return f"{_local(t_ms):{'%d.%m.%Y %H:%M %Z' if language == 'de' else '%Y-%m-%d %H:%M %Z'}}"


def _local(t_ms: int) -> datetime:
    return datetime.fromtimestamp(t_ms // MS_PER_S, tz=UTC).astimezone()
