"""Grid factors: from the lines of a table, and that no two of them claim the same days."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from greenai.carbon.zones import alpha_2
from greenai.core.errors import ConfigError
from greenai.core.footprint import FactorUsed
from greenai.core.labels import BOUNDARY, FACTOR_STATUS
from greenai.core.text import Text
from greenai.settings.values import WrongValueError, read_zone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from greenai.carbon.table_file import Line, Table

GENERATION = "generation"
UPSTREAM = "generation and upstream"
LIFECYCLE = "lifecycle"
METHODS = ("average", "marginal", "residual", "supplier")
GASES = ("CO2", "CO2e")
BASES = ("generated", "consumed")

# Which factor of a zone serves as "location-based", and which residual mix as the remainder: first direct CO2e
# as inventories want it (GHG Protocol Scope 2 Guidance 2015: generation only), then CO2 alone, then life cycle.
PREFERENCE = ((GENERATION, "CO2e"), (GENERATION, "CO2"), (LIFECYCLE, "CO2e"))

PROVENANCE = frozenset(
    {"source", "edition", "published", "url", "licence", "attribution", "retrieved", "verified", "status"}
)
PERIOD = frozenset({"year", "first_day", "last_day"})
GRID_COLUMNS = (
    frozenset({"id", "zone", "value_g_per_kwh", "gases", "boundary", "basis", "method"}) | PROVENANCE | PERIOD
)

_OF_A_LINE = frozenset({"id", "zone", "value_g_per_kwh"}) | PERIOD
_CLAIM = ("gases", "boundary", "basis", "method")

# The dirtiest grid there is has 1,300 g/kWh; what is below 1 was written in kilograms.
_MOST_G_PER_KWH = 5000.0
_LEAST_G_PER_KWH = 1.0

_A_FACTOR = Text(
    de="0 oder 1 bis 5000 Gramm je kWh; Kilogramm mit 1000 malnehmen",
    en="0, or 1 to 5000 grams per kWh; multiply kilograms by 1000",
)
_A_ZONE = Text(de="{expected}; ein Bereich heißt etwa DE-LU", en="{expected}; an area is written DE-LU")
_WHOLE_PERIOD = Text(de="year, oder first_day und last_day", en="year, or first_day and last_day")
_A_NEW_ID = Text(
    de="ein Schlüssel, der nur einmal vorkommt; dieser steht schon in {file}, Zeile {line}",
    en="a key that is there once; this one is in {file}, line {line}, already",
)
_OVERLAP = Text(
    de="{file}, Zeile {line}: Für {zone} gibt es für dieselben Tage schon einen solchen Faktor, in {other}, "
    "Zeile {other_line}, und welche Ausgabe die neuere ist, sagt published nicht.",
    en="{file}, line {line}: there is such a factor for the same days of {zone} already, in {other}, line "
    "{other_line}, and published does not say which edition is the newer one.",
)
_SHORTEN = Text(
    de="Einen der Zeiträume kürzen, eine der Zeilen löschen oder published bei beiden Ausgaben angeben: 2026-03.",
    en="Shorten one of the periods, delete one of the lines, or say published of both editions: 2026-03.",
)
_NEVER_USED = Text(
    de="{file}, Zeile {line}: Mit dem, was hier über {zone} steht, lässt sich kein Lauf rechnen: {what}.",
    en="{file}, line {line}: with what is said of {zone} here no run can be computed: {what}.",
)
_SAY_USABLE = Text(
    de="Eine Zeile dieses Netzes mit {usable} ergänzen; oder seine Zeilen löschen, dann gelten mitgelieferte.",
    en="Add a line of this zone with {usable}; or delete its lines, then those that are shipped hold.",
)


class _Same(NamedTuple):
    """What many lines of a table have in common: fields of the factor, the end of its id, what may not overlap."""

    fields: dict[str, Any]
    what: str
    claim: tuple[str, ...]


class _Claim(NamedTuple):
    """First and last day a line claims."""

    first: str
    last: str
    line: Line


def grid_factors(tables: Iterable[Table]) -> list[FactorUsed]:
    """Return the factors of some tables of grid factors, in their order.

    Args:
        tables: Of the kind ``grid``.

    Raises:
        ConfigError: A line has a value that is none, two have the same id, two claim the same days, or those of a
            zone are of no use.
    """
    factors: list[FactorUsed] = []
    by_id: dict[str, Line] = {}
    claims: dict[tuple[str, tuple[str, ...]], dict[str, list[_Claim]]] = defaultdict(lambda: defaultdict(list))
    for table in tables:
        same: dict[tuple[str | None, ...], _Same] = {}
        varying, stem = sorted(table.columns - _OF_A_LINE), table.file.stem
        for line in table.lines:
            key = tuple(map(line.cells.get, varying))
            if key not in same:  # most lines say the same of where they come from: read once
                same[key] = _provenance(table, line)
            factor = _factor(line, same[key], stem)
            if factor.id in by_id:
                if "id" in line.cells:
                    before = by_id[factor.id]
                    line.wrong("id", _A_NEW_ID.format(file=before.file, line=before.number))
                factor = replace(factor, id=f"{factor.id}-line{line.number}")  # two editions in one table
            by_id[factor.id] = line
            factors.append(factor)
            claim = _Claim(factor.first_day or "", factor.last_day or "", line)
            claims[factor.zone, same[key].claim][factor.published or ""].append(claim)
    for (zone, _), by_published in claims.items():
        _check_overlap(zone, by_published)
    _check_use(factors, by_id)
    return factors


def serves(factor: FactorUsed, method: str) -> bool:
    """Say whether a factor can be what runs are computed with: ``average`` or ``residual``."""
    return factor.method == method and (factor.boundary, factor.gases) in PREFERENCE


def _provenance(table: Table, line: Line) -> _Same:
    fields: dict[str, Any] = {
        "gases": line.word("gases", GASES),
        "boundary": line.word("boundary", tuple(BOUNDARY)),
        "basis": line.word("basis", BASES),
        "method": line.word("method", METHODS, METHODS[0]),
        "source": line.text("source"),
        "edition": line.text("edition"),
        "url": line.text("url", ""),
        "licence": line.text("licence", ""),
        "status": line.word("status", tuple(FACTOR_STATUS), "final"),
        "verified": line.word("verified", ("true", "false"), "false") == "true",
        "published": line.published(),
        "attribution": line.text("attribution", ""),
        "retrieved": line.text("retrieved", ""),
        "table": table.file.name,
        "sha256": table.sha256,
    }
    what = f"{fields['gases']}-{fields['boundary']}".lower().replace(" ", "-")
    return _Same(fields, what, tuple(fields[name] for name in _CLAIM))


def _factor(line: Line, same: _Same, stem: str) -> FactorUsed:
    cells = line.cells
    value = line.number_in("value_g_per_kwh", 0.0, _MOST_G_PER_KWH)
    if value is None or 0 < value < _LEAST_G_PER_KWH:
        line.wrong("value_g_per_kwh", _A_FACTOR)
    try:
        zone = _zone(line.text("zone"))
    except WrongValueError as error:
        line.wrong("zone", _A_ZONE.format(expected=error.expected))
    by_year = "year" in cells
    if not by_year and not ("first_day" in cells and "last_day" in cells):
        line.wrong("year", _WHOLE_PERIOD)
    first, last = line.period()
    period = first[:4] if by_year else f"{first}-{last}"
    return FactorUsed(
        id=line.text("id", f"{stem}-{zone.lower()}-{period}-{same.what}"),
        zone=zone,
        value_g_per_kwh=value,
        year=int(first[:4]),
        first_day=first,
        last_day=last,
        **same.fields,
    )


@lru_cache(maxsize=1024)
def _zone(written: str) -> str:
    return alpha_2(read_zone(written))


def _check_overlap(zone: str, by_published: dict[str, list[_Claim]]) -> None:
    """Make sure that of two factors for the same day one is of a newer edition.

    2026-03 is newer than 2025 and than 2026-02; whether it is newer than 2026, or than an edition without a date,
    nobody can say: one is the beginning of the other.

    Raises:
        ConfigError: For two nobody can say.
    """
    for claims in by_published.values():
        claims.sort(key=_begin)
        for before, claim in pairwise(claims):
            if claim.first <= before.last:
                _refuse_both(zone, before.line, claim.line)
    for published, claims in by_published.items():
        for beginning in {"", published[:4], published[:7]} - {published}:
            others = by_published.get(beginning, ())
            for claim in claims if others else ():
                begun = bisect_right(others, claim.last, key=_begin)
                if begun and others[begun - 1].last >= claim.first:
                    _refuse_both(zone, others[begun - 1].line, claim.line)


def _begin(claim: _Claim) -> str:
    return claim.first


def _refuse_both(zone: str, one: Line, other: Line) -> NoReturn:
    before, line = sorted((one, other), key=lambda line: (line.file, line.number))
    where = {"file": line.file, "line": line.number, "other": before.file.name, "other_line": before.number}
    raise ConfigError(_OVERLAP.format(zone=zone, **where), _SHORTEN)


def _check_use(factors: list[FactorUsed], lines: dict[str, Line]) -> None:
    """Make sure that no line makes believe that a zone is known here while runs are computed with another table.

    Raises:
        ConfigError: None of the lines about a zone can be used.
    """
    served = {
        (factor.zone, method) for factor in factors for method in ("average", "residual") if serves(factor, method)
    }
    for factor in factors:
        method = "residual" if factor.method == "residual" else "average"
        if (factor.zone, method) not in served:
            line = lines[factor.id]
            usable = f"method {method}; gases CO2e, boundary generation"
            what = f"method {factor.method}, gases {factor.gases}, boundary {factor.boundary}"
            raise ConfigError(
                _NEVER_USED.format(file=line.file, line=line.number, zone=factor.zone, what=what),
                _SAY_USABLE.format(usable=usable),
            )
