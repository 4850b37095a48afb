"""Today's factors and settings on stored energy, and what that changed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from greenai.carbon.electricity_file import electricity_of
from greenai.carbon.footprint import Supply, footprint, read_supply
from greenai.carbon.tables import layers
from greenai.store import footprints
from greenai.store.recompute import recompute

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenai.core.views import RunQuery
    from greenai.settings import Settings
    from greenai.store import Store


@dataclass(slots=True)
class FactorChange:
    """Runs whose factor was another one before; or the same, and something else has changed.

    Attributes:
        before: Id of the factor before; None where there was none.
        after: Id of the factor now; None where there is none.
        runs: How many.
        before_g: Location-based grams of those that had a figure before; None if none had.
        after_g: Grams of those that have one now.
        market_before_g: The same, market-based.
        market_after_g: The same, market-based.
        market_lost: How many had a market-based figure and have none now.
    """

    before: str | None
    after: str | None
    runs: int = 0
    before_g: float | None = None
    after_g: float | None = None
    market_before_g: float | None = None
    market_after_g: float | None = None
    market_lost: int = 0


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What a recomputation did.

    Attributes:
        runs: Runs looked at.
        changes: What changed, factor by factor, most runs first.
    """

    runs: int
    changes: tuple[FactorChange, ...]

    @property
    def changed(self) -> int:
        """How many runs have a new footprint."""
        return sum(change.runs for change in self.changes)


def recompute_footprints(
    store: Store, settings: Settings, query: RunQuery, progress: Callable[[int], None] | None = None
) -> Recomputed:
    """Compute the footprints of runs anew; old versions stay.

    Args:
        store: The database.
        settings: Zone, PUE, contracts and so on of today.
        query: Which runs.
        progress: Told how many runs have been looked at.

    Raises:
        ConfigError: The file of contracts or a table of factors is wrong; nothing was changed.
        StoreError: The database refuses.
    """
    layers(settings.factors)  # what is damaged is an error here, before a single footprint is written
    electricity = electricity_of(settings.electricity) if settings.electricity is not None else None
    supply = Supply(electricity, None) if electricity is not None else read_supply(settings)
    compute = partial(footprint, settings=settings, supply=supply)
    found = recompute(store, query, compute, lambda site: (site.machine or settings.machine) is not None)
    looked_at = 0
    by_key: dict[tuple[str | None, str | None], FactorChange] = defaultdict(lambda: FactorChange(None, None))
    for count, changes in found:
        looked_at += count
        for change in changes:
            row = by_key[change.before, change.after]
            row.runs += 1
            row.before_g = _plus(row.before_g, change.before_g)
            row.after_g = _plus(row.after_g, change.after_g)
            row.market_before_g = _plus(row.market_before_g, change.market_before_g)
            row.market_after_g = _plus(row.market_after_g, change.market_after_g)
            row.market_lost += change.market_before_g is not None and change.market_after_g is None
        if progress:
            progress(looked_at)
    with store.reading() as connection:
        factors = footprints.shared_values(connection, {key for pair in by_key for key in pair if key})
    for (before, after), row in by_key.items():
        row.before = factors[before]["id"] if before else None
        row.after = factors[after]["id"] if after else None
    return Recomputed(looked_at, tuple(sorted(by_key.values(), key=lambda row: -row.runs)))


def _plus(total: float | None, value: float | None) -> float | None:
    return total if value is None else value + (total or 0.0)
