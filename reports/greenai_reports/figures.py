"""The key figures, and the remarks without which they would mislead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenai.core.channel import Quality
from greenai.core.quantity import duration as written_duration
from greenai.core.quantity import energy, integer, mass, number
from greenai.core.views import DIRECT
from greenai_reports import texts
from greenai_reports.factors import boundaries_in_words, distinct_factors, factor_in_words, kinds
from greenai_reports.model import Tile
from greenai_reports.wording import EnergyScale, clean, counted, gases_in_words, rough_duration, say, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from greenai.core.footprint import Emissions
    from greenai.core.text import Language
    from greenai.core.views import ReportView, Totals

LAMP_W = 10.0


def tiles(view: ReportView, language: Language) -> tuple[Tile, ...]:
    """Return the key figures, each with what must be read beside it."""
    totals = view.totals
    upstream_gases = [e.factor.gases for e in _known(view) if e.factor is not None and e.upstream_g is not None]
    return (
        Tile(texts.ELECTRICITY.to(language), energy(totals.energy_j, language), _energy_lines(view, language)),
        Tile(
            texts.CARBON.format(gases=gases_in_words(totals.location_gases)).to(language),
            mass(totals.location_g, language),
            _carbon_lines(view, language),
        ),
        *_market(totals, language),
        Tile(
            texts.UPSTREAM.format(gases=gases_in_words(upstream_gases)).to(language),
            mass(totals.upstream_g, language),
            ((texts.UPSTREAM_UNKNOWN if totals.upstream_g is None else texts.NOT_ADDED).to(language),),
        ),
        Tile(
            texts.RUNS.to(language),
            integer(totals.runs, language),
            (texts.TOTAL_DURATION.format(duration=written_duration(totals.duration_s, language)).to(language),),
        ),
    )


def remarks(view: ReportView, language: Language) -> tuple[str, ...]:
    """Return the sentences under the key figures."""
    totals = view.totals
    sentences: list[str] = []
    factors = distinct_factors(view.records)
    if totals.location_g is not None and len(factors) == 1:
        remark = texts.FACTOR_REMARK.format(
            gases=gases_in_words(totals.location_gases), factor=factor_in_words(factors[0], language)
        )
        sentences.append(remark.to(language))
    sentences += _mixed(view, language)
    assumed = [emissions.pue_assumed for emissions in _known(view)]
    if any(assumed):
        remark = texts.PUE_ASSUMED_REMARK if all(assumed) else texts.PUE_PARTLY_ASSUMED_REMARK
        sentences.append(remark.to(language))
    incomplete = _incomplete(view)
    if incomplete:
        sentences.append(counted(incomplete, texts.INCOMPLETE_ONE, texts.INCOMPLETE_MANY, language))
    if totals.runs_without_energy:
        sentences.append(
            counted(totals.runs_without_energy, texts.ENERGY_MISSING_ONE, texts.ENERGY_MISSING_MANY, language)
        )
    # Where no run has grams at all, the key figure itself says why.
    if totals.runs_without_emissions and totals.location_g is not None:
        reasons = _reasons(view, language)
        sentences.append(
            counted(
                totals.runs_without_emissions,
                texts.EMISSIONS_MISSING_ONE,
                texts.EMISSIONS_MISSING_MANY,
                language,
                reasons=f" ({'; '.join(reasons)})" if reasons else "",
            )
        )
    if totals.energy_j:
        lamp_s = totals.energy_j / LAMP_W
        sentences.append(texts.EVERYDAY.format(duration=rough_duration(lamp_s, language)).to(language))
    return tuple(sentences)


def _market(totals: Totals, language: Language) -> tuple[Tile, ...]:
    """Return the market-based figure beside the location-based one, if any run has one."""
    if totals.market_g is None:
        return ()
    lines = [*_beyond_direct(totals.market_boundaries, language), texts.MARKET_NEVER_ADDED.to(language)]
    lacking = totals.runs_without_market
    if lacking:
        lines.append(counted(lacking, texts.MARKET_LACKS_ONE, texts.MARKET_LACKS_MANY, language))
    label = texts.MARKET.format(gases=gases_in_words(totals.market_gases)).to(language)
    return (Tile(label, mass(totals.market_g, language), tuple(lines)),)


def _beyond_direct(boundaries: Sequence[str], language: Language) -> list[str]:
    """Return that a figure covers more than what power plants emit, if it does."""
    more = [boundary for boundary in boundaries if boundary != DIRECT]
    if not more:
        return []
    words = boundaries_in_words(more, language)
    return [words if len(boundaries) == 1 else texts.PARTLY.format(boundary=words).to(language)]


def _mixed(view: ReportView, language: Language) -> list[str]:
    """Return that the parts of a sum do not count the same, if they do not."""
    totals = view.totals
    sums = (totals.location_gases, totals.location_boundaries, totals.market_gases, totals.market_boundaries)
    if all(len(each) <= 1 for each in sums):
        return []
    each = [
        texts.COUNTS.format(gases=gases_in_words((gases,)), boundaries=boundaries_in_words(found, language))
        for gases, found in sorted(kinds(view.records).items())
    ]
    words = "; ".join(text.to(language) for text in each)
    return [texts.MIXED_REMARK.format(kinds=words).to(language)]


def _energy_lines(view: ReportView, language: Language) -> tuple[str, ...]:
    totals = view.totals
    if totals.energy_j is None:
        return (texts.ENERGY_UNKNOWN.to(language),)
    lines = []
    if totals.low_j is not None and totals.high_j is not None:
        scale = EnergyScale.of([totals.energy_j])
        bounds = f"{scale.span(totals.low_j, totals.high_j, language)}\u202f{scale.unit}"
        lines.append(texts.ABOUT_95.format(interval=bounds).to(language))
    lines.append(_measured(view, language))
    if _incomplete(view):
        lines.append(texts.LOWER_BOUND.to(language))
    return tuple(lines)


def _incomplete(view: ReportView) -> int:
    """Return how many runs took more than is known."""
    return sum(record.incomplete and record.energy_j is not None for record in view.records)


def _measured(view: ReportView, language: Language) -> str:
    measured_share = view.totals.measured_share
    if measured_share is None:
        return texts.SHARE_UNKNOWN.to(language)
    if measured_share == 0:
        return texts.ALL_ESTIMATED.to(language)
    allocated = any(
        channel.counted and channel.quality is Quality.ALLOCATED
        for record in view.records
        for channel in record.energy.channels
    )
    if measured_share >= 1:
        return (texts.ALL_ALLOCATED if allocated else texts.ALL_MEASURED).to(language)
    wording = texts.PART_ALLOCATED if allocated else texts.PART_MEASURED
    return wording.format(share=share(measured_share, language)).to(language)


def _carbon_lines(view: ReportView, language: Language) -> tuple[str, ...]:
    if view.totals.location_g is None:
        reasons = _reasons(view, language) or [texts.NO_FACTORS_APPLIED.to(language)]
        return (texts.CARBON_UNKNOWN.format(reason="; ".join(reasons)).to(language),)
    factors = distinct_factors(view.records)
    lines = []
    if len(factors) == 1:
        factor = factors[0]
        lines.append(
            texts.FACTOR_SHORT.format(
                zone=clean(factor.zone), value=number(factor.value_g_per_kwh, language), year=factor.year
            ).to(language)
        )
    elif factors:
        lines.append(texts.FACTORS_MANY.format(n=len(factors)).to(language))
    lines += _beyond_direct(view.totals.location_boundaries, language)
    return (*lines, _pue(view, language))


def _known(view: ReportView) -> list[Emissions]:
    """Return the emissions of the runs with known grams."""
    return [
        record.emissions
        for record in view.records
        if record.emissions is not None and record.emissions.location_g is not None
    ]


def _pue(view: ReportView, language: Language) -> str:
    used = _known(view)
    values = sorted({emissions.pue for emissions in used})
    low, high = (number(value, language) for value in (values[0], values[-1])) if values else ("–", "–")
    pue = low if low == high else texts.PUE_RANGE.format(low=low, high=high)
    assumed = any(emissions.pue_assumed for emissions in used)
    return (texts.PUE_ASSUMED if assumed else texts.PUE_KNOWN).format(pue=pue).to(language)


def _reasons(view: ReportView, language: Language) -> list[str]:
    """Return why grams are unknown, each reason once, without the full stop that a clause must not have."""
    found = {
        say(record.emissions.reason, language).rstrip(".")
        for record in view.records
        if record.emissions is not None
        and record.emissions.location_g is None
        and record.emissions.reason is not None
    }
    return sorted(found)
