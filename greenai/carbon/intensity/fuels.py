"""From a generation mix to an intensity: I = Σ P_fuel · f_fuel / Σ P_fuel, with direct emission factors by fuel.

Pumped storage and batteries count on neither side: what they give back was counted when it was generated.
Imports are not in it, so the result is per unit generated in the zone.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from math import fsum, isfinite
from typing import TYPE_CHECKING, Any

from greenai.carbon.intensity.series import MOST_G_PER_KWH, SeriesError
from greenai.core.errors import ConfigError
from greenai.core.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_BROKEN_TABLE = Text(
    de="Die Tabelle der Brennstoff-Faktoren ist beschädigt, Zeile {line}: {problem}.",
    en="The table of fuel factors is damaged, line {line}: {problem}.",
)
_REINSTALL = Text(
    de="Neu installieren: pip install --force-reinstall greenai",
    en="Install anew: pip install --force-reinstall greenai",
)


class Fuel(StrEnum):
    """What electricity is made of, as far as its direct emissions differ."""

    LIGNITE = "lignite"
    HARD_COAL = "hard_coal"
    OTHER_FOSSIL = "other_fossil"
    GAS = "gas"
    NUCLEAR = "nuclear"
    RENEWABLES = "renewables"


# What a zone's mix is never without: an answer that does not speak of it is not the whole mix.
_ALWAYS_THERE = {"DE": frozenset({Fuel.LIGNITE, Fuel.HARD_COAL, Fuel.GAS, Fuel.RENEWABLES})}

# From when on nuclear power need not be reported: the last German reactors were shut down on 15 April 2023.
_WITHOUT_NUCLEAR_SINCE_MS = {"DE": 1_681_596_000_000}  # 16 April 2023, 00:00 in Berlin


@dataclass(frozen=True, slots=True)
class FuelFactors:
    """Emission factors of a zone's fuels.

    Attributes:
        zone: ISO 3166 code of the grid.
        g_per_kwh: Grams per kilowatt-hour, one for each fuel.
        gases: ``CO2`` or ``CO2e``.
        boundary: What they cover.
        source: Who published them, and in which edition.
        url: Where.
        licence: Their licence.
        verified: Whether they were checked against that source.
    """

    zone: str
    g_per_kwh: Mapping[Fuel, float]
    gases: str
    boundary: str
    source: str
    url: str
    licence: str
    verified: bool

    @property
    def method(self) -> str:
        """How an intensity is computed with them, for its provenance."""
        return f"generation mix x direct {self.gases} factors by fuel: {self.source}"


@lru_cache(maxsize=1)
def shipped_fuel_factors() -> Mapping[str, FuelFactors]:
    """Return the factors in ``greenai/carbon/data/fuel_factors.csv``, by zone.

    Raises:
        ConfigError: The table is damaged.
    """
    text = files("greenai.carbon").joinpath("data/fuel_factors.csv").read_text(encoding="utf-8")
    return parse_fuel_factors(text.splitlines())


def parse_fuel_factors(lines: Iterable[str]) -> dict[str, FuelFactors]:
    """Read fuel factors from CSV lines with a header.

    Raises:
        ConfigError: A line lacks a field or has a value that is none; a fuel is missing or there twice; the fuels
            of a zone differ in what they cover.
    """
    values: dict[str, dict[Fuel, float]] = {}
    about: dict[str, tuple[Any, ...]] = {}
    reader = csv.DictReader(lines)
    try:
        for row in reader:
            zone, fuel, value = row["zone"], Fuel(row["fuel"]), float(row["value_g_per_kwh"])
            _require(isfinite(value) and 0 <= value <= MOST_G_PER_KWH, f"{value:g} g/kWh")
            _require(fuel not in values.setdefault(zone, {}), f"{zone} has two factors for {fuel}")
            values[zone][fuel] = value
            source = f"{row['source']}, {row['edition']}"
            verified = {"true": True, "false": False}[row["verified"]]
            said = (row["gases"], row["boundary"], source, row["url"], row["licence"], verified)
            _require(about.setdefault(zone, said) == said, f"{zone} has factors of different kinds")
        for zone, fuels in values.items():
            missing = set(Fuel) - set(fuels)
            _require(not missing, f"{zone} lacks {', '.join(sorted(missing))}")
    except (KeyError, ValueError, TypeError) as error:
        raise ConfigError(_BROKEN_TABLE.format(line=reader.line_num, problem=error), _REINSTALL) from error
    return {zone: FuelFactors(zone, fuels, *about[zone]) for zone, fuels in values.items()}


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(problem)


def mix_intensities(
    amounts: Mapping[str, Sequence[Any]],
    fuels: Mapping[str, Fuel | None],
    factors: FuelFactors,
    first_ms: int,
) -> list[float | None]:
    """Return the intensity (g/kWh) of each step from what was generated in it.

    Args:
        amounts: Power or energy by the service's name of a source, any unit, one value per step; null is unknown.
        fuels: What these names are; None is left out (storage, trade, load).
        factors: Grams per kilowatt-hour.
        first_ms: When the first step begins, milliseconds since the epoch.

    Returns:
        None where the amount of one fuel is unknown, or nothing was generated.

    Raises:
        SeriesError: A name is not known, a fuel that the zone has is missing, or a value is no number: the
            service has changed.
    """
    unknown_names = sorted(set(amounts) - set(fuels))
    if unknown_names:
        raise SeriesError(f"it names sources of electricity that are not known here: {', '.join(unknown_names)}")
    missing = _ALWAYS_THERE.get(factors.zone, frozenset()) - {fuels[name] for name in amounts}
    if missing:
        raise SeriesError(f"it does not speak of {', '.join(sorted(missing))}, so it is not the whole mix")
    counted = {name: fuel for name in amounts if (fuel := fuels[name]) is not None}
    has_none = first_ms >= _WITHOUT_NUCLEAR_SINCE_MS.get(factors.zone, first_ms + 1)
    columns = [
        (factors.g_per_kwh[fuel], amounts[name])
        for name, fuel in counted.items()
        if not (fuel is Fuel.NUCLEAR and has_none) or any(value is not None for value in amounts[name])
    ]
    length = max((len(column) for _, column in columns), default=0)
    return [_mixed([(factor, column[at]) for factor, column in columns]) for at in range(length)]


def _mixed(parts: Sequence[tuple[float, Any]]) -> float | None:
    generated: list[tuple[float, float]] = []
    for factor, amount in parts:
        if amount is None:
            return None
        if isinstance(amount, bool) or not isinstance(amount, (int, float)):
            raise SeriesError(f"{amount!r:.60} is no number")
        if not isfinite(amount):
            return None
        # A plant that stands still draws power for itself; that is load, not negative generation.
        generated.append((factor, max(float(amount), 0.0)))
    total = fsum(amount for _, amount in generated)
    return fsum(factor * amount for factor, amount in generated) / total if total > 0 else None
