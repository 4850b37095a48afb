"""What the nodes of a run took."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.channel import Component, Quality
from greenai.core.node_energy import lacking_nodes, node_energies, together
from greenai.core.run_energy import ChannelEnergy

if TYPE_CHECKING:
    from greenai.core.record import RunRecord

GPU = ChannelEnergy(
    "g", "n2", Component.GPU, "GPU 0", 30.0, 27.0, 33.0, Quality.MEASURED, "m", 0.1, 1.0, counted=True, note=None
)
CPU = replace(
    GPU, id="c", component=Component.CPU, energy_j=10.0, low_j=5.0, high_j=15.0, quality=Quality.ESTIMATED
)
PART = replace(GPU, id="p", component=Component.DRAM, energy_j=4.0, counted=False)
LOST = replace(GPU, host="n1", energy_j=None, low_j=None, high_j=None, counted=False, gap_s=60.0)


class Record:
    duration_s = 60.0

    def __init__(self, *channels: ChannelEnergy) -> None:
        self.energy = self
        self.channels = channels


def run_of(*channels: ChannelEnergy) -> RunRecord:
    return Record(*channels)  # type: ignore[return-value]  # has what is read of it


def test_a_node_is_the_sum_of_what_is_counted_and_no_better_than_its_weakest_part() -> None:
    _, node = node_energies(run_of(GPU, CPU, PART, LOST))
    assert (node.host, node.energy_j, node.low_j, node.high_j) == ("n2", 40.0, 32.0, 48.0)
    assert node.quality is Quality.ESTIMATED
    assert node.gap_s == 1.0
    assert node.by_component_j == {Component.GPU: 30.0, Component.CPU: 10.0}


def test_a_node_that_nothing_is_known_of_is_there_and_unknown() -> None:
    lost, _ = node_energies(run_of(GPU, LOST))
    assert (lost.host, lost.energy_j, lost.low_j, lost.quality, lost.gap_s) == ("n1", None, None, None, 60.0)
    assert lost.at_least_of == frozenset(Component)


BLIND = replace(LOST, id="h", host="n2")


def test_a_node_with_a_sensor_that_nothing_is_known_of_is_a_lower_bound() -> None:
    _, node = node_energies(run_of(CPU, BLIND, LOST))
    assert (node.energy_j, node.gap_s, node.is_at_least) == (10.0, 60.0, True)
    assert node.at_least_of == {Component.GPU}
    assert lacking_nodes((CPU, BLIND, replace(GPU, host="n3"))) == {"n2"}


@pytest.mark.parametrize(
    "instead",
    [
        {"part_of": "node:n2"},
        {"component": Component.REST},
        {"id": "other:0", "component": Component.CPU},  # an estimate, or another door
        {"id": "other:0", "component": Component.NODE},  # its parts are counted
    ],
)
def test_what_something_else_is_counted_for_is_not_missing(instead: dict[str, Any]) -> None:
    _, node = node_energies(run_of(GPU, CPU, replace(BLIND, **instead), LOST))
    assert (node.is_at_least, node.gap_s) == (False, 1.0)


def test_a_node_that_was_not_read_for_long_is_a_lower_bound() -> None:
    _, node = node_energies(run_of(replace(GPU, gap_s=20.0), CPU, LOST))
    assert node.at_least_of == {Component.GPU}
    assert node.gap_s == 20.0
    _, node = node_energies(run_of(replace(GPU, component=Component.NODE, gap_s=20.0), LOST))
    assert node.at_least_of == frozenset(Component)


def test_a_run_on_one_machine_has_no_nodes() -> None:
    assert node_energies(run_of(GPU, CPU)) == ()
    assert node_energies(run_of()) == ()


def test_nodes_together_are_their_sum_without_the_unknown() -> None:
    nodes = node_energies(run_of(GPU, CPU, LOST, replace(GPU, host="n3", gap_s=0.0)))
    whole = together("all", nodes)
    assert (whole.host, whole.gap_s) == ("all", 60.0)
    assert whole.energy_j == pytest.approx(70.0)
    assert whole.by_component_j == {Component.GPU: 60.0, Component.CPU: 10.0}
    assert whole.is_at_least
    assert not together("those", [replace(node, at_least_of=frozenset()) for node in nodes]).is_at_least
    assert together("none", nodes[:1]).energy_j is None
