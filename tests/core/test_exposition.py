"""Families of series, as Prometheus reads them: names from units, what is unknown is absent, any label survives."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenai.core.exposition import (
    Family,
    Point,
    SeriesKind,
    open_metrics_text,
    prometheus_text,
    wants_open_metrics,
)

ENERGY = Family("hw.energy", SeriesKind.COUNTER, "J", 'All "of\nit".', (Point(1.5, {"hw.id": "a"}, 7),))
SPOOL = Family("greenai.spool.size", SeriesKind.GAUGE, "By", "Size.", (Point(3),))
NOBODY_KNOWS = Family("hw.power", SeriesKind.GAUGE, "W", "Power.", ())
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


def test_names_come_from_units_and_unknown_is_absent() -> None:
    assert prometheus_text([ENERGY, NOBODY_KNOWS, SPOOL]) == (
        '# HELP hw_energy_joules_total All "of\\nit".\n'
        "# TYPE hw_energy_joules_total counter\n"
        'hw_energy_joules_total{hw_id="a"} 1.5\n'
        "# HELP greenai_spool_size_bytes Size.\n"
        "# TYPE greenai_spool_size_bytes gauge\n"
        "greenai_spool_size_bytes 3\n"
    )


def test_open_metrics_names_a_counter_without_its_ending_and_says_the_end() -> None:
    assert open_metrics_text([ENERGY]) == (
        '# HELP hw_energy_joules All \\"of\\nit\\".\n'
        "# TYPE hw_energy_joules counter\n"
        "# UNIT hw_energy_joules joules\n"
        'hw_energy_joules_total{hw_id="a"} 1.5\n'
        "# EOF\n"
    )


@given(st.text())
def test_any_label_is_read_back(value: str) -> None:
    line = prometheus_text([Family("a", SeriesKind.GAUGE, "", "x", (Point(1, {"b": value}),))]).split("\n", 2)[2]
    found = re.fullmatch(r'a\{b="((?:[^"\\\n]|\\["\\n])*)"\} 1\n', line)
    assert found is not None
    assert re.sub(r'\\["\\n]', lambda match: _ESCAPES[match[0]], found[1]) == value


@pytest.mark.parametrize(
    ("accept", "open_metrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", True),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.9", False),
        ("application/openmetrics-text;q=high", False),
        (";;,,q=", False),
    ],
)
def test_what_was_asked_for(accept: str, open_metrics: bool) -> None:
    assert wants_open_metrics(accept) is open_metrics
