"""Where the grams come from: the grid factors behind them, in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from greenai.core.labels import BOUNDARY, FACTOR_STATUS, word
from greenai.core.quantity import NO_VALUE, number
from greenai.core.views import DIRECT
from greenai_reports import texts
from greenai_reports.model import Source
from greenai_reports.wording import clean, gases_in_words, name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from greenai.core.footprint import FactorUsed
    from greenai.core.record import RunRecord
    from greenai.core.text import Language, Text

_WEB_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]{1,500}")


def distinct_factors(records: Iterable[RunRecord]) -> list[FactorUsed]:
    """Return every factor that was applied to a run with known grams, in a fixed order."""
    used = {
        record.emissions.factor
        for record in records
        if record.emissions is not None
        and record.emissions.factor is not None
        and record.emissions.location_g is not None
    }
    return sorted(used, key=lambda factor: (factor.zone, factor.year, factor.id, factor.value_g_per_kwh))


def kinds(records: Iterable[RunRecord]) -> dict[str, set[str]]:
    """Return what the grams of runs count: by gases, which boundaries; of contracts, direct emissions."""
    found: dict[str, set[str]] = {}
    for record in records:
        emissions = record.emissions
        if emissions is None:
            continue
        if emissions.factor is not None and emissions.location_g is not None:
            found.setdefault(emissions.factor.gases, set()).add(emissions.factor.boundary)
        for part in emissions.market:
            found.setdefault(part.gases, set()).add(part.boundary or DIRECT)
    return found


def boundaries_in_words(boundaries: Iterable[str], language: Language) -> str:
    """Write what factors cover."""
    return ", ".join(_say(BOUNDARY, boundary, language) for boundary in sorted(set(boundaries)))


def factor_in_words(factor: FactorUsed, language: Language) -> str:
    """Write a factor with its whole provenance and its caveats."""
    caveats = [] if factor.status == "final" else [_say(FACTOR_STATUS, factor.status, language)]
    if not factor.verified:
        caveats.append(texts.UNVERIFIED.to(language))
    return texts.FACTOR_LONG.format(
        zone=name(factor.zone),
        value=number(factor.value_g_per_kwh, language),
        year=factor.year,
        source=clean(factor.source),
        edition=clean(factor.edition) or NO_VALUE,
        boundary=_say(BOUNDARY, factor.boundary, language),
        gases=gases_in_words((factor.gases,)),
        caveats=f" ({', '.join(caveats)})" if caveats else "",
    ).to(language)


def sources(records: Iterable[RunRecord], language: Language) -> tuple[Source, ...]:
    """List the factors' sources; an address is only taken over if it is a plain web address."""
    factors = distinct_factors(records)
    # A single factor is spelt out beside the key figure already.
    wording = texts.SOURCE_SHORT if len(factors) == 1 else texts.SOURCE
    return tuple(
        Source(
            wording.format(
                factor=factor_in_words(factor, language),
                zone=name(factor.zone),
                year=factor.year,
                source=clean(factor.source),
                edition=clean(factor.edition) or NO_VALUE,
                licence=clean(factor.licence) or NO_VALUE,
            ).to(language),
            factor.url if _WEB_ADDRESS.fullmatch(factor.url) else "",
        )
        for factor in factors
    )


def _say(words: Mapping[str, Text], key: str, language: Language) -> str:
    return clean(word(words, key).to(language))
