"""Under which contracts the electricity of a run came, and what that makes of its CO2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dash import html

from greenai.core import labels, quantity
from greenai.core.units import J_PER_KWH
from greenai_dashboard import texts_run
from greenai_dashboard.pages.run_origin import per_kwh
from greenai_dashboard.parts import badge, section, table

if TYPE_CHECKING:
    from greenai.core.footprint import Emissions, MarketPart
    from greenai.core.text import Language
    from greenai_dashboard.parts import Children


def market_section(emissions: Emissions, language: Language) -> html.Section:
    """Return the market-based figure and the parts it is the sum of."""
    lead = texts_run.MARKET_LEAD.format(
        market=quantity.mass(emissions.market_g, language), location=quantity.mass(emissions.location_g, language)
    )
    gases = {part.gases for part in emissions.market}
    headers = [
        text.to(language)
        for text in (
            texts_run.CONTRACT, texts_run.INSTRUMENT, texts_run.ELECTRICITY, texts_run.FACTOR, texts_run.GASES,
            texts_run.MASS, texts_run.PROOF,
        )
    ]  # fmt: skip
    return section(
        texts_run.MARKET.to(language),
        html.P(lead.to(language), className="muted"),
        html.P(texts_run.MIXED_GASES.to(language), className="muted") if len(gases) > 1 else None,
        table(
            texts_run.MARKET.to(language),
            headers,
            [_part(part, language) for part in emissions.market],
            numeric=frozenset({2, 3, 5}),
        ),
    )


def _claim(part: MarketPart, language: Language) -> list[Children]:
    words = labels.word(labels.INSTRUMENT, part.instrument).to(language)
    if part.boundary is None:
        return [words]
    boundary = labels.word(labels.BOUNDARY, part.boundary).to(language)
    flag = None if part.verified else badge(texts_run.UNVERIFIED.to(language), "warning")
    return [f"{words} {part.year}, {boundary} ", flag]


def _part(part: MarketPart, language: Language) -> list[Children]:
    return [
        part.name,
        _claim(part, language),
        quantity.energy(part.kwh * J_PER_KWH, language),
        per_kwh(part.g_per_kwh, language),
        part.gases,
        quantity.mass(part.kwh * part.g_per_kwh, language),
        part.proof,
    ]
