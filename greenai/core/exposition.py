"""Figures for monitoring: what a family of series is, and how Prometheus wants it written.

A family is named as OpenTelemetry does (``hw.energy`` in ``J``); Prometheus' name follows from it by the rules of
opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics (``hw_energy_joules_total``), so that a
figure has one name whichever way it travels. Formats: prometheus.io/docs/instrumenting/exposition_formats (text,
version 0.0.4) and OpenMetrics 1.0.0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

# UCUM, as OpenTelemetry names units, and the word that Prometheus' names end in.
_UNIT_WORDS = {"": "", "1": "ratio", "J": "joules", "W": "watts", "g": "grams", "s": "seconds", "By": "bytes"}
_VALUE = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})


class SeriesKind(StrEnum):
    """How a series runs: it only grows, or goes up and down."""

    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Point:
    """The value of one series now.

    Attributes:
        value: In the unit of its family.
        labels: What tells it from the others, by OpenTelemetry's names.
        start_ms: Of a counter: when it was 0, epoch milliseconds; None if nobody knows.
    """

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    start_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """Series of one name. One without points is not written: what is unknown is absent, never 0.

    Attributes:
        name: OpenTelemetry's, with dots.
        kind: Counter or gauge.
        unit: UCUM: ``J``, ``W``, ``g``, ``s``, ``By``, ``1`` for a ratio; empty for a number of things.
        about: One sentence.
        points: One for each set of labels.
    """

    name: str
    kind: SeriesKind
    unit: str
    about: str
    points: tuple[Point, ...]


def prometheus_text(families: Iterable[Family]) -> str:
    """Return the text in Prometheus' own format, version 0.0.4."""
    return "".join(f"{line}\n" for line in _lines(families, open_metrics=False))


def open_metrics_text(families: Iterable[Family]) -> str:
    """Return the text in the OpenMetrics format."""
    return "".join(f"{line}\n" for line in (*_lines(families, open_metrics=True), "# EOF"))


def wants_open_metrics(accept: str) -> bool:
    """Say whether an Accept header prefers OpenMetrics to Prometheus' own format; so Prometheus does since 2.5."""
    return _preference(accept, "application/openmetrics-text") > _preference(accept, "text/plain")


def _preference(accept: str, wanted: str) -> float:
    """Return the greatest weight (0..1) an Accept header gives to a type; 0 if it does not name it."""
    greatest = 0.0
    for entry in accept.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        if name != wanted:
            continue
        weight = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
        try:
            greatest = max(greatest, float(weight))
        except ValueError:
            continue  # no number: as if it were not named
    return greatest


def _lines(families: Iterable[Family], *, open_metrics: bool) -> Iterator[str]:
    for family in families:
        if not family.points:
            continue
        word = _UNIT_WORDS[family.unit]
        base = _plain(family.name) + (f"_{word}" if word else "")
        series = f"{base}_total" if family.kind is SeriesKind.COUNTER else base
        name = base if open_metrics else series  # OpenMetrics names a counter without its ending
        yield f"# HELP {name} {family.about.translate(_VALUE if open_metrics else _HELP)}"
        yield f"# TYPE {name} {family.kind}"
        if open_metrics and word:
            yield f"# UNIT {name} {word}"
        for point in family.points:
            yield f"{series}{_labels(point.labels)} {point.value!r}"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = (f'{_plain(name)}="{value.translate(_VALUE)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _plain(name: str) -> str:
    return name.replace(".", "_")
