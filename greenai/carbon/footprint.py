"""The footprint of a run: grams and money from its IT energy, with the factor's provenance.

O_loc = E_IT · PUE · I_loc (GHG Protocol Scope 2 Guidance 2015, location-based); market-based: ``carbon.market``.
Upstream is a separate figure (scope 3, category 3) and never added silently.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from greenai.carbon.electricity_file import electricity_of
from greenai.carbon.embodied import Embodied, embodied_share
from greenai.carbon.factors import location_factor, residual_factor, wue
from greenai.carbon.market import day_of, days, market_parts, price
from greenai.carbon.zones import alpha_2
from greenai.core.errors import ConfigError
from greenai.core.footprint import Cost, Emissions, WaterUsed
from greenai.core.text import Text
from greenai.core.units import kwh

if TYPE_CHECKING:
    from greenai.carbon.factors import LocationFactor
    from greenai.core.electricity import Electricity
    from greenai.core.footprint import FactorUsed
    from greenai.core.hardware import Hardware
    from greenai.core.record import RunRecord, Site
    from greenai.settings import Settings


DEFAULT_PUE = 1.0
Span = tuple[int, int]
_SCOPES = {"own": "scope_2", "rented": "scope_3_1"}

_NO_ZONE = Text(
    de="Kein Stromnetz angegeben, daher keine CO2-Werte. Einmal festlegen: greenai config set zone DE",
    en="No grid zone was named, hence no CO2 figures. Set it once: greenai config set zone DE",
)
_UNKNOWN_ZONE = Text(
    de="Für das Stromnetz „{zone}“ gibt es keinen Faktor. Vorhandene zeigt: greenai factors list",
    en='There is no factor for the grid zone "{zone}". Those there are: greenai factors list',
)
_NO_CONTRACTS = Text(
    de="Zu den Stromverträgen ist nichts angegeben. Datei nennen: greenai config set electricity DATEI",
    en="Nothing is said about electricity contracts. Name a file: greenai config set electricity FILE",
)
_NOT_OUR_CONTRACTS = Text(
    de="Die Maschine ist gemietet; die Stromverträge ihres Eigentümers sind nicht bekannt.",
    en="The machine is rented; its owner's electricity contracts are not known.",
)
_WHICH_SITE = Text(
    de="In welchem Stromnetz die Verträge gelten, ist nicht angegeben. Festlegen: greenai config set zone DE",
    en="In which grid the contracts hold was not said. Set it: greenai config set zone DE",
)
_OTHER_SITE = Text(
    de="Die Stromverträge gelten im Netz {ours}, dieser Lauf war in {there}.",
    en="The electricity contracts hold in the grid {ours}; this run was in {there}.",
)
_NO_ENERGY = Text(
    de="Die Energie dieses Laufs ist unbekannt, daher auch sein CO2.",
    en="The energy of this run is unknown, and so is its CO2.",
)


class Consumer(Protocol):
    """What a footprint is computed from: a run.

    Attributes:
        started_ms: Begin, epoch milliseconds.
        ended_ms: End; None while it goes on.
        duration_s: Seconds.
        energy_j: IT energy, joules; None if unknown.
        site: What was said about its place.
        hardware: What it held of machines and accelerators.
    """

    @property
    def started_ms(self) -> int: ...  # noqa: D102
    @property
    def ended_ms(self) -> int | None: ...  # noqa: D102
    @property
    def duration_s(self) -> float: ...  # noqa: D102
    @property
    def energy_j(self) -> float | None: ...  # noqa: D102
    @property
    def site(self) -> Site: ...  # noqa: D102
    @property
    def hardware(self) -> Hardware: ...  # noqa: D102


class Supply(NamedTuple):
    """What the reader's site says about its electricity, or why that is not known.

    Attributes:
        electricity: Contracts and prices; None without a file of them, or if it is wrong.
        reason: Why there are none.
    """

    electricity: Electricity | None
    reason: Text | None


def read_supply(settings: Settings) -> Supply:
    """Return what the site says about its electricity; a wrong file becomes a reason.

    A run is over when its footprint is computed: its other figures are wanted all the same.
    """
    if settings.electricity is None:
        return Supply(None, _NO_CONTRACTS)
    try:
        return Supply(electricity_of(settings.electricity), None)
    except ConfigError as error:
        return Supply(None, error.message)


def footprint(record: Consumer, settings: Settings, supply: Supply | None = None) -> tuple[Emissions, Cost]:
    """Return emissions and cost of a run.

    What the run's own settings said about its site goes before the reader's settings: a run from Sweden stays
    Swedish when it is read in Germany. The reader's contracts and dated prices are those of his own site.

    Args:
        record: The run; its energy is not changed.
        settings: The reader's settings.
        supply: What the site says about its electricity; by default what ``read_supply`` finds.
    """
    site = record.site
    given_pue = site.pue if site.pue is not None else settings.pue
    pue = given_pue if given_pue is not None else DEFAULT_PUE
    zone = _alpha_2(site.zone or settings.zone)
    owner = site.machine_owner or settings.machine_owner
    facility_kwh = kwh(record.energy_j) * pue if record.energy_j is not None else None
    span = _span(record)
    found, reason = _location(zone, span, settings)
    factor = found.factor if found else None
    if factor is not None and facility_kwh is None:
        reason = _NO_ENERGY
    supply = supply or read_supply(settings)
    electricity, market_reason = _electricity(zone, owner, settings, supply)
    market = None
    if electricity is not None and facility_kwh is not None:
        market = market_parts(facility_kwh, *span, electricity, _residual(zone, span, settings) or factor)
    water = _water(site.wue if site.wue is not None else settings.wue, zone, span, settings)
    made = _made(record, site.machine or settings.machine, settings)
    upstream = found.upstream_g_per_kwh if found else None
    emissions = Emissions(
        location_g=_times(facility_kwh, factor.value_g_per_kwh if factor else None),
        upstream_g=_times(facility_kwh, upstream),
        pue=pue,
        pue_assumed=given_pue is None,
        factor=factor,
        reason=reason,
        market=market or (),
        market_reason=None if market else market_reason or reason,
        scope=_SCOPES.get(owner or ""),
        water_l=_water_l(record.energy_j, facility_kwh, water),
        water=water,
        embodied_g=made.central_g,
        embodied_low_g=made.low_g,
        embodied_high_g=made.high_g,
        embodied=made.parts,
        embodied_share=made.share,
        embodied_reason=made.reason,
    )
    if settings.electricity is not None and supply.electricity is None and owner != "rented":
        return emissions, Cost(None, site.currency or settings.currency)  # a dated price may be in it
    return emissions, _cost(record, facility_kwh, electricity, settings)


def with_footprint(record: RunRecord, settings: Settings) -> RunRecord:
    """Return the record with its emissions and cost."""
    emissions, cost = footprint(record, settings)
    return replace(record, emissions=emissions, cost=cost)


def _electricity(zone: str | None, owner: str | None, settings: Settings, supply: Supply) -> Supply:
    """Return what is said about the electricity of a run, or why nothing is."""
    if owner == "rented":
        return Supply(None, _NOT_OUR_CONTRACTS)
    if supply.electricity is None:
        return supply
    if settings.zone is None:
        return Supply(None, _WHICH_SITE)
    if zone != _alpha_2(settings.zone):
        return Supply(None, _OTHER_SITE.format(ours=settings.zone, there=zone))
    return supply


def _alpha_2(zone: str | None) -> str | None:
    return alpha_2(zone) if zone is not None else None


def _location(zone: str | None, span: Span, settings: Settings) -> tuple[LocationFactor | None, Text | None]:
    """Return the grid factor of a run, or why there is none."""
    if zone is None:
        return None, _NO_ZONE
    try:
        found = location_factor(zone, day_of(span[0]), settings.factors)
    except ConfigError as error:  # the run is over: its other figures are wanted all the same
        return None, error.message
    return found, None if found else _UNKNOWN_ZONE.format(zone=zone)


def _residual(zone: str | None, span: Span, settings: Settings) -> FactorUsed | None:
    try:
        return residual_factor(zone, day_of(span[0]), settings.factors) if zone is not None else None
    except ConfigError:  # said where the location-based factor is missing
        return None


def _water(site_l_per_kwh: float | None, zone: str | None, span: Span, settings: Settings) -> WaterUsed | None:
    if site_l_per_kwh is None or zone is None:
        return None
    try:
        grid = wue(zone, day_of(span[0]), settings.factors)
    except ConfigError:  # said where the location-based factor is missing
        return None
    if grid is None or grid.value is None:
        return None
    return WaterUsed(site_l_per_kwh, grid.value, f"{grid.source}, {grid.edition}", grid.verified)


def _water_l(energy_j: float | None, facility_kwh: float | None, water: WaterUsed | None) -> float | None:
    """Return litres: E_IT · WUE_site + E_IT · PUE · WUE_grid (Li et al. 2025, arXiv:2304.03271)."""
    if energy_j is None or facility_kwh is None or water is None:
        return None
    return kwh(energy_j) * water.site_l_per_kwh + facility_kwh * water.grid_l_per_kwh


def _made(record: Consumer, machine: str | None, settings: Settings) -> Embodied:
    try:
        return embodied_share(record.hardware, record.duration_s, machine, settings.factors)
    except ConfigError as error:
        return Embodied(reason=error.message)


def _times(amount: float | None, each: float | None) -> float | None:
    return amount * each if amount is not None and each is not None else None


def _cost(
    record: Consumer, facility_kwh: float | None, electricity: Electricity | None, settings: Settings
) -> Cost:
    """Return what the electricity cost: by the price of each day where one is said, else by the one price."""
    site = record.site
    fixed = site.electricity_price_per_kwh
    fixed = fixed if fixed is not None else settings.electricity_price_per_kwh
    currency = site.currency or settings.currency
    amount = _times(facility_kwh, fixed)
    if electricity is None or not electricity.prices:
        return Cost(amount, currency)
    dated = [(price(electricity, day), part) for day, part in days(*_span(record))]
    currencies = {said.currency if said else currency for said, _ in dated}
    if facility_kwh is None or len(currencies) > 1 or (fixed is None and any(said is None for said, _ in dated)):
        return Cost(None, currency)
    each = sum((said.per_kwh if said else fixed or 0.0) * part for said, part in dated)
    return Cost(facility_kwh * each, *currencies)


def _span(record: Consumer) -> Span:
    """Return begin and end of a run, epoch milliseconds."""
    return record.started_ms, record.ended_ms or record.started_ms + round(record.duration_s * 1000)
