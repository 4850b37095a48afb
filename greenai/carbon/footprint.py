"""The footprint of a run: grams and money from its IT energy, with the factor's provenance.

O_loc = E_IT · PUE · I_loc (GHG Protocol Scope 2 Guidance 2015, location-based). Upstream is a separate figure
(scope 3, category 3) and never added silently.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from greenai.carbon.factors import location_factor
from greenai.core.footprint import Cost, Emissions
from greenai.core.text import Text
from greenai.core.units import kwh

if TYPE_CHECKING:
    from greenai.core.record import RunRecord
    from greenai.settings import Settings

DEFAULT_PUE = 1.0

_NO_ZONE = Text(
    de="Kein Stromnetz angegeben, daher keine CO2-Werte. Einmal festlegen: greenai config set zone DE",
    en="No grid zone was named, hence no CO2 figures. Set it once: greenai config set zone DE",
)
_UNKNOWN_ZONE = Text(
    de="Für das Stromnetz „{zone}“ gibt es keinen Faktor. Vorhandene zeigt: greenai factors list",
    en='There is no factor for the grid zone "{zone}". Those there are: greenai factors list',
)
_NO_ENERGY = Text(
    de="Die Energie dieses Laufs ist unbekannt, daher auch sein CO2.",
    en="The energy of this run is unknown, and so is its CO2.",
)


def footprint(record: RunRecord, settings: Settings) -> tuple[Emissions, Cost]:
    """Return emissions and cost of a run.

    What the run's own settings said about its site goes before the reader's settings: a run from Sweden stays
    Swedish when it is read in Germany.

    Args:
        record: The run; its energy is not changed.
        settings: The reader's settings.
    """
    site = record.site
    given_pue = site.pue if site.pue is not None else settings.pue
    pue = given_pue if given_pue is not None else DEFAULT_PUE
    emissions = _emissions(record, site.zone or settings.zone, pue, pue_assumed=given_pue is None)
    price = site.electricity_price_per_kwh
    price = price if price is not None else settings.electricity_price_per_kwh
    energy_j = record.energy.total_j
    amount = kwh(energy_j) * pue * price if price is not None and energy_j is not None else None
    return emissions, Cost(amount, site.currency or settings.currency)


def with_footprint(record: RunRecord, settings: Settings) -> RunRecord:
    """Return the record with its emissions and cost."""
    emissions, cost = footprint(record, settings)
    return replace(record, emissions=emissions, cost=cost)


def _emissions(record: RunRecord, zone: str | None, pue: float, *, pue_assumed: bool) -> Emissions:
    unknown = Emissions(None, None, pue, pue_assumed, None)
    if zone is None:
        return replace(unknown, reason=_NO_ZONE)
    year = datetime.fromtimestamp(record.started_ms / 1000, tz=UTC).year
    found = location_factor(zone, year)
    if found is None:
        return replace(unknown, reason=_UNKNOWN_ZONE.format(zone=zone))
    if record.energy.total_j is None:
        return replace(unknown, factor=found.factor, reason=_NO_ENERGY)
    facility_kwh = kwh(record.energy.total_j) * pue
    upstream = found.upstream_g_per_kwh
    return Emissions(
        location_g=facility_kwh * found.factor.value_g_per_kwh,
        upstream_g=facility_kwh * upstream if upstream is not None else None,
        pue=pue,
        pue_assumed=pue_assumed,
        factor=found.factor,
    )
