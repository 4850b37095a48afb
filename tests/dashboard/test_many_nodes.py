"""The page of a run on a thousand nodes: not all of it is drawn, and that is said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.channel import Component
from greenai.core.quantity import energy
from greenai.core.views import NodesTrace
from greenai.core.vocabulary import RunState
from greenai_dashboard.figures_nodes import nodes_figure, recent_nodes_figure
from greenai_dashboard.pages import run, run_details, run_trace
from greenai_dashboard.pages.run_nodes import nodes_section

if TYPE_CHECKING:
    from greenai.core.record import RunRecord
    from greenai.core.text import Language


@pytest.fixture
def large(record: RunRecord) -> RunRecord:
    hosts = tuple(f"node{number:04}" for number in range(1000))
    rows = tuple(replace(row, host=host) for host in hosts for row in record.energy.channels)
    return replace(record, hosts=hosts, energy=replace(record.energy, channels=rows))


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "The first 200 of {} are shown"), ("de", "Gezeigt sind die ersten 200 von {}")],
)
def test_its_tables_are_cut(large: RunRecord, language: Language, sentence: str) -> None:
    page = str([str(part.to_plotly_json()) for part in run_details.details(large, language)])
    count = f"{len(large.energy.channels):,}".replace(",", "." if language == "de" else ",")
    assert sentence.format(count) in page.replace("\N{NARROW NO-BREAK SPACE}", "," if language == "en" else ".")
    assert "node0000" in page
    assert "node0999" not in page
    assert "+980" in page


def test_its_nodes_stand_there_with_what_they_took(large: RunRecord) -> None:
    lost = tuple(
        replace(row, energy_j=None, counted=False) for row in large.energy.channels if row.host == "node0001"
    )
    rest = tuple(row for row in large.energy.channels if row.host != "node0001")
    run_of_nodes = replace(large, energy=replace(large.energy, channels=(*lost, *rest)))
    page = str(nodes_section(run_of_nodes, "en"))
    assert page.count("node0") == 200
    one_j = sum(row.energy_j or 0.0 for row in rest if row.host == "node0000" and row.counted)
    assert repr(energy(one_j, "en")) in page
    assert "of 1,000 are shown" in page
    assert "≥" not in page
    gpu = next(row for row in rest if row.host == "node0002" and row.counted and row.component is Component.GPU)
    blind = replace(gpu, id=f"{gpu.id}-2", energy_j=None, counted=False)
    partly = replace(large, energy=replace(large.energy, channels=(blind, *rest)))
    assert repr(f"≥\u202f{energy(one_j, 'en')}") in str(nodes_section(partly, "en"))
    one_host = replace(large, energy=replace(large.energy, channels=lost))
    assert nodes_section(one_host, "de") is None


@pytest.fixture
def nodes(large: RunRecord) -> NodesTrace:
    return NodesTrace(
        nodes=100,
        of=1000,
        t_ms=(large.started_ms + 1000.0, large.started_ms + 2000.0, large.started_ms + 3000.0),
        there=(100, 98, 0),
        sum_w=(50_000.0, 49_000.0, None),
        least_w=(400.0, 410.0, None),
        greatest_w=(600.0, 610.0, None),
        parts_w={Component.CPU: (10_000.0, 9_000.0, None), Component.GPU: (40_000.0, 40_000.0, None)},
    )


def test_its_power_is_drawn_as_the_sum_of_its_nodes_and_their_spread(large: RunRecord, nodes: NodesTrace) -> None:
    figure = nodes_figure(nodes, (), start_ms=large.started_ms, unit="s", language="en")
    names = [line["name"] for line in figure["data"]]
    assert names == [
        "sum of 100 of the 1,000 nodes",
        "CPU",
        "GPU",
        "greatest node",
        "mean of the nodes",
        "least node",
    ]
    assert figure["data"][0]["y"] == [50_000.0, 49_000.0, None]
    assert figure["data"][0]["customdata"] == [100, 98, 0]
    assert "%{customdata} nodes" in figure["data"][0]["hovertemplate"]
    assert figure["data"][4]["y"] == [500.0, 500.0, None]
    assert [line["x"] for line in figure["data"]] == [[1.0, 2.0, 3.0]] * 6
    recent = recent_nodes_figure(nodes, (), seconds=600, language="de")
    assert recent["data"][0]["x"][-1] == 0
    assert recent["layout"]["xaxis"]["range"] == [-10, 0]


def test_its_page_says_of_how_many_nodes_the_sum_is(large: RunRecord, nodes: NodesTrace, data: Any) -> None:
    data.records.insert(0, large)
    data.nodes[large.id] = nodes
    assert "Drawn are 100 of 1,000 nodes" in str(run.layout(data, large.id, "en"))
    assert "Gezeichnet sind 100 von" in str(run.layout(data, large.id, "de"))
    data.nodes[large.id] = replace(nodes, of=100)
    page = str(run.layout(data, large.id, "en"))
    assert "Drawn are" not in page
    assert "Above, the sum over the nodes" in page
    data.records[0] = replace(large, state=RunState.RUNNING)
    assert "Above, the sum over the nodes" in str(run.layout(data, large.id, "en"))


def test_without_a_sum_its_first_channels_are_drawn_and_that_is_said(
    large: RunRecord, data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.records.insert(0, large)
    monkeypatch.setattr(run_trace, "MAX_LINES", 2)
    assert "the first 2 are drawn" in str(run.layout(data, large.id, "en"))
    assert "sind die ersten 2 gezeichnet" in str(run.layout(data, large.id, "de"))
