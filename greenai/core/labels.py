"""The words for fixed values (states, qualities, phases) in both languages, for every surface that shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

QUALITY = {
    "measured": Text(de="gemessen", en="measured"),
    "allocated": Text(de="zugeteilt", en="allocated"),
    "estimated": Text(de="geschätzt", en="estimated"),
}
STATE = {
    "running": Text(de="läuft", en="running"),
    "completed": Text(de="abgeschlossen", en="completed"),
    "failed": Text(de="fehlgeschlagen", en="failed"),
    "killed": Text(de="abgebrochen", en="killed"),
    "lost": Text(de="verschollen", en="lost"),
}
APPROACH = {
    "ai": Text(de="KI", en="AI"),
    "classical": Text(de="klassisch", en="classical"),
}
PHASE = {
    "training": Text(de="Training", en="training"),
    "inference": Text(de="Inferenz", en="inference"),
    "evaluation": Text(de="Auswertung", en="evaluation"),
    "data": Text(de="Datenaufbereitung", en="data preparation"),
    "other": Text(de="Sonstiges", en="other"),
}
COMPONENT = {
    "node": Text(de="ganzer Knoten", en="whole node"),
    "module": Text(de="Modul", en="module"),
    "cpu": Text(de="CPU", en="CPU"),
    "dram": Text(de="Arbeitsspeicher", en="memory"),
    "gpu": Text(de="GPU", en="GPU"),
    "rest": Text(de="Rest des Knotens", en="rest of the node"),
}
SCOPE = {
    "machine": Text(de="ganze Maschine", en="whole machine"),
    "process": Text(de="Prozessbaum", en="process tree"),
    "cgroup": Text(de="Cgroup (Container oder Slurm-Job)", en="cgroup (container or Slurm job)"),
}
POLICY = {
    "cpu_time_share": Text(de="Anteil an der CPU-Zeit", en="share of CPU time"),
    "cpu_allotment_share": Text(de="Anteil der zugeteilten CPUs", en="share of the CPUs that were allotted"),
    "memory_share": Text(de="Anteil am belegten Speicher", en="share of memory in use"),
    "job_cpu_time_share": Text(
        de="Anteil an der CPU-Zeit aller Jobs des Knotens", en="share of the CPU time of all jobs on the node"
    ),
    "job_memory_share": Text(
        de="Anteil am Speicher aller Jobs des Knotens", en="share of the memory of all jobs on the node"
    ),
    "sm_share": Text(de="Anteil an der Rechenarbeit der GPU", en="share of the GPU's work"),
    "parts_share": Text(de="Anteil an der Energie der Teile", en="share of the parts' energy"),
    "gpu_part_share": Text(
        de="Anteil der Teile der GPU-Karte (Chips, Kacheln, Partitionen)",
        en="share of the GPU card's parts (dies, tiles, partitions)",
    ),
    "allotment": Text(de="nur die zugeteilten CPUs und Speicher", en="the allotted CPUs and memory only"),
    "hypervisor": Text(de="Aufteilung durch den Hypervisor", en="shared out by the hypervisor"),
    "mig_slice_share": Text(de="Anteil der MIG-Scheiben der Karte", en="share of the board's MIG slices"),
}
LOST = {
    "implausible_step": Text(de="unmöglicher Sprung", en="impossible step"),
    "implausible_power": Text(de="unmögliche Leistung", en="impossible power"),
    "counter_reset": Text(de="Zähler zurückgesetzt", en="counter reset"),
    "wrap_ambiguous": Text(de="Überlauf nicht eindeutig", en="wrap not unique"),
    "counter_stands_still": Text(de="Zähler steht still", en="counter stands still"),
    "not_read_yet": Text(de="noch kein Messwert", en="no reading yet"),
    "agent_hangs": Text(de="Agent antwortet nicht", en="agent does not answer"),
    "zero_unknown": Text(de="Nullpunkt unbekannt", en="zero unknown"),
    "agent_gone": Text(de="Agent nicht erreichbar", en="agent not reachable"),
    "sensor_hangs": Text(de="Sensor antwortet nicht mehr", en="sensor no longer answers"),
    "share_unknown": Text(de="Anteil daran unbekannt", en="share of it unknown"),
    "no_reading": Text(de="kein Messwert", en="no reading"),
    "pause_too_long": Text(de="Pause zu lang", en="pause too long"),
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
INSTRUMENT = {
    "own_generation": Text(de="eigene Erzeugung", en="own generation"),
    "ppa": Text(de="Direktvertrag (PPA)", en="power purchase agreement"),
    "guarantee_of_origin": Text(de="Herkunftsnachweis", en="guarantee of origin"),
    "supplier": Text(de="Liefervertrag", en="supplier's mix"),
    "residual": Text(de="Residualmix", en="residual mix"),
    "average": Text(de="Netzmix, da kein Residualmix vorliegt", en="grid mix, for want of a residual mix"),
}
INVENTORY = {
    "scope_2": Text(de="Scope 2 (eigene Maschine)", en="scope 2 (own machine)"),
    "scope_3_1": Text(de="Scope 3, Kategorie 1 (gemietet)", en="scope 3, category 1 (rented)"),
}
ENVIRONMENT = {
    "cpu": Text(de="Prozessor", en="Processor"),
    "cpus": Text(de="Logische CPUs", en="Logical CPUs"),
    "virtual": Text(de="Virtuelle Maschine", en="Virtual machine"),
    "python": Text(de="Python", en="Python"),
    "kernel": Text(de="Kernel", en="Kernel"),
}
YES = Text(de="ja", en="yes")
NO = Text(de="nein", en="no")


def word(words: Mapping[str, Text], key: str | None) -> Text:
    """Return the word for a fixed value; one that is not known speaks for itself, None is a dash."""
    if key is None:
        return Text(de="–", en="–")
    return words[key] if key in words else Text(de=key, en=key)
