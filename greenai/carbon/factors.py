"""Grid factors: our own dated table first, codecarbon's country table as the wider, labelled fallback.

No network, no geolocation, no silent default country: a zone is named, or there are no grams.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from greenai.core.errors import ConfigError
from greenai.core.footprint import FactorUsed
from greenai.core.text import Text
from greenai.host.codecarbon_data import country_mix

if TYPE_CHECKING:
    from collections.abc import Iterable

GENERATION = "generation"
UPSTREAM = "generation and upstream"

# Which factor of a zone serves as "location-based": first direct CO2e as inventories want it (GHG Protocol
# Scope 2 Guidance 2015: generation only), then CO2 alone, then life-cycle figures.
_PREFERENCE = ((GENERATION, "CO2e"), (GENERATION, "CO2"), ("lifecycle", "CO2e"))

# Of the zones in our own table, which must be found without pycountry too.
_ALPHA_3 = {
    "AUT": "AT", "BEL": "BE", "CAN": "CA", "CHE": "CH", "CHN": "CN", "CZE": "CZ", "DEU": "DE", "DNK": "DK",
    "ESP": "ES", "FIN": "FI", "FRA": "FR", "GBR": "GB", "IND": "IN", "IRL": "IE", "ITA": "IT", "JPN": "JP",
    "LUX": "LU", "NLD": "NL", "NOR": "NO", "POL": "PL", "SWE": "SE", "USA": "US",
}  # fmt: skip

_BROKEN_TABLE = Text(
    de="Die Faktortabelle ist beschädigt, Zeile {line}: {problem}.",
    en="The factor table is damaged, line {line}: {problem}.",
)


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


@lru_cache(maxsize=1)
def shipped_factors() -> tuple[FactorUsed, ...]:
    """Return the factors that come with greenai, as in ``greenai/carbon/data/factors.csv``.

    Raises:
        ConfigError: The table is damaged.
    """
    text = files("greenai.carbon").joinpath("data/factors.csv").read_text(encoding="utf-8")
    return parse_factors(text.splitlines())


def parse_factors(lines: Iterable[str]) -> tuple[FactorUsed, ...]:
    """Read factors from CSV lines with a header.

    Raises:
        ConfigError: A line lacks a field or has a value that is none.
    """
    factors = []
    reader = csv.DictReader(lines)
    for row in reader:
        try:
            factors.append(
                FactorUsed(
                    id=row["id"],
                    zone=row["zone"],
                    value_g_per_kwh=float(row["value_g_per_kwh"]),
                    year=int(row["year"]),
                    source=row["source"],
                    edition=row["edition"],
                    url=row["url"],
                    licence=row["licence"],
                    boundary=row["boundary"],
                    gases=row["gases"],
                    basis=row["basis"],
                    status=row["status"],
                    verified={"true": True, "false": False}[row["verified"]],
                )
            )
        except (KeyError, ValueError, TypeError) as error:
            raise ConfigError(_BROKEN_TABLE.format(line=reader.line_num, problem=repr(error))) from error
    return tuple(factors)


def location_factor(zone: str, year: int) -> LocationFactor | None:
    """Return the factor for a zone and year: of that year, else of the latest year before, else of the earliest.

    Args:
        zone: ISO 3166 code (DE or DEU), or EU27 or WORLD where somebody chose them.
        year: Calendar year of the run.
    """
    zone = _two_letters(zone)
    of_zone = [factor for factor in shipped_factors() if factor.zone == zone]
    by_preference = [
        [factor for factor in of_zone if (factor.boundary, factor.gases) == wanted] for wanted in _PREFERENCE
    ]
    for fitting in by_preference:
        past = [factor for factor in fitting if factor.year <= year]
        if past:
            chosen = max(past, key=lambda factor: factor.year)
            return LocationFactor(chosen, _upstream(of_zone, chosen))
    direct_first = [factor for fitting in by_preference for factor in fitting]
    if direct_first:
        chosen = min(direct_first, key=lambda factor: factor.year)
        return LocationFactor(chosen, _upstream(of_zone, chosen))
    return _from_codecarbon(zone)


def _upstream(of_zone: list[FactorUsed], chosen: FactorUsed) -> float | None:
    for factor in of_zone:
        same = (factor.source, factor.edition, factor.year, factor.gases) == (
            chosen.source,
            chosen.edition,
            chosen.year,
            chosen.gases,
        )
        if same and factor.boundary == UPSTREAM and chosen.boundary == GENERATION:
            return factor.value_g_per_kwh - chosen.value_g_per_kwh
    return None


def _two_letters(zone: str) -> str:
    zone = zone.upper()
    if zone in _ALPHA_3:
        return _ALPHA_3[zone]
    if len(zone) != 3:  # noqa: PLR2004
        return zone
    country = _country("alpha_3", zone)
    return str(country.alpha_2) if country else zone


def _country(field: str, code: str) -> Any:
    """Look a country up in pycountry, which comes with codecarbon; None if either is unknown."""
    try:
        import pycountry
    except ImportError:
        return None
    countries: Any = pycountry.countries
    return countries.get(**{field: code})


def _from_codecarbon(zone: str) -> LocationFactor | None:
    country = _country("alpha_2", zone)
    mix = country_mix(country.alpha_3) if country else None
    if mix is None:
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
        boundary="lifecycle",
        gases="CO2e",
        basis="generated",
        status="final",
        verified=False,
    )
    return LocationFactor(factor, None)
