"""Old raw samples go; everything that was computed from them stays, with the date on which they went."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from greenai.core.text import Text
from greenai.core.vocabulary import RunState
from greenai.store.check import damage
from greenai.store.retention import Dropped, drop_samples

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from greenai.core.record import RunRecord
    from greenai.store import Store

SAMPLES = [(i * 10**9, i) for i in range(700)]


def test_only_samples_of_old_ended_runs_go(
    store: Store, save: Callable[..., RunRecord], full: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenai.store.retention._RUNS_AT_ONCE", 2)
    old = [save(store, replace(full, id=f"old-{n}", ended_ms=1000 + n), SAMPLES) for n in range(5)]
    new = save(store, replace(full, id="new", ended_ms=2000), SAMPLES)
    service = save(store, replace(full, id="service", ended_ms=None, state=RunState.RUNNING), SAMPLES)
    began_ms = time.time_ns() // 1_000_000
    assert drop_samples(store, 2000) == Dropped(5, 5 * 2 * 700)
    for record in old:
        found = store.record(record.id)
        assert found.samples_dropped_ms is not None
        assert began_ms <= found.samples_dropped_ms <= time.time_ns() // 1_000_000
        assert replace(found, samples_dropped_ms=None) == record
        assert store.sample_count(record.id) == 0
    for record in (new, service):
        assert store.record(record.id) == record
        assert store.sample_count(record.id) == 1400
    assert drop_samples(store, 2000) == Dropped(0, 0)


def test_a_run_without_samples_lost_none(store: Store, save: Callable[..., RunRecord], full: RunRecord) -> None:
    save(store, full)
    assert drop_samples(store, 2**50) == Dropped(0, 0)
    assert store.record(full.id).samples_dropped_ms is None


def test_dropped_samples_are_no_damage(store: Store, save: Callable[..., RunRecord], bare: RunRecord) -> None:
    save(store, replace(bare, ended_ms=5, state=RunState.COMPLETED), SAMPLES)
    assert drop_samples(store, 10).runs == 1
    assert list(damage(store, lambda _: Text("", ""))) == []


def test_taking_a_run_in_again_brings_its_samples_back(
    store: Store, save: Callable[..., RunRecord], full: RunRecord
) -> None:
    save(store, full, SAMPLES)
    drop_samples(store, 2**50)
    save(store, full, SAMPLES)
    assert store.record(full.id) == full
    assert store.sample_count(full.id) == 1400
