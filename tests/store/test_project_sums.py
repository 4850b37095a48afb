"""Sums over the runs of each project."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from greenai.store.project_sums import project_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.record import RunRecord
    from greenai.store import Store


def test_what_is_unknown_is_counted_and_not_added(
    store: Store, full: RunRecord, bare: RunRecord, save: Callable[..., RunRecord]
) -> None:
    assert project_sums(store) == ({}, 0)
    save(store, full)
    save(store, replace(full, id="02"))
    save(store, replace(bare, id="03", project="churn"))
    save(store, bare)
    sums = project_sums(store)
    churn, none = sums.by_project["churn"], sums.by_project[""]
    assert full.energy.quality is not None
    assert churn.energy_j == pytest.approx({full.energy.quality.value: 2 * (full.energy.total_j or 0)})
    assert churn.location_g == pytest.approx(2 * 4.07)
    assert (churn.runs, churn.without_energy, churn.without_emissions) == (3, 1, 1)
    assert (none.energy_j, none.location_g, none.runs) == ({}, None, 1)
    assert sums.bad_lines == 2
