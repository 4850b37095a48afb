"""A run on several nodes in the report: every node, or the outermost and the sum of the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from greenai.core.channel import Component, Quality
from greenai.core.collector import Incident
from greenai.core.quantity import NO_VALUE
from greenai.core.text import Text
from greenai_reports import html, nodes, pdf
from greenai_reports.methods import MOST_WORDINGS
from greenai_reports.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.record import RunRecord
    from greenai.core.text import Language
    from greenai.core.views import ReportView

AT_LEAST = "≥\u202f"


@pytest.fixture
def run_on(make_record: Callable[..., RunRecord], make_channel: Callable[..., Any]) -> Callable[..., RunRecord]:
    def make(count: int, missing: tuple[int, ...] = (), **more: Any) -> RunRecord:
        channels = []
        for number in range(count):
            for component, energy_j in ((Component.GPU, 3600.0 * (number + 1)), (Component.CPU, 360.0)):
                known = None if number in missing else energy_j
                channel = make_channel(known, Quality.MEASURED, component)
                gap_s = 0.0 if known else 60.0
                channels.append(replace(channel, host=f"node{number:03}", gap_s=gap_s))
        return make_record(1, "ddp", tuple(channels), **more)

    return make


def cells(view: ReportView, language: Language = "en") -> list[tuple[str, ...]]:
    (part,) = summarise(view, language).nodes
    return list(part.table.rows)


def test_each_node_stands_there_with_its_parts_and_they_add_up(
    run_on: Callable[..., RunRecord], make_view: Callable[..., ReportView]
) -> None:
    rows = cells(make_view([run_on(3, missing=(1,))]))
    assert [row[0] for row in rows] == ["node000", "node001", "node002", "Total"]
    assert [row[1] for row in rows] == ["1.10", NO_VALUE, "3.10", f"{AT_LEAST}4.20"]
    total = (f"{AT_LEAST}0.200", f"{AT_LEAST}4.00")
    assert [row[3:5] for row in rows] == [("0.100", "1.00"), (NO_VALUE,) * 2, ("0.100", "3.00"), total]
    minute = "1\u202fmin 00\u202fs"
    assert [row[6] for row in rows] == [NO_VALUE, minute, NO_VALUE, minute]


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("de", "Von 1 Knoten ist nichts bekannt"), ("en", "Nothing is known of 1 node")],
)
def test_the_lead_says_the_spread_and_who_is_missing(
    run_on: Callable[..., RunRecord], make_view: Callable[..., ReportView], language: Language, sentence: str
) -> None:
    (part,) = summarise(make_view([run_on(3, missing=(1,))]), language).nodes
    assert sentence in part.lead
    for figure in ("1.10", "3.10", "2.10"):
        assert (figure if language == "en" else figure.replace(".", ",")) in part.lead


def test_of_many_nodes_the_outermost_are_named_and_the_others_added_up(
    run_on: Callable[..., RunRecord], make_view: Callable[..., ReportView]
) -> None:
    run = run_on(1000, missing=(500,))
    view = make_view([run])
    rows = cells(view)
    assert len(rows) <= nodes.MOST_NODES
    names = [row[0] for row in rows]
    assert names[:5] == ["node500", "node999", "node998", "node997", "node996"]
    assert names[5:] == ["node003", "node002", "node001", "node000", "991 more nodes", "Total"]
    for language in ("de", "en"):
        assert pdf.export(view, language).startswith(b"%PDF")
        assert b"node996" in html.export(view, language)


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_sum_without_some_of_its_nodes_is_marked(
    run_on: Callable[..., RunRecord], make_view: Callable[..., ReportView], language: Language
) -> None:
    rows = cells(make_view([run_on(20, missing=tuple(range(10, 20)))]), language)
    assert [row[1].startswith(AT_LEAST) for row in rows[-2:]] == [True, True]
    assert not any(AT_LEAST in cell for row in rows[:-2] for cell in row)
    whole = cells(make_view([run_on(20)]), language)
    assert not any(AT_LEAST in cell for row in whole for cell in row)


def test_nodes_read_in_part_are_marked_and_no_part_of_the_spread(
    run_on: Callable[..., RunRecord], make_view: Callable[..., ReportView]
) -> None:
    def with_changed(run: RunRecord, number: int, **changes: Any) -> RunRecord:
        channels = list(run.energy.channels)
        channels[number] = replace(channels[number], **changes)
        return replace(run, energy=replace(run.energy, channels=tuple(channels)))

    blind = with_changed(run_on(4), 0, energy_j=None, low_j=None, high_j=None, counted=False, part_of=None)
    silent = with_changed(blind, 2, gap_s=30.0)
    (part,) = summarise(make_view([silent]), "en").nodes
    energies = [row[1] for row in part.table.rows]
    assert energies == [f"{AT_LEAST}0.100", f"{AT_LEAST}2.10", "3.10", "4.10", f"{AT_LEAST}9.40"]
    assert part.table.rows[1][3:5] == ("0.100", f"{AT_LEAST}2.00")
    assert part.lead.startswith("2 nodes read all the time")
    assert "2 nodes were read only in part" in part.lead
    assert "3.60" in part.lead


def test_a_run_that_lacks_something_is_marked_though_no_node_is(
    run_on: Callable[..., RunRecord], make_view: Callable[..., ReportView]
) -> None:
    said = (Incident("node_silent", Text(de="x", en="x")),)
    view = make_view([run_on(2, incidents=said)])
    assert summarise(view, "en").run_table.rows[0][5] == f"{AT_LEAST}3.20"
    assert [row[1] for row in cells(view)] == ["1.10", "2.10", f"{AT_LEAST}3.20"]


def test_a_run_on_one_machine_has_no_such_table(typical_view: ReportView) -> None:
    assert summarise(typical_view, "de").nodes == ()


def test_incidents_name_every_node_up_to_a_limit(
    run_on: Callable[..., RunRecord], make_view: Callable[..., ReportView]
) -> None:
    def said(count: int) -> str:
        silent = tuple(
            Incident("node_silent", Text(de=f"k{number} schweigt.", en=f"n{number} fell silent."))
            for number in range(count)
        )
        view = make_view([run_on(2, incidents=silent)])
        (part,) = summarise(view, "en").incident_list
        assert "lower bound" in " ".join(summarise(view, "en").remarks)
        assert "with gaps: a lower bound" in summarise(view, "en").tiles[0].lines
        return part.message

    assert said(2) == "n0 fell silent. n1 fell silent."
    assert said(MOST_WORDINGS).endswith(f"n{MOST_WORDINGS - 1} fell silent.")
    assert said(MOST_WORDINGS + 1).endswith(f"n{MOST_WORDINGS - 2} fell silent. And 2 more messages of this kind.")
