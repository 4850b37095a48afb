"""What a run emitted, on the terminal: grams, contracts, water, and what they were computed with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from greenai.core import labels, quantity
from greenai.core.factor_remarks import period_remark
from greenai.core.text import Text
from greenai.core.units import J_PER_KWH

if TYPE_CHECKING:
    from datetime import date

    from greenai.analysis.over_time import OverTime
    from greenai.cli.app import App
    from greenai.core.footprint import Emissions
    from greenai.core.record import RunRecord

_EMISSIONS = Text(de="{gases} (standortbasiert)", en="{gases} (location-based)")
_UPSTREAM = Text(de="Vorkette (extra)", en="upstream (extra)")
_MARKET = Text(de="{gases}, nach Verträgen", en="{gases}, by contracts")
_MARKET_PART = Text(
    de="{energy} zu {value} g/kWh {gases}: {name} ({instrument}{factor}{unverified})",
    en="{energy} at {value} g/kWh {gases}: {name} ({instrument}{factor}{unverified})",
)
_OF_FACTOR = Text(de=" {year}, {boundary}", en=" {year}, {boundary}")
_NO_MARKET = Text(de="Nach Verträgen", en="By contracts")
_OVER_TIME = Text(de="Stunde für Stunde", en="Hour by hour")
_OVER_TIME_VALUE = Text(
    de="{mass} bei im Mittel {value} g/kWh im Lauf ({gases}, {boundary}{guessed}; {source}{unverified})",
    en="{mass} at {value} g/kWh on average in the run ({gases}, {boundary}{guessed}; {source}{unverified})",
)
_PART_OF_IT = Text(de="nur für {covered} der Energie bekannt,", en="known of {covered} of the energy only,")
_FORECAST = Text(de=", davon {part} Prognose", en=", {part} of it forecast")
_FILLED_IN = Text(de=", davon {part} vom Dienst geschätzt", en=", {part} of it estimated by the service")
_UNSAID = Text(de="Gase ungenannt", en="gases not named")
_MADE = Text(de="Herstellung (Anteil, extra)", en="manufacture (share, extra)")
_MADE_PART = Text(
    de="{count} x {name}: {each} ({span}) in {years} Jahren{unverified}; {source}",
    en="{count} x {name}: {each} ({span}) over {years} years{unverified}; {source}",
)
_SCI = Text(de="SCI (ISO/IEC 21031)", en="SCI (ISO/IEC 21031)")
_SCI_VALUE = Text(de="{mass} je {unit}", en="{mass} per {unit}")
_UNIT = Text(de="Einheit", en="unit")
_WATER = Text(de="Wasser", en="Water")
_WATER_VALUE = Text(
    de="{volume} ({site} l/kWh Kühlung, {grid} l/kWh Strom{unverified}: {source})",
    en="{volume} ({site} l/kWh cooling, {grid} l/kWh electricity{unverified}: {source})",
)
_INVENTORY = Text(de="Bilanz", en="Inventory")
_FACTOR = Text(de="Faktor", en="Factor")
_FACTOR_VALUE = Text(
    de="{value} g/kWh, {zone} {year}, {gases}, {boundary}{status}{unverified}; {source}, {edition}",
    en="{value} g/kWh, {zone} {year}, {gases}, {boundary}{status}{unverified}; {source}, {edition}",
)
_STATUS = Text(de=", {status}", en=", {status}")
_UNVERIFIED = Text(de=", ungeprüft", en=", unverified")
_PUE = Text(de="PUE", en="PUE")
_ASSUMED = Text(de="{pue} (angenommen)", en="{pue} (assumed)")


def emission_facts(app: App, record: RunRecord, over_time: OverTime | None) -> list[tuple[str, str]]:
    """Return the facts about a run's emissions, each with its label.

    Args:
        app: Language and so on.
        record: The run.
        over_time: Its emissions by the grid's intensity of each moment, where that was fetched.
    """
    emissions = record.emissions
    if emissions is None:
        return []
    language = app.language
    gases = emissions.factor.gases if emissions.factor else "CO2e"
    grams = quantity.mass(emissions.location_g, language)
    if emissions.location_g is None and emissions.reason is not None:
        grams = app.say(emissions.reason)
    facts = [(app.say(_EMISSIONS, gases=gases), grams)]
    if emissions.upstream_g is not None:
        facts.append((app.say(_UPSTREAM), quantity.mass(emissions.upstream_g, language)))
    facts += _market_facts(app, emissions)
    if emissions.scope is not None:
        facts.append((app.say(_INVENTORY), app.say(labels.word(labels.INVENTORY, emissions.scope))))
    factor = emissions.factor
    if factor is not None:
        status = _STATUS.format(status=labels.word(labels.FACTOR_STATUS, factor.status))
        value = app.say(
            _FACTOR_VALUE,
            value=quantity.number(factor.value_g_per_kwh, language),
            zone=factor.zone,
            year=factor.year,
            gases=factor.gases,
            boundary=labels.word(labels.BOUNDARY, factor.boundary),
            status="" if factor.status == "final" else status,
            unverified="" if factor.verified else _UNVERIFIED,
            source=factor.source,
            edition=factor.edition,
        )
        facts.append((app.say(_FACTOR), value))
        remark = period_remark(factor, _first_day(record))
        facts += [("", app.say(remark))] if remark is not None else []
    facts += _over_time_facts(app, over_time)
    pue = quantity.number(emissions.pue, language)
    facts.append((app.say(_PUE), app.say(_ASSUMED, pue=pue) if emissions.pue_assumed else pue))
    return [*facts, *_water_facts(app, emissions), *_made_facts(app, record, emissions)]


def _market_facts(app: App, emissions: Emissions) -> list[tuple[str, str]]:
    language = app.language
    if not emissions.market:
        # Who has named no contracts need not read that of each run.
        if emissions.market_reason is None or app.settings().electricity is None:
            return []
        return [(app.say(_NO_MARKET), app.say(emissions.market_reason))]
    gases = " + ".join(sorted({part.gases for part in emissions.market}))
    facts = [(app.say(_MARKET, gases=gases), quantity.mass(emissions.market_g, language))]
    for part in emissions.market:
        words = _MARKET_PART.format(
            energy=quantity.energy(part.kwh * J_PER_KWH, language),
            value=quantity.number(part.g_per_kwh, language),
            gases=part.gases,
            name=part.name,
            instrument=labels.word(labels.INSTRUMENT, part.instrument),
            factor=""
            if part.boundary is None
            else _OF_FACTOR.format(year=part.year, boundary=labels.word(labels.BOUNDARY, part.boundary)),
            unverified=_UNVERIFIED if part.verified is False else "",
        )
        facts.append(("", app.say(words)))
    return facts


def _first_day(record: RunRecord) -> date:
    return datetime.fromtimestamp(record.started_ms / 1000, tz=UTC).date()


def _over_time_facts(app: App, over_time: OverTime | None) -> list[tuple[str, str]]:
    if over_time is None:
        return []
    language, origin = app.language, over_time.origin
    mass = quantity.mass(over_time.location_g, language)
    if over_time.location_g is None:
        mass = app.say(_PART_OF_IT, covered=quantity.percent(over_time.covered_share, language))
    shares = ((_FORECAST, over_time.forecast_share), (_FILLED_IN, over_time.estimated_share))
    guessed = "".join(app.say(text, part=quantity.percent(share, language)) for text, share in shares if share)
    value = _OVER_TIME_VALUE.format(
        mass=mass,
        value=quantity.number(over_time.mean_g_per_kwh, language),
        gases=origin.gases or _UNSAID,
        boundary=labels.word(labels.BOUNDARY, origin.boundary or quantity.NO_VALUE),
        guessed=guessed,
        source=origin.source,
        unverified="" if origin.verified else _UNVERIFIED,
    )
    return [(app.say(_OVER_TIME), app.say(value))]


def _grams(kg: float | None) -> float | None:
    return None if kg is None else kg * 1000


def _made_facts(app: App, record: RunRecord, emissions: Emissions) -> list[tuple[str, str]]:
    language = app.language
    if not emissions.embodied:
        return []
    low, high = emissions.embodied_low_g, emissions.embodied_high_g
    central = quantity.mass(emissions.embodied_g, language)
    facts = [(app.say(_MADE), f"{central} ({quantity.mass_range(low, high, language)})")]
    for part in emissions.embodied:
        words = _MADE_PART.format(
            count=part.count,
            name=part.name,
            each=quantity.mass(_grams(part.kg), language),
            span=quantity.mass_range(_grams(part.low_kg), _grams(part.high_kg), language, like=_grams(part.kg)),
            years=f"{part.lifetime_years:g}",
            unverified="" if part.verified else _UNVERIFIED,
            source=part.source,
        )
        facts.append(("", app.say(words)))
    per_unit = emissions.sci_g_per_unit(record.work.units)
    if per_unit is not None:
        unit = record.work.unit or app.say(_UNIT)
        facts.append((app.say(_SCI), app.say(_SCI_VALUE, mass=quantity.mass(per_unit, language), unit=unit)))
    return facts


def _water_facts(app: App, emissions: Emissions) -> list[tuple[str, str]]:
    water, language = emissions.water, app.language
    if water is None:
        return []
    value = _WATER_VALUE.format(
        volume=quantity.volume(emissions.water_l, language),
        site=quantity.number(water.site_l_per_kwh, language),
        grid=quantity.number(water.grid_l_per_kwh, language, 4),
        unverified="" if water.verified else _UNVERIFIED,
        source=water.source,
    )
    return [(app.say(_WATER), app.say(value))]
