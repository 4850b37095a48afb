"""How it was measured: the methods behind the counted energy, the incidents, and what is left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from greenai.core.channel import Quality
from greenai.core.quantity import NO_VALUE, integer
from greenai_reports import texts
from greenai_reports.model import Column, IncidentPart, Table
from greenai_reports.tasks import quality_in_words
from greenai_reports.texts_methods import METHODS
from greenai_reports.wording import clean, counted, deviation, say, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.collector import Incident
    from greenai.core.record import RunRecord
    from greenai.core.run_energy import ChannelEnergy
    from greenai.core.text import Language

MOST_WORDINGS = 6  # of one kind of incident
_QUALITIES = tuple(Quality)


def methods_table(records: Sequence[RunRecord], language: Language) -> Table:
    """Return one row for each method, component and quality that contributed to the energy."""
    channels: dict[tuple[int, str, str], list[tuple[str, ChannelEnergy]]] = defaultdict(list)
    for record in records:
        for channel in record.energy.channels:
            if channel.counted and channel.energy_j is not None:
                key = (_QUALITIES.index(channel.quality), channel.method, channel.component.value)
                channels[key].append((record.id, channel))
    total_j = sum(channel.energy_j or 0.0 for found in channels.values() for _, channel in found)
    rows = []
    for (quality, method, component), found in sorted(channels.items()):
        energy_j = sum(channel.energy_j or 0.0 for _, channel in found)
        known = METHODS.get(method)
        rows.append(
            (
                known.to(language) if known else clean(method, 60),
                texts.COMPONENTS[component].to(language),
                quality_in_words(_QUALITIES[quality], language),
                _uncertainty([channel for _, channel in found], language),
                integer(len({run_id for run_id, _ in found}), language),
                share(energy_j / total_j, language) if total_j > 0 else NO_VALUE,
            )
        )
    columns = (
        Column(texts.METHOD_HEAD.to(language)),
        Column(texts.COMPONENT.to(language)),
        Column(texts.KIND.to(language)),
        Column(texts.UNCERTAINTY.to(language), numeric=True),
        Column(texts.RUNS.to(language), numeric=True),
        Column(texts.ENERGY_SHARE.to(language), numeric=True),
    )
    return Table(texts.METHODS_CAPTION.to(language), columns, tuple(rows))


def _uncertainty(channels: Sequence[ChannelEnergy], language: Language) -> str:
    """Write the widest interval among the runs, each side for itself."""
    sides = [
        (1 - channel.low_j / channel.energy_j, channel.high_j / channel.energy_j - 1)
        for channel in channels
        if channel.energy_j and channel.low_j is not None and channel.high_j is not None
    ]
    if len(sides) < len(channels):
        widest = max(channel.uncertainty_rel for channel in channels)
        sides.append((widest, widest))
    return deviation(max(low for low, _ in sides), max(high for _, high in sides), language)


def incidents(records: Sequence[RunRecord], language: Language) -> tuple[IncidentPart, ...]:
    """Return each kind of incident once, the most frequent first; so with its wordings, which name the places."""
    runs: dict[str, set[str]] = defaultdict(set)
    wordings: dict[str, Counter[Incident]] = defaultdict(Counter)
    for record in records:
        for incident in record.incidents:
            runs[incident.code].add(record.id)
            wordings[incident.code][incident] += 1
    parts = []
    for code in sorted(runs, key=lambda code: (-len(runs[code]), code)):
        found = [incident for incident, _ in wordings[code].most_common()]
        remedy = next((incident.remedy for incident in found if incident.remedy), None)
        heading = counted(len(runs[code]), texts.INCIDENT_ONE, texts.INCIDENT_MANY, language, code=clean(code, 60))
        messages = list(dict.fromkeys(say(incident.message, language) for incident in found))
        said = messages if len(messages) <= MOST_WORDINGS else messages[: MOST_WORDINGS - 1]
        if len(said) < len(messages):
            left = integer(len(messages) - len(said), language)
            said = [*said, texts.INCIDENTS_MORE.format(n=left).to(language)]
        remedies = texts.REMEDY.format(remedy=say(remedy, language)).to(language) if remedy else ""
        parts.append(IncidentPart(heading, " ".join(said), remedies))
    return tuple(parts)


def limits(language: Language) -> tuple[str, ...]:
    """Return what the figures do not contain."""
    left_out = (
        texts.LIMIT_EMBODIED, texts.LIMIT_COOLING, texts.LIMIT_NETWORK, texts.LIMIT_UNREAD, texts.LIMIT_FACTOR,
    )  # fmt: skip
    return tuple(text.to(language) for text in left_out)
