"""Runs on several machines: what each node took, and how far the nodes lie apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from greenai.core.channel import Component
from greenai.core.node_energy import node_energies, together
from greenai.core.quantity import NO_VALUE, at_least, duration, energy, integer
from greenai.core.quantity import interval as between
from greenai_reports import texts
from greenai_reports.model import Column, NodesPart, Table
from greenai_reports.tasks import quality_in_words
from greenai_reports.wording import EnergyScale, counted, name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.node_energy import NodeEnergy
    from greenai.core.record import RunRecord
    from greenai.core.text import Language

MOST_RUNS = 3
MOST_NODES = 12  # of more than that, the outermost are named and the others are added up
_GREATEST, _LEAST = 4, 4


def nodes_parts(records: Sequence[RunRecord], language: Language) -> tuple[NodesPart, ...]:
    """Return one part for each of the largest runs on several nodes.

    Args:
        records: The runs, the largest first.
        language: To write in.
    """
    found = [(record, nodes) for record in records if (nodes := node_energies(record))]
    return tuple(_part(record, nodes, language) for record, nodes in found[:MOST_RUNS])


def _part(record: RunRecord, nodes: Sequence[NodeEnergy], language: Language) -> NodesPart:
    shown, others = _outermost(nodes)
    scale = EnergyScale.of([node.energy_j for node in nodes])
    components = [component for component in Component if any(component in n.by_component_j for n in nodes)]
    if len(components) == 1:
        components = []  # the same as the whole
    if others:
        shown.append(together(counted(len(others), texts.ONE_MORE_NODE, texts.MORE_NODES, language), others))
    whole = together(texts.ALL_NODES.to(language), nodes)
    # A run may lack more than its nodes show: one that fell silent shortly before the end.
    at_least_of = frozenset(Component) if record.incomplete and not whole.is_at_least else whole.at_least_of
    low_j, high_j = record.energy.low_j, record.energy.high_j
    shown.append(replace(whole, low_j=low_j, high_j=high_j, at_least_of=at_least_of))
    rows = tuple(_row(node, components, scale, language) for node in shown)
    columns = (
        Column(texts.NODE.to(language)),
        Column(scale.header(texts.ENERGY.to(language), language), numeric=True),
        Column(texts.INTERVAL_HEAD.to(language), numeric=True),
        *(Column(_heading(component, language), numeric=True) for component in components),
        Column(texts.KIND.to(language)),
        Column(texts.NODE_GAP.to(language), numeric=True),
    )
    heading = texts.NODES_OF.format(run=name(record.name)).to(language)
    return NodesPart(heading, _lead(nodes, language), Table(texts.NODES_CAPTION.to(language), columns, rows))


def _outermost(nodes: Sequence[NodeEnergy]) -> tuple[list[NodeEnergy], list[NodeEnergy]]:
    """Return the nodes to name, by name if all of them, and those to add up.

    Named are the greatest and the least of those that were read all the time, and of the others first those that
    nothing is known of.
    """
    if len(nodes) <= MOST_NODES:
        return list(nodes), []
    lacking = sorted((node for node in nodes if node.is_at_least), key=lambda node: node.energy_j is not None)
    known = sorted((n for n in nodes if not n.is_at_least), key=lambda node: -(node.energy_j or 0.0))
    outermost = [*known[:_GREATEST], *known[_GREATEST:][-_LEAST:]]
    shown = [*lacking[: MOST_NODES - 1 - len(outermost)], *outermost]
    names = {node.host for node in shown}
    return shown, [node for node in nodes if node.host not in names]


def _row(
    node: NodeEnergy, components: Sequence[Component], scale: EnergyScale, language: Language
) -> tuple[str, ...]:
    return (
        name(node.host),
        at_least(scale.bare(node.energy_j, language), is_at_least=node.is_at_least),
        scale.span(node.low_j, node.high_j, language),
        *(_part_of(node, component, scale, language) for component in components),
        quality_in_words(node.quality, language),
        duration(node.gap_s, language) if node.gap_s else NO_VALUE,
    )


def _part_of(node: NodeEnergy, component: Component, scale: EnergyScale, language: Language) -> str:
    written = scale.bare(node.by_component_j.get(component), language)
    return at_least(written, is_at_least=component in node.at_least_of)


def _heading(component: Component, language: Language) -> str:
    word = texts.COMPONENTS[component].to(language)
    return word[0].upper() + word[1:]


def _lead(nodes: Sequence[NodeEnergy], language: Language) -> str:
    known_j = [node.energy_j for node in nodes if node.energy_j is not None and not node.is_at_least]
    sentences = []
    if len(known_j) > 1:
        mean_j = sum(known_j) / len(known_j)
        low, high = (energy(value_j, language) for value_j in (min(known_j), max(known_j)))
        sentences.append(
            texts.NODES_SPREAD.format(
                n=integer(len(known_j), language),
                range=between(low, high),
                mean=energy(mean_j, language),
            ).to(language)
        )
    unknown = sum(node.energy_j is None for node in nodes)
    partly = len(nodes) - len(known_j) - unknown
    if partly:
        sentences.append(counted(partly, texts.NODE_AT_LEAST, texts.NODES_AT_LEAST, language))
    if unknown:
        sentences.append(counted(unknown, texts.NODE_UNKNOWN, texts.NODES_UNKNOWN, language))
    return " ".join(sentences)
