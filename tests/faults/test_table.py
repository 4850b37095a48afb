"""Every fault of the table (``python -m benchmarks faults``), done once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.faults.catalogue import FAULTS
from benchmarks.faults.fault import Fault, Outcome
from benchmarks.faults.tables import markdown

if TYPE_CHECKING:
    from concurrent.futures import Future


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_what_was_asked_is_kept(fault: Fault, outcomes: dict[str, Future[Outcome]]) -> None:
    assert outcomes[fault.name].result().complaints == []


def test_names_are_unique() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)


def test_the_table_shows_the_worst_try_and_every_failure() -> None:
    fault = Fault("a fault", "nothing", lambda *_: Outcome())
    found = [
        Outcome(0.1, "killed", True, "at once"),
        Outcome(0.4, "killed", True, "next", remarks={"done otherwise"}),
        Outcome(0.2, "lost", False, "at once", complaints=["exit code 1"]),
    ]
    page = markdown([fault], {"a fault": found})
    row = "| a fault | 3 | 0.40 s, 40 J | 2 killed, 1 lost | CHANGED | 2 at once, 1 next | nothing | 1 FAIL |"
    assert row in page.splitlines()
    assert "* a fault: done otherwise." in page
