"""Which factor applies: by zone and day, from the user's tables, the shipped ones, or codecarbon's as fallback.

No network, no geolocation, no silent default country: a zone is named, or there are no grams.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from greenai.carbon.figures import embodied_of, figure_for
from greenai.carbon.grid_table import GENERATION, LIFECYCLE, PREFERENCE, UPSTREAM, serves
from greenai.carbon.tables import layers
from greenai.carbon.zones import alpha_2, alpha_3
from greenai.core.footprint import FactorUsed
from greenai.host.codecarbon_data import country_mix

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from pathlib import Path

    from greenai.carbon.figures import Figure


@dataclass(frozen=True, slots=True)
class LocationFactor:
    """The factor that applies to a run, and the upstream part beside it.

    Attributes:
        factor: Location-based factor with provenance.
        upstream_g_per_kwh: Fuel supply and plant construction, where the same source states them; None if
            unknown or already inside a life-cycle figure.
    """

    factor: FactorUsed
    upstream_g_per_kwh: float | None


@lru_cache(maxsize=4096)
def location_factor(zone: str, day: date, own: Path | None = None) -> LocationFactor | None:
    """Return the grid factor for a zone and day: of that day, else the latest before, else the earliest.

    The user's tables decide alone about a zone of which they have a factor other than a residual mix; they are
    refused if they have none that can be used. What the choice means for a run: ``core.factor_remarks``.

    Args:
        zone: ISO 3166 code (DE or DEU), or EU27 or WORLD where somebody chose them.
        day: First day of the run.
        own: The user's tables (the setting ``factors``).

    Raises:
        ConfigError: A table is damaged.
    """
    zone = alpha_2(zone)
    for layer in layers(own):
        of_zone = layer.grid.get(zone, ())
        chosen = _chosen(of_zone, "average", day.isoformat())
        if chosen is not None:
            return LocationFactor(chosen, _upstream(of_zone, chosen))
    return _from_codecarbon(zone)


@lru_cache(maxsize=4096)
def residual_factor(zone: str, day: date, own: Path | None = None) -> FactorUsed | None:
    """Return the residual mix of a zone: what market-based accounting takes for electricity without a contract.

    None where there is none, as in AT, NL and CH: all their electricity is disclosed, nothing is left over. The
    user's tables decide alone about a zone of which they have a residual mix; their average is no residual mix.

    Args:
        zone: ISO 3166 code.
        day: Day of use.
        own: The user's tables (the setting ``factors``).

    Raises:
        ConfigError: A table is damaged.
    """
    zone = alpha_2(zone)
    for layer in layers(own):
        chosen = _chosen(layer.grid.get(zone, ()), "residual", day.isoformat())
        if chosen is not None:
            return chosen
    return None


def pue(place: str, day: date, own: Path | None = None) -> Figure | None:
    """Return the PUE of a kind of place, e.g. ``office``, ``survey``; always an assumption about one's own place.

    Raises:
        ConfigError: A table is damaged.
    """
    return _figure("pue", place, day, own)


def wue(place: str, day: date, own: Path | None = None) -> Figure | None:
    """Return litres of water per kilowatt-hour: of a grid (``DE``), or of a place's cooling (``cloud``).

    Raises:
        ConfigError: A table is damaged.
    """
    return _figure("wue", place, day, own)


def embodied(device: str, own: Path | None = None) -> Figure | None:
    """Return the kilograms of making a device, with range and lifetime; None if no table has it.

    Args:
        device: Key of the table (``server``), or the name that the driver gives it (``NVIDIA GH200 120GB``).
        own: The user's tables (the setting ``factors``).

    Raises:
        ConfigError: A table is damaged.
    """
    found = (embodied_of(layer.figures, device) for layer in layers(own))
    return next((figure for figure in found if figure is not None), None)


def _figure(kind: str, key: str, day: date, own: Path | None) -> Figure | None:
    found = (figure_for(layer.figures, kind, key, day.isoformat()) for layer in layers(own))
    return next((figure for figure in found if figure is not None), None)


def _chosen(of_zone: Iterable[FactorUsed], method: str, day: str) -> FactorUsed | None:
    """Return the factor in force on a day: of the first in ``PREFERENCE`` that had begun by then the latest.

    Of several for the same days the one per kilowatt-hour consumed, for that is what a run does; then the newest
    edition: tables in which none is the newest are refused.
    """
    usable = [factor for factor in of_zone if serves(factor, method)]
    if not usable:
        return None
    day = max(day, min(map(_first_day, usable)))  # before all of them: the earliest
    begun = (factor for factor in usable if _first_day(factor) <= day)
    return max(
        begun,
        key=lambda factor: (
            -PREFERENCE.index((factor.boundary, factor.gases)),
            min(factor.last_day or "", day),
            factor.basis == "consumed",
            factor.published or "",
        ),
    )


def _first_day(factor: FactorUsed) -> str:
    return factor.first_day or ""


def _upstream(of_zone: Iterable[FactorUsed], chosen: FactorUsed) -> float | None:
    for factor in of_zone:
        same = all(
            getattr(factor, name) == getattr(chosen, name)
            for name in ("source", "edition", "published", "first_day", "last_day", "gases", "basis", "method")
        )
        if same and factor.boundary == UPSTREAM and chosen.boundary == GENERATION:
            return factor.value_g_per_kwh - chosen.value_g_per_kwh
    return None


def _from_codecarbon(zone: str) -> LocationFactor | None:
    mix = country_mix(alpha_3(zone) or "")
    if mix is None or mix.intensity_g_per_kwh <= 0:  # a published 0 is a figure that was rounded away
        return None
    factor = FactorUsed(
        id=f"codecarbon-{zone.lower()}-{mix.year}",
        zone=zone,
        value_g_per_kwh=mix.intensity_g_per_kwh,
        year=mix.year,
        source=f"codecarbon, global_energy_mix.json (Our World in Data): {mix.country}",
        edition=f"data of {mix.year}",
        url="https://github.com/mlco2/codecarbon",
        licence="MIT (table), CC BY 4.0 (data)",
        boundary=LIFECYCLE,
        gases="CO2e",
        basis="generated",
        status="final",
        verified=False,
        first_day=f"{mix.year}-01-01",
        last_day=f"{mix.year}-12-31",
        method="average",
    )
    return LocationFactor(factor, None)
