"""What a run would have emitted by the grid's intensity at each moment, beside the yearly factor of inventories.

From the run's own samples and what ``greenai factors fetch`` has put on this machine; no network.
"""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenai.analysis.trace import intervals
from greenai.carbon.hourly import EnergyStep, emissions_over_time
from greenai.carbon.intensity.cache import IntensityCache
from greenai.carbon.intensity.series import layered
from greenai.core.units import NS_PER_MS, UJ_PER_J, kwh

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from greenai.carbon.intensity.cache import Damage
    from greenai.carbon.intensity.series import IntensitySeries, Meaning, Origin
    from greenai.core.record import RunRecord
    from greenai.store import Store

MOST_SAMPLES = 1_200_000  # some three seconds


@dataclass(frozen=True, slots=True)
class OverTime:
    """The grid's intensity over a run, weighed by the run's own power.

    Attributes:
        mean_g_per_kwh: Grams per kilowatt-hour, over that part of the energy whose intensity is known.
        location_g: Grams of the whole run, PUE included; None unless the intensity of all of it is known.
        covered_share: Part of the energy whose intensity is known, 0 to 1.
        forecast_share: Part whose intensity is a forecast.
        estimated_share: Part whose intensity the service has filled in itself.
        origin: Where the intensity came from.
    """

    mean_g_per_kwh: float
    location_g: float | None
    covered_share: float
    forecast_share: float
    estimated_share: float
    origin: Origin


def emissions_of_run_over_time(
    store: Store, record: RunRecord, environ: Mapping[str, str] = os.environ
) -> tuple[OverTime | None, tuple[Damage, ...]]:
    """Return a run's emissions by the intensity of each moment, and fetches that were left out as damaged.

    The samples are the machine's; they give the shape, the record the amount.

    Args:
        store: The database.
        record: The run, with its emissions.
        environ: Environment, for the folder of what was fetched.

    Returns:
        None instead of the emissions where nothing was fetched for the run.
    """
    emissions, ended_ms = record.emissions, record.ended_ms
    if emissions is None or emissions.factor is None or ended_ms is None or record.energy_j is None:
        return None, ()
    cached = IntensityCache.of_user(environ).load(emissions.factor.zone, record.started_ms, ended_ms)
    if not cached.fetches or store.sample_count(record.id) > MOST_SAMPLES:
        return None, cached.damaged
    fetches = _fetched_last(cached.fetches)
    steps = [sourced.step for sourced in layered(fetches)]
    # Each channel has its own times, so each is multiplied by itself.
    found = [emissions_over_time(energy, steps) for energy in _energy(store, record.id)]
    known_j = sum(channel.energy_j or 0.0 for channel in found)
    covered_j = sum(channel.covered_j for channel in found)
    if not covered_j:
        return None, cached.damaged
    whole = all(channel.covered_share in (None, 1.0) for channel in found)
    mean = sum(channel.grams or 0.0 for channel in found) / kwh(covered_j)
    over_time = OverTime(
        mean_g_per_kwh=mean,
        location_g=kwh(record.energy_j) * emissions.pue * mean if whole else None,
        covered_share=1.0 if whole else covered_j / known_j,
        forecast_share=sum(channel.forecast_j for channel in found) / known_j,
        estimated_share=sum(channel.estimated_j for channel in found) / known_j,
        origin=fetches[-1].origin,
    )
    return over_time, cached.damaged


def _fetched_last(cached: Mapping[Meaning, tuple[IntensitySeries, ...]]) -> list[IntensitySeries]:
    """Return the fetches, oldest first, of that meaning which was fetched last: others are not to be mixed in."""
    by_age = [sorted(fetches, key=lambda one: one.origin.retrieved_ms) for fetches in cached.values()]
    return max(by_age, key=lambda fetches: fetches[-1].origin.retrieved_ms)


def _energy(store: Store, run_id: str) -> Iterator[list[EnergyStep]]:
    """Yield the energy over time of each counted channel of a run."""
    with closing(store.samples(run_id, lambda _, counted: counted)) as channels:
        for channel, _, samples in channels:
            yield [
                EnergyStep(
                    i.t0_ns // NS_PER_MS,
                    i.t1_ns // NS_PER_MS,
                    None if i.energy_uj is None else i.energy_uj / UJ_PER_J,
                )
                for i in (intervals(channel, samples) if samples else ())
            ]
