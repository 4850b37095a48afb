"""The names of states, qualities, phases and parts in both languages, for every surface that shows them."""

from __future__ import annotations

from greenai.core.channel import Component, Quality
from greenai.core.text import Text
from greenai.core.vocabulary import Approach, Phase, RunState

UNKNOWN = Text(de="unbekannt", en="unknown")

QUALITY = {
    Quality.MEASURED: Text(de="gemessen", en="measured"),
    Quality.ALLOCATED: Text(de="zugeteilt", en="allocated"),
    Quality.ESTIMATED: Text(de="geschätzt", en="estimated"),
}
STATE = {
    RunState.RUNNING: Text(de="läuft", en="running"),
    RunState.COMPLETED: Text(de="abgeschlossen", en="completed"),
    RunState.FAILED: Text(de="fehlgeschlagen", en="failed"),
    RunState.KILLED: Text(de="abgebrochen", en="killed"),
    RunState.LOST: Text(de="verloren", en="lost"),
}
APPROACH = {
    Approach.AI: Text(de="KI", en="AI"),
    Approach.CLASSICAL: Text(de="klassisch", en="classical"),
}
PHASE = {
    Phase.TRAINING: Text(de="Training", en="training"),
    Phase.INFERENCE: Text(de="Anwendung", en="inference"),
    Phase.EVALUATION: Text(de="Bewertung", en="evaluation"),
    Phase.DATA: Text(de="Daten", en="data"),
    Phase.OTHER: Text(de="Sonstiges", en="other"),
}
COMPONENT = {
    Component.NODE: Text(de="ganzer Knoten", en="whole node"),
    Component.MODULE: Text(de="Modul", en="module"),
    Component.CPU: Text(de="CPU", en="CPU"),
    Component.DRAM: Text(de="Arbeitsspeicher", en="memory"),
    Component.GPU: Text(de="GPU", en="GPU"),
    Component.REST: Text(de="Rest des Knotens", en="rest of the node"),
}
BOUNDARY = {
    "generation": Text(de="nur Erzeugung", en="generation only"),
    "generation and upstream": Text(de="Erzeugung und Vorkette", en="generation and upstream"),
    "lifecycle": Text(de="Lebenszyklus", en="life cycle"),
}
FACTOR_STATUS = {
    "final": Text(de="endgültig", en="final"),
    "preliminary": Text(de="vorläufig", en="preliminary"),
    "estimate": Text(de="Schätzung", en="estimate"),
}


def quality_label(quality: Quality | None) -> Text:
    """Return the name of a quality; None is unknown."""
    return QUALITY[quality] if quality is not None else UNKNOWN


def approach_label(approach: str | None) -> Text:
    """Return the name of an approach; a run without one gets a dash."""
    return APPROACH[Approach(approach)] if approach in set(Approach) else _plain(approach)


def phase_label(phase: str | None) -> Text:
    """Return the name of a phase; a run without one gets a dash."""
    return PHASE[Phase(phase)] if phase in set(Phase) else _plain(phase)


def _plain(word: str | None) -> Text:
    return Text(de=word or "–", en=word or "–")
