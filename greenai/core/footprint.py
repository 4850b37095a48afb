"""The footprint of a run: grams and money, with where they come from. What computes it: ``carbon.footprint``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from greenai.core.text import Language, Text


@dataclass(frozen=True, slots=True)
class FactorUsed:
    """The grid factor behind the grams, with where it came from.

    Attributes:
        id: Key of the factor.
        zone: ISO 3166 code of the grid, or EU27 or WORLD.
        value_g_per_kwh: Grams per kilowatt-hour.
        year: The year it is for.
        source: Who published it.
        edition: Which edition of that.
        url: Where it was published.
        licence: Licence of the figure.
        boundary: What it covers, e.g. ``generation``.
        gases: ``CO2`` alone, or ``CO2e``: all greenhouse gases as CO2 equivalents.
        basis: Per unit generated or consumed.
        status: How firm the figure is.
        verified: Whether it was checked against its source.
        first_day: First day it is for, ISO date; None (as all below) in records of older versions.
        last_day: Last day it is for.
        method: ``average``, ``marginal``, ``residual`` or ``supplier``.
        published: Day, month or year of the edition; empty if unknown.
        attribution: What its licence wants to be said; empty if nothing.
        retrieved: Day it was taken from its source; empty if unknown.
        table: Name of the file it is in; empty if it came from elsewhere.
        sha256: Checksum of that file, hexadecimal.
    """

    id: str
    zone: str
    value_g_per_kwh: float
    year: int
    source: str
    edition: str
    url: str
    licence: str
    boundary: str
    gases: str
    basis: str
    status: str
    verified: bool
    first_day: str | None = None
    last_day: str | None = None
    method: str | None = None
    published: str | None = None
    attribution: str | None = None
    retrieved: str | None = None
    table: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class MarketPart:
    """Electricity of a run that came under one contract; or under none, then at the mix of what is left.

    Attributes:
        name: The contract; for what none covers, the id of the factor.
        instrument: What kind of claim: a value of ``core.electricity.Instrument``, ``residual`` or ``average``.
        kwh: How much of the run, the facility's overhead included.
        g_per_kwh: Grams per kilowatt-hour.
        gases: ``CO2`` or ``CO2e``.
        proof: The paper behind it, or the source of the factor.
        boundary: What a factor covers; None of a contract, which says direct emissions.
        year: The year a factor is for; None of a contract.
        verified: Whether a factor was checked against its source; None of a contract, which is its owner's word.
    """

    name: str
    instrument: str
    kwh: float
    g_per_kwh: float
    gases: str
    proof: str
    boundary: str | None = None
    year: int | None = None
    verified: bool | None = None


@dataclass(frozen=True, slots=True)
class WaterUsed:
    """How much water a kilowatt-hour takes.

    Attributes:
        site_l_per_kwh: Litres for cooling per kilowatt-hour of IT energy (WUE, ISO/IEC 30134-9).
        grid_l_per_kwh: Litres for making a kilowatt-hour of electricity.
        source: Who published the second; the first is the site's own.
        verified: Whether that was checked against its source.
    """

    site_l_per_kwh: float
    grid_l_per_kwh: float
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class EmbodiedPart:
    """Hardware of one kind that a run held.

    Attributes:
        device: Key in the table of embodied figures.
        name: The same in words.
        count: How many.
        kg: Kilograms CO2e of making one; None where only a range is known.
        low_kg: Lower end.
        high_kg: Upper end.
        lifetime_years: For how long it is used.
        source: Who published that.
        verified: Whether it was checked against its source.
    """

    device: str
    name: str
    count: int
    kg: float | None
    low_kg: float
    high_kg: float
    lifetime_years: float
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Emissions:
    """Operational emissions of a run, facility overhead included.

    Attributes:
        location_g: Grams, location-based (GHG Protocol Scope 2 Guidance 2015); None if unknown.
        upstream_g: Grams of fuel supply and plant construction (scope 3, category 3), not part of ``location_g``;
            None if unknown.
        pue: Facility energy / IT energy.
        pue_assumed: Whether nobody stated it.
        factor: The factor behind ``location_g``; None without one.
        reason: Why ``location_g`` is None.
        market: What the electricity came under, contract by contract; empty if nobody said.
        market_reason: Why there is no market-based figure.
        scope: In whose inventory: ``scope_2`` on a machine of one's own, ``scope_3_1`` on somebody else's (GHG
            Protocol Scope 3 Standard 2011, category 1); None if nobody said whose it is.
        water_l: Litres of water, at the site and for its electricity; None unless both are known.
        water: What that was computed with.
        embodied_g: Grams of making the hardware, the run's share (M of ISO/IEC 21031), not part of ``location_g``;
            None if unknown.
        embodied_low_g: Lower end.
        embodied_high_g: Upper end.
        embodied: The hardware behind it.
        embodied_share: Part of that hardware that was the run's.
        embodied_reason: Why there is no such figure.
    """

    location_g: float | None
    upstream_g: float | None
    pue: float
    pue_assumed: bool
    factor: FactorUsed | None
    reason: Text | None = None
    market: tuple[MarketPart, ...] = ()
    market_reason: Text | None = None
    scope: str | None = None
    water_l: float | None = None
    water: WaterUsed | None = None
    embodied_g: float | None = None
    embodied_low_g: float | None = None
    embodied_high_g: float | None = None
    embodied: tuple[EmbodiedPart, ...] = ()
    embodied_share: float | None = None
    embodied_reason: Text | None = None

    @property
    def market_g(self) -> float | None:
        """Grams, market-based (GHG Protocol Scope 2 Guidance 2015); None if unknown."""
        return sum(part.kwh * part.g_per_kwh for part in self.market) if self.market else None

    def sci_g_per_unit(self, units: float) -> float | None:
        """Return the Software Carbon Intensity, (O + M) / R, location-based (ISO/IEC 21031:2024); None if unknown.

        Args:
            units: Units of work done.
        """
        if self.location_g is None or self.embodied_g is None or units <= 0:
            return None
        return (self.location_g + self.embodied_g) / units

    def to_dict(self, language: Language) -> dict[str, Any]:
        """Return the published form."""
        return {
            **NO_EMISSIONS,
            **{name: getattr(self, name) for name in self.__slots__},
            "market_g": self.market_g,
            "market": [asdict(part) for part in self.market],
            "market_reason": self.market_reason.to(language) if self.market_reason is not None else None,
            "embodied": [asdict(part) for part in self.embodied],
            "embodied_reason": self.embodied_reason.to(language) if self.embodied_reason is not None else None,
            "water": asdict(self.water) if self.water else None,
            "factor": asdict(self.factor) if self.factor else None,
            "reason": self.reason.to(language) if self.reason is not None else None,
        }


# Of a run whose emissions nobody has computed. What this version never computes is null everywhere, never 0.
NO_EMISSIONS: dict[str, Any] = dict.fromkeys(
    (
        "location_g", "market_g", "upstream_g", "embodied_g", "embodied_low_g", "embodied_high_g", "water_l",
        "pue", "pue_assumed", "factor", "reason", "market", "market_reason", "scope", "water",
        "embodied", "embodied_share", "embodied_reason", "sci_g_per_unit",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of the electricity, facility overhead included.

    Attributes:
        amount: In units of ``currency``; None without a price or an energy.
        currency: E.g. ``EUR``.
    """

    amount: float | None
    currency: str


# Of a run whose cost nobody has computed.
NO_COST: dict[str, Any] = dict.fromkeys(Cost.__slots__)
