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


@dataclass(frozen=True, slots=True)
class Emissions:
    """Operational emissions of a run, facility overhead included.

    Attributes:
        location_g: Grams, location-based (GHG Protocol Scope 2 Guidance 2015); None if unknown.
        upstream_g: Grams of fuel supply and plant construction, not part of ``location_g``; None if unknown.
        pue: Facility energy / IT energy.
        pue_assumed: Whether nobody stated it.
        factor: The factor behind ``location_g``; None without one.
        reason: Why ``location_g`` is None.
    """

    location_g: float | None
    upstream_g: float | None
    pue: float
    pue_assumed: bool
    factor: FactorUsed | None
    reason: Text | None = None

    def to_dict(self, language: Language) -> dict[str, Any]:
        """Return the published form."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {
            **NO_EMISSIONS,
            **values,
            "factor": asdict(self.factor) if self.factor else None,
            "reason": self.reason.to(language) if self.reason is not None else None,
        }


# Of a run whose emissions nobody has computed. What this version never computes is null everywhere, never 0.
NO_EMISSIONS: dict[str, Any] = dict.fromkeys(
    (
        "location_g", "market_g", "upstream_g", "embodied_g", "embodied_low_g", "embodied_high_g", "water_l",
        "pue", "pue_assumed", "factor", "reason",
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
