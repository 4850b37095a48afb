"""Fetched series on disk: one file per fetch, in the user's data folder, written whole or not at all.

``<data folder>/intensity/<service>/<zone>/<begin>_<end>_<fetched>_<checksum>.json``. Files are never changed,
so two fetches at once are harmless; one whose values a newer one all has is removed. What is damaged is named
and left out.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from bisect import bisect_left, bisect_right
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from greenai.carbon.intensity.printable import printable
from greenai.carbon.intensity.series import (
    BASES,
    BOUNDARIES,
    GASES,
    KINDS,
    LATEST_MS,
    MS_PER_MINUTE,
    MS_PER_S,
    IntensitySeries,
    IntensityStep,
    Origin,
    SeriesError,
    StepStatus,
    checked_steps,
    checked_value,
    layered,
)
from greenai.core.errors import ConfigError
from greenai.core.text import Text
from greenai.host.files import make_folder, open_regular
from greenai.settings.paths import data_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from greenai.carbon.intensity.series import Meaning

_FORMAT = 1
_MOST_BYTES = 64_000_000
_LOOKS = 3
_NAME = re.compile(r"(\d{8}T\d{4}Z)_(\d{8}T\d{4}Z)_(\d+)_[0-9a-f]{8}\.json")
_MINUTE = "%Y%m%dT%H%MZ"
_TEXTS = ("service", "zone", "source", "url", "licence", "attribution", "sha256")
_WORDS: dict[str, tuple[str | None, ...]] = {
    "kind": KINDS,
    "gases": (None, *GASES),
    "boundary": (None, *BOUNDARIES),
    "basis": (None, *BASES),
}
_UNSAFE = re.compile(r"[^A-Za-z0-9-]")

_NOT_WRITABLE = Text(
    de="Der Speicher der Stromnetzwerte {folder} ist nicht beschreibbar ({reason}).",
    en="The store of grid values {folder} cannot be written ({reason}).",
)
_OTHER_FOLDER = Text(
    de="Einen anderen Datenordner wählen: export XDG_DATA_HOME=/pfad",
    en="Choose another data folder: export XDG_DATA_HOME=/path",
)
_DAMAGED = Text(
    de="Ausgelassen, weil beschädigt ({problem}): {path}. Löschen und neu holen: "
    "greenai factors fetch --zone {zone}",
    en="Left out because it is damaged ({problem}): {path}. Delete it and fetch anew: "
    "greenai factors fetch --zone {zone}",
)


class Damage(NamedTuple):
    """A file of a zone that could not be read, and why."""

    path: Path
    problem: str
    zone: str

    @property
    def said(self) -> Text:
        """What to tell people about it."""
        return _DAMAGED.format(path=printable(str(self.path)), problem=self.problem, zone=self.zone)


@dataclass(frozen=True, slots=True)
class CachedSeries:
    """What is there.

    Attributes:
        fetches: By what it means, whatever was fetched and reaches into the period.
        damaged: Files that were left out.
    """

    fetches: Mapping[Meaning, tuple[IntensitySeries, ...]]
    damaged: tuple[Damage, ...]


@dataclass(frozen=True, slots=True)
class IntensityCache:
    """The folder with all fetched series."""

    folder: Path

    @classmethod
    def of_user(cls, environ: Mapping[str, str]) -> IntensityCache:
        """Return the user's own."""
        return cls(data_folder(environ) / "intensity")

    def save(self, series: IntensitySeries) -> Path:
        """Keep a series; what it replaces goes.

        Raises:
            ConfigError: The folder cannot be written.
        """
        origin = series.origin
        folder = self.folder / _safe(origin.service) / _safe(origin.zone)
        text = json.dumps(_as_json(series), separators=(",", ":"), allow_nan=False)
        start_ms, end_ms = series.span_ms
        name = f"{_minute(start_ms)}_{_minute(end_ms + MS_PER_MINUTE - 1)}_{origin.retrieved_ms}"
        path = folder / f"{name}_{origin.sha256[:8]}.json"
        try:
            make_folder(folder)
            _write(path, text)
        except OSError as error:
            message = _NOT_WRITABLE.format(folder=folder, reason=error.strerror or error)
            raise ConfigError(message, _OTHER_FOLDER) from error
        self._remove_replaced(series, path)
        return path

    def load(self, zone: str, start_ms: int, end_ms: int) -> CachedSeries:
        """Return all series of a zone that reach into a period."""
        for _ in range(_LOOKS - 1):
            try:
                return self._look(zone, start_ms, end_ms, may_vanish=False)
            except FileNotFoundError:
                continue  # replaced while we looked: what is in its place was not there yet
        return self._look(zone, start_ms, end_ms, may_vanish=True)

    def _look(self, zone: str, start_ms: int, end_ms: int, *, may_vanish: bool) -> CachedSeries:
        fetches: dict[Meaning, list[IntensitySeries]] = {}
        damaged: list[Damage] = []
        for path in sorted(self.folder.glob(f"*/{_safe(zone)}/*.json")):
            period = _period_ms(path.name)
            if period is None or period[0] >= end_ms or period[1] <= start_ms:
                continue
            try:
                series = _read(path)
            except FileNotFoundError:
                if not may_vanish:
                    raise
                continue
            except (OSError, SeriesError) as error:
                damaged.append(Damage(path, printable(str(error)), zone))
                continue
            if series.origin.zone == zone:
                fetches.setdefault(series.origin.meaning, []).append(series)
        return CachedSeries({meaning: tuple(found) for meaning, found in fetches.items()}, tuple(damaged))

    def _remove_replaced(self, series: IntensitySeries, own: Path) -> None:
        """Remove older files all of whose values are covered by as firm ones of a newer fetch of their meaning."""
        start_ms, end_ms = series.span_ms
        starts_ms = [step.start_ms for step in series.steps]
        for path in own.parent.glob("*.json"):
            period = _period_ms(path.name)
            if path == own or period is None or period[0] >= end_ms or period[1] <= start_ms:
                continue
            with suppress(OSError, SeriesError):
                older = _read(path)
                if older.origin.meaning != series.origin.meaning:
                    continue
                first = max(bisect_right(starts_ms, older.span_ms[0]) - 1, 0)
                last = bisect_left(starts_ms, older.span_ms[1])
                beside = replace(series, steps=series.steps[first:last])
                newer = older.origin.retrieved_ms < series.origin.retrieved_ms
                if newer and all(one.origin is series.origin for one in layered([beside, older])):
                    path.unlink()


def _safe(name: str) -> str:
    """Return a name that leads nowhere else."""
    return _UNSAFE.sub("_", name)


def _minute(t_ms: int) -> str:
    return f"{datetime.fromtimestamp(t_ms // MS_PER_S, tz=UTC):{_MINUTE}}"


def _period_ms(name: str) -> tuple[int, int] | None:
    """Return from when to when the values of a file reach, by its name; None if it is no file of ours."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        begin, end = (datetime.strptime(said, _MINUTE).replace(tzinfo=UTC) for said in match.group(1, 2))
    except ValueError:
        return None
    return round(begin.timestamp()) * MS_PER_S, round(end.timestamp()) * MS_PER_S


def _write(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)  # noqa: PTH105  # a string path, as mkstemp gives it
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise


def _as_json(series: IntensitySeries) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "origin": asdict(series.origin),
        "steps": [[step.start_ms, step.end_ms, step.g_per_kwh, step.status.value] for step in series.steps],
    }


def _read(path: Path) -> IntensitySeries:
    """Read a file of ours.

    Raises:
        SeriesError: It is damaged, or was written by a newer version.
        OSError: It cannot be read.
    """
    with open_regular(path) as file:
        body = file.read(_MOST_BYTES + 1)
    if len(body) > _MOST_BYTES:
        raise SeriesError("too large")
    try:
        data = json.loads(body)
        _check_format(data["format"])
        origin = _origin(data["origin"])
        steps = [
            IntensityStep(_whole(start), _whole(end), checked_value(value, str(start)), StepStatus(status))
            for start, end, value, status in data["steps"]
        ]
        return IntensitySeries(origin, checked_steps(steps))
    except SeriesError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise SeriesError(f"{type(error).__name__}: {error}") from error


def _check_format(said: Any) -> None:
    if said != _FORMAT:
        raise SeriesError(f"format {said!r:.20}, this version reads {_FORMAT}")


def _origin(data: Mapping[str, Any]) -> Origin:
    origin = Origin(**data)
    for name in _TEXTS:
        if not isinstance(getattr(origin, name), str):
            raise SeriesError(f"{name} is no text")
    for name, words in _WORDS.items():
        if getattr(origin, name) not in words:
            raise SeriesError(f"{name} is {getattr(origin, name)!r:.60}, which this version does not know")
    if not isinstance(data["verified"], bool) or not isinstance(data.get("method"), str | None):
        raise SeriesError("verified or method is of another type")
    if not 0 <= _whole(origin.retrieved_ms) < LATEST_MS:
        raise SeriesError(f"retrieved_ms is {origin.retrieved_ms}, which is not between 1970 and 2100")
    shown: dict[str, Any] = {name: printable(getattr(origin, name)) for name in _TEXTS}
    return replace(origin, method=None if origin.method is None else printable(origin.method), **shown)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise SeriesError(f"{value!r:.40} is no time")
    return value
