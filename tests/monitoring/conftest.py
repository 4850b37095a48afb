"""A monitor of the journals of the test, whose wall clock is that of the machine that writes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from greenai.analysis import Analysis
from greenai.core.units import NS_PER_S
from greenai.monitoring import Monitor, monitor
from greenai.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from greenai.core.exposition import Family


@pytest.fixture
def analysis() -> Iterator[Analysis]:
    """Reads the spool."""
    opened = Analysis.open(load_settings())
    yield opened
    opened.close()


@pytest.fixture
def watching(analysis: Analysis, monkeypatch: pytest.MonkeyPatch) -> Monitor:
    """A monitor that looks anew each time."""
    monkeypatch.setattr(monitor, "_FRESH_S", 0.0)
    monkeypatch.setattr(monitor, "_GOOD_FOR", -1)
    monkeypatch.setattr(monitor, "_OVERVIEW_S", 0.0)
    monkeypatch.setattr(monitor, "_OVERVIEW_PATIENCE", 0)
    return Monitor(analysis)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Lets the reader's wall clock be that of the machine that writes."""

    def follow(machine: Any) -> None:
        monkeypatch.setattr(time, "time", lambda: machine.clock.wall_ns() / NS_PER_S)

    return follow


@pytest.fixture
def values() -> Callable[..., dict[str, float]]:
    """Gives the values of a family by one of its labels."""

    def by(families: tuple[Family, ...], name: str, label: str = "hw.id") -> dict[str, float]:
        (family,) = (family for family in families if family.name == name)
        found = {point.labels.get(label, ""): point.value for point in family.points}
        assert len(found) == len(family.points)
        return found

    return by
