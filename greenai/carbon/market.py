"""Market-based emissions: each kilowatt-hour by the contract it came under.

O_mkt = Σ E_contract · I_contract + E_uncovered · I_residual (GHG Protocol Scope 2 Guidance 2015, chapter 6). A run
takes its part of every contract of its day; one that goes on for several days is spread evenly over its time.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from greenai.core.electricity import Instrument
from greenai.core.footprint import MarketPart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from greenai.core.electricity import Contract, Electricity, Price, Share
    from greenai.core.footprint import FactorUsed

_ORDER = tuple(Instrument)
_EPOCH = date(1970, 1, 1)
_MS_PER_DAY = 86_400_000


def market_parts(
    facility_kwh: float, started_ms: int, ended_ms: int, electricity: Electricity, remainder: FactorUsed | None
) -> tuple[MarketPart, ...] | None:
    """Return under which contracts the electricity of a run came, best claim first.

    Args:
        facility_kwh: The run's energy with the facility's overhead.
        started_ms: Begin of the run, epoch milliseconds.
        ended_ms: Its end.
        electricity: What its site says.
        remainder: The factor of what no contract covers; without it all must be covered, or the answer is None.

    Raises:
        ConfigError: The site's contracts contradict each other.
    """
    kwh: dict[Contract | None, float] = {}
    for day, part_of_run in days(started_ms, ended_ms):
        for contract, part in shares(electricity, day):
            kwh[contract] = kwh.get(contract, 0.0) + facility_kwh * part_of_run * part
    uncovered_kwh = kwh.pop(None, None)
    best_first = sorted((c for c in kwh if c is not None), key=lambda c: _ORDER.index(c.instrument))
    parts = [MarketPart(c.name, c.instrument.value, kwh[c], c.g_per_kwh, c.gases, c.proof) for c in best_first]
    if uncovered_kwh is not None:
        if remainder is None:
            return None
        parts.append(
            MarketPart(
                remainder.id,
                remainder.method or "average",
                uncovered_kwh,
                remainder.value_g_per_kwh,
                remainder.gases,
                f"{remainder.source}, {remainder.edition}",
                boundary=remainder.boundary,
                year=remainder.year,
                verified=remainder.verified,
            )
        )
    return tuple(parts)


@lru_cache(maxsize=4096)  # many runs have the same day
def shares(electricity: Electricity, day: date) -> tuple[Share, ...]:
    """Return what covers a site's electricity on a day, see ``Electricity.shares``."""
    return electricity.shares(day)


@lru_cache(maxsize=4096)
def price(electricity: Electricity, day: date) -> Price | None:
    """Return what a kilowatt-hour cost on a day, see ``Electricity.price``."""
    return electricity.price(day)


def days(started_ms: int, ended_ms: int) -> Iterator[tuple[date, float]]:
    """Yield each day of a stretch of time, in UTC, with the part of the stretch that is in it."""
    first, last = started_ms // _MS_PER_DAY, (ended_ms - 1) // _MS_PER_DAY
    if last <= first:
        yield day_of(started_ms), 1.0
        return
    for number in range(first, last + 1):
        begin_ms, end_ms = max(number * _MS_PER_DAY, started_ms), min((number + 1) * _MS_PER_DAY, ended_ms)
        yield day_of(begin_ms), (end_ms - begin_ms) / (ended_ms - started_ms)


def day_of(ms: int) -> date:
    """Return the day of a moment, in UTC.

    Args:
        ms: Epoch milliseconds.
    """
    return _EPOCH + timedelta(days=ms // _MS_PER_DAY)
