"""Sums by month and project: what is unknown is counted, and never added as 0."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from greenai.core.footprint import Emissions
from greenai.core.run_energy import Energy
from greenai.store.month_sums import MonthSum, month_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.record import RunRecord
    from greenai.store import Store

NOVEMBER_MS, DECEMBER_MS = 1_795_262_400_000, 1_796_083_200_000  # 2026-11-21, 2026-12-01 00:00 UTC


def test_sums_by_month_and_project(store: Store, save: Callable[..., RunRecord], full: RunRecord) -> None:
    def run(number: int, project: str | None, started_ms: int, total_j: float | None, grams: float | None) -> None:
        energy = Energy(total_j, None, None, None, "machine", None, full.energy.channels)
        emissions = Emissions(grams, None, 1.0, True, None)
        record = replace(full, id=f"r{number}", project=project, started_ms=started_ms, energy=energy)
        save(store, replace(record, emissions=emissions))

    run(1, "a", NOVEMBER_MS, 3.0, 0.5)
    run(2, "a", DECEMBER_MS - 1, 4.0, None)
    run(3, "a", DECEMBER_MS, None, None)
    run(4, "b", DECEMBER_MS, None, None)
    run(5, "b", DECEMBER_MS, 2.0, 0.25)
    run(6, None, DECEMBER_MS, 1.0, 0.125)
    found = {(each.year_month, each.project): each for each in month_sums(store)}
    assert [each.year_month for each in month_sums(store)] == [202611, 202612, 202612, 202612]
    assert found[202611, "a"] == MonthSum(202611, "a", 2, 0, 1, 7.0, 0.5)
    assert found[202612, "a"] == MonthSum(202612, "a", 1, 1, 1, None, None)
    assert found[202612, "b"] == MonthSum(202612, "b", 2, 1, 1, 2.0, 0.25)
    assert found[202612, None] == MonthSum(202612, None, 1, 0, 0, 1.0, 0.125)
