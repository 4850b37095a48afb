"""What is said of channels, in runs of one machine and of a thousand nodes."""

from __future__ import annotations

import time

from greenai.core import labels
from greenai.core.channel import Component, Quality
from greenai.core.remarks import counting
from greenai.core.run_energy import ChannelEnergy


def row(host: str, name: str, component: Component, part_of: str | None = None) -> ChannelEnergy:
    figures = (1.0, 1.0, 1.0, Quality.MEASURED, "m", 0.1, 0.0)
    return ChannelEnergy(name, host, component, name, *figures, part_of is None, None, part_of=part_of)


def test_a_part_names_the_whole_of_its_own_host() -> None:
    rows = [
        row("n1", "x", Component.NODE),
        row("n2", "x", Component.MODULE),
        row("n2", "cpu", Component.CPU, "x"),
        row("n3", "cpu", Component.CPU, "x"),
    ]
    assert [text.en for text in counting(rows)] == ["yes", "yes", "no, part of: module", "no"]
    assert counting(rows)[2].de.endswith(labels.COMPONENT[Component.MODULE].de)


def test_a_thousand_nodes_take_no_time() -> None:
    rows = [row(f"n{number}", name, Component.CPU, "x") for number in range(1000) for name in "abcde"]
    began_s = time.perf_counter()
    assert len(counting(rows)) == 5000
    assert time.perf_counter() - began_s < 0.5  # 25 million comparisons took 3 s
