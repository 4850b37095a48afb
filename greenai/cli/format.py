"""How figures look on a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from greenai.core import quantity
from greenai.core.labels import QUALITY, word
from greenai.core.text import Text

if TYPE_CHECKING:
    from greenai.core.record import RunRecord
    from greenai.core.statistics import Interval
    from greenai.core.text import Language

_LACKING = Text(
    de="mindestens {said}; unvollständig: ein Sensor fehlt",
    en="at least {said}; incomplete: a sensor is missing",
)
_NODES = Text(
    de="mindestens {said}; unvollständig: Knoten fehlen oder verstummten",
    en="at least {said}; incomplete: nodes are missing or fell silent",
)
_AT_LEAST = Text(
    de="mindestens {said}; unvollständig: {unseen} von {duration} ohne Messung",
    en="at least {said}; incomplete: {unseen} of {duration} without a reading",
)
_UNKNOWN_ENERGY = Text(de="Energie unbekannt", en="energy unknown")
_SUMMARY = Text(
    de="greenai: {energy} in {duration}{emissions} · Lauf {run} ({name})",
    en="greenai: {energy} in {duration}{emissions} · run {run} ({name})",
)


def energy_words(record: RunRecord, language: Language) -> str:
    """Return an energy with quality and range: ``12.3 J (estimated, 6 J to 25 J)``; what is incomplete says so."""
    energy = record.energy
    if energy.total_j is None:
        return _UNKNOWN_ENERGY.to(language)
    between = quantity.energy_range(energy.low_j, energy.high_j, language, 2, like=energy.total_j)
    said = f"{quantity.energy(energy.total_j, language)} ({word(QUALITY, energy.quality).to(language)}, {between})"
    if not record.incomplete:
        return said
    if any(incident.code in ("node_missing", "node_silent") for incident in record.incidents):
        return _NODES.format(said=said).to(language)
    if not record.unseen_s:
        return _LACKING.format(said=said).to(language)
    unseen, duration = quantity.duration(record.unseen_s, language), quantity.duration(record.duration_s, language)
    return _AT_LEAST.format(said=said, unseen=unseen, duration=duration).to(language)


def summary(record: RunRecord, language: Language) -> str:
    """Return the one line that ``greenai run`` says at the end."""
    emissions = record.emissions
    grams = ""
    if emissions is not None and emissions.location_g is not None and emissions.factor is not None:
        grams = f", {quantity.mass(emissions.location_g, language)} {emissions.factor.gases}"
    return _SUMMARY.format(
        energy=energy_words(record, language),
        duration=quantity.duration(record.duration_s, language),
        emissions=grams,
        run=record.id,
        name=record.name.encode("unicode_escape").decode() if not record.name.isprintable() else record.name,
    ).to(language)


def moment(t_ms: int | None, language: Language) -> str:
    """Return a moment in local time: ``21.11.2026 13:05`` or ``2026-11-21 13:05``."""
    if t_ms is None:
        return quantity.NO_VALUE
    local = datetime.fromtimestamp(t_ms / 1000, tz=UTC).astimezone()
    return local.strftime("%d.%m.%Y %H:%M" if language == "de" else "%Y-%m-%d %H:%M")


def with_interval(value: Interval | None, language: Language, digits: int = 3) -> str:
    """Return a value and, where there is one, its 95 % interval: ``12.3 [10.1; 14.9]``."""
    if value is None:
        return quantity.NO_VALUE
    middle = quantity.number(value.value, language, digits)
    if value.low is None or value.high is None:
        return middle
    low, high = quantity.number(value.low, language, digits), quantity.number(value.high, language, digits)
    return f"{middle} [{low}; {high}]"
