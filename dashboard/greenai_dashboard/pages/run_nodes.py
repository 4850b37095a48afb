"""What each node of a run took: nothing for a run on one machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import html

from greenai.core import labels, quantity
from greenai.core.node_energy import node_energies
from greenai_dashboard import texts_run
from greenai_dashboard.parts import more_rows, quality_badge, section, table

if TYPE_CHECKING:
    from greenai.core.channel import Component
    from greenai.core.node_energy import NodeEnergy
    from greenai.core.record import RunRecord
    from greenai.core.text import Language

MAX_NODE_ROWS = 200


def nodes_section(record: RunRecord, language: Language) -> html.Section | None:
    """Return the nodes by name, with those that nothing is known of."""
    nodes = node_energies(record)
    if not nodes:
        return None
    components = sorted({component for node in nodes for component in node.by_component_j})
    headers = [
        texts_run.HOST.to(language),
        texts_run.CHANNEL_ENERGY.to(language),
        texts_run.INTERVAL.to(language),
        *(labels.word(labels.COMPONENT, component.value).to(language) for component in components),
        texts_run.QUALITY.to(language),
        texts_run.GAP.to(language),
    ]

    def part(node: NodeEnergy, component: Component) -> str:
        written = quantity.energy(node.by_component_j.get(component), language)
        return quantity.at_least(written, is_at_least=component in node.at_least_of)

    def cells(node: NodeEnergy) -> list[Any]:
        return [
            html.Span(node.host, className="nowrap"),
            quantity.at_least(quantity.energy(node.energy_j, language), is_at_least=node.is_at_least),
            quantity.energy_range(node.low_j, node.high_j, language, like=node.energy_j),
            *(part(node, component) for component in components),
            quality_badge(node.quality, language) if node.quality else quantity.NO_VALUE,
            quantity.duration(node.gap_s, language),
        ]

    heading = texts_run.NODES.to(language)
    rows = [cells(node) for node in nodes[:MAX_NODE_ROWS]]
    numeric = frozenset({1, *range(3, 3 + len(components)), len(headers) - 1})
    return section(
        heading, table(heading, headers, rows, numeric=numeric), more_rows(len(nodes), MAX_NODE_ROWS, language)
    )
